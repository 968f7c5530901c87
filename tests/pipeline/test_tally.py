"""One line of numbers every few seconds."""

import logging
import time

import pytest

from pipeline.tally import Tally

log = logging.getLogger("tests.tally")


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_slow_stream_is_told_in_sums(caplog: pytest.LogCaptureFixture) -> None:
    """The first batch is told at once; those after it are added up and told together."""
    caplog.set_level(logging.INFO)
    tally = Tally(log, "worker", every=3_600)

    for _ in range(4):
        tally.add({"mentions": 2, "dead": 0}, time.perf_counter())
    tally.tell()
    tally.tell()

    assert [line.split(" ms")[0].rpartition(",")[0] for line in lines(caplog)] == [
        "worker: 2 mentions, 0 dead",
        "worker: 6 mentions, 0 dead",
    ]
    assert lines(caplog)[1].endswith(" in 3 batches")


def test_without_a_pause_every_batch_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """A pause of 0 seconds tells every batch by itself, one without anything new too."""
    caplog.set_level(logging.INFO)
    tally = Tally(log, "store", every=0)

    tally.add({}, time.perf_counter())
    tally.add({"Feedback": 1}, time.perf_counter())

    assert [line.partition(",")[0] for line in lines(caplog)] == [
        "store: nothing new",
        "store: 1 Feedback",
    ]
