import pytest

from pipeline.steps import places


@pytest.mark.parametrize(
    ("place", "region", "answer"),
    [
        ("Leeds", "UK", True),
        ("Leeds", "England", True),
        ("Leeds", "Leeds, UK", True),
        ("Leeds", "York and Leeds", True),
        ("UK", "London", True),
        ("Munich", "DE", True),
        ("München", "Bavaria", True),
        ("Moscow", "Europe", True),
        ("Edinburgh", "England", False),
        ("Leeds", "Germany", False),
        ("Leeds", "Zone 7b", None),
        ("Zone 7b", "zone 7b", True),
    ],
)
def test_a_place_is_told_to_lie_within_a_region(
    place: str, region: str, answer: bool | None
) -> None:
    """True inside (or around) it, False elsewhere, None when a name is unknown."""
    assert places.within(place, region) is answer


def test_regions_limit_what_may_be_found() -> None:
    """A service of the United Kingdom hears of Leeds, not of Leipzig, and of its own zones."""
    found = places.allowed(["United Kingdom", "Zone 7b"])
    assert found["leeds"].name == "Leeds"
    assert found["zone 7b"].kind == "named"
    assert found["uk"].kind == "country"
    assert "leipzig" not in found


def test_a_city_as_region_brings_what_it_lies_in() -> None:
    """Who serves one city still hears of its country, but of no other city."""
    found = places.allowed(["Leeds"])
    assert {"leeds", "uk", "england"} <= set(found)
    assert "york" not in found


def test_without_regions_only_large_cities_are_looked_for() -> None:
    """A small town's name is too often a word or a person."""
    found = places.allowed([])
    assert {"berlin", "japan", "東京"} <= set(found)
    assert all(p.population >= places.WORLD_CITY for p in found.values() if p.kind == "city")


def test_what_a_city_lies_in() -> None:
    """Region, where we know its name, and country; what is wider than a city lies in nothing."""
    (glasgow, *_), (oslo, *_) = places.locate("Glasgow"), places.locate("Oslo")
    assert places.wider(glasgow) == ("Scotland", "United Kingdom")
    assert places.wider(oslo)[-1] == "Norway"
    assert places.wider(places.locate("Scotland")[0]) == ()
