"""The values that words are made of: moments, texts, ids and numbers that every store can hold."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

# A platform's post has some thousand characters; a record must still fit a Kafka message.
MAX_TEXT_BYTES = 1_048_576
#: Bytes of an id; a mention's has its source, a colon and its own.
MAX_NAME = 600
MAX_WHOLE = 2**63 - 1
# Clocks of platforms run ahead of ours, but a post from the far future is a wrong clock.
EVENT_AHEAD = timedelta(minutes=5)
#: Stands for a time that was not given, until the model fills it.
UNKNOWN = datetime.min.replace(tzinfo=UTC)


def in_utc(value: datetime) -> datetime:
    """The same moment in UTC; a naive time is taken as UTC. Raises ValueError."""
    if value.tzinfo is UTC:
        return value
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("in UTC this is before the year 1 or after 9999") from error


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970."""
    return round(at.timestamp() * 1000)


def from_ms(ms: int) -> datetime:
    """The UTC time of ``ms`` milliseconds since 1970."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def sound(text: str) -> str:
    """Text that every store can hold: no NUL and no lone surrogate, each becomes U+FFFD."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _text(text: str) -> str:
    text = sound(text)
    if len(text) * 4 > MAX_TEXT_BYTES and len(text.encode()) > MAX_TEXT_BYTES:
        raise ValueError(f"text is longer than {MAX_TEXT_BYTES:,} bytes")
    return text


def name_fits(name: str) -> str:
    """An id as it is. Raises ValueError when a store's key could not hold it."""
    # Characters have up to four bytes: only a longer one must be looked at.
    if len(name) * 4 > MAX_NAME and len(name.encode()) > MAX_NAME:
        raise ValueError(f"longer than {MAX_NAME} bytes")
    return name


def _or_none(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


Instant = Annotated[datetime, AfterValidator(in_utc)]
#: A moment where there is one: what is none is as good as nothing, and breaks nothing.
AnyInstant = Annotated[Instant | None, WrapValidator(_or_none)]
Text = Annotated[str, AfterValidator(_text)]
# Checked by a pattern, for it costs nothing: what comes as JSON was mended by ``decoding`` before.
# An id is a key in every store, two together are one of a link's, and PostgreSQL's keys end at
# 2.7 kB.
Name = Annotated[str, Field(pattern=r"^[^\x00]+$", max_length=MAX_NAME), AfterValidator(name_fits)]
# Versions and counts: every store has 64 bits for them.
Whole = Annotated[int, Field(ge=0, le=MAX_WHOLE)]
# Versions that ``Book.stamp`` adds up to such a number; ample for microseconds since 1970.
Summand = Annotated[int, Field(ge=0, le=2**53 - 1)]
Stamp = Annotated[int, Field(ge=-MAX_WHOLE, le=MAX_WHOLE)]
Words = tuple[str, ...]
Probability = Annotated[float, Field(ge=0, le=1)]
