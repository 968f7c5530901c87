"""The ledger of erasures: a file beside the warehouse that a restored backup does not take back.

A backup of the warehouse knows nothing of what was erased after it was made, block rows included.
So each request to erase is written down here first, by keyed hashes only, and whatever the
warehouse does not know of is done again when it is opened. Keep this file apart from backups.
"""

import os
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import orjson

from pipeline.errors import GiveUp, TryLater
from pipeline.ports import Row
from sinks.batches import naive
from sinks.removals import Request

#: The mentions of which anything is held: a link may be here before its mention.
HELD: Final = "SELECT id FROM fct_mention UNION SELECT mention_id FROM fct_link"


class Ledger:
    """The requests to erase that were ever made to one warehouse."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, asked: Iterable[Request]) -> None:
        """Writes requests down, durably. Raises TryLater, GiveUp."""
        lines = [
            orjson.dumps(
                {"subject": r.subject, "scope": r.scope, "kind": r.kind, "at": r.at.isoformat()}
            )
            for r in asked
        ]
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(handle, "ab") as file:
                # A line that a crash left half written must not spoil the next.
                if file.tell() and not self._ends_well():
                    file.write(b"\n")
                file.write(b"".join(line + b"\n" for line in lines))
                file.flush()
                os.fsync(file.fileno())
        except PermissionError as error:
            raise GiveUp(f"cannot write the ledger of erasures {self._path}") from error
        except OSError as error:
            raise TryLater(f"the disk of {self._path} is full or cannot be written") from error

    def _ends_well(self) -> bool:
        with self._path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"

    def read(self) -> list[Request]:
        """All requests, the newest of each subject. Raises GiveUp.

        Half a line that a crash left is no request: its erasure was not done, for lines come first.
        """
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise GiveUp(f"cannot read the ledger of erasures {self._path}") from error
        found: dict[tuple[str, str, str], Request] = {}
        for line in lines:
            try:
                told = orjson.loads(line)
                at = datetime.fromisoformat(told["at"])
                request = Request(told["subject"], told["scope"], told["kind"], at)
            except (ValueError, KeyError, TypeError):
                continue
            held = found.get(request[:3])
            if held is None or held.at < request.at:
                found[request[:3]] = request
        return list(found.values())


def unknown(asked: Sequence[Request], held: Iterable[Row]) -> list[Request]:
    """The requests that a warehouse does not know of, by its ``erased_of``.

    An author may be erased again and again, each time with what was said since: the time counts.
    """
    known = {(row["subject"], row["scope"]): naive(row["asked_at"]) for row in held}
    return [r for r in asked if r[:2] not in known or known[r[:2]] < naive(r.at)]
