"""incident.io over a local server that speaks its API, and by its webhooks."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from collectors.incidents import incidentio
from collectors.incidents.kit.tool import House, Tool
from collectors.kit.signature import key_of, signature
from pipeline.clock import ManualClock
from pipeline.model import Incident
from tests.contracts.incident_tool import VARIABLE, IncidentToolContract, Rig, at
from tests.contracts.listening import START, Listener, Stage
from tests.contracts.platform import PlatformContract
from tests.servers import incidentio as server
from tests.servers.platform import served


@pytest.fixture
def platform() -> Iterator[server.IncidentIo]:
    with served(server.IncidentIo()) as running:
        yield running


def asked(platform: server.IncidentIo, clock: ManualClock, **more: Any) -> Tool:
    return incidentio.incidentio(
        "incidentio", clock, token_from="ACME_KEY", url=platform.url, **more
    )


class TestAsked(PlatformContract):
    """incident.io's list keeps the contract of platforms."""

    kind = "incidentio"

    @pytest.fixture
    def stage(self, platform: server.IncidentIo, monkeypatch: pytest.MonkeyPatch) -> Stage:
        monkeypatch.setattr(incidentio, "PAGE", 12)  # a look reads the whole day
        clock = ManualClock(START)

        def spoil(number: int) -> None:
            platform.incidents[f"I{number}"]["name"] = None

        return Stage(
            platform,
            clock,
            lambda number, at: platform.declare(f"I{number}", at, f"Acme is down post {number}"),
            lambda: asked(platform, clock),
            page=12,
            spoil=spoil,
            setting="token_from",
            calls=(600, timedelta(minutes=1)),
        )


def whole(minute: int, state: str, **more: Any) -> dict[str, Any]:
    told = server.incident("I1", "Checkout fails", at(0))
    changed = {"updated_at": at(minute).isoformat(), "incident_status": server.status(state)}
    return told | changed | more


def signed(secret: str, body: bytes, number: str, when: datetime) -> dict[str, str]:
    """As Svix signs, under its old names."""
    made = signature(key_of(SecretStr(secret)), number, when, body)
    return {name.replace("webhook-", "svix-"): value for name, value in made.items()}


class TestPushed(IncidentToolContract):
    """incident.io's webhooks keep the contract of incident tools."""

    kind = "incidentio"

    @pytest.fixture
    def rig(self) -> Rig:
        clock = ManualClock(at(90))
        created = "public_incident.incident_created_v2"
        changed = "public_incident.incident_status_updated_v2"
        edited = "public_incident.incident_updated_v2"

        def status(minute: int, state: str, message: str) -> dict[str, Any]:
            told = {"new_status": server.status(state), "message": message}
            return server.event(changed, told | {"incident": whole(minute, state)})

        return Rig(
            clock,
            lambda: incidentio.incidentio("incidentio", clock, secret_from=VARIABLE),
            signed,
            incidentio.Shape(House("incidentio")).event,
            House("incidentio"),
            [
                server.event(created, whole(0, "Triage")),
                status(5, "Fixing", "The cache is full."),
                server.event(edited, whole(7, "Fixing", name="Checkout fails for all")),
                status(20, "Monitoring", "The cache is larger now."),
                status(30, "Fixing", "It is full again."),
                status(50, "Closed", "It holds."),
            ],
            ["investigating", "identified", "monitoring", "identified", "resolved"],
            ["The cache is full.", "The cache is larger now.", "It is full again.", "It holds."],
            others=(
                server.event("private_incident.incident_created_v2", {"id": "I9"}),
                server.event("public_incident.follow_up_created_v2", {"id": "F1"}),
                server.event(created, server.incident("I2", "A test", at(0), mode="test")),
            ),
        )


def heard(platform: server.IncidentIo, clock: ManualClock, **more: Any) -> list[Incident]:
    listener = Listener(asked(platform, clock, **more)).for_(timedelta(minutes=2), clock)
    return [value for value in listener.came if isinstance(value, Incident)]


def test_an_incident_comes_with_all_its_updates(platform: server.IncidentIo) -> None:
    """States of an account's own, by category and name; components from a custom field; links."""
    platform.declare("I1", at(0), "Checkout fails")
    platform.update("I1", at(2), "Investigating", "We look into it.")
    platform.update("I1", at(4), "Fixing", "The cache is full.")
    platform.update("I1", at(8), "Monitoring")
    platform.update("I1", at(9), "Documenting", "Over. See https://status.example/i/9.")
    [told] = heard(platform, ManualClock(at(10)), component_field="Affected product")
    assert [(step.at, step.status) for step in told.history] == [
        (at(0), "investigating"), (at(4), "identified"), (at(8), "monitoring"), (at(9), "resolved"),
    ]  # fmt: skip
    assert [update.body for update in told.updates] == [
        "We look into it.", "The cache is full.", "Over. See https://status.example/i/9.",
    ]  # fmt: skip
    assert (told.impact, told.resolved_at) == ("major", at(9))
    assert [(one.id, one.name) for one in told.components] == [("C1", "Checkout"), (None, "Login")]
    assert told.links == ("https://jira.example/browse/OPS-I1", "https://status.example/i/9")


def test_a_change_of_an_old_incident_is_found(platform: server.IncidentIo) -> None:
    """The list stands in the order of making; what changed may stand anywhere in it."""
    clock = ManualClock(at(10))
    platform.declare("I1", at(0), "Checkout fails")
    for number in range(2, 120):
        platform.declare(f"I{number}", at(-60), "Another")
    listener = Listener(asked(platform, clock)).for_(timedelta(minutes=2), clock)
    platform.update("I1", clock.now(), "Closed", "It holds.")
    before = len(platform.asked)
    listener.for_(timedelta(minutes=2), clock)
    changed = [one for one in listener.came if isinstance(one, Incident)][-1]
    assert (changed.id, changed.status) == ("incidentio:I1", "resolved")
    asked_for = [one.params.get("incident_id") for one in platform.asked[before:]]
    assert set(asked_for) == {None, "I1"}


def test_tests_and_declined_incidents(platform: server.IncidentIo) -> None:
    """A test is none; what was declined takes no posts."""
    platform.declare("I1", at(0), "Checkout fails", mode="test")
    platform.declare("I2", at(0), "Checkout fails")
    platform.update("I2", at(2), "Declined")
    [told] = heard(platform, ManualClock(at(10)))
    assert (told.id, told.status) == ("incidentio:I2", "dismissed")
