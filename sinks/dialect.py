"""One SQL for all databases, and what each says in its own way.

``common_sql`` holds what is the same everywhere. What a database has to say differently stands in
its own folder (``duckdb_sql``, ``postgres_sql``, ``clickhouse_sql``), in a file of the same name,
under a name of its own: nothing stands twice, unless the sentence of its own one begins with
"Instead". Three things make the difference small:

- words (``words.sql`` of the database): ``@matches(a, b)`` becomes what this database says for it,
  with ``@1`` in it replaced by ``a`` and ``@*`` by all that stands in the brackets. What most
  databases say alike stands in ``common_sql/words.sql``; a database's own word comes before it;
- templates (``templates.sql``): ``@mention_now_of(a, b)`` becomes the section of that name in
  brackets, filled in the same way. Names of relations go in, never values;
- views are made in the order in which they need each other, wherever they stand.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from graphlib import TopologicalSorter
from types import MappingProxyType
from typing import Final

from sinks import sql
from sinks.sql import Query

COMMON: Final = "common_sql"
#: The files of views, and of the questions that page, watch and sources ask. A new file goes here.
VIEWS: Final = ("views", "rollup_views", "crowd_views", "dim_views", "history_views")
QUERIES: Final = ("export_queries", "queries", "crowd_queries", "source_queries", "relabel_queries")
_TEMPLATES: Final = ("templates", "crowd_templates", "rollup_templates")
# Literals and comments are matched too, so that nothing inside them is taken for a use.
_USE = re.compile(r"'(?:[^']|'')*'|--[^\n]*|@([a-z]\w*)")
_BRACKETS = re.compile(r"'(?:[^']|'')*'|[(),]")
_ARGUMENT = re.compile(r"@(\d|\*)")
_NONE: Final = MappingProxyType[str, Callable[[list[str]], str]]({})


class Dialect:
    """The SQL of one database.

    ``own`` are words that are made by code, by name. ``migrations`` is the folder of its
    migrations: databases that name the same one share those of ``common_sql``, too.
    """

    def __init__(
        self,
        folder: str,
        own: Mapping[str, Callable[[list[str]], str]] = _NONE,
        migrations: str = "migrations",
    ) -> None:
        self.folder = folder
        self.migrations = migrations
        self._own = own

    def load(self, *files: str) -> dict[str, Query]:
        """The statements of these files as this database takes them, by name.

        Raises ValueError for a name that stands twice and for a word or template that is missing.
        """
        found = self._raw(files)
        return {name: replace(q, text=self.written_out(q.text)) for name, q in found.items()}

    def views(self, *files: str) -> dict[str, Query]:
        """As ``load``, every view after those that it reads."""
        made = self.load(*files)
        reads = {
            name: {other for other in re.findall(r"\w+", q.text) if other in made and other != name}
            for name, q in made.items()
        }
        return {name: made[name] for name in TopologicalSorter(reads).static_order()}

    def written_out(self, text: str) -> str:
        """The text with every word and template in it replaced by what it stands for."""
        done: list[str] = []
        at = 0
        while (use := _USE.search(text, at)) is not None:
            done.append(text[at : use.start()])
            at = use.end()
            if use.group(1) is None:
                done.append(use.group())
            else:
                meant, at = self._meant(use.group(1), text, at)
                done.append(meant)
        return "".join([*done, text[at:]])

    def _meant(self, name: str, text: str, at: int) -> tuple[str, int]:
        """What a use stands for, and where the text after it begins."""
        given: list[str] = []
        if text[at : at + 1] == "(":
            given, at = arguments(text, at)
        if name in self._own:
            return self.written_out(self._own[name](given)), at
        word = self._words.get(name)
        body = word or self._templates.get(name)
        if body is None:
            raise ValueError(f"{self.folder}: nothing is named @{name}")
        filled = _ARGUMENT.sub(lambda place: _filling(place.group(1), given), body.text)
        filled = self.written_out(filled)
        return (filled if word else f"(\n{filled}\n)"), at

    @cached_property
    def _words(self) -> dict[str, Query]:
        return {**sql.load(COMMON, "words"), **sql.load(self.folder, "words")}

    @cached_property
    def _templates(self) -> dict[str, Query]:
        return self._raw(_TEMPLATES)

    def _raw(self, files: tuple[str, ...]) -> dict[str, Query]:
        found: dict[str, Query] = {}
        for file in files:
            own = [(folder, sql.load(folder, file)) for folder in (COMMON, self.folder)]
            if not any(sections for _, sections in own):
                raise ValueError(f"there is no {file}.sql in {COMMON} or {self.folder}")
            for folder, sections in own:
                both = found.keys() & sections.keys()
                twice = {name for name in both if not sections[name].instead}
                if twice:
                    raise ValueError(f"{folder}/{file}.sql: {sorted(twice)} stand elsewhere, too")
                found |= sections
        return found


def _filling(place: str, given: list[str]) -> str:
    return ", ".join(given) if place == "*" else given[int(place) - 1]


def arguments(text: str, at: int) -> tuple[list[str], int]:
    """What stands in the brackets that open at ``at``, split at commas, and where they end."""
    given, depth, start = list[str](), 0, at + 1
    for mark in _BRACKETS.finditer(text, at):
        depth += {"(": 1, ")": -1}.get(mark.group(), 0)
        if depth == 0 or (mark.group() == "," and depth == 1):
            given.append(text[start : mark.start()].strip())
            start = mark.end()
        if depth == 0:
            return given, start
    raise ValueError(f"brackets that open at {text[at : at + 20]!r} never close")
