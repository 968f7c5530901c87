"""Erasure over all that an installation holds: warehouse, the broker's topics, recordings.

Each erasure leaves a receipt in the warehouse (view ``erasures``): what, when, why and by whom,
without the data themselves.
"""

import uuid
from collections.abc import Sequence
from typing import Any

from config.recording import Recording
from pipeline.brokers.local import LocalBroker
from pipeline.model import Removal
from pipeline.ports import Clock, Receipt, Rows, Warehouse


def erase(
    warehouse: Warehouse,
    broker: LocalBroker | None,
    removals: Sequence[Removal],
    clock: Clock,
    recording: Recording | None = None,
) -> dict[str, Any]:
    """Erases what the removals name, bytes and all, and returns the receipt.

    The warehouse comes first: its block rows stop what is still on its way from coming back.
    """
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
    return keep_receipt(warehouse, removals, receipt, places, clock)


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
