"""Writes trained weights down: compact for the package, in shards to travel, plain for transformers.

Knows no training step. Every form holds the documents that make a folder a checkpoint.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from flashsight.core.config import ModelConfig
from flashsight.demo import recipe
from flashsight.models.glm4v.config import Glm4vConfig
from flashsight.models.glm4v.model import Glm4v
from flashsight.models.glm4v.weights import to_checkpoint
from flashsight.models.loading import load_model
from flashsight.models.storage import INT8_METHOD, find_shards, write_checkpoint, write_manifest

DOCUMENTS = ("tokenizer.json", "tokenizer_config.json", "preprocessor_config.json", "generation_config.json")
TRAVEL_BYTES = 15 << 20

# GLM's turns as far as nano knows them: text and pictures, thinking on or off. Written by us.
CHAT_TEMPLATE = """\
[gMASK]<sop>
{%- for message in messages %}
{{- '<|' + message.role + '|>\\n' }}
{%- if message.role == 'assistant' %}
{{- '<think></think>' }}
{%- set spoken = (message.content if message.content is string else message.content | map(attribute='text') | join)
    .split('</think>')[-1].strip() %}
{{- '\\n' + spoken if spoken else '' }}
{%- else %}
{%- if message.content is string %}
{{- message.content }}
{%- else %}
{%- for part in message.content %}
{{- part.text if part.type == 'text' else '<|begin_of_image|><|image|><|end_of_image|>' }}
{%- endfor %}
{%- endif %}
{{- '/nothink' if message.role == 'user' and enable_thinking is defined and not enable_thinking else '' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|assistant|>\\n' }}
{{- '<think></think>\\n' if enable_thinking is defined and not enable_thinking else '' }}
{%- endif %}
"""


def checkpoint_tensors(masters: Mapping[str, Tensor], config: Glm4vConfig) -> dict[str, Tensor]:
    """Return Hugging Face's tensors, float32 on the CPU, of an objective's masters; the patch heads stay behind."""
    model = Glm4v(config)
    prefix = "model."
    weights = {name.removeprefix(prefix): value for name, value in masters.items() if name.startswith(prefix)}
    model.load_state_dict({name: value.detach().float().cpu() for name, value in weights.items()})
    return to_checkpoint(model)


def write_compact(
    folder: Path,
    tensors: Mapping[str, Tensor],
    documents: Path,
    *,
    int8: bool = True,
    max_shard_bytes: int = TRAVEL_BYTES,
) -> None:
    """Write an int8 checkpoint with the documents of another folder; shards of at most 15 MiB unless told otherwise.

    int8 False: the numbers as they are, to see what rounding them costs.
    """
    copy_documents(documents, folder)
    config = json.loads((documents / "config.json").read_text(encoding="utf-8"))
    write_checkpoint(folder, tensors, config, int8=int8, max_shard_bytes=max_shard_bytes)


def copy_documents(documents: Path, folder: Path) -> None:
    """Bring what makes a folder a checkpoint, but for its config and weights, from one to another."""
    folder.mkdir(parents=True, exist_ok=True)
    if documents.resolve() != folder.resolve():
        for name in DOCUMENTS:
            shutil.copyfile(documents / name, folder / name)


def blend(one: str, other: str, share: float, folder: Path) -> None:
    """Write int8 shards of weights that lie between two checkpoints of one shape: share 0 is one, 1 the other.

    Where the other was trained on from the one, what lies between often keeps more of both (Wortsman et al. 2022).
    """
    loaded = [load_model(ModelConfig(path=path, device="cpu", dtype="float32")) for path in (one, other)]
    before, after = (to_checkpoint(each.model) for each in loaded)
    between = {name: torch.lerp(value, after[name], share) for name, value in before.items()}
    write_compact(folder, between, loaded[0].files)


def join_shards(shards: Path, folder: Path, card: str) -> None:
    """Make one file of a compact checkpoint's shards in a folder with the documents; add card and manifest."""
    tensors: dict[str, Tensor] = {}
    for shard in find_shards(shards):
        tensors.update(load_file(shard))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    write_checkpoint(folder, tensors, config)
    _write_json(folder / "config.json", {**config, "quantization_config": {"quant_method": INT8_METHOD}})
    write_manifest(folder)


def export_hf(
    path: str, folder: Path, *, dtype: Literal["float32", "bfloat16"] = "float32", max_shard_bytes: int = 5 << 30
) -> None:
    """Write a checkpoint as `transformers` reads it: plain weights, configs, tokenizer, chat template.

    float32 holds the very numbers that the int8 form stands for; bfloat16 rounds them once more, to half the size.
    """
    loaded = load_model(ModelConfig(path=path, device="cpu", dtype="float32"))
    wanted = torch.float32 if dtype == "float32" else torch.bfloat16
    tensors = {name: value.to(wanted) for name, value in to_checkpoint(loaded.model).items()}
    folder.mkdir(parents=True, exist_ok=True)
    for name in DOCUMENTS:
        shutil.copyfile(loaded.files / name, folder / name)
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    config = {**loaded.config.source, "dtype": dtype}
    for section in ("text_config", "vision_config"):
        config[section] = {**config[section], "dtype": dtype}
    write_checkpoint(folder, tensors, config, max_shard_bytes=max_shard_bytes)


def write_documents(folder: Path, tokenizer_text: str) -> None:
    """Write everything of nano but its weights: tokenizer, shape, picture sizes, stop ids."""
    tokenizer = Tokenizer.from_str(tokenizer_text)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(tokenizer_text, encoding="utf-8")
    _write_json(folder / "config.json", recipe.model_config(tokenizer))
    _write_json(folder / "preprocessor_config.json", recipe.preprocessor_config())
    _write_json(folder / "generation_config.json", recipe.generation_config(tokenizer))
    _write_json(folder / "tokenizer_config.json", recipe.tokenizer_config())


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
