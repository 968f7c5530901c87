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


class Asked(NamedTuple):
    """Keys of posts, looked up: which post of the run asks for each, and what the table says."""

    keys: Keys
    posts: Numbers
    found: Found


class Owners(NamedTuple):
    """Who owns each key asked for, as the asking post sees it: an asking key or an old number.

    ``first``: the number of the key (in ``Asked``) that claimed it in this run, -1 if none.
    ``old``: what the table said, -1 if nothing or if it no longer holds.
    ``claims``: the keys that are to be written.
    """

    first: Numbers
    old: Numbers
    claims: Numbers


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
    """Looks keys up."""
    return Asked(keys, posts, table.find(keys, full))


def first_come(asked: Asked, claimable: Flags, holds: Flags) -> Owners:
    """Who owns each key, post after post.

    ``claimable``: the asking post would take the key over from what the table says. ``holds``: what
    the table says is an answer for it. The first that may claim a key gets it; who asks later finds
    that one, who asked before finds what the table says.
    """
    old = np.where(holds, asked.found.numbers, -1)
    first = np.full(asked.keys.size, -1, np.int64)
    taken_over = bool((claimable & (asked.found.numbers >= 0)).any())
    asking = np.flatnonzero(claimable | (asked.found.numbers >= 0) if taken_over else claimable)
    if not asking.size:
        return Owners(first, old, asking)
    asking = asking[np.argsort(asked.keys[asking])]
    keys = asked.keys[asking]
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    claimer = np.minimum.reduceat(np.where(claimable[asking], asking, _NOBODY), starts)
    seen = np.repeat(claimer, np.diff(np.append(starts, keys.size)))
    after = seen <= asking
    first[asking[after]] = seen[after]
    old[asking[after]] = -1
    return Owners(first, old, claimer[claimer != _NOBODY])


def seen(asked: Asked, owners: Owners, slots: Numbers, width: int) -> Numbers:
    """The slot of the owner of each key, -1 where there is none but the asking post itself."""
    new = slots[asked.posts[np.maximum(owners.first, 0)]] if slots.size else owners.first
    seen: Numbers = np.where(owners.first >= 0, new, owners.old // width)
    seen[seen == slots[asked.posts]] = -1
    return seen


def write(table: SlotTable, asked: Asked, owners: Owners, numbers: Numbers) -> None:
    """Writes the claims of a run, ``numbers`` aligned with ``owners.claims``."""
    places = asked.found.places[owners.claims]
    over = places >= 0
    table.replace(places[over], numbers[over])
    table.put(asked.keys[owners.claims[~over]], numbers[~over])
