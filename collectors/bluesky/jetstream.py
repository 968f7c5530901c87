"""Bluesky: every public post as it is made, from Jetstream, without an account.

Jetstream (version 1, ``/subscribe``, or 2) sends one JSON document per event and can be asked to
begin at a time of its own, ``time_us``; such a time is our cursor. It cannot search, so all posts
are read and those that match a track are passed on. Events come nearly in the order of their time,
so a resumed reading begins a little before its cursor: some posts come twice, none is missed.
A cursor older than what the server remembers (about 36 h) is silently moved forward: the first
event that comes then tells how much was missed, and that becomes a gap in the coverage.
"""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

import xxhash
from pydantic import BaseModel, ConfigDict, Field

from collectors.bluesky import events, wire
from collectors.bluesky.names import API, OwnNames
from collectors.bluesky.position import FIRST_TIME_US, Connects, Ledger, Position
from collectors.kit.causes import DISCONNECTED, STOPPED
from collectors.kit.known import Known
from collectors.kit.limits import refusal
from collectors.kit.times import LONGEST_WAIT, to_us
from collectors.kit.trouble import told
from collectors.kit.unreadable import unreadable
from pipeline.decoding import load
from pipeline.errors import GiveUp, SetAside, TryLater
from pipeline.model import Mention, Removal
from pipeline.ports import Clock, Item
from pipeline.roles import pause
from pipeline.tracks import Matcher, Track

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

JETSTREAM = "wss://jetstream2.us-east.bsky.network/subscribe"
#: So long before its cursor a resumed reading begins; events are milliseconds out of order.
OVERLAP_US = 2_000_000
#: A connection that held so long was a good one: the pauses begin anew.
HEALTHY = timedelta(minutes=1)
#: Bluesky is never quiet for so long: the connection is half open.
SILENCE = timedelta(seconds=30)
#: An event from later than this is a wrong clock; believing it would skip all until then.
FUTURE = timedelta(days=1)
#: Seconds to wait for a frame before looking whether to stop; for the handshake; for the farewell.
RECEIVE_SECONDS, OPEN_SECONDS, CLOSE_SECONDS = 0.5, 4.0, 0.5
#: A larger frame ends the connection (bytes).
MAX_FRAME = 16 * 1_048_576
#: How many handles are remembered, and how many posts that an edit took our names out of.
REMEMBERED = 50_000
#: How many ids that were passed on are remembered, two a post: while more posts than that are on
#: their way to the warehouse, ``known`` says yes to all.
PASSED_ON = 250_000

Value: TypeAlias = Mention | Removal
K = TypeVar("K", str, int)


class BlueskySettings(BaseModel):
    """Bluesky's public stream as a source."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str | None = Field(None, description="Its name among the sources.")
    url: str = Field(
        JETSTREAM,
        pattern=r"^wss?://.",
        description="Another instance of Jetstream, of version 1 or 2 (…/xrpc/network.bsky…).",
    )
    api_url: str = Field(
        API, pattern=r"^https?://.", description="Where handles of our own accounts are looked up."
    )


class Bluesky:
    """The posts of Bluesky that match a track (without tracks: all), their edits and their end.

    The stream tells of every deletion and every account there is, and only the warehouse remembers
    across restarts which of them concern us: they are passed on if this object has passed on the
    post, or something by the author, or ``known`` says that an earlier one may have; without
    ``known`` always. An edit that takes the tracks' names out hides the post.

    ``items`` raises TryLater when the connection cannot be made, breaks, is closed or falls silent,
    with a pause that grows until a connection has held for a minute. ``totals`` counts connections
    and events since the start.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        *,
        url: str = JETSTREAM,
        api_url: str = API,
        tracks: Sequence[Track] = (),
        known: Known | None = None,
    ) -> None:
        self.name = name
        self._clock = clock
        self._url = url
        self._host = urlsplit(url).netloc
        self._is_second = wire.is_second(url)
        self._matcher = Matcher(tracks) if tracks else None
        self._known = known
        self._own = OwnNames(name, clock, api_url, tracks)
        self._handles: OrderedDict[str, str] = OrderedDict()
        self._renounced: OrderedDict[str, str] = OrderedDict()
        self._passed: OrderedDict[int, str] = OrderedDict()
        self._failures = 0
        self._connects = Connects()
        self.totals: Counter[str] = Counter()

    def items(self, cursor: str | None, stop: threading.Event) -> Iterator[Item]:
        """See ``Collector.items``. Without a cursor: from now on."""
        self._own.learn(stop)
        known = Position.of(cursor, to_us(self._clock.now()))
        position = known or Position(to_us(self._clock.now()))
        yield from self._allowed(position, stop)
        if stop.is_set():
            return
        began = self._clock.now()
        position = replace(position, connects=self._connects.spent)
        yield Item(None, position.cursor)  # whoever asks on has stored that we connect
        try:
            with self._connected(known) as socket:
                cause = DISCONNECTED if self.totals["connections"] else STOPPED
                self.totals["connections"] += 1
                yield from self._listen(socket, Ledger(self.name, position, cause), stop)
        except _Broken as trouble:
            if self._clock.now() - began >= HEALTHY:
                self._failures = 0
            self._failures += 1
            after = pause(self._failures, trouble.after)
            raise trouble.kind(f"{self.name}: {trouble}", after) from trouble.__cause__

    def _allowed(self, position: Position, stop: threading.Event) -> Iterator[Item]:
        """Waits until a connection may be made, and counts it."""
        self._connects.recall(position.connects)
        while not stop.is_set() and (seconds := self._connects.wait(self._clock.now())) > 0:
            yield Item(None, position.cursor)
            self._clock.wait(min(seconds, LONGEST_WAIT), stop)
        if not stop.is_set():
            self._connects.take(self._clock.now())

    # ---- the connection ------------------------------------------------------------------------

    def _connected(self, position: Position | None) -> "ClientConnection":
        try:
            from websockets.exceptions import InvalidStatus, WebSocketException
            from websockets.sync.client import connect
            from websockets.typing import Subprotocol
        except ModuleNotFoundError as error:
            install = "pip install 'groundswell[bluesky]'"
            raise GiveUp(f"{self.name}: wants the package websockets: {install}") from error
        try:
            return connect(
                wire.address(self._url, None if position is None else position.read - OVERLAP_US),
                subprotocols=[Subprotocol(wire.SUBPROTOCOL)] if self._is_second else None,
                open_timeout=OPEN_SECONDS,
                close_timeout=CLOSE_SECONDS,
                max_size=MAX_FRAME,
                compression=None,  # the stream of posts alone is small, unpacking it is not
            )
        except InvalidStatus as error:
            answer = error.response
            message = f"{self._host} answers {answer.status_code}"
            said = refusal(message, answer.status_code, answer.headers, self._clock.now())
            raise _Broken(message, said.after, type(said)) from error
        except (OSError, EOFError, WebSocketException) as error:
            raise _Broken(f"cannot reach {self._host} ({told(error)})") from error

    def _frames(self, socket: "ClientConnection", stop: threading.Event) -> Iterator[bytes | None]:
        """The frames as they come, None where none came for a while, until told to stop.

        Raises _Broken.
        """
        from websockets.exceptions import ConnectionClosed

        heard = self._clock.now()
        while not stop.is_set():
            try:
                frame = socket.recv(timeout=RECEIVE_SECONDS, decode=False)
            except TimeoutError:
                if self._clock.now() - heard > SILENCE:
                    silence = f"{SILENCE.total_seconds():.0f} s"
                    raise _Broken(f"{self._host} sent nothing for {silence}") from None
                yield None
            except (OSError, ConnectionClosed) as error:
                raise _Broken(f"{self._host} closed the connection ({told(error)})") from error
            else:
                heard = self._clock.now()
                yield frame if isinstance(frame, bytes) else frame.encode()

    # ---- reading -------------------------------------------------------------------------------

    def _listen(
        self, socket: "ClientConnection", ledger: Ledger, stop: threading.Event
    ) -> Iterator[Item]:
        """Items until told to stop; the last one says what was covered, also before _Broken."""
        spoke = time.monotonic()
        broken: _Broken | None = None
        try:
            for frame in self._frames(socket, stop):
                is_silent = True
                for item in self.read(frame, ledger) if frame is not None else ():
                    is_silent = False
                    yield item
                if is_silent and (frame is None or time.monotonic() - spoke >= LONGEST_WAIT):
                    is_silent = False
                    yield Item(None, ledger.position.cursor)
                if not is_silent:
                    spoke = time.monotonic()
        except _Broken as trouble:
            broken = trouble
        for word in ledger.close():
            yield Item(word, ledger.position.cursor)
        if broken is not None:
            raise broken

    def read(self, frame: bytes, ledger: Ledger) -> Iterator[Item]:
        """What one frame brings; moves the ledger on."""
        self.totals["events"] += 1
        try:
            event = self._event(frame)
            values = self._values(event) if event is not None else ()
        except SetAside as reason:
            # By its content, so that the same frame read again is the same dead letter.
            origin = f"frame {xxhash.xxh3_64_hexdigest(frame)}"
            yield Item(unreadable(frame, reason, origin), ledger.position.cursor)
            return
        for word in ledger.advance(event["time_us"]) if event is not None else ():
            yield Item(word, ledger.position.cursor)
        for value in values:
            yield Item(value, ledger.position.cursor)

    def _event(self, frame: bytes) -> dict[str, Any] | None:
        """The event in a frame, with a DID and a sane time; None for a notice.

        Raises SetAside, _Broken.
        """
        event = load(frame)
        if self._is_second:
            try:
                event = wire.first_form(event)
            except wire.Farewell as reason:
                raise _Broken(f"{self._host} ends the connection ({reason})") from reason
            if event is None:
                return None
        if not isinstance(event, dict) or not isinstance(event.get("did"), str):
            raise SetAside("an event is a JSON object with a did, this is not")
        time_us = event.get("time_us")
        if not isinstance(time_us, int) or time_us < FIRST_TIME_US:
            raise SetAside("an event without its time_us in microseconds since 1970")
        if time_us > to_us(self._clock.now() + FUTURE):
            raise SetAside("an event from the future")
        return event

    def _values(self, event: dict[str, Any]) -> Sequence[Value]:
        """What an event means to us. Raises SetAside when it lacks what its kind has."""
        kind = event.get("kind")
        if kind == "commit":
            return self._of_commit(event)
        if kind == "account":
            removal = events.account_removal(event)
            return self._if_known(removal) if removal else ()
        if kind == "identity":
            handle = events.new_handle(event)
            if handle is not None:
                _remember(self._handles, event["did"], handle)
        return ()

    def _of_commit(self, event: dict[str, Any]) -> Sequence[Value]:
        commit = event.get("commit")
        if not isinstance(commit, dict):
            raise SetAside("a commit event without its commit")
        if commit.get("collection") != events.POSTS:
            return ()
        if not isinstance(commit.get("rkey"), str) or not commit["rkey"]:
            raise SetAside("a commit without its rkey")
        operation = commit.get("operation")
        if operation == "delete":
            return self._if_known(events.post_removal(event, "erased"))
        if operation not in {"create", "update"} or not isinstance(commit.get("record"), dict):
            raise SetAside("a commit that neither deletes nor brings a record")
        return self._of_post(event)

    def _of_post(self, event: dict[str, Any]) -> Sequence[Value]:
        record = event["commit"]["record"]
        seen = events.found(record)
        tracks: tuple[str, ...] = ()
        if self._matcher is not None:
            tracks = self._matcher.find(
                events.said(record, seen), (*seen.handles, *seen.dids), seen.tags
            )
            if not tracks:
                return self._renounce(event) if event["commit"]["operation"] == "update" else ()
        mention = events.mention(
            event,
            seen,
            handle=self._own.handle(event["did"]) or self._handles.get(event["did"]),
            tracks=tracks,
            now=self._clock.now(),
        )
        self._note(mention)
        if self._renounced.pop(mention.id, None) is None:
            return (mention,)
        return (events.post_removal(event, "shown"), mention)

    def _renounce(self, event: dict[str, Any]) -> Sequence[Value]:
        """An edit after which no track matches: what we may have of the post is no more said."""
        values = self._if_known(events.post_removal(event, "hidden"))
        for removal in values:
            _remember(self._renounced, removal.removal, "")
        return values

    def _if_known(self, removal: Removal) -> tuple[Removal, ...]:
        """The removal, unless nothing that it removes was ever passed on. Raises TryLater."""
        if (
            self._known is None
            or _digest(removal.removal) in self._passed
            or self._known(removal.removal)
        ):
            return (removal,)
        return ()

    def _note(self, mention: Mention) -> None:
        """Remembers that the post is on its way; ``known`` may not know it for a while."""
        if self._known is not None:
            for number in (mention.id, mention.author_id or mention.id):
                _remember(self._passed, _digest(number), "", PASSED_ON)


class _Broken(Exception):
    """The connection is of no more use; the message says why, for a person.

    ``after`` is the pause that the server asked for, ``kind`` what to raise.
    """

    def __init__(
        self, message: str, after: float | None = None, kind: type[TryLater] = TryLater
    ) -> None:
        super().__init__(message)
        self.after = after
        self.kind = kind


def _digest(number: str) -> int:
    return xxhash.xxh3_64_intdigest(number.encode())


def _remember(names: OrderedDict[K, str], key: K, value: str, most: int = REMEMBERED) -> None:
    """Keeps the newest; the oldest goes."""
    names[key] = value
    names.move_to_end(key)
    if len(names) > most:
        names.popitem(last=False)
