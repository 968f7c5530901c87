"""What is pushed to us, made into a source: nothing is accepted before the broker has it.

Whoever hands over a delivery waits while intake takes its words out of ``items`` and publishes
them. Intake asks for the item after one without a value only when all before it is acknowledged;
by that the waiting sender's answer is known. So pushed words go the way of all others: masked,
matched, counted, set aside.
"""

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import orjson

from collectors.kit.causes import STOPPED
from collectors.kit.polling import Value
from collectors.kit.times import from_us, to_us
from pipeline.model import Coverage
from pipeline.ports import Clock, Item

log = logging.getLogger(__name__)

#: Seconds that a delivery may take to be safe; senders want an answer within five.
PATIENCE: Final = 4.0
#: So many deliveries may be under way; more senders are told to come back.
MOST_WAITING: Final = 20
#: The ids of so many deliveries are remembered; a sender that repeats one later is served again,
#: which does no harm, for words have ids of their own.
REMEMBERED: Final = 1_000
#: A source that has nothing to say says so at least once a second (see ``Collector.items``).
LONGEST_WAIT: Final = 0.5
COVERAGE_EVERY: Final = timedelta(minutes=1)
#: While nothing comes, a cursor says so often that we listened: each one that differs is written,
#: with all the ids in it. After a crash so much of what was heard counts as not heard.
HEARD_EVERY: Final = timedelta(seconds=10)


@dataclass(slots=True)
class _Delivery:
    number: str
    values: Sequence[Value]
    is_safe: threading.Event = field(default_factory=threading.Event)


class Inbox:
    """Deliveries on their way from senders to the broker. Safe to share between threads."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._news = threading.Condition()
        self._waiting: deque[_Delivery] = deque()
        self._under_way: dict[str, _Delivery] = {}
        self._seen: OrderedDict[str, int] = OrderedDict()
        self._is_open = False

    @property
    def is_full(self) -> bool:
        """Whether no more deliveries are taken for now."""
        return len(self._under_way) >= MOST_WAITING

    def put(self, number: str, values: Sequence[Value], patience: float = PATIENCE) -> bool:
        """Hands over a delivery; True once the broker has it. False: the sender must repeat it.

        A delivery that was handed over before is not handed over again.
        """
        with self._news:
            delivery = self._under_way.get(number)
            if delivery is None and number in self._seen:
                return True
            if delivery is None:
                if self.is_full or not self._is_open:
                    return False
                delivery = self._under_way[number] = _Delivery(number, values)
                self._waiting.append(delivery)
                self._news.notify_all()
        return delivery.is_safe.wait(patience)

    def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
        """See ``Collector.items``; the cursor remembers the ids of deliveries."""
        state = self._state(cursor)
        now = to_us(self._clock.now())
        since = min(state.get("since") or now, now)
        if state.get("read") is not None and now > state["read"]:
            yield Item(self._word(state["read"], now, STOPPED), self._cursor(now, now))
            since = now
        with self._news:
            self._is_open = True
        told = heard = now
        try:
            while not stop.is_set():
                yield from self._deliver(since)
                now = to_us(self._clock.now())
                if now - told >= COVERAGE_EVERY // timedelta(microseconds=1):
                    told = now
                    yield Item(self._word(since, now), self._cursor(since, now))
                if now - heard >= HEARD_EVERY // timedelta(microseconds=1):
                    heard = now
                yield Item(None, self._cursor(since, heard))
        finally:
            with self._news:
                self._is_open = False
                for number in self._under_way:
                    self._seen.pop(number, None)  # it was not made safe: it must come again
                self._waiting.clear()
                self._under_way.clear()

    def _deliver(self, since: int) -> Iterator[Item]:
        """What is waiting, until it is safe; after half a second nothing is."""
        with self._news:
            if not self._waiting:
                self._news.wait(LONGEST_WAIT)
            taken = list(self._waiting)
            self._waiting.clear()
        for delivery in taken:
            for value in delivery.values:
                yield Item(value, self._cursor(since, to_us(self._clock.now())))
            with self._news:
                self._seen[delivery.number] = to_us(self._clock.now())
                if len(self._seen) > REMEMBERED:
                    self._seen.popitem(last=False)
        if taken:
            yield Item(None, self._cursor(since, to_us(self._clock.now())))
        # Whoever asks on has published all of it.
        with self._news:
            for delivery in taken:
                self._under_way.pop(delivery.number, None)
                delivery.is_safe.set()

    def _state(self, cursor: str | None) -> Mapping[str, Any]:
        if cursor is None:
            return {}
        try:
            told = orjson.loads(cursor)
            state = {"since": int(told["since"]), "read": int(told["read"])}
            for number, at in told["seen"].items():
                self._seen.setdefault(str(number), int(at))
        except (ValueError, TypeError, KeyError, AttributeError):
            log.warning("%s: the stored cursor is none of this source: it starts anew", self._name)
            return {}
        return state

    def _cursor(self, since: int, read: int) -> str:
        with self._news:
            told = {"since": since, "read": read, "seen": dict(self._seen)}
        return orjson.dumps(told).decode()

    def _word(self, start: int, end: int, cause: str | None = None) -> Coverage:
        return Coverage(
            source=self._name,
            from_at=from_us(start),
            to_at=from_us(end),
            is_gap=cause is not None,
            cause=cause,
        )
