"""The watch: counts witnesses, proposes incidents, and has late links made.

It reads ``feedback`` into counts per track and minute, and incidents and decisions into a book. The
counts cost nothing while it is quiet, and no question is put to the warehouse but for late links.
"""

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from zlib import crc32

from pipeline import topics
from pipeline.brigades import Brigades
from pipeline.bursts import KEEP, MINUTE, Bursts, Said
from pipeline.decoding import load, read
from pipeline.errors import Fenced, SetAside, TryLater
from pipeline.habits import habits
from pipeline.incidents import Book
from pipeline.late import LateLinks
from pipeline.matters import Regions
from pipeline.model import (
    PROPOSAL,
    TROUBLED,
    Campaign,
    CampaignKind,
    Cursor,
    Decision,
    Feedback,
    Incident,
    Mention,
    Profile,
)
from pipeline.ports import Broker, Clock, Record, Warehouse
from pipeline.profiles import TEACHING, Lessons
from pipeline.proposals import Proposals, ended_at
from pipeline.reading import batches
from pipeline.settling import Settling
from pipeline.steps.links import Linker
from pipeline.surprise import BUDGET
from pipeline.tally import Tally
from pipeline.tracks import Track
from pipeline.values import from_ms, to_ms

log = logging.getLogger(__name__)

GROUP = "watch"
#: The names its places in time are kept under, beside the cursors of sources: the minute that was
#: judged last, and since when (ms) incidents may not be settled, "" when all are.
CURSOR = "role:watch"
UNSETTLED = "role:watch:unsettled"
#: Who must be done before a replay is judged: (group, topic).
BEFORE = (("worker", topics.MENTIONS), ("store", topics.FEEDBACK))
#: A proposal that would be older when it is made is not made: after a standstill, what is over is
#: over, and the lead over the official word must not be embellished.
STALE = timedelta(minutes=5)
#: Pages of late links a turn, and links after which no further one is begun: a stop takes effect
#: between turns, and until then all of them are in memory.
PAGES = 5
LINKS = 5_000
#: What the reports' labels may say in a proposal's title.
NAMED = ("topic", "component", "place")


class Watch:
    """Bursts become proposals, changed incidents get late links (a role, see ``roles``).

    ``linker`` reads ``book``; nobody else writes to the book. ``settle``: seconds of the clock in
    which every worker hears of a changed incident; when what was on its way then is in the
    warehouse, the incident is scored once more. 0 means a replay: then a minute is judged only when
    worker and store have nothing left to do, so that batches do not matter.
    ``budget``: proposals for nothing that it may make in a week.
    Without ``tracks`` mentions that match none are counted together. ``totals`` counts proposals
    and late links since the start.
    """

    def __init__(
        self,
        broker: Broker,
        warehouse: Warehouse,
        linker: Linker,
        book: Book,
        clock: Clock,
        *,
        tracks: Sequence[Track] = (),
        settle: float = 30.0,
        budget: float = BUDGET,
        batch: int = 2_000,
    ) -> None:
        self._broker = broker
        self._warehouse = warehouse
        self._book = book
        self._clock = clock
        self._live = settle > 0
        self._budget = budget
        self._batch = batch
        self._tracked = bool(tracks)
        self._ours = {name.lstrip("@").casefold() for track in tracks for name in track.own}
        self._proposals = Proposals(book, tracks)
        self._regions = Regions(tracks)
        self._brigades = Brigades(tracks)
        self._settling = Settling(broker, timedelta(seconds=settle)) if self._live else None
        self._late = LateLinks(warehouse, linker, book, self._settling)
        self._lessons = Lessons(warehouse, book, timedelta(seconds=2 * settle))
        self._bursts: Bursts | None = None
        self._heard: set[str] = set()
        self._changed_at: dict[str, int] = {}  # ms of the broker, by incident
        self._kept: dict[str, str] = {}  # both, as they stand on the topic
        self._outbox: list[tuple[str, str, bytes]] = []
        self._consumer = broker.consumer(
            GROUP, [topics.FEEDBACK, topics.INCIDENTS, topics.DECISIONS]
        )
        self._producer = broker.producer()
        self.totals: Counter[str] = Counter()
        self._tally = Tally(log, "watch")

    def turn(self, timeout: float) -> int:
        """One round; the number of records read, proposals changed and late links found."""
        began = time.perf_counter()
        try:
            bursts = self._bursts or self._rebuild()
            self._late.resume(self._clock.now())
            records = [] if self._late.is_busy else self._consumer.poll(self._batch, timeout)
            self._read(records, bursts)
            changed = links = 0
            if level := self._is_level(records):
                changed, links = self._judge(bursts) + self._learn_lessons(), self._score()
            self._send(bursts, bool(records))
        except TryLater as error:
            self._begin_again(error)
            raise
        handled = len(records) + changed + links
        if handled:
            told = {"records": len(records), "proposals": changed, "late links": links}
            self._tally.add(told, began)
        return handled + (level and self._late.is_busy)

    def close(self) -> None:
        """Leaves without a commit; what was not done is done by the next."""
        self._tally.tell()
        self._producer.close()
        self._consumer.close()

    # ---- what is known ------------------------------------------------------------------------

    def _rebuild(self) -> Bursts:
        """Reads the past: the book, the counts, and up to which minute they were judged."""
        now = self._clock.now()
        self._kept = self._cursors()
        known = [topics.INCIDENTS, topics.DECISIONS, topics.PROFILES]
        self._read_all(known, None, Bursts())
        self._lessons.ask_all(now)
        self._ask_for_unsettled(now)
        bursts, since = Bursts(self._budget), max(0, to_ms(now) - KEEP * MINUTE)
        # A replay knows no past: its result must not depend on what the warehouse holds.
        for key, hours in (
            habits(self._warehouse, self._book, self._regions, now) if self._live else ()
        ):
            bursts.remember(key, hours)
        self._heard.clear()
        self._read_all([topics.FEEDBACK], from_ms(since), bursts)
        if CURSOR in self._kept:
            bursts.tick((int(self._kept[CURSOR]) + 1) * MINUTE)
        self._bursts = bursts
        return bursts

    def _ask_for_unsettled(self, now: datetime) -> None:
        """Asks for what is open, and for what changed lately or had not settled before."""
        if not self._live:
            return
        told = self._kept.get(UNSETTLED)
        since = min(now, from_ms(int(told))) if told else now
        late = to_ms(since - STALE)
        for incident in self._book.all():
            if ended_at(incident) is None or self._changed_at.get(incident.id, 0) >= late:
                self._late.ask_later(incident.id, now, since)

    def _read_all(self, names: Sequence[str], since: datetime | None, bursts: Bursts) -> None:
        reader = self._broker.reader(names, since)
        try:
            for records in batches(reader, self._batch):
                self._read(records, bursts, ask=False)
        finally:
            reader.close()

    def _cursors(self) -> dict[str, str]:
        """What was kept before: nothing at the very first start."""
        reader = self._broker.reader([topics.CURSORS])
        kept = {}
        try:
            for records in batches(reader, self._batch):
                for record in records:
                    if record.key in (CURSOR, UNSETTLED) and record.value is not None:
                        kept[record.key] = read(Cursor, record.value).cursor
        finally:
            reader.close()
        return kept

    def _read(self, records: Sequence[Record], bursts: Bursts, *, ask: bool = True) -> None:
        """Takes records in. What is unreadable, ``store`` sets aside."""
        for record in records:
            if record.value is None:
                self._lessons.ask_of(record.key, self._clock.now())  # erased
                continue
            try:
                if record.topic == topics.FEEDBACK:
                    self._count(record.value, bursts, tell=ask)
                elif record.topic == topics.INCIDENTS:
                    self._learn(read(Incident, record.value), record.at, ask)
                elif record.topic == topics.PROFILES:
                    self._book.learn(read(Profile, record.value))
                else:
                    self._settle(read(Decision, record.value), record.at, ask)
            except SetAside:
                log.debug("watch: passed over an unreadable record of %s", record.topic)

    def _learn(self, incident: Incident, at: int, ask: bool) -> None:
        self._book.put(incident)
        self._changed_at[incident.id] = at
        newest = self._book.get(incident.id)
        # Not only when the book changed: what is read again after a crash may not be scored yet.
        if ask and newest is not None and newest.version == incident.version:
            for concerned in dict.fromkeys((incident.id, self._book.resolve(incident.id))):
                self._late.ask(concerned, self._clock.now())

    def _settle(self, decision: Decision, at: int, ask: bool) -> None:
        before = self._book.resolve(decision.subject)
        changed = self._book.decide(decision)
        self._lessons.take(decision)
        if ask and decision.verb in TEACHING:
            self._lessons.ask(decision.value, self._clock.now())
        elif ask and changed:
            self._lessons.ask_all(
                self._clock.now()
            )  # a merge moves lessons, its end moves them back
        if changed:
            self._changed_at[decision.subject] = at
            self._late.forget(decision.subject)
        if changed and ask and self._book.get(decision.subject) is not None:
            # What it was part of, and what it is part of now, are told of by other words.
            after = self._book.resolve(decision.subject)
            for concerned in dict.fromkeys((decision.subject, before, after)):
                self._late.ask(concerned, self._clock.now())

    def _count(self, value: bytes, bursts: Bursts, *, tell: bool) -> None:
        """Counts the report in a record of ``feedback``, if it is one; tells of a brigade's."""
        data = load(value)
        if not isinstance(data, dict) or not isinstance(data.get("mention"), dict):
            self._unlearn(data)
            return
        mention_id = _id_of(data["mention"])
        if self._lessons.is_known(mention_id):
            self._lessons.ask_of(mention_id, self._clock.now())
        tracks = data["mention"].get("tracks") or ([] if self._tracked else [""])
        is_new = not self._heard.issuperset(tracks)
        if not is_new and not _may_be_report(data.get("labels")):
            return  # most posts; checking them in full would cost more than all else here
        feedback = read(Feedback, value)
        mention, at = feedback.mention, to_ms(feedback.mention.event_at)
        for track in tracks:
            bursts.hear(track, at)
        self._heard.update(tracks)
        if mention.witness is None or self._is_ours(feedback):
            return
        if not (feedback.is_report or (feedback.is_weak_report and _is_every_other(mention))):
            return
        names = tuple((h, name) for h in NAMED if (name := feedback.name(h)) is not None)
        place = feedback.name("place")
        kind = self._brigades.weigh(tracks, feedback)
        if kind is not None:
            if tell:
                self._set_aside(mention, kind)
            return
        for track in tracks:
            region = (("region", self._regions.region(track, place)),) if place else ()
            bursts.add(track, Said(at, mention.witness, names + region))

    def _set_aside(self, mention: Mention, kind: CampaignKind) -> None:
        """The warehouse must not count it either."""
        campaign = Campaign(mention=mention.id, mention_version=mention.version, kind=kind)
        self._outbox.append((topics.CAMPAIGNS, campaign.key, campaign.to_json()))
        self.totals["campaigns"] += 1

    def _unlearn(self, data: Any) -> None:
        """What was removed teaches no longer."""
        if not isinstance(data, dict) or "removal" not in data:
            return
        if self._lessons.is_known(str(data["removal"])):
            self._lessons.ask_of(str(data["removal"]), self._clock.now())
        elif data.get("scope") != "mention":
            self._lessons.ask_all(self._clock.now())

    def _is_ours(self, feedback: Feedback) -> bool:
        author = feedback.mention.author
        return any(name.casefold() in self._ours for name in (author.id, author.handle) if name)

    # ---- what follows -------------------------------------------------------------------------

    def _is_level(self, records: Sequence[Record]) -> bool:
        """Whether everything up to now has been read, so that a minute can be judged."""
        if self._live:
            return len(records) < self._batch
        return not records and not any(
            self._broker.lag(group).get(topic) for group, topic in BEFORE
        )

    def _judge(self, bursts: Bursts) -> int:
        """Judges the minutes that have passed; the number of proposals made or changed."""
        now = self._clock.now()
        changed: list[Incident | Decision] = []
        for at_ms, found in groupby(bursts.tick(to_ms(now)), key=lambda burst: burst.at_ms):
            is_fresh = not self._live or from_ms(at_ms) >= now - STALE
            changed += self._proposals.judge(list(found), may_open=is_fresh)
        changed += self._proposals.take_over(now)
        if self._live:
            changed += self._proposals.forget(now)
        for word in changed:
            topic = topics.DECISIONS if isinstance(word, Decision) else topics.INCIDENTS
            self._outbox.append((topic, word.key, word.to_json()))
            if isinstance(word, Decision) and not word.subject.startswith(PROPOSAL):
                self._late.forget(word.subject)
                self._late.ask(word.value, now)
            # A new one has neither grown nor ended.
            is_new = isinstance(word, Incident) and len(word.history) == len(word.updates) == 1
            self.totals["proposals"] += is_new
        return len(changed)

    def _learn_lessons(self) -> int:
        """Publishes what people taught since; the number of profiles that changed."""
        profiles = self._lessons.learn(self._clock.now())
        for profile in profiles:
            self._outbox.append((topics.PROFILES, profile.key, profile.to_json()))
            self._late.forget(profile.incident)
            self._late.ask(profile.incident, self._clock.now())
        return len(profiles)

    def _score(self) -> int:
        """Some pages of late links; the number of links that changed."""
        found = 0
        for _ in range(PAGES):
            if not self._late.is_busy or found >= LINKS:
                break
            late = self._late.next_page()
            self._outbox += [(topics.LINKS, word.key, word.to_json()) for word in late]
            found += len(late)
        self.totals["links"] += found
        return found

    def _send(self, bursts: Bursts, polled: bool) -> None:
        """Makes everything durable, with where we are, then commits."""
        places = self._places(bursts, polled)
        for source, place in places.items():
            cursor = Cursor(source=source, cursor=place, at=self._clock.now())
            self._producer.send(topics.CURSORS, cursor.key, cursor.to_json())
        for record in self._outbox:
            self._producer.send(*record)
        if self._outbox or places:
            self._producer.flush()
            self._outbox.clear()
            self._kept |= places
        if not self._late.is_busy:
            self._consumer.commit()

    def _places(self, bursts: Bursts, polled: bool) -> dict[str, str]:
        """The cursors that have to be kept anew."""
        places = {}
        since = self._settling.since() if self._settling is not None else None
        places[UNSETTLED] = "" if since is None else str(to_ms(since))
        if (polled or self._outbox) and bursts.judged is not None:
            places[CURSOR] = str(bursts.judged)
        return {source: p for source, p in places.items() if p != self._kept.get(source, "")}

    def _begin_again(self, error: TryLater) -> None:
        """After TryLater: what is in the outbox stays there, what was polled comes again."""
        if isinstance(error, Fenced):
            self._bursts = None  # another watch went on meanwhile
        self._consumer.rewind()
        self._producer.close()
        self._producer = self._broker.producer()


def _id_of(mention: Mapping[str, Any]) -> str:
    return f"{mention.get('source')}:{mention.get('external_id')}"


def _may_be_report(labels: Any) -> bool:
    if not isinstance(labels, Mapping):
        return False
    intent, severity = (_name_of(labels.get(head)) for head in ("intent", "severity"))
    return intent == "report" or (intent == "question" and severity in TROUBLED)


def _name_of(label: Any) -> str | None:
    name = label.get("name") if isinstance(label, Mapping) else None
    return name if isinstance(name, str) else None


def _is_every_other(mention: Mention) -> bool:
    """Half of all people, always the same: two who ask if it fails count as one who says so."""
    return crc32((mention.witness or "").encode()) % 2 == 0
