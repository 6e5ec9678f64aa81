"""What a screen says, before anything is drawn: title, message, error, fields, rows, buttons. Knows no pixel."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Literal

from flashsight.demo.material import words
from flashsight.demo.material.opened import Material, split_of
from flashsight.demo.sample import Language, Split
from flashsight.demo.vocabulary import Term

Kind = Literal["dialog", "form", "list", "result", "sheet", "page", "banner", "toast"]
KINDS: dict[Kind, Term] = {
    "dialog": Term("对话框", "a dialog"),
    "form": Term("表单页面", "a form"),
    "list": Term("列表页面", "a list"),
    "result": Term("结果页面", "a result page"),
    "sheet": Term("底部弹出菜单", "a bottom sheet"),
    "page": Term("普通页面", "a page"),
    "banner": Term("带提示条的页面", "a page with a banner"),
    "toast": Term("带浮动提示的页面", "a page with a toast"),
}
SHARES: dict[Kind, float] = {
    "dialog": 4,
    "form": 2.5,
    "list": 1.5,
    "result": 1.5,
    "sheet": 0.8,
    "page": 1,
    "banner": 1.2,
    "toast": 0.9,
}


@dataclass(frozen=True, slots=True)
class Button:
    """A button: its text; primary means filled with the accent colour."""

    text: str
    is_primary: bool = False
    is_disabled: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """An input field: its label, and what is entered (None: empty, with or without a hint)."""

    label: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a list: its text, and the state of its switch where it has one."""

    text: str
    is_on: bool | None = None


@dataclass(frozen=True, slots=True)
class Screen:
    """What a screen says; None or empty where it is silent."""

    kind: Kind
    language: Language
    title: str | None = None
    message: str | None = None
    error: str | None = None
    fields: tuple[Field, ...] = ()
    rows: tuple[Row, ...] = ()
    tabs: tuple[str, ...] = ()
    buttons: tuple[Button, ...] = ()


def _short(rng: random.Random, material: Material, split: Split, language: Language, length: int) -> str:
    """A string of a user interface of at most so many Chinese characters' width."""
    limit = length if language == "zh" else length * 2
    if rng.random() < 0.4:
        return material.phrase(rng, split, language, rng.randint(1, max(1, length // 4)))[:limit].strip()
    for _ in range(20):
        text = rng.choice(material.strings[split])[language].strip()
        if len(text) <= limit:
            return text
    return rng.choice(words.PAGES)[language]


def an_error(rng: random.Random, material: Material, split: Split, language: Language) -> str:
    """An error text: what failed and why, or one of the two, or any string."""
    roll = rng.random()
    if roll < 0.08:
        return material.phrase(rng, split, language, rng.randint(2, 5))
    if roll < 0.4:
        failed = rng.choice(words.ACTIONS)[language] + ("失败" if language == "zh" else " failed")
        for _ in range(15):
            text = (
                failed
                + rng.choice(("，", "：") if language == "zh" else (": ", ", "))
                + rng.choice(words.REASONS)[language]
            )
            if split_of(text) == split:
                break
        return text
    if roll < 0.58:
        comma = "，" if language == "zh" else ", "
        text = rng.choice(words.REASONS)[language] + comma + rng.choice(words.ADVICE)[language]
        return text[0].upper() + text[1:]
    if roll < 0.7:
        text = rng.choice(words.REASONS)[language]
        return text[0].upper() + text[1:]
    if roll < 0.77:
        code = rng.choice((404, 500, 502, 503, 403, 401, 408, 1001, 20001, rng.randint(100, 9999)))
        return f"{'错误代码' if language == 'zh' else 'Error code'} {code}"
    return _short(rng, material, split, language, 16)


def _title(rng: random.Random, material: Material, split: Split, language: Language, error: str | None) -> str:
    roll = rng.random()
    if error and roll < 0.35:
        return rng.choice(words.ACTIONS)[language] + ("失败" if language == "zh" else " failed")
    return rng.choice(words.PAGES)[language] if roll < 0.65 else _short(rng, material, split, language, 9)


def some_buttons(
    rng: random.Random, material: Material, split: Split, language: Language, count: int
) -> tuple[Button, ...]:
    """Different buttons, at most one of them primary, now and then one or two disabled."""
    texts: list[str] = []
    while len(texts) < count:
        terms = rng.choice((words.CONFIRM, words.CANCEL))
        text = rng.choice(terms)[language] if rng.random() < 0.8 else _short(rng, material, split, language, 5)
        if text not in texts:
            texts.append(text)
    primary = rng.randrange(count) if count and rng.random() < 0.8 else None
    if primary is not None and count > 1 and rng.random() < 0.7:
        primary = rng.choice((0, count - 1))
    return tuple(Button(text, number == primary, rng.random() < 0.14) for number, text in enumerate(texts))


def _values(rng: random.Random) -> str | None:
    return rng.choice(words.VALUES) if rng.random() < 0.55 else None


def a_screen(rng: random.Random, material: Material, split: Split) -> Screen:
    """A screen of any kind that says what such screens say."""
    kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
    language: Language = rng.choice(("zh", "zh", "en"))
    error_share = {"list": 0.05, "sheet": 0.0, "page": 0.2, "banner": 0.75, "toast": 0.7}.get(kind, 0.5)
    error = an_error(rng, material, split, language) if rng.random() < error_share else None
    fields = rng.sample(words.FIELDS, rng.randint(1, 4)) if kind == "form" else []
    rows = rng.sample(words.ROWS, rng.randint(2, 6)) if kind in ("list", "page", "toast") else []
    has_switches = rng.random() < 0.5
    has_message = kind in ("dialog", "result", "page", "banner") and rng.random() < 0.65
    count = {"dialog": rng.choice((1, 2, 2, 2, 3)), "sheet": rng.randint(2, 5), "list": rng.choice((0, 0, 1))}.get(
        kind, rng.choice((0, 1, 1, 2, 2, 3))
    )
    screen = Screen(
        kind,
        language,
        title=_title(rng, material, split, language, error) if rng.random() < 0.92 else None,
        message=rng.choice(words.NOTES)[language] if has_message and rng.random() < 0.6
        else _short(rng, material, split, language, 20) if has_message else None,
        error=error,
        fields=tuple(Field(field[language], _values(rng)) for field in fields),
        rows=tuple(Row(row[language], rng.random() < 0.5 if has_switches else None) for row in rows),
        tabs=tuple(tab[language] for tab in rng.sample(words.TABS, rng.randint(3, 4)))
        if kind in ("list", "page") and rng.random() < 0.4 else (),
        buttons=some_buttons(rng, material, split, language, count),
    )  # fmt: skip
    says_something = screen.title or screen.message or screen.error or screen.rows or screen.fields or screen.buttons
    return screen if says_something else replace(screen, title=rng.choice(words.PAGES)[language])
