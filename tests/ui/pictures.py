"""Small pictures as files, and the three ways in which a person brings one."""

from __future__ import annotations

import base64
import io
from typing import Any, Literal

from PIL import Image, ImageDraw
from playwright.sync_api import FilePayload, Page, expect


def mug(size: tuple[int, int] = (320, 240), *, colour: str = "#c0392b", kind: str = "PNG") -> bytes:
    """A drawn mug."""
    width, height = size
    picture = Image.new("RGB", size, "#f4efe6")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((width * 0.5, height * 0.35, width * 0.8, height * 0.65), outline=colour, width=max(1, width // 24))
    draw.rounded_rectangle(
        (width * 0.25, height * 0.25, width * 0.65, height * 0.8), radius=min(size) // 16, fill=colour
    )
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def file(name: str = "mug.png", content: bytes | None = None, mime: str = "image/png") -> FilePayload:
    return {"name": name, "mimeType": mime, "buffer": mug() if content is None else content}


def choose(page: Page, *files: FilePayload) -> None:
    """By the file chooser."""
    count = page.locator("#pictures li").count()
    page.set_input_files("#file", list(files))
    expect(page.locator("#pictures li")).to_have_count(count + len(files))


_BRING = """([kind, name, mime, content]) => {
  const bytes = Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: mime }));
  if (kind === "paste") {
    const event = { clipboardData: transfer, bubbles: true, cancelable: true };
    document.body.dispatchEvent(new ClipboardEvent("paste", event));
    return;
  }
  for (const step of kind === "drop" ? ["dragenter", "dragover", "drop"] : ["dragenter", "dragover"]) {
    document.body.dispatchEvent(new DragEvent(step, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }
}"""


def bring(
    page: Page, kind: Literal["drop", "paste", "drag"], name: str = "mug.png", content: bytes | None = None
) -> None:
    """Drop, paste or drag a file over the page, as the browser tells it."""
    payload: Any = file(name, content)
    page.evaluate(_BRING, [kind, name, payload["mimeType"], base64.b64encode(payload["buffer"]).decode()])
