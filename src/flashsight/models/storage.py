"""How a checkpoint lies on disk: safetensors shards, the compact int8 form, and the manifest that proves them whole.

Knows nothing of models: names, tensors and files only. No pickle is ever read.

int8 form: a matrix `X.weight` is int8 with one float32 scale per output channel in `X.weight_scale`; config.json says
`"quantization_config": {"quant_method": "flashsight-int8"}`. It is a form of storage: loading restores full numbers.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from flashsight.core.errors import CheckpointError

INT8_METHOD = "flashsight-int8"
SCALE_SUFFIX = "_scale"
MANIFEST = "manifest.json"
MAX_HEADER_BYTES = 100_000_000
MIN_SCALE = 2.0**-100
LFS_MAGIC = b"version "

DTYPE_BYTES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shard:
    """A safetensors file whose header agrees with its size: the tensors' dtypes (safetensors' words) and shapes."""

    path: Path
    num_bytes: int
    tensors: dict[str, tuple[str, Shape]]

    def tensor_bytes(self, name: str) -> int:
        """Return what a tensor takes in the file."""
        dtype, shape = self.tensors[name]
        return math.prod(shape) * DTYPE_BYTES.get(dtype, 1)


def read_shard(path: Path) -> Shard:
    """Read and check a shard's header without touching its tensors.

    Raises CheckpointError for a file that is missing, cut short, or not safetensors at all.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            length = int.from_bytes(start, "little")
            header = file.read(length) if 2 <= length <= min(MAX_HEADER_BYTES, size - 8) else b""
    except OSError:
        raise CheckpointError(f"{path} is missing or not readable") from None
    if start == LFS_MAGIC:
        raise CheckpointError(f"{path} is a git-lfs pointer, not the file itself; run `git lfs pull`")
    try:
        entries: Any = json.loads(header)
        _check_table(entries)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise CheckpointError(
            f"{path} ({size} bytes) is no safetensors file, or is cut short; download it again"
        ) from None
    entries.pop("__metadata__", None)
    end = 8 + length + max((entry["data_offsets"][1] for entry in entries.values()), default=0)
    if end != size:
        raise CheckpointError(f"{path} has {size} bytes where its header says {end}; download it again")
    return Shard(path, size, {name: (entry["dtype"], tuple(entry["shape"])) for name, entry in entries.items()})


def _check_table(entries: object) -> None:
    """Raise ValueError, TypeError or KeyError unless a header has safetensors' form."""
    if not isinstance(entries, dict):
        raise TypeError("not a table")
    for name, entry in entries.items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        if not (isinstance(entry["dtype"], str) and 0 <= start <= end and all(n >= 0 for n in entry["shape"])):
            raise ValueError(name)


def find_shards(folder: Path) -> list[Path]:
    """Return the weight files of a checkpoint: those its index names, or every *.safetensors of the folder."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
            names = sorted({str(name) for name in weight_map.values()})
        except (ValueError, KeyError, AttributeError, TypeError):
            raise CheckpointError(f"{index} is not a readable index; download it again") from None
        missing = [name for name in names if Path(name).name != name or not (folder / name).is_file()]
        if missing:
            raise CheckpointError(f"{folder}: {len(missing)} weight files of its index are missing: {_few(missing)}")
        return [folder / name for name in names]
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        pickled = any(folder.glob("*.bin")) or any(folder.glob("*.pt")) or any(folder.glob("*.pth"))
        hint = "; pickled weights are never loaded: convert them" if pickled else "; download the weights"
        raise CheckpointError(f"{folder} holds no *.safetensors file{hint}")
    return paths


def quantise(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return (int8 weight, float32 scale [O]) with one scale per output channel, the first axis.

    Scales are rounded up to 8 significant bits, so that a bfloat16 kernel multiplies by the very same number.
    """
    rows = weight.detach().float().flatten(1)
    mantissa, exponent = torch.frexp(rows.abs().amax(dim=1) / 127)
    scale = torch.ldexp((mantissa * 256).ceil() / 256, exponent).clamp_min(MIN_SCALE)
    quantised = (rows / scale[:, None]).round().clamp(-127, 127).to(torch.int8)
    return quantised.view(weight.shape), scale


def dequantise(weight: Tensor, scale: Tensor) -> Tensor:
    """Return the float32 weight of an int8 one; its error is at most half a scale per number."""
    return weight.float() * scale.float().view(-1, *([1] * (weight.dim() - 1)))


def write_checkpoint(
    folder: Path,
    tensors: Mapping[str, Tensor],
    config: Mapping[str, Any],
    *,
    int8: bool = False,
    max_shard_bytes: int = 5 << 30,
) -> None:
    """Write config.json, the shards (with an index if there are several) and the manifest of all files of the folder.

    int8 stores every matrix in the compact form; vectors stay as they are. Without it the result is a plain
    Hugging Face checkpoint.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = {name: value for name, value in config.items() if name != "quantization_config"}
    if int8:
        tensors = _int8_tensors(tensors)
        content["quantization_config"] = {"quant_method": INT8_METHOD}
    _write_json(folder / "config.json", content)
    for stale in folder.glob("*.safetensors"):
        stale.unlink()
    index = folder / "model.safetensors.index.json"
    index.unlink(missing_ok=True)
    shards = _split(tensors, max_shard_bytes)
    names = [f"model-{i:05}-of-{len(shards):05}.safetensors" for i in range(1, len(shards) + 1)]
    if len(shards) == 1:
        names = ["model.safetensors"]
    else:
        total = sum(tensor.nbytes for tensor in tensors.values())
        weight_map = {key: name for name, shard in zip(names, shards, strict=True) for key in shard}
        _write_json(index, {"metadata": {"total_size": total}, "weight_map": weight_map})
    for name, shard in zip(names, shards, strict=True):
        save_file(shard, folder / name, metadata={"format": "pt"})
        (folder / name).chmod(0o644)
    write_manifest(folder)


def write_manifest(folder: Path) -> None:
    """Write manifest.json: size in bytes and sha256 of every other file of the folder."""
    paths = sorted(path for path in folder.iterdir() if path.is_file() and path.name != MANIFEST)
    files = {path.name: {"bytes": path.stat().st_size, "sha256": _sha256(path)} for path in paths}
    _write_json(folder / MANIFEST, {"files": files})


def verify_files(folder: Path) -> list[str]:
    """Return what is wrong with a checkpoint's files, one sentence each; nothing if all is whole.

    With a manifest every byte is checked; without one only the headers and sizes of the weight files.
    """
    manifest = folder / MANIFEST
    if manifest.is_file():
        return _verify_manifest(folder, manifest)
    try:
        paths = find_shards(folder)
    except CheckpointError as error:
        return [error.message]
    return [problem for path in paths if (problem := _shard_problem(path)) is not None]


def _verify_manifest(folder: Path, manifest: Path) -> list[str]:
    try:
        files = json.loads(manifest.read_text(encoding="utf-8"))["files"]
        wanted = {str(name): (int(entry["bytes"]), str(entry["sha256"])) for name, entry in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return [f"{manifest} is not a readable manifest"]
    problems = []
    for name, (num_bytes, sha256) in wanted.items():
        path = folder / Path(name).name
        if not path.is_file():
            problems.append(f"{path} is missing")
        elif path.stat().st_size != num_bytes:
            problems.append(f"{path} has {path.stat().st_size} bytes, its manifest says {num_bytes}")
        elif _sha256(path) != sha256:
            problems.append(f"{path} has the right size and the wrong content")
    return problems


def _shard_problem(path: Path) -> str | None:
    try:
        read_shard(path)
    except CheckpointError as error:
        return error.message
    return None


def _int8_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    stored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if tensor.dim() < 2:
            stored[name] = tensor
        else:
            stored[name], stored[name + SCALE_SUFFIX] = quantise(tensor)
    return stored


def _split(tensors: Mapping[str, Tensor], max_shard_bytes: int) -> list[dict[str, Tensor]]:
    shards: list[dict[str, Tensor]] = [{}]
    num_bytes = 0
    for name, tensor in tensors.items():
        is_full = num_bytes + tensor.nbytes > max_shard_bytes
        if shards[-1] and is_full and not name.endswith(SCALE_SUFFIX):  # a scale stays beside its weight
            shards.append({})
            num_bytes = 0
        shards[-1][name] = tensor.detach().cpu().contiguous()
        num_bytes += tensor.nbytes
    return shards


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _few(names: list[str]) -> str:
    return ", ".join(names[:10]) + (" …" if len(names) > 10 else "")
