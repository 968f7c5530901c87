"""Erasure over all that a local installation holds: the warehouse and the broker's topics."""

from collections.abc import Sequence
from typing import Any

from pipeline.brokers.local import LocalBroker
from pipeline.model import Removal
from pipeline.ports import Clock, Warehouse


def erase(
    warehouse: Warehouse, broker: LocalBroker | None, removals: Sequence[Removal], clock: Clock
) -> dict[str, Any]:
    """Erases what the removals name, bytes and all, and returns the warehouse's receipt.

    The warehouse comes first: its block rows stop what is still on its way from coming back.
    """
    ids = _mentions_of(warehouse, removals)
    receipt = warehouse.erase(removals, clock.now())
    if broker is not None:
        receipt["records"] = broker.erase(ids)
    return receipt


def _mentions_of(warehouse: Warehouse, removals: Sequence[Removal]) -> set[str]:
    """The keys that the removals stand for on the topics, as far as the warehouse knows them."""
    named = {removal.removal for removal in removals}
    for removal in removals:
        found = warehouse.rows("mentions_of", removal=removal.removal)
        named.update(str(row["id"]) for row in found)
    return named
