"""The forecast drives the engine's own scheduler; its times are virtual, so they may be asserted."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from flashsight.engine import prefill

SCRIPT = Path(__file__).parents[2] / "scripts" / "forecast.py"


@pytest.fixture(scope="module")
def forecast() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def test_one_client_waits_for_his_own_pieces_only(forecast: dict[str, Any]) -> None:
    first, _, rate = forecast["Run"](512, 1, 4, seed=0, encode_patches=1296).figures()
    pieces = [
        forecast["BEFORE_MS"],
        forecast["DECODE_FILE_MS"][512],
        forecast["ENCODE_MS"][1296],
        forecast["CHUNK_FIXED_MS"] + forecast["CHUNK_TOKEN_MS"] * forecast["PROMPT"][512],
        2 * forecast["GAP_MS"],
        forecast["AFTER_MS"],
    ]
    assert first == pytest.approx(sum(pieces), rel=0.1)
    whole = first + 63 * forecast["DECODE_ALONE_MS"] + forecast["AGAIN_MS"]
    assert rate == pytest.approx(1000 / whole, rel=0.05)


def test_one_picture_at_a_time_lets_a_crowd_see_its_first_tokens_sooner(forecast: dict[str, Any]) -> None:
    alone, together = (forecast["Run"](512, 8, 4, seed=0, encode_patches=n).figures() for n in (1296, 8192))
    assert alone[1] < 0.8 * together[1]
    assert alone[2] > together[2]


def test_long_prompts_in_parts_beside_decodes_bring_more_answers(
    forecast: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_parts = forecast["Run"](1024, 8, 4, seed=0, encode_patches=1296).figures()
    monkeypatch.setattr(prefill, "BESIDE_TOKENS", forecast["STEP_TOKENS"])
    whole = forecast["Run"](1024, 8, 4, seed=0, encode_patches=1296).figures()
    assert in_parts[0] < whole[0]
    assert in_parts[2] > 1.05 * whole[2]
