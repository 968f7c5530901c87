"""Bluesky over a local server that speaks Jetstream: posts, edits, ends, resuming, and trouble."""

import json
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from collectors.bluesky.jetstream import OVERLAP_US, Bluesky
from pipeline.clock import ManualClock, SystemClock
from pipeline.errors import GiveUp, TryLater
from pipeline.model import Coverage, Mention, Removal
from pipeline.ports import Collector, Item, Unreadable
from pipeline.tracks import Track
from tests.collectors.bluesky.reading import START, T0, items, source, values
from tests.contracts.collector import CollectorContract, OpenSource
from tests.servers.bluesky import Bluesky as BlueskyService
from tests.servers.jetstream import (
    Jetstream,
    account,
    changed,
    commit,
    deleted,
    jetstream,
)
from tests.servers.platform import Fault, served

SECOND = 1_000_000
ACME = Track(
    name="acme", terms=("acme",), handles=("acmehelp.example",), hashtags=("acmedown",)
)  # fmt: skip


@pytest.fixture
def server() -> Iterator[Jetstream]:
    with jetstream() as speaker:
        yield speaker


class TestContract(CollectorContract):
    """Bluesky keeps the contract of collectors."""

    @pytest.fixture
    def open_source(self, server: Jetstream) -> OpenSource:
        first = commit(1, T0, "acme is down")
        server.push(
            first,
            commit(2, T0 + 3 * SECOND, "nothing of interest"),
            commit(3, T0 + 4 * SECOND, "acme again"),
            b"{no json",
            changed(first, T0 + 9 * SECOND, "acme is back"),
            account(3, T0 + 15 * SECOND, active=False, status="deactivated"),
            deleted(first, T0 + 20 * SECOND),
        )
        return lambda: source(server, tracks=[ACME])

    @pytest.fixture
    def words(self) -> int:
        return 6


def test_only_what_matches_is_passed_on(server: Jetstream) -> None:
    """Text, full addresses of links, tags and mentioned DIDs are matched; the rest is dropped."""
    link = {"$type": "app.bsky.richtext.facet#link", "uri": "https://acme.example/x"}
    tag = {"$type": "app.bsky.richtext.facet#tag", "tag": "acmedown"}
    named = {"$type": "app.bsky.richtext.facet#mention", "did": "did:plc:acme"}
    everywhere = {"byteStart": 0, "byteEnd": 2}
    by_did = Track(name="did", handles=("did:plc:acme",))
    server.push(
        commit(1, T0, "an acmeist poem"),
        commit(2, T0 + 1, "ACME?"),
        commit(3, T0 + 2, "see this", facets=[{"index": everywhere, "features": [link]}]),
        commit(4, T0 + 3, "oh no", facets=[{"index": everywhere, "features": [tag]}]),
        commit(5, T0 + 4, "hello there", facets=[{"index": everywhere, "features": [named]}]),
        commit(6, T0 + 5, "nothing"),
        commit(7, T0 + 6, "acme"),
    )
    came = values(source(server, tracks=[ACME, by_did]), 5)
    assert [(m.external_id[-1], m.tracks) for m in came] == [
        ("2", ("acme",)), ("3", ("acme",)), ("4", ("acme",)), ("5", ("did",)), ("7", ("acme",)),
    ]  # fmt: skip


def test_edits_and_deletes(server: Jetstream) -> None:
    """An edit is the same mention in a higher version, a delete erases it."""
    post = commit(1, T0, "acme is down")
    edit = changed(post, T0 + SECOND, "acme is up")
    server.push(post, edit, deleted(post, T0 + 2 * SECOND))
    first, second, removal = values(source(server, tracks=[ACME]), 3)
    assert (first.id, first.version) == (second.id, 0)
    assert (second.text, second.version) == ("acme is up", (T0 + SECOND) // 1_000)
    assert removal == Removal(
        removal=first.id, kind="erased", at=START + timedelta(seconds=2), scope="mention"
    )


def test_an_edit_that_takes_our_name_out_hides_the_post(server: Jetstream) -> None:
    """And it is back when a later edit puts the name in again."""
    post = commit(1, T0, "acme is down")
    server.push(
        post,
        changed(post, T0 + 1_000, "all is well"),
        changed(post, T0 + 2_000, "acme was down"),
    )
    came = values(source(server, tracks=[ACME]), 4)
    assert [getattr(value, "kind", None) for value in came] == ["post", "hidden", "shown", "post"]


def test_what_becomes_of_accounts(server: Jetstream) -> None:
    """Off hides, gone erases, back shows; states of servers mean nothing."""
    states = ["deactivated", "suspended", "desynchronized", "throttled", "deleted", "takendown"]
    server.push(*(account(n, T0 + n, active=False, status=s) for n, s in enumerate(states)))
    server.push(account(0, T0 + 10, active=True))
    came = values(source(server), 5)
    assert [(r.removal[-1], r.kind) for r in came] == [
        ("0", "hidden"), ("1", "hidden"), ("4", "erased"), ("5", "erased"), ("0", "shown"),
    ]  # fmt: skip
    assert {r.scope for r in came} == {"author"}


def test_our_own_accounts_are_known_by_their_handles(server: Jetstream) -> None:
    """Events name accounts by DID only; a handle of nobody, or no answer, holds nothing up."""
    ours = Track(name="acme", terms=("acme",), own=("@acme.example", "did:plc:x", "gone.example"))
    with served(BlueskyService()) as running:
        service = running
        service.handles["acme.example"] = "did:plc:author1"
        server.push(commit(1, T0, "acme is down"), commit(2, T0 + 1, "acme is down"))
        made = source(server, tracks=[ours], api_url=service.url)
        first, second = values(made, 2)
        assert (first.author.handle, second.author.handle) == ("acme.example", None)
        values(made, 2)
        assert len(service.asked) == 2
        service.always = Fault(503)
        first, _ = values(source(server, tracks=[ours], api_url=service.url), 2)
        assert first.author.handle is None


def test_removals_of_what_was_never_passed_on_stay_out(server: Jetstream) -> None:
    """What this process passed on it knows itself; of the rest, whoever opened it says so."""
    posts = [commit(n, T0 + n, "acme" if n < 2 else "other") for n in range(4)]
    gone = [account(n, T0 + 20 + n, active=False, status="deleted") for n in range(4)]
    server.push(*posts, *(deleted(post, T0 + 10 + n) for n, post in enumerate(posts)), *gone)
    earlier = {"bluesky:did:plc:author2/post2", "bluesky:did:plc:author2"}
    came = values(source(server, tracks=[ACME], known=earlier.__contains__), 8)
    assert [value.key[-1] for value in came] == ["0", "1", "0", "1", "2", "0", "1", "2"]


def test_it_asks_for_posts_from_a_little_before_the_cursor(server: Jetstream) -> None:
    """The cursor is inclusive for the server; nothing is missed, and there is no gap."""
    server.push(commit(1, T0, "a"), commit(2, T0 + 5 * SECOND, "b"))
    made = source(server)
    first, second = items(made, 2)
    server.push(commit(3, T0 + 6 * SECOND, "c"))
    again = values(source(server), 2, second.cursor)
    assert [value.text for value in again] == ["b", "c"]
    assert server.asked[0] == {
        "wantedCollections": "app.bsky.feed.post", "maxMessageSizeBytes": "1048576"
    }  # fmt: skip
    assert server.asked[1]["cursor"] == str(T0 + 5 * SECOND - OVERLAP_US)
    assert first.cursor < second.cursor


def test_events_out_of_order_are_not_lost(server: Jetstream) -> None:
    """An event whose time lies a little before the cursor still comes after a restart."""
    server.push(commit(1, T0 + SECOND, "a"))
    [first] = items(source(server), 1)
    server.push(commit(2, T0 + SECOND - 300, "b"))
    assert "b" in [value.text for value in values(source(server), 2, first.cursor)]


@pytest.mark.parametrize("cause", ["stopped", "disconnected"])
def test_a_look_back_that_was_exceeded_is_a_gap(server: Jetstream, cause: str) -> None:
    """What the server has forgotten is computed from the first event that comes."""
    server.push(commit(1, T0, "a"), commit(2, T0 + SECOND, "b"))
    clock = ManualClock(START)
    before = source(server, clock)
    cursor = items(before, 2)[-1].cursor
    server.keeps_from = T0 + 3600 * SECOND
    server.push(commit(3, T0 + 3600 * SECOND, "c"), commit(4, T0 + 3601 * SECOND, "d"))
    clock.set(START + timedelta(hours=1))
    listening = before if cause == "disconnected" else source(server, clock)
    read, gap, third, _ = came = items(listening, 4, cursor, coverage=True)
    second = timedelta(seconds=1)
    assert read.value == Coverage(source="bluesky", from_at=START, to_at=START + second)
    assert gap.value == Coverage(
        source="bluesky",
        from_at=START + second,
        to_at=START + timedelta(hours=1),
        is_gap=True,
        cause=cause,
    )
    assert isinstance(third.value, Mention)
    # Whoever resumes after the gap, or after the next post, is not told of it again.
    for item in came[1:3]:
        resumed = items(source(server, clock), 3, item.cursor, coverage=True)
        assert not any(getattr(told.value, "is_gap", False) for told in resumed)


def test_coverage_grows_while_it_reads(server: Jetstream) -> None:
    """One interval from the first event on, told soon, then every minute, and at the end."""
    server.push(*(commit(n, T0 + n * 20 * SECOND, "quiet") for n in range(9)))
    clock = ManualClock(START + timedelta(minutes=5))
    stop = threading.Event()
    covered: list[Coverage] = []
    for item in source(server, clock, tracks=[ACME]).items(None, stop):
        if isinstance(item.value, Coverage):
            covered.append(item.value)
        elif item.value is None and covered:
            stop.set()
    assert {word.from_at for word in covered} == {START}
    seconds = [(word.to_at - START).total_seconds() for word in covered]
    assert seconds == [20, 80, 140, 160]


def test_pauses_grow_also_after_clean_closes(server: Jetstream) -> None:
    """A server that says goodbye at once is not asked again at once."""
    server.farewell = 0
    server.push(commit(1, T0, "acme"))
    made = source(server)
    pauses = [trouble(made).after or 0 for _ in range(6)]
    assert all(later > earlier * 0.99 for earlier, later in pairwise(pauses))
    assert pauses[-1] >= 4
    assert made.totals["connections"] == 6


def test_a_healthy_minute_begins_the_pauses_anew(server: Jetstream) -> None:
    """What went wrong long ago does not slow down what goes wrong now."""
    server.farewell = 1
    server.push(commit(1, T0, "acme"))
    clock = ManualClock(START)
    made = source(server, clock)
    for _ in range(6):
        trouble(made)

    def later(item: Item) -> None:
        clock.set(START + timedelta(minutes=2))

    assert (trouble(made, later).after or 9) < 1


def trouble(made: Collector, seen: Any = None, cursor: str | None = None) -> TryLater:
    """Reads until it raises TryLater."""
    try:
        for item in made.items(cursor, threading.Event()):
            if seen is not None:
                seen(item)
    except TryLater as raised:
        return raised
    raise AssertionError("it ended without trouble")


def test_a_malformed_frame_is_set_aside(server: Jetstream) -> None:
    """It comes with its bytes and a reason without them, and the stream goes on."""
    bad: list[Any] = [
        b"{half a secret",
        [1],
        {"did": "did:plc:x", "time_us": 7, "kind": "commit"},
        {"did": "did:plc:x", "time_us": T0 + 90_000 * SECOND * 10, "kind": "commit"},
        {"did": "did:plc:x", "time_us": T0, "kind": "commit"},
        {"did": "did:plc:x", "time_us": T0, "kind": "account", "account": 3},
        commit(9, T0, "x") | {"commit": {"collection": "app.bsky.feed.post", "rkey": "a"}},
    ]
    frames = [frame if isinstance(frame, bytes | dict) else b"[1]" for frame in bad]
    server.push(commit(1, T0, "before"), *frames, commit(2, T0 + 1, "after"))
    came = values(source(server), len(bad) + 2)
    assert [value.text for value in (came[0], came[-1])] == ["before", "after"]
    assert all(isinstance(value, Unreadable) for value in came[1:-1])
    assert not any("secret" in value.reason + value.origin for value in came[1:-1])
    assert len({value.origin for value in came[1:-1]}) == len(bad)


def test_kinds_it_does_not_know_are_passed_over(server: Jetstream) -> None:
    """A later version of the platform may send more, and records that were not asked for."""
    like = commit(1, T0, "acme")
    like["commit"]["collection"] = "app.bsky.feed.like"
    news = {"did": "did:plc:x", "time_us": T0, "kind": "labels"}
    server.push(json.dumps(like).encode(), news, commit(2, T0 + 1, "acme"))
    [value] = values(source(server), 1)
    assert value.text == "acme"


def test_a_half_open_connection_is_given_up(server: Jetstream) -> None:
    """Silence of half a minute on a stream that is never silent."""
    clock = ManualClock(START)

    def later(item: Item) -> None:
        clock.set(clock.now() + timedelta(seconds=16))

    assert "sent nothing for 30 s" in str(trouble(source(server, clock), later))


def test_a_server_that_is_away_is_one_clear_line() -> None:
    """It names the source and the host, and asks to try again later."""
    with jetstream() as gone:
        made = Bluesky("bluesky", SystemClock(), url=gone.url)
    error = trouble(made)
    assert str(error).startswith("bluesky: cannot reach 127.0.0.1:")
    assert "\n" not in str(error)
    assert "Errno" not in str(error)


def test_a_server_that_speaks_something_else_is_tried_again(server: Jetstream) -> None:
    """A refusal of the upgrade is an answer of a proxy or a maintenance page."""
    made = Bluesky("bluesky", SystemClock(), url=server.url.replace("ws://", "wss://"))
    assert "cannot reach" in str(trouble(made))


def test_a_package_that_is_missing_is_named(
    server: Jetstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small install gets a line that says what to type."""
    monkeypatch.setitem(sys.modules, "websockets.sync.client", None)
    with pytest.raises(GiveUp, match=r"bluesky: wants the package websockets: pip install"):
        list(source(server).items(None, threading.Event()))


def test_a_foreign_cursor_starts_from_now(server: Jetstream) -> None:
    """A sequence number would be taken for a time."""
    server.push(commit(1, T0, "acme"))
    values(source(server), 1, "31527015471")
    assert "cursor" not in server.asked[0]
