"""Jira Service Management over a local server that speaks Jira's API, and by its webhooks."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from collectors.incidents import jsm
from collectors.incidents.kit.tool import House, Tool
from pipeline.clock import ManualClock
from pipeline.errors import Misuse
from pipeline.model import Incident
from pipeline.ports import Unreadable
from tests.contracts.incident_tool import VARIABLE, IncidentToolContract, Rig, at
from tests.contracts.listening import START, Listener, Stage
from tests.contracts.platform import PlatformContract
from tests.servers import jsm as server
from tests.servers.platform import Fault, served

SITE = "https://acme.atlassian.example"


@pytest.fixture
def platform() -> Iterator[server.Jira]:
    with served(server.Jira()) as running:
        yield running


def asked(platform: server.Jira, clock: ManualClock, **more: Any) -> Tool:
    platform.now = clock.now
    more = {"token_from": "ACME_KEY", "email": "ann@acme.example", "url": platform.url} | more
    return jsm.jsm("jsm", clock, **more)


class TestAsked(PlatformContract):
    """Jira's search keeps the contract of platforms."""

    kind = "jsm"

    @pytest.fixture
    def stage(self, platform: server.Jira, monkeypatch: pytest.MonkeyPatch) -> Stage:
        monkeypatch.setattr(jsm, "PAGE", 4)
        clock = ManualClock(START)

        def spoil(number: int) -> None:
            platform.issues[f"OPS-{number}"]["fields"]["summary"] = None

        return Stage(
            platform,
            clock,
            lambda number, at: platform.create(f"OPS-{number}", at, f"Acme is down post {number}"),
            lambda: asked(platform, clock),
            page=4,
            spoil=spoil,
            setting="token_from",
            calls=(300, timedelta(minutes=1)),
        )


def test_one_that_went_since_it_was_listed_does_not_hold_up_the_others(
    platform: server.Jira,
) -> None:
    """It is asked for three times, and set aside then."""
    clock = ManualClock(START)
    for number in range(1, 4):
        platform.create(f"OPS-{number}", START, f"Acme is down post {number}")
    ask = platform.reply
    gone = Fault(404, b"{}")
    platform.reply = lambda asked: gone if asked.path.endswith("/OPS-2") else ask(asked)  # type: ignore[method-assign]
    listener = Listener(asked(platform, clock)).for_(timedelta(minutes=30), clock)
    assert sorted(listener.numbers) == [1, 3]
    [left] = [value for value in listener.came if isinstance(value, Unreadable)]
    assert "404" in left.reason
    platform.create("OPS-4", clock.now(), "Acme is down post 4")
    listener.for_(timedelta(minutes=5), clock)
    assert sorted(listener.numbers) == [1, 3, 4]


def moved(minute: int, status: str, title: str = "Checkout fails") -> dict[str, Any]:
    told = server.issue("OPS-1", title, at(0), status=server.state(status))
    change = {"items": [{"field": "status", "toString": status}]}
    return server.event("jira:issue_updated", at(minute), told, changelog=change)


class TestPushed(IncidentToolContract):
    """Jira's webhooks keep the contract of incident tools."""

    kind = "jsm"

    @pytest.fixture
    def rig(self) -> Rig:
        clock = ManualClock(at(90))
        shape = jsm.Shape(House("jsm"), SITE, {})
        told = server.issue("OPS-1", "Checkout fails", at(0))
        busy = server.issue("OPS-1", "Checkout fails", at(0), status=server.state("In Progress"))

        def said(minute: int, body: str) -> dict[str, Any]:
            comment = {"id": str(minute), "body": body, "created": server.stamp(at(minute))}
            return server.event("comment_created", at(minute), busy, comment=comment)

        return Rig(
            clock,
            lambda: jsm.jsm("jsm", clock, url=SITE, secret_from=VARIABLE),
            lambda secret, body, number, when: {
                "x-hub-signature": jsm.SCHEME.sign(secret.encode(), body, when)[
                    "x-hub-signature"
                ].replace("v1=", "sha256="),
                "x-atlassian-webhook-identifier": number,
            },
            shape.event,
            House("jsm"),
            [
                server.event("jira:issue_created", at(0), told),
                moved(4, "In Progress"),
                said(6, "The cache is full."),
                said(8, "We clear it."),
                moved(20, "Closed", "Checkout failed"),
                moved(30, "Open"),
                moved(40, "Closed"),
            ],
            ["investigating", "identified", "resolved", "investigating", "resolved"],
            ["The cache is full.", "We clear it."],
            is_timed=False,
            others=({"timestamp": 1772442000000, "webhookEvent": "board_created", "board": {}},),
        )


def heard(platform: server.Jira, clock: ManualClock, **more: Any) -> list[Incident]:
    listener = Listener(asked(platform, clock, **more)).for_(timedelta(minutes=2), clock)
    return [value for value in listener.came if isinstance(value, Incident)]


def test_an_issue_comes_with_its_changelog_and_comments(platform: server.Jira) -> None:
    """Statuses by their names, of one's own by the settings, and else by what they belong to."""
    platform.create("OPS-1", at(0), "Checkout fails")
    platform.move("OPS-1", at(3), "In Progress")
    platform.comment("OPS-1", at(4), "The cache is full: https://status.example/i/9")
    platform.move("OPS-1", at(9), "Behoben")
    [told] = heard(platform, ManualClock(at(10)))
    assert [(step.at, step.status) for step in told.history] == [
        (at(0), "investigating"), (at(3), "identified"), (at(9), "resolved"),
    ]  # fmt: skip
    assert [update.body for update in told.updates] == [
        "The cache is full: https://status.example/i/9"
    ]
    assert (told.impact, told.url) == ("critical", f"{platform.url}/browse/OPS-1")
    assert (told.links, told.resolved_at) == (("https://status.example/i/9",), at(9))
    [same] = heard(platform, ManualClock(at(10)), statuses={"Behoben": "monitoring"})
    assert same.status == "monitoring"


def test_a_search_goes_back_in_whole_minutes(platform: server.Jira) -> None:
    """Times in a search would be those of the asker's time zone; minutes ago are no one's."""
    clock = ManualClock(at(10) + timedelta(seconds=31))
    heard(platform, clock)
    searches = [one.params["jql"] for one in platform.asked if one.path.endswith("jql")]
    assert all("updated >=" in jql and 'm"' in jql for jql in searches)
    assert jsm.INCIDENTS in searches[0]


def test_a_deleted_issue_takes_no_posts() -> None:
    """It is dismissed."""
    told = server.issue("OPS-1", "Checkout fails", at(0))
    gone = server.event("jira:issue_deleted", at(5), told)
    [piece] = jsm.Shape(House("jsm"), SITE, {}).event(gone)
    assert [step.status for step in piece.history] == ["dismissed"]


def test_a_key_without_its_owner_is_refused() -> None:
    """A key of Jira's is somebody's."""
    with pytest.raises(Misuse, match="email"):
        jsm.jsm("jsm", ManualClock(START), url=SITE, token_from="ACME_KEY")
