"""How a command sees what runs: through the running process, or by the files or servers it uses."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import orjson

from config import note
from config.operating.findings import NOT_YET
from config.operating.report import Sight, report
from config.settings import DEFAULT_KEY, Settings
from pipeline.clock import SystemClock
from pipeline.errors import GiveUp, GroundswellError, TryLater

#: Seconds the running process may take for its report; more and it is told to be silent.
PATIENCE = 30.0


def look(known: Settings) -> dict[str, Any]:
    """The report as JSON has it: times are text. Raises GiveUp when the process refuses."""
    state, running = "not running", note.read(note.beside(known.warehouse.path))
    if running is not None:
        try:
            return note.call(running, "/api/health", patience=PATIENCE)
        except TryLater:
            state = "silent"
    elif known.kafka is not None:
        with _servers(known) as sight:
            return _plain(report(sight))
    with _files(known, state) as sight:
        return _plain(report(sight))


@contextmanager
def _servers(known: Settings) -> Iterator[Sight]:
    """What Kafka and the server warehouse tell; nothing is made there."""
    from config import scale
    from pipeline.brokers.kafka import KafkaBroker

    assert known.kafka is not None  # noqa: S101  # only looked at when it is set
    troubles: dict[str, str] = {}
    with ExitStack() as opened:
        broker = KafkaBroker(known.kafka)
        opened.callback(broker.close)
        warehouse = None
        try:
            key = known.warehouse.key_file or DEFAULT_KEY
            if not key.exists():
                # A new one would be another's.
                raise GiveUp(f"its key {key} is not here: set warehouse.key_file to where it is")
            warehouse = scale.warehouse(known)
            opened.callback(warehouse.close)
        except GroundswellError as error:
            troubles["warehouse"] = str(error)
        yield Sight(
            known,
            SystemClock(),
            "servers",
            broker=broker,
            warehouse=warehouse,
            troubles=troubles,
        )


@contextmanager
def _files(known: Settings, state: str) -> Iterator[Sight]:
    """What the files of `up` tell; of a warehouse that is in use its newest copy."""
    from pipeline.brokers.local import LocalBroker
    from sinks.duckdb_warehouse import open_for_reading

    troubles: dict[str, str] = {}
    broker = warehouse = age = None
    with ExitStack() as opened:
        if not known.broker_path.exists():
            troubles["broker"] = NOT_YET
        else:
            try:
                broker = LocalBroker(known.broker_path)
                opened.callback(broker.close)
            except GroundswellError as error:
                troubles["broker"] = str(error)
        try:
            warehouse, age = open_for_reading(known.warehouse.path)
            opened.callback(warehouse.close)
        except GroundswellError as error:
            is_there = known.warehouse.path.exists()
            troubles["warehouse"] = str(error) if is_there else NOT_YET
        yield Sight(
            known,
            SystemClock(),
            state,
            broker=broker,
            warehouse=warehouse,
            age=age,
            troubles=troubles,
        )


def _plain(told: dict[str, Any]) -> dict[str, Any]:
    """As the running process would have sent it."""
    plain: dict[str, Any] = orjson.loads(
        orjson.dumps(told, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS, default=float)
    )
    return plain
