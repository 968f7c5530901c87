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
    "request": -1.0,
    "praise": -1.5,
    "other": -1.0,
}


@dataclass(frozen=True)
class Weights:
    """All numbers of the linker.

    ``bias``, ``whole`` and ``heading`` follow a logistic regression on pairs of crisis posts and
    200 incidents (``python -m bench.links --fit``: -4.8 to -5.6, 29 to 42, -0.5 to 0.7), moved so
    that short titles count for something and that automatic links are right in 90 to 95 of 100
    cases there. The others are estimates by hand, chosen so that the cases in
    tests/pipeline/steps/test_links.py come out as a responder would want them.
    """

    bias: float = -7.0
    #: Likeness to the whole of what the incident says (cosine, 0 to 1).
    whole: float = 30.0
    #: Share of the heading's rare words that the post has (0 to 1).
    heading: float = 3.0
    #: A post of the incident's track already speaks its language, so likeness says less.
    text_on_track: float = 0.4
    text_at_most: float = 10.0
    #: The component is counted by itself, so its name in the text must not count without end.
    text_on_track_at_most: float = 3.5
    #: The post matches a track that the incident names.
    on_track: float = 5.0
    #: The post names a component of the incident, or another one.
    same_component: float = 2.5
    other_component: float = -3.0
    #: The post's place: the very place of the incident, within its country, or elsewhere.
    same_place: float = 1.2
    within_place: float = 0.6
    other_place: float = -2.0
    #: On track and just after the beginning; fades with ``hours_fresh`` after the opening and
    #: ``minutes_before`` ahead of the start, where it turns into ``early``: what was said an hour
    #: before is mostly about something else.
    fresh: float = 1.0
    early: float = -2.0
    hours_fresh: float = 2.0
    minutes_before: float = 30.0
    intent: Mapping[str, float] = field(default_factory=lambda: MappingProxyType(_INTENT))
    #: Off track the intents of posts differ (crisis reports are no complaints): they count less.
    intent_off_track: float = 0.25
    #: Off track the name of the place is most of the likeness already.
    place_off_track: float = 0.25
    noise: float = -5.0
    #: From these probabilities on a link is proposed, and made.
    suggest_from: float = 0.4
    link_from: float = 0.8

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
        """The log-odds from which a link is suggested, a little less for rounding."""
        return math.log(self.suggest_from / (1 - self.suggest_from)) - 0.01

    @property
    def most(self) -> float:
        """The most that bias, component, place and intent can add up to, off track."""
        component = max(0.0, self.same_component, self.other_component)
        place = max(0.0, self.same_place, self.within_place, self.other_place)
        intent = max(0.0, *self.intent.values()) * max(1.0, self.intent_off_track)
        return self.bias + component + place + intent + max(0.0, self.noise)

    @property
    def most_on_track(self) -> float:
        """The same on track, with track and time."""
        return self.most + self.on_track + max(0.0, self.fresh)

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
