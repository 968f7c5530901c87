"""The loader of named SQL, and the files it loads."""

import re

import pytest

from sinks import migrations
from sinks.dialect import QUERIES, VIEWS, Dialect
from sinks.duckdb_warehouse import DUCKDB
from sinks.postgres_statements import POSTGRES
from sinks.sql import parse

DIALECTS = [pytest.param(DUCKDB, id="duckdb"), pytest.param(POSTGRES, id="postgres")]


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


def statements(dialect: Dialect) -> list[str]:
    """What all migrations do."""
    return [text for each in migrations.load(dialect) for text in each.statements]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_table_has_its_upsert(dialect: Dialect) -> None:
    """Each table that a write brings rows to is written by its section, and its past before."""
    done = "\n".join(statements(dialect))
    tables = set(re.findall(r"CREATE TABLE (\w+)", done)) - set(
        re.findall(r"DROP TABLE (\w+)", done)
    )
    upserts = dialect.load("upserts")
    written = upserts.keys()
    history = {name for name in tables if name.endswith("_version")}
    past = [query.text.split()[2] for name, query in upserts.items() if name.endswith("_past")]
    assert sorted(past) == sorted(history)
    assert {name for name in written if name.endswith("_past")} <= {f"{t}_past" for t in tables}
    counts = {name for name in tables if name.startswith(("agg_", "rollup"))}
    assert tables - history - counts - {"meta", "state", "due_part"} <= written


@pytest.mark.parametrize("dialect", DIALECTS)
def test_sections_are_named_after_what_they_make(dialect: Dialect) -> None:
    """The name over a statement is the name in it."""
    for name, query in dialect.load("migrations/0001_first", *VIEWS).items():
        made = re.match(r"CREATE (?:TABLE|VIEW|INDEX) (\w+)", query.text)
        assert made is None or made.group(1) == name


@pytest.mark.parametrize("dialect", DIALECTS)
def test_values_are_bound(dialect: Dialect) -> None:
    """No statement has a place for text to be put in, and nothing is left to be written out."""
    loaded = dialect.load(*VIEWS, *QUERIES), dialect.load("upserts")
    for text in [*statements(dialect), *(q.text for each in loaded for q in each.values())]:
        assert "%s" not in text
        assert not re.search(r"\{\w*\}", text)
        assert "@" not in text


def test_databases_answer_the_same_queries() -> None:
    """What one database can be asked the others can, with the same values."""
    duckdb, postgres = DUCKDB.load(*QUERIES), POSTGRES.load(*QUERIES)
    assert {n: q.parameters for n, q in duckdb.items()} == {
        n: q.parameters for n, q in postgres.items()
    }


def test_views_stand_after_what_they_read() -> None:
    """A view is made after all views that it names."""
    names = list(DUCKDB.views(*VIEWS))
    assert names.index("best_link") < names.index("feedback") < names.index("crowd")
