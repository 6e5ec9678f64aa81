"""How many threads compute when other processes want the cores, from times that are known."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from flashsight.engine.crowd import CROWDED, FREE, LOOK_SECONDS, Crowd


class Machine:
    """A clock, and what the system says of a thread's time; hears how many threads are asked for."""

    def __init__(self, folder: Path) -> None:
        self.path, self.now, self.ran, self.waited = folder / "schedstat", 0.0, 7, 9
        self.asked: list[int] = []
        self.pass_by(0.0, 0.0)

    def pass_by(self, seconds: float, waiting: float, idle: float = 0.0) -> None:
        """Let a thread compute for so long, a share of it waiting for a core, and sleep for a while."""
        self.now += seconds + idle
        self.ran += int(seconds * (1 - waiting) * 1e9)
        self.waited += int(seconds * waiting * 1e9)
        self.path.write_text(f"{self.ran} {self.waited} 12\n")

    def crowd(self, num_threads: int = 4) -> Crowd:
        return Crowd(self.asked.append, num_threads, scheduled=self.path, clock=lambda: self.now)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_one_thread_computes_while_others_want_the_cores_and_all_do_afterwards(machine: Machine) -> None:
    crowd = machine.crowd()
    for waiting, is_crowded in [(0.01, False), (0.5, True), (0.5, True), ((CROWDED + FREE) / 2, True), (0.0, False)]:
        machine.pass_by(1.0, waiting)
        crowd.look()
        assert crowd.is_crowded == is_crowded
    assert machine.asked == [1, 4]


def test_a_share_between_the_two_bounds_changes_nothing(machine: Machine) -> None:
    crowd = machine.crowd()
    for _ in range(10):
        machine.pass_by(1.0, (CROWDED + FREE) / 2)
        crowd.look()
    assert machine.asked == []


def test_it_looks_only_after_a_while_of_computing(machine: Machine) -> None:
    crowd = machine.crowd()
    machine.pass_by(LOOK_SECONDS / 2, 0.9)
    crowd.look()
    machine.pass_by(LOOK_SECONDS / 8, 0.9, idle=60.0)  # a thread that slept has little to tell
    machine.ran, machine.waited = 7, 9
    machine.pass_by(LOOK_SECONDS / 4, 0.9)
    crowd.look()
    assert machine.asked == []
    machine.pass_by(LOOK_SECONDS, 0.9)
    crowd.look()
    assert machine.asked == [1]


@pytest.mark.parametrize("said", ["", "12", "no numbers", None], ids=["empty", "one", "words", "missing"])
def test_where_the_system_does_not_tell_nothing_changes(machine: Machine, said: str | None) -> None:
    crowd = machine.crowd()
    for _ in range(3):
        machine.pass_by(1.0, 0.9)
        machine.path.unlink() if said is None else machine.path.write_text(said)
        crowd.look()
    assert machine.asked == []


def test_one_thread_stays_one(machine: Machine) -> None:
    crowd = machine.crowd(num_threads=1)
    machine.pass_by(5.0, 0.9)
    crowd.look()
    assert machine.asked == []


def test_on_this_machine_it_is_the_calling_threads_time_that_counts() -> None:
    scheduled = Path("/proc/thread-self/schedstat")
    if not scheduled.exists():
        assert Crowd(lambda _: None, 4)._seen is None
        return
    times: list[tuple[int, int] | None] = []

    def compute() -> None:
        crowd = Crowd(lambda _: None, 4)
        times.append(crowd._times())
        sum(number * number for number in range(200_000))
        times.append(crowd._times())

    thread = threading.Thread(target=compute)
    thread.start()
    thread.join()
    before, after = times
    assert before is not None
    assert after is not None
    assert before[0] < after[0]
