"""Screens that a browser rendered, as they are or with other words written into them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping

import numpy as np
from PIL import Image

from flashsight.demo.material import words
from flashsight.demo.material.opened import Material
from flashsight.demo.material.opened_pages import RenderedPage, Run
from flashsight.demo.sample import Language, Sample, Split
from flashsight.demo.scenes.asking import Facts
from flashsight.demo.scenes.canvas import Canvas, Rgb, Type, pick_type
from flashsight.demo.scenes.reading import random_text
from flashsight.demo.scenes.screen_facts import tell_screen
from flashsight.demo.scenes.screen_words import Button, Field, Row, Screen, an_error
from flashsight.demo.scenes.screens import Ui
from flashsight.demo.scenes.wording import an_action

RETYPED = 0.75  # of the pages of training get other words
SHRUNK = 0.3  # of the pages are shown a little smaller than they could be
EVEN = 14  # of 255: how much a ground may vary to be painted over


def _other_words(rng: random.Random, material: Material, split: Split, role: str, text: str) -> str:
    """Another text for a role, in the language of the old one."""
    language: Language = "en" if text.isascii() else "zh"
    kind = role.partition(".")[0]
    if kind == "error" and rng.random() < 0.6:
        return an_error(rng, material, split, language)
    if kind == "value":
        return rng.choice(words.VALUES) if rng.random() < 0.5 else random_text(rng, material, split, 6)
    if kind == "button":
        return an_action(rng, material, split, language)
    if rng.random() < 0.45:
        return material.phrase(rng, split, language, rng.randint(1, 1 + len(text) // (4 if language == "zh" else 8)))
    if rng.random() < 0.2:
        return random_text(rng, material, split, max(2, len(text)))
    return rng.choice(material.strings[split])[language]


def _ground(pixels: np.ndarray, run: Run) -> Rgb | None:
    """The even colour around a run of letters; None where it is not even."""
    top, bottom = max(int(run.top), 0), int(run.bottom) + 1
    left, right = max(int(run.left) - 2, 0), min(int(run.ends[-1]) + 2, pixels.shape[1] - 1)
    if left >= pixels.shape[1] or bottom - top < 4:
        return None
    rim = np.concatenate([pixels[top:bottom, left], pixels[top:bottom, right]])
    if not rim.size or np.ptp(rim, axis=0).max() > EVEN:
        return None
    red, green, blue = np.median(rim, axis=0).astype(int)
    return int(red), int(green), int(blue)


class _Retyping:
    """Writes other words over those of a page, where their ground is even and the new ones fit."""

    def __init__(self, rng: random.Random, canvas: Canvas, material: Material, split: Split) -> None:
        self._rng, self._canvas, self._material, self._split = rng, canvas, material, split
        self._pixels = np.asarray(canvas.picture).copy()
        self._type = pick_type(rng, material, split, 20)

    def write(self, run: Run, box: tuple[float, float, float, float] | None) -> str | None:
        """Write another text where a run stood; None leaves the run as it is."""
        ground = _ground(self._pixels, run)
        fitted = self._fitted(run)
        if ground is None or fitted is None:
            return None
        text, type_ = fitted
        inside = self._pixels[max(int(run.top), 0) : int(run.bottom), max(int(run.left), 0) : int(run.ends[-1])]
        if not inside.size:
            return None
        far = np.abs(inside.astype(int) - ground).sum(-1)
        red, green, blue = inside.reshape(-1, 3)[int(far.argmax())].tolist()
        self._canvas.pen.rectangle((run.left - 1, run.top, run.ends[-1] + 1, run.bottom), ground)
        middle = (run.left + run.ends[-1]) / 2
        is_centred = box is not None and abs((box[0] + box[2]) / 2 - middle) < 4
        x = middle - type_.width(text) / 2 if is_centred else run.left
        self._canvas.text(x, (run.top + run.bottom - type_.size) / 2, text, type_, (red, green, blue))
        return text

    def _fitted(self, run: Run) -> tuple[str, Type] | None:
        type_ = self._type.sized(run.size)
        for _ in range(6):
            text = _other_words(self._rng, self._material, self._split, run.role, run.text).strip()
            if text and type_.width(text) <= run.ends[-1] - run.left + 1:
                return text, type_
        return None


def _placed(rng: random.Random, page: RenderedPage, size: tuple[int, int]) -> tuple[Image.Image, float, int, int]:
    """The page scaled into a picture of (height, width): the picture, the scale, and where its corner lies."""
    scale = min(size[0] / page.picture.height, size[1] / page.picture.width)
    if rng.random() < SHRUNK:
        scale *= rng.uniform(0.9, 1.0)
    width, height = round(page.picture.width * scale), round(page.picture.height * scale)
    picture = page.picture if scale == 1 else page.picture.resize((width, height), Image.Resampling.BICUBIC)
    return picture, scale, rng.randint(0, size[1] - picture.width), rng.randint(0, size[0] - picture.height)


def _moved(run: Run, scale: float, x: int, y: int) -> Run:
    ends = tuple(end * scale + x for end in run.ends)
    top, bottom = run.top * scale + y, run.bottom * scale + y
    return Run(run.role, run.text, run.size * scale, run.left * scale + x, top, bottom, ends, run.is_covered)


def shown_screen(page: RenderedPage, texts: Mapping[str, str]) -> Screen:
    """What can be seen of the screen that was meant; `texts` are new words by role. Buttons come in reading order."""
    meant = page.screen

    def text(role: str, old: str | None) -> str | None:
        return texts.get(role, old) if role in page.shown else None

    buttons = []
    for number, entry in enumerate(meant["buttons"]):
        role = f"button.{number}"
        if role in page.shown:
            button = Button(texts.get(role, entry["text"]), entry["is_primary"], entry["is_disabled"])
            buttons.append((page.shown[role], button))
    fields = [
        Field(texts.get(f"field.{number}", entry["label"]), text(f"value.{number}", entry["value"]))
        for number, entry in enumerate(meant["fields"])
        if f"field.{number}" in page.shown
    ]
    rows = [
        Row(texts.get(f"row.{number}", entry["text"]), entry["is_on"])
        for number, entry in enumerate(meant["rows"])
        if f"row.{number}" in page.shown
    ]
    tabs = [
        texts.get(f"tab.{number}", entry) for number, entry in enumerate(meant["tabs"]) if f"tab.{number}" in page.shown
    ]
    return Screen(
        meant["kind"],
        meant["language"],
        title=text("title", meant["title"]),
        message=text("message", meant["message"]),
        error=text("error", meant["error"]),
        fields=tuple(fields),
        rows=tuple(rows),
        tabs=tuple(tabs),
        buttons=tuple(button for _, button in sorted(buttons, key=lambda entry: _reading_order(entry[0]))),
    )


def _reading_order(box: tuple[float, float, float, float]) -> tuple[int, float]:
    return round((box[1] + box[3]) / 2 / 16), box[0]


class Browser:
    """A page of a public UI kit in a real browser's rendering."""

    name = "browser"

    def __init__(self, kept: tuple[str, ...] = ("unseen layout", "unseen kit")) -> None:
        """`kept`: the lots of pages that validation shows."""
        self._lots: Mapping[Split, tuple[str, ...]] = {"train": ("train",), "valid": kept}

    def draw(self, rng: random.Random, material: Material, size: tuple[int, int], split: Split) -> Sample:
        """A page of the split's lots; a drawn screen where the material has none that fits."""
        page = material.pages.pick(rng, self._lots[split], size)
        if page is None:
            return Ui().draw(rng, material, size, split)
        picture, scale, x, y = _placed(rng, page, size)
        canvas = Canvas(material, size, picture.getpixel((0, 0)))  # type: ignore[arg-type]
        canvas.picture.paste(picture, (x, y))
        boxes = {
            role: tuple(side * scale + (x, y)[place % 2] for place, side in enumerate(box))
            for role, box in page.shown.items()
        }
        retyping = _Retyping(rng, canvas, material, split) if split == "train" and rng.random() < RETYPED else None
        counts, texts = Counter(run.role for run in page.runs), dict[str, str]()
        for run in (_moved(run, scale, x, y) for run in page.runs):
            told = None
            if retyping and not run.is_covered and run.role and (run.role == "other" or counts[run.role] == 1):
                told = retyping.write(run, boxes.get(run.role))  # type: ignore[arg-type]
            if told is None:
                canvas.letters(run.left, run.top, run.bottom, run.text, run.ends, is_hidden=run.is_covered)
            elif run.role != "other":
                texts[run.role] = told
        facts = Facts("ui")
        tell_screen(facts, rng, shown_screen(page, texts), page.surface, page.accent)
        if not any(run.is_covered for run in page.runs):
            facts.read(canvas.written(), weight=0.8)
        return Sample(self.name, (canvas.pixels(),), (canvas.labels(),), facts.pairs(rng, split))
