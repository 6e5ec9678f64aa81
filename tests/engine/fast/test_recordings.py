"""Recorded sizes of pictures, and how recordings are made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.engine.fast.tape import Tape, recorder_of
from tests.support.caches import cache_of
from tests.support.prompts import Picture, pixel_path, some_picture
from torch import Tensor

from flashsight.core.config import ModelConfig
from flashsight.core.types import Grid, PictureInput, PictureKey
from flashsight.engine import graphs as graphs_module
from flashsight.engine import picturegraphs
from flashsight.engine import takeover as takeover_module
from flashsight.engine.graphs import CHUNK_ROWS, MOST_PADDING, QUICK_ROWS, CudaRecorder, StepGraphs, usual_forms
from flashsight.engine.picturegraphs import PictureGraphs
from flashsight.engine.runner import Runner
from flashsight.engine.takeover import Takeover
from flashsight.models.attention.layout import Span, StepForm, StepLayout
from flashsight.models.attention.paged import PagedBackend
from flashsight.models.attention.pictures import KernelPictures
from flashsight.models.attention.sdpa import SdpaBackend
from flashsight.models.glm4v.model import Glm4v
from flashsight.models.loading import load_model

COMMON = Grid(t=1, h=6, w=8)
COMMON_SOURCE = picturegraphs.Source(84, 112, COMMON)
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")


@pytest.fixture(scope="module")
def model(tiny_checkpoint: Path) -> Iterator[Glm4v]:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = load_model(ModelConfig(path=str(tiny_checkpoint), dtype="float32", device=device)).model
    attend = model.attend_pictures
    yield model
    model.attend_pictures = attend


@pytest.fixture(autouse=True)
def one_common_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picturegraphs, "COMMON", (COMMON_SOURCE,))


def shown(pixels: Picture) -> PictureInput:
    height, width = pixels.shape[:2]
    grid = Grid(t=1, h=height // 14, w=width // 14)
    key = PictureKey(str(pixels[0, 0]))
    return PictureInput(
        key=key, grid=grid, resized=(height, width), start=0, num_tokens=grid.num_patches // 4, load=lambda: pixels
    )


def test_pictures_of_recorded_sizes_have_the_features_of_the_reference_and_own_them(
    model: Glm4v, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takeover_module, "TRIALS", (((0, 3),),))
    monkeypatch.setattr(takeover_module, "TRIAL_GRIDS", (Grid(t=1, h=2, w=2),))
    monkeypatch.setattr(picturegraphs, "OFTEN", 2)
    cache = cache_of(model, num_blocks=8, block_size=16)
    plain = Runner(model=model, backend=SdpaBackend(), cache=cache, pixel_path=pixel_path, step_tokens=8)
    takeover = Takeover(
        model,
        cache,
        recorder_of(model),
        max_sequences=1,
        step_tokens=8,
        most_patches=48,
        pictures=KernelPictures(),
        pixel_path=pixel_path,
    )
    fast = Runner(
        model=model, backend=SdpaBackend(), cache=cache, pixel_path=pixel_path, step_tokens=8, takeover=takeover
    )
    pixels = [some_picture(1), some_picture(2, 56, 84), some_picture(3), some_picture(4, 56, 84), some_picture(5)]
    pictures = [shown(each) for each in pixels]
    expected = plain.encode(pictures, pixels)
    takeover._try_out(lambda: None)
    while takeover.go_on():
        pass
    graphs = takeover.picture_graphs
    assert graphs is not None
    assert graphs.num_recorded == 1
    assert graphs.num_source_replays == 0
    for found, features in zip(fast.encode(pictures, pixels), expected, strict=True):
        assert float((found - features).norm() / features.norm()) < 1e-5
        assert found.untyped_storage().nbytes() == found.nbytes
    assert graphs.num_replays == graphs.num_source_replays == 3
    assert graphs.has_more, "a size that is shown often is recorded, too"
    assert takeover.progress.is_under_way
    while takeover.go_on():
        pass
    for found, features in zip(fast.encode(pictures, pixels), expected, strict=True):
        assert float((found - features).norm() / features.norm()) < 1e-5
    assert (graphs.num_replays, graphs.num_source_replays) == (3 + 5, 3 + 3)


def test_a_picture_that_is_resized_reaches_a_recorded_size_by_its_own_way(model: Glm4v) -> None:
    calls: list[tuple[tuple[int, ...], tuple[int, int]]] = []

    def counted(pixels_HWC: Tensor, resized: tuple[int, int], /) -> Tensor:
        calls.append((tuple(pixels_HWC.shape), resized))
        return pixel_path(pixels_HWC, resized)

    graphs = PictureGraphs(
        model, recorder_of(model), KernelPictures(is_recorded=True), counted, most_patches=COMMON.num_patches
    )
    while graphs.has_more:
        graphs.record_next()
    calls.clear()
    large = torch.from_numpy(some_picture(1, 112, 140).copy()).to(model.device)
    features = graphs.encode(large, COMMON)
    assert calls == [((112, 140, 3), (84, 112))]
    cut = graphs.encode(large[:84, :112].contiguous(), COMMON)
    assert features is not None
    assert cut is not None
    assert torch.equal(features, cut)
    assert (graphs.num_replays, graphs.num_source_replays) == (2, 1)


def test_large_sizes_and_more_than_a_few_are_never_recorded(model: Glm4v, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picturegraphs, "MOST_GRIDS", 2)
    graphs = PictureGraphs(model, recorder_of(model), KernelPictures(is_recorded=True), pixel_path, most_patches=48)
    for grid in (Grid(t=1, h=8, w=8), Grid(t=1, h=2, w=2), Grid(t=1, h=4, w=2), Grid(t=1, h=2, w=4)):
        for _ in range(9):
            pixels_HWC = torch.zeros(14 * grid.h, 14 * grid.w, 3, dtype=torch.uint8, device=model.device)
            assert graphs.encode(pixels_HWC, grid) is None
    recorded = 0
    while graphs.has_more:
        graphs.record_next()
        recorded += 1
    assert graphs.num_recorded == 2
    assert recorded == 3, "two sizes, and the way of the common one's pixels"


def test_a_size_is_reached_from_a_few_sources_by_recordings_and_from_all_others_without(
    model: Glm4v, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picturegraphs, "MOST_SOURCES", 2)
    monkeypatch.setattr(picturegraphs, "MOST_NOTED", 7)

    graphs = PictureGraphs(model, Blank(), KernelPictures(is_recorded=True), pixel_path, most_patches=48)

    def show(height: int, width: int) -> bool:
        """Whether its pixels' way was recorded."""
        before = graphs.num_source_replays
        graphs.encode(torch.zeros(height, width, 3, dtype=torch.uint8, device=model.device), COMMON)
        while graphs.has_more:
            graphs.record_next()
        return graphs.num_source_replays > before

    while graphs.has_more:
        graphs.record_next()
    assert show(84, 112)
    assert not any(show(84 * 5, 112) for _ in range(6)), "far more pixels than are shown"
    assert [show(84, 140) for _ in range(5)] == [False] * 4 + [True]
    assert not any(show(84, 168) for _ in range(6)), "two are recorded already"
    for number in range(20):
        show(112 + number, 112)
        assert len(graphs._num_shown) <= 7


def test_a_recording_outlives_the_tables_that_are_kept_for_its_size(model: Glm4v) -> None:
    graphs = PictureGraphs(model, recorder_of(model), KernelPictures(is_recorded=True), pixel_path, most_patches=48)
    graphs.record_next()
    held = graphs._recorded[COMMON].tables
    assert [id(table) for table in held] == [id(table) for table in model.tables_of(COMMON)]
    model.vision._tables.clear()
    assert [id(table) for table in held] != [id(table) for table in model.tables_of(COMMON)]


def test_decodes_are_recorded_before_chunks_and_large_chunks_before_small_ones(
    model: Glm4v, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphs_module, "CHUNK_ROWS", (2, 4))
    backend = PagedBackend(model.shape.num_heads, cache_of(model, num_blocks=8, block_size=16))
    usual = usual_forms(max_sequences=2, step_tokens=8, tile_tokens=backend.tile_tokens)
    graphs = StepGraphs(model, backend, Tape(), usual, num_blocks=8)
    forms = []
    monkeypatch.setattr(graphs, "_record", lambda form: forms.append(form) or _Recorded(form))
    while graphs.has_more:
        graphs.record_next()
    assert [(form.num_rows, bool(form.num_tiles)) for form in forms] == [(1, False), (2, False), (4, True), (2, True)]


class _Recorded:
    def __init__(self, form: Any) -> None:
        self.form = form


class FakeCuda:
    """Notes on which stream things run, in torch.cuda's place."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.current, self.num_streams = "engine's", 0
        self.is_capturing = False
        monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: "pool")
        monkeypatch.setattr(torch.cuda, "Stream", self._stream)
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: _Stream(self.current))
        monkeypatch.setattr(torch.cuda, "stream", self._on)
        monkeypatch.setattr(torch.cuda, "CUDAGraph", _Graph)
        monkeypatch.setattr(torch.cuda, "graph", self._capture)

    def _stream(self, device: torch.device) -> _Stream:
        self.num_streams += 1
        return _Stream(f"stream {self.num_streams}")

    @contextmanager
    def _on(self, stream: _Stream) -> Iterator[None]:
        before, self.current = self.current, stream.name
        try:
            yield
        finally:
            self.current = before

    @contextmanager
    def _capture(self, graph: object, *, pool: str, stream: _Stream, capture_error_mode: str) -> Iterator[None]:
        assert (pool, capture_error_mode) == ("pool", "thread_local")
        self.current, self.is_capturing = stream.name, True
        yield  # torch leaves the stream set where a capture breaks off
        self.is_capturing = False


class _Stream:
    def __init__(self, name: str) -> None:
        self.name = name

    def wait_stream(self, other: _Stream) -> None:
        pass


class _Graph:
    def replay(self) -> None:
        pass


def test_every_form_is_rehearsed_and_captured_on_one_stream_which_is_left_even_if_it_breaks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cuda = FakeCuda(monkeypatch)
    recorder = CudaRecorder(torch.device("cpu"))
    ran: list[tuple[str, bool]] = []

    def run() -> Tensor:
        ran.append((cuda.current, cuda.is_capturing))
        return torch.zeros(1)

    for _ in range(3):
        recorder.record(run)
        assert cuda.current == "engine's"
    assert ran == [("stream 1", False), ("stream 1", True)] * 3
    assert cuda.num_streams == 1

    def broken() -> Tensor:
        if cuda.is_capturing:
            raise RuntimeError("not while capturing")
        return torch.zeros(1)

    with pytest.raises(RuntimeError, match="not while capturing"):
        recorder.record(broken)
    assert cuda.current == "engine's"


class Broken:
    """Records nothing of pictures, and of steps only those that do not overlap."""

    def __init__(self) -> None:
        self.is_overlapping = True
        self._tape = Tape()

    def record(self, run: Any) -> Any:
        if self.is_overlapping:
            raise RuntimeError("not to be captured")
        return self._tape.record(run)


def test_what_cannot_be_recorded_stops_only_its_like_and_steps_are_tried_once_more_in_turn(
    model: Glm4v, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(graphs_module, "CHUNK_ROWS", (2,))
    recorder = Broken()
    limits = {"max_sequences": 1, "step_tokens": 8, "most_patches": 48}
    takeover = Takeover(
        model,
        cache_of(model, num_blocks=8, block_size=16),
        recorder,
        **limits,
        pictures=KernelPictures(),
        pixel_path=pixel_path,
        overlaps=True,
    )
    monkeypatch.setattr(takeover, "_worst_difference", lambda: 0.0)
    monkeypatch.setattr(takeover, "_picture_difference", lambda pictures: 0.0)
    takeover._try_out(lambda: None)
    takeover.go_on()
    for said in ("a picture could not be recorded", "a step could not be recorded"):
        assert takeover.go_on()
        assert said in caplog.text
    recorder.is_overlapping = False
    while takeover.go_on():
        pass
    assert takeover.backend is not None
    assert not takeover.backend.step_of(StepForm(1, 1), num_blocks=2).overlaps
    assert takeover.progress.num_recorded == 2
    assert not takeover.progress.is_under_way


@pytest.mark.parametrize(("differences", "overlaps"), [([0.01], True), ([0.5, 0.01], False)], ids=["sound", "unsound"])
def test_overlapping_kernels_that_compute_something_else_run_one_after_the_other(
    model: Glm4v, monkeypatch: pytest.MonkeyPatch, differences: list[float], overlaps: bool
) -> None:
    takeover = Takeover(
        model, cache_of(model, num_blocks=8, block_size=16), None, max_sequences=1, step_tokens=8, overlaps=True
    )
    monkeypatch.setattr(takeover, "_worst_difference", lambda: differences.pop(0))
    takeover._try_out(lambda: None)
    takeover.go_on()
    assert takeover.backend is not None
    few, many = (takeover.backend.step_of(StepForm(rows, rows), num_blocks=2) for rows in (16, 17))
    assert (few.overlaps, many.overlaps) == (overlaps, False)
    assert differences == []


class Blank:
    """Records nothing: only forms matter here."""

    def record(self, run: Any) -> Any:
        return lambda: None, torch.empty(0)


def forms_found(graphs: StepGraphs, sizes: range) -> list[int | None]:
    found = (graphs.find(StepLayout((Span(0, size, 0, range(400)),))) for size in sizes)
    return [None if step is None else step.form.num_rows for step in found]


def test_every_chunk_has_a_form_and_none_is_padded_for_longer_than_its_kernels_would_take(model: Glm4v) -> None:
    cache = cache_of(model, num_blocks=8, block_size=16)
    backend = PagedBackend(model.shape.num_heads, cache)
    usual = usual_forms(max_sequences=2, step_tokens=2048, tile_tokens=backend.tile_tokens)
    graphs = StepGraphs(model, backend, Blank(), usual, num_blocks=600)
    sizes = range(2, 1537)
    assert set(forms_found(graphs, sizes)) == {None}
    while graphs.num_recorded < 3:
        graphs.record_next()
    largest = max(CHUNK_ROWS)
    early = forms_found(graphs, sizes)
    assert set(early) == {None, largest}, "decodes and the largest chunk come first"
    assert early[sizes.index(1000)] is None
    while graphs.has_more:
        graphs.record_next()
    for size, rows in zip(sizes, forms_found(graphs, sizes), strict=True):
        assert rows is not None
        assert rows == min(form for form in CHUNK_ROWS if form >= size)
        assert rows <= max(QUICK_ROWS, size * (1 + MOST_PADDING))
    assert forms_found(graphs, range(1537, 1540)) == [None] * 3
