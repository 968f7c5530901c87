from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import Label, Mention
from pipeline.steps.aliases import Aliases
from pipeline.steps.text import prepare
from pipeline.tracks import Track, TrackComponent

SHOP = Track(
    name="acme",
    regions=("UK",),
    component=(
        TrackComponent(name="Checkout", aliases=("basket", "payment page")),
        TrackComponent(name="Card payments", aliases=("card", "cards")),
        TrackComponent(name="ログイン"),
    ),
)
POST = Track(name="nordwind", component=(TrackComponent(name="Parcel tracking"),))
ALIASES = Aliases([SHOP, POST])


def mention(text: str, tracks: Sequence[str] = ("acme",), place: str | None = None) -> Mention:
    return Mention(
        source="test",
        external_id="1",
        text=text,
        said_at=datetime(2026, 3, 1, tzinfo=UTC),
        tracks=tuple(tracks),
        place=place,
    )


def found(text: str, tracks: Sequence[str] = ("acme",), place: str | None = None) -> dict[str, str]:
    return {head: label.name for head, label in labels(text, tracks, place).items()}


def labels(
    text: str, tracks: Sequence[str] = ("acme",), place: str | None = None
) -> dict[str, Label]:
    batch = [mention(text, tracks, place)]
    return ALIASES.find(batch, prepare(batch))[0]


@pytest.mark.parametrize(
    ("text", "component"),
    [
        ("CHECKOUT is down", "Checkout"),
        ("both checkouts fail", "Checkout"),
        ("#CheckoutDown again", "Checkout"),
        ("my basket is empty?!", "Checkout"),
        ("the payment page hangs", "Checkout"),
        ("basketball scores", None),
        ("scorecards", None),
        ("@checkout hello", None),
        ("https://shop.example/ checkout", "Checkout"),
        ("see https://shop.example/checkout", None),
        ("今日ログインできない", "ログイン"),
    ],
)
def test_a_component_is_found_as_a_whole_word(text: str, component: str | None) -> None:
    """Any case, plurals and words of a hashtag count; parts of words, handles and links do not."""
    assert found(text).get("component") == component


def test_the_longest_name_wins_and_is_not_sure_beside_another() -> None:
    """Two parts named in one post: the best guess stands, but nobody should act on it alone."""
    label = labels("card payments fail on the checkout page")["component"]
    assert (label.name, label.sure) == ("Card payments", False)
    assert label.evidence[0].value == "card payments"
    assert labels("my card was declined")["component"].sure


def test_a_component_counts_only_within_the_tracks_of_the_mention() -> None:
    """Another company's checkout is none of ours."""
    assert "component" not in found("checkout is down", tracks=["nordwind"])
    assert "component" not in found("checkout is down", tracks=[])
    assert found("parcel tracking is down", ["nordwind"])["component"] == "Parcel tracking"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("down in Leeds", "Leeds"),
        ("anyone else in reading?", None),
        ("no signal in Reading", "Reading"),
        ("I was reading about it", None),
        ("#LeedsOutage", "Leeds"),
        ("no signal in leeds", "Leeds"),
        ("leeds and the whole UK", "Leeds"),
        ("whole UK is down", "United Kingdom"),
        ("@LeedsUnited won", None),
        ("down in Berlin", None),
    ],
)
def test_a_place_is_found_where_the_regions_allow_it(text: str, place: str | None) -> None:
    """The narrowest place counts; a town that is also a word needs a sign that it is meant."""
    assert found(text).get("place") == place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("down in Leeds", "Leeds"),
        ("#leeds is down", "Leeds"),
        ("down", "Manchester"),
        ("Leeds is down", "Manchester"),
        ("down in the United Kingdom", "Manchester"),
        ("down in Manchester", "Manchester"),
    ],
)
def test_the_place_that_the_platform_gives(text: str, place: str) -> None:
    """It counts unless the text says clearly that it is about another, and no wider, one."""
    label = labels(text, place="Manchester, England")["place"]
    assert (label.name, label.sure) == (place, True)


def test_without_a_track_any_large_city_counts() -> None:
    """enrich and replay keep posts that match no track."""
    assert found("down in Berlin", tracks=[])["place"] == "Berlin"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("broken since iOS 17.2.", "iOS 17.2"),
        ("android14 kills it", "Android 14"),
        ("v4.1.2 crashes", "4.1.2"),
        ("version 4.1 on iOS 17", "4.1"),
        ("Version: 12 is bad", "12"),
        ("a v4 engine", None),
        ("conversion 4.1", None),
        ("ios is bad", None),
    ],
)
def test_a_version_is_read_with_its_number(text: str, version: str | None) -> None:
    """The app's own version goes before that of the system."""
    assert found(text).get("version") == version


@given(
    st.lists(st.text(alphabet="ab #@.vV4ßİẞ'チログイン checkoutLeeds\n", max_size=60), max_size=6)
)
def test_any_batch_gives_the_same_as_one_by_one(texts: list[str]) -> None:
    """Batch size never changes an answer, and no text breaks the finder."""
    batch = [mention(text) for text in texts]
    together = ALIASES.find(batch, prepare(batch))
    assert together == [ALIASES.find([m], prepare([m]))[0] for m in batch]


def test_a_version_that_the_store_tells_needs_no_text() -> None:
    """Reviews come with the version that was used; what the text names besides is another's."""
    told = mention("crashes since 3.1").model_copy(update={"app_version": "4.2.0"})
    batch = [told, mention("fine")]
    first, second = ALIASES.find(batch, prepare(batch))
    assert (first["version"].name, first["version"].sure) == ("4.2.0", True)
    assert "version" not in second
