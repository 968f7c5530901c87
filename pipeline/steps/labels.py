"""Labels: what a post is, by linear models over words, their parts and concepts, and its language.

All heads that share their features share one reading of the texts and one sum over their words. A
head's answer is its best label, the probability that this label is right (softmax with a
temperature fitted on held-out texts) and ``sure``: whether that probability lies above the
threshold from which the label was right in nine of ten held-out cases. ``language`` is the
platform's word, else eldc's.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import eldc
import numpy as np

from pipeline.errors import GiveUp
from pipeline.heads import SUFFIX, Features, Floats, Head, read_head
from pipeline.model import Label, Mention
from pipeline.steps.scores import Scorer
from pipeline.steps.text import Texts

LANGUAGE = "language"
UNKNOWN_LANGUAGE = "und"
# Below this many letters eldc guesses: "ok" becomes Italian. Scripts of their own need fewer.
_LETTERS = 6
_LETTERS_OTHER_SCRIPT = 3
# Share of right answers on 3,109 posts in five languages, by eldc's own mark of reliability.
_P_RELIABLE, _P_DOUBTFUL, _P_GIVEN = 0.98, 0.78, 0.99
# Platforms' ways to say that they do not know; X has a family of codes for "no words".
_NO_LANGUAGE = frozenset({"", "und", "zxx", "qam", "qct", "qht", "qme", "qst", "art", "mul"})
# Labels are frozen: one object serves all posts with the same answer. What platforms call a
# language is theirs to choose, so that there may be any number.
_SHARED_LABELS = 20_000

_OFFICIAL = {
    "voice": Label(name="official", p=1.0, sure=True),
    "intent": Label(name="other", p=1.0, sure=True),
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Stack:
    """Heads with the same features: their weights side by side."""

    heads: tuple[Head, ...]
    scorer: Scorer
    intercepts: Floats  # all columns

    def scores(self, texts: Sequence[str]) -> Floats:
        sums = self.scorer(texts)
        sums += self.intercepts
        return sums


class Labeller:
    """Answers every head for a batch. ``version`` names all weights and sorts by their age.

    ``official``: handles or ids of accounts that speak for what we listen to. Their posts get the
    label ``voice`` and are never reports: who says that the service is down does not witness it.
    """

    def __init__(self, heads: Sequence[Head], version: str, official: Iterable[str] = ()) -> None:
        self.version = version
        self._official = frozenset(name.lstrip("@").casefold() for name in official)
        self.labels: dict[str, tuple[str, ...]] = {h.card.head: h.card.labels for h in heads}
        self._stacks = _stacked(heads)
        # Probabilities have three places, so that these stay small.
        self._shared: dict[str, dict[tuple[int, float, bool], Label]] = {
            head: {} for head in self.labels
        }
        self._languages: dict[tuple[str, float, bool], Label] = {}
        eldc.init()

    @classmethod
    def load(cls, dirs: Sequence[Path], official: Iterable[str] = ()) -> "Labeller":
        """Reads all heads of ``dirs``; a head in a later one replaces its namesake.

        Raises GiveUp when a directory is missing, none holds a head, or a file is not sound.
        """
        found: dict[str, Head] = {}
        laid_over: set[str] = set()
        for directory in dirs:
            if not directory.is_dir():
                raise GiveUp(f"{directory}: no such directory of models: mend the model setting")
            for path in sorted(directory.glob(f"*{SUFFIX}")):
                if found and directory != dirs[0]:
                    laid_over.add(path.stem)
                found[path.stem] = read_head(path)
        if not found:
            names = ", ".join(str(directory) for directory in dirs) or "no directory"
            raise GiveUp(f"no models in {names}: mend the model setting, or train one")
        heads = [found[name] for name in sorted(found)]
        version = max((h.card.version for h in heads if h.card.head not in laid_over), default="0")
        for head in heads:
            if head.card.head in laid_over:
                version += f"+{head.card.head}.{head.card.revision:04d}.{head.digest}"
        log.info("labels: version %s, heads %s", version, " ".join(found))
        return cls(heads, version, official)

    def label(self, mentions: Sequence[Mention], texts: Texts) -> list[dict[str, Label]]:
        """A label for every head and for ``language``, in the order of the mentions."""
        found = self.decide(texts.plain)
        columns = [self._named(head, *answers) for head, answers in found.items()]
        columns.append(list(map(self._language, (m.lang for m in mentions), texts.plain)))
        names = (*found, LANGUAGE)
        labels = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        if self._official:
            for mention, of_it in zip(mentions, labels, strict=True):
                if self._is_official(mention):
                    of_it |= _OFFICIAL
        return labels

    def _is_official(self, mention: Mention) -> bool:
        author = mention.author
        return author is not None and any(
            name.lstrip("@").casefold() in self._official
            for name in (author.handle, author.id)
            if name
        )

    def decide(self, plain: Sequence[str]) -> dict[str, tuple[list[int], list[float], list[bool]]]:
        """By head, aligned with ``plain``: index of the best label, its probability, sure or not.

        ``plain`` are prepared texts (``Texts.plain``).
        """
        if not plain:
            return {}
        found = {}
        for stack in self._stacks:
            scores = stack.scores(plain)
            at = 0
            for head in stack.heads:
                found[head.card.head] = _best(head, scores[:, at : at + head.columns])
                at += head.columns
        return found

    def _named(self, head: str, best: list[int], p: list[float], sure: list[bool]) -> list[Label]:
        shared, names = self._shared[head], self.labels[head]
        labels = []
        for key in zip(best, p, sure, strict=True):
            label = shared.get(key)
            if label is None:
                label = shared[key] = Label(name=names[key[0]], p=key[1], sure=key[2])
            labels.append(label)
        return labels

    def _label(self, language: str, p: float, sure: bool) -> Label:
        key = (language, p, sure)
        label = self._languages.get(key)
        if label is None:
            label = Label(name=language, p=p, sure=sure)
            if len(self._languages) < _SHARED_LABELS:
                self._languages[key] = label
        return label

    def _language(self, given: str | None, plain: str) -> Label:
        """The platform's language if it gave one, otherwise what the text looks like."""
        code = (given or "").replace("_", "-").split("-", 1)[0].strip().lower()
        if code not in _NO_LANGUAGE:
            return self._label(code, _P_GIVEN, True)
        said = _words_only(plain)
        enough = _LETTERS if said.isascii() else _LETTERS_OTHER_SCRIPT
        if not _has_letters(said, enough):
            return self._label(UNKNOWN_LANGUAGE, 0.0, False)
        guess = eldc.detect_details(said)
        p = _P_RELIABLE if guess.reliable else _P_DOUBTFUL
        if guess.language == UNKNOWN_LANGUAGE:
            p = 0.0
        return self._label(guess.language, p, guess.reliable and p > 0)


def _stacked(heads: Sequence[Head]) -> list[_Stack]:
    alike: defaultdict[Features, list[Head]] = defaultdict(list)
    for head in heads:
        alike[head.card.features].append(head)
    stacks = []
    for features, group in alike.items():
        rows = np.unique(np.concatenate([head.rows for head in group])).astype(np.int64)
        columns = sum(head.columns for head in group)
        weights = np.zeros((rows.size, columns), dtype=np.float32)
        intercepts = np.zeros(columns, dtype=np.float32)
        at = 0
        for head in group:
            here = slice(at, at + head.columns)
            weights[np.searchsorted(rows, head.rows), here] = head.weights[:-1]
            intercepts[here] = head.weights[-1]
            at += head.columns
        scorer = Scorer(rows, weights, bits=features.bits, chars=features.chars)
        stacks.append(_Stack(tuple(group), scorer, intercepts))
    return stacks


def _best(head: Head, scores: Floats) -> tuple[list[int], list[float], list[bool]]:
    p = head.probabilities(scores)
    best = p.argmax(axis=1)
    top = np.round(p[np.arange(len(p)), best].astype(np.float64), 3)
    sure = top >= np.asarray(head.card.thresholds)[best]
    return best.tolist(), top.tolist(), sure.tolist()


def _words_only(plain: str) -> str:
    """The text without links and user names, which say nothing about its language."""
    words = plain[:400].replace("#", " ")
    if "@" not in words and "://" not in words:
        return words
    return " ".join(word for word in words.split() if word[0] != "@" and "://" not in word)


def _has_letters(text: str, enough: int) -> bool:
    """Whether there are that many letters; nearly always the beginning tells."""
    start = text[: 4 * enough]
    return sum(map(str.isalpha, start)) >= enough or sum(map(str.isalpha, text)) >= enough
