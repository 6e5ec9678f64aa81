"""AdamW over float32 master weights of a bfloat16 model, a schedule by time, and saved states. Knows no loss.

Time is what is given on a rented GPU, so the rate falls with the seconds spent of those planned: the last steps
of the decay are worth as much as all before them and must not be cut off.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from flashsight.demo.together import Company


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Linear warm-up over steps, then constant, then linear decay over the last share of the planned seconds."""

    peak: float = 1e-3
    warmup_steps: int = 200
    decay_share: float = 0.35
    last: float = 0.01
    seconds: float = 1080.0

    def rate(self, step: int, elapsed_seconds: float) -> float:
        """The learning rate of a step."""
        left = max(0.0, 1 - elapsed_seconds / self.seconds)
        decay = min(1.0, left / self.decay_share)
        return self.peak * min(1.0, (step + 1) / self.warmup_steps) * max(decay, self.last)


class Optimiser:
    """One AdamW step at a time for a module in any precision; the master weights stay float32.

    Matrices decay, vectors (norms, biases) don't. What needs no gradient is kept as it is.
    """

    def __init__(self, module: nn.Module, together: Company, *, decay: float = 0.05, clip: float = 1.0) -> None:
        self._together = together
        self._parameters = dict(module.named_parameters())
        self.masters = {name: value.detach().float().clone() for name, value in self._parameters.items()}
        self._moving = [name for name, value in self._parameters.items() if value.requires_grad]
        moving = [self.masters[name] for name in self._moving]
        groups = [
            {"params": [value for value in moving if value.dim() > 1], "weight_decay": decay},
            {"params": [value for value in moving if value.dim() < 2], "weight_decay": 0.0},
        ]
        self._adam = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), eps=1e-8, fused=True)
        self._clip = clip

    def step(self, rate: float) -> Tensor:
        """Move by the gradients that the module's parameters hold, and forget them; return their norm."""
        parameters: list[Tensor] = [self._parameters[name] for name in self._moving]
        masters = [self.masters[name] for name in self._moving]
        for master, parameter in zip(masters, parameters, strict=True):
            assert parameter.grad is not None, "every parameter takes part in the loss"
            master.grad = parameter.grad.float()
            parameter.grad = None
        self._together.average([master.grad for master in masters if master.grad is not None])
        norm = nn.utils.clip_grad_norm_(masters, self._clip, foreach=True)
        for group in self._adam.param_groups:
            group["lr"] = rate
        self._adam.step()
        with torch.no_grad():
            torch._foreach_copy_(parameters, masters)
        return norm

    def save(self, path: Path, progress: dict[str, float]) -> None:
        """Write masters, moments and the progress so far; the file is whole or not there."""
        tensors = {f"master.{name}": value for name, value in self.masters.items()}
        for name, value in self.masters.items():
            for kind, moment in self._adam.state[value].items():
                tensors[f"{kind}.{name}"] = moment
        draft = path.with_suffix(".part")
        save_file({name: value.detach() for name, value in tensors.items()}, draft, {"progress": json.dumps(progress)})
        draft.replace(path)

    def load(self, path: Path) -> dict[str, float]:
        """Read what `save` wrote into the masters, the moments and the module; return the progress."""
        with safe_open(path, framework="pt", device=str(next(iter(self.masters.values())).device)) as file:
            progress: dict[str, float] = json.loads(file.metadata()["progress"])
            stored: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        with torch.no_grad():
            for name, value in self.masters.items():
                value.copy_(stored[f"master.{name}"])
                moments = ("step", "exp_avg", "exp_avg_sq")
                found = {kind: stored[f"{kind}.{name}"] for kind in moments if f"{kind}.{name}" in stored}
                if found:
                    self._adam.state[value] = found
                self._parameters[name].copy_(value)
        return progress
