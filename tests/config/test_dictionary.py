"""The data dictionary is complete and current."""

from pathlib import Path

from config import dictionary
from sinks.dialect import VIEWS
from sinks.duckdb_warehouse import DUCKDB

PAGE = Path(__file__).parents[2] / "docs" / "warehouse.md"


def test_every_column_is_explained() -> None:
    """Each column of a stable view or a table has words, and no words are about nothing."""
    words, known = dictionary.glossary(), dictionary.columns()
    views = DUCKDB.views(*VIEWS)
    shown = [name for name in known if name in dictionary.STABLE or name not in views]
    missing = [
        f"{table}.{name}"
        for table in shown
        for name, _ in known[table]
        if dictionary.meaning(words, table, name) is None
    ]
    assert missing == []
    names = {name for fields in known.values() for name, _ in fields}
    assert words["everywhere"].keys() <= names
    for table in words.keys() - {"everywhere"}:
        assert words[table].keys() <= {name for name, _ in known[table]}


def test_the_page_is_current() -> None:
    """`make dictionary` was run after the last change of the SQL."""
    assert PAGE.read_text(encoding="utf-8") == dictionary.written()
