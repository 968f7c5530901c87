"""Bursts: what counts as more reports than usual, and what does not."""

import random
import time
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from pipeline.bursts import DAY, FLOOR, KEEP, MINUTE, Burst, Bursts, Key, Said

T0 = 28_000_000  # a minute


def said(minute: float, witness: str, *names: tuple[str, str]) -> Said:
    return Said(round((T0 + minute) * MINUTE), witness, names)


def run(reports: Sequence[Said], until: int, heard: int = 0) -> list[Burst]:
    """The bursts of a track that was heard from minute ``heard`` on, judged up to ``until``."""
    bursts = Bursts()
    bursts.hear("net", (T0 + heard) * MINUTE)
    for one in reports:
        bursts.add("net", one)
    return bursts.tick((T0 + until) * MINUTE)


def hourly(hours: int, a_hour: int = 1) -> list[Said]:
    """Ordinary life: so many reports an hour, by people who speak once."""
    return [
        said(60 * h + 60 * i / a_hour, f"h{h}-{i}") for h in range(hours) for i in range(a_hour)
    ]


def test_twelve_in_an_hour_where_one_is_normal() -> None:
    """A thin track: 12 reports in an hour are found within 30 minutes of the first."""
    start = 30 * 60 + 7
    reports = hourly(30) + [said(start + 5 * i, f"b{i}") for i in range(12)]
    found = run(reports, start + 31)
    assert found
    assert found[0].onset_ms == (T0 + start) * MINUTE
    assert found[0].at_ms <= (T0 + start + 30) * MINUTE


def test_one_loud_author_is_no_burst() -> None:
    """However often one author says it, that is one witness."""
    loud = [said(1800 + i / 20, "loud") for i in range(600)]
    assert run(hourly(30) + loud, 1900) == []


def test_fewer_than_the_floor_is_no_burst() -> None:
    """Some people at once after a silence of days are not yet a matter."""
    few = [said(2000, f"w{i}") for i in range(FLOOR - 1)]
    assert run(few, 2100) == []
    assert run([*few, said(2001, "one more")], 2100) != []


def test_steady_noise_from_the_first_minute_is_no_burst() -> None:
    """Without history nothing is known to be normal: a busy track does not start with an alarm."""
    rng = random.Random(3)
    busy = [said(rng.uniform(0, 240), f"w{i}") for i in range(960)]
    assert run(sorted(busy), 240) == []


def test_a_burst_in_the_first_hour() -> None:
    """Twenty quiet minutes are enough to know that eight people in four are not normal."""
    assert run([said(25 + i / 2, f"w{i}") for i in range(8)], 40) != []


def test_evening_tide_is_no_burst() -> None:
    """Counts that rise and fall with the day, as they did yesterday, raise nothing."""
    rng = random.Random(5)
    reports = []
    for minute in range(4 * DAY):
        rate = 0.2 if minute % DAY < 480 else 1.0
        reports += [said(minute, f"{minute}-{i}") for i in range(rng.random() < rate)]
    after_first_day = [b for b in run(reports, 4 * DAY) if b.at_ms > (T0 + 2 * DAY) * MINUTE]
    assert after_first_day == []


def test_a_burst_grows_and_ends() -> None:
    """It counts distinct witnesses from the first report on and is over 30 quiet minutes later."""
    reports = hourly(30) + [said(1820 + i, f"b{i % 30}") for i in range(60)]
    found = run(reports, 2400)
    assert [b.over for b in found].count(True) == 1
    assert found[-1].over
    assert found[-1].witnesses == 30
    assert found[0].witnesses < 10
    end = found[-1].at_ms // MINUTE - T0
    assert 1850 < end <= 1820 + 60 + 45


def test_what_lasts_becomes_normal() -> None:
    """A rise that stays is one burst, not one for ever and not one after the other."""
    reports = hourly(30) + [said(1800 + i / 2, f"b{i}") for i in range(4 * DAY)]
    found = run(reports, 1800 + 2 * DAY)
    assert [b.over for b in found].count(True) == 1
    assert found[-1].over
    assert found[-1].at_ms < (T0 + 1800 + 400) * MINUTE


def test_onset_and_names() -> None:
    """The first report is found by walking back; what the burst's reports name is counted."""
    names = (("component", "Messages"), ("place", "Leeds"))
    reports = [said(600, "early"), *(said(2000 + i, f"b{i}", *names) for i in range(10))]
    found = run(reports, 2010)
    assert found[0].onset_ms == (T0 + 2000) * MINUTE
    assert found[0].names[("component", "Messages")] == found[0].witnesses
    assert found[0].normal < 1


def test_late_reports_count() -> None:
    """Reports that arrive after their minute was judged still make the burst."""
    bursts = Bursts()
    bursts.hear("net", T0 * MINUTE)
    assert bursts.tick((T0 + 310) * MINUTE) == []
    for i in range(8):
        bursts.add("net", said(300 + i, f"w{i}"))
    found = bursts.tick((T0 + 311) * MINUTE)
    assert [b.witnesses for b in found] == [8]


def test_years_of_silence_cost_nothing() -> None:
    """Empty time is skipped: a century between two posts is two steps, and nothing is kept."""
    bursts = Bursts()
    began = time.process_time()
    for year in range(100):
        bursts.add("net", said(year * 365 * DAY, "w"))
        bursts.tick((T0 + year * 365 * DAY + 1) * MINUTE)
    assert time.process_time() - began < 2
    assert sum(len(series.fresh) for series in bursts._series.values()) <= 2 * KEEP
    assert sum(map(len, bursts._thin.values())) <= FLOOR


def test_memory_is_bounded() -> None:
    """A track keeps what its references need, whatever went by."""
    bursts = Bursts()
    for minute in range(0, 12 * DAY, 2):
        bursts.add("net", said(minute, f"w{minute}"))
        bursts.tick((T0 + minute) * MINUTE)
    bursts.tick((T0 + 12 * DAY) * MINUTE)
    series = bursts._series[Key("net")]
    assert len(series.fresh) <= 2 * KEEP
    assert len(series.seen) + len(series.first_ms) + len(series.names) <= 6 * KEEP
    assert bursts._waiting == {}


REPORTS = st.lists(
    st.builds(
        lambda minute, who: said(minute, f"w{who}", ("topic", "login")),
        st.one_of(st.integers(0, 6000), st.integers(3000, 3040)),
        st.integers(0, 40),
    ),
    max_size=120,
)


@given(REPORTS, st.lists(st.integers(1, 30), min_size=1, max_size=10))
def test_batches_do_not_matter(reports: list[Said], sizes: list[int]) -> None:
    """Cut into any batches, each judged up to its last report, the same bursts come out."""
    reports = sorted(reports)
    whole = run(reports, 7000)
    bursts, found, at, turn = Bursts(), list[Burst](), 0, 0
    bursts.hear("net", T0 * MINUTE)
    while at < len(reports):
        batch = reports[at : at + sizes[turn % len(sizes)]]
        for one in batch:
            bursts.add("net", one)
        found += bursts.tick(batch[-1].at_ms)
        at, turn = at + len(batch), turn + 1
    assert found + bursts.tick((T0 + 7000) * MINUTE) == whole


@given(REPORTS)
def test_repetition_does_not_matter(reports: list[Said]) -> None:
    """Every report delivered twice, in one go or again after it was judged, counts once."""
    reports = sorted(reports)
    assert run([*reports, *reports], 7000) == run(reports, 7000)


def test_a_part_bursts_where_the_whole_does_not() -> None:
    """A topic in a region that is usually silent stands out on a busy track."""
    rng = random.Random(9)
    usual = [
        said(rng.uniform(0, 1800), f"u{i}", ("topic", "network"), ("region", "South"))
        for i in range(5400)
    ]
    lost = [said(1700 + i, f"l{i}", ("topic", "login"), ("region", "North")) for i in range(12)]
    found = run(sorted(usual + lost), 1715)
    # The topic, the region and both at once: all three were silent.
    assert {burst.key[1:] for burst in found} == {("login", ""), ("", "North"), ("login", "North")}
    assert all(abs(burst.onset_ms - (T0 + 1700) * MINUTE) < 1 for burst in found)


def test_restless_counts_have_to_surprise_more() -> None:
    """Where people always come in clumps of four, ten at once are less of a surprise."""

    def witnesses(clump: int, count: int) -> list[Said]:
        return [said(1 + i * 3000 / count, f"w{i}-{k}") for i in range(count) for k in range(clump)]

    clumpy, even = Bursts(), Bursts()
    for bursts, posts in ((clumpy, witnesses(4, 150)), (even, witnesses(1, 600))):
        bursts.hear("net", T0 * MINUTE)
        for one in posts:
            bursts.add("net", one)
        bursts.tick((T0 + 3000) * MINUTE)
    restless, calm = (bursts._series[Key("net")].unrest for bursts in (clumpy, even))
    assert restless > 5
    assert calm < 0.1


def test_what_moves_the_whole_moves_its_parts() -> None:
    """A part is too thin to show that its track comes in waves; it must not be alarmed by them."""
    bursts, rng, number = Bursts(), random.Random(5), 0
    bursts.hear("net", T0 * MINUTE)
    for minute in range(1_500):
        for _ in range(rng.choice((0, 0, 0, 12))):
            number += 1
            topic = ("topic", "login" if number % 12 == 0 else "network")
            bursts.add("net", said(minute, f"w{number}", topic))
    bursts.tick((T0 + 1_500) * MINUTE)
    whole, part = (bursts._series[key].unrest for key in (Key("net"), Key("net", "login")))
    assert part >= whole > 1


def test_more_series_share_the_budget() -> None:
    """Every part that had enough witnesses in the last day is one more that may raise an alarm."""
    bursts = Bursts()
    bursts.hear("net", T0 * MINUTE)
    for i in range(250):
        names = ("topic", f"t{i % 6}"), ("region", f"r{i % 5}")
        bursts.add("net", said(i * 12, f"w{i}", *names))
    bursts.tick((T0 + 3010) * MINUTE)
    assert bursts.watched == 1 + 6 + 5  # of the 30 pairs each has less than five a day
