"""Whether a database of ClickHouse holds a warehouse already, asked before a key is made for it."""

from contextlib import closing

from sinks.clickhouse_link import ClickHouseLink


def is_there(url: str, setting: str) -> bool:
    """True if a warehouse was made there, with whatever key. Raises TryLater, GiveUp."""
    link = ClickHouseLink(url, setting)
    with closing(link), link.asking() as connection:
        found = connection.ask(
            "SELECT count() FROM system.tables WHERE database = currentDatabase() "
            "AND name IN ('meta_row', 'fct_mention_row')"
        ).result_rows
    return bool(found[0][0] == 2)
