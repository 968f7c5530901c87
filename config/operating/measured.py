"""A warehouse seen from outside: what is written, how long it takes, how old it is by then."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from config.operating.spread import SECONDS, Spread
from pipeline.model import Removal
from pipeline.ports import Row, Rows, Table, Warehouse


class MeasuredWarehouse:
    """Stands before a warehouse and is one (port ``Warehouse``); it measures writes that succeeded.

    ``written`` counts rows by kind, ``repeats`` feedback by its kind of repeat. ``since_received``
    and ``since_said`` are the ages of posts in seconds when they stood in the warehouse: since
    their ``seen_at``, and since their ``event_at``. Posts of files do not tell when they were
    received (``seen_at`` is ``event_at``) and are left out of the first.
    """

    def __init__(self, kept: Warehouse) -> None:
        self._kept = kept
        self.written: Counter[str] = Counter()
        self.repeats: Counter[str] = Counter()
        self.write_seconds = Spread(SECONDS)
        self.since_received = Spread(SECONDS)
        self.since_said = Spread(SECONDS)

    def write(self, rows: Rows, at: datetime) -> list[str]:
        """Writes a batch; see the port."""
        began = time.monotonic()
        erased = self._kept.write(rows, at)
        took = time.monotonic() - began
        self.write_seconds.add([took])
        counts = {field.name: len(getattr(rows, field.name)) for field in fields(rows)}
        self.written += Counter(counts)  # leaves out what is zero
        self.repeats.update(feedback.repeat.kind for feedback in rows.feedback)
        mentions = [feedback.mention for feedback in rows.feedback]
        # ``at`` is when the write began; in the posts' own time, which a replay's clock may bend.
        received = [m.seen_at for m in mentions if m.seen_at != m.event_at]
        self.since_received.add([took + (at - seen_at).total_seconds() for seen_at in received])
        self.since_said.add([took + (at - m.event_at).total_seconds() for m in mentions])
        return erased

    def rows(self, query: str, **values: Any) -> list[Row]:
        """See the port."""
        return self._kept.rows(query, **values)

    def sql(self, text: str, limit: int | None = None, seconds: float | None = None) -> Table:
        """See the port."""
        return self._kept.sql(text, limit, seconds)

    def revision(self) -> int:
        """See the port."""
        return self._kept.revision()

    def roll_up(self, at: datetime) -> int:
        """See the port."""
        return self._kept.roll_up(at)

    def snapshot(self) -> None:
        """See the port."""
        self._kept.snapshot()

    def erase(self, removals: Sequence[Removal], at: datetime) -> Row:
        """See the port."""
        return self._kept.erase(removals, at)

    def close(self) -> None:
        """See the port."""
        self._kept.close()
