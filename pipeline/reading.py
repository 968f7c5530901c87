"""Reading a topic to its end, and what its records say."""

from collections.abc import Iterator

from pipeline.errors import TryLater
from pipeline.ports import Reader, Record

# A broker that is well answers at once; a role must be able to stop within 5 s.
PATIENCE = 2.0


def batches(reader: Reader, size: int) -> Iterator[list[Record]]:
    """Everything the reader has for now, batch by batch.

    Raises TryLater when the broker stalls before all of what stood there first has come.
    """
    while True:
        known = reader.caught_up()
        records = reader.poll(size, 0 if known else PATIENCE)
        if records:
            yield records
        elif known:
            return
        elif not reader.caught_up():
            raise TryLater("the broker did not deliver all it has; reading stopped on the way")
