"""Reading config.json: old and new keys mean the same, and what doesn't fit is said in one error."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from flashsight.core.errors import CheckpointError
from flashsight.models.glm4v.config import parse_config, read_config


@pytest.fixture
def source(tiny_checkpoint: Path) -> dict[str, Any]:
    return json.loads((tiny_checkpoint / "config.json").read_text())


def with_flat_rope(source: dict[str, Any]) -> dict[str, Any]:
    old = copy.deepcopy(source)
    rope = old["text_config"].pop("rope_parameters")
    old["text_config"]["rope_theta"] = rope["rope_theta"]
    old["text_config"]["partial_rotary_factor"] = rope["partial_rotary_factor"]
    old["text_config"]["rope_scaling"] = {"type": "default", "mrope_section": rope["mrope_section"]}
    return old


def test_flat_rope_keys_and_rope_parameters_mean_the_same(source: dict[str, Any]) -> None:
    new, old = parse_config(source), parse_config(with_flat_rope(source))
    assert (old.text, old.vision) == (new.text, new.vision)
    assert new.text.rope_theta == 500.0
    assert new.text.mrope_section == (1, 1, 2)


def test_a_config_with_the_text_at_its_top_level_means_the_same(source: dict[str, Any]) -> None:
    flat = with_flat_rope(source)
    flat = {**flat.pop("text_config"), **flat}
    assert parse_config(flat).text == parse_config(source).text
    assert parse_config(flat).eos_token_ids == parse_config(source).eos_token_ids


def test_old_and_new_dtype_keys_mean_the_same(source: dict[str, Any]) -> None:
    source.pop("dtype", None)
    assert parse_config({**source, "dtype": "bfloat16"}).dtype == "bfloat16"
    assert parse_config({**source, "torch_dtype": "bfloat16"}).dtype == "bfloat16"


def test_stop_ids_come_from_the_generation_config_first(tiny_checkpoint: Path, source: dict[str, Any]) -> None:
    assert parse_config(source, {"eos_token_id": [5, 6]}).eos_token_ids == (5, 6)
    assert parse_config(source, {"eos_token_id": 7}).eos_token_ids == (7,)
    assert len(read_config(tiny_checkpoint).eos_token_ids) == 3


def test_glm_41v_defaults_to_its_own_picture_id(source: dict[str, Any]) -> None:
    del source["image_token_id"]
    assert parse_config(source).image_token_id == 151343


def test_the_real_dimensions_are_built_in() -> None:
    import flashsight

    config = read_config(Path(flashsight.__file__).parent / "assets" / "glm-4.6v-flash")
    assert (config.text.hidden_size, config.text.num_layers, config.text.num_kv_heads) == (4096, 40, 2)
    assert (config.vision.hidden_size, config.vision.depth, config.vision.position_side) == (1536, 24, 24)
    assert config.eos_token_ids == (151329, 151336, 151338)


@pytest.mark.parametrize(
    ("section", "change", "said"),
    [
        (None, {"model_type": "qwen2_vl"}, "qwen2_vl"),
        ("text_config", {"hidden_size": "many"}, "hidden_size"),
        ("text_config", {"num_key_value_heads": 3}, "num_key_value_heads 3"),
        ("text_config", {"hidden_act": "relu"}, "silu"),
        ("text_config", {"head_dim": 7}, "head_dim 7"),
        ("vision_config", {"out_hidden_size": 12}, "out_hidden_size 12"),
        ("vision_config", {"attention_bias": True}, "attention_bias"),
        (None, {"quantization_config": {"quant_method": "fp8"}}, "fp8"),
    ],
)
def test_what_does_not_fit_is_named(
    source: dict[str, Any], section: str | None, change: dict[str, Any], said: str
) -> None:
    (source if section is None else source[section]).update(change)
    with pytest.raises(CheckpointError, match=said):
        parse_config(source)


def test_a_forgotten_partial_rotary_factor_is_refused(source: dict[str, Any]) -> None:
    del source["text_config"]["rope_parameters"]["partial_rotary_factor"]
    with pytest.raises(CheckpointError, match="mrope_section"):
        parse_config(source)


def test_several_faults_are_one_error(source: dict[str, Any]) -> None:
    source["text_config"]["vocab_size"] = None
    source["vision_config"]["depth"] = -1
    with pytest.raises(CheckpointError, match=r"vocab_size.*depth"):
        parse_config(source)


@pytest.mark.parametrize("content", [None, "{", "[]", b"\xff\xfe"])
def test_a_missing_or_unreadable_config_is_one_clear_error(tmp_path: Path, content: str | bytes | None) -> None:
    if content is not None:
        (tmp_path / "config.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CheckpointError, match=r"config\.json"):
        read_config(tmp_path)
