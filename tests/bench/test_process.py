import subprocess
import sys
import time
from pathlib import Path

import pytest

from flashsight.bench.process import measure_service
from flashsight.core.errors import ConfigError


async def test_a_service_is_started_asked_probed_and_ended(tiny_checkpoint: Path) -> None:
    arguments = ["--model-path", str(tiny_checkpoint), "--dtype", "float32", "--max-side", "112"]
    figures = await measure_service(arguments, model="glm-4.6v-flash-web", num_pictures=2)
    assert (figures.num_pictures, figures.num_answered) == (2, 2)
    assert figures.num_probes > 0
    assert figures.upload_encodings == 1, "reading ahead and the question share one encoder call"
    assert figures.uploaded_ratio == figures.uploaded_first_ms / figures.cold_first_ms > 0
    assert 0 < figures.health_p50_ms <= figures.health_max_ms
    assert 0 < figures.ready_bytes <= figures.peak_bytes


def test_a_bench_that_is_told_to_go_takes_its_service_along(tiny_checkpoint: Path, tmp_path: Path) -> None:
    code = (
        "import asyncio, pathlib, sys\n"
        "from flashsight.bench.process import started_service\n"
        "async def main():\n"
        "    async with started_service(sys.argv[2:]) as service:\n"
        "        pathlib.Path(sys.argv[1]).write_text(str(service.pid))\n"
        "        await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    known = tmp_path / "pid"
    flags = ["--model-path", str(tiny_checkpoint), "--dtype", "float32"]
    bench = subprocess.Popen([sys.executable, "-c", code, str(known), *flags], stderr=subprocess.DEVNULL)
    for _ in range(2400):
        if known.is_file() and known.read_text():
            break
        time.sleep(0.05)
    bench.terminate()
    assert bench.wait(60) != 0
    assert not Path(f"/proc/{known.read_text()}").exists()


async def test_a_service_that_ends_while_starting_says_why() -> None:
    with pytest.raises(ConfigError, match="ended while starting"):
        await measure_service(["--model-path", "/no/such/folder"], model="m", num_pictures=1)
