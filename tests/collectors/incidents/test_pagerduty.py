"""PagerDuty over a local server that speaks its API, and by its webhooks."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from collectors.incidents import pagerduty
from collectors.incidents.kit.tool import House, Tool
from pipeline.clock import ManualClock
from pipeline.errors import Misuse
from pipeline.model import Incident
from tests.contracts.incident_tool import (
    OLD,
    VARIABLE,
    IncidentToolContract,
    Rig,
    at,
    incidents,
    reading,
)
from tests.contracts.listening import START, Listener, Stage
from tests.contracts.platform import PlatformContract
from tests.servers import pagerduty as server
from tests.servers.platform import Fault, served

HOUSE = House("pagerduty")


@pytest.fixture
def platform() -> Iterator[server.PagerDuty]:
    with served(server.PagerDuty()) as running:
        yield running


def asked(platform: server.PagerDuty, clock: ManualClock, **more: Any) -> Tool:
    more = {"token_from": "ACME_KEY", "url": platform.url} | more
    return pagerduty.pagerduty("pagerduty", clock, **more)


class TestAsked(PlatformContract):
    """PagerDuty's log keeps the contract of platforms."""

    kind = "pagerduty"

    @pytest.fixture
    def stage(self, platform: server.PagerDuty, monkeypatch: pytest.MonkeyPatch) -> Stage:
        monkeypatch.setattr(pagerduty, "PAGE", 10)
        clock = ManualClock(START)

        def spoil(number: int) -> None:
            platform.incidents[f"P{number}"]["id"] = None

        return Stage(
            platform,
            clock,
            lambda number, at: platform.trigger(f"P{number}", at, f"Acme is down post {number}"),
            lambda: asked(platform, clock),
            page=10,
            spoil=spoil,
            setting="token_from",
            calls=(300, timedelta(minutes=1)),
        )


def whole(**more: Any) -> dict[str, Any]:
    return server.incident("P1", "Checkout fails", at(0)) | more


class TestPushed(IncidentToolContract):
    """PagerDuty's webhooks keep the contract of incident tools."""

    kind = "pagerduty"

    @pytest.fixture
    def rig(self) -> Rig:
        clock = ManualClock(at(90))
        note = {
            "type": "incident_note",
            "id": "N1",
            "incident": server.reference("P1", "Checkout fails"),
            "content": "The card processor is slow.",
        }
        said = {
            "type": "incident_status_update",
            "id": "S1",
            "incident": server.reference("P1", "Checkout fails"),
            "message": "A fix is on its way.",
        }
        return Rig(
            clock,
            lambda: pagerduty.pagerduty("pagerduty", clock, secret_from=VARIABLE),
            lambda secret, body, number, when: (
                pagerduty.SCHEME.sign(secret.encode(), body, when) | {"x-webhook-id": number}
            ),
            lambda told: pagerduty.event(told, HOUSE),
            HOUSE,
            [
                server.event("incident.triggered", at(0), whole()),
                server.event("incident.annotated", at(2), note),
                server.event("incident.acknowledged", at(3), whole(title="Checkout fails for all")),
                server.event("incident.unacknowledged", at(33), whole()),
                server.event("incident.acknowledged", at(34), whole()),
                server.event("incident.status_update_published", at(40), said),
                server.event("incident.resolved", at(50), whole()),
                server.event("incident.reopened", at(55), whole()),
                server.event("incident.resolved", at(80), whole(title="Checkout failed")),
            ],
            [
                *("investigating", "identified", "investigating", "identified"),
                *("resolved", "investigating", "resolved"),
            ],
            ["The card processor is slow.", "A fix is on its way."],
            is_timed=False,
            others=(
                server.event("service.updated", at(1), {"id": "PSVC1", "type": "service"}),
                server.event("pagey.ping", at(1), {"type": "ping", "message": "Hello"}),
                server.event("incident.responder.added", at(1), {"type": "incident_responder"}),
            ),
        )

    def test_several_signatures_in_one_header(self, rig: Rig) -> None:
        """While a secret is replaced PagerDuty signs with both, with commas between."""
        tool = rig.open()
        right = rig.sign(OLD, b"{}", "1", at(0))["x-pagerduty-signature"]
        with reading(tool):
            for header in (f"v1={'0' * 64},{right}", f"{right}, v1=00", f"v2=zz,{right}"):
                headers = {"x-pagerduty-signature": header}
                assert tool.receive(headers, b"{}")[0] == 200  # type: ignore[attr-defined]


def heard(platform: server.PagerDuty, clock: ManualClock, **more: Any) -> list[Incident]:
    listener = Listener(asked(platform, clock, **more)).for_(timedelta(minutes=2), clock)
    return [value for value in listener.came if isinstance(value, Incident)]


def test_the_log_tells_the_whole_history(platform: server.PagerDuty) -> None:
    """Changes of status, notes, status updates; whom it is about and how bad it is."""
    platform.trigger("P1", at(0), "Checkout fails")
    platform.log("P1", "notify", at(1))
    platform.log("P1", "acknowledge", at(2))
    platform.log("P1", "annotate", at(3), channel={"type": "note", "content": "It is the cache."})
    platform.log("P1", "annotate", at(4), channel={"type": "note", "summary": "We restart it."})
    platform.log("P1", "status_update", at(5), message="A fix is on its way.")
    platform.log("P1", "resolve", at(9))
    given = {"component_map": {"checkout": "Web shop"}, "region_map": {"checkout": "Norway"}}
    last = heard(platform, ManualClock(at(10)), tracks=("acme",), **given)[-1]
    assert last.id == "pagerduty:P1"
    assert [(step.at, step.status) for step in last.history] == [
        (at(0), "investigating"), (at(2), "identified"), (at(9), "resolved"),
    ]  # fmt: skip
    said = ["It is the cache.", "We restart it.", "A fix is on its way."]
    assert [update.body for update in last.updates] == said
    assert (last.started_at, last.resolved_at, last.impact) == (at(0), at(9), "critical")
    assert [component.name for component in last.components] == ["Web shop"]
    assert (last.regions, last.tracks) == (("Norway",), ("acme",))
    assert last.url == "https://acme.pagerduty.example/incidents/P1"


def test_what_was_opened_before_the_first_look_has_its_beginning(
    platform: server.PagerDuty,
) -> None:
    """The first look reaches back some days; what still goes on began when its incident says."""
    platform.trigger("P1", at(0) - timedelta(days=9), "Checkout fails")
    platform.log("P1", "acknowledge", at(2))
    [only] = heard(platform, ManualClock(at(10)))
    assert [step.at for step in only.history] == [at(0) - timedelta(days=9), at(2)]


def test_more_than_the_list_holds_is_a_gap(
    platform: server.PagerDuty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """10,000 entries are listed; what lies before them was not read, and that is told."""
    monkeypatch.setattr(pagerduty, "LIST_CAP", 300)
    clock = ManualClock(START)
    platform.trigger("P1", at(0), "Checkout fails post 1")
    listener = Listener(asked(platform, clock)).for_(timedelta(minutes=2), clock)
    clock.set(at(60))
    for number in range(400):
        platform.log("P1", "notify", at(60) + timedelta(seconds=number))
    platform.log("P1", "resolve", at(68))
    clock.set(at(70))
    listener.for_(timedelta(minutes=2), clock)
    assert [gap.cause for gap in listener.gaps] == ["look-back exceeded"]
    assert listener.came[-1] is not None
    last = [value for value in listener.came if isinstance(value, Incident)][-1]
    assert last.status == "resolved"


def test_what_is_asked_and_what_is_pushed_is_one_incident(
    platform: server.PagerDuty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event comes at once; the log tells the same a minute later, and says nothing new."""
    monkeypatch.setenv(VARIABLE, OLD)
    clock, stop = ManualClock(at(5)), threading.Event()
    platform.trigger("P1", at(0), "Checkout fails")
    tool = asked(platform, clock, secret_from=VARIABLE, poll_seconds=10)
    with reading(tool) as came:
        assert delivered(tool, server.event("incident.acknowledged", at(3), whole())) == 200
        platform.log("P1", "acknowledge", at(3) + timedelta(milliseconds=120))
        due = len(platform.asked) + 2
        while len(platform.asked) < due:
            stop.wait(0.01)
    told = [[step.status for step in one.history] for one in incidents(came)]
    assert told[-1] == ["investigating", "identified"]
    assert len(told) <= 2


def test_deliveries_are_taken_while_it_cannot_be_asked(
    platform: server.PagerDuty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trouble is told, and nobody has to wait for it to end."""
    monkeypatch.setenv(VARIABLE, OLD)
    platform.always = Fault(503)
    tool = asked(platform, ManualClock(at(5)), secret_from=VARIABLE)
    with reading(tool) as came:
        assert delivered(tool, server.event("incident.triggered", at(0), whole())) == 200
        while tool.trouble() is None:
            threading.Event().wait(0.01)
        assert "503" in str(tool.trouble())
        assert delivered(tool, server.event("incident.acknowledged", at(3), whole())) == 200
    assert [one.status for one in incidents(came)] == ["investigating", "identified"]


def delivered(tool: Any, told: Any) -> int:
    """The status of the answer to a delivery."""
    body = json.dumps(told).encode()
    status: int = tool.receive(pagerduty.SCHEME.sign(OLD.encode(), body, START), body)[0]
    return status


def test_a_tool_without_any_credential_is_refused() -> None:
    """It is said which settings there are."""
    with pytest.raises(Misuse, match=r"token_from.*secret_from"):
        pagerduty.pagerduty("pagerduty", ManualClock(START))
