"""Incidents of several tools through the whole program: merged by their links, pushed to `up`."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.program import lines, post, query, run, up
from tests.servers.pagerduty import event, incident, reference

PAGE, PAGER = "statuspage-acme:z3lct0r596n4", "pagerduty:PFQZPSY"


def at(minute: int) -> str:
    return f"2026-03-02T09:{minute:02}:00Z"


def told(number: str, minute: int, **more: Any) -> dict[str, Any]:
    record = {"id": number, "title": "Card payments fail in the shop", "status": "investigating"}
    return record | {"at": at(minute), "tracks": [], "components": [{"name": "Checkout"}]} | more


def test_incidents_that_name_each_other_are_one(tmp_path: Path) -> None:
    """Posts move to the one that stands; a person takes it back, and they return."""
    lines(
        tmp_path / "incidents.jsonl",
        [
            told(PAGE, 5),
            told(PAGER, 1),
            told(PAGER, 8, links=["https://status.acme.example/incidents/z3lct0r596n4"]),
        ],
    )
    said = ("card payments fail in the shop", "the shop: card payments fail at checkout")
    posts = [post(n, text, at(n + 1)) for n, text in enumerate((*said, "a walk in the park"), 1)]
    late = post(9, "card payments in the shop fail still, checkout is down", at(20))
    lines(tmp_path / "posts.jsonl", [*posts, late])
    run("replay", "posts.jsonl", "--incidents", "incidents.jsonl", cwd=tmp_path)
    warehouse = tmp_path / "groundswell.duckdb"
    sql = "SELECT incident_id, official_id, mentions FROM incidents ORDER BY 1"
    before = query(sql, warehouse)
    assert [(row["incident_id"], row["official_id"]) for row in before] == [
        (PAGER, PAGE), (PAGE, None),
    ]  # fmt: skip
    # Also those from before it was opened itself: the other tool had opened it already.
    assert [row["mentions"] for row in before] == [0, 3]
    run("decide", "merge", PAGE, PAGER, cwd=tmp_path, code=2)
    run("decide", "accept", PAGER, cwd=tmp_path)
    after = query(sql, warehouse)
    assert [row["official_id"] for row in after] == [None, None]
    run("decide", "merge", PAGE, PAGER, cwd=tmp_path)
    assert [row["official_id"] for row in query(sql, warehouse)] == [None, PAGER]


def test_a_webhook_of_an_incident_reaches_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signed, over HTTP, out of order, answered when it is safe; a restart goes on with it."""
    monkeypatch.setenv("ACME_PAGER", "a-secret")
    settings = '[[incidents]]\ntype = "pagerduty"\nname = "pager"\nsecret_from = "ACME_PAGER"\n'
    (tmp_path / "groundswell.toml").write_text(settings, encoding="utf-8")
    now = datetime.now(UTC)
    whole = incident("PFQZPSY", "Checkout fails", now)
    note = {
        "type": "incident_note",
        "id": "N1",
        "incident": reference("PFQZPSY", "Checkout fails"),
        "content": "The cache is full.",
    }
    with up("up", "--port", "0", cwd=tmp_path) as running:
        url = f"{running.url.rstrip('/')}/api/hooks/pager"
        for what in (
            event("incident.annotated", now, note),
            event("incident.acknowledged", now, whole),
            event("incident.triggered", now, whole),
        ):
            assert _sent(url, what) == 200
        wrong = httpx.post(url, content=b"{}", headers={"x-pagerduty-signature": "v1=00"})
        assert wrong.status_code == 401
        running.until(
            "the incident",
            "/api/incidents",
            lambda found: '"status": "identified"' in json.dumps(found),
        )
    sql = "SELECT incident_id, status FROM incidents"
    rows = query(sql, tmp_path / "groundswell.duckdb")
    assert rows == [{"incident_id": "pagerduty:PFQZPSY", "status": "identified"}]
    with up("up", "--port", "0", cwd=tmp_path) as running:
        url = f"{running.url.rstrip('/')}/api/hooks/pager"
        assert _sent(url, event("incident.resolved", datetime.now(UTC), whole)) == 200
        running.until(
            "the end", "/api/incidents", lambda found: '"status": "resolved"' in json.dumps(found)
        )


def _sent(url: str, told: dict[str, Any]) -> int:
    """The status of the answer, as PagerDuty sees it: again after 503, within five seconds each."""
    from collectors.incidents.pagerduty import SCHEME

    body = json.dumps(told).encode()
    headers = SCHEME.sign(b"a-secret", body, datetime.now(UTC))
    for _ in range(20):
        answer = httpx.post(url, content=body, headers=headers, timeout=5)
        if answer.status_code != 503:
            return answer.status_code
        time.sleep(0.5)
    return 503
