"""Renders drafts in Chromium and packs pictures with exact labels: letters, boxes of buttons, what a panel covers.

    pages.bin    WebP after WebP, each followed by its labels (compressed JSON)
    pages.json   [lot, kit, layout, height, width, start, bytes of the picture, bytes of the labels] of each page

A page on which an asked text or button is cut off or half covered is thrown away; what lies wholly below the fold or
under a panel is not asked for.
"""

from __future__ import annotations

import io
import json
import random
import zlib
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from importlib import resources
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from flashsight.core.errors import ConfigError
from flashsight.demo.material.opened import Material
from flashsight.demo.pages.drafts import Draft, Lot, a_draft
from flashsight.demo.pages.kits import KITS

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--allow-file-access-from-files",
             "--font-render-hinting=none", "--hide-scrollbars")  # fmt: skip
QUALITY = 72
VALIDATION: Mapping[Lot, int] = {"unseen layout": 180, "unseen kit": 320}
"""Pages that are kept from training."""
LEAST_CONTRAST = 60  # of 255, between a letter and its ground

# Reads the page back: runs of letters that share a line, and the boxes of what bears a role; CSS pixels.
LOOK = """
() => {
  const runs = [], boxes = [], W = innerWidth, H = innerHeight;
  const over = (el, x, y) => {
    if (x < 0 || y < 0 || x >= W || y >= H) return false;
    const top = document.elementFromPoint(x, y);
    return !!top && (top === el || el.contains(top) || top.contains(el));
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const el = node.parentElement, role = el.closest('[data-t]')?.dataset.t ?? '';
    const size = parseFloat(getComputedStyle(el).fontSize);
    let run = null;
    for (let i = 0; i < node.length; i++) {
      const char = node.data[i];
      range.setStart(node, i); range.setEnd(node, i + 1);
      const r = range.getBoundingClientRect();
      if (!r.width || !r.height) continue;
      if (!run || Math.abs(r.top - run.top) > 2) {
        run = {role, size, text: '', top: r.top, bottom: r.bottom, left: r.left, ends: [], seen: 0, ink: 0};
        runs.push(run);
      }
      run.text += char; run.ends.push(r.right);
      if (char.trim()) { run.ink++; run.seen += over(el, (r.left + r.right) / 2, (r.top + r.bottom) / 2); }
    }
  }
  for (const el of document.querySelectorAll('[data-t]')) {
    const r = el.getBoundingClientRect(), role = el.dataset.t;
    const spots = [[.5, .5], [.12, .5], [.88, .5], [.5, .15], [.5, .85]];
    const seen = spots.filter(([x, y]) => over(el, r.left + r.width * x, r.top + r.height * y)).length;
    const whole = r.left >= -1 && r.top >= -1 && r.right <= W + 1 && r.bottom <= H + 1;
    boxes.push({role, box: [r.left, r.top, r.right, r.bottom], seen: seen / 5, whole});
  }
  return {runs, boxes};
}
"""


def font_faces(material: Material) -> str:
    """@font-face rules of every font of the material, by its name."""
    fonts = [
        font for script in ("zh", "latin") for split in ("train", "valid") for font in material.fonts(script, split)
    ]
    return "".join(
        f"@font-face{{font-family:'{font.name}';src:url('{font.path.resolve().as_uri()}')}}" for font in fonts
    )


class Studio:
    """A browser with one document per kit and ground; a page is put into it, looked at and photographed."""

    def __init__(self, page: Page, material: Material, unpacked: Path, scratch: Path) -> None:
        self._page, self._unpacked, self._scratch = page, unpacked, scratch
        self._faces = font_faces(material)
        self._session: CDPSession = page.context.new_cdp_session(page)
        self._open: tuple[str, bool] | None = None
        self._style = resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8")

    def _document(self, draft: Draft) -> None:
        """Open the kit's document: its style sheets, the fonts, the demo's own rules."""
        if self._open == (draft.kit, draft.is_dark):
            return
        kit = KITS[draft.kit]
        sheets = (*kit.sheets, *(kit.dark_sheets if draft.is_dark else ()))
        links = "".join(
            f'<link rel="stylesheet" href="{(self._unpacked / sheet).resolve().as_uri()}">' for sheet in sheets
        )
        mark = kit.dark if draft.is_dark else ""
        mark = f'class="{mark}"' if mark == "dark" else mark
        own = f'<style>{self._faces}</style><style>{self._style}</style><style id="theme"></style>'
        path = self._scratch / "page.html"
        path.write_text(
            f'<!doctype html><html {mark}><meta charset="utf-8">{links}{own}<body {mark}></body></html>', "utf-8"
        )
        self._page.goto(path.resolve().as_uri())
        self._open = (draft.kit, draft.is_dark)

    def photograph(self, draft: Draft) -> tuple[Image.Image, Mapping[str, Any]]:
        """The picture of a draft and what LOOK reads back, in device pixels."""
        self._document(draft)
        height, width = (ceil(side / draft.scale) for side in draft.size)
        self._session.send(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": draft.scale, "mobile": False},
        )
        self._page.evaluate(
            "async ([css, body]) => { document.getElementById('theme').textContent = css;"
            " document.body.innerHTML = body; document.body.offsetHeight; await document.fonts.ready; }",
            [draft.css, draft.body],
        )
        seen = self._page.evaluate(LOOK)
        shot = self._session.send("Page.captureScreenshot", {"format": "png", "optimizeForSpeed": True})
        with Image.open(io.BytesIO(b64decode(shot["data"]))) as opened:
            picture = opened.convert("RGB").crop((0, 0, draft.size[1], draft.size[0]))
        return picture, _scaled(seen, draft.scale)


def _scaled(seen: Mapping[str, Any], scale: float) -> Mapping[str, Any]:
    for run in seen["runs"]:
        for name in ("size", "top", "bottom", "left"):
            run[name] = round(run[name] * scale, 1)
        run["ends"] = [round(end * scale, 1) for end in run["ends"]]
    for box in seen["boxes"]:
        box["box"] = [round(side * scale, 1) for side in box["box"]]
    return seen


def is_legible(picture: Image.Image, labels: Mapping[str, Any]) -> bool:
    """True when every run that is asked for stands out from what it is written on."""
    grey = np.asarray(picture.convert("L"), np.int16)
    for role, _, _, left, top, bottom, ends, is_covered in labels["runs"]:
        if role not in ("", "other") and not is_covered:
            inside = grey[max(int(top), 0) : int(bottom), max(int(left), 0) : int(ends[-1])]
            if inside.size and np.ptp(inside) < LEAST_CONTRAST:
                return False
    return True


def labels_of(draft: Draft, seen: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is kept of a page: runs [role, text, size, left, top, bottom, ends, is_covered], roles seen with their box.

    None when something asked for is cut off or half covered, or nothing is left to ask for.
    """
    runs = [run for run in seen["runs"] if run["ink"]]
    covered = {run["role"] for run in runs if run["seen"] < run["ink"]}
    shown: dict[str, list[float]] = {}
    for entry in seen["boxes"]:
        role = entry["role"]
        if role == "other" or entry["seen"] == 0:
            continue
        if entry["seen"] < 1 or not entry["whole"] or role in covered:
            return None
        shown[role] = entry["box"]
    if not shown:
        return None
    return {
        "runs": [
            [
                *(run[name] for name in ("role", "text", "size", "left", "top", "bottom", "ends")),
                run["seen"] < run["ink"],
            ]
            for run in runs
        ],
        "shown": shown,
        "screen": asdict(draft.screen),
        "accent": draft.accent,
        "surface": draft.surface,
    }


def render_pages(
    material: Path, unpacked: Path, counts: Mapping[Lot, int], seed: int, told: Callable[[str], None]
) -> int:
    """Add pages.bin and pages.json to a folder of material; return their bytes. `told` hears how far it is.

    Raises ConfigError when Chromium or playwright is missing.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise ConfigError("rendering pages needs `pip install playwright` and Chromium") from error
    if not Path(CHROMIUM).exists():
        raise ConfigError(f"rendering pages needs Chromium at {CHROMIUM}: apt-get install chromium")
    opened, index, start = Material(material), [], 0
    with sync_playwright() as playwright, (material / "pages.bin.part").open("wb") as packed:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        studio = Studio(browser.new_page(), opened, unpacked, material)
        for draft, picture, labels in _pages(studio, opened, counts, seed):
            content = io.BytesIO()
            picture.save(content, "WEBP", quality=QUALITY, method=6)
            told_labels = zlib.compress(json.dumps(labels, ensure_ascii=False, separators=(",", ":")).encode(), 9)
            sizes = len(content.getvalue()), len(told_labels)
            packed.write(content.getvalue() + told_labels)
            index.append([draft.lot, draft.kit, draft.layout, picture.height, picture.width, start, *sizes])
            start += sum(sizes)
            if len(index) % 100 == 0:
                told(f"{len(index)} pages, {start >> 20} MiB")
        browser.close()
    (material / "page.html").unlink(missing_ok=True)
    (material / "pages.bin.part").rename(material / "pages.bin")
    (material / "pages.json").write_text(json.dumps(index, separators=(",", ":")), encoding="utf-8")
    return start


def _pages(
    studio: Studio, material: Material, counts: Mapping[Lot, int], seed: int
) -> Iterator[tuple[Draft, Image.Image, dict[str, Any]]]:
    """Good pages, so many of each lot; drafts are sorted in groups of a kit so that documents are seldom opened."""
    for lot, count in counts.items():
        rng, kept = random.Random(f"{lot} {seed}"), 0
        while kept < count:
            drafts = [a_draft(rng, material, lot) for _ in range(120)]
            for draft in sorted(drafts, key=lambda draft: (draft.kit, draft.is_dark)):
                picture, seen = studio.photograph(draft)
                labels = labels_of(draft, seen)
                if labels is not None and kept < count and is_legible(picture, labels):
                    kept += 1
                    yield draft, picture, labels
