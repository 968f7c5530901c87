"""How long a warehouse takes to answer the page, at rest and while a writer writes."""

import threading
import time
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any, Self

import numpy as np

from bench.warehouse_places import Place
from bench.warehouse_words import INCIDENTS, Life, incident_id, live
from pipeline.model import Feedback
from pipeline.ports import Rows, Warehouse

#: Rows in a batch of a writer at full speed.
SIZE = 5_000
#: The incidents that the page's list shows.
SHOWN = [incident_id(number) for number in range(INCIDENTS - 200, INCIDENTS)]


def questions(now: datetime) -> list[tuple[str, str, dict[str, Any]]]:
    """Group, name and values of what is asked."""
    large, usual = incident_id(30), incident_id(289)
    hour = {"from_at": now - timedelta(hours=1), "to_at": now}
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("live", "newest_feedback", {}),
        ("live", "newest_feedback", {"track": "acme", "intent": "report", "linked": True}),
        ("live", "counts_per_minute", hour),
        ("live", "counts_per_minute", {**hour, "track": "acme", "intent": "report"}),
        ("live", "last_event", {}),
        ("live", "incident_list", {}),
        ("live", "incident_coverage", {"ids": SHOWN, "now": now}),
    ]
    for one in (usual, large):
        names = ("incident", "incident_timeline", "incident_crowd", "incident_rumours")
        asked += [("incident", name, {"id": one}) for name in (*names, "incident_campaigns")]
        asked += [
            ("incident", "incident_posts", {"id": one, "limit": 100, "newest": True}),
            ("incident", "incident_since", {"id": one, "limit": 200}),
            ("incident", "incident_coverage", {"ids": [one], "now": now}),
        ]
    late = {
        "tracks": ["acme"],
        "from_at": now - timedelta(hours=2),
        "to_at": now,
        "incidents": [incident_id(number) for number in range(280, 300)],
        "versions": [0] * 20,
    }
    asked += [
        ("others", "mention", {"id": "x:1780000000000791900"}),
        ("others", "sources_and_tracks", {}),
        ("others", "totals", {}),
        ("others", "standing", {}),
        ("others", "newest_ages", {}),
        ("others", "mentions_for_incidents", late),
    ]
    return asked


class Writer:
    """Writes posts beside the questions: ``pace`` a second, or as fast as it goes."""

    def __init__(self, warehouse: Warehouse, at: datetime, pace: float | None) -> None:
        self._warehouse, self._at, self._pace = warehouse, at, pace
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._size = SIZE if pace is None else max(1, round(pace / 2))
        # Made before: in life the words come from another process.
        self._ready = list(live(Life(5), 900_000_000, 4 * self._size, self._size, at))
        self.written = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        count, began = 0, time.monotonic()
        while not self._stop.is_set():
            turn, number = divmod(count, len(self._ready))
            batch = [_renewed(word, turn) for word in self._ready[number]]
            count += 1
            self._warehouse.write(Rows(feedback=batch), self._at)
            self.written += len(batch)
            if self._pace is not None:
                self._stop.wait(max(0.0, began + self.written / self._pace - time.monotonic()))


def _renewed(word: Feedback, turn: int) -> Feedback:
    told = {"external_id": f"{word.mention.external_id}-{turn}"}
    return word.model_copy(update={"mention": word.mention.model_copy(update=told)})


def ask(warehouse: Warehouse, now: datetime, seconds: float, only: str = "") -> None:
    """Prints how long each question takes, asked one after the other for so many seconds each."""
    print(f"    {'':<52} {'rows':>6} {'p50 ms':>8} {'p95 ms':>8} {'CPU ms':>8}")
    for group, name, values in questions(now):
        if only and only not in (group, name):
            continue
        times: list[float] = []
        busy: list[float] = []
        until = time.perf_counter() + seconds
        while not times or (time.perf_counter() < until and len(times) < 200):
            began, processor = time.perf_counter(), time.thread_time()
            found = warehouse.rows(name, **values)
            times.append((time.perf_counter() - began) * 1000)
            busy.append((time.thread_time() - processor) * 1000)
        told = ", ".join(str(values[k]) for k in ("id", "track", "intent") if k in values)
        middle, most = np.percentile(times, [50, 95])
        print(
            f"    {f'{name} {told}':<52.52} {len(found):>6} {middle:>8.1f} {most:>8.1f} "
            f"{np.median(busy):>8.1f}",
            flush=True,
        )


def ask_all(place: Place, seconds: float, only: str = "") -> None:
    """The questions at rest, beside a live stream, and beside a writer at full speed."""
    with closing(place.open()) as warehouse:
        now = warehouse.rows("last_event")[0]["event_at"]
        print("  at rest:")
        ask(warehouse, now, seconds, only)
        for pace, told in ((500.0, "500 posts/s"), (None, "as many as go in")):
            print(f"  while a writer writes {told}:", flush=True)
            began = time.monotonic()
            with Writer(warehouse, now, pace) as writer:
                ask(warehouse, now, seconds, only or "live")
            print(f"    ({writer.written / (time.monotonic() - began):,.0f} rows/s went in)")
