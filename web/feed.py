"""Sends the parts of the page to every open tab as they change (server-sent events).

One task looks after all tabs. Four times a second it asks the warehouse for its revision and reads
again the parts that somebody follows, each at most once however many follow it, and a slow one more
rarely. What changed is encoded once. A tab that is slow does not get a queue of
what it missed: it gets the newest state when it is ready. Without tabs nothing runs.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from pipeline.errors import GroundswellError, TryLater
from web import parts
from web.parts import Part

if TYPE_CHECKING:
    from pipeline.ports import Clock, Warehouse

log = logging.getLogger(__name__)
T = TypeVar("T")

#: Seconds between two looks at the warehouse: 4 Hz keeps a browser's main thread free.
PACE = 0.25
#: A part is read again no sooner than this many times the seconds its last read took.
REST = 4
#: But the newest posts rest no longer than so many seconds: they are promised within two.
SOON = 0.5
#: Seconds after which a part is read again although nothing was written: the hour moves on.
STALE = 30.0
#: Seconds between signs of life on a quiet stream; the page takes three times that for a loss.
BEAT = 5.0
#: The part that tells how the process is; it needs no warehouse.
STATUS = Part("status")
# Parts that are lists of rows with an id: tabs get what changed, not all of it.
_BY_ROW = frozenset({"posts", "incident_posts"})


def encode(value: Any) -> bytes:
    """JSON with times as RFC 3339 in UTC."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS, default=str)


def event(name: str, value: Any) -> bytes:
    """One server-sent event."""
    return b"event: " + name.encode() + b"\ndata: " + encode(value) + b"\n\n"


class Channel:
    """A part somebody follows: its present state, encoded as a whole and as the last change."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.version = 0
        self.full = b""
        self.change = b""
        self.revision: int | None = None
        self.due = 0.0
        self.stale = 0.0
        self._seen: bytes = b""
        self._rows: dict[str, bytes] = {}

    def take(self, value: Any) -> bool:
        """Takes what was read; True when it differs from before."""
        if self.part.name in _BY_ROW:
            return self._take_rows(value)
        seen = encode(value)
        if self.version and seen == self._seen:
            return False
        self._seen = seen
        self.full = self.change = event(self.part.name, {"all": value})
        self.version += 1
        return True

    def _take_rows(self, rows: list[dict[str, Any]]) -> bool:
        new = {row["id"]: encode(row) for row in rows}
        put = [row for row in rows if self._rows.get(row["id"]) != new[row["id"]]]
        gone = [key for key in self._rows if key not in new]
        if self.version and not put and not gone:
            return False
        self._rows = new
        self.full = event(self.part.name, {"all": rows})
        self.change = event(self.part.name, {"put": put, "gone": gone})
        self.version += 1
        return True


class Tab:
    """One open stream: which version of each channel it was sent last."""

    def __init__(self, channels: Iterable[Channel]) -> None:
        self.sent = dict.fromkeys(channels, 0)
        self.wake = asyncio.Event()

    def news(self) -> bytes:
        """What the tab has not seen: the last change if it saw all before it, else the whole."""
        chunks = []
        for channel, version in self.sent.items():
            if version < channel.version:
                behind = version == 0 or channel.version - version > 1
                chunks.append(channel.full if behind else channel.change)
                self.sent[channel] = channel.version
        return b"".join(chunks)


class Feed:
    """Follows the warehouse for all tabs. Lives on the event loop; reads happen in threads."""

    def __init__(
        self,
        *,
        warehouse: "Callable[[], Warehouse | None]",
        clock: "Clock",
        status: Callable[[], dict[str, Any]],
    ) -> None:
        self._warehouse = warehouse
        self._clock = clock
        self._status = status
        self._trouble: str | None = None
        self._troubles: list[str] = []
        self._channels: dict[Part, Channel] = {}
        self._tabs: set[Tab] = set()
        self._task: asyncio.Task[None] | None = None
        # Two: a read that stalls behind a checkpoint must not keep the others from starting.
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="page-read")

    async def read(self, part: Part) -> Any:
        """The part as it is now, for an API answer. Raises TryLater while starting."""
        warehouse = self._warehouse()
        if warehouse is None:
            raise TryLater("still starting: try again in a moment", after=1)
        return await self._in_thread(parts.read, warehouse, part, self._clock.now())

    async def status(self) -> dict[str, Any]:
        """How the process is: ``state`` is starting, running, troubled, or what it says itself."""
        is_ready = self._warehouse() is not None
        known = {"state": "running" if is_ready else "starting"}
        known |= await self._in_thread(self._status)
        if self._trouble and is_ready:
            known |= {"state": "troubled", "trouble": self._trouble}
        return known

    async def events(self, wanted: Iterable[Part]) -> AsyncIterator[bytes]:
        """The stream of one tab: everything once, then what changes, and signs of life."""
        channels = [self._channels.setdefault(p, Channel(p)) for p in (STATUS, *wanted)]
        tab = Tab(channels)
        self._tabs.add(tab)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._follow(), name="feed")
        try:
            yield b"retry: 1000\n\n" + self._beat()
            while True:
                tab.wake.clear()
                # The clock goes with every message: in a demo it runs faster than the browser's.
                yield self._beat() + (tab.news() or b"")
                await _wait(tab.wake, BEAT)
        finally:
            self._tabs.discard(tab)
            followed = {channel.part for other in self._tabs for channel in other.sent}
            for channel in channels:
                if channel.part not in followed:
                    self._channels.pop(channel.part, None)

    async def close(self) -> None:
        """Stops looking after tabs."""
        if self._task is not None:
            self._task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _beat(self) -> bytes:
        return event("beat", {"now": self._clock.now()})

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        while self._tabs:
            started = loop.time()
            await self._look()
            await asyncio.sleep(max(PACE - (loop.time() - started), PACE / 5))

    async def _look(self) -> None:
        """One round: each followed part that may have changed, then the status."""
        self._troubles = []
        warehouse = self._warehouse()
        if warehouse is not None:
            revision = await self._try(self._in_thread(warehouse.revision))
            if revision is not None:
                followed = [c for c in self._channels.values() if c.part != STATUS]
                await asyncio.gather(
                    *(self._try(self._refresh(c, warehouse, revision)) for c in followed)
                )
        self._trouble = next(iter(self._troubles), None)
        if STATUS in self._channels:
            self._tell(self._channels[STATUS], await self.status())

    async def _try(self, work: Awaitable[T]) -> T | None:
        """Does one thing of a round; what goes wrong must not keep the others from being done."""
        try:
            return await work
        except GroundswellError as error:
            self._troubles.append(str(error))
        except Exception as error:  # noqa: BLE001 - see above
            # Its text may hold a value of a row, so only its kind is told.
            self._troubles.append(f"reading the warehouse failed ({type(error).__name__})")
            log.warning("page: %s", self._troubles[-1])
        return None

    async def _refresh(self, channel: Channel, warehouse: "Warehouse", revision: int) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        is_old = channel.revision != revision or started >= channel.stale
        if started < channel.due or not is_old:
            return
        value = await self._in_thread(parts.read, warehouse, channel.part, self._clock.now())
        ended = loop.time()
        channel.revision = revision
        rest = REST * (ended - started)
        channel.due = ended + (min(rest, SOON) if channel.part.name == "posts" else rest)
        channel.stale = ended + STALE
        self._tell(channel, value)

    def _tell(self, channel: Channel, value: Any) -> None:
        if channel.take(value):
            for tab in self._tabs:
                if channel in tab.sent:
                    tab.wake.set()

    async def _in_thread(self, function: Callable[..., T], *values: Any) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, function, *values)


async def _wait(wake: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(wake.wait(), seconds)
    except TimeoutError:
        return
