"""The dimensions of a glm4v checkpoint, read from its config.json. Knows no tensor and no weights' name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flashsight.core.errors import CheckpointError

MODEL_TYPES = ("glm4v", "glm46v")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextConfig:
    """The decoder. rotary_size of head_size dimensions turn; mrope_section splits half of them by axis."""

    hidden_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    intermediate_size: int
    vocab_size: int
    max_positions: int
    rope_theta: float
    rotary_size: int
    mrope_section: tuple[int, ...]
    norm_eps: float

    @property
    def head_size(self) -> int:
        """D of the decoder."""
        return self.hidden_size // self.num_heads


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionConfig:
    """The encoder. Its blocks' SwiGLU is out_hidden_size wide, its merger's intermediate_size: glm4v ties them so."""

    hidden_size: int
    depth: int
    num_heads: int
    out_hidden_size: int
    intermediate_size: int
    image_size: int
    patch_size: int
    temporal_patch_size: int
    channels: int
    merge: int
    rope_theta: float
    norm_eps: float

    @property
    def head_size(self) -> int:
        """D of the encoder."""
        return self.hidden_size // self.num_heads

    @property
    def position_side(self) -> int:
        """Rows and columns of the learned position table."""
        return self.image_size // self.patch_size

    @property
    def patch_elements(self) -> int:
        """K, numbers of one patch of a still picture."""
        return self.channels * self.patch_size**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Glm4vConfig:
    """A glm4v checkpoint. dtype is the one it declares; `source` is its config.json, kept for export."""

    text: TextConfig
    vision: VisionConfig
    image_token_id: int
    image_start_token_id: int
    image_end_token_id: int
    video_token_id: int
    video_start_token_id: int
    video_end_token_id: int
    eos_token_ids: tuple[int, ...]
    pad_token_id: int
    is_head_tied: bool
    dtype: str
    quantization: str | None
    source: Mapping[str, Any]


class _Fields:
    """Reads a config's fields and collects everything that is wrong, so that one error can list it all."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def integer(self, section: Mapping[str, Any], name: str, default: int | None = None) -> int:
        value = section.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self.problems.append(f"{name} must be a whole number, got {value!r}")
            return 1
        return value

    def number(self, section: Mapping[str, Any], name: str, default: float) -> float:
        value = section.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            self.problems.append(f"{name} must be a positive number, got {value!r}")
            return default
        return float(value)

    def need(self, ok: bool, problem: str) -> None:
        if not ok:
            self.problems.append(problem)


def read_config(folder: Path) -> Glm4vConfig:
    """Read config.json of a checkpoint's folder, with the stop ids of generation_config.json where it has any.

    Raises CheckpointError with every fault of the file.
    """
    source = _read_json(folder / "config.json")
    path = folder / "generation_config.json"
    generation = _read_json(path) if path.is_file() else {}
    return parse_config(source, generation, where=str(folder / "config.json"))


def parse_config(
    source: Mapping[str, Any], generation: Mapping[str, Any] | None = None, *, where: str = "config.json"
) -> Glm4vConfig:
    """Turn a Hugging Face config into ours. Flat rope keys and `rope_parameters` mean the same."""
    if source.get("model_type") not in MODEL_TYPES:
        raise CheckpointError(
            f"{where}: model_type is {source.get('model_type')!r}, this engine runs {' and '.join(MODEL_TYPES)}; "
            "choose a GLM-4.6V-Flash or GLM-4.1V checkpoint",
            code="unsupported_model",
        )
    fields = _Fields()
    text_section = _section(source, "text_config")
    vision_section = _section(source, "vision_config")
    text = _parse_text(text_section, fields)
    vision = _parse_vision(vision_section, fields)
    fields.need(
        vision.out_hidden_size == text.hidden_size,
        f"vision out_hidden_size {vision.out_hidden_size} differs from the text's hidden_size {text.hidden_size}",
    )
    eos = _first((generation or {}, source, text_section), "eos_token_id")
    eos_ids = tuple(eos) if isinstance(eos, list | tuple) else (eos,) if isinstance(eos, int) else ()
    pad = _first((source, text_section, generation or {}), "pad_token_id")
    config = Glm4vConfig(
        text=text,
        vision=vision,
        image_token_id=fields.integer(source, "image_token_id", 151343),
        image_start_token_id=fields.integer(source, "image_start_token_id", 151339),
        image_end_token_id=fields.integer(source, "image_end_token_id", 151340),
        video_token_id=fields.integer(source, "video_token_id", 151344),
        video_start_token_id=fields.integer(source, "video_start_token_id", 151341),
        video_end_token_id=fields.integer(source, "video_end_token_id", 151342),
        eos_token_ids=eos_ids,
        pad_token_id=pad if isinstance(pad, int) else (eos_ids[0] if eos_ids else 0),
        is_head_tied=bool(source.get("tie_word_embeddings") or text_section.get("tie_word_embeddings")),
        dtype=str(_first((source, text_section), "dtype", "torch_dtype") or "float32").removeprefix("torch."),
        quantization=_quantization(source, fields),
        source=source,
    )
    if fields.problems:
        raise CheckpointError(f"{where}: " + "; ".join(fields.problems))
    return config


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing; a checkpoint's folder needs it") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError):
        raise CheckpointError(f"{path} is not readable JSON; download it again") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} must hold a JSON object")
    return content


def _section(source: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = source.get(name, source)
    return section if isinstance(section, Mapping) else {}


def _first(sections: tuple[Mapping[str, Any], ...], *names: str) -> Any:
    for section in sections:
        for name in names:
            if section.get(name) is not None:
                return section[name]
    return None


def _rope(section: Mapping[str, Any]) -> dict[str, Any]:
    rope: dict[str, Any] = {name: section[name] for name in ("rope_theta", "partial_rotary_factor") if name in section}
    for name in ("rope_scaling", "rope_parameters"):
        rope.update(section.get(name) or {})
    return rope


def _parse_text(section: Mapping[str, Any], fields: _Fields) -> TextConfig:
    rope = _rope(section)
    heads = fields.integer(section, "num_attention_heads")
    hidden = fields.integer(section, "hidden_size")
    kv_heads = fields.integer(section, "num_key_value_heads", heads)
    fields.need(hidden % heads == 0, f"hidden_size {hidden} is no multiple of num_attention_heads {heads}")
    fields.need(heads % kv_heads == 0, f"num_attention_heads {heads} is no multiple of num_key_value_heads {kv_heads}")
    head_size = hidden // heads
    fields.need(
        section.get("head_dim") in (None, head_size),
        f"head_dim {section.get('head_dim')} differs from hidden_size / num_attention_heads {head_size}",
    )
    rotary = int(head_size * fields.number(rope, "partial_rotary_factor", 1.0))
    mrope = tuple(rope.get("mrope_section") or (8, 12, 12))
    fields.need(
        2 * sum(mrope) == rotary,
        f"mrope_section {list(mrope)} must sum to {rotary // 2}, half of the {rotary} dimensions that turn",
    )
    rope_type = rope.get("rope_type", rope.get("type", "default"))
    fields.need(rope_type in ("default", "mrope"), f"rope_type {rope_type!r} of the text is not supported")
    fields.need(
        section.get("hidden_act", "silu") == "silu", f"text hidden_act must be silu, got {section.get('hidden_act')!r}"
    )
    return TextConfig(
        hidden_size=hidden,
        num_layers=fields.integer(section, "num_hidden_layers"),
        num_heads=heads,
        num_kv_heads=kv_heads,
        intermediate_size=fields.integer(section, "intermediate_size"),
        vocab_size=fields.integer(section, "vocab_size"),
        max_positions=fields.integer(section, "max_position_embeddings", 32768),
        rope_theta=fields.number(rope, "rope_theta", 10000.0),
        rotary_size=rotary,
        mrope_section=mrope,
        norm_eps=fields.number(section, "rms_norm_eps", 1e-5),
    )


def _parse_vision(section: Mapping[str, Any], fields: _Fields) -> VisionConfig:
    heads = fields.integer(section, "num_heads", section.get("num_attention_heads"))
    hidden = fields.integer(section, "hidden_size")
    fields.need(hidden % (4 * heads) == 0, f"vision hidden_size {hidden} is no multiple of 4 x num_heads {heads}")
    fields.need(not section.get("attention_bias"), "vision attention_bias is not supported")
    fields.need(section.get("hidden_act", "silu") == "silu", "vision hidden_act must be silu")
    return VisionConfig(
        hidden_size=hidden,
        depth=fields.integer(section, "depth"),
        num_heads=heads,
        out_hidden_size=fields.integer(section, "out_hidden_size"),
        intermediate_size=fields.integer(section, "intermediate_size"),
        image_size=fields.integer(section, "image_size", 336),
        patch_size=fields.integer(section, "patch_size", 14),
        temporal_patch_size=fields.integer(section, "temporal_patch_size", 2),
        channels=fields.integer(section, "in_channels", 3),
        merge=fields.integer(section, "spatial_merge_size", 2),
        rope_theta=fields.number(_rope(section), "rope_theta", 10000.0),
        norm_eps=fields.number(section, "rms_norm_eps", 1e-5),
    )


def _quantization(source: Mapping[str, Any], fields: _Fields) -> str | None:
    section = source.get("quantization_config")
    if section is None:
        return None
    method = section.get("quant_method") if isinstance(section, Mapping) else None
    fields.need(
        method == "flashsight-int8",
        f"quantization_config.quant_method {method!r} is not supported; use the unquantised checkpoint",
    )
    return method
