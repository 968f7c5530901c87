"""Words to Arrow tables, one row per key: what ``upserts.sql`` takes in.

A batch may hold a key twice; the row with the highest revision is kept here, since DuckDB would
keep the wrong one and PostgreSQL refuse both. The order of a table's columns does not matter, rows
are matched by name.
"""

from collections.abc import Callable, Container, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import orjson
import pyarrow as pa

from pipeline.model import (
    HEADS,
    Campaign,
    Coverage,
    Decision,
    Evidence,
    Feedback,
    Incident,
    LateLink,
    Link,
    Mention,
)
from pipeline.steps import claims
from sinks.keys import Keys
from sinks.removals import State

T = TypeVar("T")

_TEXT, _TIME, _INT, _REAL, _BOOL = (
    pa.string(),
    pa.timestamp("us"),
    pa.int64(),
    pa.float64(),
    pa.bool_(),
)
_LIST = pa.list_(pa.string())

#: The heads of ``Feedback.labels`` and their columns; ``version`` is taken by the mention's own.
HEAD_COLUMNS = tuple(
    (head, "app_version" if head == "version" else head)
    for head in (*HEADS, "component", "place", "version")
)

MENTION = pa.schema(
    [
        ("id", _TEXT),
        ("source", _TEXT),
        ("kind", _TEXT),
        ("author_key", _TEXT),
        ("lang", _TEXT),
        ("rating", _REAL),
        ("engagement", _TEXT),
        ("said_at", _TIME),
        ("event_at", _TIME),
        ("seen_at", _TIME),
        ("tracks", _LIST),
        ("version", _INT),
        ("model", _TEXT),
        ("repeat_kind", _TEXT),
        ("repeat_of", _TEXT),
        ("repeat_group", _TEXT),
        ("claims", _LIST),
        ("place_in", _TEXT),
        ("is_hidden", _BOOL),
        ("is_erased", _BOOL),
        ("updated_at", _TIME),
        ("arrival", _INT),
        ("valid_from", _TIME),
        *(
            field
            for _, column in HEAD_COLUMNS
            for field in ((column, _TEXT), (f"{column}_p", _REAL), (f"{column}_sure", _BOOL))
        ),
    ]
)
PRIVATE = pa.schema(
    [
        ("mention_id", _TEXT),
        ("version", _INT),
        ("model", _TEXT),
        ("text", _TEXT),
        ("said_place", _TEXT),
        ("hashtags", _LIST),
        ("label_evidence", _TEXT),
        ("author_id", _TEXT),
        ("handle", _TEXT),
        ("url", _TEXT),
        ("reply_to", _TEXT),
        ("repost_of", _TEXT),
        ("quote_of", _TEXT),
        ("thread", _TEXT),
        ("mentions", _LIST),
        ("links", _LIST),
    ]
)
LINK = pa.schema(
    [
        ("mention_id", _TEXT),
        ("incident_id", _TEXT),
        ("mention_version", _INT),
        ("model", _TEXT),
        ("incident_version", _INT),
        ("state", _TEXT),
        ("p", _REAL),
        ("made_by", _TEXT),
        ("evidence", _TEXT),
        ("updated_at", _TIME),
        ("arrival", _INT),
    ]
)
CAMPAIGN = pa.schema(
    [
        ("mention_id", _TEXT),
        ("mention_version", _INT),
        ("kind", _TEXT),
        ("updated_at", _TIME),
        ("arrival", _INT),
    ]
)
INCIDENT = pa.schema(
    [
        ("incident_id", _TEXT),
        ("version", _INT),
        ("title", _TEXT),
        ("status", _TEXT),
        ("impact", _TEXT),
        ("components", _LIST),
        ("regions", _LIST),
        ("tracks", _LIST),
        ("url", _TEXT),
        ("started_at", _TIME),
        ("opened_at", _TIME),
        ("resolved_at", _TIME),
        ("recorded_at", _TIME),
        ("official_id", _TEXT),
        ("is_proposed", _BOOL),
        ("claims", _LIST),
        ("updates", _TEXT),
        ("history", _TEXT),
        ("record", _TEXT),
        ("updated_at", _TIME),
        ("arrival", _INT),
    ]
)
DECISION = pa.schema(
    [
        ("decision_id", _TEXT),
        ("subject", _TEXT),
        ("verb", _TEXT),
        ("value", _TEXT),
        ("decided_by", _TEXT),
        ("decided_at", _TIME),
        ("updated_at", _TIME),
        ("arrival", _INT),
    ]
)
COVERAGE = pa.schema(
    [
        ("source", _TEXT),
        ("track", _TEXT),
        ("from_at", _TIME),
        ("is_gap", _BOOL),
        ("to_at", _TIME),
        ("cause", _TEXT),
    ]
)
REMOVAL = pa.schema(
    [
        ("subject", _TEXT),
        ("scope", _TEXT),
        ("kind", _TEXT),
        ("asked_at", _TIME),
        ("done_at", _TIME),
        ("id", _TEXT),
    ]
)


def naive(at: datetime) -> datetime:
    """The UTC time without its zone, as the tables hold it."""
    return at.replace(tzinfo=None)


def table(schema: pa.Schema, rows: Sequence[Sequence[Any]]) -> pa.Table:
    """An Arrow table from rows in the order of the schema's fields."""
    columns = zip(*rows, strict=True) if rows else ((),) * len(schema)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def newest(words: Iterable[T], key: Callable[[T], Any], rank: Callable[[T], Any]) -> list[T]:
    """One word per key, the highest in rank, the first of equals, in order of first appearance."""
    held: dict[Any, T] = {}
    for word in words:
        k = key(word)
        other = held.get(k)
        if other is None or rank(word) > rank(other):
            held[k] = word
    return list(held.values())


def newest_feedback(words: Sequence[Feedback]) -> list[Feedback]:
    """One feedback per mention: newest version, newest model, seen first."""
    return newest(
        words,
        lambda f: f.mention.id,
        lambda f: (f.mention.version, f.model, -f.mention.seen_at.timestamp()),
    )


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _reasons(evidence: Sequence[Evidence]) -> list[dict[str, Any]]:
    return [{"kind": e.kind, "value": e.value, "weight": e.weight} for e in evidence]


def mention_row(word: Feedback, state: State, at: datetime, arrival: int) -> list[Any]:
    """A row of ``MENTION``: nothing that its author wrote, of an erased one not even counts."""
    m, repeat, labels = word.mention, word.repeat, word.labels
    rating, engagement = m.rating, _json(m.engagement) if m.engagement else None
    if state.is_erased:
        rating, engagement = None, None
    row = [
        *(m.id, m.source, m.kind, state.author_key, m.lang, rating, engagement),
        *(naive(m.said_at), naive(m.event_at), naive(m.seen_at), m.tracks, m.version, word.model),
        *(repeat.kind, repeat.of, repeat.group, _claimed(word), _place_in(word)),
        *(state.is_hidden, state.is_erased, at, arrival, at),
    ]
    for head, _ in HEAD_COLUMNS:
        label = labels.get(head)
        row += (None, None, None) if label is None else (label.name, label.p, label.sure)
    return row


def private_row(word: Feedback) -> list[Any]:
    """A row of ``PRIVATE``: what was said, by whom and where."""
    m = word.mention
    found = {h: _reasons(label.evidence) for h, label in word.labels.items() if label.evidence}
    return [
        *(m.id, m.version, word.model, m.text, m.place, m.hashtags),
        _json(found) if found else None,
        *(m.author_id, m.author.handle, m.url),
        *(m.reply_to, m.repost_of, m.quote_of, m.thread, m.mentions, m.links),
    ]


def _claimed(word: Feedback) -> list[str] | None:
    """The claims that a post makes, None for none."""
    label = word.labels.get(claims.HEAD)
    return sorted({e.kind for e in label.evidence}) or None if label else None


def _place_in(word: Feedback) -> str | None:
    """The region or country of the label ``place``: its second reason."""
    label = word.labels.get("place")
    return label.evidence[1].value if label and len(label.evidence) > 1 else None


def late_links(words: Iterable[Feedback]) -> Iterable[LateLink]:
    """The links that feedback carries, in the form that they have on a topic of their own."""
    for word in words:
        for link in word.links:
            yield LateLink(
                mention=word.mention.id,
                mention_version=word.mention.version,
                model=word.model,
                link=link,
            )


def link_table(
    words: Iterable[LateLink], erased: Container[str], at: datetime, arrival: int
) -> pa.Table:
    """The machine's links. A person's are made from decisions, by the views."""

    def rank(word: LateLink) -> tuple[int, str, int, float, str]:
        link: Link = word.link
        return word.mention_version, word.model, link.incident_version, link.p, link.state

    kept = newest(
        (word for word in words if word.link.by != "person"),
        lambda word: (word.mention, word.link.incident),
        rank,
    )
    return table(
        LINK,
        [
            (
                *(w.mention, w.link.incident, w.mention_version, w.model, w.link.incident_version),
                *(w.link.state, w.link.p, w.link.by),
                None if w.mention in erased else _json(_reasons(w.link.evidence)),
                at,
                arrival,
            )
            for w in kept
        ],
    )


def campaign_table(words: Sequence[Campaign], at: datetime, arrival: int) -> pa.Table:
    """What the watch set aside, by mention."""
    kept = newest(words, lambda c: c.mention, lambda c: (c.mention_version, c.kind))
    rows = [(c.mention, c.mention_version, c.kind, at, arrival) for c in kept]
    return table(CAMPAIGN, rows)


def incident_table(words: Sequence[Incident], at: datetime, arrival: int) -> pa.Table:
    """The newest record of each incident in the batch."""
    kept = newest(words, lambda i: i.id, lambda i: (i.version, i.at, i.to_json()))
    return table(INCIDENT, [(*_incident_row(i, at), arrival) for i in kept])


def _incident_row(i: Incident, at: datetime) -> list[Any]:
    record = i.to_json()
    whole = orjson.loads(record)
    return [
        *(i.id, i.version, i.title, i.status, i.impact),
        *([c.name for c in i.components], i.regions, i.tracks, i.url),
        *(naive(i.started_at), naive(i.opened_at)),
        None if i.resolved_at is None else naive(i.resolved_at),
        *(naive(i.at), i.official_id, i.is_proposed, _claims(i)),
        *(_json(whole["updates"]), _json(whole["history"]), record.decode(), at),
    ]


def _claims(i: Incident) -> list[str]:
    """What the official word claims itself; a proposal of ours has none."""
    return [] if i.is_proposed else claims.stated([i.title, *(u.body for u in i.updates)])


def decision_table(words: Sequence[Decision], at: datetime, arrival: int) -> pa.Table:
    """People's decisions."""
    kept = newest(words, lambda d: d.id, lambda d: (d.at, d.subject, d.verb, d.value, d.by))
    return table(
        DECISION,
        [(d.id, d.subject, d.verb, d.value, d.by, naive(d.at), at, arrival) for d in kept],
    )


def coverage_table(words: Sequence[Coverage]) -> pa.Table:
    """Spans read and gaps."""
    kept = newest(
        words,
        lambda c: (c.source, c.track or "", c.from_at, c.is_gap),
        lambda c: (c.to_at, c.cause or ""),
    )
    return table(
        COVERAGE,
        [
            (c.source, c.track or "", naive(c.from_at), c.is_gap, naive(c.to_at), c.cause)
            for c in kept
        ],
    )


def author_key_of(mention: Mention, keys: Keys) -> str | None:
    """The keyed hash of a mention's author, None if the platform did not say."""
    author = mention.author_id
    return None if author is None else keys.author(author)
