"""How surprising a count is, and how surprising it must be: pure numbers, no state.

A count in a window is held against a stretch of ordinary time by the likelihood ratio of Li and Ma
(1983), made for photon counts "on" and "off" a source. It is exact enough for small counts, takes
into account that what is normal is itself only counted, and is about standard normal when nothing
happens.

The budget of false alarms belongs to the deployment. It is shared out evenly (Bonferroni) among the
series that can raise an alarm at present, the windows of each, and the looks at each window in a
week; what is left for one look is the probability its threshold stands for. More series, so, ask
for more surprise each, and their number does not change how often people are called for nothing.
"""

from collections.abc import Mapping
from functools import lru_cache
from math import log, sqrt
from statistics import NormalDist

#: Windows in minutes. 30 is for thin series: 12 reports in an hour are one in 5 minutes. One of 60
#: found nothing sooner and gave six alarms instead of one on three days of posts about operators.
WINDOWS = (1, 3, 5, 15, 30)
#: False alarms a week that the whole deployment may raise.
BUDGET = 3.0
#: Looks at a window every minute are not independent of each other: those at one of w minutes are
#: worth a week's minutes over the root of w. With minutes / w, as if windows stood side by side,
#: 260 series raised 5.7 alarms a week at a budget of 3, most of them by the longest window; so 1.8.
WEEK = 10_080  # minutes


def surprise(count: float, window: float, normal: float, minutes: float) -> float:
    """How far ``count`` in ``window`` minutes is above ``normal`` in ``minutes``, in sigmas.

    Not below zero: fewer than normal are no surprise here.
    """
    share = window / minutes
    if count <= normal * share:
        return 0.0
    total = count + normal
    ratio = count * log((1 + share) / share * count / total)
    if normal > 1e-9:  # less is nothing, and has no logarithm
        ratio += normal * log((1 + share) * normal / total)
    return sqrt(max(0.0, 2 * ratio))


@lru_cache(maxsize=4_096)
def thresholds(series: int, budget: float = BUDGET) -> Mapping[int, float]:
    """The surprise that each window asks for when so many series are watched."""
    of_series = budget / max(1, series) / len(WINDOWS)
    looks = {window: WEEK / sqrt(window) for window in WINDOWS}
    return {w: -NormalDist().inv_cdf(min(0.5, of_series / looks[w])) for w in WINDOWS}
