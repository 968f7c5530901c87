"""How fast the warehouse writes and answers, and what it costs in memory.

    python -m bench.warehouse [--rows 500000]

Feedback of realistic width with 10 % repeats of a key (half of them edits) and links for a quarter
of the mentions goes through ``DuckDBWarehouse.write``: making the Arrow arrays counts.
"""

import argparse
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.model import Author, Evidence, Feedback, Incident, Label, Link, Mention, Repeat
from pipeline.ports import Rows, Warehouse
from sinks.duckdb_warehouse import DuckDBWarehouse

START = datetime(2026, 1, 5, tzinfo=UTC)
PHRASES = (
    "the app will not load since this morning",
    "checkout spins forever and then says try again",
    "is it only me or is everyone in town cut off",
    "third time this month",
    "no signal at all",
    "works fine here",
    "restarted the router twice",
    "support does not answer",
    "payment went through but there is no order",
)
HEADS = {
    "intent": ("report", "question", "complaint", "other"),
    "topic": ("network", "payment", "login"),
    "severity": ("low", "medium", "high"),
    "sentiment": ("negative", "neutral", "positive"),
    "informative": ("yes", "no"),
    "noise": ("no", "no", "no", "yes"),
    "language": ("en", "es", "de"),
}


def incidents(count: int) -> list[Incident]:
    """Incidents for links to be about."""
    return [
        Incident(
            id=f"statuspage:{n}",
            title=f"Degraded service {n}",
            status="investigating",
            started_at=START + timedelta(minutes=n),
            at=START + timedelta(minutes=n),
            tracks=("acme",),
        )
        for n in range(count)
    ]


def _feedback(n: int, chance: random.Random) -> Feedback:
    again = n > 0 and chance.random() < 0.1
    number = chance.randrange(n) if again else n
    at = START + timedelta(seconds=number * 0.2)
    mention = Mention(
        source="x",
        external_id=str(1_780_000_000_000_000_000 + number * 7919),
        author=Author(id=str(10_000_000 + chance.randrange(1 + n // 2)), handle=f"user_{number}"),
        text=f"{number} " + ", ".join(chance.choices(PHRASES, k=4)),
        lang="en",
        said_at=at,
        url=f"https://x.example/status/{number}",
        tracks=("acme",) if chance.random() < 0.8 else ("acme", "acme-shop"),
        version=int(again and chance.random() < 0.5),
        engagement={"likes": chance.randrange(9), "reposts": chance.randrange(3)},
    )
    labels = {h: Label(name=chance.choice(v), p=0.8, sure=True) for h, v in HEADS.items()}
    if chance.random() < 0.3:
        alias = (Evidence(kind="alias", value="checkout", weight=1.0),)
        labels["component"] = Label(name="checkout", p=0.9, sure=True, evidence=alias)
    links: tuple[Link, ...] = ()
    if chance.random() < 0.25:
        reasons = (
            Evidence(kind="component", value="names 'checkout'", weight=1.4),
            Evidence(kind="time", value="12 min after opening", weight=0.7),
        )
        incident = f"statuspage:{chance.randrange(200)}"
        state = chance.choice(("linked", "suggested"))
        links = (Link(incident=incident, p=0.9, state=state, evidence=reasons),)
    is_copy = n > 0 and chance.random() < 0.1
    group = f"x:{1_780_000_000_000_000_000 + chance.randrange(n) * 7919}" if is_copy else mention.id
    repeat = Repeat(kind="copy" if is_copy else "original", group=group)
    return Feedback(mention=mention, repeat=repeat, labels=labels, links=links, model="2026-01")


def batches(rows: int, size: int) -> Iterator[list[Feedback]]:
    """Feedback in batches, the same every time."""
    chance = random.Random(7)
    for first in range(0, rows, size):
        yield [_feedback(n, chance) for n in range(first, min(first + size, rows))]


def _memory_mb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20


def write(rows: int, size: int, folder: Path, report_every: int = 0) -> DuckDBWarehouse:
    """Writes so many rows; prints the rate, per stretch of ``report_every`` rows if given."""
    warehouse = DuckDBWarehouse(folder / f"{rows}-{size}.duckdb")
    warehouse.write(Rows(incidents=incidents(200)), START)
    spent = stretch = worst = busy = 0.0
    done = marked = 0
    for batch in batches(rows, size):
        started, processor = time.perf_counter(), time.process_time()
        warehouse.write(Rows(feedback=batch), START)
        took = time.perf_counter() - started
        busy += time.process_time() - processor
        spent, stretch, worst, done = (
            spent + took,
            stretch + took,
            max(worst, took),
            done + len(batch),
        )
        if report_every and done - marked >= report_every:
            rate = (done - marked) / stretch
            print(f"  {done:>9,} {rate:>10,.0f} {worst:>12.2f} {_memory_mb():>8}")
            stretch, worst, marked = 0.0, 0.0, done
    print(
        f"{size:>6,} a batch, {done:>8,} rows: {done / spent:>8,.0f} rows/s"
        f" ({done / busy:,.0f} per second of processor time)"
    )
    return warehouse


def ask(warehouse: Warehouse) -> None:
    """Prints how long the page's queries take on what was written, by clock and processor."""
    now = START + timedelta(days=1)
    questions: list[tuple[str, dict[str, object]]] = [
        ("newest_feedback", {}),
        ("newest_feedback", {"track": "acme", "intent": "report", "linked": True}),
        ("counts_per_minute", {"from_at": now - timedelta(hours=1), "to_at": now}),
        ("incident_list", {}),
        ("incident", {"id": "statuspage:7"}),
        ("incident_posts", {"id": "statuspage:7"}),
        ("incident_timeline", {"id": "statuspage:7"}),
        ("sources_and_tracks", {}),
        ("totals", {}),
        ("mention", {"id": "x:1780000000000791900"}),
        (
            "mentions_for_incidents",
            {
                "tracks": ["acme"],
                "from_at": now - timedelta(hours=2),
                "to_at": now,
                "incidents": [f"statuspage:{number}" for number in range(20)],
                "versions": [0] * 20,
            },
        ),
    ]
    for name, values in questions:
        times, busy = [], []
        for _ in range(5):
            started, processor = time.perf_counter(), time.process_time()
            found = warehouse.rows(name, **values)
            times.append(time.perf_counter() - started)
            busy.append(time.process_time() - processor)
        filters = ", ".join(key for key in values if key in {"track", "intent", "linked"})
        print(
            f"  {name + (f' ({filters})' if filters else ''):<44} {len(found):>6} rows "
            f"{sorted(times)[2] * 1000:>7.0f} ms {sorted(busy)[2] * 1000:>7.0f} ms of processor"
        )


def main() -> None:
    """Runs all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=500_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        for size in (1_000, 2_000, 5_000):
            write(50_000, size, Path(name)).close()
        print(f"flatness to {rows:,} in batches of 2,000:")
        print(f"  {'rows':>9} {'rows/s':>10} {'worst batch s':>12} {'RSS MB':>8}")
        warehouse = write(rows, 2_000, Path(name), max(rows // 10, 2_000))
        print("queries, median of 5:")
        ask(warehouse)
        started = time.perf_counter()
        warehouse.snapshot()
        print(f"snapshot {time.perf_counter() - started:.1f} s, RSS {_memory_mb()} MB")
        warehouse.close()


if __name__ == "__main__":
    main()
