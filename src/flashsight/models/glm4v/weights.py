"""The names of glm4v's weights: Hugging Face's on the left, ours on the right, and what differs between the two.

The same table loads and exports. Knows nothing of files: tensors come in by name and go out by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from flashsight.models.glm4v.config import Glm4vConfig
from flashsight.models.glm4v.model import Glm4v
from flashsight.models.layers import Linear

# checkpoint -> parameter; `parameter[part]` is one piece of a fused matrix, `| form` how the numbers are laid out
TABLE = """
model.visual.patch_embed.proj.weight                    vision.patch.weight | frames
model.visual.patch_embed.proj.bias                      vision.patch.bias
model.visual.embeddings.position_embedding.weight       vision.position
model.visual.post_conv_layernorm.weight                 vision.patch_norm.weight
model.visual.post_layernorm.weight                      vision.norm.weight
model.visual.downsample.weight                          vision.downsample.weight | squares
model.visual.downsample.bias                            vision.downsample.bias
model.visual.merger.proj.weight                         vision.merger.proj.weight
model.visual.merger.post_projection_norm.weight         vision.merger.norm.weight
model.visual.merger.post_projection_norm.bias           vision.merger.norm.bias
model.visual.merger.gate_proj.weight                    vision.merger.gate_up.weight[gate]
model.visual.merger.up_proj.weight                      vision.merger.gate_up.weight[up]
model.visual.merger.down_proj.weight                    vision.merger.down.weight
model.language_model.embed_tokens.weight                text.embedding.weight
model.language_model.norm.weight                        text.norm.weight
lm_head.weight                                          text.head.weight
"""

VISION_BLOCK_TABLE = """
model.visual.blocks.#.norm1.weight                      vision.blocks.#.attn_norm.weight
model.visual.blocks.#.attn.qkv.weight                   vision.blocks.#.qkv.weight
model.visual.blocks.#.attn.proj.weight                  vision.blocks.#.out.weight
model.visual.blocks.#.norm2.weight                      vision.blocks.#.mlp_norm.weight
model.visual.blocks.#.mlp.gate_proj.weight              vision.blocks.#.gate_up.weight[gate]
model.visual.blocks.#.mlp.up_proj.weight                vision.blocks.#.gate_up.weight[up]
model.visual.blocks.#.mlp.down_proj.weight              vision.blocks.#.down.weight
"""

TEXT_BLOCK_TABLE = """
model.language_model.layers.#.input_layernorm.weight            text.blocks.#.attn_norm.weight
model.language_model.layers.#.self_attn.q_proj.weight           text.blocks.#.qkv.weight[q]
model.language_model.layers.#.self_attn.k_proj.weight           text.blocks.#.qkv.weight[k]
model.language_model.layers.#.self_attn.v_proj.weight           text.blocks.#.qkv.weight[v]
model.language_model.layers.#.self_attn.q_proj.bias             text.blocks.#.qkv.bias[q]
model.language_model.layers.#.self_attn.k_proj.bias             text.blocks.#.qkv.bias[k]
model.language_model.layers.#.self_attn.v_proj.bias             text.blocks.#.qkv.bias[v]
model.language_model.layers.#.self_attn.o_proj.weight           text.blocks.#.out.weight
model.language_model.layers.#.post_self_attn_layernorm.weight   text.blocks.#.attn_post_norm.weight
model.language_model.layers.#.post_attention_layernorm.weight   text.blocks.#.mlp_norm.weight
model.language_model.layers.#.mlp.gate_up_proj.weight           text.blocks.#.gate_up.weight
model.language_model.layers.#.mlp.down_proj.weight              text.blocks.#.down.weight
model.language_model.layers.#.post_mlp_layernorm.weight         text.blocks.#.mlp_post_norm.weight
"""

Convert = Callable[[Tensor, Glm4vConfig], Tensor]


def _sum_frames(weight: Tensor, config: Glm4vConfig) -> Tensor:
    """A still picture shows every frame the same, so a 3-D convolution [O, C, t, h, w] sums over t: [O, C*h*w]."""
    return weight.float().sum(dim=2).flatten(1)


def _split_frames(weight: Tensor, config: Glm4vConfig) -> Tensor:
    vision = config.vision
    frames, side = vision.temporal_patch_size, vision.patch_size
    frame = weight.view(-1, vision.channels, 1, side, side)
    if not weight.is_meta:  # who asks for the shape alone is spared an import of torch's compiler (see text.MRope)
        frame = frame / frames
    return frame.expand(-1, -1, frames, -1, -1)


def _flatten_squares(weight: Tensor, config: Glm4vConfig) -> Tensor:
    """A convolution [O, C, m, m] over a square of patches is a matrix [O, m*m*C], patch after patch."""
    return weight.permute(0, 2, 3, 1).flatten(1)


def _unflatten_squares(weight: Tensor, config: Glm4vConfig) -> Tensor:
    merge = config.vision.merge
    return weight.view(weight.shape[0], merge, merge, -1).permute(0, 3, 1, 2)


def _same(weight: Tensor, config: Glm4vConfig) -> Tensor:
    return weight


FORMS: dict[str, tuple[Convert, Convert]] = {
    "": (_same, _same),
    "frames": (_sum_frames, _split_frames),
    "squares": (_flatten_squares, _unflatten_squares),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table, for one layer."""

    checkpoint: str
    parameter: str
    part: str
    form: str


def name_table(config: Glm4vConfig) -> list[Row]:
    """Return every weight of the checkpoint, in the order of the table. A tied head has no row."""
    rows = [_row(line) for line in TABLE.strip().splitlines()]
    for table, num_layers in ((VISION_BLOCK_TABLE, config.vision.depth), (TEXT_BLOCK_TABLE, config.text.num_layers)):
        for layer in range(num_layers):
            rows += [_row(line.replace("#", str(layer))) for line in table.strip().splitlines()]
    return [row for row in rows if not (config.is_head_tied and row.checkpoint == "lm_head.weight")]


def target(model: Glm4v, row: Row) -> Tensor:
    """Return the view of the model's parameter that the row fills."""
    return _piece(model.get_parameter(row.parameter).data, row, model.config)


def keep_int8(model: Glm4v, row: Row, weight: Tensor, scale: Tensor) -> None:
    """Keep a decoder matrix also as it was stored, for steps of few rows on a CPU."""
    name, _, kind = row.parameter.rpartition(".")
    linear = model.get_submodule(name)
    if row.parameter.startswith("text.") and kind == "weight" and isinstance(linear, Linear):
        for place, stored in zip(linear.allocate_int8(), (weight, scale), strict=True):
            _piece(place, row, model.config).copy_(stored)


def _piece(weight: Tensor, row: Row, config: Glm4vConfig) -> Tensor:
    if not row.part:
        return weight
    if row.part in ("gate", "up"):
        return weight.chunk(2)[("gate", "up").index(row.part)]
    text = config.text
    num_heads = (text.num_heads, text.num_kv_heads, text.num_kv_heads)
    q, k, v = torch.split(weight, [num * text.head_size for num in num_heads])
    return {"q": q, "k": k, "v": v}[row.part]


def from_checkpoint(model: Glm4v, row: Row, weight: Tensor) -> None:
    """Write a checkpoint's tensor into the model, on its device and in its dtype."""
    place = target(model, row)
    place.copy_(FORMS[row.form][0](weight.to(place.device), model.config))


def as_checkpoint(model: Glm4v, row: Row) -> Tensor:
    """Return the row's tensor in the checkpoint's shape (a view where it can be)."""
    return FORMS[row.form][1](target(model, row), model.config)


def to_checkpoint(model: Glm4v) -> dict[str, Tensor]:
    """Return every weight by its Hugging Face name, contiguous and on the CPU, in the model's dtype."""
    with torch.no_grad():
        return {row.checkpoint: as_checkpoint(model, row).cpu().contiguous() for row in name_table(model.config)}


def _row(line: str) -> Row:
    checkpoint, _, rest = line.partition(" ")
    place, _, form = rest.strip().partition(" | ")
    parameter, _, part = place.partition("[")
    return Row(checkpoint, parameter, part.removesuffix("]"), form)
