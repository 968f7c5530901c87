"""How far an export came: ``export.json`` in its folder, and a manifest for each run.

Loaders read the manifests with numbers above the last one they have done with, up to the number in
``export.json``. A manifest names every file that reads otherwise than in the manifest before it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

import orjson

from config.export_files import write_json
from pipeline.errors import Misuse

STATE: Final = "export.json"
#: Grows when the meaning of the files or of the manifest changes; all is written anew then.
FORM: Final = 2
_MANIFESTS: Final = "manifests"


@dataclass(frozen=True, slots=True)
class File:
    """One file as it was written. ``path`` is within the folder; ``date_day`` None for all days."""

    path: str
    view: str
    date_day: str | None
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class State:
    """What the folder held after a run.

    ``watermark``: all changes up to this ``arrival`` are in it; ``written_at``: the newest
    ``updated_at`` there was by then. ``columns``: types by view and column.
    """

    format: str
    texts: bool
    number: int = 0
    watermark: int = 0
    written_at: datetime | None = None
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    files: Mapping[str, File] = field(default_factory=dict)

    def begun(self) -> bool:
        """Whether there was a run."""
        return self.number > 0

    def save(self, folder: Path, now: datetime) -> None:
        """Puts it in its place; before that, none of a run counts."""
        told = asdict(replace(self, files={})) | {"form": FORM, "at": now}
        write_json(folder / STATE, told | {"files": [asdict(f) for f in self.files.values()]})

    @classmethod
    def of(cls, folder: Path, form: str, *, texts: bool) -> Self:
        """What the folder holds; nothing yet for a new one and for one of an earlier release.

        Raises Misuse for another program's folder, and for one of another format or kind.
        """
        path = folder / STATE
        try:
            told = orjson.loads(path.read_bytes())
            known = told["format"], told["texts"]
            form_told = told.get("form", 1)
            made = cls._read(told) if form_told == FORM else cls(*known)
        except FileNotFoundError:
            return cls(form, texts)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Misuse(f"{path} is not ours: name another folder") from error
        if form_told > FORM:
            raise Misuse(f"{folder} was written by a newer release: name another folder")
        if known != (form, texts):
            kind = "with texts" if known[1] else "without texts"
            raise Misuse(f"{folder} holds an export as {known[0]} {kind}: name another folder")
        return made

    @classmethod
    def _read(cls, told: dict[str, Any]) -> Self:
        at = told["written_at"]
        return cls(
            format=told["format"],
            texts=told["texts"],
            number=int(told["number"]),
            watermark=int(told["watermark"]),
            written_at=None if at is None else datetime.fromisoformat(at),
            columns=told["columns"],
            files={one["path"]: File(**one) for one in told["files"]},
        )


def next_number(folder: Path, state: State) -> int:
    """A number above those of all manifests, also of one that a crash left without its state."""
    found = [int(path.stem) for path in (folder / _MANIFESTS).glob("*.json") if path.stem.isdigit()]
    return max([state.number, *found]) + 1


def write_manifest(folder: Path, number: int, told: Mapping[str, Any]) -> Path:
    """Puts a manifest beside the others."""
    path = folder / _MANIFESTS / f"{number:06}.json"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    write_json(path, {"number": number, **told})
    return path
