"""Small sets of labelled posts for tests, put together from our own words."""

import itertools
from pathlib import Path

from pipeline.examples import Example
from pipeline.train import Report, Settings, train

_TROUBLE = ("no signal", "the app crashes", "nothing loads", "cannot log in", "payments fail")
_JOY = ("lovely staff", "great update", "so fast today", "best support ever", "works like a charm")
_ASK = ("what does it cost", "when do you open", "how do I cancel", "is there a discount")
_WHERE = ("in Leeds", "at home", "this morning", "since the update", "again", "for me", "@acme", "")
_GROUPS = ("acme", "nordwind", "brixmart", "murmo", "paylo", "hoppla")


def moods(labels: tuple[str, ...] = ("bad", "good", "ask")) -> list[Example]:
    """Posts whose label is easy to see, in six groups."""
    kinds = dict(zip(("bad", "good", "ask"), (_TROUBLE, _JOY, _ASK), strict=True))
    return [
        Example(f"{what} {where} {group}".strip(), label, group, "en")
        for label in labels
        for (what, where), group in zip(
            itertools.product(kinds[label], _WHERE), itertools.cycle(_GROUPS), strict=False
        )
    ]


def small_model(directory: Path, head: str = "mood", version: str = "0") -> Report:
    """A model of ``moods`` in ``directory``, trained in a blink."""
    return train(moods(), head, directory, settings=Settings(max_rows=3_000, version=version))
