"""What we say ourselves is known as ours on every platform, and no source says anything."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from collectors.bluesky import Bluesky
from collectors.bluesky_search import BlueskySearch
from collectors.hackernews import HackerNews
from collectors.mastodon import Mastodon
from collectors.rss import Rss
from collectors.times import to_us
from config.settings import Settings
from config.wiring import labeller
from pipeline.clock import ManualClock
from pipeline.model import Mention
from pipeline.ports import Collector
from pipeline.steps.text import prepare
from pipeline.tracks import Track
from tests.contracts.platform import START, Listener
from tests.servers import bluesky, hackernews, mastodon, rss
from tests.servers.jetstream import commit, identity, jetstream
from tests.servers.platform import Platform, served

ACME = Track(name="acme", terms=("acme",), hashtags=("acme",), own=("acmehelp", "acme.example"))
WORDS = "Acme is down again, nothing works for me"
#: The only words that a source may send: whom it is, to get a token.
LOGINS = {"/token", "/xrpc/com.atproto.server.createSession"}


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_PASSWORD", bluesky.PASSWORD)


def on_hackernews(platform: Any, clock: ManualClock) -> Collector:
    platform.post(1, START, WORDS, by="acmehelp")
    platform.post(2, START, WORDS, by="kim")
    url = platform.url
    return HackerNews("s", clock, url=f"{url}/api/v1", items_url=f"{url}/v0", tracks=[ACME])


def on_mastodon(platform: Any, clock: ManualClock) -> Collector:
    platform.post(1, START, WORDS, account={"id": "9", "acct": "acmehelp"})
    platform.post(2, START, WORDS)
    return Mastodon("s", clock, platform.url, tracks=[ACME])


def on_bluesky_search(platform: Any, clock: ManualClock) -> Collector:
    platform.post(1, START, WORDS)["author"]["handle"] = "acme.example"
    platform.post(2, START, WORDS)
    return BlueskySearch(
        "s", clock, "acme.example", password_from="ACME_PASSWORD", url=platform.url, tracks=[ACME]
    )


def on_rss(platform: Any, clock: ManualClock) -> Collector:
    platform.add("1", START, WORDS, author="acmehelp")
    platform.add("2", START, WORDS, author="kim")
    return Rss("s", clock, f"{platform.url}/feed", tracks=["acme"])


@pytest.mark.parametrize(
    ("platform", "opened"),
    [
        (hackernews.HackerNews, on_hackernews),
        (mastodon.Mastodon, on_mastodon),
        (bluesky.Bluesky, on_bluesky_search),
        (rss.Rss, on_rss),
    ],
    ids=["hackernews", "mastodon", "bluesky-search", "rss"],
)
def test_our_own_posts_are_no_reports_and_nothing_is_posted(
    platform: Callable[[], Platform], opened: Callable[[Any, ManualClock], Collector]
) -> None:
    """The same words are a report of somebody else; sources only ask."""
    clock = ManualClock(START)
    with served(platform()) as running:
        listener = Listener(opened(running, clock)).for_(timedelta(minutes=2), clock)
        told = [value for value in listener.came if isinstance(value, Mention)]
        sent = {asked.path for asked in running.asked if asked.method != "GET"}
    assert voices(told) == {"official", ""}
    assert sent <= LOGINS


def test_on_jetstream_too() -> None:
    """Which hears and cannot speak: the handle comes with an event of the account."""
    t0 = to_us(START)
    with jetstream() as server:
        server.push(
            identity(1, t0, "acme.example"), commit(1, t0 + 1, WORDS), commit(2, t0 + 2, WORDS)
        )
        clock = ManualClock(START)
        unowned = ACME.model_copy(update={"own": ()})
        listener = Listener(Bluesky("s", clock, url=server.url, tracks=[unowned]))
        listener.until(lambda one: len([v for v in one.came if isinstance(v, Mention)]) == 2, clock)
    assert voices([v for v in listener.came if isinstance(v, Mention)]) == {"official", ""}


def voices(mentions: list[Mention]) -> set[str]:
    """Whose voices they are; our own report nothing."""
    assert len(mentions) == 2
    models = labeller(Settings(track=(ACME,)))
    found = set()
    for labels in models.label(mentions, prepare(mentions)):
        voice = labels["voice"].name if "voice" in labels else ""
        assert not (voice and labels["intent"].name == "report")
        found.add(voice)
    return found
