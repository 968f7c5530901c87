"""X's filtered stream over a local server, through tweepy: it ends in every way there is."""

import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from collectors.x import client, stream
from pipeline.clock import ManualClock
from pipeline.errors import GiveUp
from pipeline.model import Mention
from pipeline.ports import Unreadable
from tests.collectors.x.stage import source
from tests.contracts.listening import START, Listener
from tests.servers import x
from tests.servers.platform import Fault

ENDS = {
    "operational": {"title": "operational-disconnect", "disconnect_type": "OperationalDisconnect"},
    "upstream": {"title": "ConnectionException", "connection_issue": "UpstreamDisconnect"},
}


def streaming(platform: x.X, clock: ManualClock, **more: Any) -> Listener:
    """A listener whose stream is open, and that has read all before it."""
    listener = Listener(source(platform, clock, stream=True, **more))
    until(listener, clock, lambda: bool(platform.streams))
    listener.for_(timedelta(minutes=3), clock)
    return listener


def until(listener: Listener, clock: ManualClock, is_enough: Callable[[], bool]) -> None:
    """Reads on: the stream takes time of the machine, all else the clock's."""
    deadline = time.monotonic() + 30
    while not is_enough():
        assert time.monotonic() < deadline
        listener.for_(timedelta(seconds=2), clock)
        time.sleep(0.01)


def searches(platform: x.X) -> int:
    return sum(asked.path == "/2/tweets/search/recent" for asked in platform.asked)


def say(platform: x.X, clock: ManualClock, number: int) -> dict[str, Any]:
    clock.set(clock.now() + timedelta(seconds=1))
    return platform.post(number, clock.now(), f"Acme is down post {number}")


def test_a_stream_that_nobody_reads_for_long_loses_nothing(
    platform: x.X, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker is down: what X gave up sending meanwhile was not read, whatever comes later."""
    monkeypatch.setattr(stream, "MOST_LINES", 2)
    monkeypatch.setattr(stream, "BEHIND", 0.3)
    listener = streaming(platform, clock)
    for number in range(1, 6):
        platform.push(say(platform, clock, number))
    time.sleep(1.5)  # nobody reads
    for number in range(6, 10):
        clock.set(clock.now() + timedelta(minutes=2))
        platform.post(number, clock.now(), f"Acme is down post {number}")
    clock.set(clock.now() + timedelta(minutes=5))
    until(listener, clock, lambda: len(listener.numbers) == 9)
    assert listener.gaps == []
    listener.stop.set()
    listener.kill()


def test_while_the_stream_holds_nobody_searches(platform: x.X, clock: ManualClock) -> None:
    """Each post comes once and is paid once, though no rule has a tag; what was read is known."""
    listener = streaming(platform, clock)
    before = searches(platform)
    for number in range(1, 6):
        platform.push(say(platform, clock, number))
    until(listener, clock, lambda: len(listener.numbers) == 5)
    late = clock.now() + timedelta(minutes=10)
    until(listener, clock, lambda: max(word.to_at for word in listener.read) > late)
    assert len([v for v in listener.came if isinstance(v, Mention)]) == 5
    assert searches(platform) == before
    listener.stop.set()
    listener.kill()


@pytest.mark.parametrize("end", ["clean", *ENDS])
def test_what_is_said_between_two_connections_is_searched_for(
    platform: x.X, clock: ManualClock, end: str
) -> None:
    """However the stream ended: nothing is lost, nothing comes twice, no gap is made up."""
    listener = streaming(platform, clock)
    platform.push(say(platform, clock, 1))
    until(listener, clock, lambda: listener.numbers == [1])
    if end != "clean":
        platform.write(json.dumps({"errors": [ENDS[end]]}).encode())
        until(listener, clock, lambda: len(platform.connects) == 2)
    platform.streams.pop(0) if end != "clean" else platform.write(None)
    say(platform, clock, 2)
    until(listener, clock, lambda: len(platform.connects) == 2 and bool(platform.streams))
    platform.push(say(platform, clock, 3))
    until(listener, clock, lambda: len(listener.numbers) == 3)
    listener.for_(timedelta(minutes=10), clock)
    assert sorted(listener.numbers) == [1, 2, 3]
    assert len([v for v in listener.came if isinstance(v, Mention)]) == 3
    assert listener.gaps == []
    listener.stop.set()
    listener.kill()


def test_what_the_stream_told_and_nobody_took_is_not_called_read(
    platform: x.X, clock: ManualClock
) -> None:
    """A crash with lines under way: the next process finds them by searching."""
    listener = streaming(platform, clock)
    listener.kill()
    for number in (1, 2, 3):
        platform.push(say(platform, clock, number))
    time.sleep(0.3)
    later = Listener(source(platform, clock, stream=True), listener.cursor)
    until(later, clock, lambda: len(later.numbers) == 3)
    assert later.numbers == [1, 2, 3]
    for one in (listener, later):
        one.stop.set()
        one.kill()


@pytest.mark.parametrize(
    "fault",
    [
        Fault(200, b""),
        Fault(kind="abort"),
        Fault(503),
        Fault(429),
        Fault(429, headers=(("x-rate-limit-reset", "nonsense"),)),
        Fault(429, headers=(("x-rate-limit-reset", "99999999999999"),)),
    ],
    ids=["clean", "abort", "503", "429", "nonsense", "absurd"],
)
def test_fifty_connects_in_a_quarter_of_an_hour_are_never_exceeded(
    platform: x.X, clock: ManualClock, fault: Fault
) -> None:
    """A storm of an hour with restarts in it; the search reads all the while."""
    platform.stream_fault = fault
    listener = Listener(source(platform, clock, stream=True, poll_seconds=10))
    for number in range(1, 7):
        listener.for_(timedelta(minutes=5), clock)
        say(platform, clock, number)
        listener.for_(timedelta(minutes=5), clock)
        listener = listener.again(source(platform, clock, stream=True, poll_seconds=10))
    listener.for_(timedelta(minutes=20), clock)
    assert listener.numbers == [1, 2, 3, 4, 5, 6]
    times = platform.connects
    assert len(times) >= 4
    for first in times:
        within = [at for at in times if first <= at < first + timedelta(minutes=15)]
        assert len(within) <= 50
    if fault.status == 429:
        assert len(times) <= 6 * 10 + 20
    # A connection that is made stands for a moment before the platform ends it.
    told = listener.source.trouble  # type: ignore[attr-defined]
    until(listener, clock, lambda: "the search reads on" in str(told()))


@pytest.mark.parametrize("status", [401, 403])
def test_a_plan_without_a_stream_is_said(platform: x.X, clock: ManualClock, status: int) -> None:
    """It names the setting to mend."""
    platform.stream_fault = Fault(status, b"{}")
    listener = Listener(source(platform, clock, stream=True))
    with pytest.raises(GiveUp, match="`stream`"):
        listener.for_(timedelta(hours=1), clock)
    assert len(platform.connects) == 3


def test_a_half_open_connection_is_given_up(
    platform: x.X, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a sign of life it is opened again, and what it did not tell is searched for."""
    monkeypatch.setattr(client, "SILENCE", 0.5)
    listener = streaming(platform, clock)
    platform.is_mute = True
    say(platform, clock, 1)
    until(listener, clock, lambda: len(platform.connects) >= 2)
    platform.is_mute = False
    until(listener, clock, lambda: bool(listener.numbers))
    listener.stop.set()
    listener.kill()
    assert listener.numbers == [1]
    assert len(platform.connects) >= 2


@pytest.mark.parametrize("line", [b"{bad", b"[]", b"{}", b'{"data": []}', b'"text"', b"\xff\xfe"])
def test_a_malformed_line_ends_nothing(platform: x.X, clock: ManualClock, line: bytes) -> None:
    """It is a dead letter; the next post comes on the same connection."""
    listener = streaming(platform, clock)
    platform.write(line)
    platform.push(say(platform, clock, 1))
    until(listener, clock, lambda: listener.numbers == [1])
    assert [v.data for v in listener.came if isinstance(v, Unreadable)] == [line]
    assert len(platform.connects) == 1
    listener.stop.set()
    listener.kill()


def test_errors_beside_a_post_are_no_end(platform: x.X, clock: ManualClock) -> None:
    """A quoted post that is gone is an error of the line, not of the stream."""
    listener = streaming(platform, clock)
    error = {"resource_id": "1", "type": "https://api.twitter.com/2/problems/resource-not-found"}
    platform.push(say(platform, clock, 1), errors=[error])
    until(listener, clock, lambda: listener.numbers == [1])
    assert len(platform.connects) == 1
    listener.stop.set()
    listener.kill()


def test_the_stream_is_shut_before_more_is_spent_than_may_be(
    platform: x.X, clock: ManualClock
) -> None:
    """What was not bought is a gap; the next process goes on with the same purse."""
    money = {"price": 0.01, "most_a_day": 4.0, "most_a_month": 1_000.0, "spread": False}
    listener = streaming(platform, clock, **money)
    for number in range(1, 601):
        platform.push(say(platform, clock, number))
    until(listener, clock, lambda: not _is_open(listener))
    listener = listener.again(source(platform, clock, stream=True, **money))
    listener.for_(timedelta(minutes=5), clock)
    assert 200 <= len(listener.numbers) <= 400
    assert sum(json.loads(str(listener.cursor))["reads"].values()) <= 400
    clock.set(START + timedelta(days=1))
    platform.streams.clear()
    listener.until(lambda one: bool(one.gaps), clock)
    assert {gap.cause for gap in listener.gaps} == {"budget spent"}
    missed = [post for post in platform.posts.values() if _number(post) not in listener.numbers]
    told = [(x.rfc(gap.from_at), x.rfc(gap.to_at)) for gap in listener.gaps]
    for post in missed:
        assert any(start <= post["created_at"] <= end for start, end in told)
    listener.stop.set()
    listener.kill()


def _is_open(listener: Listener) -> bool:
    streaming = listener.source._streaming  # type: ignore[attr-defined]
    return streaming._connection is not None and streaming._connection.is_open


def _number(post: dict[str, Any]) -> int:
    return int(post["text"].rsplit(" ", 1)[-1])


def test_a_stop_does_not_wait_for_the_next_line(platform: x.X, clock: ManualClock) -> None:
    """The connection is gone with it: X lets one app have one."""
    platform.is_mute = True
    opened, stop = source(platform, clock, stream=True), threading.Event()
    for _ in opened.items(None, stop):
        if _is_open(Listener(opened)):
            break
    items = opened.items(None, stop)
    next(items)
    began = time.monotonic()
    stop.set()
    for _ in items:
        pass
    assert not _is_open(Listener(opened))
    opened._streaming._connection._thread.join(5)  # type: ignore[union-attr]
    assert not opened._streaming._connection._thread.is_alive()  # type: ignore[union-attr]
    assert time.monotonic() - began < 5
