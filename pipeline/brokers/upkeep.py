"""Upkeep of the local broker's file: compaction, retention, erasure."""

import sqlite3
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from pipeline import topics
from pipeline.brokers.logs import Log, Logs
from pipeline.deadletters import tells_of
from pipeline.model import to_ms

#: A superseded record or a tombstone stays this long, for readers that rebuild their state.
COMPACT_AFTER = timedelta(hours=24)
# Offsets looked at in one transaction: some milliseconds, so that producers hardly notice.
_STEP = 2_000

_SUPERSEDED = """
    DELETE FROM {table} WHERE offset > ? AND offset <= ? AND at < ? AND (
      value IS NULL
      OR EXISTS (SELECT 1 FROM {table} later WHERE later.key = {table}.key
                 AND later.offset > {table}.offset))
"""
_BY_KEY = "DELETE FROM {table} WHERE key = ? OR (key > ? AND key < ?)"


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
    with logs.file.read() as db:
        last = logs.before(db, log, before)
    return _stepwise(
        logs, log, last, f"DELETE FROM {log.table} WHERE offset > ? AND offset <= ?", ()
    )


def _supersede(logs: Logs, log: Log, before: int) -> int:
    with logs.file.read() as db:
        last = _consumed(logs, db, log)
    return _stepwise(logs, log, last, _SUPERSEDED.format(table=log.table), (before,))


def _stepwise(logs: Logs, log: Log, last: int, statement: str, values: tuple[int, ...]) -> int:
    """Runs ``statement`` over ranges of offsets up to ``last``, a transaction each."""
    dropped = 0
    with logs.file.read() as db:
        low = (db.execute(f"SELECT min(offset) FROM {log.table}").fetchone()[0] or last + 1) - 1
    while low < last:
        high = min(low + _STEP, last)
        with logs.file.write() as db:
            dropped += db.execute(statement, (low, high, *values)).rowcount
        low = high
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
                dropped += db.execute(
                    f"DELETE FROM {log.table} WHERE offset <= ?", (last,)
                ).rowcount
    return dropped


def erase(logs: Logs, keys: Iterable[str]) -> int:
    """Deletes the records of these keys everywhere and rewrites the file without their bytes.

    A key is a mention's id or ``source:author_id``. Records whose key begins with ``key|`` (links)
    go too, and so do dead letters whose bytes tell of one of the keys.
    """
    wanted = sorted(set(keys))
    dropped = 0
    with logs.file.write(durable=True) as db:
        for log in logs.all():
            for key in wanted:
                cursor = db.execute(
                    _BY_KEY.format(table=log.table), (key, f"{key}|", f"{key}}}")
                )  # "}" is the character after "|"
                dropped += cursor.rowcount
            if log.name == topics.DEADLETTER:
                dropped += _erase_dead(db, log, wanted)
    logs.file.rewrite()
    logs.announce()
    return dropped


def _erase_dead(db: sqlite3.Connection, log: Log, keys: list[str]) -> int:
    found = [
        (offset,)
        for offset, value in db.execute(f"SELECT offset, value FROM {log.table}")
        if value is not None and tells_of(value, keys)
    ]
    db.executemany(f"DELETE FROM {log.table} WHERE offset = ?", found)
    return len(found)
