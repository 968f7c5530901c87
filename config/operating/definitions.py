"""The definitions of all metrics (``metrics.toml``), and the table of them in the docs.

``python -m config.operating.definitions docs/operations.md`` (``make metrics``) writes the table
into the file, between its two marks.
"""

import sys
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

BEGIN, END = "<!-- metrics: made by `make metrics` -->", "<!-- end of metrics -->"


class Metric(BaseModel):
    """One metric: what it means, and what to do when it is not as it should be."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    labels: tuple[str, ...]
    means: str
    act: str


@cache
def metrics() -> dict[str, Metric]:
    """Every metric by its name, in the order of the docs."""
    text = files("config.operating").joinpath("metrics.toml").read_text(encoding="utf-8")
    return {name: Metric(name=name, **given) for name, given in tomllib.loads(text).items()}


def table() -> str:
    """The metrics as a table in Markdown."""
    rows = [
        "| metric | type, unit | labels | means | what to do |",
        "| --- | --- | --- | --- | --- |",
    ]
    for metric in metrics().values():
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
        kind = f"{metric.kind}, {metric.unit}"
        rows.append(f"| `{metric.name}` | {kind} | {labels} | {metric.means} | {metric.act} |")
    return "\n".join(rows)


def placed(text: str) -> str:
    """The text of the docs with the present table between the marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the marks {BEGIN} and {END} are missing")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    docs = Path(sys.argv[1])
    docs.write_text(placed(docs.read_text(encoding="utf-8")), encoding="utf-8")
