"""Posts as they come in real life: long, without words or language, by nobody, about nothing."""

from datetime import timedelta
from typing import Any

from collectors.bluesky.jetstream import Bluesky
from collectors.hackernews import HackerNews
from collectors.kit.times import to_us
from collectors.mastodon.source import Mastodon
from collectors.rss import Rss
from pipeline.clock import ManualClock
from pipeline.model import Mention, Removal
from pipeline.ports import Collector, Unreadable
from pipeline.tracks import Track
from tests.contracts.listening import START, Listener
from tests.servers import hackernews, mastodon, rss
from tests.servers.jetstream import account, changed, commit, deleted, jetstream
from tests.servers.platform import served

ACME = Track(name="acme", terms=("acme",), hashtags=("acme",))
T0 = to_us(START)
LONG = "Acme " + "down " * 20_000
EMOJI = "👩‍👩‍👧‍👦🏴󠁧󠁢󠁥󠁮󠁧󠁿 Acme は壊れた"


def came(source: Collector, clock: ManualClock) -> list[Any]:
    listener = Listener(source).for_(timedelta(minutes=2), clock)
    assert not any(isinstance(value, Unreadable) for value in listener.came)
    return [value for value in listener.came if isinstance(value, Mention | Removal)]


def by_id(values: list[Any]) -> dict[str, Mention]:
    return {value.external_id.rpartition("/")[2]: value for value in values}


def test_on_hackernews() -> None:
    """An author who left, a story that is an address only, a text of many pages."""
    clock = ManualClock(START)
    with served(hackernews.HackerNews()) as platform:
        assert isinstance(platform, hackernews.HackerNews)
        platform.post(1, START, "Acme outage", by=None)
        platform.post(2, START, "Acme status", url="https://acme.example/status")
        platform.comment(3, START, LONG, parent=1)
        platform.comment(4, START, EMOJI, parent=1)
        url = platform.url
        source = HackerNews("s", clock, url=f"{url}/api/v1", items_url=f"{url}/v0", tracks=[ACME])
        found = by_id(came(source, clock))
    assert found["1"].author_id is None
    assert found["1"].witness == "hackernews:1"
    assert found["2"].links == ("https://acme.example/status",)
    assert len(found["3"].text) > 99_000
    assert found["4"].text == EMOJI


def test_on_mastodon() -> None:
    """Pictures only, no language, an account that is gone, emoji before everything."""
    clock = ManualClock(START)
    picture = {"id": "1", "type": "image", "url": "https://social.example/p.png"}
    with served(mastodon.Mastodon()) as platform:
        assert isinstance(platform, mastodon.Mastodon)
        platform.post(1, START, "", content="", media_attachments=[picture], language=None)
        platform.post(2, START, "Acme is down", account=None)
        platform.post(3, START, LONG)
        platform.post(4, START, EMOJI)
        platform.post(5, START, "Acme", quote={"state": "revoked"}, in_reply_to_id="404")
        found = by_id(came(Mastodon("s", clock, platform.url, tracks=[ACME]), clock))
    assert (found["1"].text, found["1"].lang, found["1"].hashtags) == ("", None, ("acme",))
    assert found["2"].author_id is None
    assert len(found["3"].text) > 99_000
    assert found["4"].text == EMOJI
    assert (found["5"].kind, found["5"].quote_of) == ("reply", None)


def test_in_feeds() -> None:
    """Without an author, a language or an end."""
    clock = ManualClock(START)
    with served(rss.Rss()) as platform:
        assert isinstance(platform, rss.Rss)
        platform.add("1", START, EMOJI)
        platform.add("2", START, "Acme", description=LONG)
        found = by_id(came(Rss("s", clock, f"{platform.url}/feed", tracks=["acme"]), clock))
    assert {one.text[:20] for one in found.values()} == {EMOJI[:20], f"Acme\n\n{LONG}"[:20]}


def test_on_bluesky() -> None:
    """Pictures only, no or many languages, quotes of what is gone, all within bytes of emoji."""
    gone = {"uri": "at://did:plc:x/app.bsky.feed.post/gone", "cid": "bafymade"}
    picture = {"$type": "app.bsky.embed.images", "images": [{"alt": "", "image": {}}]}
    tag = {"$type": "app.bsky.richtext.facet#tag", "tag": "acme"}
    whole = {"index": {"byteStart": 0, "byteEnd": len(EMOJI.encode())}, "features": [tag]}
    with jetstream() as server:
        server.push(
            commit(1, T0, "", embed=picture, tags=["acme"], langs=[]),
            commit(2, T0 + 1, "acme", langs=["pt", "en", "de"]),
            commit(3, T0 + 2, "acme", embed={"$type": "app.bsky.embed.record", "record": gone}),
            commit(4, T0 + 3, EMOJI, facets=[whole]),
            commit(5, T0 + 4, LONG),
        )
        clock = ManualClock(START)
        listener = Listener(Bluesky("s", clock, url=server.url, tracks=[ACME]))
        listener.until(lambda one: sum(isinstance(v, Mention) for v in one.came) == 5, clock)
    found = by_id([value for value in listener.came if isinstance(value, Mention)])
    assert (found["post1"].text, found["post1"].lang) == ("", None)
    assert found["post2"].lang == "pt"
    assert (found["post3"].kind, found["post3"].quote_of) == ("quote", "did:plc:x/gone")
    assert found["post4"].hashtags == ("acme",)
    assert len(found["post5"].text) > 99_000


def test_ends_come_in_any_order() -> None:
    """A delete before its post, an account off and on, an edit of what was deleted: all are told.

    What they come to is the warehouse's matter: what is erased stays erased.
    """
    post = commit(1, T0 + 5, "acme is down")
    with jetstream() as server:
        server.push(
            deleted(post, T0),
            account(1, T0 + 1, active=False, status="deactivated"),
            post,
            account(1, T0 + 6, active=True),
            deleted(post, T0 + 7),
            changed(post, T0 + 8, "acme again"),
        )
        clock = ManualClock(START)
        listener = Listener(Bluesky("s", clock, url=server.url, tracks=[ACME]))
        words = (Mention, Removal)
        listener.until(lambda one: sum(isinstance(v, words) for v in one.came) == 6, clock)
    told = [value.kind for value in listener.came if isinstance(value, words)]
    assert told == ["erased", "hidden", "post", "shown", "erased", "post"]
