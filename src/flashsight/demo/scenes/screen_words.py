"""What a screen says, before anything is drawn: title, message, error, fields, rows, buttons. Knows no pixel."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Literal

from flashsight.demo.material import words
from flashsight.demo.material.opened import Material, split_of
from flashsight.demo.sample import Language, Split
from flashsight.demo.scenes.wording import a_text, an_action, any_text, changed
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


def an_error(rng: random.Random, material: Material, split: Split, language: Language) -> str:
    """An error text: what failed and why, or one of the two, as usual or with something changed; or any string."""
    text = _a_failure(rng, material, split, language)
    return changed(rng, material, split, text, language) if rng.random() < 0.35 else text


def _a_failure(rng: random.Random, material: Material, split: Split, language: Language) -> str:
    roll = rng.random()
    if roll < 0.08:
        return material.phrase(rng, split, language, rng.randint(2, 5))
    if roll < 0.36:
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
    if roll < 0.52:
        comma = "，" if language == "zh" else ", "
        text = rng.choice(words.REASONS)[language] + comma + rng.choice(words.ADVICE)[language]
        return text[0].upper() + text[1:]
    if roll < 0.62:
        text = rng.choice(words.REASONS)[language]
        return text[0].upper() + text[1:]
    if roll < 0.69:
        code = rng.choice((404, 500, 502, 503, 403, 401, 408, 1001, 20001, rng.randint(100, 9999)))
        return f"{'错误代码' if language == 'zh' else 'Error code'} {code}"
    return any_text(rng, material, split, language, 16)


def _title(rng: random.Random, material: Material, split: Split, language: Language, error: str | None) -> str:
    roll = rng.random()
    if error and roll < 0.3:
        return rng.choice(words.ACTIONS)[language] + ("失败" if language == "zh" else " failed")
    if roll > 0.9:
        return an_action(rng, material, split, language) + ("？" if language == "zh" else "?")
    return a_text(rng, material, split, language, words.PAGES, 9)


def some_buttons(
    rng: random.Random, material: Material, split: Split, language: Language, count: int
) -> tuple[Button, ...]:
    """Different buttons, at most one of them primary, now and then one or two disabled."""
    texts: list[str] = []
    while len(texts) < count:
        text = an_action(rng, material, split, language)
        if text and text not in texts:
            texts.append(text)
    primary = rng.randrange(count) if count and rng.random() < 0.8 else None
    if primary is not None and count > 1 and rng.random() < 0.7:
        primary = rng.choice((0, count - 1))
    return tuple(Button(text, number == primary, rng.random() < 0.14) for number, text in enumerate(texts))


def _value(rng: random.Random, material: Material, split: Split) -> str | None:
    """What is entered in a field, if anything."""
    roll = rng.random()
    if roll < 0.45:
        return None
    if roll < 0.75:
        return rng.choice(words.VALUES)
    if roll < 0.9:
        return "".join(rng.choices("abcdefghijkmnopqrstuvwxyz0123456789", k=rng.randint(4, 11)))
    return material.phrase(rng, split, rng.choice(("zh", "en")), 1)


def a_screen(rng: random.Random, material: Material, split: Split) -> Screen:
    """A screen of any kind that says what such screens say."""
    kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
    language: Language = rng.choice(("zh", "zh", "en"))
    error_share = {"list": 0.05, "sheet": 0.0, "page": 0.2, "banner": 0.75, "toast": 0.7}.get(kind, 0.5)
    error = an_error(rng, material, split, language) if rng.random() < error_share else None

    def several(known: tuple[Term, ...], count: int, longest: int) -> list[str]:
        return list(dict.fromkeys(a_text(rng, material, split, language, known, longest) for _ in range(count)))

    fields = several(words.FIELDS, rng.randint(1, 4), 5) if kind == "form" else []
    rows = several(words.ROWS, rng.randint(2, 6), 8) if kind in ("list", "page", "toast") else []
    has_switches = rng.random() < 0.5
    has_message = kind in ("dialog", "result", "page", "banner") and rng.random() < 0.65
    count = {"dialog": rng.choice((1, 2, 2, 2, 3)), "sheet": rng.randint(2, 5), "list": rng.choice((0, 0, 1))}.get(
        kind, rng.choice((0, 1, 1, 2, 2, 3))
    )
    screen = Screen(
        kind,
        language,
        title=_title(rng, material, split, language, error) if rng.random() < 0.92 else None,
        message=a_text(rng, material, split, language, words.NOTES, 20) if has_message else None,
        error=error,
        fields=tuple(Field(field, _value(rng, material, split)) for field in fields),
        rows=tuple(Row(row, rng.random() < 0.5 if has_switches else None) for row in rows),
        tabs=tuple(several(words.TABS, rng.randint(3, 4), 3))
        if kind in ("list", "page") and rng.random() < 0.4 else (),
        buttons=some_buttons(rng, material, split, language, count),
    )  # fmt: skip
    says_something = screen.title or screen.message or screen.error or screen.rows or screen.fields or screen.buttons
    return screen if says_something else replace(screen, title=rng.choice(words.PAGES)[language])
