"""The web application: what it answers, and to whom it answers nothing."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from croplayer.blocks.classes import COVERAGE_TYPES, SEMANTIC_CLASSES
from croplayer.desk.app import build_app
from croplayer.desk.tasks import COVERAGE, SEMANTIC

BASE = "http://127.0.0.1:8787"


@pytest.fixture
def client(open_desk):
    return client_of(open_desk())


@pytest.fixture(scope="module")
def still(shared_desk):
    """A client for requests that change nothing."""
    return client_of(shared_desk)


def client_of(desk, base=BASE, **guard):
    return TestClient(build_app(desk, **guard), base_url=base, headers={"origin": base})


def ask(client, path, status=200, **body):
    response = client.post(f"/api/{path}", json={"annotator": "Anna", "task": "semantic"} | body)
    assert response.status_code == status, response.text
    return response.json()


def next_of(client, **body):
    return ask(client, "next", **({"order": "map", "scope": "open"} | body))["item"]


def answer(client, item, value, request, **body):
    keys = {name: item[name] for name in ("block_id", "source")}
    return ask(client, "answer", **(keys | {"value": value, "request": request} | body))


# ---------------------------------------------------------------------- the work
def test_the_page_and_its_parts_are_served(still):
    page = still.get("/")
    assert page.headers["content-type"].startswith("text/html") and "Review desk" in page.text
    module = still.get("/web/main.js")
    assert module.headers["content-type"].startswith("text/javascript")
    assert still.get("/web/vendor/leaflet/LICENSE").status_code == 200


def test_nothing_of_the_page_comes_from_elsewhere(still):
    policy = still.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy and "http" not in policy
    for name in ("", "web/desk.css", "web/main.js", "web/viewer.js", "web/api.js"):
        text = still.get(f"/{name}").text
        assert "//cdn" not in text and "https://" not in text, name


def test_the_desk_tells_what_it_has(client, tiny):
    facts = client.get("/api/desk").json()
    assert facts["generated"] is True
    assert [source["name"] for source in facts["sources"]] == ["google", "mapbox"]
    assert [task["key"] for task in facts["tasks"]] == ["coverage", "semantic", "options"]
    assert len(facts["tasks"][0]["choices"]) == 5 and len(facts["tasks"][1]["choices"]) == 4
    assert {block[0] for block in facts["blocks"]} == set(tiny.ids)


def test_an_answer_an_undo_and_a_skip(client):
    item = next_of(client)
    assert item["facts"]["sources"][item["source"]]["coverage_type"] == "planting"
    done = answer(client, item, "FP", "request-1", note=" far  off ")
    assert done["progress"]["counts"]["FP"] == 1 and done["progress"]["done"] == 1
    second = next_of(client, block_id=item["block_id"], source=item["source"])
    assert (second["block_id"], second["source"]) == (item["block_id"], "mapbox")
    answer(client, second, None, "request-2")
    assert ask(client, "undo", request="undo-one")["undone"]["action"] == "skip"
    undone = ask(client, "undo", request="undo-two")
    assert undone["undone"] == {"action": "answer", "value": "FP", "note": "far off"}
    assert undone["item"]["block_id"] == item["block_id"] and undone["item"]["own"] is None
    assert undone["progress"]["done"] == 0
    assert ask(client, "undo", request="undo-three")["item"] is None


def test_two_annotators_get_different_blocks_and_see_each_other(client):
    mine, theirs = next_of(client), next_of(client, annotator="Ben")
    assert mine["block_id"] != theirs["block_id"]
    looked_at = ask(client, "open", block_id=mine["block_id"], source="google", annotator="Ben")
    assert looked_at["item"]["taken_by"] == ["Anna"]
    refused = ask(client, "answer", 409, block_id=mine["block_id"], source="google", value="TP",
                  request="request-9", annotator="Ben")  # fmt: skip
    assert "not handed to you" in refused["error"]
    states = client.get("/api/status", params={"task": "semantic", "annotator": "Anna"}).json()[
        "states"
    ]
    assert states.count("h") == 2


def test_double_labelling_is_blind(open_desk):
    client = client_of(open_desk(double_share=1.0))
    item = next_of(client)
    answer(client, item, "FP", "request-1")
    seen = next_of(client, annotator="Ben")
    assert (seen["block_id"], seen["double"], seen["others"]) == (item["block_id"], True, {})
    assert next_of(client, annotator="Chen")["block_id"] != item["block_id"]


def test_what_the_label_table_holds_is_not_asked_again_unless_wanted(open_desk, tiny):
    table = tiny.table("semantic")
    table.parent.mkdir()
    rows = [f"{block},{source},TP" for block in tiny.ids[:-1] for source in ("google", "mapbox")]
    table.write_text("block_id,source,semantic_class\n" + "\n".join(rows) + "\n")
    client = client_of(open_desk())
    assert next_of(client)["block_id"] == tiny.ids[-1]
    progress = client.get("/api/status", params={"task": "semantic", "annotator": "A"}).json()
    assert (progress["progress"]["wanted"], progress["progress"]["already"]) == (2, 22)
    again = client_of(open_desk(relabel=True, database=str(tiny.folder / "second.sqlite")))
    assert next_of(again)["block_id"] != tiny.ids[-1]


def test_tiles_are_sent_once_and_confirmed_after_that(client, tiny):
    x, y = (n // 256 for n in tiny.origin)
    first = client.get(f"/tiles/image/google/0/{x}/{y}")
    assert first.status_code == 200 and first.headers["content-type"].startswith("image/")
    again = client.get(
        f"/tiles/image/google/0/{x}/{y}", headers={"if-none-match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


def test_a_tile_whose_file_is_gone_is_told_and_the_desk_goes_on(client, tiny, caplog):
    (tiny.results / "tiny" / "mosaic").rename(tiny.results / "away")
    x, y = (n // 256 for n in tiny.origin)
    assert client.get(f"/tiles/image/google/0/{x}/{y}").status_code == 503
    assert client.get(f"/tiles/mask/google/0/{x}/{y}").status_code == 200


def test_an_answer_to_a_block_that_is_no_longer_handed_out_can_be_taken_back(open_desk):
    first = client_of(open_desk())
    item = next_of(first, order="map")
    second = open_desk(every_blocks=2)
    while item["block_id"] in second.sampled:
        item = next_of(first, block_id=item["block_id"], source=item["source"])
    answer(first, item, "TP", "request-1")
    undone = ask(client_of(second), "undo", request="undo-one")
    assert undone["item"] is None and undone["undone"]["value"] == "TP"


def test_the_answers_are_the_classes_of_the_workflow():
    assert COVERAGE.values == COVERAGE_TYPES and SEMANTIC.values == SEMANTIC_CLASSES


# ---------------------------------------------------------------------- bad requests
@pytest.mark.parametrize(
    ("path", "status", "change"),
    [
        ("answer", 400, {"value": "wheat"}),
        ("answer", 404, {"block_id": "E00000N0000"}),
        ("answer", 404, {"source": "bing"}),
        ("answer", 404, {"block_id": "../../etc/passwd"}),
        ("answer", 400, {"request": "short"}),
        ("answer", 400, {"annotator": "=cmd()"}),
        ("answer", 400, {"annotator": "x" * 41}),
        ("answer", 400, {"note": "x" * 2001}),
        ("answer", 400, {"task": "weather"}),
        ("answer", 400, {"colour": "red"}),
        ("next", 400, {"order": "price", "scope": "open"}),
        ("next", 400, {"order": "map", "scope": "everything"}),
    ],
)
def test_a_bad_request_is_refused_with_a_reason_and_nothing_is_kept(
    shared_desk, still, path, status, change
):
    given = {
        "block_id": shared_desk.sampled[0],
        "source": "google",
        "value": "TP",
        "request": "request-1",
    }
    if path == "next":
        given = {}
    assert ask(still, path, status, **(given | change))["error"]
    assert shared_desk.store.count() == 0


@pytest.mark.parametrize(
    "path",
    [
        "/web/../app.py", "/web/..%2fapp.py", "/web/%2e%2e/store.py", "/web//etc/passwd",
        "/web/vendor", "/tiles/image/..%2f..%2fmask/0/1/1", "/tiles/secret/google/0/1/1",
        "/tiles/image/google/99/1/1", "/tiles/image/google/0/99999999999/1", "/api/nothing",
    ],
)  # fmt: skip
def test_no_path_of_the_client_opens_a_file(still, path):
    assert still.get(path).status_code == 404


def test_an_endless_body_is_not_read_to_its_end(still):
    response = still.post(
        "/api/next", content=b"[" * 5_000_000, headers={"content-type": "application/json"}
    )
    assert response.status_code == 400


# ---------------------------------------------------------------------- who may speak
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8787", 200), ("localhost:9000", 200), ("[::1]:8787", 200), ("LOCALHOST", 200),
        ("evil.example:8787", 421), ("127.0.0.1.evil.example", 421), ("192.168.1.5:8787", 421),
        ("", 421), ("localhost.evil.example", 421), ("[::1", 421), ("127.0.0.1:8787@evil.example", 421),
    ],
)  # fmt: skip
def test_a_name_that_is_not_the_desks_is_refused(still, host, status):
    assert still.get("/api/desk", headers={"host": host}).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": BASE}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": ""}, 403),
        ({"origin": BASE, "content-type": "text/plain"}, 415),
        ({"origin": BASE, "content-type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_only_the_desks_own_page_may_change_something(still, headers, status):
    body = '{"annotator":"Anna","task":"semantic","order":"map","scope":"open"}'
    headers = {"content-type": "application/json"} | headers
    assert still.post("/api/next", content=body, headers=headers).status_code == status


def test_other_pages_may_link_to_the_desk_and_not_read_it(still):
    cross = {"sec-fetch-site": "cross-site"}
    assert still.get("/api/desk", headers=cross).status_code == 403
    assert still.get("/", headers=cross | {"sec-fetch-mode": "navigate"}).status_code == 200


def test_the_token_opens_the_page_and_becomes_a_cookie(open_desk):
    base = "http://10.0.0.7:8787"
    client = client_of(open_desk(), base, token="s3cret-token", loopback_only=False)
    assert client.get("/").status_code == 401
    assert client.get("/?token=wrong").status_code == 401
    assert client.get("/api/desk?token=s3cret-token").status_code == 401, "only the page takes it"
    assert client.get("/?token=ä").status_code == 401
    opened = client.get("/?token=s3cret-token")
    assert opened.status_code == 200
    cookie = opened.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert client.get("/api/desk").status_code == 200
    client.cookies.clear()
    assert client.get("/api/desk", headers={"cookie": "croplayer_desk=s3cret"}).status_code == 401


def test_elsewhere_only_numbers_and_names_that_were_told_are_the_desk(open_desk):
    client = client_of(open_desk(), "http://10.0.0.7:8787", names=("lab-pc",), loopback_only=False)
    for host, status in (("10.0.0.7:8787", 200), ("lab-pc:8787", 200), ("evil.example", 421)):
        assert client.get("/api/desk", headers={"host": host}).status_code == status
