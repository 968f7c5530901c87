"""Where the records of a key stand in a compacted topic.

A plain index over keys in random order would touch a page per record, and become slower with every
record it holds (measured: a fifth of the speed after 600,000). So each topic has a table of hashes
in segments of the offset: appending touches the pages of one small segment only, and looking a key
up asks every segment once, which is rare (tombstones, compaction, erasure).
"""

import sqlite3
from collections.abc import Iterable, Sequence

import xxhash

#: Offsets in a segment: some 25 pages, touched by a batch; a million records have 100 of them.
SEGMENT = 10_000


def create(db: sqlite3.Connection, table: str) -> None:
    """Makes the hashes of a topic's table of records."""
    db.execute(
        f"CREATE TABLE {_keys(table)} (segment INTEGER NOT NULL, hash INTEGER NOT NULL, "
        "offset INTEGER NOT NULL, PRIMARY KEY (segment, hash, offset)) WITHOUT ROWID"
    )


def add(db: sqlite3.Connection, table: str, records: Iterable[tuple[str, int]]) -> None:
    """Notes where these keys stand: pairs of key and offset."""
    rows = sorted((offset // SEGMENT, _hash(key), offset) for key, offset in records)
    db.executemany(f"INSERT INTO {_keys(table)} VALUES (?, ?, ?)", rows)


def delete(db: sqlite3.Connection, table: str, key: str, before: int | None = None) -> int:
    """Deletes the records of one key, those before an offset or all; returns how many."""
    keys, hashed = _keys(table), _hash(key)
    found = [
        (segment, hashed, offset)
        for segment in _segments(db, table)
        for (offset,) in db.execute(
            f"SELECT offset FROM {keys} WHERE segment = ? AND hash = ?", (segment, hashed)
        )
        if before is None or offset < before
    ]
    dropped = 0
    for place in found:
        # By key as well: two keys may share a hash.
        dropped += db.execute(
            f"DELETE FROM {table} WHERE offset = ? AND key = ?", (place[2], key)
        ).rowcount
    db.executemany(f"DELETE FROM {keys} WHERE segment = ? AND hash = ? AND offset = ?", found)
    return dropped


def forget(db: sqlite3.Connection, table: str, up_to: int) -> None:
    """Drops the whole segments that end at or before an offset, after their records went."""
    db.execute(f"DELETE FROM {_keys(table)} WHERE segment < ?", ((up_to + 1) // SEGMENT,))


def find_newest(db: sqlite3.Connection, table: str) -> list[int]:
    """Prepares ``superseded``; returns the segments there are to be asked for."""
    db.execute("CREATE TEMP TABLE newest (hash INTEGER PRIMARY KEY, offset INTEGER NOT NULL)")
    db.execute(f"INSERT INTO newest SELECT hash, max(offset) FROM {_keys(table)} GROUP BY hash")
    return _segments(db, table)


def superseded(
    db: sqlite3.Connection, table: str, segment: int, last: int, before: int
) -> Sequence[int]:
    """Offsets in a segment up to ``last``, taken before a time (ms), that a later one replaces."""
    newer = f"SELECT key FROM {table} WHERE offset = newest.offset"
    query = f"""
        SELECT old.offset FROM {_keys(table)} place
        JOIN newest ON newest.hash = place.hash
        JOIN {table} old ON old.offset = place.offset
        WHERE place.segment = ? AND place.offset <= ? AND old.at < ?
          AND (old.value IS NULL OR (place.offset < newest.offset AND old.key = ({newer})))
    """
    return [offset for (offset,) in db.execute(query, (segment, last, before))]


def forget_newest(db: sqlite3.Connection) -> None:
    """Drops what ``find_newest`` made."""
    db.execute("DROP TABLE IF EXISTS temp.newest")


def delete_at(db: sqlite3.Connection, table: str, segment: int, offsets: Sequence[int]) -> None:
    """Deletes records of one segment by their offsets."""
    db.executemany(f"DELETE FROM {table} WHERE offset = ?", [(offset,) for offset in offsets])
    gone = set(offsets)
    places = [
        row
        for row in db.execute(
            f"SELECT segment, hash, offset FROM {_keys(table)} WHERE segment = ?", (segment,)
        )
        if row[2] in gone
    ]
    db.executemany(
        f"DELETE FROM {_keys(table)} WHERE segment = ? AND hash = ? AND offset = ?", places
    )


def _keys(table: str) -> str:
    return f"{table}_keys"


def _segments(db: sqlite3.Connection, table: str) -> list[int]:
    # Two questions: SQLite answers both at once with a scan, each alone with a step in the tree.
    query = f"SELECT (SELECT min(offset) FROM {table}), (SELECT max(offset) FROM {table})"
    first, last = db.execute(query).fetchone()
    return [] if first is None else list(range(first // SEGMENT, last // SEGMENT + 1))


def _hash(key: str) -> int:
    """64 bits as SQLite's signed integer."""
    return int(xxhash.xxh3_64_intdigest(key.encode())) - (1 << 63)
