"""What nano is taught by: answers token by token, and what each patch shows. Knows no file, no schedule, no drawing.

The patch heads read the encoder's patches before they are merged. Without them neither text nor icons are learned in
the time there is; they are dropped at export.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flashsight.core.types import Grid
from flashsight.demo.attention import BlindGroups, EqualPictures
from flashsight.demo.recipe import PATCH
from flashsight.demo.sample import IGNORED, NUM_FEATURES
from flashsight.models.glm4v.model import Glm4v

CLASSES = ("char", "icon", "colour", "level", "value")
LABELS = (*CLASSES, "feature")

FEW = 32
"""Where fewer than one of so many patches bear a kind of label, each of them counts as if there were so many."""


class PatchHeads(nn.Module):
    """One linear layer for each kind of patch label: five classifiers, and one that describes as a teacher does."""

    def __init__(self, hidden_size: int, num_classes: Mapping[str, int]) -> None:
        super().__init__()
        widths = {**num_classes, "feature": NUM_FEATURES}
        self.heads = nn.ModuleDict({name: nn.Linear(hidden_size, widths[name]) for name in LABELS})

    def clear(self) -> None:
        """Set all weights to zero: heads that know nothing yet then send nothing back into a trained encoder."""
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.zero_()

    def forward(self, hidden_PC: Tensor) -> dict[str, Tensor]:
        """Return float32 logits [P, classes] by kind of label, and features [P, NUM_FEATURES]."""
        return {name: head(hidden_PC).float() for name, head in self.heads.items()}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One step's losses and what was right. tokens [2, skills] and patches [2, kinds] are (right, all) counts.

    A described patch is as right as its direction: the cosine of the angle to the teacher's.
    """

    loss: Tensor
    answer_loss: Tensor
    patch_loss: Tensor
    tokens: Tensor
    patches: Tensor


class Objective(nn.Module):
    """The model with its heads, and the loss of one batch.

    heads_alone: the heads learn and send nothing back, as new ones should beside an encoder that already sees.
    keeps_encoder: the encoder's blocks stay as they are and labels of patches teach nothing; what merges its patches
    and what answers learns on.
    features_FC: a teacher's descriptions, rows of length 1, which labels of patches point to; no label where None.
    """

    def __init__(
        self,
        model: Glm4v,
        heads: PatchHeads,
        num_skills: int,
        *,
        keeps_encoder: bool = False,
        features_FC: Tensor | None = None,
    ) -> None:
        super().__init__()
        rows = torch.zeros(1, NUM_FEATURES) if features_FC is None else features_FC.float()
        self.register_buffer("features_FC", rows, persistent=False)
        self.model, self.heads = model, heads
        self.num_skills = num_skills
        self.heads_alone = False
        self.keeps_encoder = keeps_encoder
        if keeps_encoder:
            heads.requires_grad_(False)
            model.vision.requires_grad_(False)
            model.vision.downsample.requires_grad_(True)
            model.vision.merger.requires_grad_(True)
        self.attend_pictures = EqualPictures()
        model.vision.attend = self.attend_pictures

    def patch_features(self, patches_PK: Tensor, num_pictures: int, grid: tuple[int, int]) -> Tensor:
        """Return hidden_PC of pictures of one size in patches (rows, columns), before the merge."""
        self.attend_pictures.num_pictures = num_pictures
        return self.model.vision.patch_features(patches_PK, [Grid(t=num_pictures, h=grid[0], w=grid[1])])

    def forward(self, batch: Mapping[str, Tensor], patches_PK: Tensor) -> Outcome:
        """Return the outcome of a collated batch (see Collator.collate) whose pictures are cut into patches."""
        num_pictures, height, width, _ = batch["pixels"].shape
        with torch.set_grad_enabled(not self.keeps_encoder):
            hidden_PC = self.patch_features(patches_PK, num_pictures, (height // PATCH, width // PATCH))
        features_MC = self.model.vision.merge(hidden_PC)
        hidden_TC = self.read(batch, features_MC)
        answer_loss, tokens = self._answers(batch, hidden_TC)
        patch_loss, patches = answer_loss.new_zeros(()), answer_loss.new_zeros(2, len(LABELS))
        if not self.keeps_encoder:
            patch_loss, patches = self._patches(batch, hidden_PC)
        return Outcome(answer_loss + patch_loss, answer_loss.detach(), patch_loss.detach(), tokens, patches)

    def read(self, batch: Mapping[str, Tensor], features_MC: Tensor) -> Tensor:
        """Return hidden_TC of all rows, T = B * L, with the pictures' features in their places."""
        hidden_TC = self.model.embed(batch["ids"].flatten())
        hidden_TC = hidden_TC.index_copy(0, batch["pictures"].long(), features_MC.to(hidden_TC.dtype))
        positions_3T = batch["positions"].transpose(0, 1).flatten(1)
        return self.model(hidden_TC, positions_3T, BlindGroups(batch["groups"]))  # type: ignore[no-any-return]

    def _answers(self, batch: Mapping[str, Tensor], hidden_TC: Tensor) -> tuple[Tensor, Tensor]:
        logits_KV = self.model.logits(hidden_TC.index_select(0, batch["places"]))
        targets, weights, skills = batch["targets"].long(), batch["weights"], batch["skills"].long()
        losses = F.cross_entropy(logits_KV, targets, reduction="none")
        right = (logits_KV.detach().argmax(-1) == targets).float()
        counts = torch.zeros(2, self.num_skills, device=losses.device)
        counts[0].index_add_(0, skills, right)
        counts[1].index_add_(0, skills, torch.ones_like(right))
        return (losses * weights).sum() / weights.sum(), counts

    def _patches(self, batch: Mapping[str, Tensor], hidden_PC: Tensor) -> tuple[Tensor, Tensor]:
        hidden_PC = hidden_PC.detach() if self.heads_alone else hidden_PC
        logits = self.heads(hidden_PC.index_select(0, batch["patches"].flatten()))
        labels = batch["labels"].flatten(0, 1).long()
        losses, counts = [], []
        for number, name in enumerate(CLASSES):
            wanted = labels[:, number]
            is_known = wanted != IGNORED
            total = F.cross_entropy(logits[name], wanted, ignore_index=IGNORED, reduction="sum")
            losses.append(total / is_known.sum().clamp_min(len(wanted) / FEW))
            right = (logits[name].detach().argmax(-1) == wanted) & (wanted > 0)
            counts.append(torch.stack((right.sum(), (wanted > 0).sum())).float())
        described, likeness = self._described(logits["feature"], labels[:, len(CLASSES)])
        losses.append(described)
        counts.append(likeness)
        return torch.stack(losses).sum(), torch.stack(counts, dim=1)

    def _described(self, told_PC: Tensor, rows_P: Tensor) -> tuple[Tensor, Tensor]:
        """Half the squared distance to the teacher's features: 1 - cosine at length 1, and no cliff at zero."""
        is_known = rows_P != IGNORED
        wanted_PC = self.get_buffer("features_FC").index_select(0, rows_P.clamp_min(0))
        total = ((told_PC - wanted_PC).square().sum(-1) / 2 * is_known).sum()
        cosines = F.cosine_similarity(told_PC.detach(), wanted_PC, dim=-1) * is_known
        counts = torch.stack((cosines.sum(), is_known.sum()))
        return total / is_known.sum().clamp_min(len(rows_P) / FEW), counts
