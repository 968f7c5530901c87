"""Who owns a key, for a batch of posts that is answered as if they came one by one."""

from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.indexes.slots import Found, Keys, Numbers, SlotTable

Flags: TypeAlias = NDArray[np.bool_]

# Posts worked on at once; bounds the memory of one claim.
_AT_ONCE: Final = 4_096
_NOBODY: Final = np.iinfo(np.int64).max
_LOW: Final = np.uint64(0xFFFFFFFF)


class Asked(NamedTuple):
    """Keys of posts, looked up. A line for each asking, ordered by key, then by post.

    ``which``: which of the keys that were given; ``posts``: the post of the run that asks;
    ``number``: what the table says, -1 if nothing; ``key``: which of ``keys``. ``keys`` has each
    key once; ``starts`` says where its lines begin, ``found`` what the table says of it.
    """

    which: Numbers
    posts: Numbers
    number: Numbers
    key: Numbers
    keys: Keys
    starts: Numbers
    found: Found


class Owners(NamedTuple):
    """Who owns each key asked for, as the asking post sees it, line by line.

    ``first``: the line of the post of this run that has claimed it before, -1 if none has.
    ``old``: what the table said, -1 if nothing or if it no longer holds.
    ``keys``, ``claimers``: the keys that are to be written, and the line of who gets each.
    """

    first: Numbers
    old: Numbers
    keys: Numbers
    claimers: Numbers


def runs(at: Numbers, window: int) -> Iterator[tuple[int, int]]:
    """Cuts a batch into stretches in which no two posts are further apart than the window."""
    first = 0
    while first < at.size:
        part = at[first : first + _AT_ONCE]
        span = np.maximum.accumulate(part) - np.minimum.accumulate(part)
        last = first + int(np.searchsorted(span, window, side="right"))
        yield first, last
        first = last


def ask(table: SlotTable, keys: Keys, posts: Numbers, full: Keys | None) -> Asked:
    """Looks keys up; ``posts`` ascend. With ``full``, ``full[number]`` must equal the key.

    Without it keys are one when their upper halves are, as in the table.
    """
    if full is None:
        # One sort of numbers is a third of the time of sorting keys and where they stood.
        both = (keys & ~_LOW) | np.arange(keys.size, dtype=np.uint64)
        both.sort()
        which, keys = (both & _LOW).astype(np.int64), both & ~_LOW
    else:
        which = np.argsort(keys, kind="stable")
        keys = keys[which]
    begins = np.empty(keys.size, np.bool_)
    begins[:1] = True
    np.not_equal(keys[1:], keys[:-1], out=begins[1:])
    starts = np.flatnonzero(begins)
    found = table.find(keys[starts], full)
    key = np.cumsum(begins) - 1
    return Asked(which, posts[which], found.numbers[key], key, keys[starts], starts, found)


def owners(asked: Asked, claimable: Flags, holds: Flags, *, last: bool = False) -> Owners:
    """Who owns each key, post after post.

    ``claimable``: the asking post would take the key over from what the table says. ``holds``: what
    the table says is an answer for it. The first that may claim a key gets it; who asks later finds
    that one, who asked before finds what the table says. With ``last`` whoever comes after the
    first claim takes the key from the one before, whom it finds.
    """
    line = np.arange(asked.posts.size)
    if not line.size:
        return Owners(line, line, line, line)
    claimer = np.minimum.reduceat(np.where(claimable, line, _NOBODY), asked.starts)
    claimed = claimer[asked.key]
    after = claimed < line
    first = np.where(after, line - 1 if last else claimed, -1)
    old = np.where(holds & ~after, asked.number, -1)
    keys = np.flatnonzero(claimer != _NOBODY)
    if last:
        claimer = np.append(asked.starts[1:], line.size) - 1
    return Owners(first, old, keys, claimer[keys])


def seen(asked: Asked, found: Owners, slots: Numbers, width: int) -> Numbers:
    """The slot of the owner of each line's key, -1 where there is none but the asking post.

    ``slots`` are those of the posts of the run; the table's numbers are slots times ``width``.
    """
    if not asked.posts.size:
        return asked.posts
    mine = slots[asked.posts]
    other: Numbers = np.where(found.first >= 0, mine[found.first], found.old // width)
    other[other == mine] = -1
    return other


def write(table: SlotTable, asked: Asked, found: Owners, numbers: Numbers) -> None:
    """Writes the claims of a run; ``numbers`` has one for each line."""
    places = asked.found.places[found.keys]
    over = places >= 0
    table.replace(places[over], numbers[found.claimers[over]])
    new = ~over
    table.put(asked.keys[found.keys[new]], numbers[found.claimers[new]])
