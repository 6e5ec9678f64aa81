"""On a GPU: bfloat16, compiled blocks, batches of several sizes; and what was learned runs on a CPU as well."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest
import torch

from flashsight.demo.batches import BatchSize, Collator
from flashsight.demo.generate import Answerer
from flashsight.demo.optimise import Schedule
from flashsight.demo.ring import Parts, Ring
from flashsight.demo.train import TrainSettings, build, train
from tests.demo import small

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]

SAMPLES = [
    small.sample(30, "红色的苹果"),
    small.sample(200, "不在我的词汇里", size=(56, 56)),
    small.sample(120, "树", pictures=2),
]


def batches(worker: int) -> Iterator[Parts]:
    yield from Collator(small.packer(), BatchSize(num_patches=192, text_tokens=64), seed=worker).batches(cycle(SAMPLES))


def test_three_pictures_are_learned_by_heart_in_bfloat16(tmp_path: Path) -> None:
    lines = []
    with Ring(batches, num_workers=2, slot_bytes=1 << 20) as ring:
        objective = build(
            small.config(), small.CLASSES, len(small.SKILLS), 0, torch.device("cuda", 0), features_FC=small.FEATURES
        )
        schedule = Schedule(seconds=600, warmup_steps=5, peak=1e-3)
        settings = TrainSettings(folder=tmp_path, schedule=schedule, max_steps=500, log_steps=20, augments=False)
        optimiser = train(objective, ring, small.SKILLS, settings, lambda line: lines.append(json.loads(line)))
    assert lines[-1]["token_accuracy"] > 0.95, lines[-1]
    plain = build(small.config(), small.CLASSES, len(small.SKILLS), 0, torch.device("cpu"))
    plain.load_state_dict({name: value.cpu() for name, value in optimiser.masters.items()})
    answers = Answerer(plain.model.eval(), small.tokenizer(), small.packer(), max_tokens=24).answers(SAMPLES)
    assert answers == {(s, p): SAMPLES[s].pairs[p].answer for s in range(3) for p in range(2)}
