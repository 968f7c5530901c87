"""Standard Webhooks: what is signed, and what only looks like it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from collectors.kit.signature import key_of, signature, verified
from pipeline.errors import SetAside

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
KEY = key_of(SecretStr("whsec_" + "QUJD" * 11))


def test_the_standard_s_own_example_verifies() -> None:
    """The message, secret and signature of the standard's specification."""
    key = key_of(SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    at = datetime.fromtimestamp(1614265330, UTC)
    assert verified([key], headers, b'{"test": 2432232314}', at) == headers["webhook-id"]


def test_an_old_and_a_new_secret_are_both_good() -> None:
    """While a secret is replaced, and when the sender signs with both."""
    old = b"o" * 24
    headers = signature(old, "1", NOW, b"{}")
    assert verified([KEY, old], headers, b"{}", NOW) == "1"
    both = headers["webhook-signature"] + " v1a,xyz " + "v2,abc"
    assert verified([old], headers | {"webhook-signature": both}, b"{}", NOW) == "1"


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_message_is_refused(minutes: int) -> None:
    """Somebody may have recorded it."""
    headers = signature(KEY, "1", NOW + timedelta(minutes=minutes), b"{}")
    with pytest.raises(SetAside, match="clock"):
        verified([KEY], headers, b"{}", NOW)


@given(st.dictionaries(st.sampled_from(sorted(signature(KEY, "1", NOW, b"{}"))), st.text()))
def test_no_other_headers_pass(changed: dict[str, str]) -> None:
    """Whatever stands in them."""
    good = signature(KEY, "1", NOW, b"{}")
    if not changed or (good | changed) == good:
        return
    with pytest.raises(SetAside):
        verified([KEY], good | changed, b"{}", NOW)


@given(st.binary())
def test_no_other_body_passes(body: bytes) -> None:
    """One bit changed is another message."""
    with pytest.raises(SetAside, match="wrong signature"):
        verified([KEY], signature(KEY, "1", NOW, body + b"x"), body, NOW)


@pytest.mark.parametrize("text", ["whsec_", "whsec_!!!", "short", "whsec_QUJD"])
def test_a_secret_that_is_none_is_not_told(text: str) -> None:
    """The error says what a secret looks like, not what this one is."""
    with pytest.raises(ValueError, match="secret") as told:
        key_of(SecretStr(text))
    assert text not in str(told.value) or text == "whsec_"
