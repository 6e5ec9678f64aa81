"""Further layouts of pages that training shows: feeds, tiles, lists of actions, phones' and windows' own bars.

Knows no pixel and no browser.
"""

# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from flashsight.demo.pages.writer import Writer


def _feed(page: Writer) -> str:
    """Posts of others around what the page says."""
    posts = "".join(
        f'<div class="s-cols s-post"><i class="s-avatar"></i><div class="s-grow">{page.other("s-strong", "div")}{page.other("s-note", "div")}</div></div>'
        for _ in range(page.rng.randint(1, 3))
    )
    return f'<div class="s-pad">{page.title()}{posts}{page.content()}</div>'


def _article(page: Writer) -> str:
    """Paragraphs that nobody asks about, below the title."""
    paragraphs = "".join(
        "<p>" + " ".join(page.other() for _ in range(page.rng.randint(2, 5))) + "</p>"
        for _ in range(page.rng.randint(1, 3))
    )
    return f'<div class="s-pad">{page.title()}<div class="s-note">{paragraphs}</div>{page.content()}</div>'


def _profile(page: Writer) -> str:
    """A portrait with a name over rows and buttons."""
    return f'<div class="s-pad s-mid"><i class="s-avatar s-big"></i>{page.other("s-strong", "div")}{page.other("s-note", "div")}</div><div class="s-pad">{page.title()}{page.content()}</div>'


def _tiles(page: Writer) -> str:
    """Each button in a tile of its own, below a text."""
    tiles = "".join(
        f'<div class="s-tile">{page.other("s-strong", "div")}<b data-t="other">{page.rng.randint(1, 999)}</b><div>{page.button(number, button)}</div></div>'
        for number, button in enumerate(page.screen.buttons)
    )
    return (
        f'<div class="s-pad">{page.title()}{page.content(with_buttons=False)}<div class="s-wrapped">{tiles}</div></div>'
    )


def _actions(page: Writer) -> str:
    """A button at the end of each line."""
    lines = "".join(
        f'<div class="s-row"><div class="s-grow">{page.other()}{page.other("s-note", "div")}</div>{page.button(number, button)}</div>'
        for number, button in enumerate(page.screen.buttons)
    )
    return f'<div class="s-pad">{page.title()}{page.content(with_buttons=False)}{lines}</div>'


def _search(page: Writer) -> str:
    """A search box and labels that are no buttons above the page."""
    box = f'<div class="o-input s-search"><span data-t="other">{next(page.others)}</span></div>'
    chips = "".join(page.other("s-chip") for _ in range(page.rng.randint(2, 4)))
    return f'<div class="s-pad">{box}<div class="s-wrapped">{chips}</div>{page.title()}{page.content()}</div>'


def _sticky(page: Writer) -> str:
    """A bar along the bottom with a sum and the buttons."""
    total = f'<b data-t="other">{page.rng.choice("¥$")}{page.rng.randint(1, 999)}.{page.rng.randint(0, 99):02}</b>'
    return f'<div class="s-tall"><div class="s-pad s-grow">{page.title()}{page.content(with_buttons=False)}</div><div class="s-foot-bar"><div class="s-grow">{total}</div>{page.buttons(arrangement="b-right")}</div></div>'


def _alone(page: Writer) -> str:
    """A card in the middle of an empty page, as pages to log in have."""
    head = page.title("s-head s-mid")
    return f'<div class="s-whole s-grey s-cols s-alone"><div class="s-hold">{page.kit.card.format(head=head, body=page.content())}</div></div>'


def _noticed(page: Writer) -> str:
    """A strip that informs, above the page; it is no error."""
    return f'<div class="s-info">{page.other()}</div><div class="s-pad">{page.title()}{page.content()}</div>'


def _two_cards(page: Writer) -> str:
    """Two cards: what the page says, and something else."""
    said = page.kit.card.format(head=page.title("s-head"), body=page.content())
    rest = page.kit.card.format(head=page.other("s-head", "div"), body=page.other("s-note", "p"))
    parts = [said, rest]
    page.rng.shuffle(parts)
    return f'<div class="s-pad s-grey">{parts[0]}<div class="s-gap-line"></div>{parts[1]}</div>'


MORE: Mapping[str, Callable[[Writer], str]] = MappingProxyType(
    {
        "feed": _feed,
        "article": _article,
        "profile": _profile,
        "tiles": _tiles,
        "actions": _actions,
        "search": _search,
        "sticky": _sticky,
        "alone": _alone,
        "noticed": _noticed,
        "two cards": _two_cards,
    }
)


def framed(page: Writer, body: str) -> str:
    """The body as it is, below a phone's line of state, or inside a window with an address."""
    roll = page.rng.random()
    if roll < 0.72:
        return body
    if roll < 0.88:
        hour, minute = page.rng.randint(0, 23), page.rng.randint(0, 59)
        bars = '<i class="s-bars"></i><i class="s-battery"></i>'
        return f'<div class="s-status"><b data-t="other">{hour}:{minute:02}</b><span>{bars}</span></div>{body}'
    dots = '<i class="s-dot"></i>' * 3
    path = page.rng.choice(("example.com", "localhost:8080", "app.example.cn", "192.168.1.8")) + page.rng.choice(
        ("/", "/login", "/settings", "/orders/1024")
    )
    return f'<div class="s-window">{dots}<span class="s-address" data-t="other">{path}</span></div>{body}'
