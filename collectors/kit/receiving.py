"""Deliveries that are pushed to us: bounded, verified, and accepted once they are safe."""

import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final, TypeAlias

from collectors.kit.budget import Budget, Window
from collectors.kit.inbox import Inbox
from collectors.kit.polling import Value
from pipeline.errors import SetAside
from pipeline.ports import Clock, Item

MOST_BYTES: Final = 1_048_576
PER_MINUTE: Final = 600

#: Status, one line, and after how many seconds to come back.
Answer: TypeAlias = tuple[int, str, float | None]


class Receiver(ABC):
    """What is pushed to one address. ``totals`` counts deliveries by what was answered."""

    def __init__(
        self, name: str, clock: Clock, *, per_minute: int = PER_MINUTE, most_bytes: int = MOST_BYTES
    ) -> None:
        self.name = name
        self.most_bytes = most_bytes
        self.totals: Counter[str] = Counter()
        self._clock = clock
        self._budget = Budget(Window(per_minute, timedelta(minutes=1)))
        self._guard = threading.Lock()
        self._inbox = Inbox(name, clock)

    def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
        """See ``Collector.items``."""
        return self._inbox.items(cursor, stop)

    def receive(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Takes one delivery; blocks until the broker has it, up to four seconds."""
        answer = self._received(headers, body)
        self.totals[str(answer[0])] += 1
        return answer

    @abstractmethod
    def verified(self, headers: Mapping[str, str], body: bytes) -> str:
        """The delivery's own name, the same when it is sent again.

        Raises SetAside for one that is not signed rightly.
        """

    @abstractmethod
    def values(self, number: str, body: bytes) -> Sequence[Value]:
        """What a delivery of that name tells. Raises SetAside where its sender must mend it."""

    def _received(self, headers: Mapping[str, str], body: bytes) -> Answer:
        if len(body) > self.most_bytes:
            return 413, f"more than {self.most_bytes:,} bytes", None
        try:
            number = self.verified(headers, body)
        except SetAside as reason:
            return 401, str(reason), None
        with self._guard:
            if (wait := self._budget.wait(self._clock.now())) > 0:
                return 429, "too many deliveries", wait
            self._budget.take(self._clock.now())
        try:
            values = self.values(number, body)
        except SetAside as reason:
            return 400, str(reason), None
        if not values:
            return 200, "nothing in it is kept", None
        if self._inbox.put(number, values):
            return 200, "taken", None
        return 503, "not safe yet: send it again", 5.0
