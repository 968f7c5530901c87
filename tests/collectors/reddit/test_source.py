"""Reddit over a local server that speaks its protocol, through praw."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from pipeline.clock import ManualClock
from pipeline.tracks import Track
from tests.collectors.reddit.reading import heard, holding, source
from tests.contracts.listening import START, Listener, Stage, mentions, removals
from tests.contracts.platform import PlatformContract
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


# ---- what is read --------------------------------------------------------------------------------


def test_posts_and_comments_of_a_subreddit_are_read(platform: reddit.Reddit) -> None:
    """In full, whatever they say: their tracks are those the settings name."""
    platform.submit(1, START, "Is it just me")
    platform.comment(2, START, "Same here")
    listener = heard(platform, ManualClock(START), subreddits=["/r/Acme/"], about=["acme"])
    assert {one.id for one in mentions(listener)} == {"reddit:t3_1", "reddit:t1_2"}
    assert all(one.tracks == ("acme",) for one in mentions(listener))
    assert {one.track for one in listener.read} == {"acme"}


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
    asked = [one.params for one in platform.asked if one.path == "/r/all/search/"]
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


def test_an_old_thing_among_new_ones_is_no_end(platform: reddit.Reddit) -> None:
    """Old things reappear now and then: what stands behind one is read all the same."""
    clock = ManualClock(START)
    old = platform.submit(999, START - timedelta(days=3), "Acme was down")
    listener = heard(platform, clock, look_back_hours=1)
    for number in range(1, 151):
        platform.submit(number, clock.now(), f"Acme is down post {number}")
    answer = platform.reply

    def stray(asked: Any) -> Fault:
        told = answer(asked)
        if asked.path != "/r/acme/new" or "after" in asked.params:
            return told
        page = json.loads(told.body)
        page["data"]["children"].insert(3, {"kind": "t3", "data": old})
        return document(page)

    platform.reply = stray  # type: ignore[method-assign]
    listener.for_(timedelta(minutes=2), clock)
    assert set(listener.numbers) >= set(range(1, 151))
    assert listener.gaps == []


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


def test_an_edit_that_takes_our_name_out_hides_the_post(platform: reddit.Reddit) -> None:
    """Until another puts it in again; what was never about us costs nothing."""
    clock = ManualClock(START)
    platform.comment(1, START, "Acme is down")
    platform.comment(2, START, "it is raining")
    listener = heard(platform, clock)
    for text in ("all is well", "Acme is back"):
        edit = {"body": text, "edited": clock.now().timestamp()}
        platform.things["t1_1"] |= edit
        platform.things["t1_2"] |= {"edited": clock.now().timestamp()}
        listener.for_(timedelta(minutes=2), clock)
    assert removals(listener) == [("reddit:t1_1", "hidden"), ("reddit:t1_1", "shown")]
    told = [one.text for one in mentions(listener) if one.external_id == "t1_1"]
    assert (told[0], told[-1]) == ("Acme is down", "Acme is back")
    assert "all is well" not in told
    asked = [one.params["id"] for one in platform.asked if one.path == "/api/info/"]
    assert asked == ["t1_1", "t1_1"]


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
    asked = [one for one in platform.asked if one.path == "/api/info/"]
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
        return odd.pop() if odd and asked.path == "/api/info/" else answer(asked)

    platform.reply = stumble  # type: ignore[method-assign]
    listener.for_(timedelta(hours=1), clock)
    assert odd == []
    assert removals(listener) == []


def test_what_a_listing_shows_as_removed_is_looked_at_at_once(platform: reddit.Reddit) -> None:
    """And again when it is back; each change costs one question, however long it stands there."""
    clock = ManualClock(START)
    before = dict(platform.comment(1, START, "Acme is down"))
    listener = heard(platform, clock)
    platform.things["t1_1"] |= {"body": "[removed]", "author": "[deleted]"}
    listener.for_(timedelta(minutes=10), clock)
    platform.things["t1_1"] = before
    listener.for_(timedelta(minutes=10), clock)
    assert removals(listener) == [("reddit:t1_1", "hidden"), ("reddit:t1_1", "shown")]
    assert len([one for one in platform.asked if one.path == "/api/info/"]) == 2


def test_what_leaves_the_newest_page_is_looked_at_at_once(platform: reddit.Reddit) -> None:
    """Deletes of the newest posts are told with the next look, and so is what comes back.

    Also when nothing is left on it.
    """
    clock = ManualClock(START)
    for number in range(1, 6):
        platform.submit(number, START - timedelta(minutes=9 - number), f"Acme is down {number}")
    listener = heard(platform, clock)
    before = dict(platform.things["t3_3"])
    platform.delete("t3_2")
    platform.remove("t3_3")
    listener.for_(timedelta(minutes=2), clock)
    assert set(removals(listener)) == {("reddit:t3_2", "erased"), ("reddit:t3_3", "hidden")}
    platform.things["t3_3"] = before
    platform.taken.remove("t3_3")
    listener.for_(timedelta(minutes=2), clock)
    assert removals(listener)[2:] == [("reddit:t3_3", "shown")]
    assert len([one for one in platform.asked if one.path == "/api/info/"]) == 2
    for name in ("t3_1", "t3_3", "t3_4", "t3_5"):
        platform.delete(name)
    listener.for_(timedelta(minutes=2), clock)
    assert len(removals(listener)) == 7


def test_what_moves_off_the_page_is_not_looked_at(platform: reddit.Reddit) -> None:
    """Newer posts take its place: that is no delete."""
    clock = ManualClock(START)
    for number in range(1, 131):
        platform.submit(number, START, f"Acme is down {number}")
    listener = heard(platform, clock)
    for number in range(131, 201):
        platform.submit(number, clock.now(), f"Acme is down {number}")
    listener.for_(timedelta(minutes=2), clock)
    assert not any(one.path == "/api/info/" for one in platform.asked)


def test_a_page_that_is_empty_for_once_takes_nothing_away(platform: reddit.Reddit) -> None:
    """It costs a question, which says that all is there."""
    clock = ManualClock(START)
    for number in range(1, 31):
        platform.submit(number, START, f"Acme is down {number}")
    listener = heard(platform, clock)
    answer = platform.reply
    empty = document({"data": {"after": None, "children": []}})
    platform.reply = (  # type: ignore[method-assign]
        lambda asked: empty if asked.path == "/r/acme/new" else answer(asked)
    )
    listener.for_(timedelta(minutes=5), clock)
    platform.reply = answer  # type: ignore[method-assign]
    listener.for_(timedelta(minutes=5), clock)
    assert removals(listener) == []
    assert len([one for one in platform.asked if one.path == "/api/info/"]) <= 2


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
