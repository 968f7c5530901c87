"""Where labels made anew go: through the topics while something runs, else straight in."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final, TypeAlias

from config import note, wiring
from config.analysis import for_reading
from config.settings import Settings
from pipeline.clock import SystemClock
from pipeline.errors import Misuse
from pipeline.model import Feedback
from pipeline.ports import Broker, Rows, Warehouse
from pipeline.topics import FEEDBACK

Put: TypeAlias = Callable[[Sequence[Feedback]], None]

#: Records that may wait for the store before this one waits: what is live comes first.
AHEAD: Final = 10_000
PAUSE_SECONDS: Final = 0.5


@contextmanager
def opened(known: Settings, path: Path | None) -> Iterator[tuple[Warehouse, Put]]:
    """The warehouse to read from, and what takes the feedback. Raises Misuse, TryLater, GiveUp."""
    with ExitStack() as stack:
        if path is None and known.on_servers:
            from config.scale import Desk

            desk = Desk(known, SystemClock())
            stack.enter_context(closing(desk.broker))
            yield stack.enter_context(closing(desk.warehouse)), _onto_topic(desk.broker)
            return
        from pipeline.brokers.local import LocalBroker

        path = path or known.warehouse.path
        broker_path = known.broker_for(path)
        is_running = note.read(note.beside(path)) is not None
        if is_running:
            warehouse: Warehouse = stack.enter_context(closing(for_reading(known, path)[0]))
            broker = stack.enter_context(closing(LocalBroker(broker_path)))
            yield warehouse, _onto_topic(broker)
            return
        if not path.exists():
            raise Misuse(f"there is no warehouse at {path}: name another with --warehouse")
        warehouse = stack.enter_context(closing(wiring.warehouse(path)))
        kept = None
        if broker_path.exists():
            kept = stack.enter_context(closing(LocalBroker(broker_path)))
        yield warehouse, _straight(warehouse, kept)


def _onto_topic(broker: Broker) -> Put:
    """Feedback for the store to read, never far ahead of it."""

    def put(feedback: Sequence[Feedback]) -> None:
        _produce(broker, feedback)
        while broker.lag("store").get(FEEDBACK, 0) > AHEAD:
            time.sleep(PAUSE_SECONDS)

    return put


def _straight(warehouse: Warehouse, broker: Broker | None) -> Put:
    """Into the warehouse at once, and onto the topic, from which an index may be made again."""

    def put(feedback: Sequence[Feedback]) -> None:
        warehouse.write(Rows(feedback=list(feedback)), SystemClock().now())
        if broker is not None:
            _produce(broker, feedback)

    return put


def _produce(broker: Broker, feedback: Sequence[Feedback]) -> None:
    producer = broker.producer()
    try:
        for word in feedback:
            producer.send(FEEDBACK, word.key, word.to_json())
        producer.flush()
    finally:
        producer.close()
