"""One incident tool as a source: what is asked, what is pushed, and the incidents out of both.

A tool's file maps answers and events to pieces (``pieces``); this puts them together, each change
of an incident once, and keeps in the cursor what was told. While the tool cannot be asked,
deliveries go on to be taken.
"""

import logging
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field

from collectors.incidents.kit.names import Names
from collectors.incidents.kit.pieces import Ledger
from collectors.incidents.kit.reception import Read, Reception, Verify
from collectors.kit.polling import Poller
from collectors.kit.receiving import MOST_BYTES
from collectors.kit.secret import Variable
from collectors.kit.unreadable import KEPT
from pipeline.decoding import check
from pipeline.errors import Misuse, SetAside, TryLater
from pipeline.model import Component, Coverage, Incident
from pipeline.ports import Clock, Item, Unreadable

log = logging.getLogger(__name__)

#: A source that has nothing to say says so at least once a second (see ``Collector.items``).
LONGEST_WAIT: Final = 0.5


class ToolSettings(BaseModel):
    """What the settings of every incident tool have."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9-]{0,63}$",
        description="Its name among the sources, and the last part of its webhook's address.",
    )
    tracks: tuple[str, ...] = Field((), description="Whom its incidents are about; none: all.")
    provider: str | None = Field(
        None, pattern=r"^[^:\s]{1,64}$", description="What ids begin with; default: the type."
    )
    component_map: dict[str, str] = Field(
        {}, description="Its components (id or name) under the names of your tracks' components."
    )
    region_map: dict[str, str] = Field(
        {}, description="Words in its components' names, and the place each stands for."
    )


class AskedSettings(ToolSettings):
    """What the settings of a tool have that is asked and that pushes; one of the two is enough."""

    token_from: Variable | None = Field(
        None, description="The environment variable with the key to its API."
    )
    secret_from: Variable | None = Field(
        None,
        description="The environment variable with its webhook's secret; several, with spaces "
        "between, while it is being replaced.",
    )
    poll_seconds: float = Field(60, ge=10, description="How often it is asked.")
    look_back_days: float = Field(7, gt=0, le=90, description="How far the first look goes back.")


@dataclass(frozen=True, slots=True)
class House:
    """Whose incidents these are: what their ids begin with, their tracks, their names."""

    provider: str
    tracks: tuple[str, ...] = ()
    names: Names = field(default_factory=Names)

    @classmethod
    def of(cls, type_name: str, given: Mapping[str, Any]) -> "House":
        """As the settings (``ToolSettings``) have it."""
        return cls(
            given.get("provider") or type_name,
            tuple(given.get("tracks", ())),
            Names(given.get("component_map", {}), given.get("region_map", {})),
        )

    def id(self, number: str) -> str:
        """The id of the incident that the tool calls so."""
        return f"{self.provider}:{number}"

    def incident(self, values: Mapping[str, Any]) -> Incident:
        """The incident out of its fields, under our names. Raises SetAside where that is none."""
        told = [check(Component, one) for one in values.get("components", ())]
        places = [place for one in told for place in self.names.places(one)]
        regions = (*values.get("regions", ()), *places)
        return check(
            Incident,
            {
                **values,
                "components": tuple(self.names.component(one) for one in told),
                "regions": tuple(dict.fromkeys(regions)),
                "tracks": self.tracks,
            },
        )


class Tool:
    """The incidents of one tool that is asked. Raises TryLater and GiveUp as its poller does."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        house: House,
        *,
        poller: Poller | None = None,
        reception: Reception | None = None,
    ) -> None:
        self.name = name
        self._clock = clock
        self._house = house
        self._poller = poller
        self._reception = reception
        self._ledger = Ledger()
        self._written = ""
        self._is_fresh = True
        self._marks: dict[str, str | None] = {}
        self._due: datetime | None = None
        self._trouble: str | None = None

    @property
    def totals(self) -> Counter[str]:
        """Calls, failures and gaps, and deliveries by what was answered, since the start."""
        asked = self._poller.totals if self._poller else Counter[str]()
        return asked + (self._reception.totals if self._reception else Counter[str]())

    def trouble(self) -> str | None:
        """One line when it cannot be asked for now, or has been silent for too long, else None."""
        return self._trouble or (self._poller.trouble() if self._poller else None)

    def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
        """See ``Collector.items``. Without a cursor: as far back as the settings say."""
        self._recall(cursor)
        with ExitStack() as opened:
            pushed: Any = None  # a generator, which its type does not say
            if self._reception is not None:
                pushed = self._reception.items(self._marks.get("pushed"), stop)
                opened.callback(pushed.close)
            if self._poller is None:
                for item in pushed or ():
                    yield self._item("pushed", item)
            else:
                yield from self._both(self._poller, pushed, stop)

    def _both(
        self, poller: Poller, pushed: Iterator[Item] | None, stop: threading.Event
    ) -> Iterator[Item]:
        """What is asked, and in its quiet moments what was pushed."""
        polled: Iterator[Item] | None = None
        if pushed is not None:
            yield from self._taken(pushed)  # senders need not wait for the first answer
        while not stop.is_set():
            polled = polled or poller.items(self._marks.get("polled"), stop)
            asked = self._asked(polled, stop)
            if asked is not None:
                yield self._item("polled", asked)
            else:
                polled = None
            if pushed is not None and (asked is None or asked.value is None):
                yield from self._taken(pushed)

    def _asked(self, polled: Iterator[Item], stop: threading.Event) -> Item | None:
        """The next item of the poller, None while it is put off. Raises TryLater without a hook."""
        left = (self._due - self._clock.now()).total_seconds() if self._due else 0.0
        if left > 0:
            self._clock.wait(min(left, LONGEST_WAIT), stop)
            return None
        try:
            item = next(polled, None)
        except TryLater as error:
            if self._reception is None:
                raise
            self._trouble = str(error)
            self._due = self._clock.now() + timedelta(seconds=error.after or 1.0)
            log.warning("%s; deliveries are taken meanwhile", error)
            return None
        if item is None or item.value is not None:
            self._trouble = self._due = None
        return item

    def _taken(self, pushed: Iterator[Item]) -> Iterator[Item]:
        """What was delivered, until it is safe."""
        has_come = False
        for item in pushed:
            if isinstance(item.value, Coverage):
                continue  # what was not heard is found by asking: it is no gap
            yield self._item("pushed", item)
            if item.value is None and not has_come:
                return
            has_come = item.value is not None

    # ---- pieces into incidents -----------------------------------------------------------------

    def _item(self, strand: str, item: Item) -> Item:
        """The item with the incident that its piece is of, and a cursor for all of the source."""
        value = item.value
        if isinstance(value, Incident):
            value = self._folded(value)
            self._written = ""
        # The inbox's cursor has every moment in it: that of a quiet one is not worth keeping, but
        # the first one after a delivery says which it was.
        if strand == "polled" or item.value is not None or self._is_fresh:
            self._marks[strand] = item.cursor
        if strand == "pushed":
            self._is_fresh = item.value is not None
        return Item(value, self._cursor())

    def _folded(self, told: Incident) -> Incident | Unreadable | None:
        values = self._ledger.fold(told)
        if values is None:
            return None
        try:
            return self._house.incident(values)
        except SetAside as reason:
            origin = f"incident {told.id} of {values['version']}"
            return Unreadable(orjson.dumps(values, default=vars)[:KEPT], str(reason), origin)

    def _cursor(self) -> str:
        if not self._written:
            self._written = orjson.dumps(self._ledger.state).decode()
        marks = orjson.dumps(self._marks).decode()
        return f'{{"marks":{marks},"ledger":{self._written}}}'

    def _recall(self, cursor: str | None) -> None:
        """Takes over what a cursor stands for; nothing, with a warning, when it is none of ours."""
        self._ledger, self._marks, self._written, self._is_fresh = Ledger(), {}, "", True
        if cursor is None:
            return
        try:
            told = orjson.loads(cursor)
            ledger = Ledger()
            ledger.recall(told["ledger"])
            marks = {str(key): None if at is None else str(at) for key, at in told["marks"].items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            log.warning("%s: the stored cursor is none of this source: it starts anew", self.name)
            return
        self._ledger, self._marks = ledger, marks


class Hooked(Tool):
    """A tool that pushes, too: what is pushed comes to ``POST /api/hooks/NAME``."""

    most_bytes = MOST_BYTES

    def __init__(
        self,
        name: str,
        clock: Clock,
        house: House,
        *,
        reception: Reception,
        poller: Poller | None = None,
    ) -> None:
        super().__init__(name, clock, house, poller=poller, reception=reception)
        self.receive = reception.receive


def made(
    name: str, clock: Clock, house: House, poller: Poller | None, verify: Verify | None, read: Read
) -> Tool:
    """The source of what is given: asked by ``poller``, pushed to where ``verify`` is.

    Raises Misuse when neither is.
    """
    if verify is not None:
        reception = Reception(name, clock, verify, read)
        return Hooked(name, clock, house, poller=poller, reception=reception)
    if poller is None:
        raise Misuse(
            f"{name}: wants `token_from` to ask it, `secret_from` for its webhook, or both"
        )
    return Tool(name, clock, house, poller=poller)
