"""The decoder of glm4v. Attention is handed in: where keys and values live is none of its business."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

from flashsight.models.attention.layout import Attend, AttendPacked
from flashsight.models.glm4v.config import TextConfig
from flashsight.models.layers import Linear, RMSNorm, rotate, swiglu

FP16_SCALE = 1 / 64
"""GLM's attention and MLP outputs reach 7e4, past float16. A norm follows both and is blind to a common factor, so
in float16 their inputs are made this much smaller, and the norm's eps with them: the result is the same."""


class MRope(nn.Module):
    """Rotary embedding of interleaved pairs over the first rotary_size dimensions, each frequency bound to one axis.

    The frequencies stay float32 whatever the model is cast to: in bfloat16 the angle at position 8000 is off by 7 rad.
    """

    frequencies: Tensor
    axes: Tensor

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        # Never on the meta device: arange imports torch's compiler there, which is 140 MB and a second of the start.
        self.register_buffer("frequencies", self._signed_frequencies(torch.device("cpu")), persistent=False)
        self.register_buffer("axes", self._axes(torch.device("cpu")), persistent=False)

    def forward(self, positions_3T: Tensor) -> tuple[Tensor, Tensor]:
        """Return cos and signed sin [T, 1, D] in float32; dimensions that don't turn get cos 1 and sin 0."""
        angles_TD = positions_3T.index_select(0, self.axes).T * self.frequencies
        return angles_TD.cos().unsqueeze(1), angles_TD.sin().unsqueeze(1)

    def _signed_frequencies(self, device: torch.device) -> Tensor:
        """Return [D]: a pair (x, y) becomes (x cos - y sin, y cos + x sin), so its first half turns backwards."""
        size = self.config.rotary_size
        exponents = torch.arange(0, size, 2, dtype=torch.float32, device=device) / size
        frequencies = 1.0 / self.config.rope_theta**exponents
        pairs = torch.stack((-frequencies, frequencies), dim=-1).flatten()
        return torch.nn.functional.pad(pairs, (0, self.config.head_size - size))

    def _axes(self, device: torch.device) -> Tensor:
        axes = [i % 3 for i, num in enumerate(self.config.mrope_section) for _ in range(2 * num)]
        axes += [0] * (self.config.head_size - len(axes))
        return torch.tensor(axes, device=device)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.frequencies = self._signed_frequencies(self.frequencies.device)
        self.axes = self._axes(self.axes.device)
        return self


class Block(nn.Module):
    """Attention and SwiGLU, each between two norms (sandwich): x += post(attention(pre(x)))."""

    def __init__(self, config: TextConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.heads = (config.num_heads, config.num_kv_heads, config.num_kv_heads)
        self.head_size = config.head_size
        hidden, wide, eps = config.hidden_size, config.intermediate_size, config.norm_eps
        self.attn_norm = RMSNorm(hidden, eps)
        self.qkv = Linear(hidden, sum(self.heads) * config.head_size, bias=True)
        self.out = Linear(config.num_heads * config.head_size, hidden, bias=False)
        self.attn_post_norm = RMSNorm(hidden, eps)
        self.mlp_norm = RMSNorm(hidden, eps)
        self.gate_up = Linear(hidden, 2 * wide, bias=False)
        self.down = Linear(wide, hidden, bias=False)
        self.mlp_post_norm = RMSNorm(hidden, eps)

    def forward(self, hidden_TC: Tensor, rope: tuple[Tensor, Tensor], attend: Attend) -> Tensor:
        """Return hidden_TC after one block."""
        num_heads, num_kv_heads, _ = self.heads
        scale = FP16_SCALE if self.down.weight.dtype is torch.float16 else 1.0
        qkv = self.qkv(self.attn_norm(hidden_TC)).view(-1, sum(self.heads), self.head_size)
        qk, v_TGD = qkv.split((num_heads + num_kv_heads, num_kv_heads), dim=1)
        qk = rotate(qk, _swap_pairs(qk), *rope)
        q_THD, k_TGD = qk.split((num_heads, num_kv_heads), dim=1)
        o_TC = attend(self.layer, q_THD, k_TGD, v_TGD).flatten(1)
        hidden_TC = hidden_TC + self.attn_post_norm(self.out(_scaled(o_TC, scale)), scale)
        mlp_TC: Tensor = self.mlp_post_norm(self.down(self._wide(hidden_TC, scale)), scale)
        return hidden_TC + mlp_TC

    def _wide(self, hidden_TC: Tensor, scale: float) -> Tensor:
        gate_up: Tensor = self.gate_up(self.mlp_norm(hidden_TC))
        if scale == 1.0:
            return swiglu(gate_up)
        gate, up = gate_up.chunk(2, dim=-1)
        return torch.nn.functional.silu(gate) * (up * scale)


class Text(nn.Module):
    """Embedding, blocks, final norm and head."""

    def __init__(self, config: TextConfig, *, is_head_tied: bool) -> None:
        super().__init__()
        self.config = config
        # Left unfilled, as filling on the meta device would import torch's compiler (see MRope).
        empty_VC = torch.empty(config.vocab_size, config.hidden_size)
        self.embedding = nn.Embedding(config.vocab_size, config.hidden_size, _weight=empty_VC)
        self.rope = MRope(config)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.num_layers))
        self.norm = RMSNorm(config.hidden_size, config.norm_eps)
        self.head = Linear(config.hidden_size, config.vocab_size, bias=False)
        if is_head_tied:
            self.head.weight = self.embedding.weight

    def forward(self, hidden_TC: Tensor, positions_3T: Tensor, attend: Attend) -> Tensor:
        """Return hidden_TC of the last layer, final norm applied; see VisionLanguageModel.forward."""
        if not torch.is_grad_enabled() and isinstance(attend, AttendPacked):
            from flashsight.models.glm4v.fused import forward_fused

            return forward_fused(self, hidden_TC, positions_3T, attend)
        rope = self.rope(positions_3T)
        for block in self.blocks:
            hidden_TC = block(hidden_TC, rope, attend)
        return self.norm(hidden_TC)  # type: ignore[no-any-return]


def _swap_pairs(x: Tensor) -> Tensor:
    pairs: Tensor = x.unflatten(-1, (-1, 2))
    return pairs.flip(-1).flatten(-2)


def _scaled(x: Tensor, scale: float) -> Tensor:
    return x if scale == 1.0 else x * scale
