"""X's filtered stream: a thread that only takes lines down, and says when and how it ended.

tweepy connects again by itself, at once and as often as it likes, and its own reading of a line
ends the stream where a rule has no tag. So every end is final here, lines are kept as they come,
and whoever opened the stream decides when it is opened again.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from collectors.x import client as wire
from collectors.x.client import redirect
from collectors.x.posts import FIELDS
from pipeline.ports import Clock

if TYPE_CHECKING:
    from tweepy import StreamingClient

log = logging.getLogger(__name__)

#: Lines kept while nobody takes them; then the connection waits.
MOST_LINES: Final = 1_000
#: Seconds that a look waits for the stream to be opened.
PATIENCE: Final = 3.0
#: A line that waits for longer ends the connection: those behind it are older than they seem, and
#: X drops what it cannot send. The search reads what was said since the last line that was kept.
BEHIND: Final = 15.0
#: Seconds between looks whether to stop.
WAIT: Final = 0.25


class Connection:
    """One connection, from opening to its end. ``since`` and ``heard`` are the clock's times.

    ``status`` is what X answered, None if it did not; ``headers`` its headers. No more lines are
    read than were paid.
    """

    def __init__(
        self,
        make: Callable[[Callable[[Any], type["StreamingClient"]]], "StreamingClient"],
        clock: Clock,
        url: str,
        paid: int,
    ) -> None:
        self._clock = clock
        self._paid = threading.Semaphore(paid)
        self._lines: queue.Queue[bytes] = queue.Queue(MOST_LINES)
        self._stop = threading.Event()
        self._is_told = threading.Event()
        self._answer: Any = None
        self.since: datetime | None = None
        self.heard: datetime | None = None
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}
        self._client = make(self._kind)
        redirect(self._client.session, url, self._note, wire.SILENCE)
        self._thread = threading.Thread(target=self._listen, name="x stream", daemon=True)
        self._thread.start()
        self._is_told.wait(PATIENCE)  # else the look that follows would not know of it

    @property
    def is_open(self) -> bool:
        """Whether lines may come."""
        return self._thread.is_alive() and not self._stop.is_set()

    def pay(self, lines: int) -> None:
        """So many more may be read."""
        self._paid.release(lines)

    def take(self) -> list[bytes]:
        """The lines that came since the last time."""
        return [self._lines.get() for _ in range(self._lines.qsize())]

    def close(self) -> None:
        """Ends it; a thread that waits for the next line wakes up."""
        self._stop.set()
        self._client.disconnect()
        raw = getattr(self._answer, "raw", None)
        if raw is not None and hasattr(raw, "shutdown"):
            try:
                raw.shutdown()
            except (OSError, ValueError, RuntimeError) as error:
                log.debug("the stream had ended already (%s)", type(error).__name__)

    def _note(self, answer: Any) -> None:
        self._answer, self.status, self.headers = answer, answer.status_code, answer.headers

    def _put(self, line: bytes) -> None:
        """Takes a line down; waits a while if too many are kept, or too few are paid."""
        due = time.monotonic() + BEHIND
        while not self._paid.acquire(timeout=WAIT):
            if self._is_over(due):
                return
        while not self._is_over(due):
            try:
                self._lines.put(line, timeout=WAIT)
            except queue.Full:
                continue
            self.heard = self._clock.now()
            return

    def _is_over(self, due: float) -> bool:
        if not self._stop.is_set() and time.monotonic() > due:
            log.info("the stream of X is ended: nobody takes its lines")
            self.close()
        return self._stop.is_set()

    def _listen(self) -> None:
        try:
            self._client.filter(**{name: list(told) for name, told in FIELDS.items()})
        finally:
            self._is_told.set()

    def _kind(self, base: Any) -> type["StreamingClient"]:
        """The library's client with every way to go on by itself closed."""
        connection = self

        class Once(base):  # type: ignore[misc] # the class is known only when tweepy is imported
            def on_connect(self) -> None:
                connection.since = connection.heard = connection._clock.now()
                connection._is_told.set()

            def on_data(self, raw_data: bytes) -> None:
                connection._put(raw_data)

            def on_keep_alive(self) -> None:
                connection.heard = connection._clock.now()

            def on_request_error(self, status_code: int) -> None:  # noqa: ARG002
                self.disconnect()

            def on_connection_error(self) -> None:
                self.disconnect()

            def on_closed(self, response: Any) -> None:  # noqa: ARG002
                self.disconnect()

            def on_exception(self, exception: Exception) -> None:
                log.info("the stream of X ended (%s)", type(exception).__name__)

            def on_disconnect(self) -> None:
                connection._stop.set()

        return Once
