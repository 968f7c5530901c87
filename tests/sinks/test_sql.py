"""The loader of named SQL, and the files it loads."""

import re

import pytest

from sinks.sql import load, parse

FOLDER = "duckdb_sql"


def test_sections() -> None:
    """A section has a name, words, a statement and the values it binds."""
    found = parse("-- a file\n\n-- name: one\n-- Gives one\n-- row.\nSELECT $a, '$b' -- $c\n;\n")
    query = found["one"]
    assert (query.about, query.text) == ("Gives one row.", "SELECT $a, '$b' -- $c")
    assert query.parameters == {"a"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("-- name: a\n-- x\nSELECT 1;\n-- name: a\n-- y\nSELECT 2;", "given twice"),
        ("-- name: a\nSELECT 1;", "needs a sentence"),
        ("-- name: a\n-- only words\n", "and a statement"),
        ("SELECT 1;\n-- name: a\n-- x\nSELECT 1;", "before the first name"),
    ],
)
def test_mistakes(text: str, complaint: str) -> None:
    """What would load half is refused."""
    with pytest.raises(ValueError, match=complaint):
        parse(text)


def test_every_table_has_its_upsert() -> None:
    """Each table but meta is written by the section of its name."""
    tables = load(FOLDER, "schema").keys() - {"meta"}
    assert tables <= load(FOLDER, "upserts").keys()


@pytest.mark.parametrize("file", ["schema", "views"])
def test_sections_are_named_after_what_they_make(file: str) -> None:
    """The name over a statement is the name in it."""
    for name, query in load(FOLDER, file).items():
        made = re.match(r"CREATE (?:TABLE|VIEW|MACRO) (\w+)", query.text)
        assert made is not None
        assert made.group(1) == name


def test_values_are_bound() -> None:
    """No statement has a place for text to be put in."""
    for file in ("schema", "upserts", "views", "queries"):
        for query in load(FOLDER, file).values():
            assert "%s" not in query.text
            assert not re.search(r"\{\w*\}", query.text)
