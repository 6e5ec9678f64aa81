"""How queries meet keys: one call per layer, behind a door that training, the reference and the fast ways share.

Attend          what a text layer calls: (layer, q_THD, k_TGD, v_TGD) -> o_THD
AttendPictures  what a vision block calls: full attention inside each picture, none across
StepLayout      which rows of the packed T belong to which sequence, and where their keys live
KVCache         the paged tensors
"""

from flashsight.models.attention.layout import (
    Attend,
    AttendPictures,
    AttentionBackend,
    KVCache,
    Span,
    StepLayout,
)

__all__ = ["Attend", "AttendPictures", "AttentionBackend", "KVCache", "Span", "StepLayout"]
