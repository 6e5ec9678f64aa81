"""How much sooner the first token comes when the picture was uploaded before the question. Knows one server by HTTP."""

from __future__ import annotations

import re
import statistics
from dataclasses import dataclass

from flashsight.bench.suite import Case, Novelty, run_case
from flashsight.bench.wire import Wire
from flashsight.core.errors import ConfigError

SIZE = 448
ROUNDS = 4
TURNS = 3
NUM_TOKENS = 8

_ENCODED = re.compile(rb"^flashsight_engine_pictures_encoded_total (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """Medians of first tokens in milliseconds, and encoder calls for each picture that was uploaded and asked about."""

    cold_first_ms: float
    uploaded_first_ms: float
    upload_encodings: float


async def measure_ahead(wire: Wire, *, seed: int, rounds: int = ROUNDS, turns: int = TURNS) -> Ahead:
    """Ask about new pictures, sent with the question and uploaded before it, turn by turn.

    Raises ConfigError where the server takes no uploads or does not count its encoder calls.
    """
    cold, uploaded, encodings = [], [], 0.0
    for turn in range(turns):
        first_seed = seed + 2 * turn * (rounds + 1)  # no turn may find another's pictures in a cache
        cold.append(await _first_ms(wire, "new", seed=first_seed, rounds=rounds))
        before = await _encoded(wire)
        uploaded.append(await _first_ms(wire, "uploaded", seed=first_seed + rounds + 1, rounds=rounds))
        encodings += await _encoded(wire) - before
    return Ahead(
        cold_first_ms=statistics.median(cold),
        uploaded_first_ms=statistics.median(uploaded),
        upload_encodings=encodings / (turns * (rounds + 1)),
    )


async def _first_ms(wire: Wire, novelty: Novelty, *, seed: int, rounds: int) -> float:
    case = Case(name=novelty, size=SIZE, num_clients=1, rounds=rounds, novelty=novelty)
    row = await run_case(wire, case, system="flashsight", seed=seed, num_tokens=NUM_TOKENS)
    if row is None:
        raise ConfigError(f"{wire.base} takes no uploads, so nothing can be read ahead there")
    return row.ttft_p50_ms


async def _encoded(wire: Wire) -> float:
    found = _ENCODED.search(await wire.get("/metrics"))
    if found is None:
        raise ConfigError(f"{wire.base}/metrics does not count encoder calls")
    return float(found[1])
