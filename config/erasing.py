"""Erasure over all that a local installation holds: the warehouse and the broker's topics."""

from collections.abc import Sequence
from typing import Any

from pipeline.brokers.local import LocalBroker
from pipeline.model import Removal
from pipeline.ports import Clock, Rows, Warehouse


def erase(
    warehouse: Warehouse, broker: LocalBroker | None, removals: Sequence[Removal], clock: Clock
) -> dict[str, Any]:
    """Erases what the removals name, bytes and all, and returns the warehouse's receipt.

    The warehouse comes first: its block rows stop what is still on its way from coming back.
    """
    now = clock.now()
    # What a repeated request names is told again, so the topics lose it even after a crash here.
    ids = warehouse.write(Rows(removals=removals), now)
    receipt = warehouse.erase(removals, now)
    if broker is not None:
        receipt["records"] = broker.erase({*ids, *(removal.removal for removal in removals)})
    return receipt
