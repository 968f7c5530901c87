"""What the texts of a post and an incident say for a link, as numbers that weights multiply.

The linker and the fit of its weights (``bench/link_fit.py``) read them from here, so that what is
fitted is what is used.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.steps.kinds import Kinds
from pipeline.steps.likeness import Alike
from pipeline.steps.weights import Weights

Floats = NDArray[np.float64]
#: Those of the words shared, of the kind of event, and of what people taught.
TEXT: Final = ("whole", "heading", "phrase", "words")
KIND: Final = ("same_kind", "other_kind", "kind_and_place")
TAUGHT: Final = ("taught", "taught_well")
#: More words in common than these say no more.
WORDS_AT_MOST: Final = 3
#: So much rarity of shared names of places is a place in common.
PLACE_FROM: Final = 3.0


def features(alike: Alike, post: Kinds, incident: Kinds, w: Weights) -> dict[str, Floats]:
    """The numbers of each pair by the name of their weight.

    ``post`` and ``incident`` are the kinds that the two sides of each pair name.
    """
    same = (post & incident) != 0
    other = (post != 0) & (incident != 0) & ~same
    told = {
        "whole": alike.whole,
        "heading": alike.heading,
        "phrase": alike.phrase,
        "words": np.minimum(alike.words, WORDS_AT_MOST),
        "same_kind": same,
        "other_kind": other,
        "kind_and_place": same & (alike.where >= PLACE_FROM),
        "taught": np.clip(alike.taught, -w.rejected_at_most, w.taught_at_most),
        "taught_well": np.maximum(alike.taught - w.taught_at_most, 0.0),
    }
    return {name: np.asarray(values, np.float64) for name, values in told.items()}


def weighed(found: Mapping[str, Floats], names: Sequence[str], w: Weights) -> Floats:
    """The sum of these features, each times its weight."""
    total = np.zeros_like(found[names[0]])
    for name in names:
        total += float(getattr(w, name)) * found[name]
    return total
