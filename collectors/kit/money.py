"""What reading costs, for platforms that are paid by the read: a daily and a monthly cap.

The most that a question can cost is counted before it is asked, and what it did not cost is given
back with the answer. The count is part of the cursor, so that no crash makes us spend more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline.model import Spend

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a read and the most to be spent, all in one currency.

    ``spread`` gives out half of the day's cap at once and the rest evenly over the day, so that an
    expensive hour is read in samples; without it reading pauses when the cap is reached.
    """

    per_read: float
    a_day: float
    a_month: float
    spread: bool = True


class Purse:
    """The reads of one source against its caps. Days and months are those of UTC."""

    def __init__(self, price: Price) -> None:
        self._price = price
        self._reads: dict[str, int] = {}
        self._told: dict[str, int] = {}

    @property
    def reads(self) -> dict[str, int]:
        """Reads by day, for the cursor: those of the month of the newest one."""
        return dict(self._reads)

    def recall(self, reads: Mapping[str, int]) -> None:
        """Takes over what a cursor remembers, unless more is known here already."""
        for day, count in reads.items():
            self._reads[str(day)] = max(self._reads.get(str(day), 0), int(count))

    def spent(self, now: datetime) -> tuple[float, float]:
        """What this day and this month have cost so far."""
        today, month = f"{now:%Y-%m-%d}", f"{now:%Y-%m}"
        reads = sum(count for day, count in self._reads.items() if day.startswith(month))
        per_read = self._price.per_read
        return self._reads.get(today, 0) * per_read, reads * per_read

    def wait(self, now: datetime, most: int) -> float:
        """Seconds until a question that costs up to ``most`` reads may be asked; 0: now.

        With a cap below the price of such a question that is never true: a day, again and again.
        """
        cost = most * self._price.per_read
        day, month = self.spent(now)
        midnight = datetime(now.year, now.month, now.day, tzinfo=UTC)
        if month + cost > self._price.a_month or day + cost > self._price.a_day:
            return (midnight + _DAY - now).total_seconds()
        if not self._price.spread:
            return 0.0
        # Half at once, the other half as the day goes by.
        due = midnight + _DAY * max(0.0, 2 * (day + cost) / self._price.a_day - 1)
        return max(0.0, (due - now).total_seconds())

    def take(self, now: datetime, reads: int) -> None:
        """Counts so many reads; below 0: gives back what a question did not cost."""
        today = f"{now:%Y-%m-%d}"
        month = today[:7]
        kept = {day: count for day, count in self._reads.items() if day.startswith(month)}
        kept[today] = max(0, kept.get(today, 0) + reads)
        self._reads = kept

    def bill(self, source: str, now: datetime) -> list[Spend]:
        """What the days have cost of which that was not told yet; asking is telling."""
        days = {day: reads for day, reads in self._reads.items() if self._told.get(day) != reads}
        self._told = dict(self._reads)
        return [
            Spend(
                source=source,
                day=datetime.fromisoformat(day),
                reads=reads,
                cost=reads * self._price.per_read,
                at=now,
            )
            for day, reads in days.items()
        ]
