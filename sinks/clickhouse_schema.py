"""A ClickHouse database as our warehouse: made, recognised as ours, migrated, its views renewed."""

import hashlib
from collections.abc import Mapping
from typing import Final

from clickhouse_connect.driver.exceptions import ClickHouseError

from pipeline.errors import GiveUp
from sinks import clickhouse_statements as statements
from sinks import migrations
from sinks.clickhouse_link import UNKNOWN_NAME, Connection, code_of
from sinks.clickhouse_statements import CLICKHOUSE, MEANING
from sinks.clickhouse_write import TABLES
from sinks.migrations import PROGRAM_KEY, SCHEMA, Migration

PROGRAM: Final = "groundswell"
#: What a row has besides the columns of its table.
_OUR_OWN: Final = ("model_rank", "changed", "is_gone")
#: Small, and read by almost everything: kept as tables, since a view in a view in a view is
#: planned wherever it is read. Renewed whenever incidents or decisions are written.
FOLDED: Final = ("incident_word", "incident_alias", "incident_now", "person_label")
#: With these what was acknowledged outlives a power failure. A server's default is to leave it to
#: the system when the disk has it.
DURABLE: Final = (
    "fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1"
)
_NOT_DURABLE: Final = """
SELECT name FROM system.tables
WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND name <> 'writer_lock'
    AND engine_full NOT LIKE '%fsync_after_insert%'"""
_KINDS: Final = """
SELECT name, engine FROM system.tables
WHERE database = currentDatabase() AND name <> 'writer_lock'"""


class ClickHouseSchema:
    """One database. After ``prepare``: ``version`` is the number it had, ``migrated`` its needs."""

    def __init__(self, connection: Connection, database: str, key_check: str) -> None:
        self._connection = connection
        self._name = f"the database {database}"
        self._key_check = key_check
        self.version = 0
        self.migrated: list[Migration] = []

    def prepare(self, *, migrate: bool) -> None:
        """Brings it into the form that this program knows. Raises GiveUp, and the driver's errors.

        One that holds something is only brought to a newer form with ``migrate``. What a crash
        leaves half made is finished the next time.
        """
        self._check_server()
        meta = self._meta()
        is_new = meta is None
        if meta is None:
            meta = {PROGRAM_KEY: PROGRAM, SCHEMA: "0", "key_check": self._key_check}
        self._check(meta)
        self.version = int(meta[SCHEMA])
        self.migrated = migrations.pending(CLICKHOUSE, meta, self._name)
        if self.migrated and not (migrate or is_new):
            raise migrations.behind(self._name, self.migrated)
        for migration in self.migrated:
            for text in migration.statements:
                self._connection.run(_once(text))
            if is_new:
                self._note({name: meta[name] for name in (PROGRAM_KEY, "key_check")})
            self._note(migration.meta())
        self._renew_views(meta)
        for (table,) in self._connection.ask(_NOT_DURABLE).result_rows:
            self._connection.run(f"ALTER TABLE {table} MODIFY SETTING {DURABLE}")

    def _check_server(self) -> None:
        """Whether the server knows all settings that our SQL needs."""
        found = self._connection.ask(
            "SELECT name FROM system.settings WHERE name IN {names:Array(String)}",
            {"names": list(MEANING)},
        )
        if missing := {*MEANING} - {row[0] for row in found.result_rows}:
            raise GiveUp(
                f"this ClickHouse is too old: it does not know {', '.join(sorted(missing))}; "
                "install 26.9 or newer"
            )

    def _meta(self) -> dict[str, str] | None:
        """What the database says of itself, None if it is empty."""
        tables = self._connection.pairs(_KINDS)
        if not tables:
            return None
        if tables.get("meta_row") != "ReplacingMergeTree":
            raise self._foreign()
        found = self._connection.ask(
            "SELECT name FROM system.columns WHERE database = currentDatabase() "
            "AND table = 'meta_row'"
        )
        if not {"key", "value"} <= {row[0] for row in found.result_rows}:
            raise self._foreign()
        # If a crash came between the table and its first row, it is as good as empty.
        return self._connection.pairs("SELECT key, value FROM meta_row FINAL") or None

    def _check(self, meta: Mapping[str, str]) -> None:
        if meta.get(PROGRAM_KEY) != PROGRAM:
            raise self._foreign()
        if meta.get("key_check") != self._key_check:
            raise GiveUp(
                f"the key does not belong to the warehouse in {self._name}: "
                "every process needs the key it was made with"
            )

    def _note(self, meta: Mapping[str, str]) -> None:
        for key, value in meta.items():
            self._connection.run(
                "INSERT INTO meta_row SELECT {key:String}, {value:String}, "
                "(SELECT count() FROM meta_row) + toUnixTimestamp64Micro(now64(6))",
                {"key": key, "value": value},
            )

    def _foreign(self) -> GiveUp:
        return GiveUp(f"{self._name} belongs to another program; name another database")

    # ---- views ----------------------------------------------------------------------------------

    def _renew_views(self, meta: Mapping[str, str]) -> None:
        views = {**self._rows_that_count(), **statements.views()}
        digest = hashlib.sha256("\n".join(views.values()).encode()).hexdigest()
        if meta.get("views") == digest:
            return
        for name, text in views.items():
            made = text.replace("CREATE", "CREATE OR REPLACE", 1)
            self._make(folding(name) if name in FOLDED else made)
        for name in migrations.outdated_views(meta, views):
            self._connection.run(f"DROP VIEW IF EXISTS {name}")
        self._note({migrations.VIEW_NAMES: " ".join(views), "views": digest})

    def _make(self, text: str) -> None:
        try:
            self._connection.run(text)
        except ClickHouseError as error:
            if code_of(error) != UNKNOWN_NAME:
                raise
            raise GiveUp(
                f"{self._name} is called as something in our SQL is (a letter, a table, a column); "
                "name another database"
            ) from error

    def _rows_that_count(self) -> dict[str, str]:
        """A view of each table that shows the newest row of each key, without what is ours."""
        found = self._connection.ask(
            "SELECT table, name FROM system.columns WHERE database = currentDatabase() "
            "AND default_kind = '' ORDER BY table, position"
        ).result_rows
        made = {}
        for name in TABLES:
            mine = [column for table, column in found if table == f"{name}_row"]
            where = " WHERE NOT is_gone" if "is_gone" in mine else ""
            shown = ", ".join(column for column in mine if column not in _OUR_OWN)
            made[name] = f"CREATE VIEW {name} AS SELECT {shown} FROM {name}_row FINAL{where}"
        return made


def folding(name: str) -> str:
    """The statement that makes or renews one of the ``FOLDED`` tables, at once for all readers."""
    body = statements.views()[name].split(" AS\n", 1)[1]
    engine = f"MergeTree ORDER BY tuple() SETTINGS {DURABLE}"
    return f"CREATE OR REPLACE TABLE {name} ENGINE = {engine} AS {body}"


def _once(text: str) -> str:
    """A statement of a migration that may have been run before a crash."""
    made = text.replace("CREATE TABLE ", "CREATE TABLE IF NOT EXISTS ", 1)
    return made.replace("CREATE VIEW ", "CREATE VIEW IF NOT EXISTS ", 1)
