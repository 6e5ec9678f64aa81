"""The generated pages equal what generates them, and every setting can be reached from every side."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from flashsight.cli.app import app
from flashsight.cli.reference import cli_page, settings_page
from flashsight.core.settings import SETTINGS, flag_of

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("page", "lines"), [("cli", cli_page), ("settings", settings_page)])
def test_a_generated_page_is_up_to_date(page: str, lines: object) -> None:
    assert callable(lines)
    written = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    assert written == "\n".join(lines()) + "\n", "run `make docs`"


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_documented_and_has_a_flag_of_serve(name: str) -> None:
    assert SETTINGS[name].description
    serve = get_command(app).commands["serve"]  # type: ignore[attr-defined]
    assert flag_of(name) in {spelling for parameter in serve.params for spelling in parameter.opts}


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, command in (group or get_command(app)).commands.items():
        yield " ".join((*path, name)), command
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))


def test_every_command_and_parameter_has_words_in_both_languages() -> None:
    silent = []
    for name, command in commands():
        if not re.search(r"[\u4e00-\u9fff]", command.help or "") and not command.hidden:
            silent.append(name)
        silent += [f"{name} {p.name}" for p in command.params if not getattr(p, "hidden", False) and not p.help]
    assert silent == []


def test_every_command_shows_examples() -> None:
    leaves = [(name, c) for name, c in commands() if not c.hidden and not hasattr(c, "commands")]
    assert [name for name, command in leaves if f"flashsight {name}" not in (command.help or "")] == []


CAPABILITIES = {"A": 5, "B": 11, "C": 8, "D": 8, "E": 8, "F": 13, "G": 14}
"""How many each letter has."""


def states(readme: str) -> dict[str, str]:
    """Each capability of the feature table with its mark; a row may stand for several, as in `D1–D8`."""
    marks: dict[str, str] = {}
    for letter, first, last, mark in re.findall(
        r"^\| ([A-G])(\d+)(?:–[A-G](\d+))? \|.*\| ([●◐○])[^|]*\|$", readme, re.MULTILINE
    ):
        for number in range(int(first), int(last or first) + 1):
            assert f"{letter}{number}" not in marks
            marks[f"{letter}{number}"] = mark
    return marks


def test_both_readmes_tell_the_state_of_every_capability_alike() -> None:
    english, chinese = (states((ROOT / name).read_text(encoding="utf-8")) for name in ("README.md", "README.zh-CN.md"))
    assert set(english) == {
        f"{letter}{number + 1}" for letter, count in CAPABILITIES.items() for number in range(count)
    }
    assert chinese == english
