"""Whatever is sent, the answer is never a 500: bodies near the protocol, with values that it does not expect."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flashsight.core.errors import RequestError
from flashsight.server.fields import FIELDS
from flashsight.server.parse import parse_chat
from tests.server.support import MODEL, LiveHouse

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["user", "system", "text", "image_url", "json_object", "json_schema", "enabled", "data:,x"])
)
NAMES = st.sampled_from(
    [*FIELDS, "role", "content", "type", "text", "image_url", "url", "detail", "name", "schema", "x"]
)
ANY = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=4), inner, max_size=4)
)
PART = st.fixed_dictionaries({"type": st.sampled_from(["text", "image_url", "video_url"]) | ANY}, optional={
    "text": st.text(max_size=5) | ANY, "image_url": st.fixed_dictionaries({"url": ANY}) | ANY,
})  # fmt: skip
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "system", "assistant", "developer", "tool"]) | ANY,
     "content": st.text(max_size=5) | st.lists(PART, max_size=3) | ANY}
)  # fmt: skip
BODY = st.fixed_dictionaries(
    {"model": st.just(MODEL) | ANY, "messages": st.lists(MESSAGE, min_size=1, max_size=3) | ANY},
    optional={name: ANY for name in FIELDS if name not in ("model", "messages")},
)


def refusal_of(body: bytes) -> RequestError | None:
    try:
        parse_chat(body)
    except RequestError as error:
        return error
    return None


@settings(max_examples=400, suppress_health_check=list(HealthCheck), deadline=None)
@given(body=BODY | ANY)
def test_a_body_is_parsed_or_refused_with_a_sentence(body: Any):
    refusal = refusal_of(json.dumps(body).encode())
    if refusal is not None:
        assert refusal.message
        assert "pydantic" not in refusal.message


@settings(max_examples=100, suppress_health_check=list(HealthCheck), deadline=None)
@given(body=st.binary(max_size=200) | BODY.map(lambda body: json.dumps(body).encode()))
def test_a_body_over_http_is_never_a_500(house: LiveHouse, body: bytes):
    answer = house.http.post("/v1/chat/completions", content=body)
    assert answer.status_code in (200, 400, 404)
    if answer.status_code != 200:
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
