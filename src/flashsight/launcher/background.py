"""A service in a process of its own: starting it, finding it again, stopping it. Kills nothing it did not start.

The state folder holds service.json (who runs), service.log (what it says) and api_key (made for open addresses).
A process is ours only if its id and the moment of its birth both match the record, so a reused id is never hit.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flashsight.core.errors import ConfigError, EngineFault
from flashsight.core.settings import Effective, variable_of
from flashsight.launcher.address import listen, local_url, reachable_urls, with_key

STOP_SECONDS = 40.0
POLL_SECONDS = 0.1
LOG_BYTES = 8 << 20
"""An older log beyond this is moved aside at a start."""


def state_folder() -> Path:
    """FLASHSIGHT_STATE, else .flashsight in the folder where the command runs."""
    return Path(os.environ.get("FLASHSIGHT_STATE") or ".flashsight").absolute()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A started service. born: the process's birth as the system counts it."""

    pid: int
    born: str
    url: str
    urls: tuple[str, ...]
    log: str

    @property
    def is_alive(self) -> bool:
        """True if that very process still runs."""
        return _born(self.pid) == self.born


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What `start` did. key: made for an address that others reach; is_new False: it was running before."""

    record: Record
    key: str | None
    is_new: bool


def running(folder: Path) -> Record | None:
    """The service that this state folder knows of, if it is alive."""
    try:
        fields = json.loads((folder / "service.json").read_text(encoding="utf-8"))
        record = Record(**(fields | {"urls": tuple(fields["urls"])}))
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return record if record.is_alive else None


def start(effective: Effective, folder: Path) -> Started:
    """Start a service unless this folder's one runs; returns as soon as its process does.

    The socket is opened here and handed down, so that a taken port is told at once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(folder):
        record = running(folder)
        if record is not None:
            return Started(record=record, key=None, is_new=False)
        server, key = with_key(effective.config.server, kept_in=folder / "api_key")
        with listen(server.host, server.port) as listening:
            port = int(listening.getsockname()[1])
            environment = os.environ | effective.as_environment()
            if key is not None:
                environment[variable_of("api_key")] = key
            log = folder / "service.log"
            pid = _spawn(listening.fileno(), environment, log)
        record = Record(
            pid=pid,
            born=_born(pid) or "",
            url=local_url(server.host, port),
            urls=tuple(reachable_urls(server.host, port)),
            log=str(log),
        )
        _write(folder / "service.json", asdict(record))
        return Started(record=record, key=key, is_new=True)


def phases(record: Record, *, limit_seconds: float = 600.0) -> Iterator[str]:
    """Yield each phase of a starting service until it is ready. Raises EngineFault with its last words if it ends."""
    seen = ""
    give_up_at = time.monotonic() + limit_seconds
    while True:
        health = ask_health(record.url)
        phase = str(health.get("phase", "")) if health else ""
        if phase and phase != seen:
            seen = phase
            yield phase
        if health and health.get("model_ready"):
            return
        if not record.is_alive:
            raise EngineFault(f"the service ended while starting; its log {record.log} ends so:\n{tail(record.log, 5)}")
        if time.monotonic() > give_up_at:
            raise EngineFault(f"not ready after {limit_seconds:.0f} s (phase: {seen}); see {record.log}")
        time.sleep(POLL_SECONDS)


def ask_health(url: str) -> Mapping[str, Any] | None:
    """What /health says, or None if nobody answers there."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as response:  # noqa: S310
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        answer = json.load(error) if error.code == 503 else None
    except (OSError, ValueError):
        return None
    return answer if isinstance(answer, dict) else None


def stop(folder: Path) -> Record | None:
    """Stop this folder's service and wait for its end; None if none runs. Answers under way are finished first."""
    record = running(folder)
    if record is None:
        (folder / "service.json").unlink(missing_ok=True)
        return None
    os.kill(record.pid, signal.SIGTERM)
    if not _has_ended(record, STOP_SECONDS):
        os.kill(record.pid, signal.SIGKILL)
        _has_ended(record, 5.0)
    (folder / "service.json").unlink(missing_ok=True)
    return record


def tail(log: str | Path, num_lines: int) -> str:
    """The last lines of a log."""
    try:
        with Path(log).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 400 * num_lines - 4096))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-num_lines:])


def _spawn(fd: int, environment: Mapping[str, str], log: Path) -> int:
    if log.is_file() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    command = [sys.executable, "-m", "flashsight", "serve", "--listen-fd", str(fd)]
    with log.open("ab") as file:
        process = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=dict(environment),
            pass_fds=(fd,),
            start_new_session=True,
        )
    return process.pid


def _has_ended(record: Record, seconds: float) -> bool:
    give_up_at = time.monotonic() + seconds
    while record.is_alive:
        if time.monotonic() > give_up_at:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _born(pid: int) -> str | None:
    """When the process was born, in the system's own words; None if it is gone or only waits to be buried."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return _born_by_ps(pid) if not Path("/proc/self").exists() else None
    return None if fields[0] == "Z" else fields[19]


def _born_by_ps(pid: int) -> str | None:
    answer = subprocess.run(  # noqa: S603
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or None


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(f"another start is under way in {folder}; wait for it") from None
        yield


def _write(path: Path, fields: Mapping[str, Any]) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(fields, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    fresh.replace(path)
