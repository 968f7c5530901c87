"""Where labels made anew go: through the topics while something runs, else straight in.

And which run is under way, so that one that was killed goes on.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final, TypeAlias

import orjson
import xxhash

from config import note, wiring
from config.analysis import for_reading
from config.recording import write_whole
from config.settings import DEFAULT_KEY, Settings
from pipeline.clock import SystemClock
from pipeline.errors import GiveUp, Misuse
from pipeline.model import Feedback
from pipeline.ports import Broker, Rows, Warehouse
from pipeline.topics import FEEDBACK

Put: TypeAlias = Callable[[Sequence[Feedback]], None]

#: Records that may wait for the store before this one waits: what is live comes first.
AHEAD: Final = 10_000
PAUSE_SECONDS: Final = 0.5
#: Names of tracks that a refusal lists.
SHOWN: Final = 3


class Mark:
    """Which run of ``--again`` is under way, in a file beside the warehouse (or a server's key).

    Only a run of the same tracks, models and bounds goes on where it was: ``settings`` stand for
    them.
    """

    def __init__(self, known: Settings, warehouse: Path | None, bounds: Sequence[object]) -> None:
        beside = warehouse or known.warehouse.path
        if warehouse is None and known.on_servers:
            beside = known.warehouse.key_file or DEFAULT_KEY
        self._path = beside.with_name(f"{beside.name}.relabel")
        tracks = [track.model_dump_json() for track in known.track]
        self._settings = xxhash.xxh3_128_hexdigest(orjson.dumps([tracks, *map(str, bounds)]))

    @contextmanager
    def run(self, choose: Callable[[str | None], str]) -> Iterator[str]:
        """The name of a run, which ``choose`` makes of that of one that did not come to its end.

        Raises GiveUp where the file cannot be written.
        """
        begun = self._begun()
        name = choose(begun)
        if name == begun:
            print(f"goes on with {name}, which was stopped before its end", file=sys.stderr)
        else:
            try:
                told = {"run": name, "settings": self._settings}
                write_whole(self._path, orjson.dumps(told))
            except OSError as error:
                raise GiveUp(f"cannot write {self._path}: {error.strerror}") from error
        yield name
        self._path.unlink(missing_ok=True)

    def _begun(self) -> str | None:
        try:
            told = orjson.loads(self._path.read_bytes())
            return str(told["run"]) if told["settings"] == self._settings else None
        except (OSError, ValueError, TypeError, KeyError):
            return None


def check_tracks(known: Settings, warehouse: Warehouse) -> None:
    """Raises Misuse where no track is set and posts are of some: their names would be wiped.

    Components and places are found by the words of the settings' tracks alone.
    """
    if known.track:
        return
    rows = warehouse.rows("sources_and_tracks")
    if tracks := [row["name"] for row in rows if row["kind"] == "track"]:
        shown = ", ".join(tracks[:SHOWN]) + (", …" if len(tracks) > SHOWN else "")
        raise Misuse(
            f"no [[track]] in the settings, but posts are of {shown}: their components and places "
            "would be lost; name the settings that have these tracks with --config FILE"
        )


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
