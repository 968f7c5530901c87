"""What it costs to be seen: CPU time of measuring a post and a round, and of one scrape.

python -m bench.operating
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

from config.operating.exposition import Exposition
from config.operating.measured import MeasuredWarehouse
from config.operating.meters import Meters
from config.operating.watched import Watched
from pipeline.clock import SystemClock
from pipeline.model import Feedback, Mention, Repeat
from pipeline.ports import Rows, Warehouse

POSTS, ROLES = 2_000, 8


class Nothing:
    """A warehouse and a role that do nothing, so that only the measuring is left."""

    def write(self, _rows: Rows, _at: datetime) -> Sequence[str]:
        """Keeps nothing."""
        return ()

    def turn(self, _timeout: float) -> int:
        """Handles one record."""
        return 1

    def close(self) -> None:
        """Nothing to let go of."""


def posts(now: datetime) -> list[Feedback]:
    """A full batch of the store, received just now."""
    return [
        Feedback(
            mention=Mention(
                source="x",
                external_id=str(number),
                text="acme is down",
                said_at=now - timedelta(seconds=number),
                seen_at=now,
            ),
            repeat=Repeat(group=f"x:{number}"),
            labels={},
            model="none",
        )
        for number in range(POSTS)
    ]


def seconds(work: Callable[[], object], times: int) -> float:
    """CPU time of one call."""
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) / times


def main() -> None:
    """Prints the table."""
    now, clock = datetime.now(UTC), SystemClock()
    warehouse = MeasuredWarehouse(cast(Warehouse, Nothing()))
    rows = Rows(feedback=posts(now))
    each = seconds(lambda: warehouse.write(rows, now), 50) / POSTS
    print(f"a post    {each * 1e6:.2f} µs, in batches of {POSTS:,}")
    roles = {f"role-{number}": Watched(Nothing(), clock) for number in range(ROLES)}
    print(f"a round   {seconds(lambda: roles['role-0'].turn(1.0), 20_000) * 1e6:.2f} µs")
    meters = Meters(clock, roles)
    meters.stored = warehouse
    scrape = seconds(lambda: Exposition(meters).text(), 100)
    size = len(Exposition(meters).text()[0])
    print(f"a scrape  {scrape * 1e3:.2f} ms, {size:,} bytes with {ROLES} roles")


if __name__ == "__main__":
    main()
