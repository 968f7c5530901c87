"""Naming what is held anew: newer words replace older ones, people's stay, a killed run goes on."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import Misuse
from pipeline.model import Feedback, Mention, Removal
from pipeline.ports import Rows
from pipeline.relabel import Relabeller, target
from pipeline.steps.aliases import Aliases
from pipeline.steps.labels import Labeller
from pipeline.tracks import Matcher, Track
from sinks.duckdb_warehouse import DuckDBWarehouse
from tests.contracts.warehouse_words import START, decision, feedback, minutes

SHIPPED = Path(__file__).parents[2] / "config" / "models"
ACME = Track(name="acme", terms=("shop",))


@pytest.fixture(scope="module")
def labeller() -> Labeller:
    return Labeller.load([SHIPPED])


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    """Thirty posts that a model of old named."""
    made = DuckDBWarehouse(tmp_path / "w.duckdb")
    made.write(Rows(feedback=[held(n) for n in range(30)]), START)
    yield made
    made.close()


def held(number: int) -> Feedback:
    text = f"the shop is down again, I cannot log in since {number} minutes"
    return feedback(
        number, at=number, text=text, model="2020.01.1", intent="praise", tracks=("other",)
    )


def relabeller(
    warehouse: DuckDBWarehouse, labeller: Labeller, taken: list[Feedback] | None = None
) -> Relabeller:
    def put(made: Sequence[Feedback]) -> None:
        warehouse.write(Rows(feedback=list(made)), START)
        if taken is not None:
            taken.extend(made)

    return Relabeller(warehouse, labeller, Aliases([ACME]), put, matcher=Matcher([ACME]), page=10)


def names(warehouse: DuckDBWarehouse, columns: str = "intent, model_version") -> set[Any]:
    return set(warehouse.sql(f"SELECT {columns} FROM feedback").rows)  # our own


def test_newer_names_replace_older_ones(warehouse: DuckDBWarehouse, labeller: Labeller) -> None:
    """Every mention has the new model's labels and tracks, and the report counts the changes."""
    name = target(warehouse, labeller.version, again=False)
    pages = list(relabeller(warehouse, labeller).run(name))

    assert [count for count, _ in pages] == [10, 10, 10]
    assert names(warehouse) == {("report", f"{labeller.version}#0001")}
    assert sum(changed["intent", "praise", "report"] for _, changed in pages) == 30
    assert sum(changed["track", None, "acme"] for _, changed in pages) == 30
    assert sum(changed["track", "other", None] for _, changed in pages) == 30
    assert warehouse.sql("SELECT DISTINCT track FROM mention_tracks").rows == [("acme",)]


def test_a_killed_run_goes_on(warehouse: DuckDBWarehouse, labeller: Labeller) -> None:
    """What was done before is not done again, and nothing is left out."""
    name = target(warehouse, labeller.version, again=False)
    next(relabeller(warehouse, labeller).run(name))

    name = target(warehouse, labeller.version, again=False)
    assert sum(count for count, _ in relabeller(warehouse, labeller).run(name)) == 20
    assert names(warehouse) == {("report", f"{labeller.version}#0001")}


def test_the_same_model_again_is_a_run_of_its_own(
    warehouse: DuckDBWarehouse, labeller: Labeller
) -> None:
    """Without --again there is nothing left to do; with it, the labels stand under a later run."""
    version = labeller.version
    for again, expected in ((False, 30), (False, 0), (True, 30), (False, 0), (True, 30)):
        name = target(warehouse, version, again)
        pages = relabeller(warehouse, labeller).run(name, again=again)
        assert sum(count for count, _ in pages) == expected
    assert names(warehouse) == {("report", f"{version}#0003")}
    assert target(warehouse, "2999.01.1", again=False) == "2999.01.1#0001"
    assert f"{version}#0002" < f"{version}+intent.0001.abc"


def test_an_older_model_is_refused(warehouse: DuckDBWarehouse) -> None:
    """Labels of a newer model are never replaced by an older one's."""
    with pytest.raises(Misuse, match=r"2020\.01\.1, which is newer"):
        target(warehouse, "2019.01.1", again=True)


def test_a_persons_word_stays_above(warehouse: DuckDBWarehouse, labeller: Labeller) -> None:
    """What people said of a post is read before what any model says."""
    said = decision("d1", "relabel", "x:3", "intent=complaint")
    warehouse.write(Rows(decisions=[said]), START)
    list(relabeller(warehouse, labeller).run("9"))
    assert ("x:3", "complaint") in names(warehouse, "id, intent")


def test_erased_mentions_are_left_alone(warehouse: DuckDBWarehouse, labeller: Labeller) -> None:
    """What was erased is not read, and comes back to no topic."""
    gone = Removal(removal="x:5", kind="erased", at=minutes(60), scope="mention")
    warehouse.write(Rows(removals=[gone]), START)
    taken: list[Feedback] = []
    list(relabeller(warehouse, labeller, taken).run("9"))
    assert "x:5" not in {word.mention.id for word in taken}
    assert len(taken) == 29


def test_the_whole_mention_comes_back(tmp_path: Path, labeller: Labeller) -> None:
    """Every field of a mention survives the way into the warehouse and out again."""
    first = held(1)
    mention = Mention(
        **first.mention.model_dump()
        | {
            "text": "the shop app 4.1 is down #help",
            "lang": "en",
            "reply_to": "x:9",
            "quote_of": "x:8",
            "thread": "t",
            "hashtags": ("help",),
            "mentions": ("shophelp",),
            "links": ("https://a.example/1",),
            "place": "Leeds",
            "engagement": {"likes": 3.0},
            "rating": 2.0,
            "version": 7,
            "tracks": ("acme",),
        }
    )
    warehouse = DuckDBWarehouse(tmp_path / "w.duckdb")
    warehouse.write(Rows(feedback=[first.model_copy(update={"mention": mention})]), START)
    taken: list[Feedback] = []
    list(relabeller(warehouse, labeller, taken).run("9"))
    warehouse.close()
    assert taken[0].mention == mention
    assert taken[0].repeat.group == first.repeat.group
