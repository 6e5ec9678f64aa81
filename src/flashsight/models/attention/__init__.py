"""How queries meet keys: one call per layer, behind a door that training, the reference and the fast ways share.

Attend          what a text layer calls: (layer, q_THD, k_TGD, v_TGD) -> o_THD
AttendPacked    what a backend with kernels of its own offers besides: the fused product in, turned and stored there
AttendPictures  what a vision block calls: full attention inside each picture, none across
TurnPictures    the same of pictures
StepLayout      which rows of the packed T belong to which sequence, and where their keys live
KVCache         the paged tensors
"""

from flashsight.models.attention.layout import (
    Attend,
    AttendPacked,
    AttendPictures,
    AttentionBackend,
    KVCache,
    Span,
    StepLayout,
    TurnPictures,
)

__all__ = [
    "Attend",
    "AttendPacked",
    "AttendPictures",
    "AttentionBackend",
    "KVCache",
    "Span",
    "StepLayout",
    "TurnPictures",
]
