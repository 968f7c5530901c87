"""Synthetic posts: valid, the same each time, with repeats and edits."""

from bench import synthetic
from pipeline.decoding import check
from pipeline.model import Incident, Mention


def test_posts_are_valid_and_the_same_each_time() -> None:
    """A seed gives one stream, in the order of time but for edits."""
    lines = list(synthetic.mentions(2_000))
    assert lines == list(synthetic.mentions(2_000))
    words = [check(Mention, line) for line in lines]
    fresh = [word.event_at for word in words if word.version == 0]
    assert fresh == sorted(fresh)
    assert 100 < sum(len(word.text) for word in words) / len(words) < 180


def test_some_are_edits_and_reposts() -> None:
    """About one in a hundred is a later version of an earlier post."""
    words = [check(Mention, line) for line in synthetic.mentions(5_000)]
    edits = [word for word in words if word.version]
    assert 20 < len(edits) < 100
    assert {word.id for word in edits} <= {word.id for word in words if not word.version}
    assert sum(word.kind == "repost" for word in words) > 50


def test_incidents_open_and_end() -> None:
    """Two states for each, within the time asked for."""
    words = [check(Incident, line) for line in synthetic.incidents(5, minutes=600)]
    assert [word.status for word in words] == ["investigating", "resolved"] * 5
