"""Boxes by attribute: asked for, taken out of the answer into pixels, drawn on thumbnails; by a scripted backend."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from PIL import Image

from flashsight.core.errors import ConfigError
from flashsight.core.types import Conversation, Delta, Finish, JsonConstraint, Sampling, TextDelta, TextPart
from flashsight.workbench.evidence import draw_boxes, split_evidence, with_evidence
from flashsight.workbench.export import columns_of, write_excel
from flashsight.workbench.ratings import run_id
from flashsight.workbench.records import Run, RunError, open_run
from flashsight.workbench.run import BatchRun, resume
from tests.workbench.house import QUESTION, SCHEMA, USAGE, asker_of, new_run

ASKED = replace(QUESTION, evidence=True)


def test_the_asked_schema_takes_answers_with_boxes_and_without():
    asked = with_evidence({**SCHEMA, "required": ["color"], "additionalProperties": False})
    check = jsonschema.Draft202012Validator(asked)
    assert check.is_valid({"color": "红"})
    assert check.is_valid({"color": "红", "evidence": {"color": [0, 10, 500, 1000]}})
    for bad in ({"color": [0, 0, 1]}, {"color": [0, 0, 1, 1001]}, {"size": [0, 0, 1, 1]}, {"color": [0, 0, 1, 0.5]}):
        assert not check.is_valid({"color": "红", "evidence": bad})
    assert "evidence" not in SCHEMA["properties"]


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"properties": {"evidence": {"type": "string"}}}])
def test_a_schema_without_room_for_evidence_is_refused(schema: dict[str, Any]):
    with pytest.raises(ConfigError):
        with_evidence(schema)


def test_boxes_come_in_pixels_of_the_last_picture_and_leave_the_answer():
    said = {"color": "红", "evidence": {"color": [100, 200, 500, 750], "copy": [900, 900, 100, 100]}}
    parsed, boxes = split_evidence(said, [(10, 10), (400, 200)])
    assert parsed == {"color": "红"}
    assert [(b.picture, b.left, b.top, b.right, b.bottom, b.label) for b in boxes] == [
        (1, 40, 40, 200, 150, "color"),
        (1, 40, 20, 360, 180, "copy"),
    ]


@pytest.mark.parametrize(
    "evidence",
    [None, [], "x", {"color": None}, {"color": [1, 2, 3]}, {"color": [0, 0, 2000, 5]}, {"color": [5, 5, 5, 5]}],
)
def test_what_is_no_box_is_left_out(evidence: object):
    assert split_evidence({"color": "红", "evidence": evidence}, [(100, 100)]) == ({"color": "红"}, ())


@dataclass
class Pointing:
    """Says where it saw the colour, if it is asked to."""

    asked: list[tuple[str, Sampling]] = field(default_factory=list)

    async def stream(self, conversation: Conversation, sampling: Sampling) -> AsyncGenerator[Delta, None]:
        text = "".join(part.text for part in conversation.messages[0].parts if isinstance(part, TextPart))
        self.asked.append((text, sampling))
        said: dict[str, Any] = {"color": "红"}
        if "evidence" in text:
            said["evidence"] = {"color": [250, 250, 750, 750]}
        yield TextDelta(index=0, text=json.dumps(said))
        yield Finish(index=0, reason="stop")
        yield USAGE


async def batch(folder: Path, out: Path, backend: Pointing) -> Run:
    run = new_run(folder, out, ASKED)
    await BatchRun(run).go(asker_of(run, backend, ASKED), in_flight=1)  # type: ignore[arg-type]
    return open_run(out)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    Image.new("RGB", (400, 200), "white").save(tmp_path / "shop" / "cup.png")
    return tmp_path / "shop"


async def test_a_run_with_evidence_keeps_boxes_apart_and_stays_comparable(shop: Path, tmp_path: Path):
    run = await batch(shop, tmp_path / "run", backend := Pointing())
    (result,) = run.results()
    assert result.parsed == {"color": "红"}
    assert [dict(box) for box in result.boxes] == [
        {"picture": 0, "left": 100, "top": 50, "right": 300, "bottom": 150, "label": "color"}
    ]
    text, sampling = backend.asked[0]
    assert text.startswith(QUESTION.prompt + "\n")
    assert isinstance(sampling.constraint, JsonConstraint)
    assert sampling.constraint.schema is not None
    assert "evidence" in sampling.constraint.schema["properties"]
    plain = new_run(shop, tmp_path / "plain")
    assert (run.manifest.evidence, plain.manifest.evidence) == (True, False)
    assert run.manifest.schema_sha256 == plain.manifest.schema_sha256
    assert run.manifest.prompt_sha256 == plain.manifest.prompt_sha256
    assert "evidence" not in columns_of(run)
    with pytest.raises(RunError, match="another evidence"):
        resume(plain, replace(plain.manifest, evidence=True))


async def test_excel_shows_the_boxes_on_the_thumbnails(shop: Path, tmp_path: Path):
    run = await batch(shop, tmp_path / "run", Pointing())
    write_excel(run, tmp_path / "out.xlsx")
    import io
    import zipfile

    with zipfile.ZipFile(tmp_path / "out.xlsx") as parts:
        (name,) = (name for name in parts.namelist() if name.startswith("xl/media/"))
        with Image.open(io.BytesIO(parts.read(name))) as image:
            assert image.format == "PNG"
            assert json.loads(image.text["AIGC"])["ProduceID"] == run_id(run)  # type: ignore[attr-defined]
            red = [image.convert("RGB").getpixel((24, y)) for y in (24, 4)]
    assert red[0][0] > red[0][1] + 40  # type: ignore[index, operator]
    assert min(red[1]) > 200  # type: ignore[arg-type]


def test_a_box_is_drawn_where_it_lies():
    image = Image.new("RGB", (96, 48), "white")
    draw_boxes(image, [{"left": 200, "top": 100, "right": 600, "bottom": 300}], (800, 400))
    dark = [(x, y) for x in range(96) for y in range(48) if image.getpixel((x, y)) != (255, 255, 255)]
    assert (min(x for x, _ in dark), min(y for _, y in dark)) == (24, 12)
    assert (max(x for x, _ in dark), max(y for _, y in dark)) == (72, 36)
