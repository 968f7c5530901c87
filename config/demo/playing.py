"""How the demo is played: its clock, its settings, its sources."""

from datetime import UTC, datetime
from pathlib import Path

from collectors.incidents.recorded import RecordedIncidents
from collectors.recorded import Recorded
from config.demo import generator
from config.demo.texts import scenario
from config.settings import Settings, WarehouseSettings
from pipeline.clock import CatchUpClock
from pipeline.ports import Collector
from pipeline.tracks import Track


class Demo:
    """The scenario, written into ``directory`` so that it ends when its playing ends.

    The quiet hour is there at once; the failure begins now and is played ``speed`` times as fast
    as it happened, until the clock has caught up with the machine's.
    """

    def __init__(self, directory: Path, speed: float) -> None:
        self._directory = directory
        played = generator.LENGTH - generator.QUIET
        start = datetime.now(UTC) + played / speed - generator.LENGTH
        self._posts, self._incidents, _ = generator.write(directory, start)
        self.clock = CatchUpClock(start + generator.QUIET, speed)

    def settings(self) -> Settings:
        """Settings with files of the demo's own and the scenario's tracks."""
        path = self._directory / "groundswell.duckdb"
        return Settings(
            warehouse=WarehouseSettings(path=path, snapshot_seconds=5),
            track=tuple(Track.model_validate(track) for track in scenario()["track"]),
        )

    def sources(self) -> list[Collector]:
        """Both recordings, played from the clock's present on; what is older comes at once."""
        begin = self.clock.now()
        return [
            Recorded("demo", [self._posts], self.clock, speed=1.0, begin=begin),
            RecordedIncidents("demo-status", [self._incidents], self.clock, speed=1.0, begin=begin),
        ]
