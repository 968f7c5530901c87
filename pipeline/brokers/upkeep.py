"""Upkeep of the local broker's file: compaction, retention, erasure."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from pipeline import topics
from pipeline.brokers import keys
from pipeline.brokers.logs import Log, Logs
from pipeline.deadletters import tells_of
from pipeline.values import to_ms

#: A superseded record or a tombstone stays this long, for readers that rebuild their state.
COMPACT_AFTER = timedelta(hours=24)
# Offsets looked at in one transaction: some milliseconds, so that producers hardly notice.
_STEP = 2_000


def compact(logs: Logs, now: datetime) -> int:
    """Drops what retention and compaction allow to; returns the number of records dropped.

    What a known group has not consumed stays, unless it is past retention.
    """
    dropped = 0
    for log in logs.all():
        if log.retention_hours is not None:
            past = to_ms(now - timedelta(hours=log.retention_hours))
            dropped += _expire(logs, log, past)
        if log.compacted:
            dropped += _supersede(logs, log, to_ms(now - COMPACT_AFTER))
    logs.file.shrink()
    return dropped


def _expire(logs: Logs, log: Log, before: int) -> int:
    """Deletes everything taken before a time (ms), in small transactions."""
    with logs.file.read() as db:
        last = logs.before(db, log, before)
        low = (db.execute(f"SELECT min(offset) FROM {log.table}").fetchone()[0] or last + 1) - 1
    dropped = 0
    while low < last:
        low = min(low + _STEP, last)
        with logs.file.write() as db:
            dropped += _delete_up_to(db, log, low)
    return dropped


def _supersede(logs: Logs, log: Log, before: int) -> int:
    """Deletes what a later record of the key replaces, and tombstones; a segment at a time."""
    dropped = 0
    try:
        with logs.file.write() as db:
            last = _consumed(logs, db, log)
            segments = keys.find_newest(db, log.table)
        for segment in segments:
            with logs.file.write() as db:
                gone = keys.superseded(db, log.table, segment, last, before)
                keys.delete_at(db, log.table, segment, gone)
                dropped += len(gone)
    finally:
        with logs.file.write() as db:
            keys.forget_newest(db)
    return dropped


def _delete_up_to(db: sqlite3.Connection, log: Log, last: int) -> int:
    dropped = db.execute(f"DELETE FROM {log.table} WHERE offset <= ?", (last,)).rowcount
    if log.compacted:
        keys.forget(db, log.table, last)
    return dropped


def _consumed(logs: Logs, db: sqlite3.Connection, log: Log) -> int:
    """Up to which offset every known group has committed; the end if there is no group."""
    query = "SELECT min(committed) FROM position WHERE topic = ?"
    consumed = db.execute(query, (log.id,)).fetchone()[0]
    return logs.end(db, log) if consumed is None else int(consumed)


def discard_consumed(logs: Logs, read_up_to: Callable[[Log], int | None]) -> int:
    """Deletes what every group has committed and every open reader has read.

    ``read_up_to`` gives the position of the slowest open reader of a topic, None without one.
    Topics without a group are left alone.
    """
    dropped = 0
    with logs.file.write() as db:
        for log in logs.all():
            query = "SELECT min(committed) FROM position WHERE topic = ?"
            consumed = db.execute(query, (log.id,)).fetchone()[0]
            read_to = read_up_to(log)
            if consumed:
                last = consumed if read_to is None else min(consumed, read_to)
                dropped += _delete_up_to(db, log, last)
    return dropped


def erase(logs: Logs, names: Iterable[str]) -> int:
    """Deletes the records of these names everywhere and rewrites the file without their bytes.

    A name is a mention's id or ``source:author_id``. Late links, whose key begins
    with ``name|``, go too, and so do dead letters whose bytes tell of one of the names.
    """
    wanted = sorted(set(names))
    dropped = 0
    with logs.file.write(durable=True) as db:
        for log in logs.all():
            dropped += _erase_keys(db, log, set(wanted))
            if log.name == topics.DEADLETTER:
                dropped += _erase_dead(db, log, wanted)
    logs.file.rewrite()
    logs.announce()
    return dropped


def _erase_keys(db: sqlite3.Connection, log: Log, names: set[str]) -> int:
    """Deletes the records of these names; one scan, however many there are."""
    found = {
        key
        for (key,) in db.execute(f"SELECT key FROM {log.table}")
        if key in names or any(key[:at] in names for at in _bars(key))
    }
    if log.compacted:
        return sum(keys.delete(db, log.table, key) for key in found)
    rows = [(key,) for key in found]
    return db.executemany(f"DELETE FROM {log.table} WHERE key = ?", rows).rowcount


def _bars(key: str) -> Iterator[int]:
    """Where a key may end and the second half of a late link's key begin."""
    at = key.find("|")
    while at >= 0:
        yield at
        at = key.find("|", at + 1)


def _erase_dead(db: sqlite3.Connection, log: Log, names: list[str]) -> int:
    found = [
        (offset, key)
        for offset, key, value in db.execute(f"SELECT offset, key, value FROM {log.table}")
        if value is not None and tells_of(value, names)
    ]
    if log.compacted:
        return sum(keys.delete(db, log.table, key) for key in {key for _, key in found})
    db.executemany(f"DELETE FROM {log.table} WHERE offset = ?", [(at,) for at, _ in found])
    return len(found)
