"""Bluesky for real: a PDS and its firehose, Kafka, PostgreSQL, and a process for each role.

Run by ``make pds``. Between the PDS and the collector stands ``tests.servers.pds.bridge``.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any, TypeVar

import orjson
import pytest
from atproto_client.utils import TextBuilder
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from pipeline.brokers.kafka import KafkaBroker, KafkaSettings
from pipeline.ports import Record
from pipeline.topics import COVERAGE, DEADLETTER, FEEDBACK, MENTIONS
from sinks.postgres_link import Connection, PostgresLink
from tests.servers.cluster import Cluster
from tests.servers.jetstream import Jetstream
from tests.servers.pds.bridge import bridge
from tests.servers.pds.people import Person
from tests.servers.pds.server import PdsServer
from tests.servers.statuspage import incident, status_page

pytestmark = [
    pytest.mark.pds,
    pytest.mark.slow,
    pytest.mark.timeout(900),  # the first test waits for the installation, too
    pytest.mark.skipif(
        os.environ.get("GROUNDSWELL_TEST_PDS") != "1",
        reason="installs a PDS with npm for a minute or two: make pds, or GROUNDSWELL_TEST_PDS=1",
    ),
]

TRACK = """\
[[track]]
name = "acme"
terms = ["acme"]
handles = ["acmehelp.test"]
hashtags = ["acmedown"]
"""
#: Seconds until what was done at the PDS must show at the other end, on a very busy machine.
PATIENCE = 60.0
#: Has Kafka clean up at once what it otherwise cleans within a day.
SOON = {"segment.ms": "500", "max.compaction.lag.ms": "500", "min.cleanable.dirty.ratio": "0.01"}
T = TypeVar("T")


class House:
    """All that runs, and what stands where."""

    def __init__(
        self, pds: PdsServer, stream: Jetstream, cluster: Cluster, connection: Connection
    ) -> None:
        self.pds, self.stream, self.cluster = pds, stream, cluster
        self._connection = connection
        self._people: list[Person] = []

    def person(self) -> Person:
        """A new account."""
        self._people.append(Person(self.pds.url, f"person{len(self._people)}"))
        return self._people[-1]

    def close(self) -> None:
        """Lets go of the accounts."""
        for person in self._people:
            person.close()

    def rows(self, sql: str, *values: str) -> list[dict[str, Any]]:
        """What the warehouse answers."""
        found: list[dict[str, Any]] = self._connection.run(sql, values, copy=False).to_pylist()
        return found

    def post(self, post: str) -> dict[str, Any]:
        """What the warehouse has of a post; empty if it has nothing."""
        sql = "SELECT text, is_removed, version, intent FROM feedback WHERE id = $1::text"
        return next(iter(self.rows(sql, post)), {})

    def holding(self, word: str) -> list[str]:
        """The tables and views that hold a word anywhere, bytes included."""
        relations = self.rows(
            "SELECT relname AS name FROM pg_class WHERE relkind IN ('r', 'v', 'm', 'p') "
            "AND relnamespace = 'groundswell'::regnamespace"
        )
        assert len(relations) > 10
        seen = "SELECT 1 AS one FROM {} t WHERE strpos(t::text, $1) > 0 OR strpos(t::text, $2) > 0"
        names = [relation["name"] for relation in relations]
        hexed = word.encode().hex()
        return [name for name in names if self.rows(seen.format(name), word, hexed)]

    def records(self, topic: str) -> list[Record]:
        """All that stands on a topic."""
        found: list[Record] = []
        with closing(self._broker()) as broker:
            reader = broker.reader([topic])
            while not reader.caught_up():
                found += reader.poll(1_000, 1.0)
        return found

    def mention(self, post: str) -> dict[str, Any]:
        """What stands first on the topic of mentions under a key."""
        told = next(record.value for record in self.records(MENTIONS) if record.key == post)
        return dict(orjson.loads(told or b"{}"))

    def send(self, records: Sequence[Record]) -> None:
        """Puts records on their topics again, as a collector that lost its cursor would."""
        with closing(self._broker()) as broker:
            producer = broker.producer()
            for record in records:
                producer.send(record.topic, record.key, record.value)
            producer.flush()

    def until_at_rest(self) -> None:
        """Waits until worker and store have read all there is."""
        with closing(self._broker()) as broker:
            for group in ("worker", "store"):
                self.until(
                    f"the end of what {group} reads",
                    lambda: sum(broker.lag(group).values()),  # noqa: B023  # called in this turn
                    lambda left: left == 0,
                )

    def _broker(self) -> KafkaBroker:
        return KafkaBroker(KafkaSettings(servers=self.cluster.kafka.address))

    def until(self, what: str, ask: Callable[[], T], seen: Callable[[T], bool]) -> T:
        """Asks until the answer is as it should be."""
        deadline = time.monotonic() + PATIENCE
        while not seen(answer := ask()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: {answer}\n{self.cluster.logs()}")
            time.sleep(0.2)
        return answer

    def until_said(self, post: str, word: str) -> dict[str, Any]:
        """Waits until the warehouse has the post with a word in its text."""
        return self.until(f"{word!r}", lambda: self.post(post), lambda row: word in said(row))

    def until_removed(self, post: str) -> None:
        """Waits until the warehouse has the post as removed."""
        self.until("removed", lambda: self.post(post), lambda row: row["is_removed"])


def said(row: dict[str, Any]) -> str:
    return str(row.get("text") or "")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Everything, started once; an incident is open."""
    folder = tmp_path_factory.mktemp("house")
    with ExitStack() as made:
        pds = PdsServer()
        made.callback(pds.stop)
        pds.start()
        stream = made.enter_context(bridge(pds.firehose))
        page = made.enter_context(status_page())
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 600))
        part = {"id": "c1", "name": "Messages"}
        opened = ("investigating", since)
        page.show(incident("i1", opened, name="Messages do not arrive", components=[part]))
        cluster = made.enter_context(Cluster(folder, TRACK, [sources(stream, page.url)], workers=2))
        link = PostgresLink(cluster.postgres.url, "groundswell", "the test")
        connection = made.enter_context(closing(link.open()))
        running = made.enter_context(closing(House(pds, stream, cluster, connection)))
        running.until("a listener", lambda: stream.asked, bool)
        open_ones = "SELECT 1 FROM incidents WHERE status = 'investigating'"
        running.until("the incident", lambda: running.rows(open_ones), bool)
        yield running


def sources(stream: Jetstream, page: str) -> str:
    return (
        f'[[source]]\ntype = "bluesky"\nname = "bluesky"\nurl = "{stream.url}"\n'
        f'[[incidents]]\ntype = "statuspage"\nname = "status"\nurl = "{page}"\n'
    )


def test_a_post_is_linked_edited_deleted(house: House) -> None:
    """On the topic, linked to the open incident, changed by its edit, and gone by its deletion."""
    person = house.person()
    post = person.say("my acme messages do not arrive since this morning 🙁 quillfern")
    house.until_said(post, "quillfern")
    told = house.mention(post)
    author = {"id": person.did, "handle": person.handle, "created_at": None}
    assert told["author"] == author  # Bluesky does not tell an account's age with a post
    assert (told["kind"], told["tracks"]) == ("post", ["acme"])
    link = "SELECT incident_id, link_state FROM incident_feedback WHERE id = $1::text"
    linked = house.until("a link", lambda: house.rows(link, post), bool)
    (opened,) = house.rows("SELECT incident_id FROM incidents WHERE NOT is_proposed")
    assert linked == [opened | {"link_state": "linked"}]

    person.edit(post, "acme messages do not arrive here, still waiting, brambleway")
    edited = house.until_said(post, "brambleway")
    assert edited["version"] > 0
    assert house.rows(link, post) == linked
    assert house.holding("quillfern") == []

    person.delete(post)
    house.until_removed(post)
    assert house.post(post)["text"] is None
    assert house.rows(link, post) == []
    assert house.holding("brambleway") == []
    for topic in (MENTIONS, FEEDBACK):
        until_tombstone(house, topic, post)


def until_tombstone(house: House, topic: str, key: str) -> None:
    """Waits until a topic says last of a key that it is no more."""

    def last() -> bytes | None:
        return [record.value for record in house.records(topic) if record.key == key][-1]

    house.until(f"a tombstone on {topic}", last, lambda value: value is None)


def test_facets_replies_and_quotes_are_understood(house: House) -> None:
    """Named only by a mention or a tag after an emoji; and who answers or quotes whom."""
    person, other = house.person(), house.person()
    words = TextBuilder().text("🌊 nothing arrives ").mention("@acmehelp.test", other.did)
    first = person.say(words.text(" please help, sorrelby"))
    house.until_said(first, "sorrelby")
    told = house.mention(first)
    assert (told["mentions"], told["tracks"]) == (["acmehelp.test"], ["acme"])
    tagged = person.say(
        TextBuilder().text("🌊🌊 still nothing, teaselton ").tag("#AcmeDown", "AcmeDown")
    )
    house.until_said(tagged, "teaselton")
    assert house.mention(tagged)["hashtags"] == ["AcmeDown"]
    answer = other.reply(first, "acme is down for me too, yarrowgate")
    quote = other.quote(first, "acme should read this, yarrowgate")
    place = first.removeprefix("bluesky:")
    house.until_said(answer, "yarrowgate")
    house.until_said(quote, "yarrowgate")
    told = house.mention(answer)
    assert (told["kind"], told["reply_to"], told["thread"]) == ("reply", place, place)
    told = house.mention(quote)
    assert (told["kind"], told["quote_of"]) == ("quote", place)


def test_tombstones_take_the_text_from_the_topics(house: House) -> None:
    """Once Kafka has cleaned up, no record holds the words of a post that was deleted."""
    admin = KafkaAdminClient(bootstrap_servers=house.cluster.kafka.address)
    topics = [ConfigResource(ConfigResourceType.TOPIC, name, SOON) for name in (MENTIONS, FEEDBACK)]
    cleaner = ConfigResource(ConfigResourceType.BROKER, "1", {"log.cleaner.backoff.ms": "200"})
    with closing(admin):
        admin.alter_configs([*topics, cleaner])
    person, other = house.person(), house.person()
    post = person.say("acme lost my messages, hollowmere")
    house.until_said(post, "hollowmere")

    def holding() -> set[str]:
        return {
            topic
            for topic in (MENTIONS, FEEDBACK)
            for record in house.records(topic)
            if b"hollowmere" in (record.value or b"")
        }

    assert holding() == {MENTIONS, FEEDBACK}
    person.delete(post)
    house.until_removed(post)

    def holding_later() -> set[str]:
        # What is cleaned is what later records have pushed out of the newest segment.
        for number in range(10):
            other.say(f"acme again {number}")
        return holding()

    house.until("cleaned topics", holding_later, lambda found: not found)


def test_a_deactivated_account_is_hidden_and_comes_back(house: House) -> None:
    """Its posts are out of sight while it is off, and read as before once it is on again."""
    person = house.person()
    post = person.say("acme does not deliver my messages, thornapple")
    house.until_said(post, "thornapple")
    person.deactivate()
    house.until_removed(post)
    assert house.post(post)["text"] is None
    person.activate()
    assert not house.until_said(post, "thornapple")["is_removed"]


def test_a_deleted_account_is_erased(house: House) -> None:
    """All that it said and what names it is gone, and does not come back when it is read again."""
    person = house.person()
    posts = [person.say(f"acme messages fail, marrowgate {number}") for number in range(3)]
    for post in posts:
        house.until_said(post, "marrowgate")
    assert house.holding(person.did)
    read = [record for record in house.records(MENTIONS) if record.key in posts]
    house.pds.delete_account(person.did)
    house.until("nothing said", lambda: house.holding("marrowgate"), lambda found: not found)
    assert house.holding(person.handle) == []
    for post in posts:
        until_tombstone(house, MENTIONS, post)
    house.send(read)
    house.until_at_rest()
    assert house.holding("marrowgate") == []
    for post in posts:
        until_tombstone(house, MENTIONS, post)
        until_tombstone(house, FEEDBACK, post)


def test_an_account_taken_down_is_erased_for_good(house: House) -> None:
    """What a platform took down does not come back here when the platform thinks better of it."""
    person = house.person()
    post = person.say("acme messages never come, woadham")
    house.until_said(post, "woadham")
    subject = {"$type": "com.atproto.admin.defs#repoRef", "did": person.did}
    for applied in (True, False):
        change = {"subject": subject, "takedown": {"applied": applied}}
        house.pds.administer("updateSubjectStatus", change)
        house.until("nothing said", lambda: house.holding("woadham"), lambda found: not found)
    house.until_said(person.say("acme, it is me again, weldmoor"), "weldmoor")
    assert house.post(post)["is_removed"]
    assert house.holding("woadham") == []


def test_what_does_not_name_us_is_not_taken(house: House) -> None:
    """Other posts, likes and profiles stay where they are; an edit can bring our name in or out."""
    person = house.person()
    other = person.say("a fine day for a walk, larkspindle")
    person.like(other)
    named = person.say("acme works again, larkspindle too")
    house.until_said(named, "larkspindle")
    assert house.post(other) == {}
    person.edit(other, "acme made my day, larkspindle")
    house.until_said(other, "acme made")
    person.edit(named, "it works again, larkspindle too")
    house.until_removed(named)


def test_a_killed_collector_misses_nothing(house: House) -> None:
    """What was said, edited and deleted while it was away comes once it is back."""
    person = house.person()
    kept, gone = (person.say(f"acme sends nothing, {word}") for word in ("fennelby", "osierlane"))
    house.until_said(kept, "fennelby")
    house.until_said(gone, "osierlane")
    collector = house.cluster.processes["collect-1"]
    collector.kill()
    later = person.say("acme sends nothing, again, tansyford")
    person.edit(kept, "acme sends nothing, since nine, fennelby")
    person.delete(gone)
    collector.start()
    house.until_said(later, "tansyford")
    house.until_said(kept, "since nine")
    house.until_removed(gone)
    assert house.holding("osierlane") == []
    assert "cursor" in house.stream.asked[-1]


def test_nothing_was_unreadable(house: House) -> None:
    """After all of that: no dead letter, no gap in the coverage, and every process is well."""
    assert house.records(DEADLETTER) == []
    spans = [orjson.loads(record.value or b"") for record in house.records(COVERAGE)]
    assert {span["source"] for span in spans} >= {"bluesky"}
    assert not any(span["is_gap"] for span in spans)
    assert all(process.is_running for process in house.cluster.processes.values())
    logs = house.cluster.folder.glob("*.log")
    assert [log.name for log in logs if "Traceback" in log.read_text(errors="replace")] == []
