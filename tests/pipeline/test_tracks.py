"""A track matches whole words in any case; vetoes win; platforms' own handles and tags count."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import Mention
from pipeline.tracks import Matcher, Track


def mention(text: str, **more: Any) -> Mention:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    return Mention(source="x", external_id="1", text=text, said_at=at, **more)


ACME = Track(
    name="acme",
    terms=("Acme", "Acme Cloud", "アクメ", "ÉCLAIR shop"),
    handles=("@AcmeHelp",),
    hashtags=("acmedown",),
    exclude=("acme looniversity", "@acme_jobs", "#acmehiring"),
)
NORDWIND = Track(name="nordwind", terms=("Nordwind", "straße 5"), handles=("nordwind",))
MATCHER = Matcher([ACME, NORDWIND])


@pytest.mark.parametrize(
    "text",
    [
        "acme",
        "ACME!",
        "is (Acme) down?",
        "Acme's app",
        "my acme\n  cloud is gone",
        "Ａｃｍｅ is down",
        "@acmehelp please",
        "hey @AcmeHelp, anybody there?",
        "so #AcmeDown again",
        "@acme",
        "今日アクメは動かない",
        "Acmeは動かない",
        "éclair\u00a0Shop",
        "e\u0301clair shop",
        "see acme.example/status",
        "A\u200bc\u200bm\u200be is down",  # invisible characters between the letters
        "a\u00adcme",
        "Асmе is down",  # the A, the c and the last letter are Cyrillic
        "αcme",
        "A\u0334\u0321\u0354c\u0338m\u0337e\u0338 is down",  # marks that form no letter
    ],
)
def test_matches(text: str) -> None:
    """Any case and width, any white space, next to punctuation, in scripts without spaces."""
    assert MATCHER.match(mention(text)) == ("acme",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "acmeish",
        "placme",
        "acme_support",
        "acme2",
        "acmé",
        "acme\u0301",  # a combining mark makes it another letter
        "AcmeHelp2 #acmedowns",
        "acmehelp acmedown",  # without their signs they are other words
        "mail me: joe@acmehelp.example",  # an address is no handle
        "x.example/page#acmedown",
        "#acmehelp @acmedown",
        "асме",  # a word of Cyrillic letters only is a word of its own
        "\u200b",
    ],
)
def test_does_not_match(text: str) -> None:
    """Pieces of longer words are none of ours."""
    assert MATCHER.match(mention(text)) == ()


def test_the_platforms_own_handles_and_tags_count() -> None:
    """With or without their sign, in any case; they need not stand in the text."""
    assert MATCHER.match(mention("it is down", mentions=("@ACMEHELP",))) == ("acme",)
    assert MATCHER.match(mention("it is down", mentions=("acmehelp",))) == ("acme",)
    assert MATCHER.match(mention("it is down", hashtags=("AcmeDown",))) == ("acme",)
    assert MATCHER.match(mention("it is down", hashtags=("acmehelp",), mentions=("acme",))) == ()


def test_a_veto_takes_the_track_out() -> None:
    """Terms, handles and hashtags can veto, and only their own track."""
    assert MATCHER.match(mention("Acme  Looniversity on Acme")) == ()
    assert MATCHER.match(mention("Acme hires @acme_jobs")) == ()
    assert MATCHER.match(mention("Acme", hashtags=("AcmeHiring",))) == ()
    assert MATCHER.match(mention("Acme Looniversity at Nordwind")) == ("nordwind",)


def test_several_tracks_come_in_their_order() -> None:
    """The first one configured stands first, whatever stands first in the text."""
    assert MATCHER.match(mention("Nordwind or Acme?")) == ("acme", "nordwind")
    assert MATCHER.match(mention("nordwind STRASSE 5")) == ("nordwind",)


def test_tracks_may_share_a_term() -> None:
    """The same word can matter to two tracks."""
    both = Matcher([Track(name="a", terms=("Acme",)), Track(name="b", terms=("ACME",))])
    assert both.match(mention("acme")) == ("a", "b")


def test_without_patterns_nothing_matches() -> None:
    """Tracks that name nothing, or only signs and blanks, match nothing."""
    empty = Matcher([Track(name="a", terms=(" ",), handles=("@",), hashtags=("#",), exclude=("",))])
    assert empty.match(mention("@ # anything")) == ()
    assert Matcher([]).match(mention("anything")) == ()


@given(before=st.text(max_size=5), after=st.text(max_size=5))
def test_any_surroundings(before: str, after: str) -> None:
    """Never an error, and a term between spaces is always found."""
    MATCHER.match(mention(f"{before}acme{after}"))
    assert "nordwind" in MATCHER.match(mention(f"{before} nordwind {after}"))


@given(st.text(max_size=60))
def test_any_case_matches_alike(text: str) -> None:
    """Shouting makes no difference."""
    spaced = f"{text} nordwind"
    assert MATCHER.match(mention(spaced)) == MATCHER.match(mention(spaced.casefold()))


def test_ten_thousand_hashtags() -> None:
    """A flood of hashtags is just slow, not wrong."""
    tags = tuple(f"tag{n}" for n in range(10_000))
    flood = " ".join(f"#{tag}" for tag in tags)
    assert MATCHER.match(mention(f"{flood} #acmedown", hashtags=tags)) == ("acme",)
