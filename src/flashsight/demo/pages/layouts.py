"""Lays a screen's texts out as a page of some UI kit: dozens of combinations of frame, panel and button rows.

Knows no pixel and no browser.
"""

# ruff: noqa: E501
from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from types import MappingProxyType

from flashsight.demo.pages.more_layouts import MORE, framed
from flashsight.demo.pages.writer import SLOGANS, Writer
from flashsight.demo.sample import Split


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
        **{name: ("train", layout) for name, layout in MORE.items()},
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
    return framed(page, LAYOUTS[layout][1](page)) + page.tabs() + page.toast()
