"""The memory plan: everything is accounted for, nothing is over the budget, and what cannot fit is said in numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flashsight.core.config import EngineConfig, MediaConfig
from flashsight.core.errors import ConfigError
from flashsight.engine.device import DeviceMemory, _host_memory, measure_memory
from flashsight.engine.memory import LargestPicture, MemoryPlan, plan_memory
from flashsight.engine.usage import MemoryUse, measure_use
from flashsight.models.door import ModelShape

GIB = 1 << 30
FLASH = ModelShape(
    num_layers=40,
    num_heads=32,
    num_kv_heads=2,
    head_size=128,
    hidden_size=4096,
    intermediate_size=13696,
    vocab_size=151552,
    max_positions=131072,
    vision_layers=24,
    vision_heads=12,
    vision_hidden_size=1536,
    vision_intermediate_size=4096,
    patch_elements=588,
    merge=2,
)
NANO = ModelShape(
    num_layers=6,
    num_heads=8,
    num_kv_heads=2,
    head_size=64,
    hidden_size=512,
    intermediate_size=1408,
    vocab_size=4864,
    max_positions=4096,
    vision_layers=8,
    vision_heads=6,
    vision_hidden_size=384,
    vision_intermediate_size=512,
    patch_elements=588,
    merge=2,
)
FLASH_BYTES = 20_585_554_944


def plan_of(
    shape: ModelShape, free_gib: float, weight_bytes: int, *, kind: str = "cuda", **wishes: float | None
) -> MemoryPlan:
    free_bytes = int(free_gib * GIB)
    memory = DeviceMemory(kind=kind, name="a device", total_bytes=free_bytes, free_bytes=free_bytes)  # type: ignore[arg-type]
    return plan_memory(
        EngineConfig(**wishes),  # type: ignore[arg-type]
        shape,
        memory=memory,
        weight_bytes=weight_bytes,
        value_bytes=2,
        largest=LargestPicture.of(MediaConfig(), shape),
    )


@given(st.floats(0.1, 200), st.sampled_from([FLASH, NANO]), st.sampled_from(["cpu", "cuda"]), st.integers(0, 30 * GIB))
def test_a_plan_keeps_its_budget_and_has_room_for_the_largest_request_or_is_refused(
    free_gib: float, shape: ModelShape, kind: str, weight_bytes: int
) -> None:
    try:
        plan = plan_of(shape, free_gib, weight_bytes, kind=kind)
    except ConfigError:
        return
    assert plan.used_bytes <= plan.budget_bytes <= plan.device.free_bytes
    assert plan.kv_bytes == plan.num_blocks * plan.block_size * plan.kv_bytes_per_token
    assert plan.capacity_tokens >= plan.limits.context_tokens >= 1369 + 512
    assert plan.picture_cache_bytes >= 1369 * plan.feature_bytes_per_token
    assert plan.limits.encode_patches >= 1
    if kind == "cpu":
        assert plan.limits.encode_patches == 1
    assert plan.limits.step_tokens >= plan.limits.max_sequences
    assert plan.requests_at_once(1024) >= 1


def test_a_token_of_the_real_model_takes_40_kib_of_keys_and_values_and_8_kib_of_features() -> None:
    plan = plan_of(FLASH, 139, FLASH_BYTES)
    assert (plan.kv_bytes_per_token, plan.feature_bytes_per_token) == (40960, 8192)


def test_a_large_gpu_gets_what_was_asked_for_and_a_small_one_less_and_says_so() -> None:
    large, small = plan_of(FLASH, 139, FLASH_BYTES), plan_of(FLASH, 24, FLASH_BYTES)
    assert (large.limits.step_tokens, large.limits.max_sequences, large.shrunk) == (2048, 64, ())
    assert large.limits.context_tokens == 131072
    assert small.limits.step_tokens < 2048
    assert any("step_tokens" in note and "instead of 2048" in note for note in small.shrunk)
    assert small.requests_at_once(512) > small.requests_at_once(1024) >= 4


def test_what_can_never_fit_is_refused_with_the_numbers_and_the_way_out() -> None:
    with pytest.raises(ConfigError, match=r"at least 2\d,\d{3} MiB \(weights 19,632 MiB, .*lower max_side"):
        plan_of(FLASH, 16, FLASH_BYTES)


def test_nano_on_a_cpu_plans_little_however_much_there_is() -> None:
    plan = plan_of(NANO, 500, 60 << 20, kind="cpu")
    assert plan.used_bytes < 600 << 20
    assert plan.limits.context_tokens == 4096
    assert plan.requests_at_once(512) >= 16


def test_explicit_sizes_are_kept() -> None:
    plan = plan_of(NANO, 8, 60 << 20, kv_bytes=64 << 20, picture_cache_bytes=5 << 20, context_tokens=3000)
    assert 0 <= (64 << 20) - plan.kv_bytes < plan.block_size * plan.kv_bytes_per_token
    assert plan.picture_cache_bytes == 5 << 20
    assert plan.limits.context_tokens == 3000


@pytest.mark.parametrize(
    ("wish", "value", "reason"),
    [
        ("context_tokens", 5000, "this model reaches 4096"),
        ("picture_cache_bytes", 1000, "the largest picture allowed needs"),
        ("kv_bytes", 1000, "one request of 1881 tokens needs"),
    ],
)
def test_a_wish_that_contradicts_the_model_is_refused_by_name(wish: str, value: int, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as refused:
        plan_of(NANO, 8, 60 << 20, **{wish: value})
    assert refused.value.param == wish


def test_the_plan_reads_well_for_people_and_machines() -> None:
    plan = plan_of(FLASH, 24, FLASH_BYTES)
    rows = dict(plan.as_table())
    assert rows["weights"] == "19,632 MiB"
    assert "512 px" in rows["requests at once"]
    machine = json.loads(json.dumps(plan.as_dict()))
    assert machine["requests_at_once"]["512px"] == plan.requests_at_once(512)
    assert machine["limits"]["context_tokens"] == plan.limits.context_tokens


def test_a_control_group_with_less_than_the_machine_counts(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       16000000 kB\nMemFree: 1 kB\nMemAvailable:   8000000 kB\nHugePages_Total: 0\n")
    assert _host_memory(meminfo, tmp_path) == (16_000_000 << 10, 8_000_000 << 10)
    (tmp_path / "memory.max").write_text("1000000000\n")
    (tmp_path / "memory.current").write_text("700000000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 100000000\nactive_file 50000000\n")
    assert _host_memory(meminfo, tmp_path) == (1_000_000_000, 450_000_000)
    (tmp_path / "memory.max").write_text("max\n")
    assert _host_memory(meminfo, tmp_path) == (16_000_000 << 10, 8_000_000 << 10)


def test_weights_that_are_loaded_already_count_as_free() -> None:
    memory = measure_memory(torch.device("cpu"), held_bytes=1 << 40)
    assert memory.kind == "cpu"
    assert memory.free_bytes > 1 << 40
    assert memory.total_bytes > 0


def test_a_plan_is_held_against_what_the_device_counts() -> None:
    plan = plan_of(FLASH, 139, FLASH_BYTES)
    here = measure_use(torch.device("cpu"))
    assert here.process_bytes > 50 << 20
    assert plan.held_against(here) == {"process_bytes": here.process_bytes}
    on_gpu = MemoryUse(process_bytes=1, allocated_bytes=5, peak_allocated_bytes=plan.used_bytes + 7, reserved_bytes=9)
    assert plan.held_against(on_gpu)["over_plan_bytes"] == 7
    within = MemoryUse(process_bytes=1, peak_allocated_bytes=plan.used_bytes)
    assert plan.held_against(within)["over_plan_bytes"] == 0
