"""A service that is stopped and started again finds the pictures that it had encoded."""

from __future__ import annotations

import json
from pathlib import Path

from flashsight.bench.pictures import smooth_jpeg
from flashsight.bench.process import started_service
from flashsight.bench.wire import Wire, chat_body, data_url

MODEL = "glm-4.6v-flash-web"


async def recalled(flags: list[str], picture: bytes) -> int:
    """Ask about the picture; say how many pictures came from below the device."""
    async with started_service(flags) as service, Wire(service.url, model=MODEL) as wire:
        await wire.chat(chat_body(MODEL, data_url(picture), "?", 3))
        text = (await wire.get("/metrics")).decode()
        plan = json.loads(await wire.get("/v1/plan"))
    assert plan["use"]["process_bytes"] > 0
    (line,) = [line for line in text.splitlines() if line.startswith("flashsight_engine_pictures_recalled_total ")]
    return int(float(line.split()[1]))


async def test_a_picture_of_a_caller_without_a_key_survives_a_restart(tiny_checkpoint: Path, tmp_path: Path) -> None:
    flags = ["--model-path", str(tiny_checkpoint), "--dtype", "float32", "--max-side", "112"]
    flags += ["--picture-folder", str(tmp_path / "pictures")]
    picture = smooth_jpeg(112, 1)
    assert [await recalled(flags, picture) for _ in range(2)] == [0, 1]
