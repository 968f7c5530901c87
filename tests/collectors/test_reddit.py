"""Reddit over a local server that speaks its protocol, through praw."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from collectors.reddit import Reddit, RedditSettings
from pipeline.clock import ManualClock, SystemClock
from pipeline.errors import GiveUp, Misuse, TryLater
from pipeline.model import Mention, Removal
from pipeline.ports import Unreadable
from pipeline.tracks import Track
from tests.contracts.platform import START, Listener, PlatformContract, Stage
from tests.servers import reddit
from tests.servers.platform import Fault, document, served

ACME = Track(name="acme", terms=("acme",))


@pytest.fixture
def platform() -> Iterator[reddit.Reddit]:
    with served(reddit.Reddit()) as running:
        yield cast(reddit.Reddit, running)


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_REDDIT_SECRET", "s3cret")
    monkeypatch.setenv("ACME_REDDIT_PASSWORD", "hunter2")


def source(platform: reddit.Reddit, clock: Any, **more: Any) -> Reddit:
    usual = {"subreddits": ["acme"], "search": False, "tracks": [ACME]}
    told: dict[str, Any] = {"client_id": "acme-app", "secret_from": "ACME_REDDIT_SECRET"}
    told |= {"url": platform.url, "oauth_url": platform.url, **usual, **more}
    return Reddit("reddit", clock, **told)


class TestContract(PlatformContract):
    """Reddit keeps the contract of platforms, through praw."""

    kind = "reddit"

    @pytest.fixture
    def stage(self, platform: reddit.Reddit) -> Stage:
        clock = ManualClock(START)

        def post(number: int, at: datetime) -> None:
            platform.submit(number, at, f"Acme is down post {number}")

        def held(_platform: str, _since: datetime, after: str, most: int) -> Sequence[str]:
            return sorted(name for name in platform.things if name > after)[:most]

        def name(number: int) -> str:
            return list(platform.things)[number - 1]

        return Stage(
            platform,
            clock,
            post,
            lambda: source(platform, clock, held=held, poll_seconds=600),
            page=100,
            spoil=lambda number: platform.things[name(number)].update(created_utc="late"),
            remove=lambda number: platform.delete(name(number)),
            reach=1_000,
            setting="secret_from",
            calls=(90, timedelta(minutes=1)),
        )


def mentions(listener: Listener) -> list[Mention]:
    return [value for value in listener.came if isinstance(value, Mention)]


def removals(listener: Listener) -> list[tuple[str, str]]:
    return [(v.removal, v.kind) for v in listener.came if isinstance(v, Removal)]


def heard(platform: reddit.Reddit, clock: ManualClock, **more: Any) -> Listener:
    return Listener(source(platform, clock, **more)).for_(timedelta(seconds=20), clock)


def holding(platform: reddit.Reddit, *extra: str) -> dict[str, Any]:
    """All that is there is held, and what is named besides."""
    held = [*platform.things, *extra]
    return {"held": lambda _p, _s, after, most: sorted(n for n in held if n > after)[:most]}


# ---- what is read --------------------------------------------------------------------------------


def test_posts_and_comments_of_a_subreddit_are_read(platform: reddit.Reddit) -> None:
    """In full, whatever they say: their tracks are those the settings name."""
    platform.submit(1, START, "Is it just me")
    platform.comment(2, START, "Same here")
    listener = heard(platform, ManualClock(START), subreddits=["/r/Acme/"], about=["acme"])
    assert {one.id for one in mentions(listener)} == {"reddit:t3_1", "reddit:t1_2"}
    assert all(one.tracks == ("acme",) for one in mentions(listener))


def test_search_asks_for_each_term_as_a_phrase(platform: reddit.Reddit) -> None:
    """Newest first, within the shortest span that reaches back far enough."""
    clock = ManualClock(START)
    track = Track(name="acme", terms=('acme "pay"',))
    platform.submit(1, START, "Acme is down", subreddit="help")
    listener = heard(platform, clock, subreddits=[], search=True, look_back_hours=40)
    assert [one.id for one in mentions(listener)] == ["reddit:t3_1"]
    assert mentions(listener)[0].tracks == ()
    listener.for_(timedelta(minutes=1), clock)
    heard(platform, clock, subreddits=[], search=True, tracks=[track], look_back_hours=0)
    asked = [one.params for one in platform.asked if one.path == "/r/all/search"]
    assert [(one["t"], one["q"]) for one in asked][:2] == [("week", '"acme"'), ("hour", '"acme"')]
    assert asked[-1]["q"].count('"') == 2
    assert {one["sort"] for one in asked} == {"new"}


def test_mentions_of_our_account_are_read_with_its_password(platform: reddit.Reddit) -> None:
    """The inbox tells of a comment's thread in an address only."""
    context = {
        "permalink": None,
        "link_id": None,
        "context": "/r/x/comments/zz9/title/2/?context=3",
    }
    platform.comment(2, START, "hey u/AcmeHelp it is down", **context)
    platform.inbox.append("t1_2")
    account = {"username": "AcmeHelp", "password_from": "ACME_REDDIT_PASSWORD"}
    listener = heard(platform, ManualClock(START), subreddits=[], **account)
    [one] = mentions(listener)
    assert (one.thread, one.url) == ("t3_zz9", "https://www.reddit.com/r/x/comments/zz9/title/2/")
    assert one.mentions == ("AcmeHelp",)
    grant = next(asked for asked in platform.asked if asked.path == reddit.TOKEN)
    assert b"grant_type=password" in grant.body


def test_what_moderators_let_through_later_comes(platform: reddit.Reddit) -> None:
    """It turns up among older posts, with the time at which it was sent."""
    clock = ManualClock(START)
    platform.submit(2, START, "Acme is fine")
    listener = heard(platform, clock)
    platform.submit(1, START - timedelta(minutes=20), "Acme is down")
    listener.for_(timedelta(minutes=2), clock)
    assert [one.external_id for one in mentions(listener)] == ["t3_2", "t3_1"]


# ---- reach and outages ---------------------------------------------------------------------------


def test_an_outage_beyond_the_listing_is_a_gap(platform: reddit.Reddit) -> None:
    """A listing ends after some 1,000 things: what was said before is missing, and told so."""
    clock = ManualClock(START)
    platform.submit(1, START, "Acme is slow post 1")
    later = heard(platform, clock)
    for number in range(2, 1_302):
        clock.set(clock.now() + timedelta(milliseconds=50))
        platform.submit(number, clock.now(), f"Acme is down post {number}")
    later.until(lambda one: len(one.numbers) > 1_000, clock)
    assert later.numbers == [1, *range(302, 1_302)]
    [gap] = later.gaps
    assert gap.cause == "look-back exceeded"
    missing = [platform.things[name]["created_utc"] for name in list(platform.things)[1:301]]
    assert gap.from_at.timestamp() <= min(missing)
    assert max(missing) < gap.to_at.timestamp()


def test_a_subreddit_with_few_posts_is_read_in_full(platform: reddit.Reddit) -> None:
    """That a listing ends is no gap where there is nothing more."""
    clock = ManualClock(START)
    listener = heard(platform, clock)
    for number in range(1, 151):
        platform.submit(number, clock.now(), f"Acme is down post {number}")
    later = Listener(source(platform, clock), listener.cursor)
    later.until(lambda one: len(one.numbers) == 150, clock)
    later.for_(timedelta(minutes=2), clock)
    assert later.gaps == []


def test_a_page_that_was_deleted_under_us_loses_nothing(platform: reddit.Reddit) -> None:
    """After a thing that is gone Reddit has an empty page: the next look reads it all again."""
    clock = ManualClock(START)
    listener = heard(platform, clock)
    for number in range(1, 151):
        platform.submit(number, clock.now(), f"Acme is down post {number}")
    anchor = [asked for asked in platform.asked if asked.params.get("after")]
    assert not anchor
    later = Listener(source(platform, clock), listener.cursor)
    answer = platform.reply

    def delete_the_anchor(asked: Any) -> Fault:
        if after := asked.params.get("after"):
            platform.delete(after)
            platform.reply = answer  # type: ignore[method-assign]
        return answer(asked)

    platform.reply = delete_the_anchor  # type: ignore[method-assign]
    later.for_(timedelta(minutes=3), clock)
    gone = len(platform.taken)
    assert gone == 1
    assert len(set(later.numbers)) >= 150 - gone


# ---- edits and deletes ---------------------------------------------------------------------------


def test_an_edit_is_a_new_version(platform: reddit.Reddit) -> None:
    """Marked or not (Reddit marks none of the first three minutes); the same one comes once."""
    clock = ManualClock(START)
    platform.comment(1, START, "Acme is slow")
    listener = heard(platform, clock)
    platform.things["t1_1"]["body"] = "Acme is down"
    listener.for_(timedelta(minutes=2), clock)
    edited = clock.now()
    platform.things["t1_1"] |= {"body": "Acme is back", "edited": edited.timestamp()}
    listener.for_(timedelta(minutes=40), clock)
    first, second, third = mentions(listener)
    assert [one.text for one in (first, second, third)] == [
        "Acme is slow",
        "Acme is down",
        "Acme is back",
    ]
    assert 0 == first.version < second.version < third.version
    assert third.version == int(edited.timestamp() * 1_000)


def test_an_edit_of_an_older_post_is_seen_on_a_page(platform: reddit.Reddit) -> None:
    """Also when its post is far older than what may still turn up."""
    clock = ManualClock(START)
    platform.comment(1, START - timedelta(hours=3), "Acme is slow")
    platform.comment(2, START, "Acme is fine")
    listener = heard(platform, clock)
    platform.things["t1_1"] |= {"body": "Acme is down", "edited": clock.now().timestamp()}
    listener.for_(timedelta(minutes=2), clock)
    assert [one.text for one in mentions(listener)][-1] == "Acme is down"
    assert len(mentions(listener)) == 3


def test_edits_and_deletes_of_what_we_hold_are_found_100_a_question(
    platform: reddit.Reddit,
) -> None:
    """By looking again: nothing tells of them, and stands in no listing any more."""
    clock = ManualClock(START)
    old = START - timedelta(days=5)
    for number in range(1, 151):
        platform.submit(number, old, f"Acme is down {number}")
    names = list(platform.things)
    platform.things[names[3]] |= {"selftext": "fixed", "edited": START.timestamp()}
    platform.delete(names[4])
    platform.remove(names[5])
    listener = heard(platform, clock, look_back_hours=1, **holding(platform))
    listener.for_(timedelta(minutes=3), clock)
    asked = [one for one in platform.asked if one.path == "/api/info"]
    assert [len(one.params["id"].split(",")) for one in asked] == [100, 50]
    assert [one.external_id for one in mentions(listener)] == [names[3]]
    assert set(removals(listener)) == {
        (f"reddit:{names[4]}", "erased"),
        (f"reddit:{names[5]}", "hidden"),
    }


def test_what_moderators_took_away_is_hidden_until_it_is_back(platform: reddit.Reddit) -> None:
    """Across rounds of looking again, and restarts."""
    clock = ManualClock(START)
    before = dict(platform.comment(1, START - timedelta(days=2), "Acme is down"))
    platform.things["t1_1"] |= {"body": "[removed]", "author": "[deleted]"}
    more = {"look_back_hours": 1, "poll_seconds": 3_600} | holding(platform)
    listener = heard(platform, clock, **more)
    listener.for_(timedelta(hours=26), clock)
    platform.things["t1_1"] = before
    later = listener.again(source(platform, clock, **more))
    later.for_(timedelta(hours=26), clock)
    assert removals(later) == [("reddit:t1_1", "hidden"), ("reddit:t1_1", "shown")]


def test_what_reddit_no_longer_knows_is_hidden_then_erased(platform: reddit.Reddit) -> None:
    """A subreddit may close for a day, and nothing of it must be lost for that."""
    clock = ManualClock(START)
    more = {"poll_seconds": 3_600} | holding(platform, "t3_gone", "not a name")
    listener = heard(platform, clock, **more).for_(timedelta(hours=2), clock)
    assert removals(listener) == [("reddit:t3_gone", "hidden")]
    listener.for_(timedelta(hours=24), clock)
    assert removals(listener)[1:] == [("reddit:t3_gone", "erased")]


def test_an_answer_that_is_no_listing_takes_nothing_away(platform: reddit.Reddit) -> None:
    """A hiccup of Reddit's must not hide a hundred posts."""
    clock = ManualClock(START)
    platform.submit(1, START - timedelta(days=2), "Acme is down")
    listener = Listener(source(platform, clock, **holding(platform)))
    answer = platform.reply
    odd = [document({}), document({"data": {}}), Fault(200, b"null"), Fault(500)]

    def stumble(asked: Any) -> Fault:
        return odd.pop() if odd and asked.path == "/api/info" else answer(asked)

    platform.reply = stumble  # type: ignore[method-assign]
    listener.for_(timedelta(hours=1), clock)
    assert odd == []
    assert removals(listener) == []


def test_a_deleted_account_takes_its_posts_along(platform: reddit.Reddit) -> None:
    """Reddit leaves the text and drops the name; its terms ask that we keep neither."""
    clock = ManualClock(START)
    platform.comment(1, START, "Acme is down")
    listener = heard(platform, clock)
    platform.things["t1_1"]["author"] = "[deleted]"
    del platform.things["t1_1"]["author_fullname"]
    platform.comment(2, clock.now(), "Acme is up", author="[deleted]")
    listener.for_(timedelta(minutes=2), clock)
    assert removals(listener) == [("reddit:t1_1", "erased")]
    assert [one.external_id for one in mentions(listener)] == ["t1_1"]


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
    Listener(source(platform, clock)).until(lambda one: one.numbers == [1], clock)


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


def test_a_settings_file_of_praw_s_is_not_obeyed(
    platform: reddit.Reddit, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can leave one where we run must not learn our secret, nor speak as somebody else."""
    (tmp_path / "praw.ini").write_text(
        "[DEFAULT]\noauth_url=http://127.0.0.1:9\nreddit_url=http://127.0.0.1:9\n"
        "username=mallory\npassword=x\nrefresh_token=y\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("praw_site", "nowhere")
    monkeypatch.setenv("PRAW_ALLOW_ENDPOINT_OVERRIDE", "1")
    from praw.config import Config

    monkeypatch.setattr(Config, "CONFIG", None)
    clock = ManualClock(START)
    platform.submit(1, START, "Acme is down post 1")
    Listener(source(platform, clock)).until(lambda one: one.numbers == [1], clock)
    grant = next(asked for asked in platform.asked if asked.path == reddit.TOKEN)
    assert b"client_credentials" in grant.body
    Config.CONFIG = None


def test_reading_a_thing_asks_for_nothing(platform: reddit.Reddit) -> None:
    """praw's objects fetch what they lack when it is looked at: a call that nobody counts."""
    platform.submit(1, START, "Acme is down")
    for field in ("score", "author_fullname", "permalink"):
        del platform.things["t3_1"][field]
    heard(platform, ManualClock(START))
    listings = {"/r/acme/new", "/r/acme/comments", reddit.TOKEN}
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
