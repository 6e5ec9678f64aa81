"""Screens of programs and apps, laid out in many ways: what they say, which buttons they have, what went wrong."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from flashsight.demo.material.opened import Material
from flashsight.demo.sample import Sample, Split
from flashsight.demo.scenes.asking import Facts
from flashsight.demo.scenes.canvas import Box, Canvas, Type, mixed, pick_type, text_size
from flashsight.demo.scenes.colours import near
from flashsight.demo.scenes.paper import paper
from flashsight.demo.scenes.screen_facts import has_failed, tell_screen
from flashsight.demo.scenes.screen_words import Button, Screen, a_screen
from flashsight.demo.scenes.widgets import (
    Theme,
    a_theme,
    button_width,
    draw_button,
    draw_field,
    draw_row,
    result_sign,
    warning_sign,
)
from flashsight.demo.vocabulary import CONCEPTS

FLOATING = ("banner", "toast")  # kinds whose error has a place of its own


@dataclass(slots=True)
class _Page:
    """The room that is left on a surface while a screen is drawn into it, and what was really drawn."""

    rng: random.Random
    canvas: Canvas
    theme: Theme
    left: float
    top: float
    right: float
    bottom: float
    is_centred: bool
    gap: float

    @property
    def width(self) -> float:
        return self.right - self.left

    def text(self, text: str, type_: Type, fill: tuple[int, int, int], max_lines: int) -> bool:
        lines = self.canvas.wrapped(text, type_, self.width)
        height = len(lines) * type_.size * 1.3
        if (
            len(lines) > max_lines
            or self.top + height > self.bottom
            or any(type_.width(line) > self.width + 1 for line in lines)
        ):
            return False
        for line in lines:
            x = (self.left + self.right - type_.width(line)) / 2 if self.is_centred else self.left
            self.canvas.text(x, self.top, line, type_, fill)
            self.top += type_.size * 1.3
        self.top += self.gap
        return True


def _title(page: _Page, screen: Screen) -> Screen:
    if screen.title is None:
        return screen
    theme = page.theme
    if page.top > 4 and not page.is_centred and page.rng.random() < 0.2:
        size = theme.type.size * 1.2
        if page.left + size + 8 + theme.type.sized(size).width(screen.title) < page.right - 24:
            colour = theme.warning if screen.error or has_failed(screen.title) else theme.accent
            warning_sign(page.canvas, page.left, page.top, size, colour, page.rng.choice(("disc", "triangle")))
            page.canvas.text(page.left + size + 8, page.top, screen.title, theme.type.sized(size), theme.strong)
            page.top += size * 1.3 + page.gap
            return screen
    for scale in (page.rng.uniform(1.0, 1.45), 1.0):
        if page.text(screen.title, theme.type.sized(theme.type.size * scale), theme.strong, 2 if scale == 1.0 else 1):
            return screen
    return replace(screen, title=None)


def _message(page: _Page, screen: Screen) -> Screen:
    fill = page.rng.choice((page.theme.faint, page.theme.strong))
    if screen.message is None or page.text(screen.message, page.theme.type, fill, 3):
        return screen
    return replace(screen, message=None)


def _error(page: _Page, screen: Screen) -> Screen:
    """An error as red text, behind a sign, or on a pale or red strip."""
    if screen.error is None:
        return screen
    if page.theme.centres_errors:
        return _error_bar(page, screen)
    theme, rng, look = page.theme, page.rng, page.rng.random()
    size, has_sign = theme.type.size, page.rng.random() < 0.5
    inset = 0.0 if look < 0.5 else 10.0
    start = page.left + inset + (size + 8 if has_sign else 0)
    lines = page.canvas.wrapped(screen.error, theme.type, page.right - inset - start)
    height = len(lines) * size * 1.3 + inset
    too_wide = any(theme.type.width(line) > page.right - inset - start + 1 for line in lines)
    if len(lines) > 3 or page.top + height > page.bottom or too_wide:
        return replace(screen, error=None)
    colour = theme.warning if not (has_failed(screen.title) and rng.random() < 0.5) else theme.strong
    if look >= 0.5:
        is_strong = look > 0.78
        strip = mixed(theme.surface, theme.warning, 1.0 if is_strong else 0.14)
        page.canvas.rounded((page.left, page.top, page.right, page.top + height), theme.radius, strip)
        colour = theme.on(strip) if is_strong else theme.warning
    if has_sign:
        page_top = page.top + inset / 2 + size * 0.05
        sign = mixed(theme.warning, (120, 0, 0), 0.4) if look > 0.78 else theme.warning
        warning_sign(page.canvas, page.left + inset, page_top, size * 0.95, sign, rng.choice(("disc", "triangle")))
    for number, line in enumerate(lines):
        page.canvas.text(start, page.top + inset / 2 + number * size * 1.3, line, theme.type, colour)
    page.top += height + page.gap
    return screen


def _error_bar(page: _Page, screen: Screen) -> Screen:
    """An error in the middle of a bar, red or pale, as wide as the page or as its words."""
    theme, rng, canvas = page.theme, page.rng, page.canvas
    assert screen.error is not None
    lines, size = canvas.wrapped(screen.error, theme.type, page.width - 24), theme.type.size
    widest, height = max(map(theme.type.width, lines)), len(lines) * size * 1.3 + size * rng.uniform(0.4, 1.0)
    if len(lines) > 3 or page.top + height > page.bottom or widest > page.width - 23:
        return replace(screen, error=None)
    fill = mixed(theme.surface, theme.warning, rng.choice((1.0, 1.0, 0.14)))
    colour = theme.on(fill) if fill == theme.warning else theme.warning
    half = page.width / 2 if rng.random() < 0.7 else min(page.width, widest + rng.uniform(24, 60)) / 2
    middle = (page.left + page.right) / 2
    canvas.rounded((middle - half, page.top, middle + half, page.top + height), theme.radius, fill)
    top = page.top + (height - len(lines) * size * 1.3) / 2 + size * 0.15
    for number, line in enumerate(lines):
        x = middle - theme.type.width(line) / 2
        canvas.text(x, top + number * size * 1.3, line, theme.type, colour)
    page.top += height + page.gap
    return screen


def _toast(page: _Page, screen: Screen) -> Screen:
    """A small box near the bottom edge that says the error on one line."""
    theme, rng, canvas = page.theme, page.rng, page.canvas
    height = theme.type.size * rng.uniform(1.7, 2.2)
    if screen.error is None or theme.type.width(screen.error) + 32 > page.width:
        return replace(screen, error=None)
    half = theme.type.width(screen.error) / 2 + 16
    middle, bottom = canvas.width / 2, page.bottom - rng.uniform(0, 20)
    fill = rng.choice((mixed(theme.surface, theme.strong, 0.85), (50, 52, 56), theme.warning))
    box = (middle - half, bottom - height, middle + half, bottom)
    canvas.rounded(box, rng.choice((4, 10, 99)), fill)
    canvas.centred_text(box, screen.error, theme.type, theme.on(fill))
    page.bottom = bottom - height - page.gap
    return screen


def _fields(page: _Page, screen: Screen) -> Screen:
    size, above = page.theme.type.size, page.rng.random() < 0.5
    height = size * (3.2 if above else 1.8)
    kept = []
    for field in screen.fields:
        if page.top + height > page.bottom:
            break
        room = page.width * (1.0 if above else 0.66) - 20
        shown = (
            field if field.value is None or page.theme.type.width(field.value) < room else replace(field, value=None)
        )
        draw_field(
            page.rng, page.canvas, shown, (page.left, page.top, page.right, page.top + height), page.theme, above
        )
        page.top += height + page.gap * 0.8
        kept.append(shown)
    return replace(screen, fields=tuple(kept))


def _rows(page: _Page, screen: Screen) -> Screen:
    height = page.theme.type.size * page.rng.uniform(1.8, 2.6)
    kept = []
    for row in screen.rows:
        if page.top + height > page.bottom:
            break
        draw_row(page.canvas, row, (page.left, page.top, page.right, page.top + height), page.theme)
        page.top += height
        kept.append(row)
    page.top += page.gap if kept else 0
    return replace(screen, rows=tuple(kept))


def _tabs(page: _Page, screen: Screen) -> Screen:
    """Tabs along the bottom edge of the picture."""
    canvas, theme = page.canvas, page.theme
    height = theme.type.size * 2.0
    cell = canvas.width / max(1, len(screen.tabs))
    if not screen.tabs or any(theme.type.width(tab) > cell - 6 for tab in screen.tabs):
        return replace(screen, tabs=())
    top = canvas.height - height
    canvas.pen.rectangle((0, top, canvas.width, canvas.height), mixed(theme.surface, theme.strong, 0.05))
    canvas.pen.line((0, top, canvas.width, top), theme.line)
    chosen = page.rng.randrange(len(screen.tabs))
    for number, tab in enumerate(screen.tabs):
        box = (number * cell, top, (number + 1) * cell, canvas.height)
        canvas.centred_text(box, tab, theme.type, theme.accent if number == chosen else theme.faint)
    page.bottom = min(page.bottom, top - page.gap)
    return screen


def _button_boxes(page: _Page, buttons: tuple[Button, ...], low: bool) -> list[Box]:
    """Boxes for the buttons: a row, a column or a grid; empty when they do not fit. `low` means at the bottom."""
    rng, theme = page.rng, page.theme
    height, gap = theme.type.size * rng.uniform(1.6, 2.2), rng.uniform(8, 18)
    widths = [button_width(button, theme, rng.uniform(10, 22)) for button in buttons]
    total, room = sum(widths) + gap * (len(widths) - 1), page.bottom - page.top
    is_row = total <= page.width and rng.random() < 0.7
    if is_row and height <= room:
        top = page.bottom - height if low else page.top
        if rng.random() < 0.3 and max(widths) <= (page.width - gap * (len(widths) - 1)) / len(widths):
            widths = [(page.width - gap * (len(widths) - 1)) / len(widths)] * len(widths)
            total = page.width
        left = rng.choice((page.left, page.right - total, (page.left + page.right - total) / 2))
        boxes = []
        for width in widths:
            boxes.append((left, top, left + width, top + height))
            left += width + gap
        return boxes
    widest = max(widths)
    columns = 2 if len(buttons) > 2 and widest * 2 + gap <= page.width and rng.random() < 0.5 else 1
    cell = (page.width - gap * (columns - 1)) / columns
    cell = cell if rng.random() < 0.7 else max(widest, cell * 0.6)
    rows = -(-len(buttons) // columns)
    needed = rows * height + (rows - 1) * gap * 0.7
    if widest > cell or needed > room:
        return []
    top = page.bottom - needed if low else page.top
    left = page.left + (page.width - cell * columns - gap * (columns - 1)) / 2
    return [
        (x, y, x + cell, y + height)
        for number in range(len(buttons))
        for x, y in [(left + number % columns * (cell + gap), top + number // columns * (height + gap * 0.7))]
    ]


def _buttons(page: _Page, screen: Screen, *, low: bool) -> Screen:
    buttons = screen.buttons
    while buttons:
        boxes = _button_boxes(page, buttons, low)
        if boxes:
            for button, box in zip(buttons, boxes, strict=True):
                draw_button(page.canvas, button, box, page.theme)
            if low:
                page.bottom = boxes[0][1] - page.gap
            else:
                page.top = boxes[-1][3] + page.gap
            break
        buttons = buttons[:-1]
    return replace(screen, buttons=buttons)


def _sign(page: _Page, screen: Screen, material: Material) -> None:
    """A large sign above a result, or a drawing."""
    side = page.canvas.height * page.rng.uniform(0.13, 0.22)
    left = (page.left + page.right - side) / 2
    box = (left, page.top, left + side, page.top + side)
    if page.rng.random() < 0.6:
        colour = page.theme.warning if screen.error else near(page.rng, 3)
        result_sign(page.canvas, box, colour, screen.error is None)
    else:
        concept = page.rng.choice([concept.index for concept in CONCEPTS if concept.category.zh == "图标"])
        sprite = material.seeing("styles").sprite(page.rng, concept, "valid")  # the same in both splits
        if not sprite.is_shape:
            page.canvas.sprite(sprite, box, sprite.colours[0] if sprite.colours else None)
    page.top += side + page.gap


def _share_needed(screen: Screen) -> float:
    """About how much of the picture's height a panel needs for what it says."""
    parts = bool(screen.title) + 1.3 * bool(screen.message) + 1.6 * bool(screen.error) + 1.8 * len(screen.fields)
    return min(0.94, 0.12 + 0.11 * (parts + 1.3 * bool(screen.buttons) + 0.7 * max(0, len(screen.buttons) - 2)))


def _behind(rng: random.Random, canvas: Canvas, theme: Theme) -> None:
    """What a panel stands on: a plain shade, or the grey shapes of a page below a veil."""
    ground, veil = paper(rng), rng.choice((0, 0.35, 0.5, 0.6))
    canvas.picture.paste(mixed(ground, (0, 0, 0), veil), (0, 0, canvas.width, canvas.height))
    if rng.random() < 0.5:
        bar, y = mixed(mixed(ground, theme.accent, 0.25), (0, 0, 0), veil), 12.0
        while y < canvas.height:
            height = rng.uniform(8, 60)
            canvas.rounded((14, y, rng.uniform(60, canvas.width - 14), y + height), rng.choice((0, 6)), bar)
            y += height + rng.uniform(8, 30)


def _close_sign(canvas: Canvas, box: Box, theme: Theme) -> None:
    """The cross in the corner of a panel."""
    x, y = box[2] - 22, box[1] + 22
    for slope in (-1, 1):
        canvas.pen.line((x - 6, y - 6 * slope, x + 6, y + 6 * slope), theme.faint, 2)


def _surface(rng: random.Random, canvas: Canvas, screen: Screen, theme: Theme) -> _Page:
    """What a screen stands on: a panel over a shaded ground, a sheet at the bottom, or the whole picture."""
    width, height, gap = canvas.width, canvas.height, rng.uniform(8, 18)
    pad = rng.uniform(14, 28)
    is_panel = screen.kind == "dialog" or (screen.kind in ("form", "result") and rng.random() < 0.4)
    box: Box = (0, 0, width, height)
    if screen.kind == "sheet":
        box = (0, height * rng.uniform(0.15, 0.4), width, height)
    elif is_panel:
        dx = width * rng.uniform(0.02, 0.1 if width < 600 else 0.2)
        tall = height * min(0.96, _share_needed(screen) * rng.uniform(1.0, 1.5) * (448 / height) ** 0.5)
        top = (height - tall) * rng.uniform(0.2, 0.7)
        box = (dx, top, width - dx, top + tall)
    if box != (0, 0, width, height):
        _behind(rng, canvas, theme)
        canvas.rounded(box, rng.choice((0, 8, 14, 20)), theme.surface, theme.line if rng.random() < 0.3 else None)
        if is_panel and rng.random() < 0.3:
            _close_sign(canvas, box, theme)
            pad = max(pad, 20)
    inner = (box[0] + pad, box[1] + pad, box[2] - pad, box[3] - pad * 0.8)
    return _Page(rng, canvas, theme, *inner, rng.random() < 0.35, gap)


def _header(page: _Page, screen: Screen) -> Screen:
    """The title in a bar of its own across a page, now and then coloured."""
    canvas, theme, rng = page.canvas, page.theme, page.rng
    is_whole = page.left < 40 and page.top < 40 and screen.kind not in ("dialog", "sheet")
    if screen.title is None or not is_whole or rng.random() < 0.5:
        return _title(page, screen)
    fill = theme.accent if rng.random() < 0.4 else mixed(theme.surface, theme.strong, 0.06)
    type_ = theme.type.sized(theme.type.size * rng.uniform(1.0, 1.25))
    if type_.width(screen.title) > canvas.width - 60:
        return _title(page, screen)
    height = type_.size * rng.uniform(1.8, 2.4)
    canvas.pen.rectangle((0, 0, canvas.width, height), fill)
    box = (0, 0, canvas.width, height)
    if rng.random() < 0.5:
        canvas.centred_text(box, screen.title, type_, theme.on(fill))
    else:
        canvas.text(page.left, (height - type_.size) / 2, screen.title, type_, theme.on(fill))
    page.top = height + page.gap
    return screen


def draw_screen(rng: random.Random, canvas: Canvas, screen: Screen, theme: Theme, material: Material) -> Screen:
    """Draw a screen; return what had room on it."""
    page = _surface(rng, canvas, screen, theme)
    screen = _tabs(page, screen)
    if screen.kind == "banner":
        screen = _error(page, screen)
    if screen.kind == "toast":
        screen = _toast(page, screen)
    if screen.kind == "result":
        page.is_centred = True
        if rng.random() < 0.8:
            _sign(page, screen, material)
    screen = _header(page, screen)
    error_first = screen.kind not in FLOATING and rng.random() < 0.5
    low = rng.random() < 0.5
    if low:
        screen = _buttons(page, screen, low=True)
    if error_first:
        screen = _error(page, screen)
    screen = _message(page, screen)
    screen = _fields(page, screen)
    screen = _rows(page, screen)
    if not error_first and screen.kind not in FLOATING:
        screen = _error(page, screen)
    if screen.kind in FLOATING and screen.error is None:
        screen = replace(screen, kind="page")
    return screen if low else _buttons(page, screen, low=False)


class Ui:
    """A screen of a program or an app."""

    name = "ui"

    def draw(self, rng: random.Random, material: Material, size: tuple[int, int], split: Split) -> Sample:
        """A screen whose parts all have room.

        One on which only a sign has found room is drawn anew: it would be a drawing, and drawings would be screens.
        """
        theme = a_theme(rng, pick_type(rng, material, split, text_size(rng, size)))
        if split == "train":
            theme = replace(theme, centres_errors=rng.random() < 0.35)
        canvas = Canvas(material, size, theme.surface)
        canvas.breaks_words = split == "train" and rng.random() < 0.15
        screen = draw_screen(rng, canvas, a_screen(rng, material, split), theme, material)
        if not canvas.written():
            return self.draw(rng, material, size, split)
        facts = Facts("ui")
        tell_screen(facts, rng, screen, theme.surface, theme.accent_name)
        facts.read(canvas.written(), weight=0.8)
        return Sample(self.name, (canvas.pixels(),), (canvas.labels(),), facts.pairs(rng, split))
