"""Mastodon over a local instance, through its own library: timelines, mentions, streams."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collectors.mastodon import source as asked
from collectors.mastodon.source import Mastodon
from pipeline.clock import ManualClock
from pipeline.errors import Misuse
from pipeline.model import Removal
from pipeline.ports import Unreadable
from pipeline.tracks import Track
from tests.contracts.listening import START, Listener, Stage, mentions
from tests.contracts.platform import PlatformContract
from tests.servers import mastodon
from tests.servers.platform import Fault, served

ACME = Track(name="acme", terms=("acme",), hashtags=("acme",))


@pytest.fixture
def platform() -> Iterator[mastodon.Mastodon]:
    with served(mastodon.Mastodon()) as running:
        yield running


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_TOKEN", "a-token")


def source(platform: mastodon.Mastodon, clock: ManualClock, **more: Any) -> Mastodon:
    more = {"tracks": [ACME], "token_from": "ACME_TOKEN"} | more
    return Mastodon("mastodon", clock, platform.url, **more)


class TestContract(PlatformContract):
    """Mastodon's timelines keep the contract of platforms; no stream is needed for that."""

    kind = "mastodon"

    @pytest.fixture
    def stage(self, platform: mastodon.Mastodon, monkeypatch: pytest.MonkeyPatch) -> Stage:
        monkeypatch.setattr(asked, "LIMIT", 10)  # Mastodon.py takes 3 ms for each status
        clock = ManualClock(START)

        def post(number: int, at: datetime) -> None:
            platform.post(number, at, f"Acme is down post {number}")

        return Stage(
            platform,
            clock,
            post,
            lambda: source(platform, clock, token_from=None),
            page=10,
            spoil=lambda number: platform.statuses[number].update(content="x" * 1_100_000),
            calls=(250, timedelta(minutes=5)),
        )


def look(platform: mastodon.Mastodon, clock: ManualClock, **more: Any) -> Listener:
    more = {"token_from": None} | more
    return Listener(source(platform, clock, **more)).for_(timedelta(seconds=30), clock)


def test_a_status_becomes_a_mention(platform: mastodon.Mastodon) -> None:
    """Text out of HTML, warnings before it, names, tags, links that lead somewhere."""
    html = (
        '<a class="u-url mention" href="https://social.example/@acme">@acme</a> is down '
        '<a class="mention hashtag" href="https://social.example/tags/acme">#acme</a> '
        '<a href="https://acme.example/s"><span class="invisible">https://</span>acme…</a>'
    )
    platform.post(5, START, html, spoiler_text="outage", in_reply_to_id="3", language="de")
    platform.statuses[5]["mentions"] = [{"acct": "acme", "id": "9"}]
    host = platform.url.removeprefix("http://")
    [found] = mentions(look(platform, ManualClock(START)))
    assert found.id == f"mastodon:{host}/5"
    assert found.text == "outage\n\n@acme is down #acme https://acme…"
    assert (found.kind, found.reply_to, found.lang) == ("reply", f"{host}/3", "de")
    assert (found.hashtags, found.mentions) == (("acme",), ("acme",))
    assert found.links == ("https://acme.example/s",)
    assert found.author_id == f"mastodon:{host}/7"
    assert found.author.created_at == datetime(2019, 4, 1, tzinfo=UTC)


def test_a_repost_and_a_quote_of_something_deleted(platform: mastodon.Mastodon) -> None:
    """A repost has the text of what it repeats; a quote of nothing is a post."""
    inner = dict(platform.post(1, START, "Acme is down"))
    platform.post(2, START, "", reblog=inner)
    platform.post(3, START, "see Acme", quote={"state": "deleted", "quoted_status": None})
    host = platform.url.removeprefix("http://")
    found = {one.external_id: one for one in mentions(look(platform, ManualClock(START)))}
    shared = found[f"{host}/2"]
    assert (shared.kind, shared.repost_of, shared.text) == ("repost", f"{host}/1", "Acme is down")
    assert (found[f"{host}/3"].kind, found[f"{host}/3"].quote_of) == ("post", None)


def test_what_was_meant_for_few_is_not_kept(platform: mastodon.Mastodon) -> None:
    """Direct messages arrive among mentions; they are nobody's public word."""
    for number, visibility in enumerate(("direct", "private", "public", "unlisted"), 1):
        platform.post(number, START, f"@acme {number}", visibility=visibility)
        platform.notifications.append(number)
    listener = look(platform, ManualClock(START), token_from="ACME_TOKEN", tracks=[])
    assert {one.text for one in mentions(listener)} == {"@acme 3", "@acme 4"}
    assert not any(isinstance(value, Unreadable) for value in listener.came)


def test_an_edit_is_a_new_version(platform: mastodon.Mastodon) -> None:
    """Also after a restart, and the same one comes once."""
    clock = ManualClock(START)
    platform.post(1, START, "Acme is slow")
    listener = look(platform, clock)
    edit = (START + timedelta(minutes=1)).isoformat()
    platform.statuses[1] |= {"content": "<p>Acme is down</p>", "edited_at": edit}
    later = Listener(source(platform, clock, token_from=None), listener.cursor)
    later.for_(timedelta(minutes=3), clock)
    [changed] = mentions(later)
    assert changed.text == "Acme is down"
    assert changed.version == int((START + timedelta(minutes=1)).timestamp() * 1_000)


def streaming(
    platform: mastodon.Mastodon, clock: ManualClock, count: int = 2
) -> tuple[Listener, Callable[[Callable[[Listener], bool]], None]]:
    """A listener whose streams are open, and how to wait for what they bring."""
    listener = Listener(source(platform, clock))

    def wait(is_enough: Callable[[Listener], bool]) -> None:
        deadline = time.monotonic() + 20
        while not is_enough(listener):
            assert time.monotonic() < deadline
            listener.for_(timedelta(seconds=2), clock)
            time.sleep(0.02)

    wait(lambda _: len(platform.streams) == count)
    return listener, wait


def test_a_stream_tells_at_once_and_looks_do_not_repeat_it(platform: mastodon.Mastodon) -> None:
    """New posts, edits and deletes; ids of deletes are text, those of edits may be numbers."""
    clock = ManualClock(START)
    listener, wait = streaming(platform, clock)
    made = platform.post(1, clock.now(), "Acme is slow")
    platform.push("update", made)
    wait(lambda one: len(mentions(one)) == 1)
    listener.for_(timedelta(minutes=3), clock)
    assert len(mentions(listener)) == 1
    edit = {"content": "<p>Acme is down</p>", "edited_at": clock.now().isoformat(), "id": 1}
    platform.statuses[1] |= edit
    platform.push("status.update", platform.statuses[1])
    wait(lambda one: len(mentions(one)) == 2)
    del platform.statuses[1]
    platform.push("delete", "1")
    platform.push("delete", "999")
    wait(lambda one: any(isinstance(v, Removal) for v in one.came))
    listener.for_(timedelta(minutes=3), clock)
    first, second = mentions(listener)
    assert second.version > first.version
    removals = [value for value in listener.came if isinstance(value, Removal)]
    assert {(one.removal, one.kind) for one in removals} == {(first.id, "erased")}
    listener.stop.set()


@pytest.mark.parametrize("data", [None, b"event: update\ndata: {bad\n\n", b"nonsense\n"])
def test_a_stream_that_ends_is_opened_again_and_loses_nothing(
    platform: mastodon.Mastodon, data: bytes | None
) -> None:
    """After clean closes and malformed events alike; looks find what was said meanwhile."""
    clock = ManualClock(START)
    listener, wait = streaming(platform, clock)
    platform.write(data)
    platform.streams.clear()
    platform.post(1, clock.now(), "Acme is down post 1")
    wait(lambda one: len(platform.streams) == 2 and 1 in one.numbers)
    platform.push("update", platform.post(2, clock.now(), "Acme is down post 2"))
    wait(lambda one: 2 in one.numbers)
    assert listener.gaps == []
    listener.stop.set()


def test_a_storm_of_clean_closes_is_opened_again_once_a_look(platform: mastodon.Mastodon) -> None:
    """Connects are calls, and counted as such."""
    clock = ManualClock(START)
    listener, _ = streaming(platform, clock)
    before = len(platform.asked)
    for _ in range(10):
        platform.write(None)
        listener.for_(timedelta(minutes=1), clock)
        time.sleep(0.02)
    assert len(platform.asked) - before <= 10 * 2 * 5
    listener.stop.set()


def test_backfill_never_asks_with_since_id(platform: mastodon.Mastodon) -> None:
    """It gives the newest page and skips what is between."""
    clock = ManualClock(START)
    listener = look(platform, clock)
    for number in range(1, 61):
        platform.post(number, clock.now(), f"Acme post {number}")
    later = Listener(source(platform, clock, token_from=None), listener.cursor)
    later.for_(timedelta(minutes=2), clock)
    assert later.numbers == list(range(1, 61))
    assert not any("since_id" in asked.params for asked in platform.asked)


def test_nothing_to_listen_for_is_a_misuse(platform: mastodon.Mastodon) -> None:
    """Neither hashtags nor an account: the settings say too little."""
    with pytest.raises(Misuse, match="hashtags"):
        source(platform, ManualClock(START), tracks=[], token_from=None)


def test_what_the_streams_did_not_tell_is_found_by_looking_again(
    platform: mastodon.Mastodon,
) -> None:
    """What is not there is hidden, and erased the next day; a suspended account may come back."""
    clock = ManualClock(START)
    for number in range(1, 6):
        platform.post(number, START, f"Acme {number}")
    host = platform.url.removeprefix("http://")
    ids = [*(f"{host}/{number}" for number in range(1, 6)), "elsewhere.example/9"]

    def held(name: str, since: datetime, after: str, most: int) -> list[str]:
        assert (name, since) == ("mastodon", clock.now() - timedelta(days=7))
        return [one for one in sorted(ids) if one > after][:most]

    del platform.statuses[2]
    suspended = platform.statuses[3]["account"] | {"suspended": True}
    platform.statuses[3]["account"] = suspended
    platform.statuses[4] |= {"content": "<p>Acme is up</p>", "edited_at": START.isoformat()}
    seldom = {"token_from": None, "poll_seconds": 300}
    listener = Listener(source(platform, clock, held=held, **seldom))
    listener.for_(timedelta(minutes=5), clock)
    removals = [value for value in listener.came if isinstance(value, Removal)]
    assert {(one.removal, one.kind) for one in removals} == {
        (f"mastodon:{host}/2", "hidden"), (f"mastodon:{host}/3", "hidden"),
    }  # fmt: skip
    assert any(one.text == "Acme is up" and one.version for one in mentions(listener))
    platform.statuses[3]["account"] = suspended | {"suspended": False}
    listener.for_(timedelta(hours=25), clock)
    told = [(v.removal, v.kind) for v in listener.came if isinstance(v, Removal)]
    assert told[len(removals) :] == [
        (f"mastodon:{host}/2", "erased"), (f"mastodon:{host}/3", "shown"),
    ]  # fmt: skip
    assert not any("/9" in asked.path for asked in platform.asked)


@pytest.mark.parametrize("token", ["ACME_TOKEN", None])
@pytest.mark.parametrize("status", [403, 401, 500])
def test_a_status_that_is_refused_again_and_again_holds_up_no_other(
    platform: mastodon.Mastodon, status: int, token: str | None
) -> None:
    """It is put behind the others, and neither ends the source nor speaks for its token."""
    clock = ManualClock(START)
    host = platform.url.removeprefix("http://")
    platform.post(9, START, "Acme")
    ids = [f"{host}/{number}" for number in range(1, 5)]

    def held(name: str, since: datetime, after: str, most: int) -> list[str]:
        return [one for one in ids if one > after][:most]

    ask = platform.reply
    refused = Fault(status, b'{"error": "no"}', (("Content-Type", "application/json"),))
    platform.reply = lambda asked: (  # type: ignore[method-assign]
        refused if asked.path.endswith(("statuses/1", "statuses/3")) else ask(asked)
    )
    listener = Listener(source(platform, clock, token_from=token, held=held))
    listener.for_(timedelta(hours=1), clock)
    told = {value.removal for value in listener.came if isinstance(value, Removal)}
    assert told == {f"mastodon:{host}/2", f"mastodon:{host}/4"}
    asked = [one.path for one in platform.asked if one.path.endswith("statuses/1")]
    assert len(asked) == 4
    listener.stop.set()
    listener.kill()


def test_a_mention_that_came_late_is_no_end(platform: mastodon.Mastodon) -> None:
    """Another instance was away for hours: it stands where it came in, and so it is read."""
    clock = ManualClock(START)
    more: dict[str, Any] = {"token_from": "ACME_TOKEN", "tracks": []}
    listener = look(platform, clock, **more)
    for number in range(1, 61):
        clock.set(clock.now() + timedelta(seconds=1))
        platform.post(number, clock.now(), f"@acme post {number}")
        platform.notifications.append(number)
    platform.came[55] = platform.statuses[55]["created_at"]
    platform.statuses[55]["created_at"] = (START - timedelta(hours=30)).isoformat()
    listener.for_(timedelta(minutes=2), clock)
    assert sorted(listener.numbers) == list(range(1, 61))


def test_an_old_status_among_new_ones_is_no_end(platform: mastodon.Mastodon) -> None:
    """An instance may number what it fetched from elsewhere by when it did so."""
    clock = ManualClock(START)
    listener = look(platform, clock)
    for number in range(1, 61):
        clock.set(clock.now() + timedelta(seconds=1))
        platform.post(number, clock.now(), f"Acme post {number}")
    platform.statuses[55]["created_at"] = (START - timedelta(days=9)).isoformat()
    listener.for_(timedelta(minutes=2), clock)
    assert sorted({*listener.numbers, 55}) == list(range(1, 61))


def test_a_page_of_a_proxy_erases_nothing(platform: mastodon.Mastodon) -> None:
    """An instance that is away may answer 404 to everything; nothing undoes an erasure."""
    clock = ManualClock(START)
    host = platform.url.removeprefix("http://")

    def held(name: str, since: datetime, after: str, most: int) -> list[str]:
        return [] if after else [f"{host}/1"]

    platform.always = Fault(404, b"<html>no such site", (("Content-Type", "text/html"),))
    listener = Listener(source(platform, clock, token_from=None, held=held))
    listener.for_(timedelta(hours=1), clock)
    platform.always = None
    ask = platform.reply
    page = Fault(404, b"<html>", (("Content-Type", "text/html"),))
    platform.reply = lambda asked: page if "statuses" in asked.path else ask(asked)  # type: ignore[method-assign]
    listener.for_(timedelta(hours=1), clock)
    assert not any(isinstance(value, Removal) for value in listener.came)
