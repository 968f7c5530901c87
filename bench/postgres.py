"""How fast one store and two write into the same schema of PostgreSQL.

    python -m bench.postgres [--rows 50000]

The posts of ``bench.warehouse_words`` go through ``PostgresWarehouse.write`` in batches of 1,000,
2,000 and 5,000. Everything else about PostgreSQL is said by ``bench.warehouse --adapter postgres``.
"""

import argparse
import threading
import time
from contextlib import closing

from bench.warehouse_places import Place, place_of
from bench.warehouse_words import END, Life, live
from pipeline.model import Feedback
from pipeline.ports import Rows, Warehouse


def write(stores: list[Warehouse], batches: list[list[Feedback]]) -> float:
    """Seconds until the stores, at the same time, have written the batches in turns."""

    def store(number: int) -> None:
        for batch in batches[number :: len(stores)]:
            stores[number].write(Rows(feedback=batch), END)

    threads = [threading.Thread(target=store, args=(number,)) for number in range(len(stores))]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def compare(place: Place, rows: int) -> None:
    """A line for each size of batch and number of stores."""
    first = 0
    for size in (1_000, 2_000, 5_000):
        for count in (1, 2):
            first += rows
            batches = list(live(Life(first), first, rows, size, END))
            stores = [place.open() for _ in range(count)]
            took = write(stores, batches)
            for each in stores:
                each.close()
            print(f"{size:>6,} a batch, {count} stores: {rows / took:>8,.0f} rows/s", flush=True)


def main() -> None:
    """Runs all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=50_000)
    rows = parser.parse_args().rows
    with place_of("postgres", None, None) as place:
        with closing(place.open()):
            pass  # the schema is made by one
        compare(place, rows)


if __name__ == "__main__":
    main()
