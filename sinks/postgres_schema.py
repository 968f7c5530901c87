"""The schema of a PostgreSQL warehouse: made, recognised as ours, migrated, its views renewed.

All of it happens in one transaction, one process at a time.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

from adbc_driver_manager import Error

from pipeline.errors import GiveUp
from sinks import migrations
from sinks import postgres_statements as statements
from sinks.migrations import PROGRAM_KEY, SCHEMA, Migration
from sinks.postgres_link import Connection
from sinks.postgres_statements import POSTGRES, Statement
from sinks.rollups import RULES, UNCOUNTED, rules

PROGRAM: Final = "groundswell"
# Any number: it only has to be the same in all processes that make or renew a schema.
_MAKING: Final = 4_712_005
#: A view cannot be replaced by one that lacks a column, or has one of another type.
_ANOTHER_FORM: Final = "42P16"
#: Something else needs what would be dropped.
_NEEDED: Final = "2BP01"
# On views, and on single columns of them.
_RIGHTS: Final = """
WITH granted AS (
    SELECT c.relname AS name, c.relowner, NULL AS column, a.*
    FROM pg_class c, aclexplode(c.relacl) a
    WHERE c.relnamespace = to_regnamespace($1::text) AND c.relkind = 'v'
    UNION ALL
    SELECT c.relname, c.relowner, quote_ident(t.attname), a.*
    FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
    WHERE c.relnamespace = to_regnamespace($1::text) AND c.relkind = 'v'
)
SELECT name, "column", privilege_type AS privilege, is_grantable,
    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS grantee
FROM granted WHERE grantee <> relowner
ORDER BY 1, 2 NULLS FIRST, 3, 5"""

_COLUMNS: Final = """
SELECT c.relname AS name, quote_ident(t.attname) AS column
FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid
WHERE c.relnamespace = to_regnamespace($1::text) AND c.relkind = 'v'"""

Rights = Sequence[Mapping[str, object]]


class PostgresSchema:
    """One schema, on a connection whose search path it is.

    After ``prepare``: ``version`` is the number it had before, ``migrated`` what it needed.
    """

    def __init__(self, connection: Connection, name: str, key_check: str) -> None:
        self._connection = connection
        self._name = name
        self._key_check = key_check
        self.version = 0
        self.migrated: list[Migration] = []

    def prepare(self, *, migrate: bool) -> None:
        """Brings it into the form that this program knows. Raises GiveUp, and the driver's Error.

        One that holds something is only brought to a newer form with ``migrate``.
        """
        run = self._connection.run_all
        run(["BEGIN", f"SELECT pg_advisory_xact_lock({_MAKING})"])
        meta = self._meta()
        is_new = meta is None
        if meta is None:
            self._make()
            meta = {PROGRAM_KEY: PROGRAM, SCHEMA: "0", "key_check": self._key_check}
        self._check(meta)
        self.version = int(meta[SCHEMA])
        self.migrated = migrations.pending(POSTGRES, meta, f"the schema {self._name}")
        if self.migrated and not (migrate or is_new):
            raise migrations.behind(f"the schema {self._name}", self.migrated)
        # No column goes while a view of ours reads it.
        rights = self._drop_views(meta) if self.migrated and not is_new else None
        self._migrate()
        if is_new:
            self._note({name: meta[name] for name in (PROGRAM_KEY, "key_check")})
        self._renew_views(meta, rights)
        self._take_old_counts_back(meta)
        run(["COMMIT"])

    def _meta(self) -> dict[str, str] | None:
        """What the schema says of itself, None if it is missing or empty."""
        found = self._connection.run(
            "SELECT count(*), count(*) FILTER (WHERE relname = 'meta') FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE nspname = $1::text AND relkind IN ('r', 'v', 'm', 'p')",
            [self._name],
            copy=False,
        )
        tables, metas = (found.column(i)[0].as_py() for i in (0, 1))
        if not tables:
            return None
        if not metas:
            raise self._foreign()
        try:
            rows = self._connection.run("SELECT key, value FROM meta", copy=False).to_pylist()
        except Error as error:
            if error.sqlstate == "42703":  # another program's table of that name
                raise self._foreign() from error
            raise
        return {row["key"]: row["value"] for row in rows}

    def _make(self) -> None:
        here = self._connection.run(
            "SELECT 1 FROM pg_namespace WHERE nspname = $1::text", [self._name], copy=False
        )
        if not here.num_rows:  # IF NOT EXISTS would want the right to make it all the same
            self._connection.run(f"CREATE SCHEMA {self._name}", copy=False)

    def _check(self, meta: Mapping[str, str]) -> None:
        if meta.get(PROGRAM_KEY) != PROGRAM or not meta.get(SCHEMA, "").isdigit():
            raise self._foreign()
        if meta.get("key_check") != self._key_check:
            raise GiveUp(
                f"the key does not belong to the warehouse in the schema {self._name}: "
                "every process needs the key it was made with"
            )

    def _migrate(self) -> None:
        if self.migrated:
            self._connection.run("SET LOCAL statement_timeout = 0", copy=False)
        for migration in self.migrated:
            self._connection.run_all(migration.statements)
            self._note(migration.meta())

    def _note(self, meta: Mapping[str, str]) -> None:
        for key, value in meta.items():
            self._connection.run(
                "INSERT INTO meta VALUES ($1::text, $2::text) "
                "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                [key, value],
                copy=False,
            )

    def _foreign(self) -> GiveUp:
        return GiveUp(f"the schema {self._name} belongs to another program; name another schema")

    # ---- views ----------------------------------------------------------------------------------

    def _renew_views(self, meta: Mapping[str, str], rights: Rights | None) -> None:
        """Makes them as they are now; with the ``rights`` of those that were dropped, all anew."""
        views = statements.views()
        digest = hashlib.sha256("\n".join(v.text for v in views.values()).encode()).hexdigest()
        if rights is not None:
            self._make_views(views, rights)
        elif meta.get("views") == digest:
            return
        else:
            self._replace_views(views, meta)
        self._note({"views": digest, migrations.VIEW_NAMES: " ".join(views)})

    def _take_old_counts_back(self, meta: Mapping[str, str]) -> None:
        counted_by = rules(POSTGRES)
        if meta.get(RULES) != counted_by:
            self._connection.run_all(UNCOUNTED)
            self._note({RULES: counted_by})

    def _replace_views(self, views: Mapping[str, Statement], meta: Mapping[str, str]) -> None:
        self._connection.run("SAVEPOINT views", copy=False)
        try:
            # Replaced, not dropped: rights that were granted on them stay.
            replacing = [v.text.replace("CREATE", "CREATE OR REPLACE", 1) for v in views.values()]
            self._connection.run_all(replacing)
        except Error as error:
            if error.sqlstate != _ANOTHER_FORM:
                raise
            self._connection.run("ROLLBACK TO SAVEPOINT views", copy=False)
            self._make_views(views, self._drop_views(meta))
        gone = migrations.outdated_views(meta, views)
        self._connection.run_all([f"DROP VIEW IF EXISTS {name}" for name in gone])

    def _drop_views(self, meta: Mapping[str, str]) -> Rights:
        """Drops all views of ours; what was granted on them."""
        views = statements.views()
        all_ours = [*views, *migrations.outdated_views(meta, views)]
        rights: Rights = self._connection.run(_RIGHTS, [self._name], copy=False).to_pylist()
        try:
            self._connection.run_all([f"DROP VIEW IF EXISTS {', '.join(all_ours)}"])
        except Error as error:
            if error.sqlstate == _NEEDED:
                raise GiveUp(
                    f"a view of somebody else reads views of the schema {self._name}, which get "
                    "another form now: drop it, start again, and make it anew"
                ) from error
            raise
        return rights

    def _make_views(self, views: Mapping[str, Statement], rights: Rights) -> None:
        self._connection.run_all([view.text for view in views.values()])
        found = self._connection.run(_COLUMNS, [self._name], copy=False).to_pylist()
        there = {(row["name"], row["column"]) for row in found}
        there |= {(name, None) for name in views}
        left = [right for right in rights if (right["name"], right["column"]) in there]
        self._connection.run_all([_granted(right) for right in left])


def _granted(right: Mapping[str, object]) -> str:
    option = " WITH GRANT OPTION" if right["is_grantable"] else ""
    columns = "" if right["column"] is None else f" ({right['column']})"
    return f"GRANT {right['privilege']}{columns} ON {right['name']} TO {right['grantee']}{option}"
