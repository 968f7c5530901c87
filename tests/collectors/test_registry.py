"""Every source of the catalogue is known to be tested by the contract suite."""

import re
from pathlib import Path

from config.sources import KINDS

TESTS = Path(__file__).parent
#: These stood before the suite of platforms, and have tests of their own for the same.
ELSEWHERE = {"bluesky", "recorded"}


def test_the_contract_suite_runs_on_every_source() -> None:
    """A new source without its contract test does not pass."""
    texts = (path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))
    tested = {
        kind
        for text in texts
        for kind in re.findall(r'^    kind = "([\w-]+)"$', text, re.MULTILINE)
    }
    assert {kind.name for kind in KINDS} - ELSEWHERE == tested
