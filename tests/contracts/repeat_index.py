"""What every index of repeats must do, whatever stands behind it.

A test module of an adapter makes a subclass of ``RepeatIndexContract`` and gives it a fixture
``make_index``, whose indexes have a window of 72 h and a lateness of 24 h.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq

from pipeline.ports import Claim, Fingerprints, RepeatIndex

MakeIndex = Callable[[], RepeatIndex]
HOUR = 3_600_000
WORDS, BANDS, PHRASES = 24, 8, 8


@dataclass(frozen=True)
class Post:
    """What a test says of a post: the same ``text`` means the same words but for ``changed``."""

    id: str
    text: int = 0  # 0: nothing to be compared by
    changed: int = 0  # how many of the 24 words, from the end, differ from the text's own
    exact: tuple[int, int] = (0, 0)
    hour: float = 0
    author: int = 0
    cut: int = WORDS  # words that are left

    def words(self) -> list[bytes]:
        """Three letters each; the last ``changed`` of them are of another text."""
        if not self.text:
            return []
        own = np.random.default_rng(self.text).integers(97, 123, (WORDS, 3), np.uint8)
        other = np.random.default_rng(self.text + 10_000).integers(97, 123, (WORDS, 3), np.uint8)
        kept = WORDS - self.changed
        return [word.tobytes() for word in (*own[:kept], *other[kept:])][: self.cut]


def fingerprints(posts: Sequence[Post]) -> Fingerprints:
    """The posts as one batch: three words in a row make a band or, further on, a phrase."""
    words = [post.words() for post in posts]
    keys: NDArray[np.uint64] = np.zeros((len(posts), BANDS + PHRASES), np.uint64)
    for row, some in enumerate(words):
        for column in range(min(BANDS + PHRASES, max(0, len(some) - 2))):
            told = b"%d " % column + b" ".join(some[column : column + 3])
            keys[row, column] = xxhash.xxh3_64_intdigest(told)
    exact = np.array([post.exact for post in posts], np.uint64).reshape(-1, 2)
    return Fingerprints(
        ids=[post.id for post in posts],
        exact=exact * np.uint64(0x9E3779B97F4A7C15),
        bands=keys[:, :BANDS],
        phrases=keys[:, BANDS:],
        letters=[b" ".join(some) for some in words],
        at=np.array([post.hour * HOUR for post in posts], np.int64) + 1_700_000_000_000,
        author=np.array([post.author for post in posts], np.uint64),
    )


def claim(index: RepeatIndex, *posts: Post) -> list[Claim]:
    """Claims the posts as one batch."""
    return index.claim(fingerprints(posts))


posts_of_few_texts = st.lists(
    st.builds(
        Post,
        id=st.integers(0, 30).map("x:{}".format),
        text=st.integers(0, 3),
        changed=st.sampled_from([0, 0, 2, 6, 9, 12, 18]),
        cut=st.sampled_from([WORDS, WORDS, 18, 14, 6, 4]),
        exact=st.tuples(st.integers(0, 3), st.integers(0, 3)),
        hour=st.sampled_from([0, 1, 30, 71, 72, 73, 100, 145, 200, 400]),
        author=st.integers(0, 3),
    ),
    max_size=24,
)


class RepeatIndexContract:
    """The contract; every test runs against each adapter."""

    @pytest.fixture
    def index(self, make_index: MakeIndex) -> RepeatIndex:
        """An empty index."""
        return make_index()

    def test_the_first_of_its_kind_is_its_own_group(self, index: RepeatIndex) -> None:
        """Nobody told it before: the group is its id and it has no owner."""
        assert claim(index, Post("x:1", text=1)) == [Claim("x:1", None, False, 0.0, False)]

    def test_nothing_to_claim(self, index: RepeatIndex) -> None:
        """An empty batch is answered with nothing."""
        assert claim(index) == []

    def test_an_equal_key_joins_as_a_copy(self, index: RepeatIndex) -> None:
        """Whether it comes in the same batch or later."""
        first, second = claim(index, Post("x:1", exact=(0, 7)), Post("x:2", exact=(0, 7)))
        (third,) = claim(index, Post("x:3", exact=(7, 0)))
        assert first.owner is None
        assert second == third == Claim("x:1", "x:1", True, 1.0, False)

    def test_the_strongest_exact_key_decides(self, index: RepeatIndex) -> None:
        """What a repost names counts before the text it happens to have."""
        claim(index, Post("x:1", exact=(1, 5)), Post("x:2", exact=(2, 6)))
        (answer,) = claim(index, Post("x:3", exact=(2, 5)))
        assert (answer.group, answer.owner) == ("x:2", "x:2")

    def test_a_key_stays_with_its_first_owner_and_groups_grow_through_it(
        self, index: RepeatIndex
    ) -> None:
        """The second brings a key of its own into the first's group; the third follows it."""
        claim(index, Post("x:1", exact=(1, 0)), Post("x:2", exact=(1, 2)))
        (answer,) = claim(index, Post("x:3", exact=(0, 2)))
        assert (answer.group, answer.owner) == ("x:1", "x:2")

    def test_alike_posts_join(self, index: RepeatIndex) -> None:
        """The likeness is the share of characters they have in common, in order."""
        one, two = Post("x:1", text=1), Post("x:2", text=1, changed=4)
        (_, answer) = claim(index, one, two)
        common = LCSseq.similarity(*fingerprints([one, two]).letters)
        assert answer == Claim("x:1", "x:1", False, (508 * common // 190) / 254, False)

    def test_a_shared_key_is_not_enough(self, index: RepeatIndex) -> None:
        """Keys only propose: posts must be alike as a whole."""
        (_, answer) = claim(index, Post("x:1", text=1), Post("x:2", text=1, changed=16))
        assert answer == Claim("x:2", None, False, 0.0, False)

    def test_a_post_that_tells_another_and_more_joins(self, index: RepeatIndex) -> None:
        """Whichever of the two is the longer one; four words are too few for that."""
        whole, half, few = Post("x:1", text=1), Post("x:2", text=1, cut=10), Post("x:3", cut=4)
        few = replace(few, text=1)
        answers = claim(index, few, whole, half)
        assert [answer.group for answer in answers] == ["x:3", "x:1", "x:1"]
        answers = claim(index, replace(half, id="y:2", text=2), replace(whole, id="y:1", text=2))
        assert [answer.group for answer in answers] == ["y:2", "y:2"]

    def test_characters_by_chance_are_not_enough(self, index: RepeatIndex) -> None:
        """Without words in common nobody is alike, whatever the letters."""
        batch = fingerprints([Post("x:1", text=1), Post("x:2", text=1)])
        letters = [b"aa ab ac ad ae af", b"aaa aba aca ada aea afa"]
        first, second = index.claim(replace(batch, letters=letters))
        assert (first.group, second.group) == ("x:1", "x:2")

    def test_scripts_without_spaces_are_alike_by_pairs_of_characters(
        self, index: RepeatIndex
    ) -> None:
        """Their letters are bytes from 128 on; an end that differs is a small edit."""
        batch = fingerprints([Post(f"x:{n}", text=1) for n in range(3)])
        text = bytes(range(130, 150))
        letters = [text, text[:16] + b"\xf0\xf1\xf2", text[::-1]]
        answers = index.claim(replace(batch, letters=letters))
        assert [answer.group for answer in answers] == ["x:0", "x:0", "x:2"]

    def test_the_earliest_alike_owner_wins(self, index: RepeatIndex) -> None:
        """Though the third is just what the second is: of a brigade's variants one is enough."""
        one, two = Post("x:1", text=1), Post("x:2", text=1, changed=4)
        claim(index, one, two)
        (answer,) = claim(index, replace(two, id="x:3"))
        assert answer.owner == "x:1"

    def test_an_owner_that_is_not_alike_hides_no_other(self, index: RepeatIndex) -> None:
        """The third shares its first words with the first post, but only the second is alike."""
        one, two = Post("x:1", text=1), Post("x:2", text=1, changed=15)
        assert [answer.group for answer in claim(index, one, two)] == ["x:1", "x:2"]
        (answer,) = claim(index, replace(two, id="x:3"))
        assert answer.owner == "x:2"

    def test_bands_stay_with_the_first_and_phrases_go_to_the_last(self, index: RepeatIndex) -> None:
        """So a post finds the head of its matter as well as what was said of it just now."""
        batch = fingerprints([Post(f"x:{number}", text=1) for number in range(4)])
        none = np.zeros_like(batch.bands)
        by_phrase = index.claim(replace(batch, bands=none))
        assert [answer.owner for answer in by_phrase] == [None, "x:0", "x:1", "x:2"]
        batch = fingerprints([Post(f"y:{number}", text=2) for number in range(4)])
        by_band = index.claim(replace(batch, phrases=none))
        assert [answer.owner for answer in by_band] == [None, "y:0", "y:0", "y:0"]

    def test_posts_without_anything_to_compare_are_strangers(self, index: RepeatIndex) -> None:
        """Keys of 0 are no keys."""
        answers = claim(index, Post("x:1"), Post("x:2"), Post("x:3"))
        assert [answer.group for answer in answers] == ["x:1", "x:2", "x:3"]

    def test_an_id_gets_the_same_answer_again(self, index: RepeatIndex) -> None:
        """A replay and an edit, even one with another text, find the id's own claim."""
        posts = [Post("x:1", text=1), Post("x:2", text=1, changed=3), Post("x:3", text=2)]
        before = claim(index, *posts)
        edited = replace(posts[1], text=2)
        assert claim(index, *posts, edited) == [*before, before[1]]

    @pytest.mark.parametrize("hours", [72, -72])
    def test_groups_span_three_days_to_either_side(self, index: RepeatIndex, hours: int) -> None:
        """Exactly 72 h apart is still one matter, a bit more is not."""
        claim(index, Post("x:1", text=1, exact=(0, 4)))
        inside, outside = (
            claim(index, Post(name, text=1, exact=(0, 4), hour=hours * factor))[0]
            for name, factor in (("x:2", 1.0), ("x:3", 1.001))
        )
        assert inside.group == "x:1"
        assert outside.group == "x:3"

    def test_a_later_post_takes_a_key_over(self, index: RepeatIndex) -> None:
        """What follows joins the newer group, though the older owner is still known."""
        claim(index, Post("x:1", exact=(0, 4)), Post("x:2", exact=(0, 4), hour=80))
        (answer,) = claim(index, Post("x:3", exact=(0, 4), hour=81))
        assert answer.group == "x:2"

    def test_the_same_author_again_is_an_echo(self, index: RepeatIndex) -> None:
        """Per group, and only where the author is known."""
        answers = claim(
            index,
            Post("x:1", exact=(0, 1), author=5),
            Post("x:2", exact=(0, 1), author=6),
            Post("x:3", exact=(0, 1), author=5),
            Post("x:4", exact=(0, 2), author=5),
            Post("x:5", exact=(0, 1)),
            Post("x:6", exact=(0, 1)),
        )
        assert [answer.is_echo for answer in answers] == [False, False, True, False, False, False]

    def test_restored_claims_keep_their_groups(self, make_index: MakeIndex) -> None:
        """After a restart the same posts get the same answers, and new ones join as before."""
        posts = [Post("x:1", text=1, author=1), Post("x:2", text=1, changed=3, author=2)]
        before, after = make_index(), make_index()
        answers = claim(before, *posts)
        after.restore(fingerprints(posts), [answer.group for answer in answers])
        new = Post("x:3", text=1, changed=3, author=2, hour=1)
        assert claim(after, *posts, new) == [*answers, *claim(before, new)]

    def test_a_restored_group_may_be_older_than_its_posts(self, index: RepeatIndex) -> None:
        """The head is past, its group lives on in what joined it."""
        index.restore(fingerprints([Post("x:2", text=1)]), ["x:1"])
        (answer,) = claim(index, Post("x:3", text=1))
        assert (answer.group, answer.owner) == ("x:1", "x:2")

    def test_keys_die_when_their_time_has_passed(self, index: RepeatIndex) -> None:
        """72 h and the allowed lateness after they came, by the time of what arrives."""
        claim(index, Post("x:1", exact=(0, 4)))
        claim(index, *(Post(f"y:{n}", hour=97) for n in range(4)))
        (answer,) = claim(index, Post("x:2", exact=(0, 4), hour=60))
        assert answer.group == "x:2"

    def test_what_was_erased_is_not_compared(self, index: RepeatIndex) -> None:
        """Its letters go; its id, its group and its exact keys stay."""
        one, two = Post("x:1", text=1, exact=(0, 4)), Post("x:2", text=2)
        before = claim(index, one, two)
        index.forget(["x:1", "x:9"])
        index.forget([])
        alike, copy, other = claim(
            index, Post("x:3", text=1), Post("x:4", exact=(0, 4)), Post("x:5", text=2)
        )
        assert (alike.group, copy.group, other.group) == ("x:3", "x:1", "x:2")
        assert claim(index, one, two) == before

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[
            HealthCheck.differing_executors,
            HealthCheck.function_scoped_fixture,
        ],
    )
    @given(posts=posts_of_few_texts, cuts=st.lists(st.integers(1, 9), min_size=1))
    def test_answers_do_not_depend_on_the_batch(
        self, make_index: MakeIndex, posts: list[Post], cuts: list[int]
    ) -> None:
        """Any cut of a stream gives what the posts one by one give."""
        single, batched = make_index(), make_index()
        expected = [claim(single, post)[0] for post in posts]
        answers, left, turn = [], posts, 0
        while left:
            size = cuts[turn % len(cuts)]
            answers += claim(batched, *left[:size])
            left, turn = left[size:], turn + 1
        assert answers == expected
