"""Invented feedback and incidents for the tests of the page, and the page running for real."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from pipeline.model import (
    Author,
    Component,
    Decision,
    Evidence,
    Feedback,
    Incident,
    Label,
    Link,
    Mention,
    Removal,
    Repeat,
    StatusAt,
    Update,
)
from pipeline.ports import Rows, Warehouse
from sinks.duckdb_warehouse import DuckDBWarehouse
from web.app import create_app
from web.server import Server, bind

TOKEN = "a-token-for-tests"
NAMES = {"intent": ["report", "question", "praise", "other"], "noise": ["no", "yes"]}
PROPOSAL = "groundswell:acme-shop-20260301T1200"
OFFICIAL = "statuspage:acme-77"
_numbers = count(1)


class WallClock:
    """The real time; tests of the page only need ``now``."""

    def now(self) -> datetime:
        """The present, in UTC."""
        return datetime.now(UTC)

    def wait(self, seconds: float, stop: Any) -> bool:
        """Waits for ``stop`` at most so long."""
        return bool(stop.wait(seconds))


def feedback(
    text: str,
    *,
    id: str | None = None,
    source: str = "birdsite",
    handle: str | None = "ada_w",
    intent: str = "report",
    tracks: Sequence[str] = ("acme-shop",),
    at: datetime | None = None,
    incident: str | None = None,
    state: str = "linked",
    url: str | None = None,
    **labels: str,
) -> Feedback:
    """One post with labels; linked to ``incident`` if given."""
    number = next(_numbers)
    at = at or datetime.now(UTC)
    mention = Mention.model_validate(
        {
            "source": source,
            "external_id": id or f"p{number}",
            "author": Author(id=f"u{number}", handle=handle),
            "text": text,
            "said_at": at,
            "url": url,
            "tracks": tuple(tracks),
        }
    )
    links = () if incident is None else (_link(incident, state),)
    found = {"intent": intent, "topic": "payment", "severity": "high", "sentiment": "negative"}
    found |= {"informative": "yes", "noise": "no", "language": "en"} | labels
    return Feedback(
        mention=mention,
        repeat=Repeat(group=mention.id),
        labels={head: Label(name=name, p=0.88, sure=True) for head, name in found.items()},
        links=links,
        model="test-1",
    )


def _link(incident: str, state: str) -> Link:
    reasons = (
        Evidence(kind="component", value="checkout", weight=2.1),
        Evidence(kind="words", value="pay, card", weight=1.4),
    )
    return Link.model_validate(
        {
            "incident": incident,
            "p": 0.93 if state == "linked" else 0.55,
            "state": state,
            "evidence": reasons,
            "incident_version": 1,
        }
    )


def proposal(opened: datetime, **more: Any) -> Incident:
    """An incident that we proposed."""
    fields = {
        "id": PROPOSAL,
        "title": "Many people report trouble with acme-shop",
        "status": "proposed",
        "impact": "none",
        "started_at": opened - timedelta(minutes=2),
        "tracks": ("acme-shop",),
        "history": (StatusAt(at=opened, status="proposed"),),
        "at": opened,
    }
    return Incident.model_validate(fields | more)


def official(opened: datetime, **more: Any) -> Incident:
    """An incident that its owner opened."""
    fields = {
        "id": OFFICIAL,
        "title": "Checkout errors in the north",
        "status": "identified",
        "impact": "major",
        "components": (Component(id="c1", name="Checkout"),),
        "regions": ("North",),
        "started_at": opened - timedelta(minutes=10),
        "tracks": ("acme-shop",),
        "url": "https://status.acme.example/incidents/77",
        "updates": (
            Update(
                status="investigating",
                body="We are looking into failed payments.",
                display_at=opened,
            ),
            Update(
                status="identified",
                body="A bad release was found.\nIt is being taken back.",
                display_at=opened + timedelta(minutes=6),
            ),
        ),
        "history": (
            StatusAt(at=opened, status="investigating"),
            StatusAt(at=opened + timedelta(minutes=6), status="identified"),
        ),
        "at": opened + timedelta(minutes=6),
    }
    return Incident.model_validate(fields | more)


@dataclass
class Page:
    """The page running on a free port over a real warehouse; decisions are written at once."""

    url: str
    warehouse: Warehouse
    decisions: list[Decision] = field(default_factory=list)
    forgotten: list[Removal] = field(default_factory=list)
    is_ready: bool = True
    sources: list[dict[str, Any]] = field(default_factory=list)

    def write(self, *words: Feedback | Incident | Decision) -> None:
        """Brings words to the warehouse as the store would."""
        rows = Rows(
            feedback=[w for w in words if isinstance(w, Feedback)],
            incidents=[w for w in words if isinstance(w, Incident)],
            decisions=[w for w in words if isinstance(w, Decision)],
        )
        self.warehouse.write(rows, datetime.now(UTC))


@contextmanager
def running(folder: Path) -> Iterator[Page]:
    """The page over a new warehouse in ``folder``."""
    warehouse = DuckDBWarehouse(folder / "groundswell.duckdb")
    listener = bind(0)
    page = Page(url="", warehouse=warehouse)

    def decide(decision: Decision) -> None:
        page.decisions.append(decision)
        page.write(decision)

    def forget(removals: Sequence[Removal]) -> dict[str, Any]:
        page.forgotten.extend(removals)
        return {"mentions": len(removals)}

    app = create_app(
        warehouse=lambda: warehouse if page.is_ready else None,
        decide=decide,
        clock=WallClock(),
        token=TOKEN,
        status=lambda: {"version": "test"} | ({"sources": page.sources} if page.sources else {}),
        forget=forget,
        names=NAMES,
    )
    server = Server(app, listener)
    page.url = server.url
    server.start()
    try:
        yield page
    finally:
        server.close()
        warehouse.close()
