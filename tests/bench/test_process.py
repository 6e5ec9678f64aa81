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


async def test_a_service_that_ends_while_starting_says_why() -> None:
    with pytest.raises(ConfigError, match="ended while starting"):
        await measure_service(["--model-path", "/no/such/folder"], model="m", num_pictures=1)
