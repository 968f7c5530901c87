"""The index of repeats in the memory of one worker: some 400 bytes a post, no object a post.

Every post gets a slot, its number in the columns. Four kinds of keys lead to slots: ids, exact
keys, bands, and (group, author) for echoes. A batch is answered as if its posts came one by one:
a key that nobody owns belongs to the first post of the batch that brings it, and what a later
post finds under it is that one.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, TypeAlias

import numpy as np
import xxhash
from numpy.typing import NDArray

from pipeline.indexes.columns import Column, Names
from pipeline.indexes.ownership import Asked, Owners, ask, first_come, runs, seen, write
from pipeline.indexes.slots import Keys, Numbers, SlotTable
from pipeline.ports import Claim, Fingerprints

Times: TypeAlias = NDArray[np.int64]

#: Posts further apart than this are two matters (the design's 72 h).
WINDOW: Final = timedelta(hours=72)
#: How much later than its time a post may arrive and still be compared.
LATENESS: Final = timedelta(hours=24)
#: Share of equal sketch values from which two posts are alike; chosen by ``bench.repeats``.
ALIKE: Final = 28 / 64
#: Exact keys, bands and sketch values of a post, as ``pipeline.steps.repeats`` makes them.
EXACT, BANDS, SKETCH = 2, 16, 64
# Bands that share a table. Tables grow one after the other, so the fewer share one, the less
# memory growing needs; each costs some calls a batch.
_BANDS_A_TABLE: Final = 4
_FIRST_ROOM: Final = 16_384
_NEVER: Final = np.iinfo(np.int64).min // 2
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
_HALF: Final = np.uint64(32)
_LOW: Final = np.uint64(0xFFFFFFFF)
_UPPER: Final = ~_LOW
#: Stands for the number of agreeing sketch values where an exact key was the same.
_COPY: Final = 255
# Below this share of living posts it is worth clearing the dead instead of growing.
_WORTH_CLEARING: Final = 0.75


class MemoryRepeatIndex:
    """``RepeatIndex`` in memory. One thread uses it."""

    def __init__(
        self,
        *,
        window: timedelta = WINDOW,
        lateness: timedelta = LATENESS,
        alike: float = ALIKE,
        exact: int = EXACT,
        bands: int = BANDS,
        sketch: int = SKETCH,
    ) -> None:
        self._window = _ms(window)
        self._life = _ms(window) + _ms(lateness)
        self._alike = alike
        self._names = Names()
        self._groups: list[str | None] = []  # None: the post's own id
        self._group_keys: Column[np.uint64] = Column(np.uint64)
        self._owners: list[str | None] = []
        self._agreed: Column[np.uint8] = Column(np.uint8)  # sketch values that agree; 255: copy
        self._echoes: Column[np.bool_] = Column(np.bool_)
        self._at: Column[np.int64] = Column(np.int64)
        self._until: Column[np.int64] = Column(np.int64)  # the watermark up to which it lives
        self._id_keys: Column[np.uint64] = Column(np.uint64)
        self._echo_keys: Column[np.uint64] = Column(np.uint64)
        self._exact: Column[np.uint64] = Column(np.uint64, exact)
        self._sketch: Column[np.uint8] = Column(np.uint8, sketch)
        self._by_id, self._by_exact, self._by_echo = SlotTable(), SlotTable(), SlotTable()
        self._by_band = [SlotTable() for _ in range(-(-bands // _BANDS_A_TABLE))]
        self._room = _FIRST_ROOM
        self._watermark = _NEVER
        self._last_two = np.full(2, _NEVER, np.int64)

    @property
    def posts(self) -> int:
        """Posts held, those included whose time has passed but which were not yet cleared."""
        return len(self._names)

    def claim(self, batch: Fingerprints) -> list[Claim]:
        """See the port."""
        return self._take(batch, None)

    def restore(self, batch: Fingerprints, groups: Sequence[str]) -> None:
        """See the port."""
        self._take(batch, groups)

    def _take(self, batch: Fingerprints, groups: Sequence[str] | None) -> list[Claim]:
        claims: list[Claim] = []
        now = self._watermarks(batch.at)
        for first, last in runs(batch.at, self._window):
            part = _only(batch, np.arange(first, last))
            given = None if groups is None else groups[first:last]
            self._clear(int(now[first]), last - first)
            claims += self._run(part, now[first:last], given)
        return claims

    def _watermarks(self, at: Times) -> Times:
        """After each post: how far event time has come.

        Two posts in a row that are far ahead (a wrong clock) do not move it.
        """
        known = np.concatenate((self._last_two, at))
        sure = np.minimum(np.minimum(known[2:], known[1:-1]), known[:-2])
        marks: Times = np.maximum(np.maximum.accumulate(sure), self._watermark)
        if at.size:
            self._watermark = int(marks[-1])
            self._last_two = known[-2:].copy()
        return marks

    # ---- one run: posts of which no two are further apart than the window ----------------------

    def _run(self, run: Fingerprints, now: Times, groups: Sequence[str] | None) -> list[Claim]:
        """Answers posts of which no two are further apart than the window."""
        ids = np.array([xxhash.xxh3_64_intdigest(name.encode()) for name in run.ids], np.uint64)
        slots, fresh = self._slots(ids, now)
        if fresh.size:
            new = _only(run, fresh)
            self._add(new, ids[fresh], now[fresh])
            owner, agreed = self._join(new, now[fresh], slots[fresh])
            names = None if groups is None else [groups[i] for i in fresh.tolist()]
            self._settle(new.ids, owner, agreed, names)
            self._echo(new, now[fresh], slots[fresh])
        return self._answers(run.ids, slots)

    def _slots(self, ids: Keys, now: Times) -> tuple[Numbers, Numbers]:
        """The slot of each post of the run, new ones included, and which posts are new."""
        posts = np.arange(ids.size)
        found = self._by_id.find(ids, self._id_keys.rows)
        known = found.numbers >= 0
        dead = known.copy()
        dead[known] = self._until.rows[found.numbers[known]] < now[known]
        asked = Asked(ids, posts, found)
        owners = first_come(asked, claimable=~known | dead, holds=known & ~dead)
        fresh = np.flatnonzero(owners.first == posts)
        number = np.zeros(ids.size, np.int64)
        number[fresh] = self.posts + np.arange(fresh.size)
        slots = np.where(owners.first >= 0, number[np.maximum(owners.first, 0)], owners.old)
        write(self._by_id, asked, owners, slots[owners.claims])
        return slots, fresh

    def _add(self, new: Fingerprints, ids: Keys, now: Times) -> None:
        self._names.add(new.ids)
        self._id_keys.add(ids)
        self._at.add(new.at)
        self._until.add(np.maximum(new.at, now) + self._life)
        self._exact.add(new.exact)
        self._sketch.add(new.sketch)

    def _join(self, new: Fingerprints, now: Times, slots: Numbers) -> tuple[Numbers, Numbers]:
        """The slot of the post that each new one joins (-1: none) and how many values agree."""
        exact = self._exact_owners(new, now, slots)
        alike, agreed = self._alike_owners(new, now, slots)
        copy = exact >= 0
        return np.where(copy, exact, alike), np.where(copy, _COPY, agreed)

    def _exact_owners(self, new: Fingerprints, now: Times, slots: Numbers) -> Numbers:
        """The owner of the first exact key of each post that has one, -1 if none has."""
        width = new.exact.shape[1]
        keys = new.exact.ravel()
        at = np.flatnonzero(keys != 0)
        asked = ask(self._by_exact, keys[at], at // width, self._exact.rows)
        owners = self._owners_of(asked, new.at, now, width)
        mine = slots[asked.posts]
        write(self._by_exact, asked, owners, (mine * width + at % width)[owners.claims])
        found = seen(asked, owners, slots, width)
        result = np.full(len(new.ids), -1, np.int64)
        some = np.flatnonzero(found >= 0)[
            ::-1
        ]  # backwards, so that the first key has the last word
        result[asked.posts[some]] = found[some]
        return result

    def _alike_owners(
        self, new: Fingerprints, now: Times, slots: Numbers
    ) -> tuple[Numbers, Numbers]:
        """The most alike owner of a band of each post, and how many sketch values agree."""
        best = np.zeros(len(new.ids), np.uint64)
        for number, table in enumerate(self._by_band):
            bands = new.bands[:, number * _BANDS_A_TABLE : (number + 1) * _BANDS_A_TABLE]
            keys = bands.ravel()
            at = np.flatnonzero((keys != 0) & np.repeat(new.comparable, bands.shape[1]))
            # The table tells keys apart by their upper half: so must the batch.
            asked = ask(table, keys[at] & _UPPER, at // bands.shape[1], None)
            owners = self._owners_of(asked, new.at, now, 1)
            mine = slots[asked.posts]
            write(table, asked, owners, mine[owners.claims])
            found = seen(asked, owners, slots, 1)
            some = np.flatnonzero(found >= 0)
            sketch = self._sketch.table
            agree = (sketch[found[some]] == sketch[mine[some]]).sum(axis=1, dtype=np.uint64)
            # The highest agreement wins, then the lowest slot: one number that orders both.
            score = (agree << _HALF) | (_LOW - found[some].astype(np.uint64))
            np.maximum.at(best, asked.posts[some], score)
        agreed = (best >> _HALF).astype(np.int64)
        owner = (_LOW - (best & _LOW)).astype(np.int64)
        enough = agreed >= max(1, self._alike * new.sketch.shape[1])
        return np.where(enough, owner, -1), np.where(enough, agreed, 0)

    def _settle(
        self, ids: Sequence[str], owner: Numbers, agreed: Numbers, given: Sequence[str] | None
    ) -> None:
        """Notes whom each new post joins, in order: an owner may be a post of this very run."""
        self._agreed.add(agreed)
        base = len(self._groups)
        keys = self._id_keys.rows[base:].copy()
        for i, slot in enumerate(owner.tolist()):
            group = joined = None
            if slot >= 0:
                joined = self._names[slot]
                group = self._groups[slot]
                if group is None:  # the head's first member: from now on one str for all of them
                    group = self._groups[slot] = joined
                joined = group if joined == group else joined
            if given is not None:
                group = None if given[i] == ids[i] else given[i]
            if group is not None:
                keys[i] = xxhash.xxh3_64_intdigest(group.encode())
            self._groups.append(group)
            self._owners.append(joined)
        self._group_keys.add(keys)

    def _echo(self, new: Fingerprints, now: Times, slots: Numbers) -> None:
        """Notes which new posts are of an author who has posted in their group before."""
        base = self.posts - len(new.ids)
        keys = (self._group_keys.rows[base:] * _SPREAD) ^ new.author
        keys ^= keys >> np.uint64(29)
        keys *= _SPREAD
        self._echo_keys.add(keys)
        at = np.flatnonzero(new.author != 0)
        asked = ask(self._by_echo, keys[at], at, self._echo_keys.rows)
        owners = self._owners_of(asked, new.at, now, 1)
        mine = slots[at]
        write(self._by_echo, asked, owners, mine[owners.claims])
        echoes = np.zeros(len(new.ids), np.bool_)
        echoes[at] = seen(asked, owners, slots, 1) >= 0
        self._echoes.add(echoes)

    def _answers(self, ids: Sequence[str], slots: Numbers) -> list[Claim]:
        width = self._sketch.table.shape[1]
        agreed = self._agreed.rows[slots].tolist()
        echoes = self._echoes.rows[slots].tolist()
        return [
            Claim(
                self._groups[slot] or name,
                self._owners[slot],
                agree == _COPY,
                1.0 if agree == _COPY else agree / width,
                echo,
            )
            for name, slot, agree, echo in zip(ids, slots.tolist(), agreed, echoes, strict=True)
        ]

    # ---- keys ------------------------------------------------------------------------------------

    def _owners_of(self, asked: Asked, at: Times, now: Times, width: int) -> Owners:
        """Who owns each key by the rules of the window and of life."""
        held = np.flatnonzero(asked.found.numbers >= 0)
        claimable = asked.found.numbers < 0
        holds = ~claimable
        if held.size:
            slots = asked.found.numbers[held] // width
            later = at[asked.posts[held]] - self._at.rows[slots]
            dead = self._until.rows[slots] < now[asked.posts[held]]
            claimable[held] = dead | (later > self._window)
            holds[held] = ~dead & (np.abs(later) <= self._window)
        return first_come(asked, claimable, holds)

    def _clear(self, now: int, more: int) -> None:
        """Makes room when the columns are full: forgets what is past, or lets them grow."""
        if self.posts + more <= self._room:
            return
        kept = self._until.rows >= now
        if kept.mean() < _WORTH_CLEARING:
            self._forget(kept)
        self._room = max(self._room, int((self.posts + more) * 1.5))

    def _forget(self, kept: NDArray[np.bool_]) -> None:
        new = np.where(kept, np.cumsum(kept) - 1, -1)
        width = self._exact.table.shape[1]
        wide = new[:, None] * width + np.arange(width)
        self._by_exact.renumber(np.where(kept[:, None], wide, -1).ravel())
        for table in (self._by_id, self._by_echo, *self._by_band):
            table.renumber(new)
        for column in (self._agreed, self._echoes, self._at, self._until):
            column.keep(kept)
        for keys in (self._group_keys, self._id_keys, self._echo_keys, self._exact):
            keys.keep(kept)
        self._sketch.keep(kept)
        self._names.keep(kept)
        flags = kept.tolist()
        self._groups = [g for g, keep in zip(self._groups, flags, strict=True) if keep]
        self._owners = [o for o, keep in zip(self._owners, flags, strict=True) if keep]


def _ms(span: timedelta) -> int:
    return round(span.total_seconds() * 1000)


def _only(batch: Fingerprints, posts: Numbers) -> Fingerprints:
    """These posts of a batch."""
    return Fingerprints(
        ids=[batch.ids[i] for i in posts.tolist()],
        exact=batch.exact[posts],
        bands=batch.bands[posts],
        sketch=batch.sketch[posts],
        at=batch.at[posts],
        author=batch.author[posts],
        comparable=batch.comparable[posts],
    )
