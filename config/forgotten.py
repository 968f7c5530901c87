"""What was ever forgotten, for recordings that are made while no warehouse is open.

The ledger beside the warehouse knows it by keyed hashes; a source may still hold what was forgotten
and deliver it again. While `up` or a store runs, the store's block rows tell the topics as well.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from config.settings import DEFAULT_KEY, Settings
from pipeline.decoding import load
from pipeline.errors import GiveUp
from sinks.keys import Keys
from sinks.ledger import Ledger
from sinks.removals import Requests


class Forgotten:
    """Answers whether a recorded line tells of what was erased. Reads the ledger as it grows."""

    def __init__(self, ledger: Path, key: Path) -> None:
        self._path = ledger
        self._key = key
        self._stamp: tuple[int, int] | None = None
        self._keys: Keys | None = None
        self._requests: Requests | None = None

    def holds(self, line: bytes) -> bool:
        """Whether a post, a removal or a decision is of an erased mention or author.

        Raises SetAside for what is no JSON, GiveUp when ledger or key cannot be read.
        """
        self._look()
        if not self._requests or self._keys is None:
            return False
        word = load(line)
        if not isinstance(word, dict):
            return False
        named, author = _subject(word)
        key = None if author is None else self._keys.author(author)
        return self._requests.state(named, key, _at(word)).is_erased

    def _look(self) -> None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return
        except OSError as error:
            raise GiveUp(f"cannot read the ledger of erasures {self._path}") from error
        stamp = (found.st_mtime_ns, found.st_size)
        if stamp == self._stamp:
            return
        try:
            self._keys = Keys(self._key.read_bytes())
        except OSError as error:
            told = f"cannot read the warehouse's key {self._key}, put it back: without it nobody"
            raise GiveUp(f"{told} knows what was forgotten ({error.strerror})") from error
        self._requests = Requests(Ledger(self._path).read(), self._keys)
        self._stamp = stamp


def of_settings(known: Settings) -> Forgotten:
    """What was forgotten from the warehouse of the settings, as far as this machine knows."""
    told = known.warehouse
    if told.url is not None:
        key = told.key_file or DEFAULT_KEY
        return Forgotten(key.with_name(f"{key.name}.erased"), key)
    path = told.path
    return Forgotten(path.with_name(f"{path.name}.erased"), path.with_name(f"{path.name}.key"))


def _subject(word: dict[str, Any]) -> tuple[str, str | None]:
    """The mention a line is about and its author; both are the same where either may be meant."""
    for field in ("removal", "subject"):
        if isinstance(number := word.get(field), str):
            return number, number
    source, author = word.get("source"), word.get("author")
    has_author = isinstance(author, dict) and author.get("id") is not None
    number = f"{source}:{word.get('external_id')}"
    return number, f"{source}:{author['id']}" if has_author and author else None


def _at(word: dict[str, Any]) -> datetime:
    """When it happened; what does not tell counts as old, and so as forgotten with its author."""
    told = word.get("event_at") or word.get("said_at") or word.get("at")
    try:
        at = datetime.fromisoformat(str(told))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
