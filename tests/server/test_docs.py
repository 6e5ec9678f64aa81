"""docs/api.md says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

import flashsight
from flashsight.server.fields import FIELDS, RESPONSE_FIELDS, ProtocolField
from tests.server.support import House

DOCUMENT = (Path(flashsight.__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("fields", [FIELDS, RESPONSE_FIELDS], ids=["chat", "responses"])
def test_the_documented_fields_are_the_table_of_the_code(fields: dict[str, ProtocolField]):
    rows = [f"| `{name}` | {field.verdict} | {field.note} |" for name, field in fields.items()]
    start = DOCUMENT.index("\n".join(rows[:2]))
    assert DOCUMENT[start:].split("\n\n")[0].splitlines() == rows


def test_every_route_is_documented():
    for path in House().app().openapi()["paths"]:
        assert path.replace("{model}", "{id}") in DOCUMENT
