"""The page of sources is true: every test it names is there, every type stands on it."""

import re
from pathlib import Path

from config.sources import KINDS

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs/sources.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_is_there() -> None:
    """A case without its test would be a promise."""
    texts = (path.read_text(encoding="utf-8") for path in TESTS.rglob("*.py"))
    there = {name for text in texts for name in re.findall(r"def (test_\w+)\(", text)}
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 40
    assert named <= there


def test_every_type_of_source_stands_on_the_page() -> None:
    """With what it reads and what it needs."""
    types = {kind.name for kind in KINDS if kind.kind == "social"} - {"facebook-hook"}
    assert {name for name in types if f"`{name}`" not in PAGE} == set()
