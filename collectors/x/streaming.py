"""When X's stream is opened, what it may cost, and what it has told: the connection's keeper.

X lets 50 connections in 15 minutes through and charges for each post that the stream tells. So a
connect is counted, and a supply of reads is paid, before either happens, and durably.
"""

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import xxhash

from collectors.kit.breaker import REFUSED, Breaker
from collectors.kit.budget import Budget, Window
from collectors.kit.limits import TOO_MANY, Answered, asked_pause
from collectors.kit.money import Purse
from collectors.kit.polling import Call, Entry, Query, Value
from collectors.kit.progress import Progress
from collectors.kit.unreadable import unreadable
from collectors.x.client import Api
from collectors.x.posts import Aside, entry
from collectors.x.rules import change
from collectors.x.stream import Connection
from pipeline.decoding import load
from pipeline.errors import GiveUp, SetAside, TryLater
from pipeline.ports import Clock
from pipeline.roles import pause

CONNECTS: Final = Window(50, timedelta(minutes=15))
#: A connection that held so long was a good one: the pauses begin anew.
HEALTHY: Final = timedelta(minutes=1)
#: The shortest pauses after a refusal, in seconds: X asks for them, and for longer ones each time.
AFTER_LIMIT, AFTER_ERROR, LONGEST = 60.0, 5.0, 320.0
#: How often it is looked whether the rules are still ours; so many are added in a call.
RULES_EVERY: Final = timedelta(hours=1)
RULES_A_CALL: Final = 100
#: So many reads at least are paid in advance, and again when so few are left.
SUPPLY, LOW = 100, 50
#: A stream that has been shut for so long is a trouble; the search goes on meanwhile.
SHUT: Final = timedelta(minutes=10)
#: X's words for why it ends a stream; anything else is not repeated.
_REASON = re.compile(r"[A-Za-z-]{1,40}")


class Streaming:
    """The stream of one source. ``rules`` is how many the plan allows.

    ``connect`` opens a connection on which so many lines are paid.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        api: Api,
        connect: Callable[[int], Connection],
        purse: Purse,
        wanted: Sequence[Query],
        rules: int,
    ) -> None:
        self._name = name
        self._clock = clock
        self._api = api
        self._connect = connect
        self._purse = purse
        self._wanted = wanted
        self._most = rules
        self._breaker = Breaker(name, "stream")
        self._connects = Budget(CONNECTS)
        self._connection: Connection | None = None
        self._told: datetime | None = None
        self._waiting: list[Entry | Value] = []
        self._supply = 0
        self._failures = 0
        self._not_before: datetime | None = None
        self._rules_at: datetime | None = None
        self._shut_since: datetime | None = None
        self._why = "it was not opened yet"

    def trouble(self) -> str | None:
        """One line when the stream has been shut for long."""
        shut = self._shut_since
        if shut is None or self._clock.now() - shut < SHUT:
            return None
        return f"the stream is shut ({self._why}); the search reads on"

    def close(self) -> None:
        """Ends the connection."""
        if self._connection is not None:
            self._connection.close()

    # ---- opening -------------------------------------------------------------------------------

    def opening(self, progress: Progress, stop: threading.Event) -> Iterator[Call]:
        """Opens the stream if it is not open and may be: pauses, connects and money allow it."""
        if self._connection is not None and self._connection.is_open:
            return
        now = self._clock.now()
        self._shut_since = self._shut_since or now
        if self._connection is not None:
            self._end(self._connection, now)
        self._connects.recall(progress.own.get("connects", ()))
        if self._not_before is not None and now < self._not_before:
            return
        if self._connects.wait(now) > 0 or self._purse.wait(now, SUPPLY) > 0:
            return
        yield from self._in_step(stop)
        self._connects.take(self._clock.now())
        progress.own["connects"] = self._connects.spent
        self._purse.take(self._clock.now(), SUPPLY)
        self._supply = SUPPLY
        yield Call.CALL
        self._told = None
        self._connection = self._connect(self._supply)
        if self._connection.since is not None:
            self._breaker.accepted()

    def _end(self, old: Connection, now: datetime) -> None:
        """What the end of a connection means. Raises GiveUp for a refusal that is meant."""
        self._waiting += self._taken(old)
        self._connection = None
        self._purse.take(now, -max(0, self._supply))
        self._supply = 0
        has_held = old.since is not None and now - old.since >= HEALTHY
        self._failures = 1 if has_held else self._failures + 1
        self._not_before = now + timedelta(seconds=self._pause(old, now))
        if old.status != 200:
            self._why = f"X answers {old.status or 'nothing'}"
        if old.status in REFUSED:
            error = self._breaker.refused("X's stream", old.status)
            if isinstance(error, GiveUp):
                raise error

    def _pause(self, old: Connection, now: datetime) -> float:
        """Seconds until the next connect: growing, at least what X asks for."""
        if old.status in {None, 200}:
            return pause(self._failures)
        least = AFTER_LIMIT if old.status in TOO_MANY else AFTER_ERROR
        growing = min(LONGEST, least * 2.0 ** min(self._failures - 1, 10))
        return max(growing, asked_pause(old.headers, now) or 0.0)

    def _in_step(self, stop: threading.Event) -> Iterator[Call]:
        """Makes the rules of the stream those of the tracks, at most once an hour."""
        if self._rules_at is not None and self._clock.now() - self._rules_at < RULES_EVERY:
            return
        client = self._api.rules(stop)
        yield Call.CALL
        told = self._api.asked(client.get_rules)
        there = told.get("data")
        if not isinstance(there, list) and not isinstance(told.get("meta"), dict):
            raise TryLater(f"{self._name}: X answers without its rules")
        add, drop = change(self._name, self._wanted, there, self._most)
        has_room = len(there or ()) + len(add) <= self._most
        adding = partial(self._add, client, add)
        dropping = partial(self._drop, client, drop)
        # What is added first leaves no moment without any rule of a track.
        for act in (adding, dropping) if has_room else (dropping, adding):
            yield from act()
        self._rules_at = self._clock.now()

    def _add(self, client: Any, rules: Sequence[tuple[str, str]]) -> Iterator[Call]:
        from tweepy import StreamRule

        for first in range(0, len(rules), RULES_A_CALL):
            made = [StreamRule(value, tag) for value, tag in rules[first : first + RULES_A_CALL]]
            yield Call.CALL
            try:
                told = self._api.asked(partial(client.add_rules, made))
            except Answered as error:
                if self._api.status not in {400, 422}:
                    raise
                raise GiveUp(self._refused_rule()) from error
            errors = told.get("errors")
            for each in errors if isinstance(errors, list) else ():
                if not isinstance(each, dict) or each.get("title") != "DuplicateRule":
                    raise GiveUp(self._refused_rule())

    def _refused_rule(self) -> str:
        return (
            f"{self._name}: X refuses a rule made from the tracks: mend their terms, or set "
            "`rules` and `query_length` to what your plan allows"
        )

    def _drop(self, client: Any, ids: Sequence[str]) -> Iterator[Call]:
        if ids:
            yield Call.CALL
            self._api.asked(partial(client.delete_rules, list(ids)))

    # ---- reading -------------------------------------------------------------------------------

    def streamed(self) -> tuple[datetime, datetime] | None:
        """See ``Streaming.streamed``: up to what ``pushed`` has given away."""
        connection, told = self._connection, self._told
        if connection is None or connection.since is None or not connection.is_open:
            return None
        return None if told is None or told < connection.since else (connection.since, told)

    def pushed(self) -> Sequence[Entry | Value]:
        """What came since the last time."""
        found, self._waiting = self._waiting, []
        connection = self._connection
        if connection is not None:
            heard = connection.heard
            found = found + self._taken(connection)
            self._told = heard
            is_old = self._clock.now() - (connection.since or self._clock.now()) >= HEALTHY
            if connection.is_open and is_old:
                self._shut_since = None  # one that is closed at once is no open stream
        return found

    def _taken(self, connection: Connection) -> list[Entry | Value]:
        """The words of the lines that came; they were paid before, and more is paid for others."""
        lines = connection.take()
        found = [word for line in lines if (word := self._word(line, connection)) is not None]
        self._supply -= len(lines)
        if self._supply < max(LOW, len(lines)) and connection.is_open:
            self._pay(connection, max(SUPPLY, 2 * len(lines)))
        return found

    def _pay(self, connection: Connection, wanted: int) -> None:
        """Pays for more lines, fewer if there is not enough money; closes when there is none."""
        now = self._clock.now()
        for reads in (wanted, SUPPLY):
            if self._purse.wait(now, reads) <= 0:
                self._purse.take(now, reads)
                self._supply += reads
                connection.pay(reads)
                return
        if self._supply < LOW:
            self._why = "the money for now is spent"
            connection.close()

    def _word(self, line: bytes, connection: Connection) -> Entry | Value | None:
        """What one line tells; None for what is no post."""
        now = self._clock.now()
        try:
            told = load(line)
            if not isinstance(told, dict):
                raise SetAside("a line of the stream is a JSON object, this is not")
            if isinstance(told.get("data"), dict):  # it may stand beside errors about others
                return entry(told["data"], Aside(told.get("includes")), now)
            if not isinstance(told.get("errors"), list):
                raise SetAside("a line of the stream with neither a post nor errors")
        except SetAside as reason:
            return unreadable(line, reason, f"line {xxhash.xxh3_64_hexdigest(line)}")
        self._farewell(told["errors"], connection)
        return None

    def _farewell(self, errors: Sequence[Any], connection: Connection) -> None:
        """X says that this connection is over; it may leave it open and silent."""
        for error in errors:
            told = error if isinstance(error, dict) else {}
            reason = str(told.get("connection_issue") or told.get("title"))
            self._why = reason if _REASON.fullmatch(reason) else "X ended it"
            if reason == "TooManyConnections":
                connection.status = 429
        connection.close()
