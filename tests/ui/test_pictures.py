"""How pictures come in, in real Chromium: by choice, drop and paste, in order; what is said of files that are none."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from flashsight.core.types import PicturePart
from tests.ui.conftest import Visit
from tests.ui.house import PageHouse
from tests.ui.pictures import bring, choose, file, mug

pytestmark = pytest.mark.browser


def names(page: Page) -> list[str]:
    return [text.split(" · ")[-1] for text in page.locator("#pictures .name").all_inner_texts()]


def sent(house: PageHouse) -> list[bytes]:
    """The pictures that the last request brought, in its order."""
    conversation, _ = house.backend.asked[-1]
    return [
        part.media.content
        for message in conversation.messages
        for part in message.parts
        if isinstance(part, PicturePart)
    ]


def ask(page: Page) -> None:
    page.click("#ask")
    page.wait_for_selector("#retry:enabled")


@pytest.mark.parametrize("way", ["choose", "drop", "paste"])
def test_a_picture_comes_in_by_choice_drop_and_paste_and_is_sent_unchanged(page: Page, house: PageHouse, way: str):
    picture = mug((64, 48))
    if way == "choose":
        choose(page, file("mug.png", picture))
    else:
        bring(page, "drop" if way == "drop" else "paste", "mug.png", picture)
    shown = page.locator("#pictures img")
    expect(shown).to_have_count(1)
    assert shown.evaluate("image => image.decode().then(() => [image.naturalWidth, image.naturalHeight])") == [64, 48]
    expect(page.locator("#pictures .caption")).to_contain_text("64×48")
    ask(page)
    assert sent(house) == [picture]


def test_while_a_file_is_dragged_over_the_page_it_says_where_it_will_go(page: Page):
    bring(page, "drag")
    expect(page.locator("#drop-title")).to_have_text("松开即可放入")
    bring(page, "drop")
    expect(page.locator("#drop-title")).to_have_text("再加一张")


def test_text_that_is_dragged_or_pasted_stays_text(page: Page):
    is_taken = page.evaluate(
        """() => {
          const transfer = new DataTransfer();
          transfer.setData("text/plain", "hello");
          const over = new DragEvent("dragover", { dataTransfer: transfer, bubbles: true, cancelable: true });
          document.querySelector("#question").dispatchEvent(over);
          transfer.items.add(new File(["x"], "table.png", { type: "image/png" }));
          const paste = new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true });
          document.querySelector("#question").dispatchEvent(paste);
          return [over.defaultPrevented, paste.defaultPrevented];
        }"""
    )
    assert is_taken == [False, False]


def test_pictures_keep_their_order_and_can_be_moved_and_removed(page: Page, house: PageHouse):
    contents = [mug((40, 40), colour=colour) for colour in ("#c0392b", "#2980b9", "#27ae60")]
    choose(page, *(file(f"{index}.png", content) for index, content in enumerate(contents)))
    assert names(page) == ["0.png", "1.png", "2.png"]
    page.get_by_role("button", name="前移 2.png").click()
    assert names(page) == ["0.png", "2.png", "1.png"]
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "前移 2.png"
    page.get_by_role("button", name="移除 0.png").click()
    assert names(page) == ["2.png", "1.png"]
    ask(page)
    assert sent(house) == [contents[2], contents[1]]


def test_asking_at_once_waits_for_pictures_that_are_still_being_read(page: Page, house: PageHouse):
    content = mug((900, 700))
    bring(page, "paste", content=content)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#retry:enabled")
    assert sent(house) == [content]


@pytest.mark.parametrize("content", [b"", b"not a picture", b"%PDF-1.7 ..."])
def test_a_file_that_is_no_picture_is_named_with_what_would_be_one(page: Page, content: bytes):
    page.set_input_files("#file", [file("notes.png", content)])
    trouble = page.locator("#picture-trouble")
    expect(trouble).to_contain_text("读不出图片")
    expect(trouble).to_contain_text("notes.png")
    expect(trouble).to_contain_text("WebP")
    expect(page.locator("#pictures li")).to_have_count(0)
    page.click("#language")
    expect(trouble).to_contain_text("No picture could be read")
    choose(page, file())
    expect(trouble).to_be_hidden()


def test_a_heic_picture_is_sent_though_the_browser_cannot_show_it(page: Page):
    choose(page, file("photo.HEIC", b"\0\0\0\x18ftypheic" + bytes(64), "image/heic"))
    expect(page.locator("#pictures .plate")).to_have_text("浏览器无法预览，仍会发送")


def test_long_names_and_tall_pictures_stay_inside_their_column(page: Page):
    choose(page, file("很长的名字" * 30 + ".png", mug((40, 900))), file("b.png", mug((900, 40))))
    column = page.locator(".column").first
    assert column.evaluate("element => element.scrollWidth <= element.clientWidth")
    for box in (image.bounding_box() for image in page.locator("#pictures img").all()):
        assert box is not None
        assert box["height"] <= 0.46 * 768 + 1


def test_the_tray_is_empty_again_after_a_new_conversation(page: Page, visit: Visit):
    choose(page, file())
    page.fill("#question", "draft")
    page.click("#fresh")
    expect(page.locator("#pictures li")).to_have_count(0)
    expect(page.locator("#question")).to_have_value("请描述这张图片的内容")
    page.reload()
    expect(page.locator("#question")).to_have_value("请描述这张图片的内容")
