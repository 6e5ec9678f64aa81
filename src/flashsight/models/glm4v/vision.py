"""The picture encoder of glm4v: patches of still pictures to features of the decoder's width.

Knows nothing of tokens. Every picture attends to itself only, so its features don't depend on what it is packed with.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flashsight.core.types import Grid
from flashsight.models.attention.layout import AttendPictures, TurnPictures
from flashsight.models.glm4v.config import VisionConfig
from flashsight.models.layers import Linear, RMSNorm, rotate, swiglu

MAX_TABLE_BYTES = 128 << 20

Rope = tuple[Tensor, Tensor]


class Block(nn.Module):
    """Pre-norm attention and SwiGLU, no biases."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        hidden = config.hidden_size
        self.num_heads, self.head_size = config.num_heads, config.head_size
        self.attn_norm = RMSNorm(hidden, config.norm_eps)
        self.qkv = Linear(hidden, 3 * hidden, bias=False)
        self.out = Linear(hidden, hidden, bias=False)
        self.mlp_norm = RMSNorm(hidden, config.norm_eps)
        self.gate_up = Linear(hidden, 2 * config.out_hidden_size, bias=False)
        self.down = Linear(config.out_hidden_size, hidden, bias=False)

    def forward(self, hidden_PC: Tensor, rope: Rope, attend: AttendPictures, cu_patches: Sequence[int]) -> Tensor:
        """Return hidden_PC after one block."""
        qkv: Tensor = self.qkv(self.attn_norm(hidden_PC)).view(-1, 3 * self.num_heads, self.head_size)
        qk, v_PHD = qkv.split((2 * self.num_heads, self.num_heads), dim=1)
        qk = rotate(qk, qk.roll(self.head_size // 2, dims=-1), *rope)
        q_PHD, k_PHD = qk.chunk(2, dim=1)
        o_PHD = attend(q_PHD, k_PHD, v_PHD, cu_patches)
        hidden_PC = hidden_PC + self.out(o_PHD.flatten(1))
        mlp_PC: Tensor = self.down(swiglu(self.gate_up(self.mlp_norm(hidden_PC))))
        return hidden_PC + mlp_PC


class Merger(nn.Module):
    """Projection, LayerNorm, exact GELU, SwiGLU: the bridge to the decoder."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        size, wide = config.out_hidden_size, config.intermediate_size
        self.proj = Linear(size, size, bias=False)
        self.norm = nn.LayerNorm(size)
        self.gate_up = Linear(size, 2 * wide, bias=False)
        self.down = Linear(wide, size, bias=False)

    def forward(self, hidden_MC: Tensor) -> Tensor:
        """Return features_MC."""
        hidden_MC = F.gelu(self.norm(self.proj(hidden_MC).to(self.norm.weight.dtype)))
        features_MC: Tensor = self.down(swiglu(self.gate_up(hidden_MC)))
        return features_MC


class GridTables:
    """Tensors that depend on a grid alone, kept for the grids seen last; at most MAX_TABLE_BYTES of them."""

    def __init__(self) -> None:
        self._tables: OrderedDict[Grid, tuple[Tensor, ...]] = OrderedDict()
        self.num_bytes = 0

    def get(self, grid: Grid, make: Callable[[Grid], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """Return the grid's tables, made now if they are not kept."""
        if grid in self._tables:
            self._tables.move_to_end(grid)
            return self._tables[grid]
        tables = self._tables[grid] = make(grid)
        self.num_bytes += _nbytes(tables)
        while self.num_bytes > MAX_TABLE_BYTES and len(self._tables) > 1:
            self.num_bytes -= _nbytes(self._tables.popitem(last=False)[1])
        return tables

    def clear(self) -> None:
        """Forget all: the weights have changed or moved."""
        self._tables.clear()
        self.num_bytes = 0


class Vision(nn.Module):
    """The encoder. While it learns nothing is kept between calls, so that gradients reach the position table."""

    def __init__(self, config: VisionConfig, attend: AttendPictures) -> None:
        super().__init__()
        self.config = config
        self.attend = attend
        hidden = config.hidden_size
        self.patch = Linear(config.patch_elements, hidden)
        self.patch_norm = RMSNorm(hidden, config.norm_eps)
        self.position = nn.Parameter(torch.zeros(config.position_side**2, hidden))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = RMSNorm(hidden, config.norm_eps)
        self.downsample = Linear(hidden * config.merge**2, config.out_hidden_size)
        self.merger = Merger(config)
        self._tables = GridTables()

    def forward(self, patches_PK: Tensor, grids: Sequence[Grid], attend: AttendPictures | None = None) -> Tensor:
        """Return features_MC of packed pictures; see VisionLanguageModel.encode."""
        return self.merge(self.patch_features(patches_PK, grids, attend))

    def patch_features(self, patches_PK: Tensor, grids: Sequence[Grid], attend: AttendPictures | None = None) -> Tensor:
        """Return hidden_PC of every patch, before squares of patches are merged."""
        cu_patches = (0, *accumulate(grid.num_patches for grid in grids))
        position_PC, cos, sin = self.tables_of(grids)
        hidden_PC = self.patch_norm(self.patch(patches_PK)) + position_PC
        attend = attend or self.attend
        if not torch.is_grad_enabled() and isinstance(attend, TurnPictures):
            from flashsight.models.glm4v.fused import encode_fused

            return encode_fused(self, hidden_PC, (cos, sin), attend, cu_patches)
        for block in self.blocks:
            hidden_PC = block(hidden_PC, (cos, sin), attend, cu_patches)
        return self.norm(hidden_PC)  # type: ignore[no-any-return]

    def merge(self, hidden_PC: Tensor) -> Tensor:
        """Return features_MC of patches that come in squares."""
        hidden_MC = hidden_PC.reshape(-1, self.config.hidden_size * self.config.merge**2)
        return self.merger(self.downsample(hidden_MC))  # type: ignore[no-any-return]

    def train(self, mode: bool = True) -> Self:
        """Switch training mode; what was kept from the old weights is forgotten."""
        self._tables.clear()
        return super().train(mode)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._tables.clear()
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def tables_of(self, grids: Sequence[Grid]) -> tuple[Tensor, ...]:
        """Return position_PC, cos and signed sin [P, 1, D] of packed pictures; those of one picture are kept."""
        is_learning = self.training or (self.position.requires_grad and torch.is_grad_enabled())
        if is_learning or torch.compiler.is_compiling():
            tables = [self._make_tables(grid) for grid in grids]
        else:
            tables = [self._tables.get(grid, self._make_tables) for grid in grids]
        return tables[0] if len(tables) == 1 else tuple(torch.cat(part) for part in zip(*tables, strict=True))

    def _make_tables(self, grid: Grid) -> tuple[Tensor, ...]:
        return (self._position(grid), *self._rope(grid))

    def _position(self, grid: Grid) -> Tensor:
        """Return the position table resampled to the grid (bicubic, float32), in the patches' order."""
        side, merge = self.config.position_side, self.config.merge
        table = self.position.view(1, side, side, -1)
        if (grid.h, grid.w) != (side, side):
            table_CHW = table.permute(0, 3, 1, 2).float()
            table_CHW = F.interpolate(table_CHW, size=(grid.h, grid.w), mode="bicubic", align_corners=False)
            table = table_CHW.permute(0, 2, 3, 1)
        squares = table.reshape(grid.h // merge, merge, grid.w // merge, merge, -1).transpose(1, 2)
        position_PC = squares.reshape(grid.h * grid.w, -1).to(self.patch_norm.weight.dtype)
        return position_PC.repeat(grid.t, 1) if grid.t > 1 else position_PC

    def _rope(self, grid: Grid) -> Rope:
        """Return cos and signed sin [P, 1, D] in float32: half-split pairs, first those of rows, then of columns."""
        merge, quarter = self.config.merge, self.config.head_size // 4
        device = self.position.device
        rows = torch.arange(grid.h, device=device).view(-1, 1).expand(grid.h, grid.w)
        columns = torch.arange(grid.w, device=device).expand(grid.h, grid.w)
        places = torch.stack((rows, columns)).view(2, grid.h // merge, merge, grid.w // merge, merge)
        places_P2 = places.permute(1, 3, 2, 4, 0).reshape(-1, 2).float()
        exponents = torch.arange(quarter, device=device, dtype=torch.float32) / quarter
        frequencies = 1.0 / self.config.rope_theta**exponents
        angles = (places_P2[:, :, None] * frequencies).flatten(1).repeat(grid.t, 1)
        cos, sin = angles.cos(), angles.sin()
        return torch.cat((cos, cos), -1)[:, None], torch.cat((-sin, sin), -1)[:, None]


def _nbytes(tables: tuple[Tensor, ...]) -> int:
    return sum(table.nbytes for table in tables)
