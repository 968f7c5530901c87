"""Erasure over all that an installation holds: warehouse, topics, recordings, exports.

Each erasure leaves a receipt in the warehouse (view ``erasures``): what, when, why and by whom,
without the data themselves.
"""

import uuid
from collections.abc import Sequence
from typing import Any, Final, Protocol

from config.exported import Exported, Exports
from config.recording import Recording
from pipeline.brokers.local import LocalBroker
from pipeline.errors import Misuse
from pipeline.model import Removal
from pipeline.ports import Clock, Receipt, Rows, Warehouse

#: Letters from which on an id or a handle by itself is told in a reason on purpose only.
_TELLING: Final = 5


class Kept(Warehouse, Exported, Protocol):
    """A warehouse that exports are written from."""


def erase(
    warehouse: Kept,
    broker: LocalBroker | None,
    removals: Sequence[Removal],
    clock: Clock,
    recording: Recording | None = None,
    exports: Exports | None = None,
) -> dict[str, Any]:
    """Erases what the removals name, bytes and all, and returns the receipt.

    The warehouse comes first: its block rows stop what is still on its way from coming back.
    Raises Misuse for a reason that says whom it is about.
    """
    check_reason(warehouse, removals)
    now = clock.now()
    # What a repeated request names is told again, so the topics lose it even after a crash here.
    ids = warehouse.write(Rows(removals=removals), now)
    receipt = warehouse.erase(removals, now)
    names = {*ids, *(removal.removal for removal in removals)}
    places = list(receipt["rewritten"])
    if broker is not None:
        receipt["records"] = broker.erase(names)
        places.append("topics")
    if recording is not None:
        receipt["recorded_lines"] = recording.erase(names)
        places.append("recordings")
    if exports is not None:
        places += reach_exports(warehouse, exports, receipt)
    return keep_receipt(warehouse, removals, receipt, places, clock)


def check_reason(warehouse: Exported, removals: Sequence[Removal]) -> None:
    """Raises Misuse if who asked or why, which is kept for good, holds a name that is erased.

    Names are ids, and the handles that the warehouse knows of them.
    """
    for removal in removals:
        kept = f"{removal.by or ''}\n{removal.reason or ''}".casefold()
        handles = [row["handle"] for row in warehouse.rows("handles_of", id=removal.removal)]
        own = removal.removal.partition(":")[2]
        # A short id may be a word like any other; with its source it is not.
        holds_id = removal.removal.casefold() in kept or _tells(own, kept)
        if holds_id or any(_tells_handle(handle.removeprefix("@"), kept) for handle in handles):
            raise Misuse("the receipt is kept for good: say why without what is to be forgotten")


def _tells(name: str, kept: str) -> bool:
    return len(name) >= _TELLING and name.casefold() in kept


def _tells_handle(handle: str, kept: str) -> bool:
    return _tells(handle, kept) or (bool(handle) and f"@{handle}".casefold() in kept)


def reach_exports(warehouse: Exported, exports: Exports, receipt: dict[str, Any]) -> list[str]:
    """Takes what was erased out of the exports, too; what a receipt says of them among its places.

    Folders that could not be written are named in ``receipt`` under ``exports_left``: another
    export may be writing there, with what it read before.
    """
    erased = exports.erase(warehouse)
    if erased.failed:
        receipt["exports_left"] = list(erased.failed)
        return [f"exports, but {len(erased.failed)} of their folders not yet"]
    return ["exports"] if erased.changed else []


def follow_restored(
    ids: Sequence[str], broker: LocalBroker, recording: Recording | None = None
) -> None:
    """Takes from topics and recordings what a restored warehouse had to erase again."""
    if ids:
        broker.erase(ids)
        if recording is not None:
            recording.erase(ids)


def keep_receipt(
    warehouse: Warehouse,
    removals: Sequence[Removal],
    receipt: dict[str, Any],
    places: Sequence[str],
    clock: Clock,
) -> dict[str, Any]:
    """Writes the receipt into the warehouse; returns it with its id, who asked and why."""
    first = removals[0]
    kept = Receipt(
        id=str(uuid.uuid4()),
        asked_at=first.at,
        done_at=clock.now(),
        by=first.by,
        reason=first.reason,
        requests=len(removals),
        mentions=int(receipt["mentions"]),
        places=places,
    )
    warehouse.write(Rows(receipts=[kept]), kept.done_at)
    return {"receipt": kept.id, **receipt, "by": kept.by, "reason": kept.reason}
