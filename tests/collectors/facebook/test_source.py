"""Facebook over a local server that speaks as the Graph API does, through python-facebook-api."""

import logging
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from collectors.facebook.source import Facebook
from pipeline.clock import ManualClock, SystemClock
from pipeline.errors import GiveUp, Misuse, TryLater
from tests.contracts.listening import START, Listener, Stage, mentions, removals
from tests.contracts.platform import PlatformContract
from tests.servers import facebook
from tests.servers.facebook import PAGE, TOKEN, error
from tests.servers.platform import Fault, document, served


@pytest.fixture
def platform() -> Iterator[facebook.Facebook]:
    with served(facebook.Facebook()) as running:
        yield running


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_PAGE_TOKEN", TOKEN)
    monkeypatch.setenv("ACME_APP_SECRET", "s3cret")


def source(platform: facebook.Facebook, clock: Any, **more: Any) -> Facebook:
    told: dict[str, Any] = {"token_from": "ACME_PAGE_TOKEN", "url": platform.url} | more
    return Facebook("facebook", clock, PAGE, **told)


def stage_of(platform: facebook.Facebook, *, is_comments: bool) -> Stage:
    """Posts that tag the page, or comments on one of its posts."""
    clock = ManualClock(START)
    if is_comments:
        platform.post(1, START - timedelta(days=2), "Welcome")
    shelf = platform.comments.setdefault(f"{PAGE}_1", {}) if is_comments else platform.tagged

    def post(number: int, at: datetime) -> None:
        say = platform.comment if is_comments else platform.tag
        say(number, at, f"Acme is down post {number}")

    def held(_platform: str, _since: datetime, after: str, most: int) -> Sequence[str]:
        return sorted(name for name in names if name > after)[:most]

    def name(number: int) -> str:
        return f"1_{number}" if is_comments else f"9_{number}"

    def remove(number: int) -> None:
        names.append(name(number))
        platform.delete(name(number))

    names: list[str] = []
    return Stage(
        platform,
        clock,
        post,
        lambda: source(platform, clock, held=held, poll_seconds=600),
        page=25 if is_comments else 100,
        spoil=lambda number: shelf[name(number)].update(created_time="late"),
        remove=remove,
        setting="token_from",
        calls=(180, timedelta(hours=1)),
    )


class TestTagged(PlatformContract):
    """Posts that tag the page keep the contract of platforms."""

    kind = "facebook"

    @pytest.fixture
    def stage(self, platform: facebook.Facebook) -> Stage:
        return stage_of(platform, is_comments=False)


class TestComments(PlatformContract):
    """So do comments on the page's posts, which are read in another order."""

    kind = "facebook"

    @pytest.fixture
    def stage(self, platform: facebook.Facebook) -> Stage:
        return stage_of(platform, is_comments=True)


def heard(platform: facebook.Facebook, clock: ManualClock, **more: Any) -> Listener:
    return Listener(source(platform, clock, **more)).for_(timedelta(seconds=100), clock)


# ---- what is read --------------------------------------------------------------------------------


def test_a_tagged_post_becomes_a_mention(platform: facebook.Facebook) -> None:
    """Whoever has not allowed the app to know stays unnamed; a picture needs no words."""
    tags = [{"id": PAGE, "name": "Acme"}]
    platform.tag(1, START, "Acme is down", message_tags=tags)
    platform.tag(2, START, "", message=None, story="Bob tagged Acme", **{"from": None})
    listener = heard(platform, ManualClock(START), tracks=["acme"])
    first, second = sorted(mentions(listener), key=lambda one: one.id)
    assert (first.id, first.kind, first.text) == ("facebook:9_1", "post", "Acme is down")
    assert (first.author_id, first.author.handle) == ("facebook:31", "Alice")
    assert (first.mentions, first.tracks) == (("Acme",), ("acme",))
    assert first.url == "https://www.facebook.com/9_1"
    assert (second.text, second.author_id, second.witness) == ("", None, "facebook:9_2")


def test_comments_and_visitors_posts_are_read_and_our_own_words_are_not(
    platform: facebook.Facebook,
) -> None:
    """What the page says itself is official: it is no crowd's word, and must make no loop."""
    platform.post(1, START - timedelta(days=9), "We fixed it")
    platform.post(2, START, "It is down", **{"from": {"id": "32", "name": "Bob"}})
    platform.comment(3, START, "No you did not")
    platform.comment(4, START, "Still down", parent={"id": "1_3"})
    platform.comment(5, START, "Sorry!")["from"] = {"id": PAGE, "name": "Acme"}
    found = {one.external_id: one for one in mentions(heard(platform, ManualClock(START)))}
    assert set(found) == {f"{PAGE}_2", "1_3", "1_4"}
    assert (found["1_3"].kind, found["1_3"].reply_to) == ("comment", f"{PAGE}_1")
    assert (found["1_4"].reply_to, found["1_4"].thread) == ("1_3", f"{PAGE}_1")
    assert found[f"{PAGE}_2"].kind == "post"


def test_a_storm_of_comments_on_several_posts_is_read_in_full(
    platform: facebook.Facebook,
) -> None:
    """More posts than a page has, and more comments than come with a post."""
    clock = ManualClock(START)
    for post in range(1, 71):
        platform.post(post, START - timedelta(hours=post), "News")
    listener = heard(platform, clock)
    number = 0
    for post, count in ((1, 130), (2, 26), (60, 40), (70, 1)):
        for _ in range(count):
            number += 1
            platform.comment(number, clock.now(), f"Acme is down post {number}", post=post)
    later = Listener(source(platform, clock), listener.cursor)
    later.until(lambda one: len(one.numbers) == number, clock)
    assert later.gaps == []


def test_a_post_that_goes_while_its_comments_are_read(platform: facebook.Facebook) -> None:
    """The rest of them comes."""
    clock = ManualClock(START)
    for post in (1, 2):
        platform.post(post, START, "News")
        for number in range(1, 31):
            platform.comment(number + 100 * post, START, f"Acme post {number}", post=post)
    answer = platform.reply

    def delete_first(asked: Any) -> Fault:
        if asked.path.endswith(f"{PAGE}_1/comments"):
            platform.delete(f"{PAGE}_1")
        return answer(asked)

    platform.reply = delete_first  # type: ignore[method-assign]
    listener = heard(platform, clock)
    assert len([one for one in mentions(listener) if one.thread == f"{PAGE}_2"]) == 30


def test_the_last_page_is_known_by_its_missing_next(platform: facebook.Facebook) -> None:
    """It has a cursor, too: whoever asks on by that asks once more than needed, for ever."""
    for number in range(1, 101):
        platform.tag(number, START, f"Acme is down post {number}")
    heard(platform, ManualClock(START))
    assert len([one for one in platform.asked if one.path.endswith("/tagged")]) == 1


# ---- edits and deletes ---------------------------------------------------------------------------


def test_what_is_held_is_looked_at_again(platform: facebook.Facebook) -> None:
    """An edit keeps its place under the post; what is gone is hidden, then erased."""
    clock = ManualClock(START)
    platform.post(1, START, "News")
    platform.comment(2, START, "Acme is slow", parent={"id": "1_9"})
    platform.comment(3, START, "Acme is fine")
    names = ["1_2", "1_3", "odd"]

    def held(_platform: str, _since: datetime, after: str, most: int) -> Sequence[str]:
        return sorted(name for name in names if name > after)[:most]

    listener = heard(platform, clock, held=held, poll_seconds=3_600)
    platform.comments[f"{PAGE}_1"]["1_2"]["message"] = "Acme is down"
    del platform.comments[f"{PAGE}_1"]["1_3"]
    listener.for_(timedelta(hours=26), clock)
    edit = mentions(listener)[-1]
    assert (edit.text, edit.kind, edit.reply_to) == ("Acme is down", "comment", "1_9")
    assert (edit.thread, edit.version > 0) == (f"{PAGE}_1", True)
    assert len(mentions(listener)) == 3
    assert removals(listener) == [("facebook:1_3", "hidden")]
    listener.for_(timedelta(hours=26), clock)
    assert removals(listener)[1:] == [("facebook:1_3", "erased")]


def test_a_wrong_question_takes_nothing_away(platform: facebook.Facebook) -> None:
    """Code 100 stands for a field that is not there, too; only with 33 is it the thing."""
    clock = ManualClock(START)
    platform.tag(1, START, "Acme is down")
    listener = heard(platform, clock, held=lambda *_: ["9_1"])
    assert (
        "parent" not in next(a for a in platform.asked if a.path.endswith("/9_1")).params["fields"]
    )
    answer = platform.reply
    platform.reply = (  # type: ignore[method-assign]
        lambda asked: error(100, None) if asked.path.endswith("/9_1") else answer(asked)
    )
    listener.for_(timedelta(hours=1), clock)
    assert removals(listener) == []
    assert listener.pauses == []


# ---- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "subcode"), [(190, 463), (190, None), (102, None), (200, None)])
def test_a_token_that_has_expired_ends_it(
    platform: facebook.Facebook, code: int, subcode: int | None
) -> None:
    """Facebook says so with status 400; the setting is named after three tries."""
    clock = ManualClock(START)
    listener = heard(platform, clock)
    platform.always = error(code, subcode)
    before = len(platform.asked)
    with pytest.raises(GiveUp, match="token_from"):
        listener.for_(timedelta(hours=1), clock)
    assert len(platform.asked) - before == 3


def test_a_page_that_is_not_there_ends_it(platform: facebook.Facebook) -> None:
    """Or one that the token is not for: the setting is another."""
    platform.always = error(100, 33)
    with pytest.raises(GiveUp, match="`page`"):
        heard(platform, ManualClock(START)).for_(timedelta(hours=1), ManualClock(START))


@pytest.mark.parametrize("code", [4, 17, 32, 613, 80001])
def test_too_many_calls_make_it_wait(platform: facebook.Facebook, code: int) -> None:
    """As long as Facebook says (in minutes), else five minutes; whatever the status is."""
    clock = ManualClock(START)
    listener = heard(platform, clock)
    wait = [{"type": "pages", "call_count": 100, "estimated_time_to_regain_access": 11}]
    usage = ("X-Business-Use-Case-Usage", f'{{"1": {str(wait).replace(chr(39), chr(34))}}}')
    refused = error(code, None)
    platform.always = refused
    listener.until(lambda one: len(one.pauses) == 1, clock)
    assert 300 <= listener.pauses[0] <= 900
    platform.always = Fault(400, refused.body, (*refused.headers, usage))
    listener.until(lambda one: len(one.pauses) == 2, clock)
    assert 660 <= listener.pauses[1] <= 900
    platform.always = None
    platform.tag(1, clock.now(), "Acme is down post 1")
    listener.until(lambda one: one.numbers == [1], clock)


def test_nothing_is_asked_when_the_limits_are_nearly_used_up(platform: facebook.Facebook) -> None:
    """The library would sleep inside a call; here the next one waits."""
    clock = ManualClock(START)
    listener = heard(platform, clock)
    platform.usage = (("X-App-Usage", '{"call_count": 96, "total_time": 5, "total_cputime": 5}'),)
    listener.until(lambda one: len(one.pauses) == 1, clock)
    before = len(platform.asked)
    listener.until(lambda one: len(one.pauses) == 2, clock)
    assert 295 <= listener.pauses[0] <= 900
    assert len(platform.asked) - before <= 1


@pytest.mark.parametrize(
    "usage",
    [
        '{"call_count": 1, "a_new_field": 2}',
        '{"call_count": "many"}',
        "[1]",
        "{",
        '{"7": [{"kind": "pages"}, 3]}',
        '{"7": 3}',
    ],
)
def test_what_is_said_of_the_limits_may_be_anything(
    platform: facebook.Facebook, usage: str
) -> None:
    """The library fails on each of these, and with it every call."""
    names = ("X-App-Usage", "X-Business-Use-Case-Usage", "X-Ad-Account-Usage")
    platform.usage = tuple((name, usage) for name in names)
    clock = ManualClock(START)
    platform.tag(1, START, "Acme is down post 1")
    listener = Listener(source(platform, clock))
    listener.until(lambda one: bool(one.numbers), clock)
    assert listener.numbers == [1]


@pytest.mark.parametrize(
    "answer",
    [
        document({"error": "sekrit"}),
        document({"error": {"code": "sekrit", "message": 7}}),
        document({"error": None}),
        document(["error", "sekrit"]),
        document({"data": {"sekrit": 1}}),
        Fault(200, b"sekrit", (("Content-Type", "text/html"),)),
        Fault(200, b"sekrit", (("Content-Type", "image/png"),)),
        Fault(302, b"", (("Location", "http://127.0.0.1:9/?access_token=sekrit"),)),
        error(1, None, 500),
    ],
)
def test_an_odd_answer_is_tried_again_and_not_quoted(
    platform: facebook.Facebook, answer: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is wrong with it, and wherever it would lead."""
    caplog.set_level(logging.DEBUG)
    platform.faults = [answer]
    clock = ManualClock(START)
    with pytest.raises(TryLater) as told:
        for _ in source(platform, clock).items(None, threading.Event()):
            pass
    assert "sekrit" not in str(told.value) + caplog.text
    assert len(platform.asked) == 1


def test_the_token_stands_in_no_address(platform: facebook.Facebook) -> None:
    """The library puts it there, where logs and errors find it; the proof of the app stays."""
    platform.tag(1, START, "Acme is down")
    heard(platform, ManualClock(START), secret_from="ACME_APP_SECRET")
    assert platform.asked
    for asked in platform.asked:
        assert TOKEN not in str(asked.params)
        assert "s3cret" not in str(asked)
        assert len(asked.params["appsecret_proof"]) == 64


def test_it_stops_at_once_in_a_slow_drip(platform: facebook.Facebook) -> None:
    """A byte now and then keeps every timeout of the library from ending it."""
    is_json = (("Content-Type", "application/json"),)
    platform.always = Fault(headers=is_json, stream=platform.drip)
    stop, began = threading.Event(), time.monotonic()
    threading.Timer(0.5, stop.set).start()
    for _ in source(platform, SystemClock()).items(None, stop):
        pass
    assert time.monotonic() - began < 5.5


def test_a_missing_token_is_named(
    platform: facebook.Facebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the variable and the setting."""
    monkeypatch.delenv("ACME_PAGE_TOKEN")
    with pytest.raises(Misuse, match=r"ACME_PAGE_TOKEN.*token_from"):
        source(platform, ManualClock(START))


def test_a_missing_package_is_named(
    platform: facebook.Facebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the words that install it; the webhook does without."""
    monkeypatch.setitem(sys.modules, "pyfacebook", None)
    with pytest.raises(GiveUp, match=r"pip install 'groundswell\[facebook\]'"):
        heard(platform, ManualClock(START))
