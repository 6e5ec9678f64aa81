from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from flashsight.core.config import MediaConfig
from flashsight.core.errors import UnreadablePicture
from flashsight.core.types import Caller, Conversation, Detail, Media, Message, ModelInput, PicturePart, Salt, TextPart
from flashsight.processing.processor import Processor

from .pictures import encoded, scene

FIELD = "messages[0].content[0].image_url"
CALLER = Caller(name="test", salt=Salt(b""))


@pytest.fixture(scope="module")
def processor(glm_files: Path) -> Processor:
    return Processor(glm_files, MediaConfig())


def picture(width: int, height: int, *, orientation: int = 1) -> Media:
    content = encoded(scene(width, height))
    sha256 = hashlib.sha256(content).hexdigest()
    return Media(content=content, sha256=sha256, format="png", width=width, height=height, orientation=orientation)


def ask(processor: Processor, *parts: str | Media, detail: Detail = "auto") -> ModelInput:
    kept = [
        TextPart(text=part) if isinstance(part, str) else PicturePart(media=part, detail=detail, param=FIELD)
        for part in parts
    ]
    message = Message(role="user", parts=tuple(kept))
    return processor.prepare(Conversation(messages=(message,), caller=CALLER, request_id="r"))


def test_placeholders_stand_exactly_where_the_pictures_are(processor: Processor) -> None:
    prompt = ask(processor, "left ", picture(300, 200), " right ", picture(100, 400), "compare <|image|>")
    placeholder = processor.tokenizer.id_of("<|image|>")
    expected = np.zeros(len(prompt.ids), bool)
    for one in prompt.pictures:
        expected[one.start : one.start + one.num_tokens] = True
        assert one.num_tokens == one.grid.num_patches // 4
        assert one.resized == (one.grid.h * 14, one.grid.w * 14)
        assert prompt.ids[one.start - 1] == processor.tokenizer.id_of("<|begin_of_image|>")
        assert prompt.ids[one.start + one.num_tokens] == processor.tokenizer.id_of("<|end_of_image|>")
    assert ((prompt.ids == placeholder) == expected).all()
    assert prompt.positions.shape == (3, len(prompt.ids))
    assert prompt.positions.max() + 1 - len(prompt.ids) == prompt.delta


def test_only_headers_are_read_until_pixels_are_asked_for(processor: Processor) -> None:
    whole = picture(300, 200)
    cut = Media(content=whole.content[:200], sha256="0", format="png", width=300, height=200)
    prompt = ask(processor, cut, "what?")
    with pytest.raises(UnreadablePicture, match="damaged") as caught:
        prompt.pictures[0].load()
    assert caught.value.key == prompt.pictures[0].key
    assert prompt.pictures[0].param == FIELD
    assert ask(processor, whole, "what?").pictures[0].load().shape == (200, 300, 3)


def test_equal_keys_mean_equal_pixels_shown_at_equal_size(processor: Processor) -> None:
    large = picture(900, 600)
    same = [ask(processor, "a", large).pictures[0], ask(processor, large, "b").pictures[0]]
    low = ask(processor, large, detail="low").pictures[0]
    other = ask(processor, picture(901, 600)).pictures[0]
    assert same[0].key == same[1].key
    assert len({same[0].key, low.key, other.key}) == 3
    assert large.sha256 in same[0].key
    assert low.num_tokens < same[0].num_tokens


def test_the_cost_is_known_before_asking_and_counts_the_turned_picture(processor: Processor) -> None:
    lying = picture(600, 300, orientation=6)
    cost = processor.describe(lying)
    assert cost.resized[0] > cost.resized[1]
    assert cost == processor.describe(lying, "high")
    prompt = ask(processor, lying)
    assert (prompt.pictures[0].resized, prompt.pictures[0].num_tokens) == (cost.resized, cost.num_tokens)
    assert prompt.pictures[0].load().shape == (600, 300, 3)


def test_a_conversation_without_pictures_is_plain(processor: Processor) -> None:
    prompt = ask(processor, "hello")
    assert prompt.pictures == ()
    assert prompt.delta == 0
    assert prompt.ids.dtype == prompt.positions.dtype == np.int64


def test_a_large_picture_in_detail_is_the_overview_then_its_tiles(processor: Processor) -> None:
    large = picture(2048, 1024)
    cost = processor.describe(large, "high")
    assert cost.tiles is not None
    assert (cost.tiles.rows, cost.tiles.columns) == (1, 2)
    plain, detailed = ask(processor, large, "what?"), ask(processor, large, "what?", detail="high")
    overview, *tiles = detailed.pictures
    assert (overview.key, overview.start) == (plain.pictures[0].key, plain.pictures[0].start)
    end_of_overview = overview.start + overview.num_tokens + 1
    assert (detailed.ids[:end_of_overview] == plain.ids[:end_of_overview]).all()
    assert sum(each.num_tokens for each in detailed.pictures) == cost.num_tokens
    assert len({each.key for each in detailed.pictures}) == 3
    pixels = np.hstack([tile.load() for tile in tiles])
    assert (pixels == np.asarray(scene(2048, 1024))).all()
    begin, end = processor.tokenizer.id_of("<|begin_of_image|>"), processor.tokenizer.id_of("<|end_of_image|>")
    for each in detailed.pictures:
        assert (detailed.ids[each.start - 1], detailed.ids[each.start + each.num_tokens]) == (begin, end)
    between = detailed.ids[end_of_overview : tiles[0].start - 1]
    assert "1 x 2, row by row" in processor.tokenizer.decode(between.tolist())


def test_low_is_one_small_overview_and_small_pictures_have_no_tiles(processor: Processor) -> None:
    low, high, auto = (
        ask(processor, picture(2048, 1024), detail=detail).pictures for detail in ("low", "high", "auto")
    )
    assert (len(low), len(auto), len(high)) == (1, 1, 3)
    assert max(low[0].resized) == 504
    assert len(ask(processor, picture(600, 600), detail="high").pictures) == 1


def test_tiles_of_a_turned_picture_are_cut_as_a_person_sees_it(processor: Processor) -> None:
    lying = picture(1024, 2048, orientation=6)
    _, *tiles = ask(processor, lying, detail="high").pictures
    assert [tile.load().shape for tile in tiles] == [(1024, 1024, 3)] * 2
    turned = np.rot90(np.asarray(scene(1024, 2048)), -1)
    assert (np.hstack([tile.load() for tile in tiles]) == turned).all()


def test_tiles_take_no_more_than_their_share_of_the_context(glm_files: Path) -> None:
    for context in (2000, 4000, 8000, 40000):
        short = Processor(glm_files, MediaConfig(), context_tokens=context)
        assert short.describe(picture(4000, 3000), "high").num_tokens <= max(context // 2, 999)


def test_planning_tiles_reads_no_pixel(processor: Processor) -> None:
    whole = picture(2048, 1024)
    cut = Media(content=whole.content[:200], sha256="0", format="png", width=2048, height=1024)
    prompt = ask(processor, cut, detail="high")
    for each in prompt.pictures:
        with pytest.raises(UnreadablePicture, match="damaged") as caught:
            each.load()
        assert caught.value.key == each.key
        assert each.param == FIELD
