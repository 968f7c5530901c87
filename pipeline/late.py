"""Late links: an incident that opens or changes is compared with what was said before.

The worker compares a mention with the incidents known at that moment. Whenever an incident's record
changes, the mentions in its window are read back from the warehouse and scored by the same linker,
so that every order of arrival ends in the same links. People's links are never touched: these are
automatic rows, and views put a person's word first.
"""

import heapq
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from pipeline.errors import TryLater
from pipeline.incidents import Book
from pipeline.model import (
    HEADS,
    WHAT_AND_WHERE,
    Incident,
    Label,
    LateLink,
    Link,
    Mention,
    in_utc,
)
from pipeline.ports import Row, Warehouse
from pipeline.proposals import ended_at, shifted
from pipeline.steps import text
from pipeline.steps.candidates import LOOK_BACK
from pipeline.steps.links import Linker

#: Mentions that are read, scored and held in memory at once.
PAGE = 2_000
#: Stands for the end of an incident that is not over.
OPEN_END = datetime(9999, 1, 1, tzinfo=UTC)
#: Under which column of the query each head's name stands.
_COLUMNS = tuple((h, "app_version" if h == "version" else h) for h in (*HEADS, *WHAT_AND_WHERE))
#: What a mention read back is filled into; making one anew would copy every default.
_BLANK = Mention(source="-", external_id="-", text="", said_at=OPEN_END)


class LateLinks:
    """The incidents whose mentions are to be scored again, and the scoring itself, page by page.

    ``settle`` seconds (of whatever clock gives ``now``) after an incident was asked for it is
    scored once more, for rows that were still on their way to the warehouse. 0: only once, for a
    replay, where the warehouse is up to date before it is asked.
    """

    def __init__(
        self, warehouse: Warehouse, linker: Linker, book: Book, *, settle: float, page: int = PAGE
    ) -> None:
        self._warehouse = warehouse
        self._linker = linker
        self._book = book
        self._settle = timedelta(seconds=settle)
        self._page = page
        self._asked: dict[str, None] = {}  # in the order they were asked for
        self._again: list[tuple[datetime, str]] = []  # a heap
        self._again_at: dict[str, datetime] = {}
        self._pages: Iterator[list[LateLink]] | None = None
        self._current: str | None = None

    def ask(self, incident_id: str, now: datetime) -> None:
        """Asks for the mentions of an incident to be scored now, and again when all settled."""
        self._asked[incident_id] = None
        self.ask_later(incident_id, now)

    def ask_later(self, incident_id: str, now: datetime) -> None:
        """Asks for them to be scored when what is on its way now has settled."""
        if self._settle:
            due = now + self._settle
            self._again_at[incident_id] = due
            heapq.heappush(self._again, (due, incident_id))

    def is_busy(self, now: datetime) -> bool:
        """Whether there is anything to score at ``now``."""
        while self._again and self._again[0][0] <= now:
            due, incident_id = heapq.heappop(self._again)
            if self._again_at.get(incident_id) == due:  # else it was asked for again meanwhile
                del self._again_at[incident_id]
                self._asked[incident_id] = None
        return self._pages is not None or bool(self._asked)

    def next_page(self) -> list[LateLink]:
        """The changes that one page of mentions of one incident brings. Raises TryLater."""
        if self._pages is None:
            if not self._asked:
                return []
            self._current = next(iter(self._asked))
            del self._asked[self._current]
            incident = self._book.get(self._current)
            self._pages = iter(()) if incident is None else self._of(incident)
        try:
            found = next(self._pages, None)
        except TryLater:
            self.start_over()
            raise
        if found is None:
            self._pages = self._current = None
        return found or []

    def start_over(self) -> None:
        """Begins the incident at hand from its first page again: what was found may be lost."""
        if self._current is not None:
            self._asked[self._current] = None
        self._pages = self._current = None

    def _of(self, incident: Incident) -> Iterator[list[LateLink]]:
        """What has to change among the links to this record, page by page."""
        if not self._book.takes_posts(incident.id):
            return  # dismissed or merged: views hide its links or give them to its heir
        from_at, to_at = window(incident)
        after = ""
        while True:
            rows = self._warehouse.rows(
                "mentions_for_incident",
                incident=incident.id,
                incident_version=incident.version,
                tracks=list(incident.tracks),
                from_at=from_at,
                to_at=to_at,
                after=after,
                limit=self._page,
            )
            if not rows:
                return
            yield self._changes(incident, rows)
            if len(rows) < self._page:
                return
            after = rows[-1]["id"]

    def _changes(self, incident: Incident, rows: Sequence[Row]) -> list[LateLink]:
        mentions = [mention_of(row) for row in rows]
        labels = [labels_of(row) for row in rows]
        links = self._linker.score_one(incident, mentions, text.prepare(mentions), labels)
        changes = (
            change(row, mention, link, incident)
            for row, mention, link in zip(rows, mentions, links, strict=True)
        )
        return [late for late in changes if late is not None]


def window(incident: Incident) -> tuple[datetime, datetime]:
    """From when to when mentions may belong to an incident: the linker's rule, as a query's span.

    The last end is meant; what was said while it was closed in between the linker leaves out.
    """
    start = shifted(incident.started_at, -LOOK_BACK)
    end = ended_at(incident) or OPEN_END
    return start, min(end, incident.resolved_at or end)


def change(row: Row, mention: Mention, link: Link | None, incident: Incident) -> LateLink | None:
    """The new word on a mention, None where the warehouse's stands."""
    state, version = row["link_state"], row["link_incident_version"]
    if link is None:
        if state in {None, "unlinked"}:
            return None
        link = Link(
            incident=incident.id,
            p=0.0,
            state="unlinked",
            by="late",
            incident_version=incident.version,
        )
    elif state == link.state and (version >= incident.version or row["link_p"] == link.p):
        return None  # an equal answer is not written again for each new record of an incident
    return LateLink(
        mention=mention.id, mention_version=mention.version, model=row["model"], link=link
    )


def mention_of(row: Row) -> Mention:
    """The mention in a row of ``mentions_for_incident``, as far as the linker looks at it.

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
    """The machine's labels in a row of ``mentions_for_incident``; only their names count there."""
    return {head: _named(row[column]) for head, column in _COLUMNS if row[column] is not None}


@lru_cache(maxsize=10_000)
def _named(name: str) -> Label:
    """A label of that name: a page has thousands of labels and few names."""
    return Label(name=name, p=1.0, sure=True)
