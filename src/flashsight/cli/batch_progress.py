"""How a run looks at the terminal: one line that moves, or, where nobody watches, a line now and then."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flashsight.cli.terminal import to_stderr
from flashsight.workbench.device import CpuMeter, read_device_use, resident_bytes
from flashsight.workbench.progress import Progress
from flashsight.workbench.records import Run

DEVICE_SECONDS = 1.0
QUIET_SECONDS = 10.0
"""How often the device is asked, and how often a log gets a line."""

MOST_REASONS = 8
"""How many kinds of failure the end names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended, in words. reasons: a line for each kind of failure, the most frequent first."""

    num_answered: int
    words: str
    reasons: tuple[str, ...] = ()


@contextmanager
def shown(device: str | None) -> Iterator[Callable[[Progress], None]]:
    """Show what is reported while the block runs. device: where this process computes; None if another server does."""
    console, meter = to_stderr(), CpuMeter()
    used, asked_at, printed_at = "", time.monotonic(), time.monotonic()

    def words(progress: Progress) -> str:
        nonlocal used, asked_at
        if device is not None and time.monotonic() - asked_at >= DEVICE_SECONDS:
            used, asked_at = _gpu() if device == "cuda" else _cpu(meter), time.monotonic()
        return line(progress) + used

    if console.is_terminal:
        with console.status("…") as spinner:
            yield lambda progress: spinner.update(words(progress))
        return

    def report(progress: Progress) -> None:
        nonlocal printed_at
        is_last = progress.num_done == progress.num_cases
        if is_last or time.monotonic() - printed_at >= QUIET_SECONDS:
            printed_at = time.monotonic()
            console.print(words(progress))

    yield report


def line(progress: Progress) -> str:
    """Progress in one line."""
    pieces = [f"{progress.num_done} of {progress.num_cases} done", f"{progress.num_failed} failed"]
    if progress.num_asked:
        pieces.append(f"{progress.pictures_per_second:.1f} pictures/s")
    left = progress.left_seconds
    if left is not None:
        pieces.append(f"{_duration(left)} left")
    return " · ".join(pieces)


def summary(run: Run) -> Outcome:
    """What came of a finished run."""
    num_failed = num_shared = num_doubtful = 0
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for result in run.results():
        num_failed += result.error is not None
        if result.error is not None:
            counts[result.error.code] += 1
            examples.setdefault(result.error.code, f"{result.id}: {result.error.message}")
        num_shared += result.duplicate_of is not None
        num_doubtful += bool(result.looks_like)
    num_answered = run.manifest.num_cases - num_failed
    pieces = [f"{num_answered} answered", f"{num_failed} failed"]
    if num_shared:
        pieces.append(f"{num_shared} the same picture again")
    if num_doubtful:
        pieces.append(f"{num_doubtful} answered otherwise than a picture that looks the same")
    reasons = tuple(f"  {num} × {code} · {examples[code]}" for code, num in counts.most_common(MOST_REASONS))
    return Outcome(num_answered=num_answered, words=" · ".join(pieces), reasons=reasons)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _cpu(meter: CpuMeter) -> str:
    held = resident_bytes()
    memory = f", {held / 2**30:.1f} GiB" if held is not None else ""
    return f" · CPU {meter.read()} %{memory}"


def _gpu() -> str:
    use = read_device_use()
    if use is None:
        return ""
    return f" · GPU {use.used_bytes / 2**30:.1f} of {use.total_bytes / 2**30:.1f} GiB, {use.busy_percent} % busy"
