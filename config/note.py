"""The note a running process leaves beside its warehouse, and how commands call it by that note."""

import json
import os
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import GiveUp, TryLater


@dataclass(frozen=True, slots=True)
class Note:
    """Where a running process listens. The token lets a command on this machine speak to it."""

    pid: int
    url: str
    token: str


def beside(warehouse: Path) -> Path:
    """The note's file for a warehouse."""
    return warehouse.with_name(warehouse.name + ".run")


def write(path: Path, note: Note) -> None:
    """Writes the note so that nobody else on this machine can read the token."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(note), file)


def read(path: Path) -> Note | None:
    """The note of a process that is still alive, None otherwise."""
    try:
        note = Note(**json.loads(path.read_text(encoding="utf-8")))
        os.kill(note.pid, 0)
    except (OSError, ValueError, TypeError):
        return None
    return note


def call(
    note: Note, path: str, body: dict[str, Any] | None = None, *, patience: float = 120
) -> dict[str, Any]:
    """Posts ``body`` as JSON to the running process, or gets ``path``, and returns its answer.

    Raises TryLater when it does not answer within ``patience`` seconds, GiveUp with its words when
    it refuses.
    """
    request = urllib.request.Request(  # noqa: S310  # the address is from our own note, loopback
        note.url + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {note.token}"},
    )
    # A proxy from the environment must not see what stays on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=patience) as answer:
            told: dict[str, Any] = json.load(answer)
            return told
    except urllib.error.HTTPError as error:
        raise GiveUp(f"the running process refused: {_words(error)}") from error
    except (OSError, ValueError) as error:
        raise TryLater(f"the running process at {note.url} does not answer: {error}") from error


def _words(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.code}"
