"""A watch with everything real around it: broker, warehouse, store, linker."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline import topics
from pipeline.brokers.local import LocalBroker
from pipeline.clock import ManualClock
from pipeline.decoding import read
from pipeline.incidents import Book
from pipeline.model import (
    Decision,
    Evidence,
    Feedback,
    Incident,
    Label,
    LateLink,
    Mention,
    Removal,
    Repeat,
    Word,
)
from pipeline.steps.links import Linker
from pipeline.store import Store
from pipeline.surprise import BUDGET
from pipeline.tracks import Track, TrackComponent
from pipeline.watch import Watch
from sinks.duckdb_warehouse import DuckDBWarehouse

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NORDWIND = Track(
    name="Nordwind",
    terms=("nordwind",),
    own=("@NordwindHelp",),
    component=(
        TrackComponent(name="Messages", aliases=("chat",)),
        TrackComponent(name="Checkout", aliases=("till",)),
    ),
)


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def said(
    minute: float,
    number: int,
    *,
    intent: str = "report",
    repeat: str = "original",
    author: str | None = "",
    handle: str | None = None,
    text: str = "nordwind messages are not delivered since this morning",
    **names: str,
) -> Feedback:
    """Feedback on a post of an author of its own, unless one is given."""
    mention = Mention.model_validate(
        {
            "source": "x",
            "external_id": str(number),
            "author": {"id": f"a{number}" if author == "" else author, "handle": handle},
            "text": text,
            "said_at": at(minute),
            "tracks": ["Nordwind"],
            "kind": "repost" if repeat == "repost" else "post",
        }
    )
    given = {"intent": intent, "noise": "no"} | names
    labels = {
        head: Label(
            name=name, p=0.9, sure=True, evidence=(Evidence(kind=head, value=name, weight=1),)
        )
        for head, name in given.items()
    }
    # All variants a test tells of are of one text.
    group = "x:0" if repeat == "near" else mention.id
    how = Repeat.model_validate({"kind": repeat, "group": group})
    return Feedback(mention=mention, repeat=how, labels=labels, model="m1")


def official(number: int = 1, *, opened: float, **fields: Any) -> Incident:
    """An official incident of Nordwind, opened at a minute."""
    given: dict[str, Any] = {
        "id": f"statuspage:{number}",
        "title": "Delayed messages",
        "status": "investigating",
        "started_at": at(opened),
        "at": at(opened),
        "tracks": ["Nordwind"],
        "components": [{"name": "Messages"}],
    }
    return Incident.model_validate(given | fields)


def decided(verb: str, subject: str, minute: float, value: str = "") -> Decision:
    return Decision.model_validate(
        {
            "id": f"{verb}-{subject}-{minute}",
            "subject": subject,
            "verb": verb,
            "value": value,
            "by": "ines",
            "at": at(minute),
        }
    )


class World:
    """A broker and a warehouse in a folder, with a store and a watch that can be restarted."""

    def __init__(
        self,
        folder: Path,
        *,
        settle: float = 0,
        tracks: Sequence[Track] = (NORDWIND,),
        budget: float = BUDGET,
    ) -> None:
        self.clock = ManualClock(START)
        self.settle, self.tracks, self.budget = settle, tracks, budget
        self.broker = LocalBroker(folder / "groundswell.broker", self.clock, temporary=True)
        self.broker.ensure(topics.TOPICS)
        self.warehouse = DuckDBWarehouse(folder / "groundswell.duckdb", key=b"k" * 32)
        self.store = Store(self.broker, self.warehouse, self.clock)
        self.watch = self._new_watch()

    def _new_watch(self) -> Watch:
        book = Book()
        return Watch(
            self.broker,
            self.warehouse,
            Linker(book),
            book,
            self.clock,
            tracks=self.tracks,
            settle=self.settle,
            budget=self.budget,
        )

    def restart(self) -> None:
        """Another watch takes the place of this one, which is dropped as it stands."""
        self.watch.close()
        self.watch = self._new_watch()

    def send(self, *words: Word) -> None:
        """Puts words on their topics."""
        producer = self.broker.producer()
        for word in words:
            if isinstance(word, Feedback | Removal):
                producer.send(topics.FEEDBACK, word.key, word.to_json())
            elif isinstance(word, Incident):
                producer.send(topics.INCIDENTS, word.key, word.to_json())
            elif isinstance(word, Decision):
                producer.send(topics.DECISIONS, word.key, word.to_json())
        producer.flush()
        producer.close()

    def go(self, minute: float, *words: Word) -> None:
        """Sends words and lets store and watch work at that minute until nothing is left."""
        self.send(*words)
        self.clock.set(at(minute))
        while self.store.turn(0) + self.watch.turn(0):
            pass

    def records(self, topic: str) -> list[tuple[str, bytes | None]]:
        """Everything on a topic, as key and value."""
        reader = self.broker.reader([topic])
        found = []
        while records := reader.poll(1_000, 0):
            found += [(record.key, record.value) for record in records]
        reader.close()
        return found

    def proposals(self) -> list[Incident]:
        """Every record of a proposal, in order."""
        records = self.records(topics.INCIDENTS)
        return [read(Incident, v) for key, v in records if v and key.startswith("groundswell:")]

    def late(self) -> list[LateLink]:
        """Every late link, in order."""
        return [read(LateLink, value) for _, value in self.records(topics.LINKS) if value]

    def close(self) -> None:
        self.watch.close()
        self.store.close()
        self.broker.close()
        self.warehouse.close()
