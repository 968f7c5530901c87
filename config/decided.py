"""What people relabelled, as examples to learn from."""

from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from collectors.kit.policy import policy
from config.settings import Settings
from pipeline.errors import Misuse
from pipeline.examples import Example
from pipeline.ports import Warehouse

#: The heads that a person may correct, and their columns.
_COLUMNS = {
    head: head for head in ("intent", "topic", "severity", "sentiment", "informative", "noise")
}
# A person's last word on each post whose text is still there. Repeats share a group, so that a post
# and its copy never stand on both sides of a split.
_SQL = """
SELECT w.text, p.{column} AS label, m.repeat_group, m.lang, m.source
FROM person_label p JOIN fct_mention m ON m.id = p.id JOIN mention_private w ON w.mention_id = m.id
WHERE p.{column} IS NOT NULL AND w.text IS NOT NULL AND NOT m.is_hidden AND NOT m.is_erased
ORDER BY m.id
"""


class Decided(NamedTuple):
    """Examples, and how many more there are whose platform forbids to learn from them."""

    examples: list[Example]
    left_out: int


def decided(known: Settings, head: str, path: Path | None = None) -> Decided:
    """People's labels under ``head`` in the warehouse at ``path``, or in that of the settings.

    Raises Misuse when people cannot correct that head or there is no such warehouse.
    """
    if head not in _COLUMNS:
        raise Misuse(f"people label {', '.join(_COLUMNS)}: there are no decisions about {head}")
    with closing(_opened(known, path)) as warehouse:
        rows = warehouse.sql(_SQL.format(column=_COLUMNS[head])).rows
    examples = [
        Example(text, label, group, lang)
        for text, label, group, lang, source in rows
        if policy(source).may_train
    ]
    return Decided(examples, len(rows) - len(examples))


def _opened(known: Settings, path: Path | None) -> Warehouse:
    if path is None and known.warehouse.url is not None:
        from config import scale

        return scale.warehouse(known)
    from sinks.duckdb_warehouse import open_for_reading

    return open_for_reading(path or known.warehouse.path)[0]
