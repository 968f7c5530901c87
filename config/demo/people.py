"""The accounts of the demo, all invented."""

import random
from typing import NamedTuple

from config.demo.texts import scenario

#: Where people post, and how many of a hundred.
SOURCES = {"x": 55, "bluesky": 18, "reddit": 15, "mastodon": 12}


class Person(NamedTuple):
    """An account on one platform."""

    source: str
    id: str
    handle: str
    place: str | None


class People:
    """Makes accounts; some post again."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._taken: set[str] = set()
        self._crowds: dict[str, list[Person]] = {}

    def someone(
        self, crowd: str, *, again: float, source: str | None = None, place: str | None = None
    ) -> Person:
        """A person of a crowd; with the chance ``again`` one who has posted already."""
        known = [p for p in self._crowds.get(crowd, ()) if source is None or p.source == source]
        if known and self._chance.random() < again:
            return self._chance.choice(known)
        person = self._new(source, place)
        self._crowds.setdefault(crowd, []).append(person)
        return person

    def _new(self, source: str | None, place: str | None) -> Person:
        chance = self._chance
        first, second = (names.split() for names in scenario()["names"])
        name = ""
        while not name or name in self._taken:
            sign = chance.choice(["", "_", ""])
            number = chance.choice(["", "", str(chance.randint(1, 99))])
            name = f"{chance.choice(first)}{sign}{chance.choice(second)}{number}"
        self._taken.add(name)
        source = source or chance.choices([*SOURCES], [*SOURCES.values()])[0]
        handle = {
            "bluesky": f"{name.replace('_', '-')}.bsky.example",
            "mastodon": f"{name}@social.example",
        }.get(source, name)
        return Person(source, str(10_000_000 + 7_919 * len(self._taken)), handle, place)
