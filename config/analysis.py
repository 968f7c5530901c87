"""The door for notebooks: the warehouse of the settings, or a file of one, as pandas frames."""

from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from config import settings
from pipeline.errors import Misuse

if TYPE_CHECKING:
    from pipeline.ports import Warehouse
    from sinks.frames import Frames

# A process opens a file once, and a notebook's first cell is run again and again.
_OPEN: "WeakValueDictionary[str, Frames]" = WeakValueDictionary()


def opened(warehouse: str | Path | None = None, config: str | Path | None = None) -> "Frames":
    """Frames of the warehouse at a path, or of the one that the settings name.

    While another process owns the file its newest snapshot is read; every frame's ``attrs`` say
    how old it is. Opening the same again closes what was open before. Raises Misuse when there is
    no such warehouse.
    """
    from sinks.frames import Frames

    known = settings.load(None if config is None else Path(config))
    path = None if warehouse is None else Path(warehouse)
    name = str((path or known.warehouse.path).resolve())
    if (before := _OPEN.get(name)) is not None:
        before.close()
    frames = _OPEN[name] = Frames(*for_reading(known, path))
    return frames


def for_reading(known: settings.Settings, path: Path | None) -> "tuple[Warehouse, float | None]":
    """A warehouse to be read: the file at ``path``, else that of the settings; its age in seconds.

    The age is None for the warehouse itself. Raises Misuse when there is none.
    """
    from sinks.duckdb_warehouse import open_for_reading

    if path is None and known.on_servers:
        from config import scale

        return scale.warehouse(known), None
    path = path or known.warehouse.path
    if not path.exists():
        raise Misuse(f"there is no warehouse at {path}: name another with --warehouse")
    return open_for_reading(path)
