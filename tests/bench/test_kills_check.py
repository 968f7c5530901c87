"""The checker of ``bench.kills`` finds what a kill could leave: each fault is planted."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench.kills_check import Truth, troubles, views_of, words_left
from bench.kills_words import batch, written_at
from bench.warehouse_places import Place, duckdb_at
from pipeline.ports import Rows

BATCHES, SIZE = 9, 20


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Truth]:
    """What must be there after so many batches."""
    path = tmp_path_factory.mktemp("truth") / "truth.duckdb"
    with closing(duckdb_at(path).open()) as warehouse:
        made = Truth(warehouse, SIZE)
        made.advance(BATCHES)
        yield made


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with the same batches, the last of them twice, and rolled up in between."""
    path = tmp_path_factory.mktemp("sound") / "kills.duckdb"
    with closing(duckdb_at(path).open()) as warehouse:
        for number in (*range(BATCHES), BATCHES - 1):
            warehouse.write(batch(number, SIZE), written_at(number))
            warehouse.roll_up(written_at(number))
    return path


@pytest.fixture
def place(sound: Path, tmp_path: Path) -> Place:
    """A copy of it, to be spoilt."""
    return duckdb_at(Path(shutil.copy(sound, tmp_path)))


def found(place: Place, truth: Truth, fault: str = "") -> list[str]:
    """What the checker says of the place after a statement."""
    with place.run() as run:
        if fault:
            run(fault)
    with closing(place.open()) as warehouse:
        told = troubles(views_of(warehouse), truth.views())
    return [*told, *words_left(place, "duckdb", truth.erased)]


def test_nothing_is_wrong_with_a_sound_one(place: Place, truth: Truth) -> None:
    """Roll-ups and a batch that came again are no faults; something of everything is there."""
    assert found(place, truth) == []
    assert {name for name, rows in truth.views().items() if not rows} == set()
    assert truth.erased


FAULTS = {
    "a missing post": (
        "DELETE FROM fct_mention WHERE id = 'x:4-0'",
        "feedback: 1 rows are missing: [('x:4-0',)]",
    ),
    "a missing link": (
        "DELETE FROM fct_link WHERE mention_id = 'x:4-10'",
        "incident_feedback: 1 rows are missing: [('x:4-10', 'statuspage:4')]",
    ),
    "a missing decision": (
        "DELETE FROM fct_decision WHERE decision_id = 'd3'",
        "decisions: 1 rows are missing: [('d3',)]",
    ),
    "a post of nobody's": (
        "UPDATE fct_mention SET id = 'x:99-0' WHERE id = 'x:4-0'",
        "feedback: 1 rows should not be there: [('x:99-0',)]",
    ),
    "a doubled version": (
        "INSERT INTO fct_mention_version SELECT * FROM fct_mention_version WHERE id = 'x:4-1'",
        "mention_history: 2 rows stand twice: [('x:4-1', 0, 'm'), ('x:4-1', 1, 'm')]",
    ),
    "an old version": (
        "UPDATE fct_mention SET version = 1 WHERE id = 'x:4-1'",
        "version 1, not 2",
    ),
    "old words": (
        "UPDATE mention_private SET text = 'nothing works' WHERE mention_id = 'x:4-1'",
        "('x:4-1',) has text 'nothing works', not 'nothing works, secret-4-1-text 2'",
    ),
    "a post that is hidden no more": (
        "UPDATE fct_mention SET is_hidden = FALSE WHERE id = 'x:4-15'",
        "('x:4-15',) has ",
    ),
    "a word of an erased post in its link": (
        "UPDATE fct_link SET evidence = '[\"secret-4-6-quote\"]' WHERE mention_id = 'x:4-6'",
        "fct_link: words of 1 erased posts: ['4-6']",
    ),
    "words of an erased post": (
        "UPDATE mention_private SET url = 'secret-4-7-url' WHERE mention_id = 'x:4-10'",
        "mention_private: words of 1 erased posts: ['4-7']",
    ),
    "a wrong count of an hour": (
        "UPDATE agg_mentions_hourly SET mentions = mentions + 1 WHERE track = 'nordwind'",
        "mentions_hourly: ",
    ),
    "a doubled count": (
        "INSERT INTO agg_mentions_hourly SELECT * FROM agg_mentions_hourly",
        "rows stand twice",
    ),
    "a missing count of an incident": (
        "DELETE FROM agg_incident WHERE incident_id = 'statuspage:3'",
        "('statuspage:3',) has witnesses ",
    ),
    "a hole in a history": (
        "DELETE FROM fct_mention_version WHERE id = 'x:1-1' AND version = 1",
        "mention_history: 1 rows do not follow each other",
    ),
    "an older record of an incident": (
        "UPDATE dim_incident SET version = 1 WHERE incident_id = 'statuspage:3'",
        "('statuspage:3',) has version 1, not 4",
    ),
}


@pytest.mark.parametrize(("fault", "told"), FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_found(place: Place, truth: Truth, fault: str, told: str) -> None:
    """Each is named with the view or table it shows in."""
    assert told in "\n".join(found(place, truth, fault))


def test_a_post_that_stands_twice_is_found(place: Place, truth: Truth) -> None:
    """Also in views whose tables have keys, which no statement can break."""
    with closing(place.open()) as warehouse:
        held = views_of(warehouse)
    held["feedback"].append(held["feedback"][0])
    (told,) = troubles(held, truth.views())
    assert told.startswith("feedback: 1 rows stand twice")


def test_half_a_batch_is_found(tmp_path: Path, truth: Truth) -> None:
    """Posts that went in without what came with them."""
    with closing(duckdb_at(tmp_path / "half.duckdb").open()) as warehouse:
        for number in range(BATCHES):
            warehouse.write(batch(number, SIZE), written_at(number))
        only = batch(BATCHES, SIZE).feedback[-SIZE:]
        warehouse.write(Rows(feedback=only), written_at(BATCHES))
        told = troubles(views_of(warehouse), truth.views())
    assert f"feedback: {SIZE} rows should not be there" in "\n".join(told)
