"""What of the SQL is the same everywhere and what each database says for itself."""

import pytest

from sinks.dialect import Dialect

UPPER = Dialect("duckdb_sql", {"shout": lambda given: "+".join(given).upper()})


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("SELECT @shout(a, f(b, c))", "SELECT A+F(B, C)"),
        ("SELECT @shout('a, (b', c)", "SELECT 'A, (B'+C"),
        ("SELECT '@shout(a)' -- @shout(b)", "SELECT '@shout(a)' -- @shout(b)"),
        ("@word, @words NOT NULL", "VARCHAR, VARCHAR[] NOT NULL"),
        ("@matches(lower(a), 'x,y')", "regexp_matches(lower(a), 'x,y')"),
        ("@holds(a, $b::text)", "list_contains(a, $b::text)"),
        ("@json_object('a', b, 'c', d)", "json_object('a', b, 'c', d)"),
    ],
)
def test_words(text: str, meant: str) -> None:
    """A word becomes what the database says for it, but not in literals and comments."""
    assert UPPER.written_out(text) == meant


def test_templates() -> None:
    """A template is written out in brackets, with names of relations, and templates in it, too."""
    text = UPPER.written_out("SELECT * FROM @incident_count_of(some_links, some_mentions) c")
    assert "FROM some_links l JOIN some_mentions m" in text
    assert text.startswith("SELECT * FROM (\n")
    assert text.endswith("\n) c")


def test_files_that_are_missing_or_overlap() -> None:
    """A file that nobody has, and a name that stands in two files, are refused."""
    with pytest.raises(ValueError, match="there is no querys"):
        UPPER.load("querys")
    with pytest.raises(ValueError, match="elsewhere"):
        UPPER.load("queries", "queries")


@pytest.mark.parametrize("text", ["SELECT @nothing_of_ours(a)", "SELECT @shout(a"])
def test_mistakes(text: str) -> None:
    """What nobody defined, and brackets without an end, are refused."""
    with pytest.raises(ValueError, match=r"nothing is named|never close"):
        UPPER.written_out(text)
