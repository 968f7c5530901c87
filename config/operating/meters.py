"""What one process can tell of itself: filled while its parts are made, read by whoever asks."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from config.operating.asked import Answer, Asked
from config.operating.measured import MeasuredWarehouse
from config.operating.watched import Watched
from pipeline.intake import Intake
from pipeline.ports import Broker, Clock, Row, Warehouse

#: Seconds between two questions to the broker and the warehouse, however often somebody asks us.
LAG_SECONDS, STANDING_SECONDS = 5.0, 60.0
#: Counting links reads all of them.
LINKS_SECONDS = 600.0
#: The groups that consume, in the order in which records travel.
GROUPS = ("worker", "store", "watch")


def standing_of(warehouse: Warehouse) -> Row:
    """The row of ``standing``; of a warehouse in a file the size is that of its files."""
    (row,) = warehouse.rows("standing")
    path = getattr(warehouse, "path", None)
    if isinstance(path, Path):
        files = (path, path.with_name(path.name + ".wal"))
        row = row | {"bytes": sum(file.stat().st_size for file in files if file.exists())}
    return row


def _links(warehouse: Warehouse) -> dict[str, int]:
    return {row["state"]: row["links"] for row in warehouse.rows("links_by_state")}


class Meters:
    """The parts of a process, as far as they are there yet.

    ``roles`` by name; ``steps`` are seconds by step of the worker; ``stored`` measures writes.
    Questions to the outside are put in threads: nobody who asks here waits long.
    """

    def __init__(self, clock: Clock, roles: Mapping[str, Watched]) -> None:
        self.clock = clock
        self.roles = roles
        self.steps: Mapping[str, float] = {}
        self.stored: MeasuredWarehouse | None = None
        self.dependencies: dict[str, Asked[Any]] = {}
        self.standing: Asked[Row] | None = None
        self.links: Asked[dict[str, int]] | None = None

    def watch_broker(self, broker: Broker, groups: tuple[str, ...] = GROUPS) -> None:
        """From now on the broker is asked for the lag of these groups."""

        def lags() -> dict[str, dict[str, int]]:
            return {group: dict(broker.lag(group)) for group in groups}

        self.dependencies["broker"] = Asked(lags, LAG_SECONDS)

    def watch_warehouse(self, warehouse: Warehouse) -> None:
        """From now on the warehouse is asked whether it answers: the least that can be asked."""
        self.dependencies["warehouse"] = Asked(warehouse.revision, LAG_SECONDS)

    def watch_standing(self, warehouse: Warehouse) -> None:
        """The warehouse is asked how it stands, too: for the one process that tells it."""
        self.watch_warehouse(warehouse)
        self.standing = Asked(lambda: standing_of(warehouse), STANDING_SECONDS)
        self.links = Asked(lambda: _links(warehouse), LINKS_SECONDS)

    def watch_index(self, reach: Callable[[], bool]) -> None:
        """From now on ``reach`` is asked whether the index of repeats answers; it may raise."""
        self.dependencies["repeats"] = Asked(reach, LAG_SECONDS)

    def answer(self, dependency: str) -> Answer[Any]:
        """What a dependency answered last."""
        asked = self.dependencies.get(dependency)
        return Answer(None, "not there yet") if asked is None else asked.answer()

    def feeds(self) -> dict[str, tuple[Watched, Intake]]:
        """The intakes among the roles, by the name of their source."""
        return {
            name: (watched, watched.role)
            for name, watched in dict(self.roles).items()
            if isinstance(watched.role, Intake)
        }
