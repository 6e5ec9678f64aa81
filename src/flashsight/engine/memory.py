"""Where every byte goes, settled before the first request. Plain arithmetic on a model's shape: asks no device.

budget = weights + KV blocks + picture cache + the largest allowed step + reserve

A GPU's budget is memory_fraction of what is free, and the KV blocks get what the rest leaves. A CPU shares its memory
with everything else, so there KV blocks and picture cache have a modest size and the budget is only the upper bound.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from flashsight.core.config import MIB, EngineConfig, MediaConfig
from flashsight.core.errors import ConfigError
from flashsight.engine.device import DeviceMemory
from flashsight.engine.plan import Limits
from flashsight.engine.process import num_decoders
from flashsight.engine.usage import MemoryUse

if TYPE_CHECKING:
    from flashsight.models.door import ModelShape

CPU_KV_TOKENS = 16384
CPU_PICTURE_TOKENS = 8192
GPU_ENCODE_PATCHES = 1296
"""One picture of 512 px keeps a large GPU busy: with a second one in its batch it would only wait longer."""
GPU_PICTURE_TOKENS = 65536
GPU_PICTURE_SHARE = 0.1
"""Most of what weights, step and reserve leave that the picture cache takes unasked."""
TEXT_TOKENS = 512
"""What a request is given beside its picture when the least cache is worked out: question and answer."""
EXAMPLE_PROMPT_TOKENS, EXAMPLE_ANSWER_TOKENS = 64, 256
SMALLEST_STEP_TOKENS, SMALLEST_MAX_SEQUENCES = 128, 4
TABLE_BYTES = 128 * MIB
"""Position tables of the encoder, kept per grid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LargestPicture:
    """The most that one picture can be: pixels as decoded, patches as the encoder sees it, merged tokens."""

    num_pixels: int
    num_patches: int
    num_tokens: int

    @classmethod
    def of(cls, media: MediaConfig, shape: ModelShape) -> LargestPicture:
        """A square of the longest side that the media gate lets the model see."""
        side = math.isqrt(shape.patch_elements // 3) * shape.merge
        num_tokens = math.ceil(media.max_side / side) ** 2
        return cls(num_pixels=media.max_pixels, num_patches=num_tokens * shape.merge**2, num_tokens=num_tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """The settled budgets, in bytes, tokens and counts; `shrunk` says which wishes had to give way, in words."""

    device: DeviceMemory
    budget_bytes: int
    weight_bytes: int
    kv_bytes: int
    picture_cache_bytes: int
    step_bytes: int
    reserve_bytes: int
    block_size: int
    num_blocks: int
    kv_bytes_per_token: int
    feature_bytes_per_token: int
    pixels_per_token_side: int
    limits: Limits
    shrunk: tuple[str, ...] = ()

    @property
    def capacity_tokens(self) -> int:
        """Tokens that all KV blocks hold."""
        return self.num_blocks * self.block_size

    @property
    def used_bytes(self) -> int:
        """What the plan takes of its budget."""
        return self.weight_bytes + self.kv_bytes + self.picture_cache_bytes + self.step_bytes + self.reserve_bytes

    def requests_at_once(self, side: int) -> int:
        """Requests with one picture of side x side pixels, a short question and a medium answer that fit together."""
        num_tokens = round(side / self.pixels_per_token_side) ** 2 + EXAMPLE_PROMPT_TOKENS + EXAMPLE_ANSWER_TOKENS
        if num_tokens > self.limits.context_tokens:
            return 0
        return min(self.limits.max_sequences, self.num_blocks // -(-num_tokens // self.block_size))

    def held_against(self, use: MemoryUse) -> dict[str, int]:
        """What is in use and, on a GPU, by how much torch's peak went over the plan (0: it never did)."""
        counted = {name: value for name, value in asdict(use).items() if value is not None}
        if use.peak_allocated_bytes is not None:
            counted["over_plan_bytes"] = max(0, use.peak_allocated_bytes - self.used_bytes)
        return counted

    def as_table(self) -> list[tuple[str, str]]:
        """Rows (what, how much) for a person."""
        limits = self.limits
        return [
            ("device", f"{self.device.name}, {_mib(self.device.free_bytes)} of {_mib(self.device.total_bytes)} free"),
            ("budget", f"{_mib(self.budget_bytes)}, {_mib(self.used_bytes)} planned"),
            ("weights", _mib(self.weight_bytes)),
            ("KV cache", f"{_mib(self.kv_bytes)}: {self.num_blocks} blocks of {self.block_size} tokens"),
            ("picture cache", _mib(self.picture_cache_bytes)),
            (
                "largest step",
                f"{_mib(self.step_bytes)}: {limits.step_tokens} tokens or "
                + ("one picture" if limits.encode_patches == 1 else f"{limits.encode_patches} patches"),
            ),
            ("reserve", _mib(self.reserve_bytes)),
            ("context", f"{limits.context_tokens} tokens"),
            (
                "requests at once",
                f"{self.requests_at_once(512)} with 512 px, {self.requests_at_once(1024)} with 1024 px",
            ),
            *(("smaller than asked", note) for note in self.shrunk),
        ]

    def as_dict(self) -> dict[str, object]:
        """The same for a machine."""
        plain: dict[str, object] = asdict(self)
        del plain["pixels_per_token_side"]
        return plain | {
            "used_bytes": self.used_bytes,
            "capacity_tokens": self.capacity_tokens,
            "shrunk": list(self.shrunk),
            "requests_at_once": {
                "512px": self.requests_at_once(512),
                "1024px": self.requests_at_once(1024),
                "prompt_tokens": EXAMPLE_PROMPT_TOKENS,
                "answer_tokens": EXAMPLE_ANSWER_TOKENS,
            },
        }


def plan_memory(
    config: EngineConfig,
    shape: ModelShape,
    *,
    memory: DeviceMemory,
    weight_bytes: int,
    value_bytes: int,
    largest: LargestPicture,
) -> MemoryPlan:
    """Divide the device's memory. value_bytes: bytes of one number of keys, values and features.

    Where it is short, step, encoder batch, sequences and context shrink by halves until an ordinary load fits.
    Raises ConfigError with the numbers and the way out if one request with the largest picture does not fit.
    """
    planner = _Planner(config, shape, memory, weight_bytes, value_bytes, largest)
    planner.refuse_contradictions()
    plans = [plan for limits in planner.candidates() if (plan := planner.divide(limits)) is not None]
    if not plans:
        raise planner.too_small()
    return next((plan for plan in plans if planner.is_comfortable(plan)), plans[-1])


@dataclass(frozen=True, slots=True)
class _Planner:
    config: EngineConfig
    shape: ModelShape
    memory: DeviceMemory
    weight_bytes: int
    value_bytes: int
    largest: LargestPicture

    # --- sizes -----------------------------------------------------------------------------------------------

    @property
    def budget_bytes(self) -> int:
        return int(self.memory.free_bytes * self.config.memory_fraction)

    @property
    def reserve_bytes(self) -> int:
        """For what cannot be counted before: libraries' work space, captured graphs, fragments."""
        return TABLE_BYTES if self.memory.kind == "cpu" else TABLE_BYTES + max(256 * MIB, self.budget_bytes // 32)

    @property
    def kv_bytes_per_layer(self) -> int:
        return 2 * self.shape.num_kv_heads * self.shape.head_size * self.value_bytes

    @property
    def kv_bytes_per_token(self) -> int:
        return self.shape.num_layers * self.kv_bytes_per_layer

    @property
    def feature_bytes_per_token(self) -> int:
        return self.shape.hidden_size * self.value_bytes

    @property
    def least_picture_bytes(self) -> int:
        return self.largest.num_tokens * self.feature_bytes_per_token

    @property
    def least_tokens(self) -> int:
        """One request with the largest picture, or the whole context if that is asked for or smaller."""
        return self.config.context_tokens or min(self.largest.num_tokens + TEXT_TOKENS, self.shape.max_positions)

    def step_bytes(self, limits: Limits) -> int:
        """The largest of what never happens at the same time: a text step, an encoder batch, resizing."""
        text_bytes = self._text_bytes(limits)
        # Bytes on a CPU; other devices resize in floats.
        pixel_bytes = self.largest.num_pixels * (6 if self.memory.kind == "cpu" else 18)
        return max(text_bytes, self._encoder_bytes(max(limits.encode_patches, self.largest.num_patches)), pixel_bytes)

    def _text_bytes(self, limits: Limits) -> int:
        shape = self.shape
        heads = (shape.num_heads + 2 * shape.num_kv_heads) * shape.head_size
        per_token = (4 * shape.hidden_size + 2 * heads + 3 * shape.intermediate_size) * self.value_bytes
        per_token += 2 * shape.hidden_size * 4
        # The reference attention masks a chunk against its context and pads the contexts of decodes to the longest.
        mask_bytes = limits.step_tokens * limits.context_tokens * self.value_bytes
        padded_bytes = limits.max_sequences * limits.context_tokens * self.kv_bytes_per_layer
        logits_bytes = 4 * limits.max_sequences * shape.vocab_size * 4
        return limits.step_tokens * per_token + max(mask_bytes, padded_bytes) + logits_bytes

    def _encoder_bytes(self, num_patches: int) -> int:
        shape = self.shape
        per_patch = (9 * shape.vision_hidden_size + 3 * shape.vision_intermediate_size) * self.value_bytes
        per_patch += 2 * shape.vision_hidden_size * 4 + shape.patch_elements * (4 + self.value_bytes)
        per_merged = (4 * shape.hidden_size + 3 * shape.intermediate_size) * self.value_bytes
        return num_patches * per_patch + num_patches // shape.merge**2 * per_merged

    # --- choices ---------------------------------------------------------------------------------------------

    def refuse_contradictions(self) -> None:
        asked = self.config.context_tokens
        if asked is not None and asked > self.shape.max_positions:
            raise ConfigError(
                f"context_tokens is {asked}, this model reaches {self.shape.max_positions}", param="context_tokens"
            )
        cache_bytes = self.config.picture_cache_bytes
        if cache_bytes is not None and cache_bytes < self.least_picture_bytes:
            raise ConfigError(
                f"picture_cache_bytes is {cache_bytes}, the largest picture allowed needs {self.least_picture_bytes}; "
                "raise it or lower max_side",
                param="picture_cache_bytes",
            )
        kv_bytes = self.config.kv_bytes
        least_bytes = self.least_tokens * self.kv_bytes_per_token
        if kv_bytes is not None and kv_bytes < least_bytes:
            raise ConfigError(
                f"kv_bytes is {kv_bytes}, one request of {self.least_tokens} tokens needs {least_bytes}; "
                "raise it, or lower context_tokens or max_side",
                param="kv_bytes",
            )

    def candidates(self) -> Iterator[Limits]:
        """What was asked for, then ever smaller, each once."""
        config, longest = self.config, self.config.context_tokens or self.shape.max_positions
        last = None
        for halvings in range(12):
            step_tokens = max(config.step_tokens >> halvings, min(SMALLEST_STEP_TOKENS, config.step_tokens))
            smallest = min(SMALLEST_MAX_SEQUENCES, config.max_sequences)
            limits = Limits(
                step_tokens=step_tokens,
                encode_patches=max(self._wanted_patches >> halvings, 1),
                max_sequences=min(max(config.max_sequences >> halvings, smallest), step_tokens),
                max_waiting=config.max_waiting,
                context_tokens=max(longest >> halvings, self.least_tokens),
                decode_slots=2 * num_decoders(config.decode_threads),
                draft_tokens=config.draft_tokens,
            )
            if limits != last:
                yield limits
            last = limits

    def divide(self, limits: Limits) -> MemoryPlan | None:
        """A plan with these limits, or None if not even the least caches fit beside them."""
        step_bytes = self.step_bytes(limits)
        left_bytes = self.budget_bytes - self.weight_bytes - self.reserve_bytes - step_bytes
        picture_bytes = self._picture_bytes(left_bytes)
        block_bytes = self.config.block_size * self.kv_bytes_per_token
        num_blocks = min(left_bytes - picture_bytes, self._wanted_kv_bytes) // block_bytes
        if num_blocks * self.config.block_size < self.least_tokens:
            return None
        context_tokens = min(limits.context_tokens, num_blocks * self.config.block_size)
        return MemoryPlan(
            device=self.memory,
            budget_bytes=self.budget_bytes,
            weight_bytes=self.weight_bytes,
            kv_bytes=num_blocks * block_bytes,
            picture_cache_bytes=picture_bytes,
            step_bytes=step_bytes,
            reserve_bytes=self.reserve_bytes,
            block_size=self.config.block_size,
            num_blocks=num_blocks,
            kv_bytes_per_token=self.kv_bytes_per_token,
            feature_bytes_per_token=self.feature_bytes_per_token,
            pixels_per_token_side=math.isqrt(self.shape.patch_elements // 3) * self.shape.merge,
            limits=replace(limits, context_tokens=context_tokens),
            shrunk=self._shrunk(limits),
        )

    @property
    def _wanted_patches(self) -> int:
        if self.config.encode_patches is not None:
            return self.config.encode_patches
        # One picture keeps every core of a CPU busy: a second one beside it only makes the first one wait.
        return 1 if self.memory.kind == "cpu" else GPU_ENCODE_PATCHES

    @property
    def _wanted_kv_bytes(self) -> int:
        if self.config.kv_bytes is not None:
            return self.config.kv_bytes
        if self.memory.kind == "cpu":
            return max(CPU_KV_TOKENS, self.least_tokens + self.config.block_size) * self.kv_bytes_per_token
        return self.budget_bytes

    def _picture_bytes(self, left_bytes: int) -> int:
        if self.config.picture_cache_bytes is not None:
            return self.config.picture_cache_bytes
        if self.memory.kind == "cpu":
            wanted_bytes = CPU_PICTURE_TOKENS * self.feature_bytes_per_token
        else:
            wanted_bytes = GPU_PICTURE_TOKENS * self.feature_bytes_per_token
        share_bytes = int(left_bytes * GPU_PICTURE_SHARE)
        return max(self.least_picture_bytes, min(wanted_bytes, share_bytes))

    def is_comfortable(self, plan: MemoryPlan) -> bool:
        """Room for several large requests: more is not worth a smaller step."""
        if self.config.kv_bytes is not None:
            return plan.kv_bytes + self.config.block_size * self.kv_bytes_per_token > self.config.kv_bytes
        if self.memory.kind == "cpu":
            return plan.capacity_tokens >= CPU_KV_TOKENS
        return plan.capacity_tokens >= 4 * self.least_tokens

    def _shrunk(self, limits: Limits) -> tuple[str, ...]:
        names = ("step_tokens", "max_sequences")
        return tuple(
            f"{name} {getattr(limits, name)} instead of {getattr(self.config, name)}"
            for name in names
            if getattr(limits, name) < getattr(self.config, name)
        )

    def too_small(self) -> ConfigError:
        """The numbers of the least plan, and the way out."""
        *_, least = self.candidates()
        kv_bytes = self.least_tokens * self.kv_bytes_per_token
        parts = {
            "weights": self.weight_bytes,
            f"KV cache for {self.least_tokens} tokens": kv_bytes,
            "picture cache": self.config.picture_cache_bytes or self.least_picture_bytes,
            "largest step": self.step_bytes(least),
            "reserve": self.reserve_bytes,
        }
        listed = ", ".join(f"{name} {_mib(num_bytes)}" for name, num_bytes in parts.items())
        budget = f"memory_fraction {self.config.memory_fraction} of {_mib(self.memory.free_bytes)} free"
        return ConfigError(
            f"the model needs at least {_mib(sum(parts.values()))} ({listed}), the budget on {self.memory.name} is "
            f"{_mib(self.budget_bytes)} ({budget}); free some memory, raise memory_fraction, "
            "or lower max_side, max_pixels or context_tokens",
            code="out_of_memory",
        )


def _mib(num_bytes: int) -> str:
    return f"{num_bytes / MIB:,.0f} MiB"
