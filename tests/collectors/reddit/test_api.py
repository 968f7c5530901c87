"""Reddit's API through praw: what praw would do unasked, and what Reddit refuses."""

import logging
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors.reddit.source import Reddit, RedditSettings
from pipeline.clock import ManualClock, SystemClock
from pipeline.errors import GiveUp, Misuse, TryLater
from pipeline.ports import Unreadable
from tests.collectors.reddit.reading import heard, source
from tests.contracts.listening import START, Listener
from tests.servers import reddit
from tests.servers.platform import Fault, document, served


@pytest.fixture
def platform() -> Iterator[reddit.Reddit]:
    with served(reddit.Reddit()) as running:
        yield running


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_REDDIT_SECRET", "s3cret")
    monkeypatch.setenv("ACME_REDDIT_PASSWORD", "hunter2")


# ---- praw's own ways, and none of them here ------------------------------------------------------


def test_a_used_up_rate_makes_us_wait_and_not_sleep(platform: reddit.Reddit) -> None:
    """praw would sleep 300 s inside a call; here nobody asks until there are requests again."""
    platform.rate = ("0.0", "300", "1000")
    clock = ManualClock(START)
    platform.submit(1, START, "Acme is down post 1")
    began = time.monotonic()
    listener = Listener(source(platform, clock)).until(lambda one: len(one.pauses) == 1, clock)
    assert 299 <= listener.pauses[0] <= 301
    asked = len([one for one in platform.asked if one.path != reddit.TOKEN])
    assert asked == 1
    platform.rate = ("1000.0", "600", "0")
    listener.until(lambda one: one.numbers == [1], clock)
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    "rate", [("x", "y", "z"), ("5", "nan", "-1"), ("", "", ""), ("1", "2", "")]
)
def test_headers_of_the_rate_may_be_anything(
    platform: reddit.Reddit, rate: tuple[str, str, str]
) -> None:
    """praw fails on some of these."""
    platform.rate = rate
    clock = ManualClock(START)
    platform.submit(1, START, "Acme is down post 1")
    listener = Listener(source(platform, clock))
    listener.until(lambda one: bool(one.numbers), clock)
    assert listener.numbers == [1]


def test_a_failing_server_is_asked_once_a_look(platform: reddit.Reddit) -> None:
    """praw asks three times, uncounted and asleep in between."""
    clock = ManualClock(START)
    listener = heard(platform, clock)
    for fault in (Fault(503), Fault(kind="abort"), Fault(500)):
        before = len(platform.asked)
        platform.faults = [fault]
        pauses = len(listener.pauses)
        listener.until(lambda one, had=pauses: len(one.pauses) > had, clock)  # type: ignore[misc]
        assert len(platform.asked) == before + 1


@pytest.fixture
def praw_ini(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that praw reads, for it lies in the folder where we run."""
    from praw.config import Config

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRAW_ALLOW_ENDPOINT_OVERRIDE", "1")  # else praw warns of it
    monkeypatch.setattr(Config, "CONFIG", None)
    return tmp_path / "praw.ini"


def test_a_settings_file_of_praw_s_is_not_obeyed(
    platform: reddit.Reddit, praw_ini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can leave one where we run must not learn our secret, nor speak as somebody else."""
    praw_ini.write_text(
        "[DEFAULT]\noauth_url=http://127.0.0.1:9\nreddit_url=http://127.0.0.1:9\n"
        "username=mallory\npassword=x\nrefresh_token=y\ntimeout=z\nratelimit_seconds=z\n"
    )
    monkeypatch.setenv("praw_site", "nowhere")
    clock = ManualClock(START)
    platform.submit(1, START, "Acme is down post 1")
    Listener(source(platform, clock)).until(lambda one: one.numbers == [1], clock)
    grant = next(asked for asked in platform.asked if asked.path == reddit.TOKEN)
    assert b"client_credentials" in grant.body


def test_a_settings_file_of_praw_s_that_is_none_is_named(
    platform: reddit.Reddit, praw_ini: Path
) -> None:
    """praw cannot be kept from reading it."""
    praw_ini.write_text("no section, no key")
    with pytest.raises(GiveUp, match=r"praw\.ini"):
        heard(platform, ManualClock(START))


def test_reading_a_thing_asks_for_nothing(platform: reddit.Reddit) -> None:
    """praw's objects fetch what they lack when it is looked at: a call that nobody counts."""
    platform.submit(1, START, "Acme is down")
    for field in ("score", "author_fullname", "permalink"):
        del platform.things["t3_1"][field]
    heard(platform, ManualClock(START))
    listings = {"/r/acme/new", "/r/acme/comments/", reddit.TOKEN}
    assert {one.path for one in platform.asked} == listings
    assert len(platform.asked) == 3


# ---- refusals ------------------------------------------------------------------------------------


def test_a_token_that_was_taken_back_is_fetched_anew(platform: reddit.Reddit) -> None:
    """One refusal is no end: the next question goes with another token."""
    clock = ManualClock(START)
    listener = heard(platform, clock)
    platform.faults = [document({"error": 401}, status=401)]
    platform.submit(1, clock.now(), "Acme is down post 1")
    listener.until(lambda one: one.numbers == [1], clock)
    assert len([one for one in platform.asked if one.path == reddit.TOKEN]) == 2


def test_a_token_that_has_ended_costs_a_second(platform: reddit.Reddit) -> None:
    """praw asks on with it for ten seconds more: that is no refusal."""
    clock = ManualClock(START)
    listener = heard(platform, clock).for_(timedelta(hours=1), clock)
    platform.faults = [document({"error": 401}, status=401)]
    listener.until(lambda one: len(one.pauses) == 1, clock)
    assert listener.pauses[0] < 5
    assert platform.faults == []
    tokens = len([one for one in platform.asked if one.path == reddit.TOKEN])
    listener.for_(timedelta(minutes=1), clock)
    assert len([one for one in platform.asked if one.path == reddit.TOKEN]) == tokens + 1
    assert len(listener.pauses) == 1


@pytest.mark.parametrize("wrong", ["secret", "password"])
def test_wrong_credentials_end_it(
    platform: reddit.Reddit, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    """After three tries; the setting is named, the credential is not shown."""
    monkeypatch.setenv(f"ACME_REDDIT_{wrong.upper()}", "tr0ub4dor")
    account = {"username": "acmehelp", "password_from": "ACME_REDDIT_PASSWORD"}
    clock = ManualClock(START)
    listener = Listener(source(platform, clock, **account))
    with pytest.raises(GiveUp, match=f"{wrong}_from") as told:
        listener.for_(timedelta(hours=1), clock)
    assert "tr0ub4dor" not in str(told.value)
    assert len(platform.asked) == 3


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (document({"reason": "private", "error": 403}, status=403), "private"),
        (document({"reason": "banned", "error": 404}, status=404), "banned"),
        (document({"message": "Not Found", "error": 404}, status=404), "not there"),
        (Fault(302, b"", (("Location", "/subreddits/search.json?q=closed"),)), "not there"),
    ],
    ids=["private", "banned", "404", "redirect"],
)
def test_a_closed_subreddit_does_not_hold_up_the_others(
    platform: reddit.Reddit, answer: Fault, why: str
) -> None:
    """It is told, its time is a gap, and once it is open again it is read."""
    clock = ManualClock(START)
    listener = heard(platform, clock, subreddits=["closed", "acme"])
    reading = listener.source
    platform.closed["closed"] = answer
    platform.submit(1, clock.now(), "Acme is down post 1")
    listener.until(lambda one: one.numbers == [1], clock)
    listener.for_(timedelta(minutes=5), clock)
    assert isinstance(reading, Reddit)
    assert reading.trouble() == f"r/closed is closed to us ({why})"
    shut = sum((gap.to_at - gap.from_at for gap in listener.gaps), timedelta())
    assert shut >= timedelta(minutes=4)
    platform.closed.clear()
    platform.submit(2, clock.now(), "Acme is down post 2", subreddit="closed")
    listener.until(lambda one: 2 in one.numbers, clock)
    assert reading.trouble() is None


def test_what_reddit_says_goes_into_no_message(
    platform: reddit.Reddit, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither posts nor pages of errors: they are strangers' words."""
    caplog.set_level(logging.INFO)
    clock = ManualClock(START)
    platform.faults = [
        Fault(200, b"{}"),
        document({"error": "weird <b>", "error_description": "sekrit words"}),
        document({"reason": "sekrit words", "error": 403}, status=403),
        document({"reason": "sekrit", "explanation": "sekrit words"}, status=400),
        Fault(200, b"sekrit words"),
    ]
    reading = source(platform, clock)

    def read() -> None:
        for _ in reading.items(None, threading.Event()):
            clock.wait(61, threading.Event())

    told = []
    for _ in range(5):
        with pytest.raises((TryLater, GiveUp)) as caught:
            read()
        told.append(str(caught.value))
    assert "sekrit" not in " ".join(told) + caplog.text


def test_it_stops_at_once_while_a_token_is_awaited(platform: reddit.Reddit) -> None:
    """Also between the token and the question for which it is."""
    platform.always = Fault(200, b"{", kind="hang")
    stop, began = threading.Event(), time.monotonic()
    threading.Timer(0.3, stop.set).start()
    for _ in source(platform, SystemClock()).items(None, stop):
        pass
    assert time.monotonic() - began < 5.3
    assert [one.path for one in platform.asked] == [reddit.TOKEN]


# ---- settings ------------------------------------------------------------------------------------


def test_settings_that_say_too_little_are_named(platform: reddit.Reddit) -> None:
    """Nothing to read, an account without its password, a track that is not there."""
    clock = ManualClock(START)
    with pytest.raises(Misuse, match="subreddits"):
        source(platform, clock, subreddits=[], search=True, tracks=[])
    with pytest.raises(Misuse, match="no such track"):
        source(platform, clock, about=["nordwind"])
    with pytest.raises(ValueError, match="belong together"):
        RedditSettings(client_id="a", secret_from="A", username="acmehelp")
    with pytest.raises(ValueError, match="subreddits"):
        RedditSettings(client_id="a", secret_from="A", subreddits=("acme/../x",))


def test_a_missing_package_is_named(
    platform: reddit.Reddit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the words that install it; it is looked for when it is needed first."""
    monkeypatch.setitem(sys.modules, "praw", None)
    with pytest.raises(GiveUp, match=r"pip install 'groundswell\[reddit\]'"):
        heard(platform, ManualClock(START))


def test_malformed_things_stand_beside_good_ones(platform: reddit.Reddit) -> None:
    """Whatever a listing holds, the rest of it comes."""
    clock = ManualClock(START)
    platform.submit(1, START, "Acme is down post 1")
    page = platform.reply
    odd: list[Any] = [None, 7, [], {}, {"kind": "t1"}, {"data": {"name": "t5_x"}}, {"data": []}]

    def spoilt(asked: Any) -> Fault:
        answer = page(asked)
        if asked.path != "/r/acme/new":
            return answer
        good = {"kind": "t3", "data": platform.things["t3_1"]}
        return document({"data": {"after": None, "children": [*odd, good]}})

    platform.reply = spoilt  # type: ignore[method-assign]
    listener = heard(platform, clock)
    assert listener.numbers == [1]
    assert any(isinstance(value, Unreadable) for value in listener.came)
