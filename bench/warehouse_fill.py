"""Fills a warehouse to millions of posts by copying the first ones inside the database.

Each copy has an id, an author, a group and words of its own and is said some minutes after its
original, so that days, incidents and groups keep their shapes. Rows come in the order of their
time, as in life. What ``write`` costs is not measured by this.
"""

from datetime import datetime, timedelta
from typing import Final

from bench.warehouse_places import Run
from bench.warehouse_words import DAYS, START

#: How the columns of a copy (number ``k``, ``n`` in its day) differ from its original's.
_LATER: Final = "+ INTERVAL '1 second' * (k * 41 % 900)"
_MENTION: Final = {
    "id": "b.id || '-' || k",
    "repeat_group": "b.repeat_group || '-' || k",
    "repeat_of": "b.repeat_of || '-' || k",
    "author_key": "substring(md5(b.author_key || '-' || (k % 40)), 1, 20)",
    "said_at": f"b.said_at {_LATER}",
    "event_at": f"b.event_at {_LATER}",
    "seen_at": f"b.seen_at {_LATER}",
    "updated_at": f"b.seen_at {_LATER} + INTERVAL '1 second'",
}
_PRIVATE: Final = {
    "mention_id": "b.mention_id || '-' || k",
    "author_id": "b.author_id || '-' || (k % 40)",
    "text": "b.text || ' ' || k",
}
_LINK: Final = {
    "mention_id": "b.mention_id || '-' || k",
    "updated_at": f"o.event_at {_LATER} + INTERVAL '3 seconds'",
}
_CAMPAIGN: Final = {"mention_id": "b.mention_id || '-' || k"}
_TABLES: Final = {
    "fct_mention": _MENTION,
    "mention_private": _PRIVATE,
    "fct_link": _LINK,
    "fct_campaign": _CAMPAIGN,
}


class Filler:
    """Copies what a warehouse holds now. ``run`` is a connection to it with its schema as place."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._base: dict[str, list[str]] = {}

    def keep_base(self) -> None:
        """Sets aside what is held now as what is copied from."""
        for table in _TABLES:
            if self._columns(table):
                self._run(f"CREATE TABLE IF NOT EXISTS bench_{table} AS SELECT * FROM {table}")

    def drop_base(self) -> None:
        """Removes that again."""
        for table in _TABLES:
            self._run(f"DROP TABLE IF EXISTS bench_{table}")

    def fill(self, copies: int, day: int) -> datetime:
        """Adds so many copies of what was said on a day (0 to 59); the end of that day."""
        from_at = START + timedelta(days=day)
        # What happened before the first day or after the last belongs to those.
        since = "-infinity" if day == 0 else from_at.replace(tzinfo=None).isoformat()
        until = from_at + timedelta(days=1)
        before = "infinity" if day == DAYS - 1 else until.replace(tzinfo=None).isoformat()
        within = f"o.event_at >= TIMESTAMP '{since}' AND o.event_at < TIMESTAMP '{before}'"
        last = self._run("SELECT max(arrival) FROM fct_mention")[0][0]
        for table, changed in _TABLES.items():
            if columns := self._columns(table):
                self._copy(table, columns, changed, within, copies, int(last or 0))
        return until

    def _copy(
        self,
        table: str,
        columns: list[str],
        changed: dict[str, str],
        within: str,
        copies: int,
        last: int,
    ) -> None:
        order = f"o.event_at {_LATER}"
        arrival = f"{last} + row_number() OVER (ORDER BY {order})"
        made = {"arrival": arrival, **changed}
        picked = ", ".join(
            f"{made[name]} AS {name}" if name in made else f"b.{name}" for name in columns
        )
        key = "id" if table == "fct_mention" else "mention_id"
        self._run(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {picked} FROM bench_{table} b "
            f"JOIN bench_fct_mention o ON o.id = b.{key} "
            f"CROSS JOIN generate_series(1, {copies}) AS copies(k) WHERE {within} ORDER BY {order}"
        )

    def _columns(self, table: str) -> list[str]:
        if table not in self._base:
            found = self._run(
                "SELECT column_name FROM information_schema.columns "
                f"WHERE table_name = '{table}' AND table_schema = current_schema() "
                "ORDER BY ordinal_position"
            )
            self._base[table] = [row[0] for row in found]
        return self._base[table]
