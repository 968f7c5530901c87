"""Late links: an incident that opens or changes is compared with what was said before.

The worker compares a mention with the incidents known at that moment. Whenever incidents' records
change, or people teach something about them, the mentions in their windows are read back from the
warehouse and scored by the same linker against all incidents, since these compete for them. So
every order of arrival ends in the same links. People's links are never touched: these are automatic
rows, and views put a person's word first.

A question to the warehouse costs as much as some hundred mentions, and reading a mention as much as
scoring it against many incidents. So incidents whose windows overlap are read for and scored
together, and of an incident that only opened or closed again only what that touches.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from pipeline.errors import TryLater
from pipeline.incidents import Book
from pipeline.model import HEADS, WHAT_AND_WHERE, Incident, Label, LateLink, Link, Mention
from pipeline.ports import Row, Warehouse
from pipeline.proposals import FIRST, ended_at, shifted
from pipeline.settling import Settling
from pipeline.steps import text
from pipeline.steps.candidates import LOOK_BACK, Entry, looked_at
from pipeline.steps.links import Linker
from pipeline.steps.matches import Match
from pipeline.values import from_ms, in_utc, to_ms

#: Mentions that are read at once, and that are scored and held as links at once.
PAGE = 2_000
SLICE = 1_000
#: Incidents that are scored together: the pairs of a slice take some ten megabytes.
TOGETHER = 200
#: Stands for the end of an incident that is not over.
OPEN_END = datetime(9999, 1, 1, tzinfo=UTC)
#: Under which column of the query each head's name stands.
_COLUMNS = tuple((h, "app_version" if h == "version" else h) for h in (*HEADS, *WHAT_AND_WHERE))
#: What a mention read back is filled into; making one anew would copy every default.
_BLANK = Mention(source="-", external_id="-", text="", said_at=OPEN_END)


class Span(NamedTuple):
    """A record to be scored, and from when to when. ``whole``: all that it may take or has."""

    incident: Incident
    from_at: datetime
    to_at: datetime
    whole: bool


class Group(NamedTuple):
    """Records that are scored together, by incident."""

    spans: dict[str, Span]

    @classmethod
    def of(cls, spans: Iterable[Span]) -> "Group":
        """These spans."""
        return cls({span.incident.id: span for span in spans})

    def tracks(self) -> list[str]:
        """The tracks that any of them names; none when one may be about any."""
        named = [span.incident.tracks for span in self.spans.values()]
        return sorted({track for own in named for track in own}) if all(named) else []


class Scored(NamedTuple):
    """What the links to an incident were last made from: all of it, and its spans."""

    content: tuple[object, ...]
    spans: list[tuple[int, int]]

    @classmethod
    def of(cls, incident: Incident) -> "Scored":
        """What this record's links are made from."""
        return cls(looked_at(incident), Entry(incident).spans())


class LateLinks:
    """The incidents whose mentions are to be scored again, and the scoring itself, page by page.

    When what was on its way to the warehouse has settled there, an incident that was asked for is
    scored once more. Without ``settling`` only once, for a replay, where the warehouse is up to
    date before it is asked; only then is it known that a record was compared with everything, so
    that the next one need be compared only where it differs.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        linker: Linker,
        book: Book,
        settling: Settling | None,
        page: int = PAGE,
    ) -> None:
        self._warehouse = warehouse
        self._linker = linker
        self._book = book
        self._settling = settling
        self._page = page
        self._asked: dict[str, None] = {}  # in the order they were asked for
        self._scored: dict[str, Scored] = {}
        self._windows: dict[str, tuple[datetime, datetime]] = {}  # in which it competed last
        self._groups: deque[Group] = deque()
        self._current: Group | None = None
        self._pages: Iterator[list[LateLink]] = iter(())

    def ask(self, incident_id: str, now: datetime) -> None:
        """Asks for the mentions of an incident to be scored now, and again when all settled."""
        self._asked[incident_id] = None
        self.ask_later(incident_id, now)

    def ask_later(self, incident_id: str, now: datetime, since: datetime | None = None) -> None:
        """Asks for them to be scored when what is on its way now has settled.

        ``since``: when it was asked for first, if it was and has not settled.
        """
        if self._settling is not None:
            self._settling.add(incident_id, now, since)

    def resume(self, now: datetime) -> None:
        """Has those that settled meanwhile scored again. Raises TryLater."""
        if self._settling is not None:
            self._asked.update(dict.fromkeys(self._settling.settled(now)))

    def forget(self, incident_id: str) -> None:
        """An incident's next scoring compares everything: it may have missed posts meanwhile."""
        self._scored.pop(incident_id, None)

    @property
    def is_busy(self) -> bool:
        """Whether there is anything to score for now."""
        return self._current is not None or bool(self._groups) or bool(self._asked)

    def next_page(self) -> list[LateLink]:
        """The changes that one slice of mentions of some incidents brings. Raises TryLater."""
        if self._current is None:
            if not self._groups:
                self._groups.extend(groups(self._due()))
            if not self._groups:
                return []
            self._current = self._groups.popleft()
            self._pages = self._of(self._current)
        try:
            found = next(self._pages, None)
        except TryLater:
            self.start_over()
            raise
        if found is None:
            self._finish(self._current)
        return found or []

    def start_over(self) -> None:
        """Begins the incidents at hand from their first page again: what was found may be lost."""
        if self._current is not None:
            self._groups.appendleft(self._current)
        self._current = None

    def _finish(self, group: Group) -> None:
        self._current = None
        for incident_id, span in group.spans.items():
            self._windows[incident_id] = window(span.incident)
            if self._settling is None:
                self._scored[incident_id] = Scored.of(span.incident)

    def _due(self) -> list[Span]:
        """What has to be scored of all that were asked for, which are then no longer."""
        found = []
        for incident_id in self._asked:
            incident = self._book.whole(incident_id)
            if incident is None:
                continue
            if not self._book.takes_posts(incident_id):
                self.forget(incident_id)  # what it has missed is to be found should it come back
            span = since(self._scored.get(incident_id), incident)
            if span is not None:
                found.append(self._widened(span))
        self._asked.clear()
        return found

    def _widened(self, span: Span) -> Span:
        """With the window in which the incident competed before, if all of it is to be scored."""
        before = self._windows.get(span.incident.id)
        if before is None or not span.whole:
            return span
        low, high = min(before[0], span.from_at), max(before[1], span.to_at)
        return span._replace(from_at=low, to_at=high)

    def _of(self, group: Group) -> Iterator[list[LateLink]]:
        """What has to change among the links of the mentions in these spans, slice by slice."""
        asked = {
            "incidents": list(group.spans),
            # Links made for older records are taken back or renewed, also outside the windows.
            "versions": [self._book.stamp if s.whole else 0 for s in group.spans.values()],
            "tracks": group.tracks(),
            "from_at": min(span.from_at for span in group.spans.values()),
            "to_at": max(span.to_at for span in group.spans.values()),
            "limit": self._page,
        }
        after_at, after = None, ""
        while True:
            rows = self._warehouse.rows(
                "mentions_for_incidents", **asked, after_at=after_at, after=after
            )
            for start in range(0, len(rows), SLICE):
                yield self._changes(rows[start : start + SLICE])
            if len(rows) < self._page:
                return
            after_at, after = rows[-1]["event_at"], rows[-1]["id"]

    def _changes(self, rows: Sequence[Row]) -> list[LateLink]:
        mentions = [mention_of(row) for row in rows]
        labels = [labels_of(row) for row in rows]
        matches = self._linker.score_many(mentions, text.prepare(mentions), labels)
        return [
            _late(row, link)
            for row, found in zip(rows, matches, strict=True)
            for link in changes(row, found, self._book)
        ]


def window(incident: Incident) -> tuple[datetime, datetime]:
    """From when to when mentions may belong to an incident: the linker's rule, as a query's span.

    The last end is meant; what was said while it was closed in between the linker leaves out.
    """
    start = shifted(incident.started_at, -LOOK_BACK)
    end = ended_at(incident) or OPEN_END
    return start, min(end, incident.resolved_at or end)


def groups(spans: Iterable[Span], most: int = TOGETHER) -> Iterator[Group]:
    """Those that overlap together, at most so many.

    Those that name tracks and those that do not are kept apart: mentions of all tracks are read
    only for the latter.
    """
    found: list[Span] = []
    end = FIRST
    order = sorted(spans, key=lambda s: (bool(s.incident.tracks), s.from_at, s.incident.id))
    for span in order:
        fits = found and bool(found[0].incident.tracks) == bool(span.incident.tracks)
        if found and not (fits and span.from_at <= end and len(found) < most):
            yield Group.of(found)
            found = []
        end = max(end, span.to_at) if found else span.to_at
        found.append(span)
    if found:
        yield Group.of(found)


def since(scored: Scored | None, incident: Incident) -> Span | None:
    """What is to be scored of a record after another was: None where nothing can have changed."""
    if scored is None or scored.content != looked_at(incident):
        return Span(incident, *window(incident), whole=True)
    differing = difference(scored.spans, Entry(incident).spans())
    if differing is None:
        return None
    low, high = (from_ms(min(max(ms, to_ms(FIRST)), to_ms(OPEN_END))) for ms in differing)
    return Span(incident, low, high, whole=False)


def difference(
    one: Sequence[tuple[int, int]], other: Sequence[tuple[int, int]]
) -> tuple[int, int] | None:
    """From when to when lists of spans (ms, end excluded) differ, None if they nowhere do."""
    bounds = sorted({moment for span in (*one, *other) for moment in span})
    differing = [
        (low, high)
        for low, high in pairwise(bounds)
        if any(a <= low < b for a, b in one) != any(a <= low < b for a, b in other)
    ]
    return (differing[0][0], differing[-1][1]) if differing else None


def changes(row: Row, found: Iterable[Match], book: Book) -> Iterator[Link]:
    """The links of a mention that the warehouse does not have yet, or has but should not.

    An equal answer is not written again. Links to dismissed and merged incidents stay as they are:
    views hide them or give them to an heir.
    """
    known = _links_of(row)
    for match in found:
        if known.pop(match.entry.incident.id, None) != (match.state, match.p):
            yield match.link()
    for incident_id, (state, _) in known.items():
        if state == "unlinked" or book.get(incident_id) is None:
            continue
        if book.takes_posts(incident_id):
            yield Link(
                incident=incident_id,
                p=0.0,
                state="unlinked",
                by="late",
                incident_version=book.stamp,
            )


def _links_of(row: Row) -> dict[str, tuple[str, float]]:
    """State and p of the machine's links that stand in the row, by incident."""
    names = "link_incidents", "link_states", "link_ps"
    if row[names[0]] is None:
        return {}
    incidents, *told = (row[name] for name in names)
    return dict(zip(incidents, zip(*told, strict=True), strict=True))


def _late(row: Row, link: Link) -> LateLink:
    return LateLink(
        mention=row["id"], mention_version=row["version"], model=row["model"], link=link
    )


def mention_of(row: Row) -> Mention:
    """The mention in a row of ``mentions_for_incidents``, as far as the linker looks at it.

    It was checked when it came in; checking it again would cost more than scoring it.
    """
    source, known_id = row["source"], row["id"]
    return _BLANK.model_copy(
        update={
            "source": source,
            "external_id": known_id[len(source) + 1 :],
            "kind": row["kind"],
            "text": row["text"] or "",
            "lang": row["lang"],
            "said_at": in_utc(row["said_at"]),
            "event_at": in_utc(row["event_at"]),
            "seen_at": in_utc(row["seen_at"]),
            "place": row["said_place"],
            "hashtags": tuple(row["hashtags"] or ()),
            "tracks": tuple(row["tracks"] or ()),
            "version": row["version"],
        }
    )


def labels_of(row: Row) -> dict[str, Label]:
    """The machine's labels in a row of ``mentions_for_incidents``; only their names count there."""
    return {head: _named(row[column]) for head, column in _COLUMNS if row[column] is not None}


@lru_cache(maxsize=10_000)
def _named(name: str) -> Label:
    """A label of that name: a page has thousands of labels and few names."""
    return Label(name=name, p=1.0, sure=True)
