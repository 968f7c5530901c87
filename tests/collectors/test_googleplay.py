"""Google Play over a local server: tokens through google-auth, reviews of the last week."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from collectors.googleplay.source import GooglePlay
from config.settings import Settings
from config.wiring import labeller
from pipeline.clock import ManualClock
from pipeline.errors import GiveUp, Misuse
from pipeline.ports import Unreadable
from pipeline.steps.text import prepare
from tests.contracts.listening import START, Listener, Stage, mentions
from tests.contracts.platform import PlatformContract
from tests.servers import googleplay
from tests.servers.platform import Fault, served


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def platform(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[googleplay.GooglePlay]:
    with served(googleplay.GooglePlay(clock)) as running:
        monkeypatch.setenv("ACME_KEY", running.key)
        yield running


def source(platform: googleplay.GooglePlay, clock: ManualClock) -> GooglePlay:
    return GooglePlay(
        "googleplay", clock, "com.acme.shop", ["acme"], key_from="ACME_KEY", url=platform.url
    )


class TestContract(PlatformContract):
    """Google Play keeps the contract of platforms."""

    kind = "googleplay"

    @pytest.fixture
    def stage(self, platform: googleplay.GooglePlay, clock: ManualClock) -> Stage:
        platform.page = 40

        def post(number: int, at: datetime) -> None:
            platform.post(number, at, f"Acme is down post {number}")

        def spoil(number: int) -> None:
            platform.reviews[number]["comments"][0]["userComment"]["starRating"] = "many"

        return Stage(
            platform,
            clock,
            post,
            lambda: source(platform, clock),
            page=40,
            spoil=spoil,
            calls=(150, timedelta(hours=1)),
            setting="key_from",
        )


def look(platform: googleplay.GooglePlay, clock: ManualClock) -> Listener:
    return Listener(source(platform, clock)).for_(timedelta(minutes=1), clock)


def test_a_review_has_rating_and_version(
    platform: googleplay.GooglePlay, clock: ManualClock
) -> None:
    """Title and text, the author's language, and thumbs; a translation gives way to the text."""
    platform.post(
        5, START, "", text="Kaputt\tStürzt ab", starRating=2, appVersionName="4.2.0",
        reviewerLanguage="de_AT", thumbsUpCount=3, thumbsDownCount=0,
    )  # fmt: skip
    platform.post(6, START, "", text="\tIt is down", originalText="\tC'est en panne")
    first, second = sorted(mentions(look(platform, clock)), key=lambda one: one.id)
    assert (first.id, first.kind) == ("googleplay:com.acme.shop/gp:5", "review")
    assert first.text == "Kaputt\n\nStürzt ab"
    assert (first.rating, first.app_version, first.lang) == (2.0, "4.2.0", "de")
    assert first.engagement == {"thumbs_up": 3, "thumbs_down": 0}
    assert (first.author.id, first.author.handle) == (None, "Alice")
    assert first.tracks == ("acme",)
    assert second.text == "C'est en panne"


def test_an_edit_is_a_new_version(platform: googleplay.GooglePlay, clock: ManualClock) -> None:
    """Also after a restart, and the same one comes once."""
    platform.post(1, START, "It keeps crashing")
    listener = look(platform, clock)
    platform.post(1, clock.now(), "Works again", starRating=5)
    later = Listener(source(platform, clock), listener.cursor)
    later.for_(timedelta(minutes=30), clock)
    [first], [edit] = mentions(listener), mentions(later)
    assert (edit.id, edit.text, edit.rating) == (first.id, "Works again", 5.0)
    assert edit.version > first.version


def test_our_reply_is_known_as_our_own(platform: googleplay.GooglePlay, clock: ManualClock) -> None:
    """It comes with the review it answers, and is the official voice, whatever it says."""
    platform.post(1, START, "It is down, nothing works")
    listener = look(platform, clock)
    platform.answer_review(1, clock.now(), "Sorry, the app is down and nothing works")
    listener.for_(timedelta(minutes=10), clock)
    review, reply = mentions(listener)
    assert (reply.kind, reply.reply_to) == ("reply", review.external_id)
    table = {"type": "googleplay", "app": "com.acme.shop"}
    models = labeller(Settings.model_validate({"source": [table]}))
    theirs, ours = models.label([review, reply], prepare([review, reply]))
    assert ours["voice"].name == "official"
    assert ours["intent"].name != "report"
    assert "voice" not in theirs


def test_what_is_older_than_a_week_is_a_gap(
    platform: googleplay.GooglePlay, clock: ManualClock
) -> None:
    """The API has forgotten it; the ledger says from when to when."""
    platform.post(1, START, "post 1")
    listener = look(platform, clock)
    listener.kill()
    read = listener.read[-1].to_at
    for number in range(2, 21):
        platform.post(number, START + timedelta(days=number - 1), f"post {number}")
    clock.set(START + timedelta(days=20))
    later = Listener(source(platform, clock), listener.cursor).for_(timedelta(minutes=1), clock)
    assert later.numbers == list(range(15, 21))
    [gap] = later.gaps
    assert gap.from_at == read
    assert timedelta(days=13) <= gap.to_at - START <= timedelta(days=13, minutes=1)


def test_a_quiet_app_is_no_gap(platform: googleplay.GooglePlay, clock: ManualClock) -> None:
    """Weeks without a review are read, though the newest one is out of the API's reach."""
    platform.post(1, START, "post 1")
    listener = look(platform, clock)
    for _ in range(4):
        clock.set(clock.now() + timedelta(days=5))
        listener.for_(timedelta(minutes=1), clock)
        listener.for_(timedelta(minutes=6), clock)
    assert listener.gaps == []
    assert max(word.to_at for word in listener.read) > START + timedelta(days=20)


def test_a_token_that_is_taken_back_is_asked_for_again(
    platform: googleplay.GooglePlay, clock: ManualClock
) -> None:
    """Once; nothing is lost, and nobody has to mend anything."""
    listener = look(platform, clock)
    platform.tokens.clear()
    platform.post(1, clock.now(), "post 1")
    listener.for_(timedelta(minutes=15), clock)
    assert listener.numbers == [1]
    assert platform.granted == 2


@pytest.mark.parametrize("reason", ["invalid_grant", "invalid_client"])
def test_an_account_that_is_gone_ends_it(
    platform: googleplay.GooglePlay, clock: ManualClock, reason: str
) -> None:
    """Google says so with a 400; the setting is named, the key is not shown."""
    platform.refusal = {"error": reason, "error_description": "Account not found"}
    with pytest.raises(GiveUp, match="key_from") as raised:
        Listener(source(platform, clock)).for_(timedelta(hours=1), clock)
    assert "PRIVATE" not in str(raised.value)
    assert len(platform.asked) == 3


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"access_token": 7, "expires_in": []}'])
def test_an_answer_without_a_token_is_tried_again(
    platform: googleplay.GooglePlay, clock: ManualClock, body: bytes
) -> None:
    """A proxy's page is no refusal."""
    platform.faults = [Fault(200, body), Fault(503), Fault(429, headers=(("Retry-After", "40"),))]
    platform.post(1, START, "post 1")
    listener = Listener(source(platform, clock)).for_(timedelta(minutes=10), clock)
    assert listener.numbers == [1]
    assert listener.pauses[2] >= 40


@pytest.mark.parametrize("key", ["", "no JSON", "{}", '{"client_email": "a", "private_key": "b"}'])
def test_a_key_that_is_none_is_named_by_its_setting(
    platform: googleplay.GooglePlay, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """Before anything is asked."""
    monkeypatch.setenv("ACME_KEY", key)
    with pytest.raises(Misuse, match="key_from"):
        look(platform, clock)
    assert not platform.asked


def test_a_review_without_its_text_is_set_aside(
    platform: googleplay.GooglePlay, clock: ManualClock
) -> None:
    """With the reason; the others come."""
    platform.post(1, START, "post 1")
    platform.reviews[2] = {"authorName": "Bob", "comments": [{"userComment": {
        "lastModified": json.loads('{"seconds": "1772442000"}')
    }}]}  # fmt: skip
    listener = look(platform, clock)
    assert listener.numbers == [1]
    assert any(isinstance(value, Unreadable) for value in listener.came)
