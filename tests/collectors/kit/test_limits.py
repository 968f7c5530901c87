"""Pauses that platforms ask for."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.kit.limits import HEADERS, LONGEST, SHORTEST, asked_pause

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "value", "seconds"),
    [
        ("retry-after", "30", 30),
        ("retry-after", "Mon, 02 Mar 2026 09:01:00 GMT", 60),
        ("x-rate-limit-reset", str(int(NOW.timestamp()) + 90), 90),
        ("x-ratelimit-reset", "2026-03-02T09:02:00Z", 120),
        ("ratelimit-reset", "12.5", 12.5),
        ("retry-after", "99999999999999999999", None),
        ("retry-after", "864000", LONGEST),
        ("retry-after", "0", SHORTEST),
        ("x-rate-limit-reset", "1000000001", SHORTEST),
        ("retry-after", "soon", None),
        ("x-other", "30", None),
    ],
)
def test_every_form_is_read(header: str, value: str, seconds: float | None) -> None:
    """Seconds, seconds since 1970, HTTP dates, RFC 3339; clamped."""
    assert asked_pause({header: value}, NOW) == seconds


@given(st.sampled_from(HEADERS), st.text(max_size=40))
def test_nonsense_is_no_pause_or_a_sane_one(header: str, value: str) -> None:
    """Nothing that a server sends makes us wait absurdly, or fall over."""
    pause = asked_pause({header: value}, NOW)
    assert pause is None or SHORTEST <= pause <= LONGEST
