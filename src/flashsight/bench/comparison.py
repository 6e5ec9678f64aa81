"""Two systems side by side in one run, turn by turn, so that a machine whose speed drifts is fair to both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flashsight.bench.load import Collected, Workload, put_load
from flashsight.bench.measure import Row
from flashsight.bench.pictures import PictureSource
from flashsight.bench.targets import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The rows of both systems for one workload, and how many times better the first is."""

    ours: Row
    peer: Row

    @property
    def first_token(self) -> float:
        """The peer's median time to first token over ours."""
        return self.peer.ttft_p50_ms / self.ours.ttft_p50_ms

    @property
    def decode(self) -> float:
        """The peer's time per output token over ours."""
        return self.peer.tpot_ms / self.ours.tpot_ms if self.ours.tpot_ms else 0.0

    @property
    def throughput(self) -> float:
        """Our tokens per second over the peer's."""
        return self.ours.tokens_per_second / self.peer.tokens_per_second


async def compare(
    ours: Target,
    peer: Target,
    workload: Workload,
    *,
    rounds: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Compared:
    """Put the same pictures on both, in turn, `rounds` times; each is warmed up with one answer first."""
    kept = {ours: Collected(), peer: Collected()}
    for target in (ours, peer):
        await target.answer(PictureSource(workload.size, seed=seed - 1).next(), workload.prompt, 2)
    for number in range(rounds):
        for target in (ours, peer):
            source = PictureSource(workload.size, seed=seed + number * 10_007, same=workload.same_picture)
            await put_load(target, workload, source, kept[target])
        if progress is not None:
            progress(number + 1, rounds)
    return Compared(ours=kept[ours].row(ours, workload), peer=kept[peer].row(peer, workload))


def ratios(results: Sequence[Compared]) -> str:
    """Return one line per workload: how many times better the first system is."""
    return "\n".join(
        f"{result.ours.workload}: first token {result.first_token:.2f}x faster, time per token {result.decode:.2f}x "
        f"shorter, tokens per second {result.throughput:.2f}x (against {result.peer.system})"
        for result in results
    )
