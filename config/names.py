"""The names that each head may give: ours, and a team's own.

What reads models is imported only where there are models of one's own: the page is up before.
"""

import tomllib
from importlib.resources import files

from config.settings import Settings


def shipped_names() -> dict[str, list[str]]:
    """Ours, from ``labels.toml``."""
    text = files("config").joinpath("labels.toml").read_text(encoding="utf-8")
    return {head: list(names) for head, names in tomllib.loads(text).items()}


def label_names(known: Settings) -> dict[str, list[str]]:
    """Ours first, then those of the file of own labels, then those of one's own models.

    A label can so be given by people before any model knows it. Raises Misuse or GiveUp that names
    the file when the settings name one that cannot be read.
    """
    names = shipped_names()
    if known.models.labels is not None:
        from config.team_labels import own_labels

        for head, own in own_labels(known.models.labels).items():
            names[head] = list(dict.fromkeys([*names.get(head, ()), *own]))
    if known.models.dir is not None:
        from pipeline.heads import SUFFIX, read_head

        for path in sorted(known.models.dir.glob(f"*{SUFFIX}")):
            card = read_head(path).card
            names[card.head] = list(dict.fromkeys([*names.get(card.head, ()), *card.labels]))
    return names
