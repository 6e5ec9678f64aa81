from __future__ import annotations

import gc
import hashlib
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from flashsight.core.errors import PictureError
from flashsight.core.types import Media
from flashsight.processing import sheets as subject
from flashsight.processing.sheets import HELD_SHEETS, Sheet, Sheets

from .pictures import encoded, scene

SIZE = (600, 400)
QUARTERS = [(0, 0, 300, 200), (300, 0, 600, 200), (0, 200, 300, 400), (300, 200, 600, 400)]


def media(seed: int = 0, kind: str = "PNG") -> Media:
    content = encoded(scene(*SIZE, seed), kind)
    sha256 = hashlib.sha256(content).hexdigest()
    return Media(content=content, sha256=sha256, format=kind.lower(), width=SIZE[0], height=SIZE[1])  # type: ignore[arg-type]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes of what was decoded."""
    calls: list[str] = []
    real = subject.decode

    def counting(picture: Media, *, shown: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        calls.append(picture.sha256)
        return real(picture, shown=shown)

    monkeypatch.setattr(subject, "decode", counting)
    return calls


def sheet_of(sheets: Sheets, picture: Media, shown: tuple[int, int] = SIZE[::-1]) -> Sheet:
    return sheets.sheet(picture, shown=shown, num_parts=4)


def test_four_quarters_make_the_picture_and_it_is_decoded_once(decoded: list[str]) -> None:
    sheet = sheet_of(Sheets(), media())
    parts = [sheet.part(region) for region in QUARTERS]
    whole = np.vstack([np.hstack(parts[:2]), np.hstack(parts[2:])])
    assert (whole == np.asarray(scene(*SIZE))).all()
    assert len(decoded) == 1
    assert sheet.pixels is None, "nobody wants it any more"


def test_threads_share_one_decoding(decoded: list[str]) -> None:
    sheet = sheet_of(Sheets(), media())
    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(sheet.part, QUARTERS))) == 4
    assert len(decoded) == 1


def test_two_requests_about_the_same_picture_share_its_sheet() -> None:
    sheets = Sheets()
    assert sheet_of(sheets, media()) is not sheet_of(sheets, media(1))
    kept = sheet_of(sheets, media())
    assert sheet_of(sheets, media()) is kept


def test_only_so_many_pictures_hold_their_pixels(decoded: list[str]) -> None:
    sheets = Sheets()
    kept = [sheet_of(sheets, media(seed)) for seed in range(HELD_SHEETS + 2)]
    for sheet in kept:
        sheet.part(QUARTERS[0])
    assert [sheet.pixels is not None for sheet in kept] == [False, False, *[True] * HELD_SHEETS]
    assert (kept[0].part(QUARTERS[3]) == np.asarray(scene(*SIZE))[200:, 300:]).all(), "decoded again"
    assert len(decoded) == len(kept) + 1


def test_a_sheet_that_nobody_waits_for_is_gone() -> None:
    sheets = Sheets()
    sheet = sheet_of(sheets, media())
    sheet.part(QUARTERS[0])
    watched = weakref.ref(sheet)
    del sheet
    gc.collect()
    assert watched() is None


def test_a_jpeg_comes_at_a_fraction_of_its_size_and_its_regions_with_it() -> None:
    sheet = sheet_of(Sheets(), media(kind="JPEG"), shown=(100, 150))
    shapes = [sheet.part(region).shape for region in QUARTERS]
    assert shapes == [(100, 150, 3)] * 4


def test_a_damaged_picture_says_so_for_every_tile() -> None:
    whole = media()
    cut = Media(content=whole.content[:300], sha256="0", format="png", width=SIZE[0], height=SIZE[1])
    sheet = sheet_of(Sheets(), cut)
    for region in QUARTERS:
        with pytest.raises(PictureError, match="damaged"):
            sheet.part(region)
