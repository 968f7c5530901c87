"""What we say ourselves is known as ours on every platform, and no source says anything."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from collectors.appstore.source import AppStore
from collectors.bluesky.jetstream import Bluesky
from collectors.bluesky.search import BlueskySearch
from collectors.facebook.source import Facebook
from collectors.hackernews import HackerNews
from collectors.kit.signature import key_of, signature
from collectors.kit.times import to_us
from collectors.mastodon.source import Mastodon
from collectors.rss import Rss
from collectors.webhook import Webhook
from collectors.x.source import X
from config.settings import Settings
from config.wiring import labeller
from pipeline.clock import ManualClock
from pipeline.model import Mention
from pipeline.ports import Collector
from pipeline.steps.text import prepare
from pipeline.tracks import Track
from tests.collectors.reddit import reading
from tests.contracts.listening import START, Listener
from tests.servers import appstore, bluesky, facebook, hackernews, mastodon, reddit, rss, x
from tests.servers.jetstream import commit, identity, jetstream
from tests.servers.platform import Platform, served

ACME = Track(name="acme", terms=("acme",), hashtags=("acme",), own=("acmehelp", "acme.example"))
WORDS = "Acme is down again, nothing works for me"
#: The only words that a source may send: whom it is, to get a token.
LOGINS = {"/token", "/xrpc/com.atproto.server.createSession", "/api/v1/access_token"}
HOOK_SECRET = "whsec_" + "QUJD" * 11


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_PASSWORD", bluesky.PASSWORD)
    monkeypatch.setenv("ACME_PAGE_TOKEN", facebook.TOKEN)
    monkeypatch.setenv("ACME_REDDIT_SECRET", "s3cret")
    monkeypatch.setenv("ACME_X", "a-token")
    monkeypatch.setenv("ACME_HOOK", HOOK_SECRET)


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


def on_appstore(platform: Any, clock: ManualClock) -> Collector:
    platform.post(1, START, WORDS, author="acmehelp")
    platform.post(2, START, WORDS)
    return AppStore("s", clock, "7", tracks=["acme"], url=platform.url)


def on_facebook(platform: Any, clock: ManualClock) -> Collector:
    platform.post(1, START, "Welcome")
    platform.comment(2, START, WORDS, **{"from": {"id": facebook.PAGE, "name": "Acme"}})
    platform.comment(3, START, WORDS)
    return Facebook(
        "s", clock, facebook.PAGE, token_from="ACME_PAGE_TOKEN", tracks=["acme"], url=platform.url
    )


def on_reddit(platform: Any, clock: ManualClock) -> Collector:
    platform.submit(1, START, WORDS, author="acmehelp", author_fullname="t2_ours")
    platform.submit(2, START, WORDS)
    return reading.source(platform, clock)


def on_x(platform: Any, clock: ManualClock) -> Collector:
    platform.clock = clock
    platform.users["8"] = {"id": "8", "name": "Acme", "username": "acmehelp"}
    platform.post(1, START, WORDS, author_id="8")
    platform.post(2, START, WORDS)
    told: dict[str, Any] = {"stream": False, "most_a_day": 1e9, "most_a_month": 1e9}
    return X("s", clock, token_from="ACME_X", url=platform.url, tracks=[ACME], **told)


@pytest.mark.parametrize(
    ("platform", "opened"),
    [
        (appstore.AppStore, on_appstore),
        (reddit.Reddit, on_reddit),
        (lambda: x.X(ManualClock(START)), on_x),
        (hackernews.HackerNews, on_hackernews),
        (mastodon.Mastodon, on_mastodon),
        (bluesky.Bluesky, on_bluesky_search),
        (rss.Rss, on_rss),
    ],
    ids=["appstore", "reddit", "x", "hackernews", "mastodon", "bluesky-search", "rss"],
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


def test_on_a_webhook_too() -> None:
    """Which has no way to answer its sender with more than a status."""
    clock = ManualClock(START)
    hook = Webhook("s", clock, secret_from="ACME_HOOK", tracks=("acme",))
    listener = Listener(hook)
    sent = [
        {"external_id": name, "text": WORDS, "author": {"handle": name}}
        for name in ("acmehelp", "kim")
    ]
    data = json.dumps(sent).encode()
    key = key_of(SecretStr(HOOK_SECRET))
    answers: list[int] = []
    pushing = threading.Thread(
        target=lambda: answers.append(hook.receive(signature(key, "m", clock.now(), data), data)[0])
    )
    listener.until(lambda one: one.cursor is not None, clock)  # it takes what somebody reads
    pushing.start()
    listener.until(lambda one: len([v for v in one.came if isinstance(v, Mention)]) == 2, clock)
    listener.until(lambda _: bool(answers), clock)  # what was taken is acknowledged by reading on
    pushing.join(30)
    assert answers == [200]
    assert voices([v for v in listener.came if isinstance(v, Mention)]) == {"official", ""}


def test_what_our_page_says_on_facebook_is_not_even_collected() -> None:
    """Answers of the page to comments, and posts of its own."""
    clock = ManualClock(START)
    with served(facebook.Facebook()) as running:
        listener = Listener(on_facebook(running, clock)).for_(timedelta(minutes=2), clock)
        assert {asked.method for asked in running.asked} == {"GET"}
    told = [value.external_id for value in listener.came if isinstance(value, Mention)]
    assert told == ["1_3"]


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
