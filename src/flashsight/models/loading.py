"""From a ModelConfig to a model that is ready: where its files are, which precision, which weights go where.

Weights are streamed tensor by tensor to the device. Knows nothing of memory budgets, prompts or requests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

import flashsight
from flashsight.core.config import Device, Dtype, ModelConfig
from flashsight.core.errors import CheckpointError, ConfigError
from flashsight.models.glm4v.config import Glm4vConfig, read_config
from flashsight.models.glm4v.model import Glm4v, set_dtype
from flashsight.models.glm4v.weights import Row, as_checkpoint, from_checkpoint, keep_int8, name_table
from flashsight.models.layers import Linear
from flashsight.models.storage import SCALE_SUFFIX, Shape, Shard, dequantise, find_shards, read_shard

BUILT_IN: Final = ("nano", "glm-4.6v-flash")
MAX_LISTED = 10
FLOATS = ("F32", "BF16", "F16")
FINGERPRINT_BYTES = 4096
FINGERPRINT_PIECES = 16

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all) while weights are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model in inference mode with what others need to know of it.

    files: the folder with tokenizer.json, preprocessor_config.json, config.json. weights_id: equal ids mean equal
    weights; caches of encoder output are keyed by it. weight_bytes: memory that the weights take on the device.
    """

    model: Glm4v
    config: Glm4vConfig
    files: Path
    weights_id: str
    weight_bytes: int
    device: torch.device
    dtype: torch.dtype


def load_model(config: ModelConfig, *, progress: Progress | None = None) -> LoadedModel:
    """Build the model that the config names and fill it, with random weights for load_format `dummy`.

    Raises ConfigError for a device or precision that is not there, CheckpointError for files that are missing,
    damaged or of another architecture; every name at fault is in one message.
    """
    folder = checkpoint_folder(config)
    device = pick_device(config.device)
    checkpoint = read_config(folder)
    dtype = pick_dtype(config.dtype, checkpoint.dtype, device)
    is_dummy = config.load_format == "dummy"
    shards = [] if is_dummy else [read_shard(path) for path in find_shards(folder)]
    if not is_dummy:
        check_names(checkpoint, shards)
    model = build_model(checkpoint, device, dtype)
    if is_dummy:
        fill_random(model, seed=0)
    else:
        _fill(model, shards, progress or _no_progress)
    return LoadedModel(
        model=model,
        config=checkpoint,
        files=folder,
        weights_id=_weights_id(checkpoint, shards),
        weight_bytes=_weight_bytes(model),
        device=device,
        dtype=dtype,
    )


def checkpoint_folder(config: ModelConfig) -> Path:
    """Return the folder of the checkpoint that a config names, built in or on disk."""
    if config.path in BUILT_IN:
        folder = Path(flashsight.__file__).parent / "assets" / config.path
        if config.load_format == "auto" and not any(folder.glob("*.safetensors")):
            raise CheckpointError(
                f"the built-in `{config.path}` has no weights here; point `model.path` at a downloaded checkpoint, "
                "or use load_format `dummy` for random weights"
            )
        return folder
    folder = Path(config.path).expanduser()
    if not folder.is_dir():
        raise CheckpointError(
            f"{config.path!r} is no folder and no built-in name ({', '.join(BUILT_IN)}); "
            "give the folder that holds config.json and the *.safetensors files"
        )
    return folder


def pick_device(wanted: Device) -> torch.device:
    """Return the device: for `auto` the GPU if there is one."""
    has_cuda = torch.cuda.is_available()
    if wanted == "cuda" and not has_cuda:
        raise ConfigError("device is cuda, but torch sees no CUDA GPU; use device auto or cpu", param="device")
    return torch.device("cuda", 0) if wanted != "cpu" and has_cuda else torch.device("cpu")


def pick_dtype(wanted: Dtype, checkpoint: str, device: torch.device) -> torch.dtype:
    """Return the precision to run in.

    `auto` on a GPU: bfloat16 where the chip has it (compute capability 8.0), else float16; float32 checkpoints too.
    `auto` on a CPU: bfloat16 if its vector unit multiplies bfloat16 itself, else float32.
    """
    if wanted != "auto":
        if wanted == "bfloat16" and device.type == "cuda" and not _has_bfloat16(device):
            raise ConfigError("dtype is bfloat16, but this GPU has none; use float16 or auto", param="dtype")
        return _dtype(wanted)
    if device.type == "cuda":
        return torch.bfloat16 if _has_bfloat16(device) else torch.float16
    is_half = checkpoint in ("bfloat16", "float16")
    return torch.bfloat16 if is_half and _cpu_multiplies_bfloat16() else torch.float32


def build_model(config: Glm4vConfig, device: torch.device, dtype: torch.dtype) -> Glm4v:
    """Return a model in inference mode whose weights are allocated on the device and not yet filled."""
    with torch.device("meta"):
        model = Glm4v(config)
    set_dtype(model, dtype)
    # Not `to_empty`: it asks the meta device how each tensor lies, which imports sympy: seconds of a cold start.
    model._apply(lambda like: torch.empty(like.shape, dtype=like.dtype, device=device))  # type: ignore[no-untyped-call]
    if config.is_head_tied:
        model.text.head.weight = model.text.embedding.weight
    return model.requires_grad_(False).eval()


def fill_random(model: Glm4v, *, seed: int) -> None:
    """Fill a model with random weights under which the output depends on every input.

    With the usual small initialisation the norms after each block would drown the embeddings and every prompt would
    decode to one token. So: embeddings of variance 1, matrices of variance 1 / fan-in, a flatter head.
    """
    generator = torch.Generator(device=model.device).manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() < 2:
                parameter.fill_(0.0 if name.endswith("bias") else 1.0)
                continue
            parameter.normal_(generator=generator)
            if name == "text.head.weight":
                parameter.mul_(0.3)
            elif name != "text.embedding.weight":
                parameter.mul_(parameter.shape[1] ** -0.5)


def check_names(config: Glm4vConfig, shards: list[Shard]) -> None:
    """Raise one CheckpointError that lists every weight that is missing, unknown, doubled, or of a wrong form."""
    with torch.device("meta"):
        model = Glm4v(config)
    wanted = {row.checkpoint: tuple(as_checkpoint(model, row).shape) for row in name_table(config)}
    found: dict[str, tuple[str, Shape]] = {}
    problems: list[str] = []
    for shard in shards:
        problems += [f"{name} is there twice, again in {shard.path.name}" for name in shard.tensors if name in found]
        found.update(shard.tensors)
    if config.is_head_tied:
        found.pop("lm_head.weight", None)
    if config.quantization:
        int8 = [name for name in wanted if found.get(name, ("", ()))[0] == "I8"]
        wanted.update({name + SCALE_SUFFIX: wanted[name][:1] for name in int8})
    numbers = (*FLOATS, "I8") if config.quantization else FLOATS
    problems += [f"{name} is missing" for name in wanted if name not in found]
    for name, (dtype, shape) in found.items():
        if name not in wanted:
            problems.append(f"{name} is unknown")
        elif shape != wanted[name]:
            problems.append(f"{name} has the shape {list(shape)}, not {list(wanted[name])}")
        elif dtype not in numbers:
            problems.append(f"{name} is stored as {dtype}, not as one of {', '.join(numbers)}")
    if problems:
        more = f"; and {len(problems) - MAX_LISTED} more" if len(problems) > MAX_LISTED else ""
        where = shards[0].path.parent if shards else "the checkpoint"
        raise CheckpointError(
            f"{where}: {len(problems)} weights don't fit config.json: {'; '.join(problems[:MAX_LISTED])}{more}"
        )


def _fill(model: Glm4v, shards: list[Shard], progress: Progress) -> None:
    rows: dict[str, Row] = {row.checkpoint: row for row in name_table(model.config)}
    total = sum(shard.tensor_bytes(name) for shard in shards for name in shard.tensors)
    done = 0
    for shard in shards:
        try:
            with torch.no_grad(), safe_open(shard.path, framework="pt", device="cpu") as file:
                for name in shard.tensors:
                    if name in rows:
                        _fill_row(model, rows[name], file)
                    done += shard.tensor_bytes(name)
                    progress(done, total)
        except (OSError, SafetensorError):
            raise CheckpointError(f"{shard.path} could not be read; check the disk") from None
    for module in model.modules():
        if isinstance(module, Linear):
            module.finish_int8()


def _fill_row(model: Glm4v, row: Row, file: safe_open) -> None:
    weight: Tensor = file.get_tensor(row.checkpoint)
    if weight.dtype is not torch.int8:
        from_checkpoint(model, row, weight)
        return
    scale: Tensor = file.get_tensor(row.checkpoint + SCALE_SUFFIX)
    from_checkpoint(model, row, dequantise(weight, scale))
    if model.device.type == "cpu" and _reads_int8(model.dtype):
        keep_int8(model, row, weight, scale)


def _weight_bytes(model: Glm4v) -> int:
    linears = [module for module in model.modules() if isinstance(module, Linear)]
    copies = sum(linear.num_bytes - linear.weight.nbytes for linear in linears)
    return copies + sum(weight.nbytes for weight in model.parameters())


def _weights_id(config: Glm4vConfig, shards: list[Shard]) -> str:
    """Hash names, shapes, sizes, config and samples of each file: cheap, and two trainings of one model differ."""
    digest = hashlib.sha256(json.dumps(config.source, sort_keys=True, default=str).encode())
    for shard in shards:
        digest.update(f"{shard.path.name} {shard.num_bytes} {shard.tensors}".encode())
        with shard.path.open("rb") as file:
            for piece in range(FINGERPRINT_PIECES):
                file.seek(max(0, shard.num_bytes - FINGERPRINT_BYTES) * piece // (FINGERPRINT_PIECES - 1))
                digest.update(file.read(FINGERPRINT_BYTES))
    return digest.hexdigest()[:32]


def _has_bfloat16(device: torch.device) -> bool:
    return torch.cuda.get_device_capability(device) >= (8, 0)


def _reads_int8(dtype: torch.dtype) -> bool:
    """True where torch has a product of this dtype by what int8 is kept as (see Linear); fbgemm needs AVX2."""
    if dtype is torch.float32:
        return torch.backends.quantized.engine in ("x86", "fbgemm")
    return dtype is torch.bfloat16 and hasattr(torch, "_weight_int8pack_mm")


def _cpu_multiplies_bfloat16() -> bool:
    """Ask torch, which answers only through a private function; without it float32 is right, only slower."""
    ask = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return ask is not None and bool(ask())


def _dtype(name: str) -> torch.dtype:
    return {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}[name]


def _no_progress(done: int, total: int) -> None:
    """Take a progress report that nobody asked for."""
