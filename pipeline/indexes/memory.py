"""The index of repeats in the memory of one worker: some 460 bytes a post, no object a post.

Every post gets a slot, its number in the columns. Five kinds of keys lead to slots: ids, exact
keys, bands, phrases, and (group, author) for echoes. A batch is answered as if its posts came one
by one: a key that nobody owns belongs to the first post of the batch that brings it, and what a
later post finds under it is that one (of phrases: the one before it).
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, TypeAlias

import numpy as np
import xxhash
from numpy.typing import NDArray

from pipeline.indexes.alike import EQUAL, in_order, is_alike
from pipeline.indexes.columns import Column, Strings
from pipeline.indexes.ownership import Asked, Owners, ask, owners, runs, seen, write
from pipeline.indexes.slots import Keys, Numbers, SlotTable
from pipeline.ports import Claim, Fingerprints

Times: TypeAlias = NDArray[np.int64]

#: Posts further apart than this are two matters (the design's 72 h).
WINDOW: Final = timedelta(hours=72)
#: How much later than its time a post may arrive and still be compared.
LATENESS: Final = timedelta(hours=24)
#: Exact keys, bands and phrases of a post, as ``pipeline.steps.repeats`` makes them.
EXACT, BANDS, PHRASES = 2, 10, 8
# Bands or phrases that share a table; each table costs some calls a batch.
_KEYS_A_TABLE: Final = 10
_FIRST_ROOM: Final = 16_384
_NEVER: Final = np.iinfo(np.int64).min // 2
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
_HALF_BITS: Final = np.int64(32)
_LOW_BITS: Final = np.int64(0xFFFFFFFF)
#: Stands for the likeness where an exact key was the same.
_COPY: Final = EQUAL + 1
# Below this share of living posts it is worth clearing the dead instead of growing.
_WORTH_CLEARING: Final = 0.75


class MemoryRepeatIndex:
    """``RepeatIndex`` in memory. One thread uses it."""

    def __init__(
        self,
        *,
        window: timedelta = WINDOW,
        lateness: timedelta = LATENESS,
        exact: int = EXACT,
        bands: int = BANDS,
        phrases: int = PHRASES,
    ) -> None:
        self._window = _ms(window)
        self._life = _ms(window) + _ms(lateness)
        self._names = Strings()
        self._letters = Strings()
        self._groups: list[str | None] = []  # None: the post's own id
        self._group_keys: Column[np.uint64] = Column(np.uint64)
        self._owners: list[str | None] = []
        self._likeness: Column[np.uint8] = Column(np.uint8)  # 1 … 254; 255: copy
        self._echoes: Column[np.bool_] = Column(np.bool_)
        self._at: Column[np.int64] = Column(np.int64)
        self._began: Column[np.int64] = Column(np.int64)  # event time of its group's first post
        self._until: Column[np.int64] = Column(np.int64)  # the watermark up to which it lives
        self._id_keys: Column[np.uint64] = Column(np.uint64)
        self._echo_keys: Column[np.uint64] = Column(np.uint64)
        self._exact: Column[np.uint64] = Column(np.uint64, exact)
        self._by_id, self._by_exact, self._by_echo = SlotTable(), SlotTable(), SlotTable()
        self._by_band = [SlotTable() for _ in range(-(-bands // _KEYS_A_TABLE))]
        self._by_phrase = [SlotTable() for _ in range(-(-phrases // _KEYS_A_TABLE))]
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

    def forget(self, ids: Sequence[str]) -> None:
        """See the port."""
        found = self._by_id.find(_hashed(ids), self._id_keys.rows).numbers
        for slot in found[found >= 0].tolist():
            self._letters.blank(slot)

    def _take(self, batch: Fingerprints, groups: Sequence[str] | None) -> list[Claim]:
        claims: list[Claim] = []
        now = self._watermarks(batch.at)
        for first, last in runs(batch.at, self._window):
            whole = last - first == len(batch.ids)
            part = batch if whole else _only(batch, np.arange(first, last))
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
        ids = _hashed(run.ids)
        slots, fresh = self._slots(ids, now)
        if fresh.size:
            new = run if fresh.size == len(run.ids) else _only(run, fresh)
            self._add(new, ids[fresh], now[fresh])
            owner, likeness = self._join(new, now[fresh], slots[fresh])
            names = None if groups is None else [groups[i] for i in fresh.tolist()]
            self._settle(new.ids, owner, likeness, names)
            self._echo(new, now[fresh], slots[fresh])
        return self._answers(run.ids, slots)

    def _slots(self, ids: Keys, now: Times) -> tuple[Numbers, Numbers]:
        """The slot of each post of the run, new ones included, and which posts are new."""
        asked = ask(self._by_id, ids, np.arange(ids.size), self._id_keys.rows)
        known = asked.number >= 0
        dead = known.copy()
        dead[known] = self._until.rows[asked.number[known]] < now[asked.posts[known]]
        found = owners(asked, claimable=~known | dead, holds=known & ~dead)
        fresh = np.sort(asked.posts[found.claimers])
        number = np.full(ids.size, -1, np.int64)
        number[fresh] = self.posts + np.arange(fresh.size)
        mine = number[asked.posts]
        line = np.where(mine >= 0, mine, np.where(found.first >= 0, mine[found.first], found.old))
        write(self._by_id, asked, found, line)
        slots = np.empty(ids.size, np.int64)
        slots[asked.posts] = line
        return slots, fresh

    def _add(self, new: Fingerprints, ids: Keys, now: Times) -> None:
        self._names.add([name.encode() for name in new.ids])
        self._letters.add(new.letters)
        self._id_keys.add(ids)
        self._at.add(new.at)
        self._until.add(np.maximum(new.at, now) + self._life)
        self._exact.add(new.exact)

    def _join(self, new: Fingerprints, now: Times, slots: Numbers) -> tuple[Numbers, Numbers]:
        """The slot of the post that each new one joins (-1: none) and how alike they are."""
        exact = self._exact_owners(new, now, slots)
        pairs = np.concatenate(
            [self._owned(*table, new, now, slots) for table in self._tables(new)]
        )
        # Whose exact key has an owner needs no other.
        pairs = np.unique(pairs[exact[pairs >> _HALF_BITS] < 0])
        copies = np.flatnonzero(exact >= 0)
        posts = np.concatenate((copies, pairs >> _HALF_BITS))
        others = np.concatenate((exact[copies], pairs & _LOW_BITS))
        return self._chosen(new, posts, others, copies.size)

    def _exact_owners(self, new: Fingerprints, now: Times, slots: Numbers) -> Numbers:
        """The owner of the first exact key of each post that has one, -1 if none has."""
        width = new.exact.shape[1]
        keys = new.exact.ravel()
        at = np.flatnonzero(keys != 0)
        asked = ask(self._by_exact, keys[at], at // width, self._exact.rows)
        found = self._owners_of(asked, new.at, now, width)
        column = at[asked.which] % width
        write(self._by_exact, asked, found, slots[asked.posts] * width + column)
        other = seen(asked, found, slots, width)
        result = np.full(len(new.ids), -1, np.int64)
        for number in reversed(range(width)):  # backwards: the strongest has the last word
            some = (column == number) & (other >= 0)
            result[asked.posts[some]] = other[some]
        return result

    def _tables(self, new: Fingerprints) -> list[tuple[SlotTable, Keys, bool]]:
        """Each table of bands and of phrases, the keys of posts in it, whether the last owns."""
        width = _KEYS_A_TABLE
        return [
            (table, keys[:, i * width : (i + 1) * width], last)
            for tables, keys, last in (
                (self._by_band, new.bands, False),
                (self._by_phrase, new.phrases, True),
            )
            for i, table in enumerate(tables)
        ]

    def _owned(
        self,
        table: SlotTable,
        keys: Keys,
        last: bool,
        new: Fingerprints,
        now: Times,
        slots: Numbers,
    ) -> Numbers:
        """Who owns the keys of posts in one table: pairs of asking post and owner's slot."""
        at = np.flatnonzero(keys)
        asked = ask(table, keys.ravel()[at], at // keys.shape[1], None)
        found = self._owners_of(asked, new.at, now, 1, last=last)
        write(table, asked, found, slots[asked.posts])
        other = seen(asked, found, slots, 1)
        some = np.flatnonzero(other >= 0)
        return (asked.posts[some] << _HALF_BITS) | other[some]

    def _chosen(
        self, new: Fingerprints, posts: Numbers, others: Numbers, copies: int
    ) -> tuple[Numbers, Numbers]:
        """The slot that each new post joins among ``others``, -1 if none, and how alike they are.

        ``posts`` says whose each of them is; the first ``copies`` share an exact key. In the order
        of posts, for a post that joins takes over when its group began.
        """
        owner, best = np.full(len(new.ids), -1, np.int64), np.zeros(len(new.ids), np.int64)
        base, began = self._began.rows.size, new.at.copy()
        theirs = self._letters.some(others[copies:])
        mine = [new.letters[post] for post in posts[copies:].tolist()]
        alike, enough = in_order(mine, theirs)
        likeness = np.concatenate((np.full(copies, _COPY), alike))
        some = np.concatenate((np.arange(copies), np.flatnonzero(enough) + copies))
        # Of the owners of one post the earliest to come first.
        some = some[np.lexsort((others[some], posts[some]))]
        for pair, post, other in zip(
            some.tolist(), posts[some].tolist(), others[some].tolist(), strict=True
        ):
            if owner[post] >= 0:
                continue
            start = began[other - base] if other >= base else self._began.rows[other]
            if pair >= copies and (
                abs(new.at[post] - start) > self._window
                or not is_alike(mine[pair - copies], theirs[pair - copies])
            ):
                continue
            owner[post], best[post], began[post] = other, likeness[pair], start
        self._began.add(began)
        return owner, best

    def _settle(
        self, ids: Sequence[str], owner: Numbers, likeness: Numbers, given: Sequence[str] | None
    ) -> None:
        """Notes whom each new post joins, in order: an owner may be a post of this very run."""
        self._likeness.add(likeness)
        base = len(self._groups)
        keys = self._id_keys.rows[base:].copy()
        for i, slot in enumerate(owner.tolist()):
            group = joined = None
            if slot >= 0:
                joined = self._names[slot].decode()
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
        found = self._owners_of(asked, new.at, now, 1)
        write(self._by_echo, asked, found, slots[asked.posts])
        echoes = np.zeros(len(new.ids), np.bool_)
        echoes[asked.posts] = seen(asked, found, slots, 1) >= 0
        self._echoes.add(echoes)

    def _answers(self, ids: Sequence[str], slots: Numbers) -> list[Claim]:
        likeness = self._likeness.rows[slots].tolist()
        echoes = self._echoes.rows[slots].tolist()
        return [
            Claim(
                self._groups[slot] or name,
                self._owners[slot],
                told == _COPY,
                1.0 if told == _COPY else told / EQUAL,
                echo,
            )
            for name, slot, told, echo in zip(ids, slots.tolist(), likeness, echoes, strict=True)
        ]

    # ---- keys ------------------------------------------------------------------------------------

    def _owners_of(
        self, asked: Asked, at: Times, now: Times, width: int, *, last: bool = False
    ) -> Owners:
        """Who owns each key by the rules of the window and of life."""
        claimable = asked.number < 0
        held = np.flatnonzero(~claimable)
        holds = np.zeros(claimable.size, np.bool_)
        slots, posts = asked.number[held] // width, asked.posts[held]
        later = at[posts] - self._at.rows[slots]
        dead = self._until.rows[slots] < now[posts]
        claimable[held] = dead | (later > self._window)
        holds[held] = ~dead & (np.abs(later) <= self._window)
        return owners(asked, claimable | holds if last else claimable, holds, last=last)

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
        for table in (self._by_id, self._by_echo, *self._by_band, *self._by_phrase):
            table.renumber(new)
        for column in (self._likeness, self._echoes, self._at, self._began, self._until):
            column.keep(kept)
        for keys in (self._group_keys, self._id_keys, self._echo_keys, self._exact):
            keys.keep(kept)
        self._names.keep(kept)
        self._letters.keep(kept)
        flags = kept.tolist()
        self._groups = [g for g, keep in zip(self._groups, flags, strict=True) if keep]
        self._owners = [o for o, keep in zip(self._owners, flags, strict=True) if keep]


def _hashed(ids: Sequence[str]) -> Keys:
    return np.array([xxhash.xxh3_64_intdigest(name.encode()) for name in ids], np.uint64)


def _ms(span: timedelta) -> int:
    return round(span.total_seconds() * 1000)


def _only(batch: Fingerprints, posts: Numbers) -> Fingerprints:
    """These posts of a batch."""
    return Fingerprints(
        ids=[batch.ids[i] for i in posts.tolist()],
        exact=batch.exact[posts],
        bands=batch.bands[posts],
        phrases=batch.phrases[posts],
        letters=[batch.letters[i] for i in posts.tolist()],
        at=batch.at[posts],
        author=batch.author[posts],
    )
