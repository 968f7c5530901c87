"""Bluesky's search and notifications over a local server, through atproto's client."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from collectors.bluesky.search import BlueskySearch
from pipeline.clock import ManualClock
from pipeline.errors import GiveUp
from pipeline.model import Removal
from pipeline.tracks import Track
from tests.contracts.listening import START, Listener, Stage, mentions
from tests.contracts.platform import PlatformContract
from tests.servers import bluesky
from tests.servers.platform import document, served

ACME = Track(name="acme", terms=("acme",), hashtags=("acmedown",), own=("acme.example",))


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_PASSWORD", bluesky.PASSWORD)


@pytest.fixture
def platform() -> Iterator[bluesky.Bluesky]:
    with served(bluesky.Bluesky()) as running:
        yield running


def source(platform: bluesky.Bluesky, clock: ManualClock, **more: Any) -> BlueskySearch:
    more = {"tracks": [ACME], "password_from": "ACME_PASSWORD"} | more
    return BlueskySearch("bluesky-search", clock, "acme.example", url=platform.url, **more)


class TestContract(PlatformContract):
    """Bluesky's search keeps the contract of platforms."""

    kind = "bluesky-search"

    @pytest.fixture
    def stage(self, platform: bluesky.Bluesky) -> Stage:
        clock = ManualClock(START)

        def post(number: int, at: datetime) -> None:
            platform.post(number, at, f"Acme is down post {number}")

        def spoil(number: int) -> None:
            platform.posts[number]["indexedAt"] = "soon"

        return Stage(
            platform,
            clock,
            post,
            lambda: source(platform, clock),
            page=100,
            spoil=spoil,
            calls=(600, timedelta(minutes=5)),
            setting="password_from",
        )


def look(platform: bluesky.Bluesky, clock: ManualClock, **more: Any) -> Listener:
    return Listener(source(platform, clock, **more)).for_(timedelta(minutes=1), clock)


def test_a_post_that_is_found_is_the_one_that_jetstream_tells(platform: bluesky.Bluesky) -> None:
    """The same id, so that what both bring is one mention; and here the handle is known."""
    root = {"uri": "at://did:plc:x/app.bsky.feed.post/1", "cid": "bafymade"}
    platform.post(1, START, "Acme is down", reply={"root": root, "parent": root}, langs=["de"])
    [found] = mentions(look(platform, ManualClock(START)))
    assert (found.id, found.kind) == ("bluesky:did:plc:author1/post1", "reply")
    assert (found.author.handle, found.lang) == ("author1.example", "de")
    assert (found.event_at, found.tracks) == (START, ("acme",))


def test_what_is_said_to_the_account_needs_no_name(platform: bluesky.Bluesky) -> None:
    """Replies seldom repeat it; likes and followers say nothing."""
    for number, reason in enumerate(("reply", "like", "mention", "follow"), 1):
        platform.post(number, START, f"nothing works {number}")
        platform.notifications.append((number, reason))
    found = mentions(look(platform, ManualClock(START)))
    assert {one.text for one in found} == {"nothing works 1", "nothing works 3"}
    assert {one.tracks for one in found} == {("acme",)}


def test_a_long_result_is_paged_by_time(platform: bluesky.Bluesky) -> None:
    """Also where many were said in one millisecond; the search's own cursors end too early."""
    clock = ManualClock(START)
    for number in range(1, 251):
        at = START - timedelta(seconds=number // 60)
        platform.post(number, at, f"acme post {number}")
    listener = look(platform, clock)
    assert sorted(listener.numbers) == list(range(1, 251))
    assert not any("cursor" in asked.params for asked in platform.asked)


def test_a_date_of_the_client_s_own_moves_nothing(platform: bluesky.Bluesky) -> None:
    """The search sorts by it; the post happened when the platform saw it."""
    clock = ManualClock(START)
    platform.post(1, START, "acme post 1", createdAt="2026-03-02T08:00:00.000Z")
    platform.post(2, START, "acme post 2", createdAt="2030-01-01T00:00:00.000Z")
    listener = look(platform, clock)
    assert {one.event_at for one in mentions(listener)} == {START}
    assert sorted(listener.numbers) == [1, 2]


def held(numbers: list[int]) -> Any:
    ids = sorted(f"did:plc:author{number}/post{number}" for number in numbers)

    def found(platform: str, since: datetime, after: str, most: int) -> list[str]:
        assert platform == "bluesky"
        return [one for one in ids if one > after][:most]

    return found


def test_what_was_deleted_in_a_long_outage_is_found(platform: bluesky.Bluesky) -> None:
    """A post that is not there is hidden, and erased if it is not there the next day either.

    One whose account is gone stays hidden until that comes back.
    """
    clock = ManualClock(START)
    for number in range(1, 41):
        platform.post(number, START, f"acme post {number}")
    numbers = list(platform.posts)
    del platform.posts[3], platform.posts[27]
    platform.gone.add("did:plc:author9")
    listener = Listener(source(platform, clock, held=held(numbers)))
    listener.for_(timedelta(minutes=30), clock)
    told = {(v.removal, v.kind) for v in listener.came if isinstance(v, Removal)}
    assert told == {
        ("bluesky:did:plc:author3/post3", "hidden"),
        ("bluesky:did:plc:author27/post27", "hidden"),
        ("bluesky:did:plc:author9/post9", "hidden"),
    }
    platform.gone.clear()
    later = Listener(source(platform, clock, held=held(numbers)), listener.cursor)
    later.for_(timedelta(hours=26), clock)
    back = [(v.removal, v.kind) for v in later.came if isinstance(v, Removal)]
    assert set(back) == {
        ("bluesky:did:plc:author3/post3", "erased"),
        ("bluesky:did:plc:author27/post27", "erased"),
        ("bluesky:did:plc:author9/post9", "shown"),
    }


def test_an_answer_without_posts_erases_nothing(platform: bluesky.Bluesky) -> None:
    """Though the authors are there; all of it is shown again in the next round."""
    clock = ManualClock(START)
    for number in range(1, 31):
        platform.post(number, START, f"acme post {number}")
    there, none = platform._posts, lambda _: document({"posts": []})
    platform._posts = none  # type: ignore[method-assign]
    listener = Listener(source(platform, clock, held=held(list(platform.posts))))
    listener.for_(timedelta(minutes=30), clock)
    platform._posts = there  # type: ignore[method-assign]
    listener.for_(timedelta(hours=26), clock)
    kinds = [v.kind for v in listener.came if isinstance(v, Removal)]
    assert kinds == ["hidden"] * 30 + ["shown"] * 30


def test_what_is_said_to_us_with_an_old_date_is_no_end(platform: bluesky.Bluesky) -> None:
    """Notifications stand by when they came in; a bridge keeps the date of long ago."""
    clock = ManualClock(START)
    platform.page = 5
    listener = look(platform, clock)
    clock.set(clock.now() + timedelta(minutes=5))
    for number in range(1, 13):
        platform.post(number, clock.now(), f"you are down post {number}")
        platform.notifications.append((number, "mention"))
    platform.posts[11]["record"]["createdAt"] = "2024-01-01T00:00:00.000Z"
    listener.for_(timedelta(minutes=10), clock)
    assert sorted(listener.numbers) == list(range(1, 13))


def test_a_session_is_kept_and_made_anew_when_it_ends(platform: bluesky.Bluesky) -> None:
    """Bluesky counts logins; a look in a session costs none."""
    clock = ManualClock(START)
    listener = look(platform, clock)
    listener.for_(timedelta(hours=1), clock)
    assert platform.logins == 1
    platform.tokens.clear()
    platform.post(1, clock.now(), "acme post 1")
    listener.for_(timedelta(minutes=15), clock)
    assert listener.numbers == [1]
    assert platform.logins == 2


def test_a_wrong_password_ends_it(
    platform: bluesky.Bluesky, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three tries; it is named by its setting and never shown."""
    monkeypatch.setenv("ACME_PASSWORD", "wrong-word")
    clock = ManualClock(START)
    with pytest.raises(GiveUp, match="password_from") as raised:
        Listener(source(platform, clock)).for_(timedelta(hours=1), clock)
    assert "wrong-word" not in str(raised.value)
    assert len(platform.asked) == 3
