"""The reasons for a link, in words a responder reads. Made only for links that are kept."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple

from pipeline.model import Evidence, Label, Mention
from pipeline.steps.candidates import Entry
from pipeline.steps.kinds import names
from pipeline.steps.stems import LETTERS, LONG

#: A reason that moves the odds by less than this is not worth reading.
WORTH_TELLING = 0.2
_WORDS_SHOWN = 3
_LETTERS_SHOWN = 40
_TITLE_SHOWN = 80
_MINUTE = 60_000
_INTENTS = {
    "report": "reports a failure",
    "question": "asks whether it fails",
    "complaint": "complains",
    "recovery": "says that it works again",
    "praise": "praises",
    "request": "asks for something else",
    "other": "neither reports nor asks",
}


class Pair(NamedTuple):
    """What reasons are told from: a mention, an incident, and the likeliest other incident."""

    mention: Mention
    at: int  # the mention's event_at in ms
    text: str  # canonical
    kinds: int  # of event that the mention names
    labels: Mapping[str, Label]
    entry: Entry
    rival: Entry | None


def reasons(pair: Pair, parts: Sequence[float]) -> tuple[Evidence, ...]:
    """The reasons for and against, the weightiest first.

    ``parts`` are the log-odds of each of KINDS, with two places.
    """
    kept = [(-abs(part), kind, part) for kind, part in zip(KINDS, parts, strict=True) if part]
    kept.sort()
    return tuple(
        _reason(kind, _TOLD[kind](pair, part), part)
        for size, kind, part in kept
        if size <= -WORTH_TELLING
    )


@lru_cache(20_000)
def _reason(kind: str, value: str, weight: float) -> Evidence:
    """Reasons are frozen and much the same from post to post: one object serves all."""
    return Evidence(kind=kind, value=value, weight=weight)


def _track(pair: Pair, _: float) -> str:
    return f"is about {', '.join(sorted(pair.entry.tracks.intersection(pair.mention.tracks)))}"


def _component(pair: Pair, part: float) -> str:
    return _named("names", pair.labels.get("component"), part)


def _place(pair: Pair, part: float) -> str:
    return _named("speaks of", pair.labels.get("place"), part)


def _named(verb: str, label: Label | None, part: float) -> str:
    name = "" if label is None else label.name
    return f"{verb} {name}" if part > 0 else f"{verb} {name}, which the incident does not"


def _kind(pair: Pair, part: float) -> str:
    """Of what kind of event both speak, or each of another."""
    if part > 0:
        return f"tells of the same: {_told(pair.kinds & pair.entry.kinds)}"
    return f"tells of {_told(pair.kinds)}, not of {_told(pair.entry.kinds)}"


@lru_cache(1_000)
def _told(kinds: int) -> str:
    return ", ".join(names(kinds))


def _text(pair: Pair, _: float) -> str:
    return _shared_words(pair.text, pair.entry)


def _shared_words(text: str, entry: Entry) -> str:
    """The rarest words that both have, as the post spells them."""
    rare, words = entry.rare_words, _by_stem(text)
    found = [(-rare[stem], words[stem]) for stem in rare.keys() & words.keys()]
    if not found:
        inside = _within(text.split(), rare)
        found = [(-rare[part], word[:_LETTERS_SHOWN]) for word, part in inside]
    if not found:
        return "shares parts of words"
    rarest = dict.fromkeys(word for _, word in sorted(found))
    return "shares " + ", ".join([f"“{word}”" for word in islice(rarest, _WORDS_SHOWN)])


@lru_cache(64)
def _by_stem(text: str) -> dict[str, str]:
    """The words of a text by their stems; the links of a post ask for it one after the other."""
    return {word[:LETTERS]: word[:_LETTERS_SHOWN] for word in text.split()}


def _within(words: Sequence[str], rare: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """Long words with a rare stem that stands inside them."""
    for word in words:
        if len(word) >= LONG:
            inner = (word[at : at + LETTERS] for at in range(1, len(word) - LETTERS + 1))
            yield from ((word, part) for part in inner if part in rare)


def _taught(_: Pair, part: float) -> str:
    kind = "confirmed" if part > 0 else "rejected"
    return f"is like posts that people {kind}"


def _rivals(pair: Pair, _: float) -> str:
    """What else the post may be about."""
    if pair.rival is None:
        return "other incidents fit as well"
    return f"may be about “{pair.rival.incident.title[:_TITLE_SHOWN]}” instead"


def _time(pair: Pair, _: float) -> str:
    for moment, word in (
        (pair.entry.started_ms, "the start"),
        (pair.entry.opened_ms, "the opening"),
    ):
        if pair.at < moment:
            return _span(round((moment - pair.at) / _MINUTE), f"before {word}")
    return _span(round((pair.at - pair.entry.opened_ms) / _MINUTE), "after the opening")


@lru_cache(1_000)
def _span(minutes: int, when: str) -> str:
    if minutes < 120:
        return f"{minutes} min {when}"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {when}"
    return f"{minutes // (24 * 60)} days {when}"


def _intent(pair: Pair, _: float) -> str:
    noise, intent = pair.labels.get("noise"), pair.labels.get("intent")
    if noise is not None and noise.name == "yes":
        return "looks like advertising or spam"
    name = "other" if intent is None else intent.name
    return _INTENTS.get(name, name)


_TOLD: Final[Mapping[str, Callable[[Pair, float], str]]] = {
    "track": _track,
    "text": _text,
    "kind": _kind,
    "taught": _taught,
    "rivals": _rivals,
    "component": _component,
    "place": _place,
    "time": _time,
    "intent": _intent,
}
#: The kinds of reasons, in the order of their log-odds.
KINDS: Final = tuple(_TOLD)
