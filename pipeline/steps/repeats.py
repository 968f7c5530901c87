"""Repeats: which posts are one matter told again, so that volume is never taken for witnesses.

A post is compared by what it retells (a repost and its original share a key made from the
original's id, whichever comes first), by its canonical text, and by the likeness of its shingles
(MinHash). Texts so short that strangers write them independently ("acme is down") are nobody's
repeat but their author's own.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import xxhash
from numpy.typing import NDArray

from pipeline.model import Feedback, Mention, Repeat, RepeatKind, to_ms
from pipeline.ports import Claim, Fingerprints, RepeatIndex
from pipeline.steps import codepoints as cp
from pipeline.steps.features import Grams, mixed, shingles
from pipeline.steps.text import RETOLD, Texts, prepare

#: MinHash values of a post, and how they make bands: posts that share half of their shingles meet
#: in one of 16 bands of 3 with a probability of .88, those that share a fifth with .12. (20 bands
#: find half a point more and cost 50 bytes a post.) All values tell how alike two posts are.
VALUES: Final = 64
BANDS: Final = 16
ROWS: Final = 3
#: Shorter texts are not compared across authors: fewer characters or words than these, or, in
#: scripts without spaces, fewer ideographs or letters.
LEAST_CHARACTERS, LEAST_WORDS = 16, 4
LEAST_IDEOGRAPHS, LEAST_LETTERS = 10, 24

# South-east Asian scripts have letters but no spaces.
_SPACELESS: Final = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF))
_RESTORED_AT_ONCE: Final = 2_048


def find(mentions: Sequence[Mention], texts: Texts, index: RepeatIndex) -> list[Repeat]:
    """How each mention of the batch stands to all that came before it and within the batch.

    Raises TryLater when the index is away.
    """
    claims = index.claim(fingerprints(mentions, texts))
    return [
        _repeat(mention, text, claim)
        for mention, text, claim in zip(mentions, texts.plain, claims, strict=True)
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
    authors = [_key("author", m.author_id) if m.author_id else 0 for m in mentions]
    exact = [
        (_key("post", original(mention) or mention.id), _text_key(mention, canonical, plain, alone))
        for mention, canonical, plain, alone in zip(
            mentions, texts.canonical, texts.plain, (~comparable).tolist(), strict=True
        )
    ]
    values = minhash(shingles(texts.canonical), len(mentions))
    return Fingerprints(
        ids=[mention.id for mention in mentions],
        exact=np.array(exact, np.uint64).reshape(-1, 2),
        bands=_bands(values) * comparable[:, None],
        # The upper bits of a minimum are nearly always 0: the byte is taken from a mixture.
        sketch=((values * np.uint32(0x9E3779B1)) >> np.uint32(24)).astype(np.uint8),
        at=np.array([to_ms(mention.event_at) for mention in mentions], np.int64),
        author=np.array(authors, np.uint64),
        comparable=comparable,
    )


def original(mention: Mention) -> str | None:
    """The id of the mention that this one reposts, None if it doesn't say."""
    told = mention.repost_of
    if not told or told in {mention.external_id, mention.id}:
        return None
    return told if told.startswith(f"{mention.source}:") else f"{mention.source}:{told}"


def minhash(grams: Grams, count: int) -> NDArray[np.uint32]:
    """``count`` × 64 MinHash values; all ones for a text without shingles.

    Two texts have an equal value with the probability that is their Jaccard likeness.
    """
    values = np.full((VALUES, count), 0xFFFFFFFF, np.uint32)
    if grams.rows.size:
        starts = np.flatnonzero(np.diff(grams.rows, prepend=-1))
        rows = grams.rows[starts]
        short = (grams.hashes >> np.uint64(32)).astype(np.uint32)
        turned = np.empty_like(short)
        for number in range(VALUES):
            np.multiply(short, _FACTORS[number], out=turned)
            turned += _OFFSETS[number]
            values[number, rows] = np.minimum.reduceat(turned, starts)
    return np.ascontiguousarray(values.T)


_SEEDS: Final = mixed(np.arange(1, 2 * VALUES + 1, dtype=np.uint64)) >> np.uint64(32)
_FACTORS: Final = _SEEDS[:VALUES].astype(np.uint32) | np.uint32(1)
_OFFSETS: Final = _SEEDS[VALUES:].astype(np.uint32)


def _bands(values: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """A key for each three values in a row; the same values in another band are another key."""
    rows = values[:, : BANDS * ROWS].astype(np.uint64).reshape(len(values), BANDS, ROWS)
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
            long_enough[number] = _long_without_spaces(text)
    return long_enough


def _long_without_spaces(text: str) -> bool:
    codes = cp.joined([text])
    ideographs = int((cp.CLASS[codes] == cp.CJK).sum())
    letters = sum(int(((codes >= low) & (codes <= high)).sum()) for low, high in _SPACELESS)
    return ideographs >= LEAST_IDEOGRAPHS or letters >= LEAST_LETTERS


def _text_key(mention: Mention, canonical: str, plain: str, alone: bool) -> int:
    """The key of a text: its own if it is long enough, otherwise one with its author, or none."""
    if not alone:
        return _key("text", canonical)
    told = RETOLD.match(plain)
    author = told["name"] if told else mention.author.handle or mention.author.id
    if author is None or not plain:
        return 0
    return _key(f"short {mention.source}:{author.casefold()}", canonical or plain)


def _key(kind: str, value: str) -> int:
    return xxhash.xxh3_64_intdigest(f"{kind}\x00{value}".encode()) or 1


def _repeat(mention: Mention, text: str, claim: Claim) -> Repeat:
    told = original(mention)
    reposted = told is not None or mention.kind == "repost" or RETOLD.match(text) is not None
    of = told or claim.owner
    if of is None and claim.group != mention.id:  # its owner is past, its group was restored
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
