"""Training: rows equal what a server sends, groups are blind to each other, and a tiny model learns two pictures."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from flashsight.core.types import Media, Message, PicturePart, TextPart
from flashsight.demo.attention import BlindGroups
from flashsight.demo.augment import Handling
from flashsight.demo.batches import BatchSize, Collator, square_order
from flashsight.demo.generate import Answerer
from flashsight.demo.objective import Objective
from flashsight.demo.optimise import Optimiser, Schedule
from flashsight.demo.ring import Parts, Ring
from flashsight.demo.sample import Pair
from flashsight.demo.train import TrainSettings, build, train
from flashsight.processing.positions import PictureSpan, mrope_positions
from flashsight.processing.template import ChatTemplate
from tests.demo import small

SIZE = BatchSize(num_patches=2 * 24, text_tokens=64)


def served_ids(messages: list[tuple[str, str]], num_pictures: int, tokens: int, *, thinking: bool = False) -> list[int]:
    """Ids of a conversation by the product's own template; its first message carries the pictures."""
    media = Media(content=b"", sha256="", format="png", width=1, height=1)
    turns = [
        Message(
            role=role,  # type: ignore[arg-type]
            parts=(*[PicturePart(media=media)] * (num_pictures if number == 0 else 0), TextPart(text=text)),
        )
        for number, (role, text) in enumerate(messages)
    ]
    tokenizer, ids = small.tokenizer(), []
    for piece in ChatTemplate(tokenizer).lay_out(turns, thinking=thinking):
        if isinstance(piece, int):
            ids.append(piece)
        elif isinstance(piece, str):
            ids += tokenizer.encode(piece)
        else:
            ids += [tokenizer.id_of("<|image|>")] * tokens
    return ids


def packed(
    pairs: list[Pair],
    monkeypatch: pytest.MonkeyPatch,
    *,
    chained: float = 0,
    thinking: float = 0,
    first: float = 0,
    system: float = 0,
) -> tuple[list[int], np.ndarray, np.ndarray, dict[int, int]]:
    """Ids, positions, groups and targets by place of one row of two pictures of 2 x 3 tokens."""
    shares = {"CHAINED": chained, "THINKING": thinking, "QUESTION_FIRST": first, "INSTRUCTED": system}
    for name, share in shares.items():
        monkeypatch.setattr(f"flashsight.demo.packing.{name}", share)
    row = small.packer().pack([(2, 3), (2, 3)], pairs, 120, random.Random(1))
    return (
        row.ids.tolist(),
        row.positions,
        row.groups,
        dict(zip(row.places.tolist(), row.targets.tolist(), strict=True)),
    )


PAIRS = [Pair("两张图有什么不同？", "颜色不同", "icon"), Pair("What changed?", "the price", "read")]


@pytest.mark.parametrize("pair", PAIRS)
def test_a_group_after_the_pictures_is_id_for_id_what_a_server_sends(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, positions, groups, targets = packed(PAIRS, monkeypatch)
    served = served_ids([("user", pair.question)], 2, 6)
    answer = [*small.tokenizer().encode(pair.answer), small.tokenizer().id_of("<|user|>")]
    spans = [PictureSpan(start=5, rows=2, columns=3), PictureSpan(start=13, rows=2, columns=3)]
    matching = []
    for group in (1, 2):
        places = np.flatnonzero((groups == 0) | (groups == group))
        if [ids[place] for place in places] == served + answer:
            matching.append(group)
            assert (positions[:, places] == mrope_positions(len(places), spans)[0]).all()
            learned = [targets[place] for place in places if place in targets]
            assert learned == answer
    assert len(matching) == 1
    assert small.packer().prompt([(2, 3), (2, 3)], pair.question) == served


def test_a_chained_group_is_a_second_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, positions, groups, _ = packed(PAIRS, monkeypatch, chained=1)
    one, two = random.Random(1).sample(PAIRS, 2)
    turns = [("user", one.question), ("assistant", one.answer), ("user", two.question)]
    served = served_ids(turns, 2, 6)
    places = np.flatnonzero(groups >= 0)
    assert ids[: len(served)] == served
    spans = [PictureSpan(start=5, rows=2, columns=3), PictureSpan(start=13, rows=2, columns=3)]
    assert (positions[:, places] == mrope_positions(len(places), spans)[0]).all()


def test_a_thinking_group_learns_to_write_the_empty_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, _, _, targets = packed(PAIRS[:1], monkeypatch, thinking=1)
    served = served_ids([("user", PAIRS[0].question)], 2, 6, thinking=True)
    assert ids[: len(served)] == served
    told = small.tokenizer().decode([targets[place] for place in sorted(targets)], keep_special=True)
    assert told == "<think></think>\n颜色不同<|user|>"


def test_what_is_copied_from_a_picture_is_spelled_letter_by_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = 'This is a dialog titled "Delete account".'
    start = answer.index("Delete")
    pair = Pair("What is it?", answer, "icon", spelled=((start, start + len("Delete account")),))
    _, _, _, targets = packed([pair], monkeypatch)
    pieces = [small.tokenizer().decode([targets[place]], keep_special=True) for place in sorted(targets)]
    assert "".join(pieces) == answer + "<|user|>"
    assert "|".join(pieces).count("D|e|l|e|t|e| |a|c|c|o|u|n|t") == 1
    assert any(len(piece) > 2 for piece in pieces[:5])


def test_a_row_holds_as_many_questions_as_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [Pair(f"第{number}行写了什么？", "红色的苹果" * (1 + number % 3), "icon") for number in range(30)]
    monkeypatch.setattr("flashsight.demo.packing.CHAINED", 0)
    monkeypatch.setattr("flashsight.demo.packing.QUESTION_FIRST", 0)
    row = small.packer().pack([(2, 3)], pairs, 160, random.Random(0))
    shortest = len(small.packer().prompt([(2, 3)], pairs[0].question)) - len(small.packer().shared([(2, 3)])) + 6
    assert 160 - (row.groups >= 0).sum() < shortest
    assert row.groups.max() >= 4


def test_a_system_message_may_open_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flashsight.demo.packing.SYSTEM", ("Be brief.",))
    ids, positions, groups, _ = packed(PAIRS[:1], monkeypatch, system=1)
    media = Media(content=b"", sha256="", format="png", width=1, height=1)
    messages = [
        Message(role="system", parts=(TextPart(text="Be brief."),)),
        Message(role="user", parts=(*[PicturePart(media=media)] * 2, TextPart(text=PAIRS[0].question))),
    ]
    tokenizer, served = small.tokenizer(), []
    for piece in ChatTemplate(tokenizer).lay_out(messages, thinking=False):
        if isinstance(piece, PicturePart):
            served += [tokenizer.id_of("<|image|>")] * 6
        else:
            served += [piece] if isinstance(piece, int) else tokenizer.encode(piece)
    assert ids[: len(served)] == served
    first = served.index(tokenizer.id_of("<|image|>"))
    spans = [PictureSpan(start=first, rows=2, columns=3), PictureSpan(start=first + 8, rows=2, columns=3)]
    places = np.flatnonzero(groups >= 0)
    assert (positions[:, places] == mrope_positions(len(places), spans)[0]).all()


def test_a_question_may_stand_before_its_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, positions, _, targets = packed(PAIRS[:1], monkeypatch, first=1)
    before = served_ids([("user", "")], 2, 6)
    line = small.tokenizer().encode("\n" + PAIRS[0].question)
    served = [*before[:3], *line, *before[4:]]
    assert ids[: len(served)] == served
    assert min(targets) == len(served) - 1
    assert positions[0, 3 + len(line) + 1] == 3 + len(line) + 1


def arrays_of(*samples: object) -> Parts:
    return Collator(small.packer(), SIZE, seed=3).collate(samples)  # type: ignore[arg-type]


def make_objective(*, keeps_encoder: bool = False) -> Objective:
    return build(
        small.config(),
        small.CLASSES,
        len(small.SKILLS),
        seed=0,
        device=torch.device("cpu"),
        keeps_encoder=keeps_encoder,
        features_FC=small.FEATURES,
    )


def patches_of(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    return Handling(torch.device("cpu"), 0).patches(batch["pixels"].float() / 255)


def test_an_answer_is_blind_to_another_pairs_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flashsight.demo.packing.CHAINED", 0)
    monkeypatch.setattr("flashsight.demo.packing.QUESTION_FIRST", 0)
    batch = small.batch_tensors(arrays_of(small.sample(40, "红色的苹果"), small.sample(90, "树")))
    objective = make_objective().eval()

    def hidden(ids: torch.Tensor) -> torch.Tensor:
        features = objective.model.vision.merge(objective.patch_features(patches_of(batch), 2, (6, 4)))
        return objective.read({**batch, "ids": ids}, features).view(2, -1, 64)

    changed = batch["ids"].clone()
    is_first = (batch["groups"] == 1) & (torch.arange(2)[:, None] == 0)
    changed[is_first] = 77
    before, after = hidden(batch["ids"]), hidden(changed)
    moved = (before - after).abs().amax(-1) > 1e-6
    assert moved[is_first].any()
    assert not moved[~is_first].any()


def test_the_encoders_order_is_squares_of_patches() -> None:
    assert square_order(4, 4)[:8].tolist() == [0, 1, 4, 5, 2, 3, 6, 7]


def test_patch_labels_name_the_patch_they_point_to() -> None:
    batch = small.batch_tensors(arrays_of(small.sample(41, "树"), small.sample(42, "树")))
    order = torch.from_numpy(square_order(6, 4))
    for picture, shade in enumerate((41, 42)):
        reading = order[batch["patches"][picture].long() - 24 * picture]
        char = batch["labels"][picture, :, 0]
        assert set(reading[char > 0].tolist()) == {0, 1}
        assert set(char[char > 0].tolist()) == {1 + shade % 4}
        assert (batch["labels"][picture, :24, 1] == shade % 3).all()
        assert (batch["labels"][picture, 24:] == -1).all()


def test_a_batch_holds_one_size_and_fills_its_patches() -> None:
    samples = [small.sample(number, "树", size=(56, 56) if number % 3 else (84, 56)) for number in range(12)]
    batches = list(Collator(small.packer(), SIZE, seed=0).batches(samples))
    small_ones, large_ones = (3, 56, 56, 3), (2, 84, 56, 3)
    assert [np.stack(batch["pixels"]).shape for batch in batches] == [large_ones, small_ones, small_ones, large_ones]


def test_imitated_jpeg_is_about_what_pillow_saves(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 20, (64, 64, 3)) + np.linspace(60, 200, 64)[:, None, None]
    pixels = noise.clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=50, subsampling=0)
    saved = np.asarray(Image.open(tmp_path / "a.jpg")).astype(float)
    picture = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    ours = Handling(torch.device("cpu"), 0).saved(picture, torch.ones(1, 1, 1, 1))[0].permute(1, 2, 0).numpy() * 255
    assert abs(np.abs(ours - pixels).mean() / np.abs(saved - pixels).mean() - 1) < 0.25


def test_handled_pictures_keep_their_range_and_place() -> None:
    pixels = torch.zeros(16, 56, 84, 3, dtype=torch.uint8)
    pixels[:, :, 42:] = 255
    touched = Handling(torch.device("cpu"), 1).touch(pixels)
    assert touched.shape == pixels.shape
    assert touched.min() >= 0
    assert touched.max() <= 1
    assert (touched[:, :, 44:].mean((1, 2, 3)) > touched[:, :, :40].mean((1, 2, 3)) + 0.4).all()


def test_the_rate_warms_up_stays_and_falls_by_time() -> None:
    schedule = Schedule(peak=1.0, warmup_steps=100, decay_share=0.4, last=0.01, seconds=100)
    assert schedule.rate(49, 10) == pytest.approx(0.5)
    assert schedule.rate(500, 59) == 1
    assert schedule.rate(900, 80) == pytest.approx(0.5)
    assert schedule.rate(990, 200) == 0.01


TWO = (small.sample(30, "红色的苹果"), small.sample(203, "不在我的词汇里"))


def two_pictures(worker: int) -> Iterator[Parts]:
    yield from Collator(small.packer(), SIZE, seed=worker).batches(cycle(TWO))


def run(folder: Path, steps: int, objective: Objective) -> tuple[Optimiser, list[dict[str, object]]]:
    settings = TrainSettings(
        folder=folder,
        schedule=Schedule(seconds=600, warmup_steps=5, peak=1e-3),
        max_steps=steps,
        log_steps=10,
        augments=False,
    )
    lines: list[dict[str, object]] = []
    with Ring(two_pictures, num_workers=1, slot_bytes=1 << 20) as ring:
        optimiser = train(objective, ring, small.SKILLS, settings, lambda line: lines.append(json.loads(line)))
    return optimiser, lines


def test_two_pictures_are_learned_by_heart_and_answered(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    objective = make_objective()
    _, lines = run(tmp_path, 180, objective)
    assert lines[-1]["token_accuracy"] > 0.95
    by_patch = lines[-1]["by_patch"]
    assert isinstance(by_patch, dict)
    assert by_patch.pop("feature") > 0.95
    assert by_patch == {"char": 1, "icon": 1, "colour": 0, "level": 0, "value": 0}
    answerer = Answerer(objective.model.eval(), small.tokenizer(), small.packer(), max_tokens=24)
    answers = answerer.answers(TWO)
    assert answers == {(s, p): TWO[s].pairs[p].answer for s in range(2) for p in range(2)}


def test_weights_to_start_from_are_taken_and_heads_that_know_nothing_leave_them_alone() -> None:
    taught = make_objective()
    with torch.no_grad():
        for parameter in taught.model.parameters():
            parameter.add_(0.25)
    start = taught.model.state_dict()
    again = build(small.config(), small.CLASSES, len(small.SKILLS), 7, torch.device("cpu"), start)
    assert all(torch.equal(value, start[name]) for name, value in again.model.named_parameters())
    hidden_PC = torch.randn(5, small.config().vision.hidden_size, requires_grad=True)
    torch.cat(list(again.heads(hidden_PC).values()), 1).logsumexp(1).sum().backward()
    assert hidden_PC.grad is not None
    assert not hidden_PC.grad.any()


def test_heads_that_learn_alone_teach_the_encoder_nothing() -> None:
    batch = small.batch_tensors(arrays_of(small.sample(40, "红色的苹果"), small.sample(90, "树")))
    objective = make_objective()
    vision = list(objective.model.vision.blocks.parameters())
    for alone in (True, False):
        objective.heads_alone = alone
        objective.zero_grad()
        loss = objective(batch, patches_of(batch)).loss
        loss.backward()
        taught = [parameter.grad.clone() for parameter in vision if parameter.grad is not None]
        known = objective.heads.heads["char"].weight.grad
        assert known is not None
        assert known.any()
        objective.zero_grad()
        (objective._answers(batch, objective.read(batch, features(objective, batch)))[0]).backward()
        by_answers = [parameter.grad for parameter in vision if parameter.grad is not None]
        same = all(torch.allclose(one, other) for one, other in zip(taught, by_answers, strict=True))
        assert same == alone


def features(objective: Objective, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    return objective.model.vision.merge(objective.patch_features(patches_of(batch), 2, (6, 4)))  # type: ignore[no-any-return]


def test_answers_are_learned_beside_an_encoder_that_stays_as_it_is(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    objective = make_objective(keeps_encoder=True)
    before = {name: value.detach().clone() for name, value in objective.named_parameters()}
    optimiser, lines = run(tmp_path, 180, objective)
    assert objective.model.dtype is torch.bfloat16
    assert lines[-1]["token_accuracy"] > 0.95
    assert lines[-1]["patch_loss"] == 0
    moved = {name for name, value in optimiser.masters.items() if not torch.equal(value, before[name])}
    is_seeing = ("heads.", "model.vision.")
    learning = ("model.vision.downsample.", "model.vision.merger.")
    assert {name for name in moved if name.startswith(is_seeing)} == {n for n in before if n.startswith(learning)}
    assert {name for name in before if name.startswith("model.text.")} <= moved
    again = make_objective(keeps_encoder=True)
    _, lines = run(tmp_path, 181, again)
    assert lines[-1]["step"] == 181


def test_a_cpus_products_in_bfloat16_attend_as_its_fused_kernel_does() -> None:
    torch.manual_seed(5)
    groups = torch.tensor([[0, 0, 0, 1, 1, 2, 2, -1], [0, 0, 1, 1, 1, 1, 2, 2]])
    q, k, v = (torch.randn(16, heads, 16) for heads in (4, 2, 2))
    attend = BlindGroups(groups)
    exact, near = attend(0, q, k, v), attend(0, q.bfloat16(), k.bfloat16(), v.bfloat16())
    assert near.dtype is torch.bfloat16
    assert float((near.float() - exact).norm() / exact.norm()) < 0.02


def test_training_goes_on_where_it_was_left(tmp_path: Path) -> None:
    first, _ = run(tmp_path, 3, make_objective())
    fresh = make_objective()
    _, lines = run(tmp_path, 3, fresh)
    assert lines == []
    assert all(torch.equal(value, first.masters[name]) for name, value in fresh.named_parameters())
    _, lines = run(tmp_path, 5, fresh)
    assert lines[-1]["step"] == 5
    assert lines[-1]["pictures"] == 10
