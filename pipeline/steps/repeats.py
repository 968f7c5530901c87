"""Repeats: which posts are one matter told again, so that volume is never taken for witnesses.

A post is compared by what it retells (a repost and its original share a key made from the
original's id, whichever comes first), by its canonical text, and by its letters with those of posts
that share a band of its MinHash or a phrase with it. Texts so short that strangers write them
independently ("acme is down") are nobody's repeat but their author's own.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import xxhash
from numpy.typing import NDArray

from pipeline.model import Feedback, Mention, Repeat, RepeatKind
from pipeline.ports import Claim, Fingerprints, RepeatIndex
from pipeline.steps.hashing import mixed
from pipeline.steps.shingles import VALUES, shingled, unspaced
from pipeline.steps.text import Texts, prepare
from pipeline.values import to_ms

#: How MinHash values make bands: posts that share half of their shingles meet in one of 10 bands of
#: 2 with a probability of .94, those that share a fifth with .34; their letters tell them apart.
ROWS: Final = 2
BANDS: Final = VALUES // ROWS
#: Shorter texts are not compared across authors: fewer characters or words than these, or, in
#: scripts without spaces, fewer ideographs or letters.
LEAST_CHARACTERS, LEAST_WORDS = 16, 4
LEAST_IDEOGRAPHS, LEAST_LETTERS = 10, 24

_RESTORED_AT_ONCE: Final = 2_048
# Kinds of keys: the seeds of their hashes.
_POST, _TEXT, _SHORT, _AUTHOR = range(1, 5)


def find(mentions: Sequence[Mention], texts: Texts, index: RepeatIndex) -> list[Repeat]:
    """How each mention of the batch stands to all that came before it and within the batch.

    Raises TryLater when the index is away.
    """
    batch = fingerprints(mentions, texts)
    claims = index.claim(batch)
    return [
        _repeat(mention, name, told, claim)
        for mention, name, told, claim in zip(
            mentions, batch.ids, texts.retold, claims, strict=True
        )
    ]


def restore(feedback: Sequence[Feedback], index: RepeatIndex) -> None:
    """Puts what was found before back into the index, with the groups it was given."""
    for first in range(0, len(feedback), _RESTORED_AT_ONCE):
        some = feedback[first : first + _RESTORED_AT_ONCE]
        mentions = [word.mention for word in some]
        groups = [word.repeat.group for word in some]
        index.restore(fingerprints(mentions, prepare(mentions)), groups)


def fingerprints(mentions: Sequence[Mention], texts: Texts) -> Fingerprints:
    """What the mentions of a batch are compared by."""
    comparable = _comparable(texts.canonical)
    flags = comparable.tolist()
    shown = shingled(texts.canonical)
    ids = [mention.id for mention in mentions]
    authors = [_key(_AUTHOR, who) if who else 0 for who in (m.author_id for m in mentions)]
    told = [_key(_POST, original(m) or name) for m, name in zip(mentions, ids, strict=True)]
    said = [
        _key(_TEXT, canonical) if flag else _key_of_short(mention, canonical or plain, told)
        for mention, canonical, plain, told, flag in zip(
            mentions, texts.canonical, texts.plain, texts.retold, flags, strict=True
        )
    ]
    return Fingerprints(
        ids=ids,
        exact=np.array([told, said], np.uint64).T,
        bands=_bands(shown.values) * comparable[:, None],
        phrases=shown.phrases * comparable[:, None],
        letters=[text if flag else b"" for text, flag in zip(shown.letters, flags, strict=True)],
        at=np.array([to_ms(mention.event_at) for mention in mentions], np.int64),
        author=np.array(authors, np.uint64),
    )


def original(mention: Mention) -> str | None:
    """The id of the mention that this one reposts, None if it doesn't say."""
    told = mention.repost_of
    if not told or told in {mention.external_id, mention.id}:
        return None
    return told if told.startswith(f"{mention.source}:") else f"{mention.source}:{told}"


def _bands(values: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """A key for each two values in a row; the same values in another band are another key."""
    rows = values.astype(np.uint64).reshape(len(values), BANDS, ROWS)
    keys = np.broadcast_to(np.arange(1, BANDS + 1, dtype=np.uint64), rows.shape[:2])
    for number in range(ROWS):
        keys = mixed(keys + rows[:, :, number])
    return keys | np.uint64(1)


def _comparable(canonicals: Sequence[str]) -> NDArray[np.bool_]:
    """Which texts are long enough to be compared across authors."""
    long_enough = np.array(
        [len(c) >= LEAST_CHARACTERS and c.count(" ") >= LEAST_WORDS - 1 for c in canonicals],
        np.bool_,
    )
    for number in np.flatnonzero(~long_enough).tolist():
        text = canonicals[number]
        if not text.isascii():
            ideographs, letters = unspaced(text)
            long_enough[number] = ideographs >= LEAST_IDEOGRAPHS or letters >= LEAST_LETTERS
    return long_enough


def _key_of_short(mention: Mention, text: str, told: str | None) -> int:
    """The key of a text that is not compared across authors: one with its author, or none."""
    author = told or mention.author.handle or mention.author.id
    if author is None or not text:
        return 0
    return _key(_SHORT, f"{mention.source}:{author.casefold()}\x00{text}")


def _key(kind: int, value: str) -> int:
    return xxhash.xxh3_64_intdigest(value.encode(), kind) or 1


def _repeat(mention: Mention, name: str, told: str | None, claim: Claim) -> Repeat:
    source = original(mention) if mention.repost_of else None
    reposted = source is not None or mention.kind == "repost" or told is not None
    of = source or claim.owner
    if of is None and claim.group != name:  # its owner is past, its group was restored
        of = claim.group
    return Repeat(kind=_kind(reposted, of, claim), of=of, group=claim.group)


def _kind(reposted: bool, of: str | None, claim: Claim) -> RepeatKind:
    if reposted:
        return "repost"
    if of is None:
        return "original"
    if claim.is_echo:
        return "echo"
    return "copy" if claim.is_copy else "near"
