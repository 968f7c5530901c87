"""Where the sources stand that ``record`` reads, from one run to the next.

A cursor also holds what was spent: were it lost, each run would have all calls and all the money of
the day once more.
"""

import logging
from pathlib import Path

import orjson

from config.recording import write_whole
from pipeline.decoding import read
from pipeline.errors import SetAside, TryLater
from pipeline.model import Cursor
from pipeline.ports import Broker
from pipeline.topics import CURSORS

log = logging.getLogger(__name__)

NAME = "cursors"


class Standing:
    """The cursors of one broker, kept in one file of the folder, readable by its owner only."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self._file = folder / NAME
        self._cursors = self._stored()
        self._is_new = False
        producer = broker.producer()
        try:
            for word in self._cursors.values():
                producer.send(CURSORS, word.key, word.to_json())
            producer.flush()
        finally:
            producer.close()
        self._reader = broker.reader([CURSORS])

    def look(self) -> None:
        """Takes down where the sources stand now; ``keep`` keeps it."""
        while records := self._reader.poll(1_000, 0):
            for record in records:
                if record.value is not None:
                    self._cursors[record.key] = read(Cursor, record.value)
                    self._is_new = True

    def keep(self) -> None:
        """What was looked at last, durably: all that was read up to there is recorded.

        Raises TryLater when the disk is full or away.
        """
        if not self._is_new:
            return
        told = {name: word.to_json().decode() for name, word in self._cursors.items()}
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(self._file, orjson.dumps(told))
        except OSError as error:
            raise TryLater(f"{self._file.parent}: {error.strerror}") from error
        self._is_new = False

    def close(self) -> None:
        """Lets go of the topic."""
        self._reader.close()

    def _stored(self) -> dict[str, Cursor]:
        try:
            told = orjson.loads(self._file.read_bytes())
            return {str(name): read(Cursor, word.encode()) for name, word in told.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, AttributeError, SetAside):
            log.warning("%s cannot be read: the sources start anew", self._file)
            return {}
