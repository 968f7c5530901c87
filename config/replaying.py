"""One replay: files in, a warehouse out, a summary at the end."""

import shlex
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from collectors.incidents.recorded import RecordedIncidents
from collectors.recorded import Recorded
from config import memory, wiring
from config.settings import Settings
from pipeline.brokers.local import LocalBroker
from pipeline.clock import ManualClock, SystemClock
from pipeline.intake import Intake
from pipeline.ports import Collector, Row
from pipeline.replay import Merged, Run
from pipeline.topics import DEADLETTER, TOPICS
from pipeline.tracks import Matcher

#: Posts between two looks of store and watch. Large batches suit the warehouse: 5,000 rows cost
#: half of what they cost by the thousand; more than that only takes memory.
BATCH = 2_000
#: A replay writes and hardly reads: what the warehouse caches beyond this makes it no faster.
CACHE = "64MB"
NO_TRACK = (
    "no [[track]] in the settings, so posts could not be told to be about an incident: "
    "groundswell init writes one to begin with"
)


def replay(
    known: Settings,
    *,
    files: Sequence[Path],
    incidents: Sequence[Path],
    warehouse: Path,
    speed: float | None,
    model: Path | None,
) -> int:
    """Runs the files through everything and prints the summary; returns the exit code."""
    clock = ManualClock(datetime.min.replace(tzinfo=UTC))
    posts = Recorded("replay", files, clock)
    sources: list[Collector] = [posts, RecordedIncidents("incidents", incidents, clock)]
    merged = Merged(sources, clock, SystemClock(), speed)
    models = wiring.labeller(known, model)
    with (
        tempfile.TemporaryDirectory(prefix="groundswell-") as scratch,
        closing(wiring.warehouse(warehouse, CACHE)) as store,
        closing(LocalBroker(Path(scratch) / "replay.broker", clock, temporary=True)) as broker,
    ):
        parts = wiring.Pipeline(
            known,
            broker=broker,
            warehouse=store,
            clock=clock,
            models=models,
            settle=0,
            store_batch=BATCH,
            roll_up_seconds=None,  # once, at the end
        )
        run = _run(known, merged, broker, parts, clock)
        with _progress() as bar:
            task = bar.add_task("replay", total=len(posts))
            seconds = run(lambda: bar.update(task, completed=merged.read))
        dead = _keep_dead_letters(broker, known.broker_for(warehouse))
        store.roll_up(clock.now())
        totals = store.rows("totals")[0]
        _say_stages(run, parts)
        parts.close()
    _say_counts(parts, totals, dead, merged.read / max(seconds, 1e-9))
    dead_letters = _where_dead_letters_are(warehouse, nothing_read=merged.read <= dead)
    no_track = NO_TRACK if incidents and not known.track and not totals["linked"] else ""
    for line in filter(None, [posts.strangers.told(), dead_letters if dead else "", no_track]):
        print(line, file=sys.stderr)
    return 0


def _run(
    known: Settings,
    merged: Merged,
    broker: LocalBroker,
    parts: wiring.Pipeline,
    clock: ManualClock,
) -> Run:
    feed = Intake(
        merged,
        broker,
        Matcher(known.track) if known.track else None,
        clock,
        mask=known.privacy.mask,
        keep_unmatched=True,
        batch=BATCH,
    )

    def tidy() -> None:
        broker.discard_consumed()
        memory.give_back()

    return Run(feed, parts.worker, parts.store, parts.watch, clock, after_round=tidy)


def _say_counts(parts: wiring.Pipeline, totals: Row, dead: int, speed: float) -> None:
    """The last line of the data: what tests and scripts read."""
    worked = parts.worker.totals
    print(
        f"{worked['mentions']:,} mentions, {worked['repeats']:,} repeats, "
        f"{totals['linked']:,} linked, {totals['proposals']:,} proposed, "
        f"{dead:,} dead letters, {speed:,.0f} posts/s"
    )


def _where_dead_letters_are(warehouse: Path, *, nothing_read: bool) -> str:
    nothing = "nothing of it could be read: are these mentions? " if nothing_read else ""
    where = f"groundswell deadletter list --warehouse {shlex.quote(str(warehouse))}"
    return f"{nothing}what could not be read, and why: {where}"


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )


def _keep_dead_letters(scratch: LocalBroker, path: Path) -> int:
    """Moves dead letters to the broker beside the warehouse, where ``deadletter`` finds them."""
    reader = scratch.reader([DEADLETTER])
    letters = []
    while records := reader.poll(1_000, 0):
        letters.extend(records)
    reader.close()
    if letters:
        with closing(LocalBroker(path)) as kept:
            kept.ensure(TOPICS)
            producer = kept.producer()
            for letter in letters:
                producer.send(DEADLETTER, letter.key, letter.value)
            producer.flush()
            producer.close()
    return len(letters)


def _say_stages(run: Run, parts: wiring.Pipeline) -> None:
    """The share of each stage, and of each step within the worker, on standard error."""
    spent = {**run.seconds}
    steps = parts.enrich.seconds
    spent["work"] = spent.get("work", 0.0) - sum(steps.values())
    spent |= steps
    whole = sum(spent.values()) or 1.0
    shares = ", ".join(f"{part} {share / whole:.0%}" for part, share in spent.items())
    print(f"stages: {shares}", file=sys.stderr)
