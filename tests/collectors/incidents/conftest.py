"""What tests of incident tools have in common."""

import pytest


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key to a tool's API, for those that are asked."""
    monkeypatch.setenv("ACME_KEY", "a-key")
