"""Signed webhooks: Standard Webhooks (standardwebhooks.com), and Svix, from which it comes.

The sender signs ``id.timestamp.body`` with HMAC-SHA256 and sends ``v1,BASE64``, several of them
while a secret is being replaced.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import SecretStr

from pipeline.errors import SetAside

#: A message that was signed longer ago may have been recorded by somebody.
TOLERANCE = timedelta(minutes=5)
PREFIX = "whsec_"
#: The least a secret may have, in bytes, as the standard has it.
LEAST_BYTES = 24
#: A sender replaces one secret at a time.
MOST_SIGNATURES = 10
_LONGEST_ID = 256


def key_of(secret: SecretStr) -> bytes:
    """The key in a secret of the standard's form. Raises ValueError, without the secret."""
    text = secret.get_secret_value().removeprefix(PREFIX)
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"the secret is {PREFIX} and base64") from error
    if len(key) < LEAST_BYTES:
        raise ValueError(f"the secret has at least {LEAST_BYTES} bytes")
    return key


def verified(
    keys: Sequence[bytes],
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
    prefix: str = "webhook",
) -> str:
    """The id of a message that is signed with one of the keys. Raises SetAside with the reason.

    ``headers`` finds names in any case; ``prefix`` is ``svix`` for those who kept the old names.
    """
    number, told, signatures = (
        headers.get(f"{prefix}-{name}", "") for name in ("id", "timestamp", "signature")
    )
    if not 0 < len(number) <= _LONGEST_ID or not told or not signatures:
        raise SetAside(f"wants {prefix}-id, {prefix}-timestamp and {prefix}-signature")
    if not (told.isascii() and told.isdecimal() and len(told) <= 12):
        raise SetAside(f"{prefix}-timestamp is seconds since 1970")
    if abs(now.timestamp() - int(told)) > TOLERANCE.total_seconds():
        raise SetAside("signed too long ago, or in the future: is a clock wrong?")
    signed = f"{number}.{told}.".encode() + body
    wanted = [base64.b64encode(hmac.digest(key, signed, "sha256")) for key in keys]
    given = [
        value.encode()
        for version, _, value in (part.partition(",") for part in signatures.split())
        if version == "v1"
    ]
    # Every pair is compared, so that the time taken tells nothing.
    matches = [
        hmac.compare_digest(ours, theirs) for ours in wanted for theirs in given[:MOST_SIGNATURES]
    ]
    if not any(matches):
        raise SetAside("wrong signature")
    return number


def signature(key: bytes, number: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers that sign a message: for senders, and tests."""
    told = str(int(at.timestamp()))
    made = hmac.digest(key, f"{number}.{told}.".encode() + body, "sha256")
    return {
        "webhook-id": number,
        "webhook-timestamp": told,
        "webhook-signature": f"v1,{base64.b64encode(made).decode()}",
    }
