"""Tracks: what we listen for, and which of them a text matches."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence

from ahocorasick_rs import AhoCorasick
from pydantic import ConfigDict, Field

from pipeline.disguise import unmasked
from pipeline.model import Mention, Word
from pipeline.values import Words


class TrackComponent(Word):
    """A part of the service, under the name the status page uses, and what people call it."""

    model_config = ConfigDict(extra="forbid")  # a person wrote it: a typo is an error

    name: str = Field(min_length=1)
    aliases: Words = ()


class Track(Word):
    """One name to listen for. Any of terms, handles and hashtags matches; ``exclude`` vetoes.

    ``own`` are our official accounts (handles or ids), ``regions`` the places it serves.
    """

    model_config = ConfigDict(extra="forbid")  # a person wrote it: a typo is an error

    name: str = Field(min_length=1)
    terms: Words = ()
    handles: Words = ()
    hashtags: Words = ()
    exclude: Words = ()
    own: Words = ()
    regions: Words = ()
    component: tuple[TrackComponent, ...] = ()


# Scripts written without spaces between words: there a term is found anywhere.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003134f]"
)


class Matcher:
    """Which tracks a mention matches: whole words in any case, all patterns in one pass.

    A term is found in the text (several words with any white space between them; in scripts
    without spaces anywhere), a handle as ``@handle`` in the text or among ``mention.mentions``, a
    hashtag as ``#tag`` in the text or among ``mention.hashtags``. One hit of ``exclude``, which may
    be a term, an ``@handle`` or a ``#tag``, takes the track out.
    """

    def __init__(self, tracks: Sequence[Track]) -> None:
        self._names = [track.name for track in tracks]
        # What each pattern says: (number of the track, whether it vetoes).
        says: defaultdict[str, set[tuple[int, bool]]] = defaultdict(set)
        for number, track in enumerate(tracks):
            for pattern in _patterns(track):
                says[pattern].add((number, False))
            for word in track.exclude:
                if pattern := folded(word):
                    says[pattern].add((number, True))
        self._says = dict(says)
        self._patterns = list(says)
        self._automaton = AhoCorasick(self._patterns, store_patterns=False)

    @property
    def names(self) -> Sequence[str]:
        """The names of all tracks, as they were configured."""
        return self._names

    def match(self, mention: Mention) -> tuple[str, ...]:
        """The names of the tracks, in the order they were configured."""
        return self.find(mention.text, mention.mentions, mention.hashtags)

    def find(
        self, text: str, mentions: Sequence[str] = (), hashtags: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """The same from the parts of a mention, for sources that look before they make one."""
        hits = self._given(mentions, hashtags)
        hits.update(self._found(folded(text)))
        if not hits:
            return ()
        vetoed = {number for number, is_veto in hits if is_veto}
        wanted = sorted({number for number, is_veto in hits if not is_veto} - vetoed)
        return tuple(self._names[number] for number in wanted)

    def _found(self, text: str) -> Iterator[tuple[int, bool]]:
        patterns = self._patterns
        for which, start, end in self._automaton.find_matches_as_indexes(text, overlapping=True):
            if _stands_alone(text, start, end):
                yield from self._says[patterns[which]]

    def _given(self, mentions: Sequence[str], hashtags: Sequence[str]) -> set[tuple[int, bool]]:
        """Hits among the handles and hashtags that the platform names itself."""
        hits: set[tuple[int, bool]] = set()
        for sign, names in (("@", mentions), ("#", hashtags)):
            for name in names:
                hits.update(self._says.get(sign + folded(name).lstrip(sign), ()))
        return hits


def folded(text: str) -> str:
    """The text as patterns are compared: no case, width or disguise, single spaces."""
    return " ".join((text.casefold() if text.isascii() else unmasked(text)).split())


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether ``text[start:end]`` is not a piece of a longer word."""
    # The sign of a handle or hashtag inside a word is part of an address or a fragment of a URL.
    if start and _in_word(text[start - 1]) and (_in_word(text[start]) or text[start] in "@#"):
        return False
    return not (end < len(text) and _in_word(text[end - 1]) and _in_word(text[end]))


def _in_word(character: str) -> bool:
    """Whether the character joins words with its neighbours: letters, digits, marks and ``_``."""
    if character.isascii():
        return character.isalnum() or character == "_"
    return unicodedata.category(character)[0] in "LNM" and not _UNSPACED.match(character)


def _patterns(track: Track) -> Iterator[str]:
    """Everything that makes a track match, folded."""
    for sign, names in (("", track.terms), ("@", track.handles), ("#", track.hashtags)):
        for name in names:
            bare = folded(name).lstrip(sign) if sign else folded(name)
            if bare:
                yield sign + bare
