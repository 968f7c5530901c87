"""Whether a schema of PostgreSQL holds a warehouse already, asked before a key is made for it."""

from contextlib import closing
from typing import Final

from sinks.postgres_link import PostgresLink

_ASKED: Final = (
    "SELECT to_regclass($1::text) IS NOT NULL AND to_regclass($2::text) IS NOT NULL AS is_ours"
)


def is_there(url: str, setting: str, schema: str = "groundswell") -> bool:
    """True if a warehouse was made there, with whatever key. Raises TryLater, GiveUp.

    ``url``, ``setting`` and ``schema`` as for ``PostgresWarehouse``.
    """
    link = PostgresLink(url, schema, setting)
    with closing(link), link.asking() as connection:
        found = connection.run(_ASKED, [f"{schema}.meta", f"{schema}.fct_mention"], copy=False)
    return bool(found.column("is_ours")[0].as_py())
