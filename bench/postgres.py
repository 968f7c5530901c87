"""How fast the warehouse on PostgreSQL writes and answers.

    python -m bench.postgres [--rows 200000]

The feedback of ``bench.warehouse`` goes through ``PostgresWarehouse.write`` into a server on this
machine whose commits wait for the disk. ``GROUNDSWELL_TEST_POSTGRES`` names another one: a schema
is made in it and removed.
"""

import argparse
import os
import secrets
import threading
import time

from bench.warehouse import START, ask, batches, incidents
from pipeline.ports import Rows
from sinks.postgres_link import PostgresLink
from sinks.postgres_warehouse import PostgresWarehouse
from tests.servers.postgres import PostgresServer

KEY = bytes(32)


def write(warehouse: PostgresWarehouse, rows: int, size: int, told: str = "") -> None:
    """Writes so many rows and prints the rate, making the Arrow arrays included."""
    warehouse.write(Rows(incidents=incidents(200)), START)
    times: list[float] = []
    busy = 0.0
    for batch in batches(rows, size):
        started, processor = time.perf_counter(), time.process_time()
        warehouse.write(Rows(feedback=batch), START)
        times.append(time.perf_counter() - started)
        busy += time.process_time() - processor
    print(
        f"{size:>6,} a batch, {rows:>8,} rows: {rows / sum(times):>8,.0f} rows/s, "
        f"worst batch {max(times):.2f} s ({rows / busy:,.0f} rows per second of our processor)"
        f"{told}"
    )


def write_together(url: str, schema: str, rows: int, size: int) -> None:
    """Two writers of different rows at the same time, as two stores."""
    stores = [PostgresWarehouse(url, key=KEY, schema=schema) for _ in range(2)]
    shares = [list(batches(rows, size))[number::2] for number in range(2)]

    def store(number: int) -> None:
        for batch in shares[number]:
            stores[number].write(Rows(feedback=batch), START)

    threads = [threading.Thread(target=store, args=(number,)) for number in range(2)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - started
    print(f"{size:>6,} a batch, {rows:>8,} rows: {rows / took:>8,.0f} rows/s by two stores")
    for each in stores:
        each.close()


def run(url: str, rows: int) -> None:
    """Prints all tables."""
    schemas: list[str] = []

    def make() -> PostgresWarehouse:
        schemas.append(f"bench_{secrets.token_hex(4)}")
        return PostgresWarehouse(url, key=KEY, schema=schemas[-1])

    try:
        for size in (1_000, 2_000, 5_000):
            warehouse = make()
            write(warehouse, 50_000, size)
            warehouse.close()
        warehouse = make()
        write_together(url, warehouse.schema, 50_000, 2_000)
        warehouse.close()
        warehouse = make()
        write(warehouse, rows, 2_000, ", the larger table")
        print("queries, median of 5:")
        ask(warehouse)
        warehouse.close()
    finally:
        connection = PostgresLink(url, "public", "url").open()
        connection.run_all([f"DROP SCHEMA IF EXISTS {schema} CASCADE" for schema in schemas])
        connection.close()


def main() -> None:
    """Runs all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=200_000)
    rows = parser.parse_args().rows
    if named := os.environ.get("GROUNDSWELL_TEST_POSTGRES"):
        run(named, rows)
        return
    server = PostgresServer(durable=True)
    server.start()
    try:
        run(server.url, rows)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
