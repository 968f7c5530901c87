"""X's posts as mentions, its rules, its look-ups: what the API tells and what traps it has."""

import logging
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.kit.polling import Query
from collectors.x.posts import Aside, entry
from collectors.x.rules import OURS, change, queries
from pipeline.clock import ManualClock
from pipeline.errors import GiveUp, Misuse, TryLater
from pipeline.model import Mention
from pipeline.ports import Unreadable
from pipeline.tracks import Track
from tests.collectors.x.stage import ACME, look, source
from tests.contracts.listening import START, Listener, mentions
from tests.servers import x
from tests.servers.platform import Fault, served

# ---- posts -------------------------------------------------------------------------------------


def test_a_post_becomes_a_mention(platform: x.X, clock: ManualClock) -> None:
    """Names, links that lead somewhere, place, counts; what is escaped is text again."""
    platform.aside["places"] = [{"id": "p1", "full_name": "Leeds, England"}]
    made = platform.post(
        1,
        START,
        "@acmehelp down &amp; out #acmedown https://t.co/a https://t.co/b",
        geo={"place_id": "p1"},
        entities={
            "hashtags": [{"tag": "acmedown"}],
            "mentions": [{"username": "acmehelp"}],
            "urls": [
                {"url": "https://t.co/a", "expanded_url": "https://acme.example/s"},
                {"url": "https://t.co/b", "expanded_url": "https://x.com/i", "media_key": "3_1"},
            ],
        },
        lang="en",
    )
    [found] = mentions(look(platform, clock))
    assert found.id == f"x:{made['id']}"
    assert found.text == "@acmehelp down & out #acmedown https://acme.example/s"
    assert (found.author.handle, found.author_id) == ("alice", "x:7")
    assert (found.hashtags, found.mentions) == (("acmedown",), ("acmehelp",))
    assert (found.links, found.place) == (("https://acme.example/s",), "Leeds, England")
    assert (found.said_at, found.lang, found.engagement["like"]) == (START, "en", 1.0)


def test_long_posts_come_in_full(platform: x.X, clock: ManualClock) -> None:
    """X cuts ``text`` short; the whole stands in ``note_tweet``, which is asked for."""
    whole = "Acme is down. " + "It has been so all day. " * 40
    note = {"text": whole, "entities": {"hashtags": [{"tag": "late"}]}}
    platform.post(1, START, whole[:270] + "…", note_tweet=note)
    [found] = mentions(look(platform, clock))
    assert (found.text, found.hashtags) == (whole.strip(), ("late",))
    [search] = [asked for asked in platform.asked if "query" in asked.params][:1]
    assert "note_tweet" in search.params["tweet.fields"]


def test_reposts_quotes_and_replies(platform: x.X, clock: ManualClock) -> None:
    """A repost has the text of what it repeats in full; what is gone leaves the rest standing."""
    inner = {"id": "55", "text": "Acme is down, all of it", "author_id": "8"}
    platform.aside["tweets"] = [inner]
    told = {"1": ("retweeted", "55"), "2": ("quoted", "66"), "3": ("replied_to", "77")}
    for number, (kind, other) in told.items():
        others = [{"type": kind, "id": other}]
        platform.post(int(number), START, f"RT @bob: Acme is {number}", referenced_tweets=others)
    repost, quote, reply = sorted(mentions(look(platform, clock)), key=lambda m: m.external_id)
    assert (repost.kind, repost.repost_of, repost.text) == ("repost", "55", inner["text"])
    assert (quote.kind, quote.quote_of, quote.text) == ("quote", "66", "RT @bob: Acme is 2")
    assert (reply.kind, reply.reply_to) == ("reply", "77")


def test_all_versions_of_a_post_are_one_mention(platform: x.X, clock: ManualClock) -> None:
    """An edit has an id of its own; it is a higher version of what was said first."""
    first = platform.post(1, START, "Acme is slow")
    listener = look(platform, clock)
    later = clock.now()
    second = platform.post(2, later, "Acme is down")
    chain = [first["id"], second["id"]]
    for post in (first, second):
        post["edit_history_tweet_ids"] = chain
    listener.for_(timedelta(minutes=3), clock)
    was, became = mentions(listener)
    assert was.id == became.id == f"x:{first['id']}"
    assert (was.version, became.version) == (0, int(later.timestamp() * 1_000))
    assert (became.said_at, became.text) == (START, "Acme is down")


def test_pictures_only_authors_unknown_languages_none(platform: x.X, clock: ManualClock) -> None:
    """A post is what its author says of the picture; who is not told is nobody."""
    platform.aside["media"] = [{"media_key": "3_1", "alt_text": "The Acme page shows an error"}]
    short = {"url": "https://t.co/p", "expanded_url": "https://x.com/p", "media_key": "3_1"}
    platform.post(
        1,
        START,
        "https://t.co/p",
        entities={"urls": [short]},
        attachments={"media_keys": ["3_1"]},
        author_id=None,
        lang="zxx",
    )
    [found] = mentions(look(platform, clock))
    assert found.text == "The Acme page shows an error"
    assert (found.lang, found.links, found.author_id) == (None, (), None)


def test_authors_of_every_page_are_known(platform: x.X, clock: ManualClock) -> None:
    """The library's own way through pages drops what stands beside the posts."""
    for number in range(1, 251):
        platform.post(number, START, f"Acme {number}")
    found = mentions(look(platform, clock))
    assert len(found) == 250
    assert {one.author.handle for one in found} == {"alice"}


FIELDS = "id text entities referenced_tweets geo note_tweet created_at edit_history_tweet_ids"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(f"{FIELDS} author_id attachments public_metrics lang".split()),
        json_values,
    )
    | json_values,
    json_values,
)
def test_no_post_makes_it_fall_over(post: Any, includes: Any) -> None:
    """Whatever stands in an answer is a mention or a dead letter."""
    found = entry(post, Aside(includes), START)
    assert isinstance(found.value, Mention | Unreadable)


# ---- queries and rules -------------------------------------------------------------------------


def test_tracks_become_as_few_queries_as_fit() -> None:
    """Quoted words, handles, hashtags; what is excluded; nothing longer than the plan allows."""
    track = Track(
        name="acme",
        terms=('acme "shop"', "acme"),
        handles=("acmehelp",),
        hashtags=("acmedown",),
        exclude=("looniversity",),
    )
    [one] = queries("x", [track], 512, reposts=False)
    asked = '("acme shop" OR "acme" OR @acmehelp OR #acmedown) -"looniversity" -is:retweet'
    assert one == Query(asked, "acme")
    wide = Track(name="wide", terms=tuple(f"word number {n}" for n in range(100)))
    found = queries("x", [wide], 512)
    assert all(len(query.key) <= 512 for query in found)
    assert len(found) == 4
    with pytest.raises(Misuse, match="track long"):
        queries("x", [Track(name="long", terms=("w" * 600,))], 512)


@given(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=30, unique=True))
def test_every_word_is_asked_for_once(terms: list[str]) -> None:
    """However they are packed, and whatever signs they have."""
    track = Track(name="acme", terms=tuple(f"acme {term}" for term in terms))
    found = queries("x", [track], 128)
    assert all(len(query.key) <= 128 for query in found)
    assert all(query.key.count('"') % 2 == 0 for query in found)


def test_rules_are_kept_in_step() -> None:
    """Added, removed; another program's rules stay, and count for the plan's limit."""
    there = [
        {"id": "1", "value": "(old)", "tag": f"{OURS}x:acme"},
        {"id": "2", "value": "(kept)", "tag": f"{OURS}x:acme"},
        {"id": "3", "value": "(theirs)", "tag": "somebody"},
        {"id": "4", "value": "(untagged)"},
        {"id": "5", "value": "(other source)", "tag": f"{OURS}y:acme"},
    ]
    wanted = [Query("(kept)", "acme"), Query("(new)", "acme")]
    assert change("x", wanted, there, 10) == ([("(new)", f"{OURS}x:acme")], ["1"])
    with pytest.raises(Misuse, match="`rules` allows 4"):
        change("x", wanted, there, 4)


def test_the_stream_has_the_rules_of_the_tracks(platform: x.X, clock: ManualClock) -> None:
    """They stand before it is opened, and what no track asks for is gone."""
    platform.rules["9"] = {"id": "9", "value": "(old)", "tag": f"{OURS}x:acme"}
    platform.rules["8"] = {"id": "8", "value": "(theirs)"}
    listener = look(platform, clock, stream=True)
    [query] = queries("x", [ACME], 512)
    assert {rule["value"] for rule in platform.rules.values()} == {"(theirs)", query.key}
    listener.stop.set()
    listener.kill()


@pytest.mark.parametrize("is_status", [True, False])
def test_a_rule_that_x_refuses_is_said(platform: x.X, clock: ManualClock, is_status: bool) -> None:
    """As a status, or as an error in an answer that succeeded."""
    platform.rule_errors = [{"title": "Invalid Rule", "value": "(x)"}]
    platform.rule_status = 400 if is_status else 201
    with pytest.raises(GiveUp, match="mend their terms"):
        look(platform, clock, stream=True)


# ---- calls -------------------------------------------------------------------------------------


def test_neither_token_nor_texts_are_logged(
    platform: x.X, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The library would, at the level of debugging, and the answers of errors at any level."""
    caplog.set_level(logging.DEBUG)
    platform.post(1, START, "Acme swallowed my parcel")
    listener = look(platform, clock)
    platform.stream_fault = Fault(503, b"swallowed")
    listener = look(platform, clock, stream=True)
    platform.always = Fault(500, b'{"errors": [{"message": "swallowed"}]}')
    listener.for_(timedelta(minutes=2), clock)
    assert listener.pauses
    assert "a-token" not in caplog.text
    assert "swallowed" not in caplog.text


def test_an_outage_longer_than_x_remembers_is_a_gap(platform: x.X, clock: ManualClock) -> None:
    """Seven days; asking for more would be refused for ever."""
    listener = look(platform, clock)
    clock.set(START + timedelta(days=20))
    platform.post(1, clock.now() - timedelta(days=1), "Acme post 1")
    later = listener.again(source(platform, clock))
    later.until(lambda one: 1 in one.numbers, clock)
    [gap] = later.gaps
    assert gap.cause == "stopped"
    assert gap.to_at - (START + timedelta(days=13)) < timedelta(minutes=10)


def test_a_quiet_track_costs_nothing(platform: x.X, clock: ManualClock) -> None:
    """Looks do not read the newest post again and again: each read is paid."""
    platform.post(1, START, "Acme post 1")
    opened = source(platform, clock)
    listener = Listener(opened).for_(timedelta(hours=6), clock)
    assert listener.numbers == [1]
    page = 100  # under way: paid before, and given back with the answer
    assert sum(opened._poller._purse.reads.values()) <= 3 + page  # type: ignore[union-attr]


@pytest.mark.parametrize("has_stream", [True, False])
def test_the_token_goes_to_x_only_and_nothing_takes_its_place(
    platform: x.X,
    clock: ManualClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    has_stream: bool,
) -> None:
    """Neither a password in a ``.netrc`` for X's address nor a redirect to somebody else."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine api.twitter.com login eve password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    listener = look(platform, clock, stream=has_stream)
    with served(x.X(clock)) as other:
        platform.always = Fault(302, headers=(("Location", f"{other.url}/2/tweets"),))
        listener.for_(timedelta(minutes=5), clock)
        assert other.asked == []
    assert {asked.headers["authorization"] for asked in platform.asked} == {"Bearer a-token"}
    listener.stop.set()
    listener.kill()


@pytest.mark.parametrize(("status", "says"), [(400, "terms of acme"), (402, "no credit is left")])
def test_what_x_does_not_take_is_said(
    platform: x.X, clock: ManualClock, status: int, says: str
) -> None:
    """It goes on asking, seldom: the question costs nothing, and may be mended over there."""
    platform.always = Fault(status, b"{}")
    opened = source(platform, clock)
    with pytest.raises(TryLater, match=says):
        for _ in opened.items(None, threading.Event()):
            pass
