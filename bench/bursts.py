"""How well and how early bursts are found: ``python -m bench.bursts``.

Simulated series: Poisson counts of distinct witnesses per minute with a daily season (nights at .4,
evenings at 1.6 of the mean rate) and a weekly one (weekends at .8). Failures multiply the rate for
45 minutes at a random time, two a day. Then a whole deployment: five tracks of .2 to 4 reports a
minute, each over 8 topics and 6 regions, where proposals are counted, not alarms. Then real counts
of user reports every 20 minutes with the official incidents of the same service.

    python -m bench.bursts [weeks of each simulation: 8]
"""

import csv
import gzip
import itertools
import math
import random
import sys
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from pipeline.bursts import DAY, MINUTE, Burst, Bursts, Said
from pipeline.incidents import Book
from pipeline.model import Incident
from pipeline.proposals import Proposals
from pipeline.values import to_ms

DATA = Path(__file__).resolve().parents[2] / "shared/data/outage_report_counts_2019_20"
LASTS = 45
WEEK = 7 * DAY
START = 1_700_000_000_000 // MINUTE
#: (rate per minute, factor) → recall within 15 minutes as stated for √-z with a seasonal reference.
STATED = {(1.0, 4.0): 0.87, (4.0, 2.5): 0.78, (0.3, 4.0): 0.36}


def main() -> None:
    """Prints all tables."""
    weeks = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    console = Console()
    console.print(simulated(weeks))
    console.print(deployment(weeks))
    if not DATA.exists():
        console.print("skipped: ../shared/data is not here")
        return
    console.print(real())


def simulated(weeks: int) -> Table:
    """Recall, delay and false alarms on simulated series."""
    table = Table(
        "per min", "factor", "recall 15 min", "stated", "p50 min", "p90 min", "false / week", "µs"
    )
    table.title = f"simulated, {weeks} weeks each; stated: at 1 false alarm per series-week"
    for (rate, factor), stated in STATED.items():
        rng = random.Random(7)
        began = time.process_time()
        quiet = episodes(simulate(rate, weeks * WEEK, rng))
        spent = (time.process_time() - began) / (weeks * WEEK) * 1e6
        failures = two_a_day(weeks * 7, rng)
        found = episodes(simulate(rate, weeks * WEEK, rng, failures, factor))
        delays = [delay(found, at, LASTS) for at in failures]
        seen = sorted(d for d in delays if d is not None)
        recall = sum(d is not None and d <= 15 for d in delays) / len(delays)
        table.add_row(
            f"{rate:g}",
            f"×{factor:g}",
            f"{recall:.2f}",
            f"{stated:.2f}",
            f"{median(seen):.0f}" if seen else "–",
            f"{seen[int(0.9 * (len(seen) - 1))]:.0f}" if seen else "–",
            f"{len(quiet) / weeks:.2f}",
            f"{spent:.1f}",
        )
    return table


def season(minute: int) -> float:
    """The rate at this time of the week against the mean."""
    day = 1 + 0.6 * math.sin(2 * math.pi * (minute % DAY) / DAY)
    return day * (0.8 if minute // DAY % 7 >= 5 else 1.0)


def simulate(
    rate: float,
    minutes: int,
    rng: random.Random,
    failures: Sequence[int] = (),
    factor: float = 1.0,
) -> Iterator[tuple[int, int]]:
    """(minute, count) of each minute."""
    at = 0
    for minute in range(minutes):
        while at < len(failures) and minute >= failures[at] + LASTS:
            at += 1
        fails = at < len(failures) and minute >= failures[at]
        yield minute, poisson(rate * season(minute) * (factor if fails else 1.0), rng)


def poisson(mean: float, rng: random.Random) -> int:
    """A Poisson count, for small means."""
    limit, k, p = math.exp(-mean), 0, rng.random()
    while p > limit:
        k, p = k + 1, p * rng.random()
    return k


def two_a_day(days: int, rng: random.Random) -> list[int]:
    """Random minutes, one in each half of each day from the second on, at least 4 hours apart."""
    halves = range(2, 2 * days)
    return [half * DAY // 2 + rng.randrange(DAY // 2 - 240) for half in halves]


def episodes(counts: Iterator[tuple[int, int]]) -> list[Burst]:
    """The first minute of every burst that is found, counting from minute 0."""
    bursts, found, on, person = Bursts(1.0), [], False, 0
    for minute, count in counts:
        at = (START + minute) * MINUTE
        bursts.hear("t", at)
        for _ in range(count):
            person += 1
            bursts.add("t", Said(at, str(person)))
        for burst in bursts.tick(at + MINUTE):
            if not on:
                found.append(burst)
            on = not burst.over
    return found


def delay(found: list[Burst], at: int, lasts: int) -> int | None:
    """Minutes from the onset to the first burst found within the failure, None if none was."""
    minutes = [b.at_ms // MINUTE - START for b in found]
    index = bisect_left(minutes, at + 1)
    if index < len(minutes) and minutes[index] <= at + lasts:
        return minutes[index] - at
    return None


# ---- a deployment -----------------------------------------------------------------------------

RATES = {"a": 0.2, "b": 0.5, "c": 1.0, "d": 2.0, "e": 4.0}
TOPICS = (0.3, 0.2, 0.15, 0.1, 0.1, 0.05, 0.05, 0.05)
REGIONS = (0.4, 0.2, 0.15, 0.1, 0.1, 0.05)
#: By how much the rate of each minute wavers by itself (standard deviation of the factor on it):
#: worlds in which nothing fails. Failures are looked for in the first of them.
UNREST = (1 / 3, 2 / 3)
SEEDS = (3, 4, 5)
#: What fails: the share of topics and regions it reaches, and reports a minute that it adds.
FAILURES = {
    "a whole track": (None, None, 3.0),
    "one topic": (1, None, 1.5),
    "one region": (None, 1, 1.5),
    "a topic in a region": (2, 2, 1.0),
}


def deployment(weeks: int) -> Table:
    """False proposals a week of a quiet deployment, and how soon failures of tracks are met."""
    table = Table("what", "failures", "found", "in 15 min", "p50 min", "p90 min", "false / week")
    table.title = f"5 tracks × 8 topics × 6 regions, {weeks} weeks each, budget 3 proposals a week"
    for unrest in (0.0, *UNREST):
        quiet = [len(proposed(weeks * WEEK, unrest, [], seed)[0]) / weeks for seed in SEEDS]
        name = f"nothing, minutes waver by {unrest:.0%}" if unrest else "nothing"
        told = f"{sum(quiet) / len(quiet):.2f} ({min(quiet):.2f}–{max(quiet):.2f})"
        table.add_row(name, "", "", "", "", "", told)
    rng = random.Random(11)
    planned = [
        (at, rng.choice(list(RATES)), kind)
        for at, kind in zip(two_a_day(7 * weeks, rng), itertools.cycle(FAILURES), strict=False)
    ]
    _, delays = proposed(weeks * WEEK, UNREST[0], planned)
    for kind, found in delays.items():
        seen = sorted(d for d in found if d is not None)
        table.add_row(
            f"{kind} ({FAILURES[kind][2]:g} a minute more)",
            str(len(found)),
            f"{len(seen) / len(found):.2f}",
            f"{sum(d <= 15 for d in seen) / len(found):.2f}",
            f"{median(seen):.0f}" if seen else "–",
            f"{seen[int(0.9 * (len(seen) - 1))]:.0f}" if seen else "–",
            "",
        )
    return table


def proposed(
    minutes: int, unrest: float, failures: Sequence[tuple[int, str, str]], seed: int = 3
) -> tuple[list[Incident], dict[str, list[int | None]]]:
    """The proposals, and by kind of failure the delay of each from its onset, None if missed.

    ``unrest``: by how much the rate of each minute wavers, see ``UNREST``.
    """
    variance = unrest**2
    rng, book, found = random.Random(seed), Book(), list[Incident]()
    bursts, proposals, person = Bursts(), Proposals(book), itertools.count()
    left = deque(failures)
    for minute in range(minutes):
        at = (START + minute) * MINUTE
        while left and minute >= left[0][0] + LASTS:
            left.popleft()
        failing = left[0] if left and minute >= left[0][0] else None
        for track, rate in RATES.items():
            bursts.hear(track, at)
            factor = rng.gammavariate(1 / variance, variance) if variance else 1.0
            names = [spread(rng) for _ in range(poisson(rate * factor * season(minute), rng))]
            if failing is not None and failing[1] == track:
                topic, region, more = FAILURES[failing[2]]
                names += [spread(rng, topic, region) for _ in range(poisson(more, rng))]
            for named in names:
                bursts.add(track, Said(at, str(next(person)), named))
        for _, judged in itertools.groupby(bursts.tick(at + MINUTE), key=lambda b: b.at_ms):
            changed = proposals.judge(list(judged))
            found += [p for p in changed if isinstance(p, Incident) and len(p.history) == 1]
    new = {p.id: p for p in reversed(found)}
    delays: dict[str, list[int | None]] = {kind: [] for kind in FAILURES}
    for onset, track, kind in failures:
        opened = [
            to_ms(p.opened_at) // MINUTE - START for p in new.values() if p.tracks == (track,)
        ]
        hits = [at - onset for at in opened if onset < at <= onset + LASTS]
        delays[kind].append(min(hits, default=None))
    return list(new.values()), delays


def spread(
    rng: random.Random, topic: int | None = None, region: int | None = None
) -> tuple[tuple[str, str], ...]:
    """The names of a report: those of a failure, else as reports usually spread."""
    what = rng.choices(range(len(TOPICS)), TOPICS)[0] if topic is None else topic
    where = rng.choices(range(len(REGIONS)), REGIONS)[0] if region is None else region
    return ("topic", f"t{what}"), ("region", f"r{where}")


# ---- real counts ------------------------------------------------------------------------------


def real() -> Table:
    """Every service's alarms a week, and how GitHub's official incidents are met."""
    table = Table("service", "weeks", "bursts", "a week", "shown", "found", "within 20 min", "lead")
    table.title = (
        "user reports every 20 min, 2019-20; shown: at least 5 in an interval near opening"
    )
    counts = read_counts()
    for service in sorted(counts):
        series = counts[service]
        found = episodes_of(series)
        weeks = (series[-1][0] - series[0][0]) / WEEK
        row = [service, f"{weeks:.0f}", str(len(found)), f"{len(found) / weeks:.2f}"]
        table.add_row(*row, *(met(series, found) if service == "github" else ("", "", "", "")))
    return table


def read_counts() -> dict[str, list[tuple[int, int]]]:
    """(minute, reports) by service; a count stands for the 20 minutes from its time on."""
    counts: dict[str, dict[int, int]] = {}
    with gzip.open(DATA / "report_counts.csv.gz", "rt") as lines:
        for row in csv.DictReader(lines):
            minute = minute_of(row["time"])
            if row["vendor"] not in {"", "overview"} and minute > 0:
                counts.setdefault(row["vendor"], {})[minute] = round(float(row["reports"]))
    return {name: sorted(series.items()) for name, series in counts.items()}


def minute_of(text: str) -> int:
    """Minutes since 1970 of a time in RFC 3339."""
    return int(datetime.fromisoformat(text).timestamp()) // 60


def episodes_of(series: list[tuple[int, int]]) -> list[Burst]:
    """The first minute of each burst; reports are spread evenly over their 20 minutes."""
    bursts, found, on, person = Bursts(1.0), [], False, 0
    for minute, count in series:
        bursts.hear("t", minute * MINUTE)
        for i in range(count):
            person += 1
            at = minute * MINUTE + i * 20 * MINUTE // count
            bursts.add("t", Said(at, str(person)))
        for burst in bursts.tick((minute + 20) * MINUTE):
            if not on:
                found.append(burst)
            on = not burst.over
    return found


def met(series: list[tuple[int, int]], found: list[Burst]) -> tuple[str, str, str, str]:
    """Official incidents that show in the counts, those found, in time, and the median lead."""
    counts = dict(series)
    shown, leads, in_time = 0, [], 0
    with (DATA / "github_official_incidents.csv").open() as lines:
        for row in csv.DictReader(lines):
            start, end = minute_of(row["start"]), minute_of(row["end"])
            near = [m for m in counts if start - 60 <= m <= min(end, start + 240)]
            high = [m for m in near if counts[m] >= 5]
            if not high:
                continue
            shown += 1
            at = [b.at_ms // MINUTE for b in found]
            hits = [m for m in at if start - 60 <= m <= end + 20]
            leads += [start - hits[0]] if hits else []
            in_time += any(m <= min(high) + 40 for m in hits)
    lead = f"{median(leads):+.0f} min" if leads else "–"
    return str(shown), str(len(leads)), str(in_time), lead


if __name__ == "__main__":
    main()
