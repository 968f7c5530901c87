"""One write to the warehouse, inside one transaction: the same for every database.

The order of the steps is free of meaning for the result; it is chosen so that no row is changed
twice in a transaction: first what removals make of rows that are there, then what is new.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import pyarrow as pa

from pipeline.model import Feedback, LateLink, Removal
from pipeline.ports import Rows
from sinks import batches
from sinks.keys import Keys
from sinks.receipts import receipt_table
from sinks.removals import Request, Requests, requests
from sinks.spend import spend_table

_SUBJECT = pa.schema([("subject", pa.string())])
_NAMED = pa.schema([("subject", pa.string()), ("id", pa.string())])
_KEY = pa.schema([("key", pa.string())])
_ID = pa.schema([("id", pa.string())])
_ARRIVAL = ("arrival", pa.int64())
_HIDDEN = pa.schema([("id", pa.string()), ("is_hidden", pa.bool_()), _ARRIVAL])
_ERASED = pa.schema([("id", pa.string()), ("author_key", pa.string()), _ARRIVAL])

#: The tables whose rows carry the number under which they were last written, ``arrival``.
NUMBERED: Final = ("fct_mention", "fct_link", "fct_campaign", "dim_incident", "fct_decision")


class Upserts(Protocol):
    """Runs our named statements (``upserts.sql``) in the transaction of this write."""

    def run(self, name: str, batch: pa.Table, **values: Any) -> list[tuple[Any, ...]]:
        """Runs one over a batch of at least one row; the rows that it answers, if it asks."""
        ...


class Write:
    """Takes one batch in; afterwards ``erased`` holds the ids of its mentions that are erased.

    ``arrival`` is the last number given to rows, before and after: every row of ``NUMBERED`` tables
    that is written or changed has a higher one than any before this write. ``has_removals`` False:
    the warehouse has never heard of a removal.
    """

    def __init__(
        self, upserts: Upserts, keys: Keys, at: datetime, arrival: int, *, has_removals: bool
    ) -> None:
        self._upserts = upserts
        self._keys = keys
        self._at = batches.naive(at)
        self.arrival = arrival
        self.has_removals = has_removals
        self.erased: list[str] = []

    def take(self, rows: Rows) -> None:
        """Writes everything in the batch."""
        if rows.removals:
            self._removals(rows.removals)
        if rows.feedback:
            self._feedback(batches.newest_feedback(rows.feedback))
        if rows.links or rows.feedback:
            self._links([*batches.late_links(rows.feedback), *rows.links])
        if rows.campaigns:
            self._upsert("fct_campaign", batches.campaign_table(rows.campaigns, *self._now()))
        if rows.incidents:
            self._upsert("dim_incident", batches.incident_table(rows.incidents, *self._now()))
        if rows.decisions:
            self._upsert("fct_decision", batches.decision_table(rows.decisions, *self._now()))
        if rows.coverage:
            self._upsert("fct_coverage", batches.coverage_table(rows.coverage))
        if rows.spend:
            self._upsert("fct_spend", spend_table(rows.spend))
        if rows.receipts:
            self._upsert("fct_erasure", receipt_table(rows.receipts))
        self.erased = list(dict.fromkeys(self.erased))

    def _now(self) -> tuple[datetime, int]:
        """The time of this write, and the next number."""
        self.arrival += 1
        return self._at, self.arrival

    def _upsert(self, name: str, batch: pa.Table, **values: Any) -> list[tuple[Any, ...]]:
        return self._upserts.run(name, batch, **values) if batch.num_rows else []

    # ---- removals -------------------------------------------------------------------------------

    def _removals(self, removals: Sequence[Removal]) -> None:
        ids = {r.removal for r in removals if r.kind == "erased" and r.scope != "author"}
        self._remove(requests(removals, self._keys), self._names(removals), ids)

    def erase_again(self, asked: Sequence[Request], ids: Iterable[str]) -> None:
        """Does once more what a restored backup does not know of, of the mentions ``ids``."""
        authors = [r.subject for r in asked if r.scope == "author"]
        meant = set(ids)
        self._remove(asked, {*meant, *authors, *map(self._keys.token, authors)}, meant)
        self.erased = list(dict.fromkeys(self.erased))

    def _remove(self, asked: Sequence[Request], names: Collection[str], ids: set[str]) -> None:
        """``ids`` are those of mentions to erase: their links may be here without them."""
        rows = [(r.subject, r.scope, r.kind, batches.naive(r.at), self._at, None) for r in asked]
        self._upsert("fct_removal", batches.table(batches.REMOVAL, rows))
        self.has_removals = True
        # In the order of their ids, so that every database gives them the same numbers.
        found = sorted(self._upsert("mentions_removed", batches.table(_KEY, [(k,) for k in names])))
        state = self._requests((m[0], m[1]) for m in found)
        hidden: list[tuple[str, bool, int]] = []
        erased: list[tuple[str, str | None, int]] = []
        for mention_id, author_key, event_at, was_hidden, was_erased in found:
            now = state.state(mention_id, author_key, event_at)
            if now.is_erased and (not was_erased or now.author_key != author_key):
                erased.append((mention_id, now.author_key, self._now()[1]))
            if now.is_erased or was_erased:
                self.erased.append(mention_id)
            elif now.is_hidden != was_hidden:
                hidden.append((mention_id, now.is_hidden, self._now()[1]))
        self._upsert("show_or_hide", batches.table(_HIDDEN, hidden), at=self._at)
        self._upsert("erase_mentions", batches.table(_ERASED, erased), at=self._at)
        absent = sorted(ids - {m[0] for m in found})
        batch = batches.table(_ID, [(mention_id,) for mention_id in absent])
        quoted = [row[0] for row in self._upsert("quoted_among", batch)]
        self.erased += quoted
        self._forget_around([*(mention_id for mention_id, *_ in erased), *quoted])
        self._name([m[0] for m in found])

    def _names(self, removals: Sequence[Removal]) -> set[str]:
        """Mention ids, author keys and tokens that removals may be about."""
        keys: set[str] = set()
        for removal in removals:
            if removal.scope != "author":
                keys.add(removal.removal)
            if removal.scope != "mention":
                author_key = self._keys.author(removal.removal)
                # An erased author's posts stand under the token, so that a repetition finds them.
                keys |= {author_key, self._keys.token(author_key)}
        return keys

    def _requests(self, mentions: Iterable[tuple[str, str | None]]) -> Requests:
        """All requests about these mentions (id, author_key) and their authors."""
        if not self.has_removals:
            return Requests((), self._keys)
        subjects: set[str] = set()
        for mention_id, author_key in mentions:
            subjects.add(self._keys.mention(mention_id))
            if author_key is not None:
                subjects.add(author_key)
        batch = batches.table(_SUBJECT, [(subject,) for subject in subjects])
        return Requests((Request(*row) for row in self._upsert("removals_of", batch)), self._keys)

    def _forget_around(self, ids: Sequence[str]) -> None:
        """Takes what leads to the author or quotes the text from the tables around the mention."""
        batch = batches.table(_ID, [(mention_id,) for mention_id in ids])
        self._upsert("erase_private", batch)
        self._upsert("erase_evidence", batch)

    def _name(self, ids: Sequence[str]) -> None:
        named = [(self._keys.mention(mention_id), mention_id) for mention_id in ids]
        self._upsert("name_removals", batches.table(_NAMED, named))

    # ---- mentions and links ---------------------------------------------------------------------

    def _feedback(self, words: Sequence[Feedback]) -> None:
        authors = [batches.author_key_of(word.mention, self._keys) for word in words]
        asked = self._requests(
            (word.mention.id, author) for word, author in zip(words, authors, strict=True)
        )
        rows, private, erased = [], [], []
        for word, author in zip(words, authors, strict=True):
            m = word.mention
            state = asked.state(m.id, author, batches.naive(m.event_at))
            rows.append(batches.mention_row(word, state, *self._now()))
            if state.is_erased:
                erased.append(m.id)
            else:
                private.append(batches.private_row(word))
        self._upsert("fct_mention", batches.table(batches.MENTION, rows))
        self._upsert("mention_private", batches.table(batches.PRIVATE, private))
        if erased:
            self._forget_around(erased)
            self.erased += erased
        if asked:
            self._name([word.mention.id for word in words])

    def _links(self, words: Sequence[LateLink]) -> None:
        if self.has_removals and words:
            ids = sorted({w.mention for w in words})
            batch = batches.table(_ID, [(mention_id,) for mention_id in ids])
            # Told again: the topic of links holds now what quotes them.
            self.erased += [row[0] for row in self._upsert("erased_among", batch)]
            # Of a mention that is not here only the request itself tells.
            asked = self._requests((mention_id, None) for mention_id in ids)
            self.erased += [i for i in ids if asked.state(i, None, self._at).is_erased]
        self._upsert("fct_link", batches.link_table(words, set(self.erased), *self._now()))
