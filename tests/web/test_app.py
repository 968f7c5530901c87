"""The API over a real server and a real warehouse."""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from pipeline.errors import GiveUp
from pipeline.model import Coverage, Decision, Spend
from pipeline.ports import Rows
from tests.web.scene import OFFICIAL, PROPOSAL, TOKEN, Page, feedback, official, proposal, running
from web.app import HERE
from web.server import bind

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def own_page(page: Page) -> dict[str, str]:
    """The headers that the page's own scripts send."""
    return {"Origin": page.url, "X-Requested-With": "groundswell"}


def a_decision(**more: str) -> dict[str, str]:
    return {"subject": PROPOSAL, "verb": "accept"} | more


@contextmanager
def stream(page: Page, query: str) -> Iterator[Iterator[tuple[str, Any]]]:
    """The events of a stream: name and data."""
    with (
        httpx.Client(base_url=page.url, trust_env=False, timeout=20) as client,
        client.stream("GET", f"/api/stream?{query}") as response,
    ):
        assert response.headers["content-type"].startswith("text/event-stream")

        def events() -> Iterator[tuple[str, Any]]:
            name = ""
            for line in response.iter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    yield name, json.loads(line.removeprefix("data: "))

        yield events()


def next_of(events: Iterator[tuple[str, Any]], name: str) -> Any:
    """The data of the next event of that name; gives up after ten signs of life without it."""
    beats = 0
    for found, data in events:
        if found == name:
            return data
        beats += found == "beat"
        assert beats <= 10, f"no event {name}"
    raise AssertionError(f"the stream ended before an event {name}")


# ---- reading ------------------------------------------------------------------------------------


def test_the_feed_has_the_newest_first(page: Page, client: httpx.Client) -> None:
    """Posts come newest arrival first, with who, what and where, and times in UTC."""
    page.write(feedback("first", at=NOON))
    page.write(feedback("second", at=NOON, url="https://birdsite.example/2", component="checkout"))
    posts = client.get("/api/feedback").json()["posts"]
    assert [post["text"] for post in posts] == ["second", "first"]
    newest = posts[0]
    assert newest["handle"] == "ada_w"
    assert newest["component"] == "checkout"
    assert newest["url"] == "https://birdsite.example/2"
    assert newest["event_at"] == "2026-03-01T12:00:00Z"


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ("source=pond", {"b"}),
        ("track=acme-app", {"c"}),
        ("intent=praise", {"c"}),
        ("linked=yes", {"a"}),
        ("linked=no&intent=report", {"b"}),
        ("source=nowhere", set()),
    ],
)
def test_filters(page: Page, client: httpx.Client, query: str, texts: set[str]) -> None:
    """Each filter lets through what it names, and several must all hold."""
    page.write(
        proposal(NOON),
        feedback("a", incident=PROPOSAL),
        feedback("b", source="pond"),
        feedback("c", tracks=["acme-app"], intent="praise"),
    )
    posts = client.get(f"/api/feedback?{query}").json()["posts"]
    assert {post["text"] for post in posts} == texts


@pytest.mark.parametrize(
    "query", ["linked=maybe", "limit=0", "limit=x", "limit=9999999", "source=" + "x" * 600]
)
def test_a_filter_that_cannot_be_is_refused(bare: httpx.Client, query: str) -> None:
    """A wrong value gives 400 and one clear line."""
    response = bare.get(f"/api/feedback?{query}")
    assert response.status_code == 400
    assert set(response.json()) == {"error"}


def test_incidents_stand_proposed_first(page: Page, client: httpx.Client) -> None:
    """The list begins with what asks for a decision, and closed ones stand last."""
    page.write(
        official(NOON, id="statuspage:old", status="resolved", resolved_at=NOON),
        official(NOON - timedelta(hours=1)),
        proposal(NOON - timedelta(hours=2)),
    )
    found = client.get("/api/incidents").json()["incidents"]
    assert [incident["id"] for incident in found] == [PROPOSAL, OFFICIAL, "statuspage:old"]


def test_an_incident_with_its_posts_and_reasons(page: Page, client: httpx.Client) -> None:
    """One incident tells its updates, its minutes, and why each post is linked to it."""
    page.write(official(NOON), feedback("cannot pay", at=NOON, incident=OFFICIAL))
    answer = client.get(f"/api/incidents/{quote(OFFICIAL, safe='')}").json()
    incident, (post,) = answer["incident"], answer["posts"]
    assert incident["title"] == "Checkout errors in the north"
    assert [update["status"] for update in incident["updates"]] == ["investigating", "identified"]
    assert incident["updates"][1]["body"] == "A bad release was found.\nIt is being taken back."
    assert incident["timeline"]["mentions"] == [0] * 14 + [1]
    assert incident["witnesses"] == 1
    assert [reason["value"] for reason in post["evidence"]] == ["checkout", "pay, card"]
    assert post["link_p"] == 0.93


def test_the_newest_posts_of_an_incident_come_first(page: Page, client: httpx.Client) -> None:
    """When an incident has more posts than are shown, the newest are shown."""
    page.write(
        official(NOON),
        *(feedback(f"n{n}", at=NOON + timedelta(minutes=n), incident=OFFICIAL) for n in range(5)),
    )
    answer = client.get(f"/api/incidents/{quote(OFFICIAL, safe='')}?limit=2").json()
    assert [post["text"] for post in answer["posts"]] == ["n4", "n3"]


def test_a_post_with_everything(page: Page, client: httpx.Client) -> None:
    """A post's own page has its whole text, every head and every link; a person's word shows."""
    long = "It is broken. " * 200
    page.write(official(NOON), feedback(long, id="a/b?c", incident=OFFICIAL))
    address = f"/api/posts/{quote('birdsite:a/b?c', safe='')}"
    post = client.get(address).json()["post"]
    assert post["text"] == long.strip()
    labels = {label["head"]: label for label in post["labels"]}
    assert (labels["intent"]["name"], labels["intent"]["by"]) == ("report", "machine")
    assert labels["noise"]["name"] == "no"
    assert [link["incident"] for link in post["links"]] == [OFFICIAL]
    assert post["links"][0]["evidence"][0]["kind"] == "component"
    decision = {"subject": "birdsite:a/b?c", "verb": "relabel", "value": "intent=question"}
    client.post("/api/decisions", json=decision, headers=own_page(page))
    labels = {label["head"]: label for label in client.get(address).json()["post"]["labels"]}
    assert (labels["intent"]["name"], labels["intent"]["by"]) == ("question", "person")


@pytest.mark.parametrize("path", ["/api/incidents/none:such", "/api/posts/none:such", "/api/none"])
def test_what_is_not_there_is_told_in_one_line(bare: httpx.Client, path: str) -> None:
    """An unknown id or address gives 404 and JSON."""
    response = bare.get(path)
    assert response.status_code == 404
    assert set(response.json()) == {"error"}


@pytest.mark.parametrize("path", ["/incidents/none:such", "/posts/none:such"])
def test_the_page_of_what_is_not_there(page: Page, client: httpx.Client, path: str) -> None:
    """A page with the code 404, which fills as soon as there is such a thing; 200 while unknown."""
    assert client.get(path).status_code == 404
    page.is_ready = False
    assert client.get(path).status_code == 200


def test_the_page_of_what_is_there(page: Page, client: httpx.Client) -> None:
    """The code 200, for an incident only under incidents."""
    page.write(official(datetime.now(UTC)), feedback("cannot pay", id="7"))
    assert client.get(f"/incidents/{quote(OFFICIAL)}").status_code == 200
    assert client.get(f"/posts/{quote(OFFICIAL)}").status_code == 404
    assert client.get("/posts/birdsite:7").status_code == 200


def test_texts_come_in_their_shown_form(page: Page, client: httpx.Client) -> None:
    """Controls that disturb a reader never leave the server; a script's address is no link."""
    page.write(feedback("a\u202eb", handle="c\u2066d", url="javascript:alert(1)"))
    post = client.get("/api/feedback").json()["posts"][0]
    assert (post["text"], post["handle"], post["url"]) == ("ab", "cd", None)


def test_sources_tell_when_they_were_blind(page: Page, client: httpx.Client) -> None:
    """Up to when each was read, and its gaps of the last day with their causes."""
    now = datetime.now(UTC).replace(microsecond=0)
    gap = {"from_at": now - timedelta(minutes=9), "to_at": now - timedelta(minutes=2)}
    old = {"from_at": now - timedelta(days=3), "to_at": now - timedelta(days=2)}
    words = [
        Coverage(source="stream", from_at=old["to_at"], to_at=gap["from_at"]),
        Coverage(source="stream", is_gap=True, cause="look-back exceeded", **gap),
        Coverage(source="stream", is_gap=True, **old),
        Coverage(source="page", from_at=gap["from_at"], to_at=now),
    ]
    page.warehouse.write(Rows(coverage=words), now)
    first, second = client.get("/api/sources").json()["sources"]
    assert (first["source"], first["is_blind"], first["gaps"]) == ("page", False, [])
    assert (second["source"], second["is_blind"]) == ("stream", True)
    (told,) = second["gaps"]
    assert told["cause"] == "look-back exceeded"
    assert datetime.fromisoformat(told["from_at"]) == gap["from_at"]
    page.warehouse.write(
        Rows(coverage=[Coverage(source="stream", from_at=gap["to_at"], to_at=now)]), now
    )
    assert client.get("/api/sources").json()["sources"][1]["is_blind"] is False


def test_a_paid_source_tells_what_it_has_cost(page: Page, client: httpx.Client) -> None:
    """Today and this month, at the source and at none of its tracks."""
    now = datetime.now(UTC)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    read = Coverage(source="x", track="acme", from_at=day - timedelta(1), to_at=day)
    bill = Spend(source="x", day=day, reads=12, cost=0.06, at=now)
    page.warehouse.write(Rows(coverage=[read], spend=[bill]), now)
    told = {source["id"]: source for source in client.get("/api/sources").json()["sources"]}
    assert "spend" not in told["x|acme"]
    assert (told["x|"]["spend"]["reads_today"], told["x|"]["spend"]["cost_month"]) == (12, 0.06)


# ---- starting and failing -----------------------------------------------------------------------


def test_it_answers_before_the_warehouse_is_there(page: Page, client: httpx.Client) -> None:
    """While starting, pages come, the status says so, and data asks to try again."""
    page.is_ready = False
    assert client.get("/").status_code == 200
    assert client.get("/livez").text == "ok"
    assert client.get("/api/status").json()["state"] == "starting"
    response = client.get("/api/feedback")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    page.is_ready = True
    assert client.get("/api/status").json() == {"state": "running", "version": "test"}
    assert client.get("/api/feedback").status_code == 200


def test_a_port_that_is_taken_is_told() -> None:
    """The message names the port and what to do."""
    with bind(0) as first:
        port = first.getsockname()[1]
        with pytest.raises(GiveUp, match=f"port {port} .* choose another"):
            bind(port)


def test_the_page_is_light_to_load() -> None:
    """What answers first must not wait for numpy, pandas or the warehouse to be imported."""
    code = (
        "import sys, web.app; print(*{'numpy', 'pandas', 'duckdb', 'sklearn'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == ""


def test_vendored_files_are_what_they_are_said_to_be() -> None:
    """Each file stands in VENDORED.md with the hash it has."""
    folder = HERE / "static" / "vendor"
    told = (folder / "VENDORED.md").read_text()
    for file in [*folder.glob("*.js"), *folder.glob("*.css")]:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        assert f"`{file.name}` | uplot | 1.6.32 |" in told
        assert digest in told


# ---- the stream ---------------------------------------------------------------------------------


def test_the_stream_begins_with_everything_and_goes_on_with_changes(page: Page) -> None:
    """A tab gets the whole once; then new, changed and vanished rows only."""
    page.write(feedback("old", id="1"))
    with stream(page, "view=feed") as events:
        assert [row["text"] for row in next_of(events, "posts")["all"]] == ["old"]
        page.write(feedback("new", id="2"))
        change = next_of(events, "posts")
        assert [row["text"] for row in change["put"]] == ["new"]
        assert change["gone"] == []
        relabel = Decision.model_validate(
            {"id": "d", "subject": "birdsite:1", "verb": "relabel", "value": "intent=praise",
             "by": "t", "at": NOON}
        )  # fmt: skip
        page.write(relabel)
        change = next_of(events, "posts")
        assert [(row["id"], row["intent"]) for row in change["put"]] == [("birdsite:1", "praise")]


def test_the_stream_tells_when_it_starts_and_when_it_runs(page: Page) -> None:
    """A tab opened while the process starts goes on by itself."""
    page.is_ready = False
    with stream(page, "view=feed") as events:
        assert next_of(events, "status")["all"]["state"] == "starting"
        page.is_ready = True
        missing = {"posts", "running"}  # in either order
        for name, data in events:
            missing.discard(data["all"]["state"] if name == "status" else name)
            if not missing:
                break


def test_an_unknown_view_is_refused(bare: httpx.Client) -> None:
    """The message names the views there are."""
    response = bare.get("/api/stream?view=nothing")
    assert response.status_code == 400
    assert "feed" in response.json()["error"]


def test_the_counts_cover_an_hour_without_gaps(page: Page) -> None:
    """Sixty minutes, quiet ones as 0; for a replay of the past the hour that ends there."""
    page.write(
        feedback("x", at=NOON), feedback("y", at=NOON - timedelta(minutes=3), intent="praise")
    )
    with stream(page, "view=feed") as events:
        counts = next_of(events, "counts")["all"]
    assert len(counts["minute"]) == 60
    assert counts["minute"][-1] == int(NOON.timestamp())
    assert counts["mentions"][-4:] == [1, 0, 0, 1]
    assert counts["reports"][-4:] == [0, 0, 0, 1]


def test_closing_ends_open_streams(tmp_path: Path) -> None:
    """A process that stops does not wait for tabs."""
    with running(tmp_path) as page, stream(page, "view=feed") as events:
        next_of(events, "status")
        started = time.monotonic()
    assert time.monotonic() - started < 5


# ---- writing ------------------------------------------------------------------------------------


def test_a_decision_from_the_page_is_taken(page: Page, client: httpx.Client) -> None:
    """Id, time and author are filled in; the answer is the decision as it went to the broker."""
    response = client.post("/api/decisions", json=a_decision(), headers=own_page(page))
    assert response.status_code == 202
    (taken,) = page.decisions
    assert response.json()["id"] == taken.id
    assert (taken.subject, taken.verb, taken.by) == (PROPOSAL, "accept", "page")


def test_the_client_may_name_the_decision(page: Page, client: httpx.Client) -> None:
    """An id made by the client stays, so that sending it twice is harmless."""
    for _ in range(2):
        client.post("/api/decisions", json=a_decision(id="mine"), headers=own_page(page))
    assert {decision.id for decision in page.decisions} == {"mine"}


def test_the_token_opens_writes_to_the_command_line(page: Page, client: httpx.Client) -> None:
    """With the bearer token neither origin nor mark is needed."""
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    response = client.post("/api/decisions", json=a_decision(by="ops"), headers=bearer)
    assert response.status_code == 202
    assert page.decisions[0].by == "ops"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Requested-With": "groundswell"},
        {"Origin": "http://evil.example", "X-Requested-With": "groundswell"},
        {"Origin": "null", "X-Requested-With": "groundswell"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer"},
    ],
)
def test_a_foreign_page_cannot_decide(
    page: Page, client: httpx.Client, headers: dict[str, str]
) -> None:
    """Without our origin and our mark, or the token, nothing is written."""
    response = client.post("/api/decisions", json=a_decision(), headers=headers)
    assert response.status_code == 403
    assert page.decisions == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"subject": "x:1", "verb": "explode"}', 400),
        (b'{"subject": "x:1", "verb": "link"}', 400),
        (b'{"subject": "groundswell:1", "verb": "merge", "value": "status:nosuch"}', 404),
        (b'{"subject": "x:1", "verb": "link", "value": "status:nosuch"}', 404),
        (b'{"subject": "x:1", "verb": "unlink", "value": "status:nosuch"}', 404),
        (b'{"subject": "status:nosuch", "verb": "accept"}', 404),
        (b'{"subject": "x:1", "verb": "relabel", "value": "nohead=x"}', 400),
        (b'{"subject": "' + b"x" * 300_000 + b'"}', 413),
    ],
)
def test_a_decision_that_cannot_be_is_refused(
    page: Page, client: httpx.Client, body: bytes, status: int
) -> None:
    """The answer is one line that says what is wrong, without repeating what was sent."""
    response = client.post("/api/decisions", content=body, headers=own_page(page))
    assert response.status_code == status
    error = response.json()["error"]
    assert "\n" not in error
    assert "explode" not in error
    assert page.decisions == []


def test_forget_wants_the_token(page: Page, client: httpx.Client) -> None:
    """Erasing is for the command line; the receipt comes back."""
    what = {"mentions": ["birdsite:1"], "authors": ["birdsite:u1"]}
    assert client.post("/api/forget", json=what, headers=own_page(page)).status_code == 403
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert client.post("/api/forget", json={}, headers=bearer).status_code == 400
    assert client.post("/api/forget", json=what, headers=bearer).json() == {"mentions": 2}
    assert [(r.removal, r.scope, r.kind) for r in page.forgotten] == [
        ("birdsite:1", "mention", "erased"),
        ("birdsite:u1", "author", "erased"),
    ]
