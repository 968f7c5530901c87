"""Roles as processes of their own: the same parts as in ``up``, on Kafka and a server warehouse."""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config import exported, sources, wiring
from config.crew import Role
from config.erasing import check_reason, keep_receipt, reach_exports
from config.exported import Exported, Exports
from config.operating.measured import MeasuredWarehouse
from config.operating.meters import Meters
from config.operating.reach import connect
from config.passed import PassedOn
from config.recorder import Recorder
from config.recording import of_settings
from config.retention import Retention
from config.settings import DEFAULT_KEY, Settings
from pipeline.brokers.kafka import KafkaBroker
from pipeline.enrich import Enricher
from pipeline.errors import Misuse, TryLater
from pipeline.incidents import Book
from pipeline.indexes.memory import MemoryRepeatIndex
from pipeline.indexes.redis import RedisRepeatIndex
from pipeline.model import Decision, Removal
from pipeline.ports import Broker, Clock, RepeatIndex
from pipeline.steps.aliases import Aliases
from pipeline.steps.links import Linker
from pipeline.store import Store
from pipeline.topics import DECISIONS, MENTIONS, TOPICS
from pipeline.watch import Watch
from pipeline.worker import Worker
from sinks.keys import read_key, read_or_make_key
from sinks.postgres_there import is_there
from sinks.postgres_warehouse import PostgresWarehouse

if TYPE_CHECKING:
    from sinks.clickhouse_warehouse import ClickHouseWarehouse

log = logging.getLogger(__name__)

#: What the user calls the address of the server warehouse.
URL = "GROUNDSWELL_WAREHOUSE__URL"
#: How long rows may be on their way to the warehouse before an incident is compared once more.
SETTLE_SECONDS = 15.0


def need(known: Settings) -> None:
    """Raises Misuse naming the setting when what processes share is not configured."""
    if known.kafka is None:
        raise Misuse("roles as processes share a Kafka: set servers under [kafka], or use `up`")
    if known.warehouse.url is None:
        raise Misuse(
            "roles as processes share a server warehouse: set GROUNDSWELL_WAREHOUSE__URL to "
            "PostgreSQL's or ClickHouse's address, or use `up`"
        )


def broker(known: Settings) -> KafkaBroker:
    """Kafka, with its topics made and verified. Raises TryLater, GiveUp, Misuse."""
    need(known)
    assert known.kafka is not None  # noqa: S101  # said by need
    made = KafkaBroker(known.kafka)
    made.ensure(TOPICS)
    return made


def warehouse(
    known: Settings, *, migrate: bool = False
) -> "PostgresWarehouse | ClickHouseWarehouse":
    """The server warehouse; an older one only with ``migrate``. Raises TryLater, GiveUp, Misuse."""
    need(known)
    assert known.warehouse.url is not None  # noqa: S101  # said by need
    key_file = known.warehouse.key_file or DEFAULT_KEY
    url = known.warehouse.url.get_secret_value()
    if url.startswith("clickhouse"):
        return _clickhouse(url, key_file, migrate=migrate)
    return PostgresWarehouse(
        url,
        key=_key(key_file, url),
        setting=URL,
        migrate=migrate,
        ledger=key_file.with_name(f"{key_file.name}.erased"),
    )


def _clickhouse(url: str, key_file: Path, *, migrate: bool) -> "ClickHouseWarehouse":
    try:
        from sinks.clickhouse_there import is_there as is_in_clickhouse
        from sinks.clickhouse_warehouse import ClickHouseWarehouse
    except ImportError as error:
        raise Misuse(
            "ClickHouse needs a package more: pip install groundswell[clickhouse]"
        ) from error
    if key_file.exists() or not is_in_clickhouse(url, URL):
        key = read_or_make_key(key_file)
    else:
        key = read_key(key_file, "the warehouse on ClickHouse")
    ledger = key_file.with_name(f"{key_file.name}.erased")
    return ClickHouseWarehouse(url, key=key, setting=URL, migrate=migrate, ledger=ledger)


def _key(path: Path, url: str) -> bytes:
    """The warehouse's key; a new one only for a new warehouse. Raises TryLater, GiveUp."""
    if path.exists() or not is_there(url, URL):
        return read_or_make_key(path)
    # Another process may have made both a moment ago.
    return read_key(path, "the warehouse on PostgreSQL")


def index(known: Settings) -> RepeatIndex:
    """The shared index of repeats, or one in memory, which is for a single worker."""
    if known.repeats.url is None:
        log.warning("repeats are kept in memory: fine for one worker; several need [repeats] url")
        return MemoryRepeatIndex()
    return RedisRepeatIndex(
        known.repeats.url.get_secret_value(), setting="GROUNDSWELL_REPEATS__URL", guarded=True
    )


def collect(known: Settings, clock: Clock, meters: Meters) -> dict[str, Role]:
    """An intake for each configured source."""
    passed = PassedOn(clock)
    opened = sources.open_all(known, clock, passed)
    if not opened:
        raise Misuse("nothing to collect: configure a [[source]] or [[incidents]]")
    shared = broker(known)
    if (known.warehouse.key_file or DEFAULT_KEY).exists():
        passed.bind(shared, lambda: warehouse(known))
    else:  # without its key the warehouse cannot be read, and a new one would be another's
        log.warning("no key of the warehouse here: removals are passed on whomever they concern")
    meters.watch_broker(shared, ("worker",))
    return dict(wiring.feeds(known, opened, shared, clock))


def work(known: Settings, clock: Clock, meters: Meters) -> dict[str, Role]:
    """One worker."""
    shared = broker(known)
    kept = index(known)
    enrich = Enricher(
        index=kept,
        labeller=wiring.labeller(known),
        aliases=Aliases(known.track),
        linker=Linker(book := Book()),
    )
    meters.steps = enrich.seconds
    meters.watch_broker(shared, ("worker",))
    if (url := known.repeats.url) is not None:
        meters.watch_index(lambda: connect(url.get_secret_value(), "the index of repeats"))
    return {
        "worker": Worker(
            shared,
            enrich,
            book,
            clock,
            batch=wiring.COMMITTED,
            at_once=wiring.AT_ONCE,
            restore=enrich.restore,
            forget=enrich.forget,
            # A server remembers by itself; what is in memory is rebuilt from the topic.
            remembers=isinstance(kept, RedisRepeatIndex),
        )
    }


def store(known: Settings, clock: Clock, meters: Meters) -> dict[str, Role]:
    """One store."""
    shared, held = broker(known), warehouse(known)
    meters.stored = kept = MeasuredWarehouse(held)
    meters.watch_broker(shared, ("store",))
    meters.watch_warehouse(kept)
    exports = exported.of_settings(known)
    # Each store does it: what is asked for twice is removed once.
    retention = Retention(
        shared,
        kept,
        clock,
        threading.Event(),
        known.retention,
        also=lambda: _tidy(held, exports, clock),
    )
    return {"store": Store(shared, kept, clock), "retention": retention}


def _tidy(held: Exported, exports: Exports, clock: Clock) -> None:
    """Takes what was erased from exports, and its bytes from the tables. Raises TryLater."""
    exports.erase(held)
    if isinstance(held, PostgresWarehouse):
        held.tidy(clock.now())


def watch(known: Settings, clock: Clock, meters: Meters) -> dict[str, Role]:
    """The watch; one is active at a time."""
    linker = Linker(book := Book())
    shared, kept = broker(known), warehouse(known)
    meters.watch_broker(shared, ("watch",))
    meters.watch_warehouse(kept)
    return {
        "watch": Watch(
            shared,
            kept,
            linker,
            book,
            clock,
            tracks=known.track,
            settle=SETTLE_SECONDS,
            budget=known.watch.false_proposals_per_week,
        )
    }


def record(known: Settings, clock: Clock, meters: Meters) -> dict[str, Role]:
    """One recorder; on another machine than the others its folder is its own."""
    recording = of_settings(known)
    if recording is None:
        raise Misuse("nowhere to record to: name a folder, or set dir under [recording]")
    shared = broker(known)
    meters.watch_broker(shared)
    return {"recorder": Recorder(shared, recording, clock)}


#: The roles that are processes without a page of their own, by command.
ROLES: dict[str, Callable[[Settings, Clock, Meters], dict[str, Role]]] = {
    "collect": collect,
    "work": work,
    "store": store,
    "watch": watch,
    "record": record,
}


class Desk:
    """What the page of the ``web`` role asks for: decisions and erasure, by way of the topics."""

    def __init__(self, known: Settings, clock: Clock) -> None:
        self._clock = clock
        self.broker: Broker = broker(known)
        self.warehouse = warehouse(known)
        self._exports = exported.of_settings(known)

    def decide(self, decision: Decision) -> None:
        """Puts a person's decision on its topic. Raises TryLater."""
        self._send(DECISIONS, [decision])

    def forget(self, removals: Sequence[Removal]) -> dict[str, Any]:
        """Erases from the warehouse, and from the topics as the removals travel them.

        Raises Misuse for a reason that says whom it is about.
        """
        check_reason(self.warehouse, removals)
        receipt = self.warehouse.erase(removals, self._clock.now())
        self._send(MENTIONS, removals)
        # The topics and recordings follow as the removals reach them.
        places = [*receipt["rewritten"], "topics, as the removals travel them"]
        places += reach_exports(self.warehouse, self._exports, receipt)
        return keep_receipt(self.warehouse, removals, receipt, places, self._clock)

    def _send(self, topic: str, words: Sequence[Decision | Removal]) -> None:
        producer = self.broker.producer()
        try:
            for word in words:
                producer.send(topic, word.key, word.to_json())
            producer.flush()
        except TryLater as error:
            raise TryLater("Kafka does not answer: try again in a few seconds") from error
        finally:
            producer.close()
