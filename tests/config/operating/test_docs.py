"""The docs of what operators see are true."""

import re
from pathlib import Path

import pytest

from config.operating.definitions import BEGIN, END, metrics, placed, table
from config.operating.exposition import FAMILIES

ROOT = Path(__file__).parents[3]
OPERATIONS = (ROOT / "docs/operations.md").read_text(encoding="utf-8")


def test_the_table_of_metrics_is_current() -> None:
    """`make metrics` was run after the last change of a definition."""
    assert placed(OPERATIONS) == OPERATIONS


def test_metrics_are_named_as_prometheus_wants_it() -> None:
    """Counters end in _total, units stand at the end of names, every metric says what to do."""
    for name, metric in metrics().items():
        assert (metric.kind == "counter") == name.endswith("_total"), name
        assert metric.kind in FAMILIES
        assert re.fullmatch(r"(groundswell|process)(_[a-z]+)+", name)
        for unit in ("seconds", "bytes", "records"):
            if metric.unit == unit and metric.kind != "counter":
                assert name.endswith(f"_{unit}"), name
        assert metric.means.endswith("."), name
        assert metric.act.endswith("."), name
        assert "|" not in metric.means + metric.act, name


def test_every_metric_in_the_rules_exists() -> None:
    """An alert on a metric that is not there never wakes anybody."""
    rules = OPERATIONS[OPERATIONS.index("```yaml") :]
    named = set(re.findall(r"\bgroundswell_[a-z_]+", rules))
    known = set(metrics())
    known |= {f"{name}_bucket" for name, metric in metrics().items() if metric.kind == "histogram"}
    assert named
    assert named <= known


def test_the_source_of_the_package_names_no_other_metric() -> None:
    """A metric that is reported and not defined would have no place in the docs."""
    code = (ROOT / "config/operating/exposition.py").read_text(encoding="utf-8")
    named = set(re.findall(r'"(groundswell_[a-z_]+)"', code))
    assert named <= set(metrics())
    # Two of them are put together of their parts.
    missing = {name for name in metrics() if name.startswith("groundswell_")} - named
    assert missing == {
        "groundswell_source_events_total",
        "groundswell_source_connections_total",
    }


def test_marks_must_be_there() -> None:
    """A table without a place is an error, not a silence."""
    assert table() in placed(f"{BEGIN}\n{END}")
    with pytest.raises(ValueError, match="marks"):
        placed("no marks here")
