"""Everything in one process: the page first, then models, warehouse, broker and the roles."""

import logging
import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from config import exported, note
from config.crew import Crew, Role
from config.hooking import hooks_of
from config.names import label_names
from config.operating.here import Here
from config.operating.meters import Meters
from config.passed import PassedOn
from config.recording import of_settings
from config.settings import Settings
from pipeline.errors import TryLater
from pipeline.model import Decision, Removal
from pipeline.ports import Clock, Collector
from pipeline.topics import DECISIONS
from web.app import create_app
from web.server import Server, bind

if TYPE_CHECKING:
    from config.operating.report import Sight
    from pipeline.brokers.local import LocalBroker
    from pipeline.intake import Intake
    from sinks.duckdb_warehouse import DuckDBWarehouse

log = logging.getLogger("groundswell")

#: How long rows may be on their way to the warehouse before an incident is compared once more.
SETTLE_SECONDS = 5.0


class Up:
    """The whole of Groundswell in this process.

    ``start`` binds the page's port (GiveUp when it is taken) and returns; loading goes on in a
    thread. ``wait`` returns when ``stop`` is set or a part gave up, and raises its error.
    ``passed`` is told whom to ask, once broker and warehouse are open.
    """

    def __init__(
        self,
        known: Settings,
        sources: Callable[[], Sequence[Collector]],
        clock: Clock,
        passed: PassedOn | None = None,
    ) -> None:
        self._known = known
        self._sources = sources
        self._passed = passed or PassedOn()
        self._clock = clock
        self._token = secrets.token_urlsafe(24)
        self._crew = Crew(clock)
        self._meters = Meters(clock, self._crew.roles)
        self.stop = self._crew.stop
        self._since = clock.now()
        self._parts = ExitStack()
        self._warehouse: DuckDBWarehouse | None = None
        self._broker: LocalBroker | None = None
        self._feeds: dict[str, Intake] = {}
        self._recording = of_settings(known)
        self._exports = exported.of_warehouse(known.warehouse.path)

    def start(self) -> str:
        """Binds the port and begins to load; returns the page's address."""
        listener = bind(self._known.web.port, self._known.web.host)
        app = create_app(
            warehouse=lambda: self._warehouse,
            decide=self.decide,
            forget=self.forget,
            clock=self._clock,
            token=self._token,
            status=self.status,
            names=label_names(self._known),
            operations=Here(self._meters, lambda: self._warehouse is not None, self._sight),
            hooks=hooks_of(lambda: self._feeds),
        )
        self._server = Server(app, listener)
        self._server.start()
        self._crew.start("load", self._load)
        return self._server.url

    def wait(self) -> None:
        """Blocks until told to stop, then closes everything. Raises what made a part give up."""
        self.stop.wait()
        self.close()
        self._crew.check()

    def close(self) -> None:
        """Stops every part and lets go of files and port."""
        self._crew.join()
        self._server.close()
        self._parts.close()

    # ---- what the page and the commands ask for ------------------------------------------------

    def status(self) -> dict[str, Any]:
        """What runs and since when, for the page, and in ``notice`` what is in trouble."""
        from collectors.kit.rechecks import looked_at

        state = "running" if self._warehouse is not None else "starting"
        troubles = dict(self._crew.troubles)
        sources = [
            {
                "name": name,
                "state": self._crew.roles[name].state,
                "trouble": troubles.get(name),
                "trouble_since": self._crew.roles[name].trouble_since,
                "looked_again_at": looked_at(feed.cursor),
            }
            for name, feed in self._feeds.items()
            if name in self._crew.roles
        ]
        told: dict[str, Any] = {
            "state": "stopping" if self.stop.is_set() else state,
            "since": self._since.isoformat(),
            "sources": sources,
        }
        if notice := self._crew.notice():
            told["notice"] = notice
        return told

    def _sight(self) -> "Sight":
        """What a report is made of: all of it is here."""
        from config.operating.report import Sight

        return Sight(
            self._known,
            self._clock,
            "running",
            broker=self._broker,
            warehouse=self._warehouse,
            meters=self._meters,
        )

    def decide(self, decision: Decision) -> None:
        """Puts a person's decision on its topic. Raises TryLater while everything still loads."""
        if self._broker is None:
            raise TryLater("still starting: try again in a few seconds")
        producer = self._broker.producer()
        try:
            producer.send(DECISIONS, decision.key, decision.to_json())
            producer.flush()
        finally:
            producer.close()

    def forget(self, removals: Sequence[Removal]) -> dict[str, Any]:
        """Erases from warehouse and broker; returns the receipt. Raises TryLater while loading."""
        from config.erasing import erase

        if self._warehouse is None:
            raise TryLater("still starting: try again in a few seconds")
        return erase(
            self._warehouse, self._broker, removals, self._clock, self._recording, self._exports
        )

    # ---- loading and running -------------------------------------------------------------------

    def _load(self) -> None:
        """Imports what is slow, opens the files, starts a thread for each role."""
        from config import wiring
        from config.erasing import follow_restored
        from config.operating.measured import MeasuredWarehouse
        from pipeline.brokers.local import LocalBroker

        known, clock = self._known, self._clock
        warehouse = wiring.warehouse(known.warehouse.path)
        self._parts.callback(warehouse.close)
        broker = LocalBroker(known.broker_path, clock)
        self._parts.callback(broker.close)
        follow_restored(warehouse.erased_again, broker, self._recording)
        self._leave_note()
        parts = wiring.Pipeline(
            known,
            broker=broker,
            warehouse=(stored := MeasuredWarehouse(warehouse)),
            clock=clock,
            models=wiring.labeller(known),
            settle=SETTLE_SECONDS,
        )
        self._meters.stored, self._meters.steps = stored, parts.enrich.seconds
        self._meters.watch_broker(broker)
        self._meters.watch_standing(warehouse)
        self._feeds = wiring.feeds(known, self._sources(), broker, clock)
        self._broker, self._warehouse = broker, warehouse
        self._passed.bind(broker, lambda: warehouse)
        roles: dict[str, Role] = {
            "worker": parts.worker,
            "store": parts.store,
            "watch": parts.watch,
            **self._keepers(warehouse, broker),
            **self._feeds,
        }
        self._crew.run(roles)
        log.info("running: %s", ", ".join(roles))

    def _keepers(self, warehouse: "DuckDBWarehouse", broker: "LocalBroker") -> dict[str, Role]:
        """The roles that keep house, and the recorder where there are recordings."""
        from config.housekeeping import Housekeeping
        from config.recorder import Recorder
        from config.retention import Retention

        seconds = self._known.warehouse.snapshot_seconds
        keepers: dict[str, Role] = {
            "housekeeping": Housekeeping(
                warehouse, broker, self._clock, snapshot_seconds=seconds, stop=self.stop
            ),
            "retention": Retention(
                broker,
                warehouse,
                self._clock,
                self.stop,
                self._known.retention,
                also=lambda: self._exports.erase(warehouse),
            ),
        }
        if self._recording is not None:
            keepers["recorder"] = Recorder(broker, self._recording, self._clock)
        return keepers

    def _leave_note(self) -> None:
        """Tells ``decide``, ``forget`` and ``query`` where the owner of the warehouse listens."""
        path = note.beside(self._known.warehouse.path)
        note.write(path, note.Note(os.getpid(), self._server.url, self._token))
        self._parts.callback(path.unlink, missing_ok=True)
