"""Erasure over all a local installation holds: warehouse, the broker's topics, recordings."""

from collections.abc import Sequence
from typing import Any

from config.recording import Recording
from pipeline.brokers.local import LocalBroker
from pipeline.model import Removal
from pipeline.ports import Clock, Rows, Warehouse


def erase(
    warehouse: Warehouse,
    broker: LocalBroker | None,
    removals: Sequence[Removal],
    clock: Clock,
    recording: Recording | None = None,
) -> dict[str, Any]:
    """Erases what the removals name, bytes and all, and returns the warehouse's receipt.

    The warehouse comes first: its block rows stop what is still on its way from coming back.
    """
    now = clock.now()
    # What a repeated request names is told again, so the topics lose it even after a crash here.
    ids = warehouse.write(Rows(removals=removals), now)
    receipt = warehouse.erase(removals, now)
    names = {*ids, *(removal.removal for removal in removals)}
    if broker is not None:
        receipt["records"] = broker.erase(names)
    if recording is not None:
        receipt["recorded_lines"] = recording.erase(names)
    return receipt
