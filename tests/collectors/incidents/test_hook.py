"""Webhooks of any tool by the settings, and of Grafana."""

import json
import threading
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from collectors.incidents import hook
from collectors.incidents.kit import paths
from collectors.incidents.kit.signing import Scheme
from collectors.incidents.kit.tool import House, Tool
from collectors.kit.signature import key_of, signature
from pipeline.clock import ManualClock
from pipeline.ports import Unreadable
from tests.contracts.incident_tool import (
    OLD,
    VARIABLE,
    IncidentToolContract,
    Rig,
    incidents,
    reading,
)
from tests.contracts.listening import START


def at(minute: int) -> str:
    return (START + timedelta(minutes=minute)).isoformat()


def standard(secret: str, body: bytes, number: str, when: datetime) -> dict[str, str]:
    return signature(key_of(SecretStr(secret)), number, when, body)


def told(minute: int, status: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": "7", "at": at(minute), "status": status} | more


def said(minute: int, body: str) -> dict[str, Any]:
    return told(minute, update={"id": f"u{minute}", "body": body})


class TestOwnShape(IncidentToolContract):
    """What is sent in our own shape keeps the contract of incident tools."""

    kind = "webhook"

    @pytest.fixture
    def rig(self) -> Rig:
        clock = ManualClock(START + timedelta(minutes=90))
        shape = hook.Shape(House("webhook"), hook.Places(), {}, {})
        return Rig(
            clock,
            lambda: hook.hook("pager", clock, secret_from=VARIABLE),
            standard,
            shape.read,
            House("webhook"),
            [
                told(0, "investigating", title="Checkout fails", impact="major"),
                said(3, "The cache is full."),
                told(4, "identified", title="Checkout fails for all", components=["Checkout"]),
                told(6, url="https://pager.example/7", links=["https://status.example/7"]),
                said(8, "We clear it."),
                told(9, "monitoring"),
                told(20, "resolved", resolved_at=at(19)),
            ],
            ["investigating", "identified", "monitoring", "resolved"],
            ["The cache is full.", "We clear it."],
        )


MAPPED = {
    "items": "payload.tickets",
    "id": ("kind", "$.number"),
    "title": "texts['short.title']",
    "status": "state",
    "at": "changed",
    "components": "services[*].label",
    "update_body": "log[-1]",
}


def ticket(minute: int, state: str, line: str) -> dict[str, Any]:
    one = {
        "kind": "T",
        "number": 7,
        "texts": {"short.title": "Checkout fails"},
        "state": state,
        "changed": at(minute),
        "services": [{"label": "Checkout"}, {"other": 1}, {"label": "Login"}],
        "log": ["old", line],
    }
    return {"payload": {"tickets": [one]}}


def test_an_answer_comes_within_five_seconds_whatever_happens() -> None:
    """Where what was delivered does not become safe, the sender hears of it in time."""
    clock = ManualClock(START)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, OLD)
        tool: Any = hook.hook("pager", clock, secret_from=VARIABLE)
    items = tool.items(None, threading.Event())
    next(items)
    body = json.dumps(told(0, "investigating", title="Checkout fails")).encode()
    began = time.monotonic()
    assert tool.receive(standard(OLD, body, "1", START), body)[0] == 503
    assert time.monotonic() - began < 5
    items.close()


class TestMapped(IncidentToolContract):
    """What is sent in another shape, by paths in the settings and HMAC over time and body."""

    kind = "webhook"

    @pytest.fixture
    def rig(self) -> Rig:
        clock = ManualClock(START + timedelta(minutes=90))
        statuses: Any = {"Neu": "investigating", "Ursache bekannt": "identified", "Zu": "resolved"}
        places = hook.Places.model_validate(MAPPED)
        scheme = Scheme("x-desk-signature", "{timestamp}.{body}")

        def opened() -> Tool:
            return hook.hook(
                "desk",
                clock,
                secret_from=VARIABLE,
                signing="hmac",
                signature_header="X-Desk-Signature",
                signed="{timestamp}.{body}",
                paths=MAPPED,
                statuses=statuses,
            )

        return Rig(
            clock,
            opened,
            lambda secret, body, _number, when: scheme.sign(secret.encode(), body, when),
            hook.Shape(House("webhook"), places, statuses, {}).read,
            House("webhook"),
            [ticket(0, "Neu", "a"), ticket(5, "URSACHE bekannt", "b"), ticket(9, "Zu", "c")],
            ["investigating", "identified", "resolved"],
            ["a", "b", "c"],
        )

    def test_an_unknown_status_is_set_aside(self, rig: Rig) -> None:
        """With its bytes; the reason says which setting is meant."""
        tool = rig.open()
        with reading(tool) as came:
            assert rig.deliver(tool, ticket(0, "On fire", "a"), "1")[0] == 200
        [letter] = [item.value for item in came if isinstance(item.value, Unreadable)]
        assert b"On fire" in letter.data
        assert "statuses" in letter.reason
        assert "fire" not in letter.reason

    def test_names_and_ids_come_from_their_places(self, rig: Rig) -> None:
        """Several parts of an id are joined, gaps in a list are passed over."""
        tool = rig.open()
        with reading(tool) as came:
            rig.deliver(tool, ticket(0, "Neu", "a"), "1")
        [one] = incidents(came)
        assert one.id == "webhook:T-7"
        assert [component.name for component in one.components] == ["Checkout", "Login"]


def irm(minute: int, status: str, kind: str, **more: Any) -> dict[str, Any]:
    incident = {
        "incidentID": "12",
        "title": "Checkout fails",
        "status": status,
        "severity": "Critical",
        "labels": [{"label": "Checkout"}],
        "incidentStart": at(0),
        "incidentEnd": "",
        "summary": "",
        "overviewURL": "/a/grafana-irm-app/incidents/12/checkout-fails",
        "isDrill": False,
    } | more
    event = f"grafana.incident.{kind}"
    return {"id": f"e{minute}", "event": event, "time": at(minute), "incident": incident}


def token(secret: str, body: bytes, number: str, when: datetime) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


class TestGrafana(IncidentToolContract):
    """Grafana IRM's webhooks keep the contract of incident tools."""

    kind = "grafana"

    @pytest.fixture
    def rig(self) -> Rig:
        clock = ManualClock(START + timedelta(minutes=90))
        states: Any = {"active": "investigating", "resolved": "resolved"}
        return Rig(
            clock,
            lambda: hook.grafana("grafana", clock, secret_from=VARIABLE),
            token,
            hook.Shape(House("grafana"), hook.IRM, states, {}).read,
            House("grafana"),
            [
                irm(0, "active", "created"),
                irm(4, "active", "updated.title", title="Checkout fails for all"),
                irm(6, "active", "updated.summary", summary="The cache is full."),
                irm(20, "resolved", "closed", summary="The cache is full.", incidentEnd=at(19)),
            ],
            ["investigating", "resolved"],
            ["The cache is full."],
            is_timed=False,
            others=(irm(0, "active", "created", isDrill=True),),
        )

    def test_the_rest_of_an_address_is_the_stack_s(self, rig: Rig) -> None:
        """Grafana tells where on its stack an incident is; without the stack that is no address."""
        for url, told in (("https://acme.grafana.example/", True), (None, False)):
            tool = hook.grafana("grafana", rig.clock, secret_from=VARIABLE, url=url)
            with reading(tool) as came:
                assert rig.deliver(tool, rig.story[0], "1")[0] == 200
            [one] = incidents(came)
            whole = "https://acme.grafana.example/a/grafana-irm-app/incidents/12/checkout-fails"
            assert one.url == (whole if told else None)

    def test_alerts_of_a_group(self) -> None:
        """Each is an incident; one that fires again is another."""
        clock = ManualClock(START)
        tool = hook.grafana(
            "grafana", clock, secret_from=VARIABLE, sends="alerts", signing="hmac",
            timestamp_header="x-grafana-time",
        )  # fmt: skip
        scheme = Scheme("x-grafana-alerting-signature", "{timestamp}:{body}", "x-grafana-time")

        def alert(began: int, status: str, ended: str) -> dict[str, Any]:
            return {
                "status": status,
                "fingerprint": "f1",
                "startsAt": at(began),
                "endsAt": ended,
                "labels": {"alertname": "Checkout is slow", "severity": "warning"},
                "annotations": {"summary": "p99 is 9 s"},
            }

        never = "0001-01-01T00:00:00Z"
        receiver: Any = tool
        with reading(tool) as came:
            again = [alert(0, "resolved", at(5)), alert(9, "firing", never)]
            for alerts in ([alert(0, "firing", never)], again):
                body = json.dumps({"alerts": alerts}).encode()
                headers = scheme.sign(OLD.encode(), body, START)
                assert receiver.receive(headers, body)[0] == 200
        assert [(one.status, one.resolved_at, one.impact) for one in incidents(came)] == [
            ("investigating", None, "minor"),
            ("resolved", START + timedelta(minutes=5), "minor"),
            ("investigating", None, "minor"),
        ]
        assert len({one.id for one in incidents(came)}) == 2


def test_a_signature_with_a_time_in_its_header() -> None:
    """And a hash of the body instead of the body, as some sign."""
    scheme = Scheme("gi-signature", "{body_sha256}:{timestamp}:v1")
    headers = scheme.sign(b"key", b"{}", START)
    assert scheme.verified([b"key"], headers, b"{}", START)
    with pytest.raises(Exception, match="wrong signature"):
        scheme.verified([b"key"], headers, b"[]", START)
    with pytest.raises(Exception, match="too long ago"):
        scheme.verified([b"key"], headers, b"{}", START + timedelta(minutes=6))


@pytest.mark.parametrize("path", ["", "$", "a..b", "a[", "a[x]", "[?(@.a)]", "a[0"])
def test_what_is_no_path_is_refused(path: str) -> None:
    """When the settings are read, not when the first delivery comes."""
    with pytest.raises((ValidationError, ValueError)):
        hook.Places.model_validate({"title": path})


@given(st.recursive(st.none() | st.text(max_size=3) | st.integers(), st.lists, max_leaves=5))
def test_a_path_into_anything_gives_something_or_nothing(document: Any) -> None:
    """Never an error, whatever was sent."""
    for path in ("a", "a.b[0]", "[*].a", "[-1]", "a[*][*]", "['x'].y"):
        paths.at(document, path)  # anything at all, but no error
        told = paths.text({"a": document}, path)
        assert told is None or isinstance(told, str)


def test_both_secrets_are_kept_secret() -> None:
    """A wrong token is told, the right one is not."""
    clock = ManualClock(START)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, OLD)
        tool: Any = hook.grafana("grafana", clock, secret_from=VARIABLE)
        status, line, _ = tool.receive({"authorization": "Bearer nonsense"}, b"{}")
    assert (status, line) == (401, "wrong token")
