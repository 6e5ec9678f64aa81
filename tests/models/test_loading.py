"""Loading: sharded or not, tied or not, in each precision; damaged checkpoints are one clear error."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from flashsight.core.config import ModelConfig
from flashsight.core.errors import CheckpointError, ConfigError
from flashsight.models import loading
from flashsight.models.glm4v.weights import name_table, to_checkpoint
from flashsight.models.layers import RMSNorm
from flashsight.models.loading import load_model, pick_device, pick_dtype
from tests.support.tiny import load_reference, write_tiny_checkpoint


def config_of(folder: Path, **changes: Any) -> ModelConfig:
    return ModelConfig(**{"path": str(folder), "device": "cpu", "dtype": "float32", **changes})


@pytest.fixture
def copied(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "copy"))


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def test_exported_names_and_numbers_equal_what_transformers_saved(tiny_checkpoint: Path) -> None:
    saved = load_file(tiny_checkpoint / "model.safetensors")
    exported = to_checkpoint(load_model(config_of(tiny_checkpoint)).model)
    assert set(exported) == set(saved)
    frames = "model.visual.patch_embed.proj.weight"
    for name, weight in saved.items():
        if name != frames:
            assert torch.equal(exported[name], weight), name
    torch.testing.assert_close(exported[frames].sum(2), saved[frames].sum(2))


def test_the_real_model_has_704_weights_of_published_shapes() -> None:
    folder = loading.checkpoint_folder(ModelConfig(path="glm-4.6v-flash", load_format="dummy"))
    config = loading.read_config(folder)
    with torch.device("meta"):
        model = loading.Glm4v(config)
    shapes = {row.checkpoint: tuple(loading.as_checkpoint(model, row).shape) for row in name_table(config)}
    assert len(shapes) == 704
    assert sum(name.startswith("model.visual.") for name in shapes) == 181
    assert sum(torch.Size(shape).numel() for shape in shapes.values()) == 10_292_777_472
    assert shapes["model.visual.patch_embed.proj.weight"] == (1536, 3, 2, 14, 14)
    assert shapes["model.visual.downsample.weight"] == (4096, 1536, 2, 2)
    assert shapes["model.language_model.layers.39.mlp.gate_up_proj.weight"] == (27392, 4096)
    assert shapes["model.language_model.layers.0.self_attn.k_proj.bias"] == (256,)


def test_shards_with_an_index_load_like_one_file(tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "sharded", max_shard_size="100KB")
    assert len(list(folder.glob("*.safetensors"))) > 2
    one, many = (to_checkpoint(load_model(config_of(path)).model) for path in (tiny_checkpoint, folder))
    assert all(torch.equal(one[name], many[name]) for name in one)
    (folder / "model.safetensors.index.json").unlink()
    assert load_model(config_of(folder)).weight_bytes == load_model(config_of(tiny_checkpoint)).weight_bytes


def test_a_tied_head_is_the_embedding(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "tied", is_tied=True)
    model = load_model(config_of(folder)).model
    assert model.text.head.weight is model.text.embedding.weight
    ids = torch.tensor([3, 5, 7])
    hidden = load_reference(folder).lm_head(model.embed(ids))
    torch.testing.assert_close(model.logits(model.embed(ids)), hidden)
    assert "lm_head.weight" not in to_checkpoint(model)


def test_progress_rises_to_the_whole(tiny_checkpoint: Path) -> None:
    calls: list[tuple[int, int]] = []
    load_model(config_of(tiny_checkpoint), progress=lambda done, total: calls.append((done, total)))
    done, totals = [call[0] for call in calls], {call[1] for call in calls}
    assert done == sorted(done)
    assert totals == {done[-1]}
    assert len(calls) > 50


def test_equal_weights_have_equal_ids_and_others_differ(tiny_checkpoint: Path, tmp_path: Path) -> None:
    first = load_model(config_of(tiny_checkpoint))
    assert load_model(config_of(tiny_checkpoint)).weights_id == first.weights_id
    other = write_tiny_checkpoint(tmp_path / "other", seed=1)
    assert load_model(config_of(other)).weights_id != first.weights_id


def test_every_wrong_name_and_shape_is_in_one_error(copied: Path) -> None:
    def change(weights: dict[str, torch.Tensor]) -> None:
        del weights["lm_head.weight"]
        weights["model.surplus"] = torch.zeros(2)
        weights["model.language_model.norm.weight"] = torch.zeros(7)

    change_weights(copied, change)
    with pytest.raises(CheckpointError) as caught:
        load_model(config_of(copied))
    assert "3 weights" in caught.value.message
    assert "lm_head.weight is missing" in caught.value.message
    assert "model.surplus is unknown" in caught.value.message
    assert "model.language_model.norm.weight has the shape [7], not [64]" in caught.value.message


def test_a_long_list_of_faults_is_cut_with_its_count(copied: Path) -> None:
    change_weights(copied, lambda weights: [weights.pop(name) for name in list(weights)[:30]])
    with pytest.raises(CheckpointError, match=r"30 weights.*and 20 more"):
        load_model(config_of(copied))


def test_weights_of_another_number_type_are_refused_by_name(copied: Path) -> None:
    name = "model.visual.blocks.0.attn.qkv.weight"
    change_weights(copied, lambda weights: weights.update({name: weights[name].to(torch.int8)}))
    with pytest.raises(CheckpointError, match=f"{name} is stored as I8"):
        load_model(config_of(copied))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def cut_inside_the_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def grown(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"surplus")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def a_zip_file(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04" + bytes(5000))


def a_pointer(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n")


def offsets_outside_the_file(path: Path) -> None:
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    first = next(name for name in header if name != "__metadata__")
    header[first]["data_offsets"] = [0, 10**12]
    encoded = json.dumps(header).encode()
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + content[8 + length :])


@pytest.mark.parametrize(
    "damage",
    [cut_short, cut_inside_the_header, grown, empty, a_zip_file, a_pointer, offsets_outside_the_file, Path.unlink],
    ids=lambda damage: damage.__name__,
)
def test_a_damaged_file_is_one_clear_error(copied: Path, damage: Callable[[Path], None]) -> None:
    damage(copied / "model.safetensors")
    with pytest.raises(CheckpointError) as caught:
        load_model(config_of(copied))
    assert str(copied) in caught.value.message


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=4))
def test_bytes_changed_at_the_start_of_a_file_never_surprise(
    copied: Path, tiny_checkpoint: Path, changes: list[tuple[int, int]]
) -> None:
    content = bytearray((tiny_checkpoint / "model.safetensors").read_bytes())
    for place, value in changes:
        content[place] = value
    (copied / "model.safetensors").write_bytes(content)
    with contextlib.suppress(CheckpointError):
        load_model(config_of(copied))


def test_the_byte_tokenizer_of_the_real_dimensions_has_the_ids_of_its_config() -> None:
    folder = loading.checkpoint_folder(ModelConfig(path="glm-4.6v-flash", load_format="dummy"))
    tokenizer, config = Tokenizer.from_file(str(folder / "tokenizer.json")), loading.read_config(folder)
    assert tokenizer.token_to_id("<|image|>") == config.image_token_id
    assert tokenizer.token_to_id("<|begin_of_image|>") == config.image_start_token_id
    assert tokenizer.token_to_id("<|end_of_image|>") == config.image_end_token_id
    stops = ("<|endoftext|>", "<|user|>", "<|observation|>")
    assert tuple(tokenizer.token_to_id(text) for text in stops) == config.eos_token_ids
    text = "任何文字, any text 😀"
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_a_shard_that_the_index_names_must_be_there(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "sharded", max_shard_size="100KB")
    gone = sorted(folder.glob("*.safetensors"))[1]
    gone.unlink()
    with pytest.raises(CheckpointError, match=gone.name):
        load_model(config_of(folder))


def test_pickled_weights_are_never_loaded(copied: Path) -> None:
    (copied / "model.safetensors").rename(copied / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="pickled"):
        load_model(config_of(copied))


def test_a_wrong_path_names_the_built_in_ones() -> None:
    with pytest.raises(CheckpointError, match="nano"):
        load_model(ModelConfig(path="/nowhere/at/all"))
    with pytest.raises(CheckpointError, match="dummy"):
        load_model(ModelConfig(path="glm-4.6v-flash"))


def test_random_weights_make_answers_depend_on_text_and_picture(tiny_checkpoint: Path) -> None:
    from flashsight.core.types import Grid

    model = load_model(config_of(tiny_checkpoint, load_format="dummy")).model
    grid = Grid(t=1, h=4, w=4)
    features = [model.encode(torch.randn(16, 588), [grid]) for _ in range(2)]
    assert (features[0] - features[1]).abs().mean() > 0.05
    answers = {int(model.logits(model.embed(torch.tensor([i]))).argmax()) for i in range(20)}
    assert len(answers) > 10


def test_the_built_in_nano_builds_with_random_weights() -> None:
    loaded = load_model(ModelConfig(path="nano", load_format="dummy", device="cpu"))
    assert 10e6 < sum(parameter.numel() for parameter in loaded.model.parameters()) < 60e6
    assert (loaded.files / "config.json").is_file()


def test_auto_precision_follows_checkpoint_and_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda", 0)
    monkeypatch.setattr(loading, "_cpu_multiplies_bfloat16", lambda: True)
    assert pick_dtype("auto", "bfloat16", cpu) is torch.bfloat16
    assert pick_dtype("auto", "float32", cpu) is torch.float32
    monkeypatch.setattr(loading, "_cpu_multiplies_bfloat16", lambda: False)
    assert pick_dtype("auto", "bfloat16", cpu) is torch.float32
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    assert pick_dtype("auto", "float32", cuda) is torch.bfloat16
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert pick_dtype("auto", "bfloat16", cuda) is torch.float16
    with pytest.raises(ConfigError, match="float16"):
        pick_dtype("bfloat16", "bfloat16", cuda)
    assert pick_dtype("float32", "bfloat16", cuda) is torch.float32


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_asking_for_a_gpu_that_is_not_there_is_a_setting_error() -> None:
    with pytest.raises(ConfigError, match="CUDA"):
        pick_device("cuda")
    assert pick_device("auto").type == "cpu"


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_precision_reaches_matrices_and_spares_what_must_stay_exact(tiny_checkpoint: Path, dtype: str) -> None:
    model = load_model(config_of(tiny_checkpoint, dtype=dtype)).model
    assert model.dtype is getattr(torch, dtype)
    assert model.text.rope.frequencies.dtype is torch.float32
    norms = {module.weight.dtype for module in model.modules() if isinstance(module, RMSNorm)}
    assert norms == {torch.float32 if dtype == "float16" else torch.bfloat16}


def test_casting_a_model_keeps_its_rope_frequencies_exact(tiny_checkpoint: Path) -> None:
    model = load_model(config_of(tiny_checkpoint)).model
    before = model.text.rope.frequencies.clone()
    model.to(torch.bfloat16)
    assert torch.equal(model.text.rope.frequencies, before)
