"""Matters: which bursts are one thing, and what they are called."""

from collections import Counter
from datetime import timedelta

import pytest

from pipeline.bursts import Burst, Key
from pipeline.matters import Matter, Regions, most, title
from pipeline.tracks import Track
from tests.pipeline.watching import at


def burst(key: Key, witnesses: int = 8, **names: dict[str, int]) -> Burst:
    """A burst whose reports named so much."""
    counted = Counter({(head, n): c for head, found in names.items() for n, c in found.items()})
    return Burst(key, 60_000, 0, witnesses, 1.0, 5.0, 15, counted)


@pytest.mark.parametrize(
    ("one", "other", "later", "same"),
    [
        (("network", "Leeds"), ("network", "Leeds"), 120, True),
        (("network", ""), ("network", "Leeds"), 120, True),
        (("", ""), ("login", "Leeds"), 120, True),
        (("network", "Leeds"), ("network", "Glasgow"), 120, False),
        (("network", "Leeds"), ("network", "United Kingdom"), 120, True),
        (("network", "Leeds"), ("login", "Leeds"), 120, False),
        (("network", "Leeds"), ("login", "Glasgow"), 20, True),
    ],
)
def test_one_matter_or_two(
    one: tuple[str, str], other: tuple[str, str], later: float, same: bool
) -> None:
    """What begins together is one; later topics and places tell matters apart."""
    first, second = Matter(*one, at(0)), Matter(*other, at(0) + timedelta(minutes=later))
    assert first.is_one_with(second) == same
    assert second.is_one_with(first) == same


def test_titles_are_names() -> None:
    """The series says topic and region where the reports do not agree on more."""
    both = burst(Key("Acme", "login", "Yorkshire"), place={"Leeds": 3, "York": 3})
    assert title(both) == "Reports of login trouble around Acme: Yorkshire"
    narrow = burst(Key("Acme"), topic={"outage": 8}, place={"Leeds": 7}, component={"App": 6})
    assert title(narrow) == "Reports of trouble around Acme: App, Leeds"


def test_few_or_divided_names_say_nothing() -> None:
    """A name speaks for a burst when it has a majority that is no accident."""
    assert most(burst(Key("Acme"), topic={"login": 2}), "topic") is None
    assert most(burst(Key("Acme"), topic={"login": 3, "network": 3}), "topic") is None
    assert most(burst(Key("Acme"), 20, topic={"login": 4}), "topic") is None
    assert most(burst(Key("Acme"), topic={"login": 4}), "topic") == "login"


def test_places_fall_into_the_regions_that_are_told_apart() -> None:
    """With several regions a place counts for the one it lies in, else for itself."""
    wide = Track(name="Acme", regions=("Germany", "France"))
    regions = Regions([wide, Track(name="Nordwind", regions=("Germany",)), Track(name="Bare")])
    assert regions.region("Acme", "Lyon") == "France"
    assert regions.region("Acme", "Oslo") == "Oslo"
    assert regions.region("Nordwind", "Berlin") == "Berlin"
    assert regions.region("Bare", "Lyon") == "Lyon"
