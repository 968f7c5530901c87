"""Receipts of erasures, as rows: what, when, why and by whom, without the data themselves."""

from collections.abc import Sequence

import pyarrow as pa

from pipeline.ports import Receipt
from sinks.batches import naive, table

RECEIPT = pa.schema(
    [
        ("erasure_id", pa.string()),
        ("asked_at", pa.timestamp("us")),
        ("done_at", pa.timestamp("us")),
        ("asked_by", pa.string()),
        ("reason", pa.string()),
        ("requests", pa.int64()),
        ("mentions", pa.int64()),
        ("places", pa.list_(pa.string())),
    ]
)


def receipt_table(receipts: Sequence[Receipt]) -> pa.Table:
    """A row for each."""
    rows = [
        (
            *(r.id, naive(r.asked_at), naive(r.done_at), r.by, r.reason),
            *(r.requests, r.mentions, list(r.places)),
        )
        for r in {receipt.id: receipt for receipt in receipts}.values()
    ]
    return table(RECEIPT, rows)
