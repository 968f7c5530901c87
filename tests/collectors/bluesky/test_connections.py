"""Bluesky's connections: how they end, how often they are made, and what is asked again."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from collectors.bluesky.jetstream import Bluesky
from collectors.bluesky.position import CONNECTS, Connects, Position
from collectors.kit.limits import Limited
from collectors.kit.times import to_us
from pipeline.clock import ManualClock
from pipeline.errors import TryLater
from pipeline.model import Coverage, Mention
from pipeline.tracks import Track
from tests.contracts.listening import START, Listener
from tests.servers.jetstream import Jetstream, commit, jetstream

T0 = to_us(START)
SECOND = 1_000_000
ACME = Track(name="acme", terms=("acme",))


@pytest.fixture
def server() -> Iterator[Jetstream]:
    with jetstream() as speaker:
        yield speaker


def source(server: Jetstream, clock: ManualClock) -> Bluesky:
    return Bluesky("bluesky", clock, url=server.url, tracks=[ACME])


def posts(listener: Listener) -> list[str]:
    return [value.text for value in listener.came if isinstance(value, Mention)]


@pytest.mark.parametrize("code", [1000, 1001, 1011, None], ids=str)
def test_however_it_ends_nothing_is_lost(server: Jetstream, code: int | None) -> None:
    """Said goodbye to, sent away, failed or cut off: it resumes, and there is no gap."""
    clock = ManualClock(START)
    server.code, server.farewell = code, 2
    server.push(*(commit(n, T0 + 5 * n * SECOND, f"acme {n}") for n in range(6)))
    listener = Listener(source(server, clock))
    listener.until(lambda one: len(set(posts(one))) == 2 and len(one.pauses) > 0, clock)
    for _ in range(8):
        before = len(listener.pauses)
        listener.until(lambda one, n=before: len(one.pauses) > n, clock)  # type: ignore[misc]
        server.farewell = 3
    assert sorted(set(posts(listener))) == [f"acme {n}" for n in range(6)]
    assert listener.gaps == []


def test_a_storm_of_closes_stays_within_the_budget(server: Jetstream) -> None:
    """Also over restarts: what was spent stands in the cursor before a connection is made."""
    clock = ManualClock(START)
    server.farewell = 0
    server.push(commit(1, T0, "acme"))
    listener = Listener(source(server, clock))
    for _ in range(150):
        before = len(listener.pauses)
        listener.until(lambda one, n=before: len(one.pauses) > n, clock)  # type: ignore[misc]
        listener = listener.again(source(server, clock))  # a process that dies each time
    took = clock.now() - START
    assert len(server.asked) == 150
    assert took >= CONNECTS.span * (150 // CONNECTS.calls)


@pytest.mark.parametrize(
    ("headers", "least"), [({"Retry-After": "77"}, 77), ({}, 0.1), ({"Retry-After": "-3"}, 0.1)]
)
def test_a_refused_handshake_is_waited_for(
    server: Jetstream, headers: dict[str, str], least: float
) -> None:
    """As long as the server asks for, within bounds."""
    server.refusal = (429, headers)
    made = source(server, ManualClock(START))
    with pytest.raises(Limited, match="answers 429") as raised:
        list(made.items(None, threading.Event()))
    assert least <= (raised.value.after or 0) <= 900


def test_a_server_that_fails_is_tried_again(server: Jetstream) -> None:
    """A maintenance page is no refusal of ours."""
    server.refusal = (503, {})
    with pytest.raises(TryLater, match="answers 503"):
        list(source(server, ManualClock(START)).items(None, threading.Event()))


def test_a_cursor_of_the_future_is_one_of_now(server: Jetstream) -> None:
    """A clock that was wrong must not skip all until then, nor hide a gap."""
    clock = ManualClock(START)
    ahead = Position(T0 + 86_400 * SECOND, T0).cursor
    server.push(commit(1, T0 + 1, "acme 1"))
    listener = Listener(source(server, clock), ahead)
    listener.until(lambda one: posts(one) == ["acme 1"], clock)
    assert int(server.asked[0]["cursor"]) < T0
    told = Position.of(listener.cursor, T0 + SECOND)
    assert told is not None
    assert told.read <= T0 + SECOND


@pytest.mark.parametrize("told", ["x", "1.2.3", "7", "a.b,c.d", ",,"])
def test_a_budget_that_cannot_be_read_is_left_out(told: str) -> None:
    """The place counts; the budget begins anew."""
    position = Position.of(f"{T0}::{told}", T0)
    assert position is not None
    connects = Connects()
    connects.recall(position.connects)
    assert connects.wait(START) == 0


def test_a_cursor_of_before_the_budget_is_read(server: Jetstream) -> None:
    """Cursors of earlier versions keep their place."""
    assert Position.of(f"{T0}:{T0}", T0) == Position(T0, T0)
    server.push(commit(1, T0 + SECOND, "acme"))
    clock = ManualClock(START + timedelta(seconds=2))
    listener = Listener(source(server, clock), f"{T0}:{T0}")
    listener.until(lambda one: bool(posts(one)), clock)
    covered: list[Any] = [value for value in listener.came if isinstance(value, Coverage)]
    assert all(word.from_at == START for word in covered)
