"""Libraries that find near-duplicates, as ``bench.repeats`` runs them beside ours.

Each gives, text after text, the number of an earlier text that it takes for the same (the most
alike of what its query brings where it can tell), None for none. All compare 4 characters in a row
of our canonical texts at a likeness of .5, as they are usually set up; none knows of time, authors
or reposts. They are no dependencies of the project: those that are installed are run.
"""

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

VALUES, BANDS, ALIKE = 126, 42, 0.5

Found = Iterator[int | None]


def gaoya(texts: Sequence[str]) -> Found:
    """gaoya: Rust, shingles and all."""
    index = import_module("gaoya.minhash").MinHashStringIndex(
        hash_size=32,
        jaccard_threshold=ALIKE,
        num_bands=BANDS,
        band_size=VALUES // BANDS,
        num_hashes=VALUES,
        analyzer="char",
        ngram_range=(4, 4),
    )
    for number, text in enumerate(texts):
        yield min(index.query(text), default=None)
        index.insert_document(number, text)


def rensa(texts: Sequence[str]) -> Found:
    """rensa: Rust, but for the shingles."""
    library = import_module("rensa")
    index = library.RMinHashLSH(threshold=ALIKE, num_perm=VALUES, num_bands=BANDS)
    made: list[Any] = []
    for number, text in enumerate(texts):
        values = library.RMinHash(num_perm=VALUES, seed=7)
        values.update(_shingles(text))
        best = max(
            ((values.jaccard(made[other]), -other) for other in index.query(values)),
            default=(0.0, 0),
        )
        yield -best[1] if best[0] >= ALIKE else None
        index.insert(number, values)
        made.append(values)


def datasketch(texts: Sequence[str]) -> Found:
    """datasketch: Python and numpy."""
    library = import_module("datasketch")
    index = library.MinHashLSH(threshold=ALIKE, num_perm=VALUES, params=(BANDS, VALUES // BANDS))
    made: list[Any] = []
    for number, text in enumerate(texts):
        values = library.MinHash(num_perm=VALUES, seed=7)
        values.update_batch([shingle.encode() for shingle in _shingles(text)])
        best = max(
            ((values.jaccard(made[other]), -other) for other in index.query(values)),
            default=(0.0, 0),
        )
        yield -best[1] if best[0] >= ALIKE else None
        index.insert(number, values)
        made.append(values)


def installed() -> dict[str, Callable[[Sequence[str]], Found]]:
    """Those that can be run here."""
    known = (gaoya, rensa, datasketch)
    return {each.__name__: each for each in known if find_spec(each.__name__)}


def _shingles(text: str) -> list[str]:
    return [text[i : i + 4] for i in range(max(1, len(text) - 3))]
