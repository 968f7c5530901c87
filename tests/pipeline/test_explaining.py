"""What is wrong with a record or a setting: the field, what it wants, what it was given."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from config.settings import Settings, load
from pipeline.decoding import check
from pipeline.errors import Misuse, SetAside
from pipeline.explaining import explain
from pipeline.model import Mention

GOOD = {"source": "x", "external_id": "1", "text": "hello", "said_at": "2026-03-02T09:00:00Z"}
SECRET = "what nobody else may read"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"said_at": None}, "said_at: is missing"),
        ({"said_at": SECRET}, "said_at: wants a time like YYYY-MM-DDThh:mm:ssZ, was given text"),
        ({"said_at": []}, "said_at: wants a time like YYYY-MM-DDThh:mm:ssZ, was given a list"),
        ({"text": [SECRET]}, "text: wants text, was given a list"),
        ({"kind": SECRET}, "kind: wants 'post', 'reply'"),
        ({"author": SECRET}, "author: wants a table of names and values, was given text"),
        ({"hashtags": SECRET}, "hashtags: wants a list, was given text"),
        ({"rating": SECRET}, "rating: wants a number, was given text"),
        ({"version": -1}, "version: wants 0 or more, was given a number"),
        ({"version": SECRET}, "version: wants a whole number, was given text"),
        ({"source": ""}, "source: wants text that is not empty, was given an empty text"),
        ({"engagement": {SECRET: SECRET}}, "wants a number, was given text"),
        ({"external_id": "n" * 700}, "external_id: wants 600 characters at most, was given text"),
    ],
)
def test_a_record_is_told_without_its_words(change: dict[str, Any], told: str) -> None:
    """One line in plain words; nothing of what a stranger wrote stands in it."""
    with pytest.raises(SetAside) as refused:
        check(Mention, GOOD | change)
    assert told in str(refused.value)
    assert SECRET not in str(refused.value)
    assert "Input should" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[web]\nport = 70000\n", "web.port: wants 65535 or less, was given 70000"),
        ('[web]\nport = "x"\n', "web.port: wants a whole number, was given 'x'"),
        ('[web]\nhost = "0.0.0.0"\n', "web.host: wants an address of this machine, as 127.0.0.1"),
        ("[recording]\nhours = 0\n", "recording.hours: wants more than 0.0, was given 0"),
        ('[[track]]\nterms = ["a"]\n', "track.0.name: is missing"),
        ('[track]\nname = "a"\n', "track: wants a list, was given a table"),
        ('[privacy]\nmask = "maybe"\n', "privacy.mask: wants true or false, was given 'maybe'"),
        ("web = 5\n", "web: wants a table of names and values, was given 5"),
        ("[warehouse]\nurl = 5\n", "warehouse.url: wants text, was given a number"),
    ],
)
def test_a_setting_is_told_with_what_stands_there(text: str, told: str, tmp_path: Path) -> None:
    """The user's own file is shown, but never where a secret may stand."""
    file = tmp_path / "groundswell.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(Misuse) as refused:
        load(file)
    assert told in str(refused.value)


def test_no_more_than_five_faults_are_told() -> None:
    """The others are counted."""
    tracks = [{"terms": ["a"]} for _ in range(8)]
    with pytest.raises(ValidationError) as refused:
        Settings(track=tracks)
    assert explain(refused.value).endswith("; and 3 more")
