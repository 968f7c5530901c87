"""Brigades: many accounts that say what a few wrote, or that march behind one hashtag.

Each account is a witness by the letter, so reports are weighed before they are counted. Of variants
of one text (nears of one group of repeats) a few authors count; reports with one hashtag, and those
of accounts that are some days old where the platform tells, count as long as they are few, or
others say the same beside them. Hashtags that name a track or a failure ("#AcmeDown") are what
people really use in one, and are free.

People who lose power write in their own words: on recorded crises hardly a witness falls away
(``bench.repeats``). What falls away is still kept, labelled and linked; it witnesses nothing, in
bursts as in the warehouse, which hears of it by a ``Campaign``.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import Final

from pipeline.model import CampaignKind, Feedback, Mention
from pipeline.tracks import Track
from pipeline.values import to_ms

#: So many authors of one text's variants count, and so many with one hashtag or of new accounts,
#: however few others there are: one less than a burst needs.
FEW: Final = 4
#: Beyond those, a hashtag may stand in at most this share of the reports of the last hour.
SHARE: Final = 0.6
#: So many of them may come from new accounts. Estimates by hand, as is what is new: no public set
#: of reports tells when its accounts were made.
NEW_SHARE: Final = 0.4
MINUTE: Final = 60_000  # ms
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
#: Accounts that are younger when they report are new.
NEW: Final = 7 * DAY
#: Variants of one text are one brigade's for so long: as long as a group of repeats spans.
SPAN: Final = 72 * HOUR
#: What hashtags say when something is broken.
TROUBLE: Final = (
    "down", "outage", "offline", "broken", "notworking", "issue", "problem", "fail", "crash",
    "error", "bug", "caid", "caíd", "fuera", "falla", "panne", "coupure", "ausfall", "störung",
    "stoerung", "guasto", "instab", "instáv", "障害", "عطل", "تعطل",
)  # fmt: skip

_TAG: Final = re.compile(r"#(\w+)")
# Sets are looked through for what is past whenever so many have come.
_SWEEP: Final = 1_024


class Brigades:
    """Weighs reports in the order of their topic; a report that comes again gets its answer again.

    ``tracks`` say which names are free to be hashtags.
    """

    def __init__(self, tracks: Sequence[Track] = ()) -> None:
        self._names = {_bare(name) for track in tracks for name in _names_of(track)}
        self._variants = _Witnesses(SPAN)
        self._tagged = _Witnesses(HOUR)
        self._new = _Witnesses(HOUR)
        self._all = _Witnesses(HOUR)

    def weigh(self, tracks: Sequence[str], report: Feedback) -> CampaignKind | None:
        """Which kind of brigade the report, whose author is known, is one of; None if it counts.

        A brigade about one of its ``tracks`` is enough.
        """
        found = [self._weigh(track, report) for track in tracks]
        return next((kind for kind in found if kind is not None), None)

    def _weigh(self, track: str, report: Feedback) -> CampaignKind | None:
        mention = report.mention
        who, at = mention.witness, to_ms(mention.event_at)
        if who is None:
            return None
        variants = (track, report.repeat.group) if report.repeat.kind == "near" else None
        if variants and not self._variants.has_room(variants, who, at, FEW):
            return "variants"
        others = 1 + self._all.count(track, at)
        tags = [(track, tag) for tag in self._tags(mention)]
        if not all(self._tagged.has_room(tag, who, at, max(FEW, SHARE * others)) for tag in tags):
            return "hashtag"
        is_new = _is_new(mention)
        if is_new and not self._new.has_room(track, who, at, max(FEW, NEW_SHARE * others)):
            return "new_accounts"
        if variants:
            self._variants.add(variants, who, at)
        for tag in tags:
            self._tagged.add(tag, who, at)
        if is_new:
            self._new.add(track, who, at)
        self._all.add(track, who, at)
        return None

    def _tags(self, mention: Mention) -> set[str]:
        """The hashtags that are neither a track's name nor tell of a failure."""
        given = [*mention.hashtags, *(_TAG.findall(mention.text) if "#" in mention.text else ())]
        return {
            tag
            for tag in map(_bare, given)
            if tag not in self._names and not any(word in tag for word in TROUBLE)
        }


class _Witnesses:
    """Who said something of a kind in the last ``span`` ms, by kind."""

    def __init__(self, span: int) -> None:
        self._span = span
        self._said: defaultdict[Hashable, dict[str, int]] = defaultdict(dict)
        self._minutes: defaultdict[Hashable, Counter[int]] = defaultdict(Counter)
        self._added = 0

    def has_room(self, kind: Hashable, who: str, at: int, most: float) -> bool:
        """Whether ``who`` is among them, or would be one of at most ``most``."""
        return who in self._said.get(kind, ()) or self.count(kind, at) + 1 <= most

    def count(self, kind: Hashable, at: int) -> int:
        """How many there are around ``at``, to the minute."""
        span, now = self._span // MINUTE, at // MINUTE
        minutes = self._minutes.get(kind) or Counter[int]()
        return sum(many for minute, many in minutes.items() if abs(minute - now) <= span)

    def add(self, kind: Hashable, who: str, at: int) -> None:
        """Counts ``who``, if that is new, where they spoke last."""
        said, minutes = self._said[kind], self._minutes[kind]
        if who in said:
            minutes[said[who] // MINUTE] -= 1
        said[who] = max(at, said.get(who, at))
        minutes[said[who] // MINUTE] += 1
        self._added += 1
        if self._added % _SWEEP == 0:
            self._sweep(at)

    def _sweep(self, at: int) -> None:
        """Forgets what is past."""
        for kind in list(self._said):
            left = {w: when for w, when in self._said[kind].items() if at - when <= self._span}
            if left:
                self._said[kind] = left
                self._minutes[kind] = Counter(when // MINUTE for when in left.values())
            else:
                del self._said[kind], self._minutes[kind]


def _is_new(mention: Mention) -> bool:
    made = mention.author.created_at
    return made is not None and to_ms(mention.event_at) - to_ms(made) < NEW


def _names_of(track: Track) -> Iterable[str]:
    return (track.name, *track.terms, *track.handles, *track.hashtags, *track.own)


def _bare(name: str) -> str:
    """A name as a hashtag writes it: small letters and digits only."""
    return "".join(character for character in name.casefold() if character.isalnum())
