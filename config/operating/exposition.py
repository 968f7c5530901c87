"""The metrics of a process in the text form of Prometheus, made when somebody asks for them."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from collectors.kit.rechecks import looked_at
from config.operating.definitions import metrics
from config.operating.meters import Meters
from config.operating.spread import Spread
from pipeline.intake import Intake

#: A cause of gaps is a word of a collector's; should one invent them, the rest is `other`.
MOST_CAUSES = 20
FAMILIES: dict[str, Any] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}


class Sample(NamedTuple):
    """One value of a metric, with the values of its labels in their order."""

    name: str
    value: float | Spread
    labels: tuple[str, ...] = ()


class Exposition(Collector):
    """Everything the meters know, as families of the library; a registry of its own."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> tuple[bytes, str]:
        """The metrics and their content type. May wait some seconds for broker and warehouse."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def collect(self) -> Iterator[Any]:
        """The families, each with the samples there are now."""
        families: dict[str, Any] = {}
        for sample in samples(self._meters):
            metric = metrics()[sample.name]
            if sample.name not in families:
                made = FAMILIES[metric.kind]
                families[sample.name] = made(sample.name, metric.means, labels=metric.labels)
            if isinstance(sample.value, Spread):
                buckets, total = sample.value.read()
                families[sample.name].add_metric(sample.labels, buckets, total)
            else:
                families[sample.name].add_metric(sample.labels, sample.value)
        yield from families.values()

    def describe(self) -> list[Any]:
        """Nothing is known beforehand; asked for by the library."""
        return []


def samples(meters: Meters) -> Iterator[Sample]:
    """All values of this moment."""
    yield Sample("groundswell_build_info", 1, (version("groundswell"),))
    for name, (watched, intake) in meters.feeds().items():
        is_read = watched.done or (watched.trouble is None and watched.turns > 0)
        yield Sample("groundswell_source_connected", float(is_read), (name,))
        yield from _of_source(name, intake, meters)
        yield from _of_platform(name, intake)
    yield from _of_roles(meters)
    yield from _of_worker(meters)
    yield from _of_store(meters)
    yield from _of_dependencies(meters)
    yield from _of_warehouse(meters)


def _of_source(name: str, intake: Intake, meters: Meters) -> Iterator[Sample]:
    for kind, count in _now(intake.totals):
        yield Sample("groundswell_source_items_total", count, (name, kind))
    for metric, at in (
        ("groundswell_source_silence_seconds", intake.heard_at),
        ("groundswell_source_event_age_seconds", intake.newest_event_at),
        ("groundswell_source_cursor_age_seconds", intake.cursor_at),
        ("groundswell_source_recheck_age_seconds", looked_at(intake.cursor)),
    ):
        if at is not None:
            yield Sample(metric, max(0.0, (meters.clock.now() - at).total_seconds()), (name,))
    for metric, counts in (
        ("groundswell_source_gaps_total", intake.gaps),
        ("groundswell_source_blind_seconds_total", intake.blind_seconds),
    ):
        known = _now(counts)
        for cause, count in known[:MOST_CAUSES]:
            yield Sample(metric, count, (name, cause))
        if rest := known[MOST_CAUSES:]:
            yield Sample(metric, sum(count for _, count in rest), (name, "other"))


def _of_platform(name: str, intake: Intake) -> Iterator[Sample]:
    """What the collector of a source counts itself, if it does."""
    totals = dict(_now(getattr(intake.source, "totals", {})))
    for what in ("events", "connections"):
        if what in totals:
            yield Sample(f"groundswell_source_{what}_total", totals[what], (name,))
    for result in ("answered", "failed"):
        if result in totals:
            yield Sample("groundswell_source_polls_total", totals[result], (name, result))


def _of_roles(meters: Meters) -> Iterator[Sample]:
    for name, role in dict(meters.roles).items():
        yield Sample("groundswell_role_turns_total", role.turns, (name,))
        yield Sample("groundswell_role_records_total", role.records, (name,))
        yield Sample("groundswell_role_batch_records", role.batches, (name,))
        yield Sample("groundswell_role_turn_seconds", role.turn_seconds, (name,))
        yield Sample("groundswell_role_in_trouble", float(role.trouble is not None), (name,))
        for reason, count in _now(role.retries):
            yield Sample("groundswell_role_retries_total", count, (name, reason))


def _of_worker(meters: Meters) -> Iterator[Sample]:
    """The counts of worker and watch, seconds by step, dead letters by stage."""
    roles = dict(meters.roles)
    for stage in ("worker", "store"):
        if stage in roles:
            dead = roles[stage].totals["dead"]
            yield Sample("groundswell_deadletters_total", dead, (stage,))
    feeds = meters.feeds().values()
    if feeds:
        dead = sum(intake.totals["dead"] for _, intake in feeds)
        yield Sample("groundswell_deadletters_total", dead, ("intake",))
    if "worker" in roles:
        totals = roles["worker"].totals
        for result in ("mentions", "repeats", "linked", "removals"):
            yield Sample("groundswell_worker_posts_total", totals[result], (result,))
    for step, seconds in _now(meters.steps):
        yield Sample("groundswell_worker_step_seconds_total", seconds, (step,))
    if "watch" in roles:
        totals = roles["watch"].totals
        yield Sample("groundswell_proposals_opened_total", totals["proposals"])
        yield Sample("groundswell_late_links_total", totals["links"])


def _of_store(meters: Meters) -> Iterator[Sample]:
    stored = meters.stored
    if stored is None:
        return
    for kind, count in _now(stored.written):
        yield Sample("groundswell_store_rows_total", count, (kind,))
    for kind, count in _now(stored.repeats):
        yield Sample("groundswell_store_repeats_total", count, (kind,))
    yield Sample("groundswell_store_write_seconds", stored.write_seconds)
    yield Sample("groundswell_receive_to_warehouse_seconds", stored.since_received)
    yield Sample("groundswell_event_to_warehouse_seconds", stored.since_said)


def _of_dependencies(meters: Meters) -> Iterator[Sample]:
    for name in dict(meters.dependencies):
        answer = meters.answer(name)
        is_up = float(answer.trouble is None)
        yield Sample("groundswell_dependency_up", is_up, (name,))
        if name == "broker" and answer.value is not None:
            for group, topics in answer.value.items():
                for topic, records in topics.items():
                    yield Sample("groundswell_consumer_lag_records", records, (group, topic))


def _of_warehouse(meters: Meters) -> Iterator[Sample]:
    row = meters.standing.answer().value if meters.standing is not None else None
    links = meters.links.answer().value if meters.links is not None else None
    for state, count in _now(links or {}):
        yield Sample("groundswell_links", count, (state,))
    if row is None:
        return
    yield Sample("groundswell_warehouse_mentions", row["mentions"])
    yield Sample("groundswell_warehouse_bytes", row["bytes"])
    if row["written_at"] is not None:
        age = (meters.clock.now() - row["written_at"]).total_seconds()
        yield Sample("groundswell_warehouse_newest_age_seconds", max(0.0, age))
    yield Sample("groundswell_incidents_open", row["incidents_open"], ("official",))
    yield Sample("groundswell_incidents_open", row["proposals_open"], ("proposed",))


def _now(counts: Any) -> list[tuple[str, float]]:
    """What a counter holds now, by name: a copy, for its owner goes on counting."""
    return sorted(dict(counts).items())
