from __future__ import annotations

import types

import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.models.glm4v.modeling_glm4v import Glm4vModel

from flashsight.processing.positions import PictureSpan, mrope_positions

# Runs of a prompt: how many text tokens, then a picture of (rows, columns) tokens.
RUNS = st.lists(st.tuples(st.integers(1, 9), st.tuples(st.integers(1, 6), st.integers(1, 6))), max_size=5)


def spans_of(runs: list[tuple[int, tuple[int, int]]]) -> tuple[list[PictureSpan], int]:
    spans, length = [], 0
    for num_text, (rows, columns) in runs:
        spans.append(PictureSpan(start=length + num_text, rows=rows, columns=columns))
        length += num_text + rows * columns
    return spans, length


def reference(num_tokens: int, spans: list[PictureSpan]) -> tuple[list[list[int]], int]:
    """Ask transformers' own method; it reads nothing of its model but the merge size."""
    kinds = torch.zeros(1, num_tokens, dtype=torch.int)
    for span in spans:
        kinds[0, span.start : span.start + span.rows * span.columns] = 1
    vision = types.SimpleNamespace(spatial_merge_size=2)
    model = types.SimpleNamespace(config=types.SimpleNamespace(vision_config=vision))
    model.get_vision_position_ids = types.MethodType(Glm4vModel.get_vision_position_ids, model)
    grids = torch.tensor([[1, 2 * span.rows, 2 * span.columns] for span in spans]) if spans else None
    ids = torch.zeros(1, num_tokens, dtype=torch.long)
    positions, delta = Glm4vModel.get_rope_index(model, ids, kinds, image_grid_thw=grids)
    return positions[:, 0].tolist(), int(delta)


@given(runs=RUNS, num_last=st.integers(1, 9))
def test_positions_and_delta_equal_transformers(runs: list[tuple[int, tuple[int, int]]], num_last: int) -> None:
    spans, length = spans_of(runs)
    positions, delta = mrope_positions(length + num_last, spans)
    assert (positions.tolist(), delta) == reference(length + num_last, spans)


def test_two_pictures_in_39_tokens() -> None:
    first, second = PictureSpan(start=5, rows=3, columns=4), PictureSpan(start=20, rows=5, columns=3)
    positions, delta = mrope_positions(39, [first, second])
    assert delta == -18
    assert set(positions[0, 5:17]) == {5}
    assert (positions[1, 5], positions[1, 16]) == (5, 7)
    assert (positions[2, 5], positions[2, 16]) == (5, 8)
    assert positions[:, 17].tolist() == [9, 9, 9]
    assert positions[:, 20].tolist() == [12, 12, 12]
    assert positions[:, 35].tolist() == [17, 17, 17]


def test_text_alone_counts_on() -> None:
    positions, delta = mrope_positions(4, [])
    assert positions.tolist() == [[0, 1, 2, 3]] * 3
    assert delta == 0
