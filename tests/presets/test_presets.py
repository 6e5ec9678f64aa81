from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

import flashsight
from flashsight.core.errors import ConfigError, RequestError
from flashsight.core.types import JsonConstraint, Message, PictureRef, TextPart
from flashsight.presets import BUILT_IN, load_presets, preset_named, with_prompt
from flashsight.processing.grammar import GrammarCompiler
from flashsight.processing.tokenizer import Tokenizer

NANO = Path(flashsight.__file__).parent / "assets" / "nano"
SCENES = {"ticket", "homework", "inspection", "product", "safety", "screen", "difference", "moderation"}


def own(folder: Path, text: str, *, name: str = "meter") -> Path:
    (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


def test_the_eight_scenes_ship_with_words_in_both_languages():
    presets = load_presets()
    assert set(presets) == SCENES
    assert tuple(presets) == BUILT_IN
    for preset in presets.values():
        words = (preset.title, preset.hint, preset.prompt)
        assert all(text for worded in words for text in (worded.zh, worded.en))
        assert all(worded.zh != worded.en for worded in words)
        assert "只陈述" in preset.prompt.zh
        assert "fact" in preset.prompt.en or "only what the figure shows" in preset.prompt.en


def test_every_shipped_schema_is_one_compiles_and_is_told_to_the_model():
    compiler = GrammarCompiler(Tokenizer(NANO))
    with_schema = {name: preset for name, preset in load_presets().items() if preset.schema is not None}
    assert set(with_schema) == {"inspection", "product", "moderation"}
    for preset in with_schema.values():
        schema = dict(preset.schema or {})
        jsonschema.Draft202012Validator.check_schema(schema)
        compiler.compile(JsonConstraint(schema=schema), thinking=False)
        assert set(schema["required"]) == set(schema["properties"])
        for field in schema["properties"]:
            assert field in preset.prompt.zh
            assert field in preset.prompt.en


def test_a_person_adds_a_preset_and_replaces_one(tmp_path: Path):
    own(tmp_path, 'prompt = "读出电表的数字。"\n')
    own(tmp_path, '[prompt]\nen = "What is wrong?"\n[sampling]\nmax_tokens = 9\n', name="ticket")
    presets = load_presets(tmp_path)
    assert tuple(presets) == (*BUILT_IN, "meter")
    assert presets["meter"].prompt.en == presets["meter"].prompt.zh == "读出电表的数字。"
    assert presets["meter"].title.zh == "meter"
    assert presets["ticket"].prompt.zh == "What is wrong?"
    assert presets["ticket"].sampling.max_tokens == 9
    assert load_presets()["ticket"].prompt.zh != "What is wrong?"


FAULTS = [
    ("", 1, "prompt is missing"),
    ('prompt = "a"\n\npromt = "b"\n', 3, "unknown key promt; known are title, hint, prompt"),
    ("prompt = 3\n", 1, "prompt must be a text, or a table"),
    ('title = "t"\n[prompt]\nzh = ""\n', 3, "prompt.zh must be a text with at least one word"),
    ('[prompt]\nzh = "a"\nfr = "b"\n', 3, "unknown key prompt.fr; known are zh, en"),
    ('prompt = "a"\n[sampling]\ntemperature = 3\n', 3, "sampling.temperature must be a number from 0 to 2"),
    ('prompt = "a"\n[sampling]\nmax_tokens = 1.5\n', 3, "sampling.max_tokens must be an integer"),
    ('prompt = "a"\n[sampling]\nseed = 1\n', 3, "unknown key sampling.seed"),
    ('prompt = "a"\nschema = "x"\n', 2, "schema must be a table"),
    ('prompt = "a"\n[schema]\ntype = "object"\n[schema.properties.day]\nconst = 2020-01-01\n', 5, "a date"),
]


@pytest.mark.parametrize(("text", "line", "words"), FAULTS)
def test_a_bad_file_is_refused_by_name_and_line(tmp_path: Path, text: str, line: int, words: str):
    with pytest.raises(ConfigError) as caught:
        load_presets(own(tmp_path, text))
    assert f"{tmp_path / 'meter.toml'}, line {line}: " in caught.value.message
    assert words in caught.value.message


def test_what_is_no_toml_no_name_or_no_folder_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"meter\.toml is not valid TOML: .*line 2"):
        load_presets(own(tmp_path, 'prompt = "a"\nprompt\n'))
    with pytest.raises(ConfigError, match="not a folder"):
        load_presets(tmp_path / "none")
    (tmp_path / "meter.toml").unlink()
    with pytest.raises(ConfigError, match="small letters"):
        load_presets(own(tmp_path, 'prompt = "a"\n', name="My Meter"))


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(RequestError, match=r"did you mean ticket\?.*moderation") as caught:
        preset_named(load_presets(), "tiket", param="metadata.preset")
    assert caught.value.param == "metadata.preset"


PICTURE = PictureRef(url="sha256:x", param="p")


def test_the_prompt_follows_pictures_and_precedes_text_of_the_last_question():
    first = Message(role="user", parts=(TextPart(text="早"),))
    answer = Message(role="assistant", parts=(TextPart(text="好"),))
    only_picture = with_prompt([first, answer, Message(role="user", parts=(PICTURE, TextPart(text=" ")))], "说明")
    assert only_picture[:2] == (first, answer)
    assert only_picture[2].parts == (PICTURE, TextPart(text="说明"))
    [both] = with_prompt([Message(role="user", parts=(PICTURE, TextPart(text="配文")))], "审核")
    assert both.parts == (PICTURE, TextPart(text="审核\n"), TextPart(text="配文"))
    with pytest.raises(RequestError, match="user's message"):
        with_prompt([answer], "说明")
