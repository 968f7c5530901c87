"""Feeds over a local server: RSS, Atom, and what people put into them."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from collectors.rss import Rss
from pipeline.clock import ManualClock
from pipeline.errors import TryLater
from pipeline.model import Mention
from pipeline.ports import Unreadable
from tests.contracts.listening import START, Listener, Stage, mentions
from tests.contracts.platform import PlatformContract
from tests.servers import rss
from tests.servers.platform import Fault, served


@pytest.fixture
def feed() -> Iterator[rss.Rss]:
    with served(rss.Rss()) as running:
        yield running


def source(feed: rss.Rss, clock: ManualClock, **more: Any) -> Rss:
    return Rss("acme-blog", clock, f"{feed.url}/feed.xml", **more)


class TestContract(PlatformContract):
    """A feed keeps the contract of platforms; it goes back no further than its document."""

    kind = "rss"

    @pytest.fixture
    def stage(self, feed: rss.Rss) -> Stage:
        clock = ManualClock(START)

        def post(number: int, at: datetime) -> None:
            feed.add(f"urn:acme:{number}", at, f"Acme is down post {number}")

        def spoil(number: int) -> None:
            feed.entries[f"urn:acme:{number}"]["title"] = ""

        return Stage(
            feed,
            clock,
            post,
            lambda: source(feed, clock),
            page=10,
            spoil=spoil,
            reach=10,
            calls=(120, timedelta(hours=1)),
        )


def look(feed: rss.Rss, clock: ManualClock, **more: Any) -> list[Mention]:
    return mentions(Listener(source(feed, clock, **more)).for_(timedelta(minutes=1), clock))


def test_an_entry_becomes_a_mention(feed: rss.Rss) -> None:
    """Title and text without HTML, its address, its author, its time, the feed's language."""
    more = {
        "description": '<p>We are <b>working</b> on <a href="https://acme.example/x">it</a></p>',
        "link": "https://acme.example/1",
        "author": "ops@acme.example (Acme Operations)",
        "category": "outage",
    }
    feed.add("1", START, "Acme is down", **more)
    [found] = look(feed, ManualClock(START), tracks=("acme",))
    assert found.text == "Acme is down\n\nWe are working on it"
    assert found.external_id == f"{feed.url}/1"
    assert (found.said_at, found.lang, found.tracks) == (START, "en", ("acme",))
    assert found.url == "https://acme.example/1"
    assert found.links == ("https://acme.example/x",)
    assert found.hashtags == ("outage",)
    assert found.author.id is not None
    assert found.version == 0


def test_a_changed_entry_is_a_new_version_after_a_restart_too(feed: rss.Rss) -> None:
    """Whether or not the feed says when it changed."""
    clock = ManualClock(START)
    feed.add("urn:1", START, "Acme is slow")
    feed.add("urn:2", START, "Nordwind is slow")
    listener = Listener(source(feed, clock)).for_(timedelta(minutes=1), clock)
    listener.kill()
    feed.entries["urn:1"]["title"] = "Acme is down"
    later = Listener(source(feed, clock), listener.cursor).for_(timedelta(minutes=1), clock)
    [changed] = mentions(later)
    assert changed.id == "rss:urn:1"
    assert changed.version > 0
    assert changed.text == "Acme is down"


def test_a_password_in_the_address_is_told_to_nobody(feed: rss.Rss) -> None:
    """Neither on a post whose address is relative nor in what is said of a failure."""
    clock = ManualClock(START)
    feed.add("1", START, "Acme is down", link="/news/1")
    address = feed.url.replace("http://", "http://ann:pass-word@")
    found = Listener(Rss("rss", clock, f"{address}/feed.xml", tracks=("acme",)))
    found.for_(timedelta(minutes=1), clock)
    [told] = mentions(found)
    assert told.url == f"{feed.url}/news/1"
    assert "pass-word" not in told.to_json().decode()
    feed.always = Fault(502, b"")
    with pytest.raises(TryLater) as raised:
        list(Rss("rss", clock, f"{address}/feed.xml").items(None, threading.Event()))
    assert "pass-word" not in str(raised.value)


def test_a_long_id_is_hashed_by_its_bytes(feed: rss.Rss) -> None:
    """An id in a script of four bytes a letter fits into a key as any other does."""
    feed.add("urn:" + "\U0001f525" * 390, START, "Acme is slow")
    [found] = look(feed, ManualClock(START))
    assert len(found.id) < 100


def test_an_unchanged_feed_is_not_sent_again(feed: rss.Rss) -> None:
    """Conditional requests; that nothing changed counts as read."""
    clock = ManualClock(START)
    feed.add("urn:1", START, "Acme is slow")
    listener = Listener(source(feed, clock)).for_(timedelta(minutes=21), clock)
    assert len(mentions(listener)) == 1
    assert [asked.headers.get("if-none-match") is not None for asked in feed.asked] == [
        False,
        *[True] * (len(feed.asked) - 1),
    ]
    assert len(feed.asked) >= 4
    assert listener.read[-1].to_at >= START + timedelta(minutes=15)


def test_entries_that_left_before_they_were_read_are_a_gap(feed: rss.Rss) -> None:
    """Between the last look and the oldest entry there is now."""
    clock = ManualClock(START)
    feed.add("urn:0", START, "Acme 0")
    listener = Listener(source(feed, clock)).for_(timedelta(minutes=1), clock)
    listener.kill()
    clock.set(START + timedelta(hours=2))
    for number in range(1, 16):
        feed.add(f"urn:{number}", START + timedelta(hours=1, minutes=number), f"Acme {number}")
    later = Listener(source(feed, clock), listener.cursor).for_(timedelta(minutes=1), clock)
    [gap] = later.gaps
    assert gap.cause == "stopped"
    assert gap.to_at == START + timedelta(hours=1, minutes=6)
    assert later.numbers == list(range(6, 16))


def test_entries_without_time_or_id_come_once(feed: rss.Rss) -> None:
    """They are known by their text."""
    clock = ManualClock(START)
    feed.add("", None, "Acme is down")
    listener = Listener(source(feed, clock)).for_(timedelta(minutes=1), clock)
    listener.kill()
    again = Listener(source(feed, clock), listener.cursor).for_(timedelta(minutes=6), clock)
    assert len(mentions(listener)) == 1
    assert mentions(again) == []


def test_atom_is_read_as_well(feed: rss.Rss) -> None:
    """With its own names for everything."""
    feed.raw = b"""<?xml version="1.0" encoding="utf-8"?>
      <feed xmlns="http://www.w3.org/2005/Atom"><title>Acme</title>
      <entry><id>tag:acme.example,2026:7</id>
      <title type="html">Acme &lt;b&gt;is&lt;/b&gt; down</title>
      <published>2026-03-02T08:00:00+01:00</published><updated>2026-03-02T08:30:00Z</updated>
      <link href="https://acme.example/7"/><author><name>Jane</name></author>
      <content type="html">&lt;p&gt;All of it&lt;/p&gt;</content></entry></feed>"""
    [found] = look(feed, ManualClock(START))
    assert found.id == "rss:tag:acme.example,2026:7"
    assert found.said_at == START - timedelta(hours=2)
    assert found.text == "Acme is down\n\nAll of it"
    assert found.author.handle == "Jane"


@pytest.mark.parametrize(
    "body",
    [
        b'<rss version="2.0"><channel><item><guid>1</guid><title>Acme is down</title>',
        b'<rss version="2.0"><channel><item><title>Acme is down</title></item>\xff&x;</channel>',
    ],
    ids=["cut short", "not quite XML"],
)
def test_a_broken_document_gives_what_can_be_read(feed: rss.Rss, body: bytes) -> None:
    """Half of all feeds are broken in some way."""
    feed.raw = body
    assert "Acme is down" in [found.text for found in look(feed, ManualClock(START))]


def test_entities_that_multiply_do_no_harm(feed: rss.Rss) -> None:
    """A document that would grow to gigabytes is bounded by the parser."""
    entities = '<!ENTITY a0 "Acme">' + "".join(
        f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12)
    )
    feed.raw = (
        f"<!DOCTYPE rss [{entities}]><rss version='2.0'><channel>"
        "<item><guid>1</guid><title>&a11;</title></item></channel></rss>"
    ).encode()
    clock = ManualClock(START)
    listener = Listener(source(feed, clock)).for_(timedelta(minutes=1), clock)
    for value in listener.came:
        if isinstance(value, Mention | Unreadable):
            assert len(str(value)) < 100_000


def test_what_is_no_feed_is_tried_again(feed: rss.Rss) -> None:
    """A web page instead of the feed is the publisher's trouble, not ours."""
    feed.raw = b"<html><body>Maintenance</body></html>"
    with pytest.raises(TryLater, match="something else than a feed"):
        for _ in source(feed, ManualClock(START)).items(None, threading.Event()):
            pass
