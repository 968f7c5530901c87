"""Rootly over a local server that speaks its API, and by its webhooks."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from collectors.incidents import rootly
from collectors.incidents.kit.tool import House, Tool
from pipeline.clock import ManualClock
from pipeline.model import Incident
from tests.contracts.incident_tool import VARIABLE, IncidentToolContract, Rig, at
from tests.contracts.listening import START, Listener, Stage
from tests.contracts.platform import PlatformContract
from tests.servers import rootly as server
from tests.servers.platform import served

HOUSE = House("rootly")


@pytest.fixture
def platform() -> Iterator[server.Rootly]:
    with served(server.Rootly()) as running:
        yield running


def asked(platform: server.Rootly, clock: ManualClock, **more: Any) -> Tool:
    return rootly.rootly("rootly", clock, token_from="ACME_KEY", url=platform.url, **more)


class TestAsked(PlatformContract):
    """Rootly's list keeps the contract of platforms."""

    kind = "rootly"

    @pytest.fixture
    def stage(self, platform: server.Rootly, monkeypatch: pytest.MonkeyPatch) -> Stage:
        monkeypatch.setattr(rootly, "PAGE", 4)
        clock = ManualClock(START)

        def spoil(number: int) -> None:
            platform.incidents[f"R{number}"]["title"] = None

        return Stage(
            platform,
            clock,
            lambda number, at: platform.start(f"R{number}", at, f"Acme is down post {number}"),
            lambda: asked(platform, clock),
            page=4,
            spoil=spoil,
            setting="token_from",
            calls=(600, timedelta(minutes=1)),
        )


def whole(minute: int, **more: Any) -> dict[str, Any]:
    told = server.incident("R1", "Checkout fails", at(0))
    return told | {"updated_at": at(minute).isoformat()} | more


class TestPushed(IncidentToolContract):
    """Rootly's webhooks keep the contract of incident tools."""

    kind = "rootly"

    @pytest.fixture
    def rig(self) -> Rig:
        clock = ManualClock(at(90))
        taken = {"acknowledged_at": at(2).isoformat()}
        eased = taken | {"status": "mitigated", "mitigated_at": at(9).isoformat()}
        eased |= {"mitigation_message": "Traffic goes elsewhere."}
        over = eased | {"status": "resolved", "resolved_at": at(20).isoformat()}
        again = taken | {"status": "started", "mitigated_at": at(9).isoformat()}
        ended = eased | {"status": "resolved", "resolved_at": at(40).isoformat()}
        ended |= {"resolution_message": "The cache is larger now."}
        return Rig(
            clock,
            lambda: rootly.rootly("rootly", clock, secret_from=VARIABLE),
            lambda secret, body, _number, when: rootly.SCHEME.sign(secret.encode(), body, when),
            lambda told: rootly.event(told, HOUSE),
            HOUSE,
            [
                server.event("incident.created", at(0), whole(0)),
                server.event("incident.updated", at(2), whole(2, **taken)),
                server.event("incident.mitigated", at(9), whole(9, **eased)),
                server.event("incident.resolved", at(20), whole(20, **over)),
                server.event("incident.updated", at(30), whole(30, **again)),
                server.event("incident.resolved", at(40), whole(40, **ended)),
            ],
            ["investigating", "identified", "monitoring", "resolved", "identified", "resolved"],
            ["Traffic goes elsewhere.", "The cache is larger now."],
            others=(
                server.event("incident.scheduled.created", at(1), whole(0, kind="scheduled")),
                server.event("incident.created", at(1), whole(0, kind="test")),
                server.event("alert.created", at(1), {"id": "A1", "summary": "CPU"}),
            ),
        )


def heard(platform: server.Rootly, clock: ManualClock) -> list[Incident]:
    listener = Listener(asked(platform, clock)).for_(timedelta(minutes=2), clock)
    return [value for value in listener.came if isinstance(value, Incident)]


def test_an_incident_comes_with_what_its_status_page_was_told(platform: server.Rootly) -> None:
    """States with their times, how bad it is, where it is known beside."""
    platform.start("R1", at(0), "Internal name", public_title="Checkout fails")
    platform.tell("R1", at(3), "investigating", "<p>We look into it.</p>")
    platform.change("R1", at(4), acknowledged_at=at(4).isoformat())
    platform.tell("R1", at(9), "resolved", "It is over.")
    platform.change("R1", at(9), status="resolved", resolved_at=at(9).isoformat())
    [told] = heard(platform, ManualClock(at(10)))
    assert (told.title, told.impact, told.status) == ("Checkout fails", "critical", "resolved")
    assert [(step.at, step.status) for step in told.history] == [
        (at(0), "investigating"), (at(4), "identified"), (at(9), "resolved"),
    ]  # fmt: skip
    assert [update.body for update in told.updates] == ["We look into it.", "It is over."]
    assert [component.name for component in told.components] == ["Checkout"]
    assert told.links == ("https://acme.pagerduty.example/incidents/PDR1",)


def test_a_deleted_incident_takes_no_posts(platform: server.Rootly) -> None:
    """It is dismissed, as what was cancelled is."""
    gone = server.event("incident.deleted", at(5), {"id": "R1", "title": "Checkout fails"})
    [piece] = rootly.event(gone, HOUSE)
    assert [step.status for step in piece.history] == ["dismissed"]
    platform.start("R2", at(0), "Checkout fails", status="cancelled")
    assert heard(platform, ManualClock(at(10)))[-1].status == "dismissed"
