"""The weights of the linker: log-odds that each reason adds, with where each comes from."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from pydantic import TypeAdapter, ValidationError

from pipeline.errors import GiveUp

#: Labels of the head intent: a report of a failure is about the failure, praise hardly ever is.
_INTENT = {
    "report": 1.4,
    "question": 1.0,
    "complaint": 0.8,
    "recovery": 0.6,
    "request": -1.6,
    "praise": -2.0,
    "other": -1.6,
}


@dataclass(frozen=True)
class Weights:
    """All numbers of the linker.

    Those of the text follow a choice among 200 incidents and none, fitted on crisis posts
    (``python -m bench.links --fit``), rounded and moved so that automatic links are right in 95 of
    100 cases there. The others are estimates by hand, chosen so that the cases in
    tests/pipeline/steps/test_links.py come out as a responder would want them.
    docs/links.md is their card.
    """

    bias: float = -6.2
    #: Likeness to the whole of what the incident says (cosine, 0 to 1).
    whole: float = 6.0
    #: Share of the heading's rare stems that the post has (0 to 1).
    heading: float = 4.5
    #: Rarity of what they share, up to a limit: what happens, where, and the smaller of the two.
    #: Names of places alone make no link, however many.
    what: float = 0.25
    what_at_most: float = 20.0
    where: float = 0.3
    where_at_most: float = 8.0
    both: float = 0.1
    #: The post has all of a phrase of the incident that is more than a place.
    phrase: float = 4.0
    #: Likeness to what people confirmed, less that to what they rejected (cosine), up to a limit;
    #: a no is meant for the very thing and counts for more.
    taught: float = 12.0
    taught_at_most: float = 0.3
    rejected_at_most: float = 0.6
    #: A post of the incident's track already speaks its language, so likeness says less.
    text_on_track: float = 0.4
    text_at_most: float = 12.0
    #: The component is counted by itself, so its name in the text must not count without end.
    text_on_track_at_most: float = 3.5
    #: The post matches a track that the incident names.
    on_track: float = 2.6
    #: The post names a component of the incident, or another one.
    same_component: float = 3.4
    other_component: float = -3.0
    #: The post's place: the very place of the incident, within its country, or elsewhere.
    same_place: float = 2.8
    within_place: float = 0.6
    other_place: float = -3.0
    #: On track and just after the beginning; fades with ``hours_fresh`` after the opening and
    #: ``minutes_before`` ahead of the start, where it turns into ``early``: what was said an hour
    #: before is mostly about something else.
    fresh: float = 2.8
    early: float = -2.0
    hours_fresh: float = 2.0
    minutes_before: float = 45.0
    intent: Mapping[str, float] = field(default_factory=lambda: MappingProxyType(_INTENT))
    #: Off track the intents of posts differ (crisis reports are no complaints): they count less.
    intent_off_track: float = 0.25
    #: Off track the name of the place is most of the likeness already.
    place_off_track: float = 0.25
    noise: float = -8.0
    #: From these probabilities on a link is proposed, and made; so many for a post at most.
    suggest_from: float = 0.1
    link_from: float = 0.95
    links_at_most: float = 5

    @classmethod
    def read(cls, path: Path) -> "Weights":
        """Weights from a JSON object; what it leaves out keeps its default. Raises GiveUp."""
        names = {f.name for f in dataclasses.fields(cls)}
        try:
            given = _FILE.validate_json(path.read_bytes())
        except OSError as error:
            raise GiveUp(f"{path}: cannot be read ({error.strerror})") from error
        except ValidationError as error:
            raise GiveUp(f"{path}: not a JSON object of link weights") from error
        if unknown := sorted(set(given) - names):
            raise GiveUp(f"{path}: unknown link weights: {', '.join(unknown)}")
        for name, value in given.items():
            if isinstance(value, dict) != (name == "intent"):
                raise GiveUp(
                    f"{path}: {name} has the wrong form: intent is an object, the rest numbers"
                )
        return dataclasses.replace(cls(), **given)  # type: ignore[arg-type]

    @property
    def least_odds(self) -> float:
        """Log-odds below which an incident is no rival to others either."""
        return math.log(self.suggest_from / (1 - self.suggest_from)) - 1

    @property
    def most_component(self) -> float:
        """The most that a named component can add."""
        return max(0.0, self.same_component, self.other_component)

    @property
    def most_place(self) -> float:
        """The most that a place can add."""
        return max(0.0, self.same_place, self.within_place, self.other_place)

    @property
    def most_on_track(self) -> float:
        """The most that track and time can add."""
        return self.on_track + max(0.0, self.fresh)

    def of_component(self, relation: int) -> float:
        """What a component_relation weighs."""
        return {1: self.same_component, -1: self.other_component}.get(relation, 0.0)

    def of_place(self, relation: int) -> float:
        """What a place_relation weighs."""
        known = {2: self.same_place, 1: self.within_place, -1: self.other_place}
        return known.get(relation, 0.0)


_FILE: TypeAdapter[dict[str, float | dict[str, float]]] = TypeAdapter(
    dict[str, float | dict[str, float]]
)
