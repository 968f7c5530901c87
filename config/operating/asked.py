"""Asking something outside that may be slow or away, without ever waiting for it for long."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from pipeline.errors import GroundswellError

log = logging.getLogger(__name__)
T = TypeVar("T")

#: Seconds that whoever asks waits for an answer that is on its way.
PATIENCE = 2.0


class Answer(NamedTuple, Generic[T]):
    """``value``, or None and the ``trouble`` in one line."""

    value: T | None
    trouble: str | None = None


class Asked(Generic[T]):
    """A question put in a thread of its own, no sooner than ``every`` seconds after the last time.

    Never twice at once: while the other side hangs, there is one thread and everybody is told for
    how long.
    """

    def __init__(self, ask: Callable[[], T], every: float) -> None:
        self._ask = ask
        self._every = every
        self._lock = threading.Lock()
        self._answer: Answer[T] = Answer(None, "not asked yet")
        self._asked = float("-inf")
        self._came = threading.Event()
        self._came.set()

    def answer(self, patience: float = PATIENCE) -> Answer[T]:
        """The newest answer, waited for at most ``patience`` seconds."""
        with self._lock:
            if self._came.is_set() and time.monotonic() - self._asked >= self._every:
                self._came.clear()
                self._asked = time.monotonic()
                threading.Thread(target=self._put, name="ask", daemon=True).start()
        if self._came.wait(patience):
            return self._answer
        return Answer(None, f"no answer for {time.monotonic() - self._asked:.0f} s")

    def _put(self) -> None:
        try:
            self._answer = Answer(self._ask())
        except GroundswellError as error:
            self._answer = Answer(None, str(error))
        except Exception as error:
            # A fault of our own must show in the answer, not end a scrape.
            log.exception("a question about the health of a part failed")
            self._answer = Answer(None, f"a fault of its own: {type(error).__name__}")
        finally:
            self._came.set()
