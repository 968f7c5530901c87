"""Fields that nobody knows are named at the end, and nothing of what stands in them."""

from typing import Any

import pytest

from pipeline.strangers import MOST_NAMES, Strangers

POST = {"source": "x", "external_id": "1", "text": "t", "said_at": "2026-03-02T09:00:00Z"}


def seen(*values: Any) -> Strangers:
    strangers = Strangers()
    for value in values:
        strangers.look(value)
    return strangers


def test_known_fields_are_no_strangers() -> None:
    """Of mentions, removals and decisions; what is no object has no fields."""
    removal = {"removal": "x:1", "kind": "erased", "at": "2026-03-02T09:00:00Z"}
    decision = {"id": "d", "subject": "x:1", "verb": "unlink", "value": "s:1", "by": "k", "at": "n"}
    assert seen(POST | {"author": {"id": "7"}}, removal, decision, [1], "text", None).told() is None


def test_unknown_fields_are_named_with_their_number_and_the_hint_that_helps() -> None:
    """The most frequent first; an author in flat fields is the usual mistake."""
    told = seen(POST | {"author_id": "Kim"}, POST | {"author_id": "Kim", "colour": "red"}).told()
    assert told is not None
    assert "author_id (2), colour (1)" in told
    assert '"author": {"id": …, "handle": …}' in told
    assert "Kim" not in told
    assert "red" not in told


@pytest.mark.parametrize("name", ["my number is 5", "\x1b[31m", "a" * 41, ""])
def test_a_name_that_may_be_a_text_is_not_shown(name: str) -> None:
    """A broken export may have texts where names stand."""
    told = seen(POST | {name: 1}).told()
    assert told == "fields that are not known were passed over: others"


def test_memory_is_bounded_however_many_names_there_are() -> None:
    """A new name in every line costs no more than a thousand."""
    strangers = seen(*({f"n{number}": 1} for number in range(3 * MOST_NAMES)))
    assert len(strangers.names) == MOST_NAMES + 1
    assert strangers.names.total() == 3 * MOST_NAMES
