"""Trains the shipped heads from what ``bench.training_data`` wrote.

python -m bench.training_data SCRATCH
python -m bench.models SCRATCH config/models [HEAD …]
"""

import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from bench.training_data import HEADS
from pipeline.examples import read_examples
from pipeline.train import Settings, train

VERSION = "2026.11.2"
_SHIPPED = Settings(version=VERSION, max_rows=100_000, contrast=0.5)
# From cross-validation: heads whose sets are of one mind want less regularisation.
_COST = {"intent": 8.0, "informative": 0.15, "topic": 2.0}
_BALANCE = {"intent": 0.7}


def shipped(head: str) -> Settings:
    """How a shipped head is trained."""
    return replace(_SHIPPED, cost=_COST.get(head, 1.0), balance=_BALANCE.get(head, 1.0))


def main() -> None:
    """Trains all heads, or those named."""
    if len(sys.argv) < 3:
        sys.exit("usage: python -m bench.models SCRATCH OUT [HEAD …]")
    scratch, out = Path(sys.argv[1]), Path(sys.argv[2])
    with Progress(console=Console(stderr=True)) as bars:
        for head in sys.argv[3:] or HEADS:
            bar = bars.add_task(head)
            report = train(
                read_examples([scratch / f"{head}.jsonl.gz"]),
                head,
                out,
                settings=shipped(head),
                progress=lambda stage, done, total, bar=bar, head=head: bars.update(  # type: ignore[misc]
                    bar, description=f"{head}: {stage}", completed=done, total=total
                ),
            )
            print(report.to_text())


if __name__ == "__main__":
    main()
