"""The warehouse as pandas frames, for analysts and notebooks.

Every frame says in ``attrs`` how far it can be trusted: ``as_of`` (when what it was read from was
true), and ``blind``: the gaps of the sources in the asked span, each a dict of source, track,
from_at, to_at and cause.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import pandas as pd

from pipeline.errors import Misuse
from pipeline.ports import Table, Warehouse

#: Columns with few different values, which take a byte a row as categories.
_CATEGORIES: Final = frozenset(
    [
        "source",
        "kind",
        "track",
        "intent",
        "topic",
        "severity",
        "sentiment",
        "repeat_kind",
        "link_state",
        "link_by",
        "language",
        "status",
        "impact",
        "cause",
        "model_version",
        "head",
        "verb",
        "stance",
        "claim",
    ]
)
_TEXTS: Final = frozenset(
    [
        "id",
        "first_id",
        "author_key",
        "text",
        "component",
        "place",
        "app_version",
        "repeat_of",
        "repeat_group",
        "incident_id",
        "title",
        "official_id",
        "url",
        "witness",
        "name",
        "value",
        "causes",
    ]
)
_COUNTS: Final = frozenset(
    {"mentions", "witnesses", "version", "rumours", "reports", "recovered", "still_broken"}
)
_FLOATS: Final = frozenset({"normal", "share", "seconds_read", "seconds_blind"})
_FEEDBACK: Final = (
    "id, source, kind, author_key, text, said_at, event_at, seen_at, updated_at, track, intent, "
    "intent_p, topic, severity, sentiment, is_informative, is_noise, component, place, "
    "app_version, language, repeat_kind, repeat_of, repeat_group, incident_id, link_state, link_p, "
    "link_by, model_version, is_removed, is_report, witness"
)


class Frames:
    """Frames of one warehouse. Times given without a zone are UTC; ``until`` is not included.

    ``age`` is how many seconds old the copy is that is read, None for the warehouse itself.
    """

    def __init__(self, warehouse: Warehouse, age: float | None = None) -> None:
        self._warehouse = warehouse
        self._as_of = datetime.now(UTC) - timedelta(seconds=age or 0.0)

    def feedback(
        self,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        *,
        track: str | None = None,
    ) -> pd.DataFrame:
        """A row per mention, oldest first, by ``event_at``: what was said and what we made of it.

        ``text`` is missing once a mention is removed. ``*_p`` are probabilities from 0 to 1.
        """
        within = _span("event_at", since, until)
        if track is not None:
            within.append(f"id IN (SELECT id FROM mention_tracks WHERE track = {_literal(track)})")
        text = f"SELECT {_FEEDBACK} FROM feedback{_where(within)} ORDER BY event_at, id"
        return self._told(text, since, until)

    def incident_feedback(self, incident: str) -> pd.DataFrame:
        """A row per mention linked to or suggested for an incident, with all of its feedback.

        ``link_state``, ``link_p`` (0 to 1) and ``link_by`` are those of this very incident.
        """
        columns = ", ".join(
            f"{'l' if name.startswith('link_') else 'f'}.{name}"
            for name in _FEEDBACK.split(", ")
            if name != "incident_id"
        )
        text = (
            f"SELECT l.incident_id, {columns} FROM incident_feedback l "
            f"JOIN feedback f ON f.id = l.id WHERE l.incident_id = {_literal(incident)} "
            "ORDER BY f.event_at, f.id"
        )
        frame = self._frame(text)
        seen = frame["event_at"]
        since, until = (seen.min(), seen.max()) if len(frame) else (None, None)
        return self._with_attrs(frame, since, until)

    def incidents(
        self, since: datetime | str | None = None, until: datetime | str | None = None
    ) -> pd.DataFrame:
        """A row per incident, official or proposed, by ``opened_at``.

        ``lead_seconds``: how long our proposal stood before the official opening. ``witnesses``
        are distinct authors of linked reports, ``mentions`` all linked posts, repeats included.
        """
        columns = (
            "incident_id, title, status, impact, track, started_at, opened_at, resolved_at, "
            "is_proposed, official_id, lead_seconds, witnesses, mentions, first_report_at, url"
        )
        within = _where(_span("opened_at", since, until))
        text = f"SELECT {columns} FROM incidents{within} ORDER BY opened_at, incident_id"
        return self._told(text, since, until)

    def hourly(
        self, since: datetime | str | None = None, until: datetime | str | None = None
    ) -> pd.DataFrame:
        """Mentions and witnesses of reports by track, hour, intent and topic.

        ``share``: how much of the hour the source that was read least was read for the track, 0 to
        1; missing where nothing tells.
        """
        within = _where(_span("h.hour", since, until))
        text = (
            "SELECT h.track, h.hour, h.intent, h.topic, h.mentions, h.witnesses, "
            "min(c.share) AS share FROM mentions_hourly h LEFT JOIN completeness c "
            f"ON c.hour = h.hour AND (c.track IS NULL OR c.track = h.track){within} "
            "GROUP BY h.track, h.hour, h.intent, h.topic, h.mentions, h.witnesses "
            "ORDER BY h.hour, h.track, h.intent, h.topic"
        )
        return self._told(text, since, until)

    def completeness(
        self, since: datetime | str | None = None, until: datetime | str | None = None
    ) -> pd.DataFrame:
        """How complete each hour is: a row per source, track (missing: all) and hour."""
        within = _where(_span("hour", since, until))
        text = (
            "SELECT source, track, hour, seconds_read, seconds_blind, causes, is_complete, share "
            f"FROM completeness{within} ORDER BY hour, source, track"
        )
        return self._told(text, since, until)

    def crowd(
        self, since: datetime | str | None = None, until: datetime | str | None = None
    ) -> pd.DataFrame:
        """How the crowd stood to the official word: a row per incident and hour, by hour."""
        within = _where(_span("hour", since, until))
        text = (
            "SELECT incident_id, hour, stance, witnesses, recovered, still_broken, normal "
            f"FROM crowd{within} ORDER BY hour, incident_id"
        )
        return self._told(text, since, until)

    def rumours(
        self, since: datetime | str | None = None, until: datetime | str | None = None
    ) -> pd.DataFrame:
        """Claims that no official channel has made, by ``first_seen_at``: never to tell as fact."""
        within = _where(_span("first_seen_at", since, until))
        text = (
            "SELECT incident_id, track, claim, mentions, witnesses, first_seen_at, last_seen_at, "
            f"first_id FROM rumours{within} ORDER BY first_seen_at, first_id, claim"
        )
        return self._told(text, since, until)

    def coverage(
        self, since: datetime | str | None = None, until: datetime | str | None = None
    ) -> pd.DataFrame:
        """Spans in which a source was read for a track (missing: for all), and gaps with cause."""
        text = (
            "SELECT source, track, from_at, to_at, is_gap, cause FROM coverage"
            f"{_where(_overlap(since, until))} ORDER BY from_at, source, track"
        )
        return self._told(text, since, until)

    def sql(self, text: str) -> pd.DataFrame:
        """The answer to one SELECT of your own over the stable views. Raises Misuse."""
        return self._with_attrs(self._frame(text), None, None)

    def close(self) -> None:
        """Lets go of the warehouse."""
        self._warehouse.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _told(
        self, text: str, since: datetime | str | None, until: datetime | str | None
    ) -> pd.DataFrame:
        return self._with_attrs(self._frame(text), since, until)

    def _frame(self, text: str) -> pd.DataFrame:
        return _typed(self._warehouse.sql(text))

    def _with_attrs(self, frame: pd.DataFrame, since: Any, until: Any) -> pd.DataFrame:
        gaps = self._warehouse.sql(
            "SELECT source, track, from_at, to_at, cause FROM coverage"
            f"{_where(['is_gap', *_overlap(since, until)])} ORDER BY from_at, source, track"
        )
        frame.attrs["as_of"] = self._as_of
        frame.attrs["blind"] = [dict(zip(gaps.columns, row, strict=True)) for row in gaps.rows]
        return frame


def _typed(table: Table) -> pd.DataFrame:
    """A frame whose columns have the same types whether there are rows or not."""
    frame = pd.DataFrame(table.rows, columns=table.columns)
    kinds: dict[str, Any] = {name: _kind(name) for name in table.columns}
    return frame.astype({name: kind for name, kind in kinds.items() if kind is not None})


def _kind(name: str) -> Any:
    if name.endswith("_at") or name == "hour":
        return pd.DatetimeTZDtype("us", "UTC")
    if name.startswith("is_"):
        return "boolean"
    if name in _FLOATS or name.endswith(("_p", "_seconds")):
        return "float64"
    for names, kind in _KINDS.items():
        if name in names:
            return kind
    return None


_KINDS: Final[Mapping[frozenset[str], str]] = {
    _CATEGORIES: "category",
    _TEXTS: "str",
    _COUNTS: "Int64",
}


def _span(column: str, since: Any, until: Any) -> list[str]:
    found = [] if since is None else [f"{column} >= {_moment(since)}"]
    return found if until is None else [*found, f"{column} < {_moment(until)}"]


def _overlap(since: Any, until: Any) -> list[str]:
    found = [] if since is None else [f"to_at > {_moment(since)}"]
    return found if until is None else [*found, f"from_at < {_moment(until)}"]


def _where(conditions: list[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _moment(value: datetime | str) -> str:
    """A time as the views hold it: UTC, without a zone. Raises Misuse."""
    try:
        at = pd.Timestamp(value)
    except ValueError as error:
        raise Misuse(f"{value!r} is no time: give 2026-03-02T09:00Z or a datetime") from error
    if at is pd.NaT:
        raise Misuse("a time is missing: leave since or until out instead")
    at = at.tz_convert("UTC").tz_localize(None) if at.tz is not None else at
    return f"TIMESTAMP '{at.isoformat(sep=' ')}'"


def _literal(text: str) -> str:
    """A word as SQL: a quotation mark in it is doubled, and no server reads backslashes in it."""
    if "\x00" in text:
        raise Misuse("a name with a NUL in it is in no warehouse")
    return "'" + text.replace("'", "''") + "'"
