"""Jetstream's second version: the same posts and cursors, told in another form."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.bluesky import wire
from collectors.bluesky.jetstream import Bluesky
from collectors.kit.times import from_us, to_us
from pipeline.clock import ManualClock
from pipeline.errors import SetAside, TryLater
from pipeline.model import Mention, Removal
from pipeline.ports import Unreadable
from pipeline.tracks import Track
from tests.contracts.collector import CollectorContract, OpenSource
from tests.contracts.listening import START, Listener
from tests.servers.jetstream import (
    SECOND,
    Jetstream,
    account,
    changed,
    commit,
    deleted,
    identity,
    jetstream,
)

T0 = to_us(START)
ACME = Track(name="acme", terms=("acme",))


@pytest.fixture
def server() -> Iterator[Jetstream]:
    with jetstream() as speaker:
        yield speaker


def source(server: Jetstream, clock: ManualClock, *, second: bool = True) -> Bluesky:
    url = server.url.replace("/subscribe", SECOND) if second else server.url
    return Bluesky("bluesky", clock, url=url, tracks=[ACME])


def events() -> list[dict[str, Any]]:
    post = commit(1, T0 + 1, "acme is down", langs=["de"])
    return [
        identity(1, T0, "kim.example"),
        post,
        changed(post, T0 + 2_000, "acme is slow"),
        account(1, T0 + 3_000, active=False, status="deactivated"),
        account(1, T0 + 4_000, active=True),
        deleted(post, T0 + 5_000),
    ]


class TestContract(CollectorContract):
    """The second version keeps the contract of collectors."""

    @pytest.fixture
    def open_source(self, server: Jetstream) -> OpenSource:
        server.push(*events())
        return lambda: source(server, ManualClock(START))

    @pytest.fixture
    def words(self) -> int:
        return 5


def test_both_versions_tell_the_same(server: Jetstream) -> None:
    """Posts, edits, ends and names: word for word; a cursor of one is one of the other."""
    server.push(*events())
    clock = ManualClock(START)
    told = []
    for second in (True, False):
        listener = Listener(source(server, clock, second=second))
        listener.until(
            lambda one: sum(isinstance(v, Mention | Removal) for v in one.came) == 5, clock
        )
        told.append([v for v in listener.came if isinstance(v, Mention | Removal)])
        resumed = Listener(source(server, clock, second=not second), listener.cursor)
        resumed.until(lambda one: any(isinstance(v, Removal) for v in one.came), clock)
        assert resumed.gaps == []
    assert told[0] == told[1]
    first = told[0][0]
    assert isinstance(first, Mention)
    assert first.author.handle == "kim.example"


def test_an_outdated_cursor_is_a_gap(server: Jetstream) -> None:
    """The server says so in a notice; the first event tells how much was missed."""
    clock = ManualClock(from_us(T0 + 7_200_000_000))
    server.keeps_from = T0 + 3_600_000_000
    server.push(commit(1, T0 + 3_700_000_000, "acme is down"))
    listener = Listener(source(server, clock), f"{T0}:{T0}")
    listener.until(lambda one: any(isinstance(v, Mention) for v in one.came), clock)
    [gap] = listener.gaps
    assert (gap.from_at, gap.to_at) == (START, from_us(T0 + 3_700_000_000))
    assert not any(isinstance(value, Unreadable) for value in listener.came)


def test_what_is_asked_for(server: Jetstream) -> None:
    """Posts and what becomes of accounts; a time as cursor, which every instance understands."""
    server.push(commit(1, T0, "acme"))
    clock = ManualClock(START)
    listener = Listener(source(server, clock), f"{T0}:{T0}")
    listener.until(lambda one: any(isinstance(v, Mention) for v in one.came), clock)
    asked = server.asked[0]
    assert asked["collections"] == "app.bsky.feed.post"
    assert int(asked["cursor"]) == T0 - 2_000_000


def test_a_server_that_finds_us_too_slow_says_so(server: Jetstream) -> None:
    """It ends the connection; we resume, and the log says why."""
    server.push({"$type": "error", "error": "ConsumerTooSlow", "message": "bye"})
    with pytest.raises(TryLater, match="ConsumerTooSlow"):
        list(source(server, ManualClock(START)).items(None, threading.Event()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(JSON, JSON, st.sampled_from(["commit", "info", "sync", "account", "new", ""]))
def test_any_frame_is_an_event_or_set_aside(frame: Any, fields: Any, kind: str) -> None:
    """Whatever a server sends: an event, a notice, or a reason without the frame's text."""
    payload = {"$type": f"network.bsky.jetstream.subscribeEvents#{kind}"}
    payload |= fields if isinstance(fields, dict) else {"time": fields}
    for told in (frame, {"$type": "message", "payload": payload}, {"$type": "message"}):
        try:
            found = wire.first_form(told)
        except (SetAside, wire.Farewell):
            continue
        assert found is None or json.dumps(found["time_us"])
