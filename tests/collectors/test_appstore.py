"""App Store over a local server: the public feed, and App Store Connect with signed tokens."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from collectors.appstore.source import AppStore, AppStoreSettings
from pipeline.clock import ManualClock
from pipeline.errors import Misuse
from tests.contracts.listening import START, Listener, Stage, mentions
from tests.contracts.platform import PlatformContract
from tests.servers import appstore
from tests.servers.platform import document, served


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[appstore.AppStore]:
    with served(appstore.AppStore()) as running:
        monkeypatch.setenv("ACME_KEY", running.key)
        yield running


def source(platform: appstore.AppStore, clock: ManualClock, **more: Any) -> AppStore:
    more = {"tracks": ["acme"]} | more
    return AppStore("appstore", clock, "7", url=platform.url, **more)


CONNECT = {"key_from": "ACME_KEY", "key_id": "K1", "issuer_id": "I1"}


class TestFeed(PlatformContract):
    """The public feed keeps the contract of platforms; it ends after 500 reviews."""

    kind = "appstore"

    @pytest.fixture
    def stage(self, platform: appstore.AppStore) -> Stage:
        clock = ManualClock(START)

        def post(number: int, at: datetime) -> None:
            platform.post(number, at, f"Acme is down post {number}")

        return Stage(
            platform,
            clock,
            post,
            lambda: source(platform, clock),
            page=50,
            reach=500,
            spoil=lambda number: platform.reviews[number].update(rating="many"),
            calls=(20, timedelta(minutes=1)),
        )


class TestConnect(PlatformContract):
    """So does App Store Connect, which goes back as far as one likes."""

    kind = "appstore"

    @pytest.fixture
    def stage(self, platform: appstore.AppStore) -> Stage:
        clock = ManualClock(START)
        platform.page = 40

        def post(number: int, at: datetime) -> None:
            platform.post(number, at, f"Acme is down post {number}")

        return Stage(
            platform,
            clock,
            post,
            lambda: source(platform, clock, **CONNECT),
            page=40,
            spoil=lambda number: platform.reviews[number].update(rating="many"),
            calls=(3_000, timedelta(hours=1)),
            setting="key_from",
        )


def look(platform: appstore.AppStore, clock: ManualClock, **more: Any) -> Listener:
    return Listener(source(platform, clock, **more)).for_(timedelta(minutes=1), clock)


def test_a_review_has_rating_version_and_country(platform: appstore.AppStore) -> None:
    """And a title, its author, and how many found it helpful."""
    platform.post(5, START, "It keeps crashing", title="Broken", country="gb", rating=2)
    [found] = mentions(look(platform, ManualClock(START), countries=["us", "GB"]))
    assert (found.id, found.kind, found.author_id) == ("appstore:7/5", "review", "appstore:alice")
    assert found.text == "Broken\n\nIt keeps crashing"
    assert (found.rating, found.app_version, found.place) == (2.0, "4.2.0", "United Kingdom")
    assert found.engagement == {"votes": 3.0, "helpful": 2.0}
    assert found.tracks == ("acme",)
    assert found.url == "https://apps.apple.com/gb/app/id7?see-all=reviews"


def test_connect_reads_all_countries_at_once(platform: appstore.AppStore) -> None:
    """Territories have codes of three letters there; the token says whose it is."""
    platform.post(5, START, "It keeps crashing", country="gb", rating=2)
    platform.post(6, START, "Fine", country="us", rating=5)
    found = mentions(look(platform, ManualClock(START), **CONNECT))
    assert {(one.place, one.rating) for one in found} == {
        ("United Kingdom", 2.0), ("United States", 5.0),
    }  # fmt: skip
    assert platform.tokens[0]["kid"] == "K1"
    assert platform.tokens[0]["iss"] == "I1"


def test_a_token_is_made_anew_before_it_ends(platform: appstore.AppStore) -> None:
    """Apple refuses those of more than twenty minutes."""
    clock = ManualClock(START)
    listener = look(platform, clock, **CONNECT)
    listener.for_(timedelta(hours=1), clock)
    lives = {told["exp"] - told["iat"] for told in platform.tokens}
    assert max(lives) <= 20 * 60
    assert len({told["iat"] for told in platform.tokens}) >= 3


def test_our_token_goes_to_no_address_that_an_answer_names(platform: appstore.AppStore) -> None:
    """The next page's address is elsewhere there; only its cursor is taken."""
    platform.page = 2
    for number in range(1, 6):
        platform.post(number, START, f"post {number}")
    listener = look(platform, ManualClock(START), **CONNECT)
    assert sorted(listener.numbers) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("more", [{}, CONNECT], ids=["feed", "connect"])
def test_an_edit_is_a_new_version(platform: appstore.AppStore, more: dict[str, Any]) -> None:
    """Also after a restart, and the same one comes once."""
    clock = ManualClock(START)
    platform.post(1, START, "It keeps crashing", rating=1)
    listener = look(platform, clock, **more)
    platform.reviews[1] |= {"at": clock.now(), "body": "Works again", "rating": 5}
    later = Listener(source(platform, clock, **more), listener.cursor)
    later.for_(timedelta(minutes=30), clock)
    [first], [edit] = mentions(listener), mentions(later)
    assert edit.id == first.id
    assert edit.version > first.version
    assert (edit.text, edit.rating) == ("Works again", 5.0)


def test_a_review_that_is_shown_late_is_not_lost(platform: appstore.AppStore) -> None:
    """It stands among older ones, at the time when it was written."""
    clock = ManualClock(START)
    platform.post(2, START - timedelta(minutes=1), "post 2")
    listener = look(platform, clock)
    platform.post(1, START - timedelta(hours=20), "post 1")
    listener.for_(timedelta(minutes=20), clock)
    assert listener.numbers == [2, 1]


def test_what_the_feed_has_no_room_for_is_a_gap(platform: appstore.AppStore) -> None:
    """It ends after 500 reviews of a country; what lies beyond is on record."""
    clock = ManualClock(START)
    platform.post(1, START, "post 1")
    listener = look(platform, clock)
    listener.kill()
    clock.set(START + timedelta(days=3))
    for number in range(2, 602):
        platform.post(number, START + timedelta(minutes=5 * number), f"post {number}")
    later = Listener(source(platform, clock), listener.cursor).for_(timedelta(minutes=1), clock)
    assert later.numbers == list(range(102, 602))
    [gap] = later.gaps
    assert gap.to_at == START + timedelta(minutes=5 * 102)


def test_an_empty_page_in_the_middle_is_no_end(platform: appstore.AppStore) -> None:
    """The feed is short of a page now and then; taken for its end, a hole would stay unknown."""
    clock = ManualClock(START)
    for number in range(1, 121):
        platform.post(number, START - timedelta(seconds=number), f"post {number}")
    listener = Listener(source(platform, clock))
    link = {"attributes": {"rel": "last", "href": "https://x.example/page=3/id=7"}}
    empty = document({"feed": {"link": [link]}})
    ask = platform.reply
    answers = iter([None, empty])
    platform.reply = lambda asked: next(answers, None) or ask(asked)  # type: ignore[method-assign]
    listener.for_(timedelta(minutes=5), clock)
    assert sorted(listener.numbers) == list(range(1, 121))
    assert listener.pauses


def test_an_app_without_reviews_is_read(platform: appstore.AppStore) -> None:
    """The feed then has no entries at all; the app itself among them is no review."""
    clock = ManualClock(START)
    listener = look(platform, clock)
    assert listener.read
    app = {"im:name": {"label": "Acme"}, "id": {"label": "https://apps.apple.com/app/id7"}}
    platform.always = document({"feed": {"entry": app}})
    listener.for_(timedelta(minutes=20), clock)
    assert {type(value).__name__ for value in listener.came} == {"Coverage"}


@pytest.mark.parametrize("key", ["no key at all", "-----BEGIN PRIVATE KEY-----\\nMIIB\\n-----END"])
def test_a_key_that_is_none_is_named_by_its_setting(
    platform: appstore.AppStore, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """And never shown."""
    monkeypatch.setenv("ACME_KEY", key)
    with pytest.raises(Misuse, match="key_from") as raised:
        look(platform, ManualClock(START), **CONNECT)
    assert "MIIB" not in str(raised.value)


@pytest.mark.parametrize(
    "wrong",
    [{"countries": ["usa"]}, {"key_from": "ACME_KEY"}, {"tracks": []}, {"app": "acme"}],
    ids=str,
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    """Before anything is asked."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AppStoreSettings.model_validate({"app": "7", "tracks": ["acme"]} | wrong)
