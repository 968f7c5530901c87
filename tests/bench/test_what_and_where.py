import pytest

from bench import what_and_where
from pipeline.model import WHAT_AND_WHERE


@pytest.mark.parametrize("head", WHAT_AND_WHERE)
def test_what_and_where_are_found_in_posts_that_a_person_read(head: str) -> None:
    """What is told is right, and hardly anything is missed."""
    posts = what_and_where.samples()
    there, told, right = what_and_where.tally(head, posts, what_and_where.answers(posts))
    assert right >= 0.95 * told
    assert right >= 0.9 * there
