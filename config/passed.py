"""Which posts and authors of a live source concern us: those that were ever passed on."""

from pipeline.errors import TryLater
from pipeline.ports import Broker, Warehouse


class PassedOn:
    """Answers for one process whether something under an id may have been passed on before it.

    The warehouse knows all that came through; what an earlier process left on its way there is
    waited for once, and until then everything may have been. What this process passed on itself is
    for the source to remember (no more than ``MAX_LAG`` records can be on their way).
    """

    def __init__(self) -> None:
        self._warehouse: Warehouse | None = None
        self._broker: Broker | None = None
        self._is_settled = False

    def bind(self, broker: Broker, warehouse: Warehouse) -> None:
        """From now on these are asked."""
        self._broker, self._warehouse = broker, warehouse

    def __call__(self, number: str) -> bool:
        """Whether a mention's id, or ``source:author_id``, may be known. Raises TryLater."""
        if self._broker is None or self._warehouse is None:
            return True
        if not self._is_settled:
            self._is_settled = _is_drained(self._broker)
            return True
        return bool(self._warehouse.rows("is_known", id=number))


def _is_drained(broker: Broker) -> bool:
    """Whether all that was sent stands in the warehouse; in the order in which records travel."""
    try:
        return not any(any(broker.lag(group).values()) for group in ("worker", "store"))
    except TryLater:
        return False
