"""The reasons for a link, in words a responder reads. Made only for links that are kept."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache

from pipeline.model import Evidence, Label, Mention
from pipeline.steps.candidates import Entry
from pipeline.steps.kinds import kinds, names
from pipeline.steps.stems import LETTERS, LONG

#: A reason that moves the odds by less than this is not worth reading.
WORTH_TELLING = 0.2
_WORDS_SHOWN = 3
_LETTERS_SHOWN = 40
_TITLE_SHOWN = 80
_INTENTS = {
    "report": "reports a failure",
    "question": "asks whether it fails",
    "complaint": "complains",
    "recovery": "says that it works again",
    "praise": "praises",
    "request": "asks for something else",
    "other": "neither reports nor asks",
}


def reasons(
    mention: Mention,
    text: str,
    labels: Mapping[str, Label],
    entry: Entry,
    parts: Mapping[str, float],
    rival: Entry | None,
) -> tuple[Evidence, ...]:
    """The reasons for and against, the weightiest first.

    ``text`` is the post's canonical one, ``parts`` the log-odds by kind of reason, ``rival`` the
    likeliest other incident.
    """
    told: dict[str, Callable[[], str]] = {
        "track": lambda: f"is about {', '.join(sorted(entry.tracks.intersection(mention.tracks)))}",
        "text": lambda: _shared_words(text, entry),
        "kind": lambda: _kind(text, entry, parts),
        "taught": lambda: _taught(parts),
        "rivals": lambda: _rivals(rival),
        "component": lambda: _named("names", "component", labels, parts),
        "place": lambda: _named("speaks of", "place", labels, parts),
        "time": lambda: _time(mention, entry),
        "intent": lambda: _intent(labels),
    }
    kept = [kind for kind in told if abs(parts[kind]) >= WORTH_TELLING]
    kept.sort(key=lambda kind: -abs(parts[kind]))
    return tuple(_reason(kind, told[kind](), round(parts[kind], 2)) for kind in kept)


@lru_cache(20_000)
def _reason(kind: str, value: str, weight: float) -> Evidence:
    """Reasons are frozen and much the same from post to post: one object serves all."""
    return Evidence(kind=kind, value=value, weight=weight)


def _named(verb: str, head: str, labels: Mapping[str, Label], parts: Mapping[str, float]) -> str:
    label = labels.get(head)
    name = "" if label is None else label.name
    return f"{verb} {name}" if parts[head] > 0 else f"{verb} {name}, which the incident does not"


def _kind(text: str, entry: Entry, parts: Mapping[str, float]) -> str:
    """Of what kind of event both speak, or each of another."""
    said = int(kinds([text])[0])
    if parts["kind"] > 0:
        return f"is about the same: {', '.join(names(said & entry.kinds))}"
    return f"is about {', '.join(names(said))}, not {', '.join(names(entry.kinds))}"


def _shared_words(text: str, entry: Entry) -> str:
    """The rarest words that both have, as the post spells them."""
    rare, words = entry.rare_words, text.split()
    stems = [word[:LETTERS] for word in words]
    shared = rare.keys() & stems
    found = {w[:_LETTERS_SHOWN]: rare[s] for w, s in zip(words, stems, strict=True) if s in shared}
    if not found:
        found = {word[:_LETTERS_SHOWN]: rare[part] for word, part in _within(words, rare)}
    if not found:
        return "shares parts of words"
    rarest = sorted(found, key=lambda word: (-found[word], word))[:_WORDS_SHOWN]
    return "shares " + ", ".join(f"“{word}”" for word in rarest)


def _within(words: Sequence[str], rare: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """Long words with a rare stem that stands inside them."""
    for word in words:
        if len(word) >= LONG:
            inner = (word[at : at + LETTERS] for at in range(1, len(word) - LETTERS + 1))
            yield from ((word, part) for part in inner if part in rare)


def _taught(parts: Mapping[str, float]) -> str:
    kind = "confirmed" if parts["taught"] > 0 else "rejected"
    return f"is like posts that people {kind}"


def _rivals(rival: Entry | None) -> str:
    """What else the post may be about."""
    if rival is None:
        return "other incidents fit as well"
    return f"may be about “{rival.incident.title[:_TITLE_SHOWN]}” instead"


def _time(mention: Mention, entry: Entry) -> str:
    for moment, word in (
        (entry.incident.started_at, "the start"),
        (entry.incident.opened_at, "the opening"),
    ):
        if mention.event_at < moment:
            return f"{_span(moment - mention.event_at)} before {word}"
    return f"{_span(mention.event_at - entry.incident.opened_at)} after the opening"


def _span(gap: timedelta) -> str:
    minutes = round(gap / timedelta(minutes=1))
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"


def _intent(labels: Mapping[str, Label]) -> str:
    noise, intent = labels.get("noise"), labels.get("intent")
    if noise is not None and noise.name == "yes":
        return "looks like advertising or spam"
    name = "other" if intent is None else intent.name
    return _INTENTS.get(name, name)
