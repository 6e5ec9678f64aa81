import asyncio
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from flashsight.bench.comparison import compare, ratios
from flashsight.bench.load import Workload, run_load
from flashsight.bench.measure import Measured, percentile, summarise, table
from flashsight.bench.pictures import PictureSource, smooth_jpeg
from flashsight.core.errors import Overloaded


def measured(first: float, total: float, tokens: int = 11) -> Measured:
    return Measured(first_seconds=first, total_seconds=total, prompt_tokens=300, completion_tokens=tokens)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([0.25, 0.5, 0.75, 1.0]))
def test_a_percentile_is_numpys_nearest_rank(values: list[float], share: float) -> None:
    assert percentile(values, share) == np.percentile(values, share * 100, method="inverted_cdf")


def test_time_per_token_leaves_the_first_token_out() -> None:
    assert measured(0.5, 1.5).token_seconds == pytest.approx(0.1)
    assert measured(0.5, 0.5, tokens=1).token_seconds is None


def test_a_row_sums_its_answers_up() -> None:
    row = summarise("x", "w", [measured(0.1, 1.1), measured(0.3, 1.3)], wall_seconds=2.0, num_failed=1)
    assert (row.ttft_p50_ms, row.ttft_p95_ms) == (pytest.approx(100), pytest.approx(300))
    assert row.tokens_per_second == pytest.approx(11)
    assert row.answers_per_second == pytest.approx(1)
    assert "| x | w | 2 | 1 | 300 |" in table([row])


def test_pictures_differ_unless_the_same_is_asked_for() -> None:
    fresh = PictureSource(64, seed=1)
    assert fresh.next() != fresh.next()
    same = PictureSource(64, seed=1, same=True)
    assert same.next() == same.next() == smooth_jpeg(64, 1)
    with Image.open(io.BytesIO(smooth_jpeg(64, 1))) as picture:
        assert picture.size == (64, 64)


class Scripted:
    """A target that counts who is inside and refuses every third question."""

    name = "scripted"

    def __init__(self, refuse: bool = False) -> None:
        self.inside = self.most_inside = self.num_asked = 0
        self.refuse = refuse

    async def answer(self, picture: bytes, prompt: str, num_tokens: int) -> Measured:
        self.num_asked += 1
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        await asyncio.sleep(0)
        self.inside -= 1
        if self.refuse and self.num_asked % 3 == 0:
            raise Overloaded("full", retry_after_seconds=1)
        return measured(0.1, 0.2, num_tokens)


async def test_a_load_keeps_as_many_clients_busy_as_asked() -> None:
    target = Scripted()
    row = await run_load(target, Workload(size=32, num_clients=3, num_requests=9, num_tokens=5), seed=7)
    assert (row.num_answers, row.num_failed, target.most_inside) == (9, 0, 3)
    assert target.num_asked == 10


async def test_a_refused_answer_is_counted_and_the_load_goes_on() -> None:
    steps: list[tuple[int, int]] = []
    workload = Workload(size=32, num_requests=6)
    row = await run_load(Scripted(refuse=True), workload, seed=7, progress=lambda *step: steps.append(step))
    assert (row.num_answers, row.num_failed) == (4, 2)
    assert steps[-1] == (6, 6)


async def test_both_systems_of_a_comparison_see_the_same_pictures_in_turn() -> None:
    seen: dict[str, list[bytes]] = {"a": [], "b": []}

    class Recording(Scripted):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        async def answer(self, picture: bytes, prompt: str, num_tokens: int) -> Measured:
            seen[self.name].append(picture)
            return measured(0.1 if self.name == "a" else 0.3, 1.1 if self.name == "a" else 2.3)

    result = await compare(Recording("a"), Recording("b"), Workload(size=32, num_requests=2), rounds=3, seed=5)
    assert seen["a"] == seen["b"]
    assert len(set(seen["a"])) == 7
    assert result.first_token == pytest.approx(3.0)
    assert result.decode == pytest.approx(2.0)
    assert "3.00x" in ratios([result])
