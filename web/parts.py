"""The parts a page is made of: each is one read of the warehouse, made ready for JSON.

A part is named by values, so that every tab asking for the same one shares one read and one
encoding. Foreign text leaves here in its shown form (``web.text``); ids and times stay as they are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipeline.model import HEADS, WHAT_AND_WHERE
from web import completeness
from web.crowd import has_ended, told
from web.text import line, shown, web_url

if TYPE_CHECKING:
    from pipeline.ports import Row, Warehouse

#: Rows of the feed; more than a person can look through, few enough to send whole.
FEED_ROWS = 200
#: Posts of an incident that are shown before "show more", and at most.
INCIDENT_ROWS, MOST_ROWS = 100, 1_000
#: How many minutes the chart of the feed shows, and one of an incident at least and at most.
CHART_MINUTES, LEAST_MINUTES, MOST_MINUTES = 60, 15, 24 * 60
#: How far back a source's gaps are told.
GAPS_OF = timedelta(hours=24)
#: A longer filter or id is nobody's honest question.
MOST_CHARACTERS = 500

Doc = dict[str, Any]
# Ids and addresses are handed back to us or followed, so they must not be changed.
_AS_IT_IS = frozenset(
    {"id", "repeat_of", "repeat_group", "incident", "incident_id", "official_id", "value"}
)
#: The column of each head's answer, where it has another name.
_COLUMN_OF = {"version": "app_version"}


@dataclass(frozen=True, slots=True)
class Filters:
    """Which feedback is asked for; None asks for all."""

    source: str | None = None
    track: str | None = None
    intent: str | None = None
    linked: bool | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Filters":
        """The filters in an address's query. Raises ValueError on a value that cannot be."""
        given = {name: query.get(name) or None for name in ("source", "track", "intent")}
        for name, value in given.items():
            if value is not None and len(value) > MOST_CHARACTERS:
                raise ValueError(f"{name} is too long")
        linked = query.get("linked", "")
        if linked not in {"", "yes", "no"}:
            raise ValueError("linked is yes or no")
        return cls(**given, linked=(linked == "yes") if linked else None)

    def values(self) -> dict[str, Any]:
        """The filters as the values of a named query."""
        return {
            "source": self.source,
            "track": self.track,
            "intent": self.intent,
            "linked": self.linked,
        }


@dataclass(frozen=True, slots=True)
class Part:
    """One thing a page follows: its name (also the event's), and what of it."""

    name: str
    filters: Filters = Filters()
    id: str = ""
    limit: int = 0


def posts(warehouse: "Warehouse", part: Part, _now: datetime) -> list[Doc]:
    """The newest feedback, newest arrival first."""
    limit = part.limit or FEED_ROWS
    rows = warehouse.rows("newest_feedback", **part.filters.values(), limit=limit)
    return [post_doc(row) for row in rows]


def counts(warehouse: "Warehouse", part: Part, now: datetime) -> Doc:
    """Mentions, reports and witnesses of each of the last minutes, gaps filled with 0.

    The hour ends now; where the newest post is older than an hour or ahead of the clock (a replay
    of the past, say), it ends there.
    """
    newest = warehouse.rows("last_event")
    last = _utc(newest[0]["event_at"]) if newest and newest[0]["event_at"] else now
    if now - timedelta(minutes=CHART_MINUTES) <= last <= now:
        last = now
    end = last.replace(second=0, microsecond=0)
    start = end - timedelta(minutes=CHART_MINUTES - 1)
    rows = warehouse.rows(
        "counts_per_minute",
        **part.filters.values(),
        from_at=start,
        to_at=end + timedelta(minutes=1),
    )
    return _series(rows, start, CHART_MINUTES, ("mentions", "reports", "witnesses"))


def incidents(warehouse: "Warehouse", _part: Part, now: datetime) -> list[Doc]:
    """All incidents: proposed first, then open ones, then closed ones, the newest first in each."""
    docs = [incident_doc(row) for row in warehouse.rows("incident_list")]
    shown = [doc["id"] for doc in docs]
    found = map(_doc, warehouse.rows("incident_coverage", ids=shown, now=now))
    read = completeness.by_incident(found)
    for doc in docs:
        doc["completeness"] = completeness.brief(read[doc["id"]], now)
    return sorted(docs, key=lambda doc: (doc["rank"], -doc["opened_at"].timestamp()))


def incident(warehouse: "Warehouse", part: Part, now: datetime) -> Doc | None:
    """One incident: its updates, its posts per minute, how much was read. None without any."""
    rows = warehouse.rows("incident", id=part.id)
    if not rows:
        return None
    doc = incident_doc(rows[0])
    found = warehouse.rows("incident_timeline", id=part.id)
    doc["timeline"] = _timeline(found)
    read = map(_doc, warehouse.rows("incident_coverage", ids=[part.id], now=now))
    doc["completeness"] = completeness.told(read, now)
    return doc


def incident_posts(warehouse: "Warehouse", part: Part, _now: datetime) -> list[Doc]:
    """An incident's posts with the reasons for each link."""
    limit = min(part.limit or INCIDENT_ROWS, MOST_ROWS)
    rows = warehouse.rows("incident_posts", id=part.id, limit=limit, newest=True)
    return [post_doc(row) for row in rows]


def crowd(warehouse: "Warehouse", part: Part, now: datetime) -> Doc | None:
    """The crowd against the official word on an incident, rumours, and posts to be read aloud."""
    from pipeline import voices  # it loads numpy, which no other part of the page needs

    rows = warehouse.rows("incident", id=part.id)
    if not rows:
        return None
    found = incident_doc(rows[0])
    hours = [_doc(row) for row in warehouse.rows("incident_crowd", id=part.id)]
    rumours = [_doc(row) for row in warehouse.rows("incident_rumours", id=part.id)]
    aside = [_doc(row) for row in warehouse.rows("incident_campaigns", id=part.id)]
    if has_ended(found) and hours and hours[-1]["broken_since"]:
        # Beside "still broken since" stand words that were said since.
        about = warehouse.rows("incident_since", id=part.id, limit=voices.MOST)
    else:
        state = None if found["is_proposed"] else "linked"
        about = warehouse.rows("incident_posts", id=part.id, state=state, limit=voices.MOST)
    return told(found, hours, rumours, voices.choose(about), now, aside)


def post(warehouse: "Warehouse", part: Part, _now: datetime) -> Doc | None:
    """One post with everything known of it, its text uncut. None when there is none."""
    rows = warehouse.rows("mention", id=part.id)
    if not rows or rows[0]["is_removed"]:
        return None
    doc = post_doc(rows[0], limit=None)
    doc["labels"] = _labels(doc)
    doc["links"] = doc["links"] or []
    return doc


def there(warehouse: "Warehouse", part: Part, _now: datetime) -> list[str]:
    """Which of incident and post there is of this id."""
    return [row["kind"] for row in warehouse.rows("is_there", id=part.id)]


def menus(warehouse: "Warehouse", _part: Part, _now: datetime) -> Doc:
    """What the filters offer: the sources, tracks and intents that have feedback."""
    found: dict[str, list[str]] = {"source": [], "track": [], "intent": []}
    for row in warehouse.rows("sources_and_tracks"):
        if row["kind"] in found:
            found[row["kind"]].append(row["name"])
    return dict(found)


def sources(warehouse: "Warehouse", _part: Part, now: datetime) -> list[Doc]:
    """Each source: up to when it was read, whether it is blind now, its gaps of the last day."""
    found = [_doc(row) for row in warehouse.rows("coverage_gaps", since=now - GAPS_OF)]
    docs = []
    for row in map(_doc, warehouse.rows("coverage_now")):
        source, track, read_to, gap_to = (row[k] for k in ("source", "track", "read_to", "gap_to"))
        gaps = [
            {name: gap[name] for name in ("from_at", "to_at", "cause")}
            for gap in found
            if (gap["source"], gap["track"]) == (source, track)
        ]
        is_blind = gap_to is not None and (read_to is None or gap_to > read_to)
        doc = {"id": f"{source}|{track or ''}", "source": source, "track": track}
        docs.append(doc | {"read_to": read_to, "is_blind": is_blind, "gaps": gaps})
    return _with_spend(docs, warehouse, now)


def _with_spend(docs: list[Doc], warehouse: "Warehouse", now: datetime) -> list[Doc]:
    """The same, with what paid sources have cost today and this month at the source itself."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for row in warehouse.rows("spend_now", day=day, month=day.replace(day=1)):
        spend, number = dict(row), f"{row['source']}|"
        doc = next((doc for doc in docs if doc["id"] == number), None)
        if doc is None:
            of_all = {"id": number, "source": spend["source"], "track": None, "read_to": None}
            docs.append(doc := of_all | {"is_blind": False, "gaps": []})
        doc["spend"] = {name: told for name, told in spend.items() if name != "source"}
    return docs


def totals(warehouse: "Warehouse", _part: Part, _now: datetime) -> Doc:
    """How much the warehouse holds."""
    rows = warehouse.rows("totals")
    return _doc(rows[0]) if rows else {}


Read = Callable[["Warehouse", Part, datetime], Any]
#: Every part by name.
PARTS: dict[str, Read] = {
    read.__name__: read
    for read in (
        *(posts, counts, incidents, incident, incident_posts, crowd, post),
        *(menus, sources, totals, there),
    )
}


def read(warehouse: "Warehouse", part: Part, now: datetime) -> Any:
    """What the part holds at present. May block for seconds. Raises TryLater."""
    return PARTS[part.name](warehouse, part, now)


def post_doc(row: "Row", limit: int | None = 1_000) -> Doc:
    """A mention's row as the page shows it; ``is_cut`` tells that the text goes on."""
    doc = _doc(row)
    text = row.get("text") or ""
    doc["text"] = shown(text, limit)
    doc["is_cut"] = limit is not None and len(text) > limit and doc["text"].endswith("…")
    doc["url"] = web_url(row.get("url"))
    return doc


def incident_doc(row: "Row") -> Doc:
    """An incident's row as the page shows it; ``rank`` sorts proposed, open, closed."""
    doc = _doc(row)
    doc["id"] = row["incident_id"]
    doc["url"] = web_url(row.get("url"))
    is_closed = row["status"] in {"resolved", "postmortem", "dismissed"} or bool(
        row.get("is_proposed") and row.get("official_id")
    )
    doc["rank"] = 2 if is_closed else 0 if row["status"] == "proposed" else 1
    return doc


def _labels(doc: Doc) -> list[Doc]:
    """What stands under each head, who said so and why, from a mention's wide row."""
    evidence = doc.get("label_evidence") or {}
    words = [d["value"] for d in doc.get("decisions") or () if d["verb"] == "relabel"]
    settled = {word.partition("=")[0] for word in words}
    labels = []
    for head in (*HEADS, *WHAT_AND_WHERE):
        column = _COLUMN_OF.get(head, head)
        name = doc.get(column)
        if head in {"informative", "noise"} and doc.get(f"is_{head}") is not None:
            name = "yes" if doc[f"is_{head}"] else "no"
        by_person = head in settled
        labels.append(
            {
                "head": head,
                "name": name,
                "p": doc.get(f"{column}_p"),
                "sure": by_person or bool(doc.get(f"{column}_sure")),
                "by": "person" if by_person else "machine",
                "evidence": evidence.get(head) or [],
            }
        )
    return labels


def _doc(row: "Row") -> Doc:
    """The row with its text shown safely; ``text`` itself is left to ``post_doc``."""
    return {
        name: value if name in _AS_IT_IS else _plain(value)
        for name, value in row.items()
        if name != "text"
    }


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return line(value, MOST_CHARACTERS)
    if isinstance(value, datetime):
        return _utc(value)
    if isinstance(value, dict):
        return {line(str(name)): _nested(str(name), item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _nested(name: str, value: Any) -> Any:
    """Inside JSON: ids as they are, an update's body with its line breaks."""
    if isinstance(value, str) and name in {"id", "incident", "incident_id"}:
        return value
    return shown(value, 4_000) if isinstance(value, str) and name == "body" else _plain(value)


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _series(rows: "list[Row]", start: datetime, minutes: int, names: tuple[str, ...]) -> Doc:
    """Rows by minute as one list per column, as charts want them; times in s since 1970."""
    known = {_utc(row["minute"]): row for row in rows}
    moments = [start + timedelta(minutes=n) for n in range(minutes)]
    doc: Doc = {"minute": [int(moment.timestamp()) for moment in moments]}
    for name in names:
        doc[name] = [int(known[m].get(name) or 0) if m in known else 0 for m in moments]
    return doc


def _timeline(rows: "list[Row]") -> Doc:
    moments = [_utc(row["minute"]) for row in rows]
    if not moments:
        return {"minute": [], "mentions": [], "reports": []}
    last = max(moments)
    start = min(min(moments), last - timedelta(minutes=LEAST_MINUTES - 1))
    start = max(start, last - timedelta(minutes=MOST_MINUTES))
    minutes = int((last - start).total_seconds() // 60) + 1
    return _series(rows, start, minutes, ("mentions", "reports"))
