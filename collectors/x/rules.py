"""What X is asked for: tracks as queries of its search, which are rules of its stream as well."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from collectors.kit.polling import Query
from pipeline.errors import Misuse
from pipeline.tracks import Track

#: The tag of every rule of ours begins so; others are another program's and stay as they are.
OURS: Final = "groundswell:"
_NO_REPOSTS: Final = " -is:retweet"


class Change(NamedTuple):
    """What brings the rules in step: those to be added as (value, tag), and ids to be removed."""

    add: Sequence[tuple[str, str]]
    drop: Sequence[str]


def queries(
    source: str, tracks: Sequence[Track], longest: int, *, reposts: bool = True
) -> list[Query]:
    """As few queries as cover each track, none longer than ``longest`` characters.

    What a track excludes is left out of a query where it would take half of it: the matcher drops
    it then. Raises Misuse naming a term that does not fit.
    """
    found: dict[str, Query] = {}
    for track in tracks:
        vetoes = "".join(f" -{_word(word)}" for word in track.exclude)
        end = "" if len(vetoes) > longest // 2 else vetoes
        end += "" if reposts else _NO_REPOSTS
        room = longest - len(end) - len("()")
        for asked in _packed(source, track, room):
            text = f"({' OR '.join(asked)}){end}"
            found.setdefault(text, Query(text, track.name))
    return list(found.values())


def _packed(source: str, track: Track, room: int) -> Iterator[list[str]]:
    """The words of a track, as many together as there is room for."""
    asked: list[str] = []
    for word in _words(track):
        if len(word) > room:
            raise Misuse(f"{source}: a term of track {track.name} is too long for X's queries")
        if asked and len(" OR ".join((*asked, word))) > room:
            yield asked
            asked = []
        asked.append(word)
    if asked:
        yield asked


def _words(track: Track) -> list[str]:
    handles = [f"@{handle.lstrip('@')}" for handle in track.handles]
    tags = [f"#{tag.lstrip('#')}" for tag in track.hashtags]
    return list(dict.fromkeys([*map(_word, track.terms), *map(_word, handles), *map(_word, tags)]))


def _word(word: str) -> str:
    """A word as X's queries have it: quoted, unless it is a handle or hashtag."""
    bare = word[1:]
    if word[:1] in {"@", "#"} and bare.replace("_", "").isalnum():
        return word
    # Inside quotes only quotes and backslashes mean something.
    return '"' + " ".join(word.replace('"', " ").replace("\\", " ").split()) + '"'


def change(source: str, wanted: Sequence[Query], there: Any, most: int) -> Change:
    """What to change so that the rules of ours that are ``there`` become the ``wanted`` ones.

    Raises Misuse when all together would be more than the plan's ``most``.
    """
    rules = [rule for rule in there if isinstance(rule, Mapping)] if there else []
    ours = {
        str(rule.get("value")): str(rule.get("id"))
        for rule in rules
        if str(rule.get("tag", "")).startswith(OURS + source + ":")
    }
    asked = {query.key: f"{OURS}{source}:{query.track}" for query in wanted}
    foreign = len(rules) - len(ours)
    if foreign + len(asked) > most:
        raise Misuse(
            f"{source}: the tracks want {len(asked)} rules of X's stream beside {foreign} of "
            f"others, `rules` allows {most}: fewer terms, or raise `rules` if your plan has more"
        )
    drop = [number for value, number in ours.items() if value not in asked]
    return Change([(v, tag) for v, tag in asked.items() if v not in ours], drop)
