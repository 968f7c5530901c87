"""Times as platforms write them and as cursors keep them, and how long a source may be silent."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipeline.values import Instant, in_utc

#: Seconds after which a source says at the latest that it has nothing to say (``Collector.items``).
LONGEST_WAIT = 1.0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)
_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


def to_us(at: datetime) -> int:
    """Microseconds since 1970, exact."""
    return (at - EPOCH) // _MICROSECOND


def from_us(us: int) -> datetime:
    """The UTC time of ``us`` microseconds since 1970."""
    return EPOCH + timedelta(microseconds=us)


def instant(value: Any) -> datetime | None:
    """The time a JSON value stands for, read as the words read theirs; None when it is no time."""
    if isinstance(value, str) and len(value) >= 19 and value[4] == "-":
        try:
            return in_utc(datetime.fromisoformat(value))  # four times as fast as the adapter
        except (ValueError, OverflowError):
            pass  # the adapter knows more forms
    try:
        return _INSTANT.validate_python(value)
    except (ValidationError, OverflowError):
        return None


def moved(at: datetime, shift: timedelta) -> datetime:
    """``at`` plus ``shift``, kept within the years 1 to 9999."""
    try:
        return at + shift
    except OverflowError:
        return _LAST if shift > timedelta(0) else _FIRST
