"""Hacker News over a local server that speaks Algolia's search and Firebase."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from collectors.hackernews import HackerNews
from pipeline.clock import ManualClock
from pipeline.model import Mention, Removal
from pipeline.tracks import Track
from tests.contracts.listening import START, Listener, Stage
from tests.contracts.platform import PlatformContract
from tests.servers import hackernews
from tests.servers.platform import served

ACME = Track(name="acme", terms=("acme",))


@pytest.fixture
def platform() -> Iterator[hackernews.HackerNews]:
    with served(hackernews.HackerNews()) as running:
        yield running


def source(platform: hackernews.HackerNews, clock: ManualClock, **more: Any) -> HackerNews:
    more = {"tracks": [ACME]} | more
    url = platform.url
    return HackerNews("hackernews", clock, url=f"{url}/api/v1", items_url=f"{url}/v0", **more)


class TestContract(PlatformContract):
    """Hacker News keeps the contract of platforms."""

    kind = "hackernews"

    @pytest.fixture
    def stage(self, platform: hackernews.HackerNews) -> Stage:
        clock = ManualClock(START)

        def post(number: int, at: datetime) -> None:
            platform.post(number, at, f"Acme is down post {number}")

        def spoil(number: int) -> None:
            platform.items[number]["by"] = ["not", "a", "name"]

        return Stage(
            platform,
            clock,
            post,
            lambda: source(platform, clock),
            page=100,
            spoil=spoil,
            remove=lambda number: platform.change(number, deleted=True),
            calls=(3_000, timedelta(hours=1)),
        )


def heard(platform: hackernews.HackerNews, clock: ManualClock, **more: Any) -> Listener:
    return Listener(source(platform, clock, **more)).for_(timedelta(minutes=1), clock)


def test_stories_and_comments_become_mentions(platform: hackernews.HackerNews) -> None:
    """Titles, text out of HTML, links, parents and whole threads are told."""
    clock = ManualClock(START)
    platform.post(1, START, "Acme outage", url="https://acme.example/post")
    html = 'It&#x27;s <i>down</i>:<p>see <a href="https://acme.example/s">here</a> acme'
    platform.comment(2, START, html, parent=1, story=1)
    story, comment = [v for v in heard(platform, clock).came if isinstance(v, Mention)]
    assert (story.id, story.kind, story.text) == ("hackernews:1", "post", "Acme outage")
    assert story.links == ("https://acme.example/post",)
    assert story.author_id == "hackernews:alice"
    assert comment.kind == "comment"
    assert comment.text == "It's down:\n\nsee here acme"
    assert (comment.reply_to, comment.thread) == ("1", "1")
    assert comment.links == ("https://acme.example/s",)
    assert comment.url == "https://news.ycombinator.com/item?id=2"


def test_an_edit_is_a_new_version_and_a_vote_is_none(platform: hackernews.HackerNews) -> None:
    """Firebase lists both as changes; only another text is told."""
    clock = ManualClock(START)
    platform.post(1, START, "Acme is slow")
    listener = heard(platform, clock)
    platform.change(1, score=99)
    listener.for_(timedelta(minutes=2), clock)
    assert len([v for v in listener.came if isinstance(v, Mention)]) == 1
    platform.change(1, title="Acme is down")
    listener.for_(timedelta(minutes=2), clock)
    first, second = [v for v in listener.came if isinstance(v, Mention)]
    assert second.id == first.id
    assert second.version > first.version
    assert second.text == "Acme is down"


def test_a_dead_item_is_hidden_until_it_is_back(platform: hackernews.HackerNews) -> None:
    """Flagged items can come back; deleted ones cannot."""
    clock = ManualClock(START)
    platform.post(1, START, "Acme is down")
    listener = heard(platform, clock)
    platform.change(1, dead=True)
    listener.for_(timedelta(minutes=2), clock)
    platform.change(1, dead=False)
    listener.for_(timedelta(minutes=2), clock)
    assert [v.kind for v in listener.came if isinstance(v, Removal)] == ["hidden", "shown"]


def test_what_was_deleted_while_away_is_found_by_looking_again(
    platform: hackernews.HackerNews,
) -> None:
    """The list of changes is short; what we hold is looked at again, round after round."""
    clock = ManualClock(START)
    for number in range(1, 31):
        platform.post(number, START, f"Acme {number}")
    listener = heard(platform, clock)
    listener.kill()
    for number in (3, 27):
        platform.change(number, deleted=True)
    platform.updates.clear()

    def held(platform: str, since: datetime, after: str, most: int) -> list[str]:
        assert platform == "hackernews"
        assert since == clock.now() - timedelta(days=3)
        return sorted(str(n) for n in range(1, 31) if str(n) > after)[:most]

    later = Listener(source(platform, clock, held=held), listener.cursor)
    later.for_(timedelta(minutes=3), clock)
    gone = {v.removal for v in later.came if isinstance(v, Removal)}
    assert gone == {"hackernews:3", "hackernews:27"}
    asked = [a.path for a in platform.asked if a.path.startswith("/v0/item/")]
    assert len(asked) == 30


def test_only_what_may_be_known_is_looked_at(platform: hackernews.HackerNews) -> None:
    """Most changes concern others: they cost no call."""
    clock = ManualClock(START)
    platform.post(1, START, "Nordwind is down")
    platform.updates = [1, 2, 3]
    heard(platform, clock, known=lambda number: number == "hackernews:2")
    asked = {a.path for a in platform.asked if a.path.startswith("/v0/item/")}
    assert asked == {"/v0/item/2.json"}
