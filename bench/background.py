"""Makes pipeline/steps/rarity.safetensors: how rare a stem is in posts.

``python -m bench.background`` reads those sets of ../shared/data that may teach what ships (see
``SETS``) and, so that they weigh little, the stock phrases of status pages below, which are ours.
The table holds one byte for each of 2^18 hashed columns; no text can be read out of it.
"""

import csv
import gzip
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from pipeline.steps.stems import BITS, STEPS_PER_UNIT, TABLE, stems
from pipeline.steps.text import prepare_texts

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
#: File, and how many of its rows at most, so that none of them rules the rest.
SETS = (
    ("uk_telecom_2019/stream_to_2019-11-27.csv.gz", 6_000),
    ("uk_telecom_2019/labelled_o2.csv.gz", 6_000),
    ("complaints_acl2019.csv.gz", 6_000),
    ("app_reviews_4class.csv.gz", 6_000),
    ("disaster_tweets_dfe.csv.gz", 10_000),
    ("disaster_response_fig8.csv.gz", 8_000),
    ("crisislex_t6.csv.gz", 20_000),
)
#: Events that nothing about links was tuned on, so that bench/links.py can tell what it is worth.
SET_ASIDE = frozenset(
    {
        "2012_guatemala_earthquake",
        "2013_australia_bushfire",
        "2013_la_airport_shootings",
        "2013_oklahoma_tornado",
        "2013_typhoon_yolanda",
    }
)
#: What every incident says says nothing about which one it is.
STOCK = """
We are investigating reports of an issue. We are currently investigating this incident.
We have identified the problem and are working on a fix. The cause has been identified.
A fix has been implemented and we are monitoring the results. We continue to monitor.
This incident has been resolved. The issue is resolved. Service has been restored. Back to normal.
Elevated error rates. Increased errors. Degraded performance. Slow response times. High latency.
Partial outage. Major outage. Service disruption. Intermittent failures. Timeouts. Unavailable.
Some users may experience problems. A subset of customers is affected. All customers. All regions.
Scheduled maintenance. We apologise for the inconvenience. Thank you for your patience.
Update. Next update in 30 minutes. Our engineers are working on it. Status page. Team. Reports.
Incident with the service. Problems with the app. Users cannot connect. Down. Not working. Broken.
Is it down? Anyone else having problems? Still not working. It stopped working. It does not load.
Error. Failed. Failing. Crash. Crashes. Slow. Keeps loading. Offline. Outage. Help. Fix it. Issues.
Can't, cannot, won't, doesn't, isn't, unable to. Please. Since this morning. For hours. Today. Now.
Thoughts and prayers. Pray for everyone. Praying. #prayfor. Hope all are safe. Stay safe. Hearts.
Breaking news. Alert. Warning. Emergency. Disaster. Tragedy. Rescue. Relief. Victims. Donate. Help.
Killed. Dead. Injured. Missing. Damage. Families. Affected. Updates. Photos. Video. Watch live. RT.
Wir untersuchen eine Störung. Das Problem ist behoben. Geht nicht. Funktioniert nicht. Ausfall.
Nous enquêtons sur une panne. Ne marche pas. Le problème est résolu. En panne. Ça ne fonctionne pas.
Estamos investigando una caída. No funciona. El problema está resuelto. Se cayó. Fallo. Caído.
Estamos investigando uma falha. Não funciona. Fora do ar. O problema foi resolvido. Caiu.
Stiamo indagando su un disservizio. Non funziona. Il problema è stato risolto. Non va.
"""
#: The most that a stock word may weigh.
STOCK_AT_MOST = 1.0


def posts(data: Path) -> Iterator[str]:
    """The texts of all sets; of t6 only what is about none of its events, and none set aside."""
    for name, most in SETS:
        with gzip.open(data / name, "rt", encoding="utf-8", newline="") as lines:
            kept = 0
            for row in csv.DictReader(lines):
                aside = row.get("event", "").lower() in SET_ASIDE
                if row.get("label") == "on-topic" or aside or kept >= most:
                    continue
                kept += 1
                yield row["text"]


def table(texts: list[str]) -> NDArray[np.uint8]:
    """The rarity of each column as a byte."""
    having = np.zeros(1 << BITS)
    for first in range(0, len(texts), 5_000):
        having += _having(texts[first : first + 5_000])
    rare = np.log((len(texts) + 1) / (having + 0.5)) - 1
    stock = np.flatnonzero(_having(STOCK.split("\n")))
    rare[stock] = np.minimum(rare[stock], STOCK_AT_MOST)
    return np.clip(np.round(rare * STEPS_PER_UNIT), 0, 255).astype(np.uint8)


def _having(texts: list[str]) -> NDArray[np.int64]:
    """How many of the texts have each column."""
    found = stems(prepare_texts(texts).canonical)
    each = np.unique((found.rows.astype(np.int64) << BITS) | found.columns)
    return np.bincount(each & ((1 << BITS) - 1), minlength=1 << BITS)


def main() -> int:
    """Writes the table."""
    if not DATA.is_dir():
        print("skipped: ../shared/data is not here")
        return 0
    texts = list(posts(DATA))
    rare = table(texts)
    about = {"format": "groundswell-background/2", "posts": str(len(texts))}
    save_file({"rarity": rare}, TABLE, metadata=about)
    print(f"{len(texts):,} posts, {int((rare < rare.max()).sum()):,} columns seen, to {TABLE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
