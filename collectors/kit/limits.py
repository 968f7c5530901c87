"""How long a platform asks us to wait: every form of it that is in use, within sane bounds."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from collectors.kit.times import instant
from pipeline.errors import TryLater

#: Whoever asks for less or more is not believed, in seconds: the windows of the platforms we know
#: end within a quarter of an hour.
SHORTEST, LONGEST = 1.0, 900.0
#: Larger numbers are seconds since 1970, not seconds from now.
EPOCH_FROM = 1e9
#: The first that is there counts.
HEADERS = ("retry-after", "x-rate-limit-reset", "x-ratelimit-reset", "ratelimit-reset")
#: Statuses by which platforms say so; 420 is an old one of X.
TOO_MANY = frozenset({420, 429})
NOT_THERE = frozenset({404, 410})
_NUMBER = re.compile(r"\d{1,15}(\.\d{1,9})?", re.ASCII)


class Answered(TryLater):
    """The platform answered that it gives nothing: the call is over, and nothing was paid."""


class Limited(Answered):
    """The platform asks us to wait: we have called too often (429)."""


class Absent(Answered):
    """What was asked for is not there (404, 410)."""


def refusal(message: str, status: int, headers: Mapping[str, str], now: datetime) -> Answered:
    """The error for an answer that is no success, with the pause that it asks for."""
    kind = Limited if status in TOO_MANY else Absent if status in NOT_THERE else Answered
    return kind(message, asked_pause(headers, now))


def asked_pause(
    headers: Mapping[str, str], now: datetime, longest: float = LONGEST
) -> float | None:
    """Seconds to wait, from ``SHORTEST`` to ``longest``; None when no header says anything.

    ``headers`` has lower-case names, or finds them in any case. A time that is past is the
    shortest pause, one that is absurdly far is the longest.
    """
    for name in HEADERS:
        value = headers.get(name)
        seconds = None if value is None else _seconds(value.strip(), now)
        if seconds is not None:
            return min(max(seconds, SHORTEST), longest)
    return None


def _seconds(value: str, now: datetime) -> float | None:
    """From now on: of a number of seconds, of seconds since 1970, or of a date."""
    if _NUMBER.fullmatch(value):
        number = float(value)
        return number - now.timestamp() if number >= EPOCH_FROM else number
    until = instant(value) or _http_date(value)
    return None if until is None else (until - now).total_seconds()


def _http_date(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
