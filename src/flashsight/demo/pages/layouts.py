"""Lays a screen's texts out as a page of some UI kit: dozens of combinations of frame, panel and button rows.

Every text that questions may be about carries `data-t="role"`; what only dresses the page carries `other`. Knows no
pixel and no browser.
"""

# ruff: noqa: E501
from __future__ import annotations

import html
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from flashsight.demo.material import words
from flashsight.demo.pages.kits import Kit
from flashsight.demo.sample import Split
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


def _plain(page: Writer) -> str:
    return f'<div class="s-pad">{page.title()}{page.content()}</div>'


def _bar(page: Writer) -> str:
    colour = page.rng.choice(("s-accent", "s-dark", "s-plain"))
    back = '<b class="s-back">‹</b>' if page.rng.random() < 0.4 else ""
    return (
        f'<div class="s-bar {colour}">{back}{page.title("s-bar-title")}</div><div class="s-pad">{page.content()}</div>'
    )


def _brand(page: Writer) -> str:
    links = "".join(page.other("s-link") for _ in range(page.rng.randint(1, 3)))
    return f'<div class="s-bar s-nav {page.rng.choice(("s-accent", "s-dark", "s-plain"))}">{page.other("s-brand", "b")}{links}</div><div class="s-pad">{page.title()}{page.content()}</div>'


def _card(page: Writer) -> str:
    head = page.title("s-head")
    return f'<div class="s-pad s-grey">{page.kit.card.format(head=head, body=page.content())}</div>'


def _sidebar(page: Writer) -> str:
    items = "".join(page.other("s-item", "div") for _ in range(page.rng.randint(3, 6)))
    return f'<div class="s-cols"><div class="s-side {page.rng.choice(("s-dark", "s-greyed"))}">{items}</div><div class="s-pad s-grow">{page.title()}{page.content()}</div></div>'


def _phone(page: Writer) -> str:
    """A phone's page with its buttons at the bottom."""
    return f'<div class="s-tall"><div class="s-bar s-plain"><b class="s-back">‹</b>{page.title("s-bar-title s-middle")}</div><div class="s-pad s-grow">{page.content(with_buttons=False)}</div><div class="s-pad">{page.buttons(arrangement=page.rng.choice(("b-stack", "b-equal", "b-grid")))}</div></div>'


def _columns(page: Writer) -> str:
    return f'<div class="s-cols"><div class="s-pad s-art"><i></i></div><div class="s-pad s-grow">{page.title()}{page.content()}</div></div>'


def _tabled(page: Writer) -> str:
    parts = [page.table(), page.content(with_buttons=False)]
    page.rng.shuffle(parts)
    return f'<div class="s-pad">{page.title()}{parts[0]}{parts[1]}{page.buttons()}</div>'


def _hero(page: Writer) -> str:
    return f'<div class="s-pad s-mid"><i class="s-disc {"s-bad" if page.screen.error else "s-good"}"></i>{page.title("s-title s-large")}{page.content(with_buttons=False)}{page.buttons(arrangement=page.rng.choice(("b-centre", "b-stack", "b-narrow")))}</div>'


def _stats(page: Writer) -> str:
    tiles = "".join(
        f'<div class="s-tile">{page.other("", "div")}<b data-t="other">{page.rng.randint(1, 9999)}</b></div>'
        for _ in range(page.rng.randint(2, 3))
    )
    return f'<div class="s-pad">{page.title()}<div class="s-cols s-gap">{tiles}</div>{page.content()}</div>'


def _twice(page: Writer) -> str:
    """Buttons above and below what the page says."""
    cut = page.rng.randint(0, len(page.screen.buttons))
    return f'<div class="s-pad">{page.title()}{page.buttons(0, cut, "b-left")}{page.content(with_buttons=False)}{page.buttons(cut)}</div>'


def _crumbs(page: Writer) -> str:
    trail = " / ".join(page.other() for _ in range(2))
    return f'<div class="s-pad"><div class="s-crumbs">{trail}</div>{page.title()}<hr>{page.content()}<div class="s-foot">{page.other()}</div></div>'


def _halves(page: Writer) -> str:
    """Kept for validation: a coloured half with a slogan beside the form."""
    slogan = page.rng.choice(SLOGANS)[page.screen.language]
    return f'<div class="s-cols s-whole"><div class="s-half s-accent"><div data-t="other">{html.escape(slogan)}</div></div><div class="s-pad s-grow s-centred">{page.title()}{page.content()}</div></div>'


def _steps(page: Writer) -> str:
    """Kept for validation: steps above the content, buttons at both ends below it."""
    steps = "".join(f'<div class="s-step"><b>{number}</b>{page.other()}</div>' for number in range(1, 4))
    return f'<div class="s-pad"><div class="s-cols s-gap">{steps}</div>{page.title()}{page.content(with_buttons=False)}{page.buttons(arrangement="b-ends")}</div>'


def _toolbar(page: Writer) -> str:
    """Kept for validation: title and buttons share a line."""
    return f'<div class="s-pad"><div class="s-cols s-line">{page.title("s-title s-grow")}{page.buttons(arrangement="b-left")}</div>{page.content(with_buttons=False)}</div>'


LAYOUTS: Mapping[str, tuple[Split, Callable[[Writer], str]]] = MappingProxyType(
    {
        "plain": ("train", _plain),
        "bar": ("train", _bar),
        "brand": ("train", _brand),
        "card": ("train", _card),
        "sidebar": ("train", _sidebar),
        "phone": ("train", _phone),
        "columns": ("train", _columns),
        "tabled": ("train", _tabled),
        "hero": ("train", _hero),
        "stats": ("train", _stats),
        "twice": ("train", _twice),
        "crumbs": ("train", _crumbs),
        "halves": ("valid", _halves),
        "steps": ("valid", _steps),
        "toolbar": ("valid", _toolbar),
    }
)
"""How pages are laid out, by name, and which of them training never sees."""


def write_body(page: Writer, layout: str) -> str:
    """The page's body: a panel over something for dialogs and sheets, else the layout."""
    screen = page.screen
    if screen.kind == "dialog":
        lean = page.rng.choice(("", "s-mid", "s-rule"))
        panel = page.kit.panel.format(
            head=page.title("s-head"),
            body=f'<div class="{lean}">{page.content(with_buttons=False)}</div>',
            foot=page.buttons(),
        )
        cross = '<b class="s-cross">×</b>' if page.rng.random() < 0.3 else ""
        return f'{page.behind()}<div class="s-veil {page.rng.choice(("", "s-high", "s-faint"))}"><div class="s-hold">{panel}{cross}</div></div>'
    if screen.kind == "sheet":
        inner = page.title("s-head s-mid") + page.content(with_buttons=False) + page.buttons(arrangement="b-stack")
        return f'{page.behind()}<div class="s-veil s-low"><div class="s-sheet">{inner}</div></div>'
    return LAYOUTS[layout][1](page) + page.tabs() + page.toast()
