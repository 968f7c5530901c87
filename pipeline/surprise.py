"""How surprising a count is, and how surprising it must be: pure numbers, no state.

A count in a window is held against a stretch of ordinary time by the likelihood ratio of Li and Ma
(1983), made for photon counts "on" and "off" a source. It is exact enough for small counts, takes
into account that what is normal is itself only counted, and is about standard normal when nothing
happens. Where people answer each other, the rate of each minute wavers by itself; counts are then
negative binomial instead of Poisson, and the same ratio is taken of those likelihoods. The busier a
series is the more this takes away, while the root of a spread measured over the day took too little
at its height and too much at night.

The budget of false alarms belongs to the deployment. It is shared out evenly (Bonferroni) among the
series that can raise an alarm at present, the windows of each, and the looks at each window in a
week; what is left for one look is the probability its threshold stands for. More series, so, ask
for more surprise each, and their number does not change how often people are called for nothing.
"""

from collections.abc import Mapping
from functools import lru_cache
from math import log, log1p, sqrt
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


def surprise(
    count: float, window: float, normal: float, minutes: float, unrest: float = 0.0
) -> float:
    """How far ``count`` in ``window`` minutes is above ``normal`` in ``minutes``, in sigmas.

    ``unrest``: variance of the rate of a single minute over its square, 0 where only chance moves
    the counts. Not below zero: fewer than normal are no surprise here.
    """
    if count * minutes <= normal * window:
        return 0.0
    both = (count + normal) / (window + minutes)
    ratio = _likelihood(count, window, count / window, unrest)
    ratio += _likelihood(normal, minutes, normal / minutes, unrest)
    ratio -= _likelihood(count + normal, window + minutes, both, unrest)
    return sqrt(max(0.0, 2 * ratio))


def _likelihood(count: float, minutes: float, rate: float, unrest: float) -> float:
    """The logarithm of how likely so many are at that rate, but for what does not depend on it."""
    told = count * log(rate) if count > 1e-9 else 0.0  # less is nothing, and has no logarithm
    if unrest < 1e-6:
        return told - minutes * rate
    return told - (count + minutes / unrest) * log1p(unrest * rate)


@lru_cache(maxsize=4_096)
def thresholds(series: int, budget: float = BUDGET) -> Mapping[int, float]:
    """The surprise that each window asks for when so many series are watched."""
    of_series = budget / max(1, series) / len(WINDOWS)
    looks = {window: WEEK / sqrt(window) for window in WINDOWS}
    return {w: -NormalDist().inv_cdf(min(0.5, of_series / looks[w])) for w in WINDOWS}
