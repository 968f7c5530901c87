"""Puts the parts together: which adapter stands behind which port."""

import logging
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from threading import Event

from collectors.incidents.folder import Folder
from collectors.incidents.kit.tool import Tool
from collectors.incidents.recorded import RecordedIncidents
from collectors.incidents.statuspage.source import Statuspage
from config.settings import Settings
from config.sources import own_accounts
from pipeline.clock import SystemClock
from pipeline.enrich import Enricher
from pipeline.errors import Misuse
from pipeline.heads import SUFFIX
from pipeline.incidents import Book
from pipeline.indexes.memory import MemoryRepeatIndex
from pipeline.intake import Intake
from pipeline.model import Incident
from pipeline.ports import Broker, Clock, Collector, Unreadable, Warehouse
from pipeline.steps.aliases import Aliases
from pipeline.steps.labels import Labeller
from pipeline.steps.links import Linker
from pipeline.store import ROLL_UP_SECONDS, Store
from pipeline.topics import INCIDENTS, MENTIONS, TOPICS
from pipeline.tracks import Matcher
from pipeline.watch import Watch
from pipeline.worker import Worker
from sinks.duckdb_warehouse import DuckDBWarehouse

log = logging.getLogger(__name__)

#: Posts that pass the steps at once where all roles share a process: their arrays take 60 MB less
#: than those of 1,000; below 64 the price of a call shows.
WORKER_BATCH = 500
#: The same for a worker by itself, a tenth faster, and what it commits together: while one
#: part goes through the steps, those before it fly to the broker.
AT_ONCE, COMMITTED = 1_000, 4_000
#: Sources whose dead letters are about incidents.
TELL_INCIDENTS = (Folder, RecordedIncidents, Statuspage, Tool)
SHIPPED_MODELS = Path(str(files("config"))) / "models"


def labeller(known: Settings, over: Path | None = None) -> Labeller:
    """The shipped models, with those of the settings and then ``over`` laid over them.

    Raises Misuse where ``over`` is a folder without any, GiveUp for a model that is not sound.
    """
    if over is not None and over.is_dir() and not any(over.glob(f"*{SUFFIX}")):
        told = "name the folder that `groundswell train --out` wrote"
        raise Misuse(f"no model of ours in {over}: {told}")
    dirs = [d for d in (SHIPPED_MODELS, known.models.dir, over) if d is not None]
    return Labeller.load(dirs, official=own_accounts(known))


def enricher(known: Settings, book: Book, models: Labeller) -> Enricher:
    """All steps, with an empty index of repeats in memory."""
    return Enricher(
        index=MemoryRepeatIndex(),
        labeller=models,
        aliases=Aliases(known.track),
        linker=Linker(book),
    )


def book_of_files(paths: Sequence[Path]) -> Book:
    """Incidents as they stood at any time, from files: for mentions that come in any order."""
    book = Book(as_of=True)
    for item in RecordedIncidents("incidents", paths, SystemClock()).items(None, Event()):
        if isinstance(item.value, Incident):
            book.put(item.value)
        elif isinstance(item.value, Unreadable):
            log.warning("%s: %s", item.value.origin, item.value.reason)
    return book


def warehouse(path: Path, memory_limit: str = "256MB") -> DuckDBWarehouse:
    """The warehouse at ``path``, made if it is not there; it caches up to ``memory_limit``."""
    return DuckDBWarehouse(path, memory_limit=memory_limit)


class Pipeline:
    """Worker, store and watch over one broker and one warehouse: what every local run shares."""

    def __init__(
        self,
        known: Settings,
        *,
        broker: Broker,
        warehouse: Warehouse,
        clock: Clock,
        models: Labeller,
        settle: float,
        store_batch: int = 2_000,
        roll_up_seconds: float | None = ROLL_UP_SECONDS,
    ) -> None:
        broker.ensure(TOPICS)
        self.enrich = enricher(known, working := Book(), models)
        self.worker = Worker(
            broker,
            self.enrich,
            working,
            clock,
            batch=WORKER_BATCH,
            restore=self.enrich.restore,
            forget=self.enrich.forget,
        )
        self.store = Store(
            broker, warehouse, clock, batch=store_batch, roll_up_seconds=roll_up_seconds
        )
        self.watch = Watch(
            broker,
            warehouse,
            Linker(watching := Book()),
            watching,
            clock,
            tracks=known.track,
            settle=settle,
            budget=known.watch.false_proposals_per_week,
        )

    def close(self) -> None:
        """Closes the roles; broker and warehouse belong to the caller."""
        for role in (self.worker, self.watch, self.store):
            role.close()


def feeds(
    known: Settings, sources: Sequence[Collector], broker: Broker, clock: Clock
) -> dict[str, Intake]:
    """One intake for each source, by the source's name."""
    matcher = Matcher(known.track) if known.track else None
    return {
        source.name: Intake(
            source,
            broker,
            matcher,
            clock,
            mask=known.privacy.mask,
            topic=INCIDENTS if isinstance(source, TELL_INCIDENTS) else MENTIONS,
        )
        for source in sources
    }
