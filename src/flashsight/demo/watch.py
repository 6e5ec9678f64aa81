"""Says how a training run goes by what its folder holds: how far, how fast, how well, what is wrong. Starts nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

LOG, OUTPUT, PID = "log.jsonl", "output.txt", "pid"
STALLED_SECONDS = 120.0  # without a new line something hangs, or compiles for the first time
STARVED = 0.1  # of the time waited for pictures
BLIND_AFTER = 1500  # steps from scratch by which text is read
BLIND = 0.65  # of the tokens right; below it nothing is read
TAIL = 12  # lines

Line = dict[str, Any]


def is_alive(run: Path) -> bool:
    """True while the process that a run was started as exists."""
    try:
        os.kill(int((run / PID).read_text()), 0)
    except (OSError, ValueError):
        return False
    with suppress(OSError):  # one that has ended and is only still listed
        return (Path("/proc") / (run / PID).read_text() / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def seen(run: Path, now: float) -> str:
    """A few lines about a run at a time in seconds since 1970: the last lines of its log in short, and warnings."""
    log = run / LOG
    lines = _lines(log)
    told = [_short(line) for line in _spread(lines)]
    told.append("running" if is_alive(run) else "not running")
    told += [f"! {warning}" for warning in _warnings(lines, is_alive(run), now - log.stat().st_mtime if lines else 0.0)]
    if not is_alive(run) and (run / OUTPUT).is_file():
        told += (run / OUTPUT).read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:]
    return "\n".join(told)


def _lines(log: Path) -> list[Line]:
    if not log.is_file():
        return []
    found = []
    for text in log.read_text(encoding="utf-8").splitlines():
        with suppress(ValueError):  # the last line may be half written
            found.append(json.loads(text))
    return found


def _spread(lines: Sequence[Line], count: int = 6) -> Sequence[Line]:
    """The last line and some before it, as far apart as the log is long."""
    step = max(1, len(lines) // count)
    return list(reversed(lines[::-1][::step][:count]))


def _short(line: Line) -> str:
    skills = " ".join(f"{skill} {value:.2f}" for skill, value in line["by_skill"].items())
    patches = " ".join(f"{kind} {value:.2f}" for kind, value in line["by_patch"].items())
    return (
        f"{line['seconds']:.0f} s, step {line['step']}: loss {line['answer_loss']:.3f} + {line['patch_loss']:.3f}, "
        f"tokens {line['token_accuracy']:.3f} ({skills}; patches: {patches}), rate {line['rate']:.2g}, "
        f"{line['pictures_per_second']:.0f} pictures/s, waited {line['waited_share']:.0%}"
    )


def _warnings(lines: Sequence[Line], is_running: bool, silent_seconds: float) -> list[str]:
    if not lines:
        return ["no line in the log yet: the first steps compile for a minute or two"] if is_running else []
    last, found = lines[-1], []
    if is_running and silent_seconds > STALLED_SECONDS:
        found.append(f"no line for {silent_seconds:.0f} s: see {OUTPUT}")
    if last["waited_share"] > STARVED:
        found.append(f"{last['waited_share']:.0%} of the time is waiting for pictures: raise --workers")
    if last["step"] > BLIND_AFTER and last["token_accuracy"] < BLIND:
        found.append(
            f"only {last['token_accuracy']:.0%} of the tokens are right: nothing is read; stop and look at the data"
        )
    if len(lines) > 3 and last["answer_loss"] > 1.3 * min(line["answer_loss"] for line in lines):
        found.append("the loss has risen by a third: lower --peak")
    return found
