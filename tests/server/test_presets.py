"""A preset named in a chat supplies what the request leaves open, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from flashsight.core.types import JsonConstraint, PicturePart, Sampling, TextPart
from flashsight.presets import load_presets
from tests.server.support import MODEL, LiveHouse

PICTURE = {"type": "image_url", "image_url": "data:image/png;base64,AAAA"}
PRESETS = load_presets()


def ask(house: LiveHouse, *content: Any, preset: str, language: str | None = None, **fields: Any) -> Sampling:
    metadata = {"preset": preset} | ({"language": language} if language else {})
    message = {"role": "user", "content": [PICTURE, *content]}
    reply = house.http.post(
        "/v1/chat/completions", json={"model": MODEL, "messages": [message], "metadata": metadata, **fields}
    )
    assert reply.status_code == 200, reply.text
    return house.backend.asked[-1][1]


def texts(house: LiveHouse) -> list[str]:
    first, *others = house.backend.asked[-1][0].messages[-1].parts
    assert isinstance(first, PicturePart)
    return [part.text for part in others if isinstance(part, TextPart)]


@pytest.mark.parametrize(("language", "words"), [(None, "用一句话"), ("zh", "用一句话"), ("en", "in one sentence")])
def test_a_picture_alone_is_asked_the_presets_prompt(house: LiveHouse, language: str | None, words: str):
    sampling = ask(house, preset="ticket", language=language)
    [prompt] = texts(house)
    assert words in prompt
    assert (sampling.temperature, sampling.max_tokens, sampling.constraint) == (0, 160, None)


def test_words_of_the_request_follow_the_prompt(house: LiveHouse):
    ask(house, {"type": "text", "text": "今日特价"}, preset="moderation")
    assert texts(house) == [PRESETS["moderation"].prompt.zh + "\n", "今日特价"]


def test_the_answer_is_held_to_the_presets_schema(house: LiveHouse):
    constraint = ask(house, preset="product").constraint
    assert isinstance(constraint, JsonConstraint)
    assert constraint.schema == PRESETS["product"].schema


def test_what_the_request_says_itself_goes_first(house: LiveHouse):
    sampling = ask(house, preset="ticket", temperature=0.7, max_completion_tokens=5)
    assert (sampling.temperature, sampling.max_tokens) == (0.7, 5)
    assert ask(house, preset="product", response_format={"type": "text"}).constraint is None
    assert (
        ask(house, preset="product", structured_outputs={"choice": ["a"]}).constraint
        != ask(house, preset="product").constraint
    )


def test_an_unknown_preset_is_refused_with_the_names_of_all(house: LiveHouse):
    body = {"model": MODEL, "messages": [{"role": "user", "content": "x"}], "metadata": {"preset": "tickets"}}
    reply = house.http.post("/v1/chat/completions", json=body)
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert (error["code"], error["param"]) == ("preset_not_found", "metadata.preset")
    assert all(name in error["message"] for name in PRESETS)


def respond(house: LiveHouse, preset: str, **fields: Any) -> Any:
    asked = [{"role": "user", "content": [{"type": "input_image", "image_url": PICTURE["image_url"]}]}]
    body = {"model": MODEL, "input": asked, "metadata": {"preset": preset, "case": "7"}, **fields}
    return house.http.post("/v1/responses", json=body)


def test_a_response_names_a_preset_in_the_same_way(house: LiveHouse):
    answer = respond(house, "product", temperature=0.5).json()
    assert answer["metadata"] == {"preset": "product", "case": "7"}
    assert answer["text"]["format"]["schema"] == PRESETS["product"].schema
    assert texts(house) == [PRESETS["product"].prompt.zh]
    sampling = house.backend.asked[-1][1]
    assert (sampling.temperature, sampling.constraint) == (0.5, JsonConstraint(schema=PRESETS["product"].schema))
    respond(house, "product", text={"format": {"type": "text"}})
    assert house.backend.asked[-1][1].constraint is None
    respond(house, "ticket")
    assert house.backend.asked[-1][1].max_tokens == 160


def test_an_unknown_preset_of_a_response_is_refused_with_the_names_of_all(house: LiveHouse):
    error = respond(house, "tickets").json()["error"]
    assert (error["code"], error["param"]) == ("preset_not_found", "metadata.preset")
    assert all(name in error["message"] for name in PRESETS)


def test_the_list_has_everything_that_a_page_needs(house: LiveHouse):
    listed = house.http.get("/v1/presets").json()
    assert listed["object"] == "list"
    assert [preset["name"] for preset in listed["data"]] == list(PRESETS)
    product = next(preset for preset in listed["data"] if preset["name"] == "product")
    assert set(product) == {"name", "title", "hint", "prompt", "schema", "sampling"}
    assert set(product["title"]) == {"zh", "en"}
    assert list(product["schema"]["properties"]) == ["category", "color", "material", "key_features", "marketing_copy"]
    assert product["sampling"] == {"temperature": 0}
