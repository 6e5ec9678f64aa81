"""Draws the parts of a screen in one theme: buttons, fields, rows, tabs, error lines. Knows no question."""

from __future__ import annotations

import random
from dataclasses import dataclass

from flashsight.demo.scenes.canvas import Box, Canvas, Rgb, Type, luminance, mixed
from flashsight.demo.scenes.colours import near
from flashsight.demo.scenes.paper import DARKS, ink
from flashsight.demo.scenes.screen_words import Button, Field, Row

WHITE: Rgb = (255, 255, 255)
ACCENTS = (5, 5, 5, 5, 3, 0, 1, 6, 4, 9)
SURFACES: tuple[Rgb, ...] = (WHITE, WHITE, WHITE, (250, 250, 252), (246, 247, 249), (255, 253, 248))


@dataclass(frozen=True, slots=True)
class Theme:
    """Fonts, colours and habits of one screen."""

    type: Type
    surface: Rgb
    strong: Rgb
    faint: Rgb
    accent: Rgb
    line: Rgb
    warning: Rgb
    radius: float
    plain: str  # how buttons look that are not primary: outline, grey, bare
    accent_name: int
    centres_errors: bool = False  # on a bar of their own, which a primary button in red looks like

    def on(self, fill: Rgb) -> Rgb:
        """Letters that can be read on a fill."""
        return WHITE if luminance(fill) < 165 else (16, 18, 22)


def a_theme(rng: random.Random, type_: Type) -> Theme:
    """A light or a dark theme with one accent colour."""
    surface = rng.choice(DARKS) if rng.random() < 0.2 else rng.choice(SURFACES)
    is_dark = luminance(surface) < 128
    accent_name = rng.choice((5, 5, 3, 1, 4, 7) if is_dark else ACCENTS)
    strong = ink(rng, surface)
    return Theme(
        type_,
        surface,
        strong,
        ink(rng, surface, faint=True),
        near(rng, accent_name),
        mixed(surface, strong, rng.uniform(0.12, 0.25)),
        (255, 110, 110) if is_dark else rng.choice(((214, 36, 36), (200, 30, 40), (230, 60, 50))),
        rng.choice((0, 3, 6, 6, 8, 12, 99)),
        rng.choice(("outline", "outline", "grey", "bare")),
        accent_name,
    )


def button_width(button: Button, theme: Theme, padding: float) -> float:
    """Pixels that a button needs."""
    return theme.type.width(button.text) + 2 * padding


def draw_button(canvas: Canvas, button: Button, box: Box, theme: Theme) -> None:
    """A button in a box: primary filled, disabled pale, others by the theme's habit."""
    fill: Rgb | None
    outline: Rgb | None = None
    if button.is_disabled:
        fill = (
            mixed(theme.surface, theme.accent, 0.3) if button.is_primary else mixed(theme.surface, theme.strong, 0.08)
        )
        text = mixed(fill, theme.strong, 0.3) if not button.is_primary else mixed(fill, theme.on(theme.accent), 0.65)
        outline = None if button.is_primary else mixed(theme.surface, theme.strong, 0.14)
    elif button.is_primary:
        fill, text = theme.accent, theme.on(theme.accent)
    elif theme.plain == "grey":
        fill, text = mixed(theme.surface, theme.strong, 0.14), theme.strong
    else:
        fill, text = None, theme.strong
        outline = mixed(theme.surface, theme.strong, 0.4) if theme.plain == "outline" else None
    if fill or outline:
        canvas.rounded(box, theme.radius, fill, outline, 2 if outline and theme.radius % 2 else 1)
    canvas.centred_text(box, button.text, theme.type, text)


def draw_field(rng: random.Random, canvas: Canvas, field: Field, box: Box, theme: Theme, label_above: bool) -> None:
    """A field: its label above or left of a frame that holds its value."""
    left, top, right, bottom = box
    size = theme.type.size
    if label_above:
        canvas.text(left, top, field.label, theme.type, theme.strong)
        frame = (left, top + size * 1.35, right, bottom)
    else:
        width = max(theme.type.width(field.label) + 12, (right - left) * 0.28)
        canvas.text(left, (top + bottom - size) / 2, field.label, theme.type, theme.strong)
        frame = (left + width, top, right, bottom)
    if rng.random() < 0.8:
        canvas.rounded(frame, min(theme.radius, 10), mixed(theme.surface, WHITE, 0.1), theme.line)
    else:
        canvas.pen.line((frame[0], frame[3], frame[2], frame[3]), theme.line, 2)
    if field.value is not None and theme.type.width(field.value) < frame[2] - frame[0] - 16:
        canvas.text(frame[0] + 8, (frame[1] + frame[3] - size) / 2, field.value, theme.type, theme.strong)


def draw_row(canvas: Canvas, row: Row, box: Box, theme: Theme) -> None:
    """A row of a list, with a switch or an arrow at its right end."""
    left, top, right, bottom = box
    middle = (top + bottom) / 2
    canvas.text(left, middle - theme.type.size / 2, row.text, theme.type, theme.strong)
    canvas.pen.line((left, bottom, right, bottom), theme.line)
    if row.is_on is None:
        canvas.pen.line([(right - 12, middle - 6), (right - 6, middle), (right - 12, middle + 6)], theme.faint, 2)
        return
    track = (right - 42, middle - 11, right, middle + 11)
    canvas.rounded(track, 11, theme.accent if row.is_on else mixed(theme.surface, theme.strong, 0.25))
    x = right - 20 if row.is_on else right - 40
    canvas.pen.ellipse((x, middle - 9, x + 18, middle + 9), WHITE)


def warning_sign(canvas: Canvas, x: float, y: float, size: float, colour: Rgb, shape: str) -> None:
    """A small sign before an error: a disc or a triangle with its mark."""
    if shape == "disc":
        canvas.pen.ellipse((x, y, x + size, y + size), colour)
    else:
        canvas.pen.polygon([(x + size / 2, y), (x + size, y + size), (x, y + size)], colour)
    middle = x + size / 2
    canvas.pen.line((middle, y + size * 0.32, middle, y + size * 0.64), WHITE, max(2, int(size / 9)))
    canvas.pen.ellipse((middle - size / 16, y + size * 0.74, middle + size / 16, y + size * 0.86), WHITE)


def result_sign(canvas: Canvas, box: Box, colour: Rgb, is_good: bool) -> None:
    """A large disc with a tick or a cross."""
    left, top, right, bottom = box
    canvas.pen.ellipse(box, colour)
    width, height = right - left, bottom - top
    if is_good:
        points = [
            (left + width * 0.28, top + height * 0.52),
            (left + width * 0.44, top + height * 0.68),
            (left + width * 0.73, top + height * 0.36),
        ]
        canvas.pen.line(points, WHITE, max(3, int(width / 12)), joint="curve")
        return
    for start, end in ((0.33, 0.67), (0.67, 0.33)):
        canvas.pen.line(
            (left + width * start, top + height * 0.33, left + width * end, top + height * 0.67),
            WHITE,
            max(3, int(width / 12)),
        )
