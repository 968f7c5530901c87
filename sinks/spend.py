"""What paid sources cost, as rows."""

from collections.abc import Sequence

import pyarrow as pa

from pipeline.model import Spend
from sinks.batches import naive, newest, table

_TIME = pa.timestamp("us")
SPEND = pa.schema(
    [
        ("source", pa.string()),
        ("day", _TIME),
        ("reads", pa.int64()),
        ("cost", pa.float64()),
        ("told_at", _TIME),
    ]
)


def spend_table(words: Sequence[Spend]) -> pa.Table:
    """The newest word on each source and day."""
    kept = newest(words, lambda s: (s.source, s.day), lambda s: (s.at, s.reads, s.cost))
    return table(SPEND, [(s.source, naive(s.day), s.reads, s.cost, naive(s.at)) for s in kept])
