"""The weights of the linker: log-odds that each reason adds, with where each comes from."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

import orjson
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


#: What ``python -m bench.links --fit`` writes.
FITTED: Final = Path(__file__).with_name("weights.json")
_fitted: dict[str, float] = orjson.loads(FITTED.read_bytes())


@dataclass(frozen=True)
class Weights:
    """All numbers of the linker.

    Those of the texts and of places off track follow a choice among 200 incidents and none, fitted
    on crisis posts; they stand in ``weights.json``. The others are estimates by hand, chosen so
    that the cases in tests/pipeline/steps/test_links.py come out as a responder would want them.
    docs/links.md is their card.
    """

    #: What speaks against any link, off track.
    bias: float = _fitted["bias"]
    #: Likeness to the whole of what the incident says (cosine, 0 to 1).
    whole: float = _fitted["whole"]
    #: Share of the heading's rare stems that the post has (0 to 1).
    heading: float = _fitted["heading"]
    #: The post has all of a phrase of the incident that is more than a place.
    phrase: float = _fitted["phrase"]
    #: How many of the post's words they share, up to three: one alone may be a hashtag that
    #: everything rides on.
    words: float = _fitted["words"]
    #: Off track no single word makes a link certain, whatever it is made of, but for what people
    #: taught: the log-odds above the bias that it may add.
    one_word_at_most: float = 7.5
    #: They speak of the same kind of event, of different ones, of the same in a place of its.
    same_kind: float = _fitted["same_kind"]
    other_kind: float = _fitted["other_kind"]
    kind_and_place: float = _fitted["kind_and_place"]
    #: Likeness to what people confirmed, less that to what they rejected (cosine), up to a limit,
    #: and what exceeds it; a no is meant for the very thing and counts for more.
    taught: float = _fitted["taught"]
    taught_well: float = _fitted["taught_well"]
    taught_at_most: float = 0.3
    rejected_at_most: float = 0.6
    #: Off track: the post's place is the incident's, within its country, or elsewhere.
    same_place_off_track: float = _fitted["same_place_off_track"]
    within_place_off_track: float = _fitted["within_place_off_track"]
    other_place_off_track: float = _fitted["other_place_off_track"]
    #: Off track: the post tells a responder something.
    informative: float = _fitted["informative"]
    #: What speaks against a link to an incident of the post's track. A post of the track already
    #: speaks its language, so likeness says less; the component is counted by itself, so that its
    #: name in the text must not count without end.
    bias_on_track: float = -6.2
    text_on_track: float = 0.4
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
    noise: float = -8.0
    #: Log-odds above which nothing is any surer: two incidents that both fit well are rivals,
    #: whatever the odds of either.
    odds_at_most: float = 3.6
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
        """The most that a place can add on track, and off track."""
        return max(0.0, *self.of_place, *self.of_place_off_track)

    @property
    def most_on_track(self) -> float:
        """The most that track and time can add."""
        return self.on_track + max(0.0, self.fresh)

    @property
    def of_component(self) -> tuple[float, ...]:
        """What each component_relation weighs, from -1 on."""
        return self.other_component, 0.0, self.same_component

    @property
    def of_place(self) -> tuple[float, ...]:
        """What each place_relation weighs on track, from -1 on."""
        return self.other_place, 0.0, self.within_place, self.same_place

    @property
    def of_place_off_track(self) -> tuple[float, ...]:
        """The same off track."""
        within, same = self.within_place_off_track, self.same_place_off_track
        return self.other_place_off_track, 0.0, within, same


_FILE: TypeAdapter[dict[str, float | dict[str, float]]] = TypeAdapter(
    dict[str, float | dict[str, float]]
)
