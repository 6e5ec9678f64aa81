"""Writes the pieces of one page in one UI kit: its texts, fields, rows and buttons, marked by what they are.

Every text that questions may be about carries `data-t="role"`; what only dresses the page carries `other`. Knows no
pixel and no browser.
"""

# ruff: noqa: E501
from __future__ import annotations

import html
import random
from collections.abc import Iterator
from dataclasses import dataclass

from flashsight.demo.material import words
from flashsight.demo.pages.kits import Kit
from flashsight.demo.scenes.screen_words import Button, Screen

ROWS = ("b-left", "b-right", "b-centre", "b-between", "b-stack", "b-narrow", "b-grid", "b-equal")
ROWS_KEPT = ("b-reverse", "b-ends")  # for validation only
SLOGANS = words.TITLES + words.NOTES


@dataclass(slots=True)
class Writer:
    """Writes the pieces of one page in one kit."""

    kit: Kit
    rng: random.Random
    screen: Screen
    others: Iterator[str]
    rows: tuple[str, ...] = ROWS
    primary: str = ""
    plain: str = ""

    def __post_init__(self) -> None:
        self.primary, self.plain = self.rng.choice(self.kit.primary), self.rng.choice(self.kit.plain)

    def other(self, classes: str = "", tag: str = "span") -> str:
        """A text that nobody asks about."""
        return f'<{tag} class="{classes}" data-t="other">{html.escape(next(self.others))}</{tag}>'

    def title(self, classes: str = "s-title") -> str:
        """The title, or nothing."""
        said = self.screen.title
        return f'<div class="{classes}" data-t="title">{html.escape(said)}</div>' if said else ""

    def message(self) -> str:
        """The message, or nothing."""
        said = self.screen.message
        return f'<p class="s-message" data-t="message">{html.escape(said)}</p>' if said else ""

    def error(self) -> str:
        """The error where it stands in the page; a toast's hangs over it."""
        if self.screen.error is None:
            return ""
        form = self.kit.toast if self.screen.kind == "toast" else self.rng.choice(self.kit.error)
        return form.format(t="error", x=html.escape(self.screen.error))

    def fields(self) -> str:
        """The fields, their labels above or beside."""
        side, parts = self.rng.choice(("s-above", "s-beside")), []
        for number, field in enumerate(self.screen.fields):
            label = f'<label class="s-label" data-t="field.{number}">{html.escape(field.label)}</label>'
            if field.value is None:
                hint = html.escape(next(self.others)) if self.rng.random() < 0.4 else ""
                value = f'style="color:var(--hint)" data-t="other">{hint}' if hint else ">&nbsp;"
            else:
                value = f'data-t="value.{number}">{html.escape(field.value)}'
            parts.append(self.kit.field.format(label=label, v=value))
        return f'<div class="{side}">{"".join(parts)}</div>' if parts else ""

    def list(self) -> str:
        """The rows, each with a switch, an arrow, a value or a tick at its end."""
        rng, parts = self.rng, []
        has_icons, has_notes = rng.random() < 0.3, rng.random() < 0.2
        end = rng.choice(("›", "›", "", "value", "✓"))
        for number, row in enumerate(self.screen.rows):
            icon = '<i class="s-icon"></i>' if has_icons else ""
            note = self.other("s-note", "div") if has_notes else ""
            if row.is_on is not None:
                tail = self.kit.switch[row.is_on]
            else:
                tail = self.other("s-end") if end == "value" else f'<span class="s-end">{end}</span>'
            text = f'<span data-t="row.{number}">{html.escape(row.text)}</span>'
            parts.append(f'<div class="s-row">{icon}<div class="s-grow">{text}{note}</div>{tail}</div>')
        return f'<div class="s-list {rng.choice(("", "s-boxed"))}">{"".join(parts)}</div>' if parts else ""

    def button(self, number: int, button: Button, role: str = "button") -> str:
        """One button."""
        classes = self.primary if button.is_primary else self.plain
        disabled = "disabled" if button.is_disabled else ""
        if button.is_disabled:
            classes += " " + self.kit.disabled
        mark = f"{role}.{number}" if role == "button" else role
        return self.kit.button.format(c=classes, d=disabled, t=mark, x=html.escape(button.text))

    def buttons(self, first: int = 0, last: int | None = None, arrangement: str | None = None) -> str:
        """Some of the buttons, arranged in one of many ways."""
        chosen = self.screen.buttons[first:last]
        if not chosen:
            return ""
        form = arrangement or self.rng.choice(self.rows)
        said = "".join(self.button(first + number, button) for number, button in enumerate(chosen))
        return f'<div class="s-buttons {form}">{said}</div>'

    def tabs(self) -> str:
        """Tabs along the bottom edge."""
        if not self.screen.tabs:
            return ""
        chosen = self.rng.randrange(len(self.screen.tabs))
        parts = "".join(
            f'<div class="{"s-chosen" if number == chosen else ""}"><i class="s-icon"></i><span data-t="tab.{number}">{html.escape(tab)}</span></div>'
            for number, tab in enumerate(self.screen.tabs)
        )
        return f'<div class="s-tabs">{parts}</div>'

    def content(self, *, with_buttons: bool = True) -> str:
        """Message, error, fields, rows and buttons in some order."""
        error = "" if self.screen.kind == "toast" else self.error()
        parts = [self.message(), self.fields(), self.list()]
        parts.insert(self.rng.choice((0, 1, 2, 3)), error)
        return "".join(parts) + (self.buttons() if with_buttons else "")

    def table(self) -> str:
        """A table of strings that nobody asks about."""
        columns, rows = self.rng.randint(2, 3), self.rng.randint(1, 3)
        cells = ["".join(f"<{tag}>{self.other()}</{tag}>" for _ in range(columns)) for tag in ("th", *["td"] * rows)]
        return '<table class="table s-table">' + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"

    def behind(self) -> str:
        """What a panel covers: a bar, texts, a table, buttons that cannot be reached."""
        lure = "".join(self.button(0, Button(next(self.others)[:8], n == 0), "other") for n in range(2))
        parts = [
            self.other("s-title", "div"),
            self.other("s-message", "p"),
            f'<div class="s-buttons b-left">{lure}</div>',
            self.table(),
        ]
        self.rng.shuffle(parts)
        return f'<div class="s-behind">{"".join(parts[: self.rng.randint(0, 4)])}</div>'

    def toast(self) -> str:
        """The error hanging over the page, when the screen has a toast."""
        return self.error() if self.screen.kind == "toast" else ""
