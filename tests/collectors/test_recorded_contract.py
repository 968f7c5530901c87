"""Recorded posts and recorded incidents keep the contract of collectors."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collectors.incidents.recorded import RecordedIncidents
from collectors.recorded import Recorded
from pipeline.clock import ManualClock
from tests.collectors.files import post, write
from tests.contracts.collector import CollectorContract, OpenSource

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def at(minute: int) -> str:
    return f"2026-03-02T09:{minute:02}:00Z"


class TestRecorded(CollectorContract):
    """Files of posts, with an edit, a removal and a bad line."""

    @pytest.fixture
    def open_source(self, tmp_path: Path) -> OpenSource:
        removal = {"removal": "x:1", "kind": "erased", "at": at(5)}
        lines: list[dict[str, Any] | str] = [
            post(1, at(1)),
            post(2, at(2)),
            "{bad",
            post(1, at(4), version=1),
            removal,
        ]
        path = write(tmp_path / "posts", lines)
        return lambda: Recorded("recorded", [path], ManualClock(START), 1.0)

    @pytest.fixture
    def words(self) -> int:
        return 5


class TestRecordedIncidents(CollectorContract):
    """A whole incident in a line, unfolded into its states."""

    @pytest.fixture
    def open_source(self, tmp_path: Path) -> OpenSource:
        history = [
            {"at": at(1), "status": "investigating"},
            {"at": at(4), "status": "monitoring"},
            {"at": at(9), "status": "resolved"},
        ]
        told = {"id": "s:1", "title": "Checkout", "status": "resolved", "history": history}
        path = write(tmp_path / "incidents", [told])
        return lambda: RecordedIncidents("incidents", [path], ManualClock(START))

    @pytest.fixture
    def words(self) -> int:
        return 3
