"""Mentions in, feedback out: the steps in their order over one batch."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from pipeline.model import Feedback, Mention
from pipeline.ports import RepeatIndex
from pipeline.steps import claims, repeats, text
from pipeline.steps.aliases import Aliases
from pipeline.steps.labels import Labeller
from pipeline.steps.links import Linker


class Enricher:
    """All steps behind one call; the answers do not depend on how mentions are cut into batches.

    ``seconds`` adds up the time spent in each step, by its name, as ``timer`` tells it.
    """

    def __init__(
        self,
        *,
        index: RepeatIndex,
        labeller: Labeller,
        aliases: Aliases,
        linker: Linker,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._index = index
        self._labeller = labeller
        self._aliases = aliases
        self._linker = linker
        self.model = labeller.version
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._timer = timer
        self._since = 0.0

    def __call__(self, mentions: Sequence[Mention]) -> list[Feedback]:
        """Feedback for each mention, in the same order."""
        self._since = self._timer()
        texts = text.prepare(mentions)
        self._spent("text")
        found = repeats.find(mentions, texts, self._index)
        self._spent("repeats")
        named = self._labeller.label(mentions, texts)
        self._spent("labels")
        placed = self._aliases.find(mentions, texts)
        self._spent("aliases")
        claimed = claims.find(texts)
        self._spent("claims")
        labels = [a | b | c for a, b, c in zip(named, placed, claimed, strict=True)]
        links = self._linker.link(mentions, texts, labels)
        self._spent("links")
        feedback = [
            # The parts are checked words already; checking them again would cost as much as a step.
            Feedback.unchecked(
                {
                    "mention": mention,
                    "repeat": repeat,
                    "labels": label,
                    "links": link,
                    "model": self.model,
                }
            )
            for mention, repeat, label, link in zip(mentions, found, labels, links, strict=True)
        ]
        self._spent("words")
        return feedback

    def restore(self, feedback: Sequence[Feedback]) -> None:
        """Puts the claims of past feedback back into the index of repeats."""
        repeats.restore(feedback, self._index)

    def forget(self, ids: Sequence[str]) -> None:
        """Takes the letters of erased mentions out of the index of repeats."""
        self._index.forget(ids)

    def _spent(self, step: str) -> None:
        now = self._timer()
        self.seconds[step] += now - self._since
        self._since = now
