"""Naming anew: a new model, or new tracks, over what the warehouse holds.

What comes of it is feedback under a newer model's name: a revision like any other, which replaces
the labels wherever feedback is kept. Repeats stay as they were claimed, and links stay until their
incident changes, when the labels are read with everything else. A run that was killed is run again:
what it has done already is newer than what it looks for.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from pipeline.errors import Misuse
from pipeline.model import HEADS, WHAT_AND_WHERE, Author, Feedback, Label, Mention, Repeat
from pipeline.ports import Row, Warehouse
from pipeline.steps import claims, text
from pipeline.steps.aliases import Aliases
from pipeline.steps.labels import Labeller
from pipeline.tracks import Matcher

PAGE: Final = 1_000
#: Stands between a model's name and the number of the run; sorts before any other sign of a name.
RUN: Final = "#"
#: Under which column of ``mentions_held`` each head's name stands.
_COLUMNS: Final = {h: "app_version" if h == "version" else h for h in (*HEADS, *WHAT_AND_WHERE)}
#: The same in both: the fields of a mention and the columns.
_SAME: Final = [
    "kind",
    "lang",
    "said_at",
    "event_at",
    "seen_at",
    "url",
    "reply_to",
    "repost_of",
    "quote_of",
    "thread",
    "rating",
    "version",
]

#: How many mentions a head called one name and calls another now; no name is None.
Changes = Counter[tuple[str, str | None, str | None]]


def target(warehouse: Warehouse, model: str, again: bool, begun: str | None = None) -> str:
    """The name under which this run's labels are kept: newer than all that it replaces.

    A run that was killed goes on under its own name; with ``again`` only if it is ``begun``, the
    name of one that did not come to its end. The number of the run tells these rows from those
    that the model named as they came in. Raises Misuse where a newer model was at work.
    """
    (row,) = warehouse.rows("newest_model")
    newest: str = row["model"] or ""
    runs = newest.startswith(f"{model}{RUN}")
    if newest > model and not runs:
        raise Misuse(
            f"the warehouse holds labels of {newest}, which is newer than this model ({model}): "
            "name the newer one with --model"
        )
    if begun is not None and begun.startswith(f"{model}{RUN}") and newest <= begun:
        return begun
    if runs and not again:
        return newest
    number = int(newest.partition(RUN)[2] or 0) if runs else 0
    return f"{model}{RUN}{number + 1:04d}"


class Relabeller:
    """Names what is held anew and gives the feedback to ``put``, a page at a time.

    ``matcher`` adds the tracks that match now; tracks that are no longer configured go, others stay
    (a source may have given them).
    """

    def __init__(
        self,
        warehouse: Warehouse,
        labeller: Labeller,
        aliases: Aliases,
        put: Callable[[Sequence[Feedback]], None],
        *,
        matcher: Matcher | None = None,
        page: int = PAGE,
    ) -> None:
        self._warehouse = warehouse
        self._labeller = labeller
        self._aliases = aliases
        self._put = put
        self._matcher = matcher
        self._page = page

    def run(
        self, name: str, since: datetime | None = None, *, again: bool = False
    ) -> Iterator[tuple[int, Changes]]:
        """Works through all that an older model than ``name`` named; ``again``: or this very one.

        After each page: how many mentions it had, and what changed in it.
        """
        after_at, after = None, ""
        while rows := self._warehouse.rows(
            "mentions_held",
            before=name,
            besides=None if again else self._labeller.version,
            since=since,
            after_at=after_at,
            after=after,
            limit=self._page,
        ):
            after_at, after = rows[-1]["event_at"], rows[-1]["id"]
            made = self._named(rows, name)
            self._put(made)
            yield len(rows), _changes(rows, made)

    def _named(self, rows: Sequence[Row], name: str) -> list[Feedback]:
        mentions = [self._tracked(mention_of(row)) for row in rows]
        texts = text.prepare(mentions)
        parts = zip(
            self._labeller.label(mentions, texts),
            self._aliases.find(mentions, texts),
            claims.find(texts),
            strict=True,
        )
        return [
            Feedback(mention=mention, repeat=_repeat(row), labels=a | b | c, model=name)
            for mention, row, (a, b, c) in zip(mentions, rows, parts, strict=True)
        ]

    def _tracked(self, mention: Mention) -> Mention:
        if self._matcher is None:
            return mention
        kept = [name for name in mention.tracks if name in self._matcher.names]
        tracks = tuple(dict.fromkeys([*kept, *self._matcher.match(mention)]))
        return (
            mention if tracks == mention.tracks else mention.model_copy(update={"tracks": tracks})
        )


def mention_of(row: Row) -> Mention:
    """The whole mention in a row of ``mentions_held``."""
    source = row["source"]
    author = row["author_id"]
    told_version = row["app_version"] if row["app_version_p"] == 1 else None
    return Mention(
        source=source,
        external_id=row["id"][len(source) + 1 :],
        text=row["text"] or "",
        author=Author(
            id=None if author is None else author[len(source) + 1 :], handle=row["handle"]
        ),
        place=row["said_place"],
        hashtags=row["hashtags"] or (),
        mentions=row["mentions"] or (),
        links=row["links"] or (),
        engagement=row["engagement"] or {},
        app_version=told_version,
        tracks=row["tracks"],
        **{name: row[name] for name in _SAME},
    )


def _repeat(row: Row) -> Repeat:
    return Repeat(kind=row["repeat_kind"], of=row["repeat_of"], group=row["repeat_group"])


def _changes(rows: Sequence[Row], made: Sequence[Feedback]) -> Changes:
    """What the heads say otherwise now, and tracks that came or went."""
    changes: Changes = Counter()
    for row, feedback in zip(rows, made, strict=True):
        for head, column in _COLUMNS.items():
            before, now = row[column], _name(feedback.labels, head)
            if before != now:
                changes[head, before, now] += 1
        before_tracks, now_tracks = set(row["tracks"]), set(feedback.mention.tracks)
        changes.update(("track", name, None) for name in before_tracks - now_tracks)
        changes.update(("track", None, name) for name in now_tracks - before_tracks)
    return changes


def _name(labels: Mapping[str, Label], head: str) -> str | None:
    label = labels.get(head)
    return None if label is None else label.name
