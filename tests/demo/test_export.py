"""What training leaves loads in the product and in transformers, and both give the same tokens."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoTokenizer, Glm4vForConditionalGeneration

from flashsight.core.config import ModelConfig
from flashsight.demo import recipe
from flashsight.demo.export import blend, checkpoint_tensors, export_hf, join_shards, write_compact
from flashsight.demo.generate import Answerer
from flashsight.demo.optimise import Optimiser
from flashsight.demo.sample import Pair, Sample
from flashsight.demo.train import ALONE, build
from flashsight.models.glm4v.model import Glm4v
from flashsight.models.loading import load_model
from flashsight.models.storage import verify_files
from tests.demo import small

Compact = tuple[Path, dict[str, torch.Tensor]]
ROOT = Path(__file__).parents[2]
HAS_WEIGHTS = (small.NANO / "model.safetensors").is_file()


def documents(folder: Path) -> Path:
    """The documents of nano beside the tiny config."""
    folder.mkdir()
    for path in small.NANO.glob("*.json"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "config.json").write_text(json.dumps(small.config().source))
    return folder


@pytest.fixture
def compact(tmp_path: Path) -> Compact:
    """A checkpoint of untrained weights in shards, and the numbers that it was made from."""
    objective = build(small.config(), small.CLASSES, 2, seed=4, device=torch.device("cpu"))
    tensors = checkpoint_tensors(Optimiser(objective, ALONE).masters, small.config())
    write_compact(tmp_path / "shards", tensors, documents(tmp_path / "documents"), max_shard_bytes=200_000)
    return tmp_path / "shards", tensors


def test_shards_become_one_file_with_the_same_weights(compact: Compact, tmp_path: Path) -> None:
    shards, tensors = compact
    assert len(list(shards.glob("*.safetensors"))) > 2
    documents(tmp_path / "package")
    join_shards(shards, tmp_path / "package", "# nano\n")
    assert [path.name for path in (tmp_path / "package").glob("*.safetensors")] == ["model.safetensors"]
    assert verify_files(tmp_path / "package") == []
    one, other = (
        load_model(ModelConfig(path=str(folder), device="cpu", dtype="float32")).model
        for folder in (shards, tmp_path / "package")
    )
    assert all(torch.equal(value, other.get_parameter(name)) for name, value in one.named_parameters())
    wanted = tensors["model.language_model.layers.0.mlp.down_proj.weight"]
    stored = one.text.blocks[0].down.weight
    assert (wanted - stored).abs().max() <= wanted.abs().max() / 127


def theirs(folder: Path, sample: Sample, max_tokens: int) -> list[str]:
    """Greedy answers of transformers to each of a sample's questions, built from its own parts."""
    model = Glm4vForConditionalGeneration.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    image = model.config.image_token_id
    mean = np.array([0.48145466, 0.4578275, 0.40821073])
    std = np.array([0.26862954, 0.26130258, 0.27577711])
    answers = []
    for pair in sample.pairs:
        parts = [{"type": "image"} for _ in sample.pictures] + [{"type": "text", "text": pair.question}]
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": parts}], add_generation_prompt=True, tokenize=False, enable_thinking=False
        )
        rows, grids = [], []
        for picture in sample.pictures:
            h, w = picture.shape[0] // 14, picture.shape[1] // 14
            normal = ((picture / 255 - mean) / std).reshape(h // 2, 2, 14, w // 2, 2, 14, 3)
            patches = normal.transpose(0, 3, 1, 4, 6, 2, 5).reshape(h * w, 3, 1, 196)
            rows.append(np.repeat(patches, 2, axis=2).reshape(h * w, -1))
            grids.append([1, h, w])
            text = text.replace("<|image|>", "<|video|>" * (h * w // 4), 1)
        ids = torch.tensor([[image if i == model.config.video_token_id else i for i in tokenizer.encode(text)]])
        produced = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            mm_token_type_ids=(ids == image).int(),
            pixel_values=torch.tensor(np.concatenate(rows), dtype=torch.float32),
            image_grid_thw=torch.tensor(grids),
            max_new_tokens=max_tokens,
            do_sample=False,
        )[0, ids.shape[1] :].tolist()
        stops = [place for place, token in enumerate(produced) if token in small.tokenizer().stop_ids]
        answers.append(small.tokenizer().decode(produced[: stops[0] if stops else None]))
    return answers


def ours(model: Glm4v, sample: Sample, max_tokens: int) -> list[str]:
    answerer = Answerer(model, small.tokenizer(), small.packer(), max_tokens=max_tokens)
    answerer._banned = answerer._banned[:0]  # transformers bans nothing
    answers = answerer.answers([sample])
    return [answers[0, place] for place in range(len(sample.pairs))]


def numbers_of(folder: Path) -> dict[str, torch.Tensor]:
    model = load_model(ModelConfig(path=str(folder), device="cpu", dtype="float32")).model
    return dict(model.named_parameters())


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_blended_weights_lie_between_two_checkpoints(compact: Compact, tmp_path: Path, share: float) -> None:
    one, tensors = compact
    generator = torch.Generator().manual_seed(1)
    moved = {name: value + torch.randn(value.shape, generator=generator) / 50 for name, value in tensors.items()}
    write_compact(tmp_path / "other", moved, tmp_path / "documents")
    blend(str(one), str(tmp_path / "other"), share, tmp_path / "between")
    before, after, between = (numbers_of(folder) for folder in (one, tmp_path / "other", tmp_path / "between"))
    for name, value in between.items():
        expected = (1 - share) * before[name] + share * after[name]
        row_tops = expected.abs().flatten(1).amax(1) if expected.dim() > 1 else expected.abs().amax()
        step = float(row_tops.max()) / 127  # of the int8 form
        torch.testing.assert_close(value, expected, atol=0.51 * step + 1e-6, rtol=0.0)
    assert not torch.equal(before["text.head.weight"], after["text.head.weight"])


def test_transformers_gives_the_same_tokens_for_an_untrained_checkpoint(compact: Compact, tmp_path: Path) -> None:
    export_hf(str(compact[0]), tmp_path / "hf")
    loaded = load_model(ModelConfig(path=str(tmp_path / "hf"), device="cpu", dtype="float32"))
    sample = small.sample(77, "树", pictures=2)
    assert ours(loaded.model, sample, 12) == theirs(tmp_path / "hf", sample, 12)


def example(*names: str) -> tuple[np.ndarray, ...]:
    """Example pictures in one size that needs no further scaling."""
    opened = [Image.open(ROOT / "examples" / "pictures" / name).convert("RGB") for name in names]
    return tuple(np.asarray(picture.resize((448, 336), Image.Resampling.BICUBIC)) for picture in opened)


ASKED: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("card_tshirt_zh.png",), ("请描述这张图片的内容", "Return JSON with category, color, material, key_features")),
    (("dialog_delete_en.png",), ("Which buttons are there?", "标题是什么？")),
    (("compare_cup_a.png", "compare_cup_b.png"), ("两张图有什么不同？",)),
)


@pytest.mark.skipif(not HAS_WEIGHTS, reason="the built-in weights are not in this tree")
def test_transformers_gives_the_same_answers_for_the_built_in_checkpoint(tmp_path: Path) -> None:
    export_hf("nano", tmp_path)
    loaded = load_model(ModelConfig(path=str(tmp_path), device="cpu", dtype="float32"))
    for names, questions in ASKED:
        sample = Sample("test", example(*names), (), tuple(Pair(question, "", "read") for question in questions))
        answers = ours(loaded.model, sample, 48)
        assert answers == theirs(tmp_path, sample, 48)
        assert all(answers)


def test_the_package_shows_pictures_at_the_sizes_of_the_recipe() -> None:
    packaged = json.loads((small.NANO / "preprocessor_config.json").read_text())
    assert packaged == recipe.preprocessor_config()
