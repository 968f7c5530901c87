"""Migrations: how the tables of a warehouse come from one release's form to the next.

A migration is ``common_sql/migrations/NNNN_name.sql``, followed by the file of the same name in the
database's own folder; either may be missing, numbers count for all databases. They are applied in
the order of their numbers, each once, all that are pending in one transaction, and only forward.
The first one makes the tables of the first release, so a new warehouse and an old one end alike.

The warehouse keeps the checksum of each. One that was released is never edited: who needs something
else writes the next one. Comments may be mended, they do not count.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from pipeline.errors import GiveUp
from sinks import sql
from sinks.dialect import COMMON, Dialect

_FILE = re.compile(r"(\d{4})_(\w+)\.sql")
_COMMENT = re.compile(r"--[^\n]*")
#: Before this one warehouses kept no checksums.
_UNSIGNED: Final = 1
#: What stands in the table ``meta``: the number of the last migration, whose warehouse it is, and
#: the names of the views that were made.
SCHEMA: Final = "schema"
PROGRAM_KEY: Final = "program"
VIEW_NAMES: Final = "view_names"
#: Views of schema 1, which did not note its names; only ours are ever dropped.
_FIRST_VIEWS: Final = (
    "best_link claim_words coverage crowd crowd_elsewhere crowd_said feedback incident_alias "
    "incident_count incident_feedback incident_lead incident_now incident_word incidents link_now "
    "mention_now mention_tracks mentions_hourly person_label removals repeated_group rumours"
)


@dataclass(frozen=True, slots=True)
class Migration:
    """One step. ``checksum`` is that of its statements as they stand in the files."""

    number: int
    name: str
    statements: tuple[str, ...]
    checksum: str

    @property
    def key(self) -> str:
        """Under which the table ``meta`` holds the checksum."""
        return f"migration_{self.number:04}"

    def meta(self) -> dict[str, str]:
        """What ``meta`` holds once it is applied."""
        return {self.key: self.checksum, SCHEMA: str(self.number)}


@cache
def load(dialect: Dialect) -> tuple[Migration, ...]:
    """All migrations of a database, in their order.

    Raises ValueError for a number that is missing or stands twice.
    """
    names = sorted(
        {
            entry.name
            for folder in files("sinks").iterdir()
            if folder.name.endswith("_sql") and (folder / dialect.migrations).is_dir()
            for entry in (folder / dialect.migrations).iterdir()
            if _FILE.fullmatch(entry.name)
        }
    )
    made = tuple(_migration(dialect, name.removesuffix(".sql")) for name in names)
    numbers = [each.number for each in made]
    if numbers != list(range(1, len(made) + 1)):
        raise ValueError(f"migrations must be numbered 1, 2, 3 and so on, not {numbers}")
    return made


def _migration(dialect: Dialect, name: str) -> Migration:
    file = f"{dialect.migrations}/{name}"
    # Where only another database needs it there is nothing to do here, but the number counts.
    written = [
        " ".join(_COMMENT.sub(" ", query.text).split())
        for folder in (COMMON, dialect.folder)
        for query in sql.load(folder, file).values()
    ]
    return Migration(
        number=int(name[:4]),
        name=name[5:].replace("_", " "),
        statements=tuple(q.text for q in dialect.load(file).values()) if written else (),
        checksum=hashlib.sha256("\n".join(written).encode()).hexdigest(),
    )


def pending(dialect: Dialect, meta: Mapping[str, str], what: str) -> list[Migration]:
    """The migrations that a warehouse still needs, by what it says of itself.

    ``what`` is what the user calls it. Raises GiveUp for a warehouse that a newer version of this
    program has changed, and for one whose migrations were others than those known here.
    """
    known = load(dialect)
    here = int(meta.get(SCHEMA, "0"))
    if here > known[-1].number:
        raise GiveUp(
            f"{what} was written by a newer version of this program "
            f"(schema {here}, this one knows {known[-1].number}); install the newer version"
        )
    for each in known[:here]:
        unsigned = each.number == _UNSIGNED and each.key not in meta
        if not unsigned and meta.get(each.key) != each.checksum:
            raise GiveUp(
                f"{what} was changed by another migration {each.number} ({each.name}) than the "
                "one of this program: install the version that made it, or restore a backup"
            )
    return list(known[here:])


def outdated_views(meta: Mapping[str, str], views: Iterable[str]) -> list[str]:
    """The views of ours that the warehouse may have and that this program has no more."""
    return sorted({*meta.get(VIEW_NAMES, _FIRST_VIEWS).split()} - {*views})


def behind(what: str, needed: list[Migration]) -> GiveUp:
    """What to say about a warehouse that has to be migrated first."""
    names = ", ".join(f"{each.number} ({each.name})" for each in needed)
    return GiveUp(
        f"{what} is of an older version and needs migrations: {names}; stop what writes to it and "
        "run `groundswell migrate`"
    )
