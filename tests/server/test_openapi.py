"""What /openapi.json says of replies is what comes back, over a scripted backend and over the whole road."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import jsonschema
import pytest

from flashsight.core.errors import EngineFault
from flashsight.core.types import TextDelta, TextLogprob
from tests.server.live import Live
from tests.server.scripted import saying
from tests.server.support import MODEL, House, LiveHouse
from tests.server.test_detail import live, parts, picture, png
from tests.server.test_wire import SCRIPTS

__all__ = ["live", "parts"]

ASKED = [{"role": "user", "content": "x"}]
DOCUMENT: dict[str, Any] = House().app().openapi()
CHAT = "/v1/chat/completions"


def told(path: str, kind: str = "application/json", *, method: str = "post", status: str = "200") -> dict[str, Any]:
    """The schema of a reply, with everything that it refers to."""
    schema = DOCUMENT["paths"][path][method]["responses"][status]["content"][kind]["schema"]
    return {**schema, "components": DOCUMENT["components"]}


def events_of(text: str) -> list[dict[str, Any]]:
    lines = [line[6:] for line in text.splitlines() if line.startswith("data: ") and line != "data: [DONE]"]
    return [json.loads(line) for line in lines]


def fits(reply: Any, schema: dict[str, Any]) -> None:
    jsonschema.validate(reply, schema)
    if "$ref" in schema and schema["$ref"].endswith("/ChatCompletion"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(reply | {"surprise": 1}, schema)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_kind_of_answer_is_as_described(house: LiveHouse, name: str):
    house.backend.script = SCRIPTS[name]
    body = {"model": MODEL, "messages": ASKED, "n": 2 if name == "two" else 1}
    if name != "two":
        fits(house.http.post(CHAT, json=body).json(), told(CHAT))
    streamed = house.http.post(CHAT, json=body | {"stream": True, "stream_options": {"include_usage": True}})
    for event in events_of(streamed.text):
        fits(event, told(CHAT, "text/event-stream"))
    if name != "two":
        fits(house.http.post("/v1/responses", json={"model": MODEL, "input": "x"}).json(), told("/v1/responses"))


def test_logprobs_are_as_described(house: LiveHouse):
    token = TextLogprob(token="a", token_bytes=b"a", logprob=-0.5)
    chosen = TextLogprob(token="a", token_bytes=b"a", logprob=-0.5, top=(token,))
    house.backend.script = (TextDelta(index=0, text="a", logprobs=(chosen,)), *saying("b"))
    body = {"model": MODEL, "messages": ASKED, "logprobs": True, "top_logprobs": 1}
    fits(house.http.post(CHAT, json=body).json(), told(CHAT))
    for event in events_of(house.http.post(CHAT, json=body | {"stream": True}).text):
        fits(event, told(CHAT, "text/event-stream"))


def test_every_error_is_as_described(house: LiveHouse):
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            assert "422" not in operation["responses"]
            assert told(path, method=method, status="default")["$ref"] == "#/components/schemas/Error"
    schema = told(CHAT, status="default")
    for path, body in ((CHAT, {}), ("/v1/responses", {}), ("/tokenize", {"text": 3}), ("/v1/images/estimate", {})):
        reply = house.http.post(path, json=body)
        assert reply.status_code == 400
        fits(reply.json(), schema)
    fits(house.http.get("/v1/files?limit=x").json(), schema)
    fits(house.http.get("/nowhere").json(), schema)
    house.backend.script = (TextDelta(index=0, text="a"), EngineFault("the engine failed"))
    *_, last = events_of(house.http.post(CHAT, json={"model": MODEL, "messages": ASKED, "stream": True}).text)
    fits(last, schema)


def test_every_reply_that_is_json_has_a_shape_and_every_operation_says_what_it_is_for():
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            assert len(operation["summary"].split()) > 3, f"{method} {path}"
            assert operation["responses"]["200"]["description"] != "Successful Response"
            for kind in operation["responses"]["200"]["content"]:
                if kind == "application/json":
                    assert "$ref" in told(path, method=method), f"{method} {path}"
    without = [
        path
        for path, operations in DOCUMENT["paths"].items()
        for one in operations.values()
        if not one.get("security", True)
    ]
    assert without == ["/health", "/ready"]


def test_what_a_server_tells_of_itself_is_as_described(house: LiveHouse):
    paths = ["/health", "/ready", "/v1/models", f"/v1/models/{MODEL}", "/v1/presets", "/v1/queue", "/v1/files"]
    for path in paths:
        fits(house.http.get(path).json(), told(path.replace(MODEL, "{model}"), method="get"))


def test_the_whole_road_replies_as_described(live: Live):
    with httpx2.Client(base_url=live.base, timeout=60) as http:
        large = picture(png(40), "high")
        asked = [{"role": "user", "content": [large, {"type": "text", "text": "请描述"}]}]
        body: dict[str, Any] = {"model": MODEL, "messages": asked, "max_tokens": 4}
        fits(http.post(CHAT, json=body).json(), told(CHAT))
        streamed = http.post(CHAT, json=body | {"stream": True, "stream_options": {"include_usage": True}})
        for event in events_of(streamed.text):
            fits(event, told(CHAT, "text/event-stream"))
        fits(http.post("/tokenize", json={"messages": asked}).json(), told("/tokenize"))
        for detail in ("low", "high"):
            named = {"image_url": large["image_url"] | {"detail": detail}}
            fits(http.post("/v1/images/estimate", json=named).json(), told("/v1/images/estimate"))
        made = http.post("/v1/files", files={"file": ("a.png", png(41))}, data={"purpose": "vision"}).json()
        fits(made, told("/v1/files"))
        fits(http.get(f"/v1/files/{made['id']}").json(), told("/v1/files/{file_id}", method="get"))
        fits(http.get("/v1/files").json(), told("/v1/files", method="get"))
        fits(http.delete(f"/v1/files/{made['id']}").json(), told("/v1/files/{file_id}", method="delete"))
        fits(http.get("/v1/plan").json(), told("/v1/plan", method="get"))
