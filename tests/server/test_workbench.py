"""The rating page over HTTP: nothing leaves the run's own list, nobody from elsewhere gets in, faults are words."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
import pillow_heif
import pytest
from PIL import Image
from starlette.testclient import TestClient

from flashsight.core.config import MediaConfig
from flashsight.guard import AccessPolicy
from flashsight.processing.media import MediaGate
from flashsight.server.workbench import build_workbench
from flashsight.ui import STATIC_FOLDER, WORKBENCH_FOLDER
from flashsight.workbench import rating_store
from flashsight.workbench.panel import Panel
from flashsight.workbench.ratings import RATINGS_FILE, read_ratings
from flashsight.workbench.records import CasePicture, Run, RunError, to_line
from flashsight.workbench.rules import read_rules
from tests.ui.rating_house import draw_pictures, rated_run
from tests.workbench.runs import write_run

NAMES = ["a.png", "b.png", "c.png"]
RATER = "0123456789abcdef"
ANSWERS = {name: {"color": "红", "marketing_copy": f"文案 {name}"} for name in NAMES}


def client_of(
    run: Run, second: Run | None = None, *, keys: tuple[str, ...] = (), peer: str = "127.0.0.1"
) -> TestClient:
    app = build_workbench(
        Panel(run, read_rules(), second),
        MediaGate(MediaConfig(), offline=True),
        access=AccessPolicy(keys),
        page=WORKBENCH_FOLDER,
        borrowed=STATIC_FOLDER,
        max_picture_bytes=1 << 20,
    )
    return TestClient(app, base_url="http://localhost", client=(peer, 9), follow_redirects=False)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    draw_pictures(tmp_path / "shop", NAMES)
    (tmp_path / "secret.txt").write_text("do not show")
    return rated_run(tmp_path / "run", ANSWERS, pictures=tmp_path / "shop")


@pytest.fixture
def client(run: Run) -> Iterator[TestClient]:
    with client_of(run) as client:
        yield client


def rate(client: TestClient, place: int = 0, **said: Any) -> httpx2.Response:
    return client.post("/workbench/api/ratings", json={"rater": RATER, "place": place, **said})


def test_the_page_has_the_main_pages_policy_and_the_root_leads_to_it(client: TestClient):
    assert client.get("/").headers["location"] == "/workbench"
    page = client.get("/workbench")
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    for part in ("/style.css", "/workbench/style.css", "/workbench/js/main.js", "/js/keep.js"):
        assert client.get(part).status_code == 200, part


def test_a_picture_comes_as_it_lies_and_only_by_its_number(client: TestClient, run: Run, tmp_path: Path):
    got = client.get("/workbench/api/pictures/1/0")
    assert got.content == (tmp_path / "shop" / "b.png").read_bytes()
    assert got.headers["content-type"] == "image/png"
    assert got.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/workbench/api/pictures/0/1",
        "/workbench/api/pictures/3/0",
        "/workbench/api/pictures/-1/0",
        "/workbench/api/pictures/0/-1",
        "/workbench/api/pictures/0/..%2f..%2fsecret.txt",
        "/workbench/api/pictures/0/../../../secret.txt",
        "/workbench/../secret.txt",
        "/workbench/%2e%2e/%2e%2e/secret.txt",
        "/workbench//etc/passwd",
        "/js/../../__init__.py",
        "/manifest.json",
        "/js/main.js",
    ],
)
def test_no_address_reaches_another_file(client: TestClient, path: str):
    answer = client.get(path)
    assert answer.status_code in (400, 404)
    assert "error" in answer.json()
    assert "do not show" not in answer.text


def with_picture(run: Run, path: str, content: bytes | None) -> Run:
    """The run with its first picture elsewhere, as a run's folder from a stranger might say."""
    listed = CasePicture(path=path, sha256=None if content is None else sha256(content).hexdigest())
    results = [replace(one, pictures=(listed,)) if one.id == "a.png" else one for one in run.results()]
    (run.folder / "results.jsonl").write_text("".join(map(to_line, results)))
    return run


def test_a_strangers_run_cannot_have_a_file_shown_that_is_no_picture(run: Run, tmp_path: Path):
    secret = tmp_path / "secret.txt"
    with client_of(with_picture(run, "../secret.txt", secret.read_bytes())) as client:
        answer = client.get("/workbench/api/pictures/0/0")
    assert answer.status_code == 400
    assert "do not show" not in answer.text


@pytest.mark.parametrize(("path", "code"), [("gone.png", "picture_missing"), ("b.png", "picture_changed")])
def test_a_picture_that_is_not_the_runs_own_any_more_is_refused(run: Run, path: str, code: str):
    with client_of(with_picture(run, path, b"other bytes")) as client:
        assert client.get("/workbench/api/pictures/0/0").json()["error"]["code"] == code


def test_a_kind_that_no_browser_shows_comes_as_jpeg(run: Run, tmp_path: Path):
    pillow_heif.from_pillow(Image.new("RGB", (64, 48), "red")).save(tmp_path / "shop" / "x.heic")
    with client_of(with_picture(run, "x.heic", (tmp_path / "shop" / "x.heic").read_bytes())) as client:
        got = client.get("/workbench/api/pictures/0/0")
    assert got.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(got.content)) as image:
        assert (image.format, image.size) == ("JPEG", (64, 48))


def test_a_rating_is_kept_with_its_hashes_and_the_distance_of_the_correction(client: TestClient, run: Run):
    kept = rate(client, 1, score=4, tags=["颜色写错"], corrected="文案 b!").json()["rating"]
    assert (kept["score"], kept["tags"], kept["edit_distance"]) == (4, ["wrong_color"], 4)
    (row,) = read_ratings(run)
    assert (row.item, row.rater, row.prompt_sha256) == ("b.png", RATER, run.manifest.prompt_sha256)
    assert row.picture_sha256 == sha256((run.picture_file(CasePicture(path="b.png"))).read_bytes()).hexdigest()
    assert client.get(f"/workbench/api/items?rater={RATER}").json()["items"][1]["rating"] == kept
    other = client.get("/workbench/api/items?rater=ffffffffffffffff").json()["items"]
    assert [item["rating"] for item in other] == [None] * 3


@pytest.mark.parametrize(
    "said",
    [
        {"score": 6},
        {"score": "4"},
        {"score": True},
        {"tags": ["长" * 41]},
        {"place": 99},
        {"rater": "me"},
        {"unknown": 1},
        {"corrected": "长" * 8001},
    ],
)
def test_what_is_no_rating_is_refused_and_not_kept(client: TestClient, run: Run, said: dict[str, Any]):
    answer = rate(client, **said)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
    assert read_ratings(run) == []


def test_a_locked_file_is_503_and_a_damaged_one_is_told_before_anybody_rates(
    client: TestClient, run: Run, monkeypatch: pytest.MonkeyPatch
):
    rate(client, score=3)
    monkeypatch.setattr(rating_store, "PATIENCE_SECONDS", 0.05)
    with closing(sqlite3.connect(run.folder / RATINGS_FILE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        answer = rate(client, score=5)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "ratings_locked")
    (run.folder / RATINGS_FILE).write_bytes(b"damaged" * 1000)
    with pytest.raises(RunError, match="damaged"):
        Panel(run, read_rules())


def test_pages_from_elsewhere_and_other_names_of_this_host_are_refused(client: TestClient):
    body = {"rater": RATER, "place": 0, "score": 1}
    assert (
        client.post("/workbench/api/ratings", json=body, headers={"origin": "http://evil.example"}).status_code == 403
    )
    assert client.get("/workbench", headers={"host": "evil.example"}).status_code == 403


def test_another_machine_needs_the_key_for_all_but_the_page(run: Run):
    with client_of(run, keys=("let-me-in-to-rate",), peer="192.0.2.7") as client:
        assert client.get("/workbench").status_code == 200
        for path in ("run", f"items?rater={RATER}", "pictures/0/0", "preferred"):
            assert client.get(f"/workbench/api/{path}").status_code == 401, path
        known = {"authorization": "Bearer let-me-in-to-rate"}
        assert client.get("/workbench/api/run", headers=known).status_code == 200


def test_a_body_that_is_too_large_is_refused(client: TestClient):
    assert rate(client, corrected="x" * (1 << 21)).status_code == 413


def test_sides_are_drawn_once_and_choices_are_kept_under_the_right_round(run: Run, tmp_path: Path):
    second = rated_run(tmp_path / "new", {"a.png": {"color": "蓝"}}, pictures=tmp_path / "shop", prompt="x")
    with client_of(run, second) as client:
        told = client.get("/workbench/api/run").json()
        assert (told["num_pairs"], told["prompt"]) == (1, None)
        pair = client.get(f"/workbench/api/pairs/0?rater={RATER}").json()
        assert pair == client.get(f"/workbench/api/pairs/0?rater={RATER}").json()
        blue = next(side for side in ("left", "right") if pair[side][0]["value"] == "蓝")
        client.post("/workbench/api/choices", json={"rater": RATER, "place": 0, "side": blue})
        outcome = client.get("/workbench/api/preferred").json()
        assert outcome["second_preferred"]["hits"] == 1
        assert (outcome["winner"], outcome["too_few"]) == (None, True)
        assert client.get(f"/workbench/api/pairs?rater={RATER}").json()["pairs"] == [{"place": 0, "chosen": blue}]
        assert client.get(f"/workbench/api/pairs/1?rater={RATER}").status_code == 400


def test_sides_come_out_both_ways(run: Run, tmp_path: Path):
    second = rated_run(
        tmp_path / "new", {name: {"color": "蓝"} for name in NAMES}, pictures=tmp_path / "shop", prompt="x"
    )
    panel = Panel(run, read_rules(), second)
    lefts = {panel.pair(f"{rater:016x}", 0)["left"][0]["value"] for rater in range(40)}
    assert lefts == {"红", "蓝"}


@pytest.mark.parametrize(
    ("schema", "complaint"), [({"type": "object", "properties": {"x": {"type": "string"}}}, "different schemas")]
)
def test_rounds_of_another_schema_are_refused(run: Run, tmp_path: Path, schema: dict[str, Any], complaint: str):
    other = write_run(tmp_path / "other", {"a.png": {"x": "1"}}, schema=schema)
    with pytest.raises(RunError, match=complaint):
        Panel(run, read_rules(), other)


def test_a_run_that_goes_on_and_a_run_against_itself_are_refused(run: Run):
    with pytest.raises(RunError, match="the same run"):
        Panel(run, read_rules(), run)
    (run.folder / "results.jsonl").unlink()
    with pytest.raises(RunError, match="not complete"):
        Panel(run, read_rules())


def test_without_a_second_run_there_is_nothing_to_compare(client: TestClient):
    assert client.get(f"/workbench/api/pairs?rater={RATER}").status_code == 400


def test_a_word_that_a_later_one_overtook_is_answered_with_what_holds(client: TestClient):
    assert rate(client, score=5, turn=2).json()["rating"]["score"] == 5
    assert rate(client, score=3, turn=1).json()["rating"]["score"] == 5
    undone = client.post("/workbench/api/undo", json={"rater": RATER, "turn": 1}).json()
    assert undone == {"place": None, "rating": None}
    undone = client.post("/workbench/api/undo", json={"rater": RATER, "turn": 3}).json()
    assert undone == {"place": 0, "rating": None}


@pytest.mark.parametrize("turn", [-1, 1 << 53, 1.5, "2", True])
def test_a_turn_is_a_whole_number_that_javascript_can_count(client: TestClient, turn: Any):
    refused = rate(client, score=5, turn=turn)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "turn")
