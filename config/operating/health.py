"""Whether a process lives and whether it is ready, with what to mend."""

from typing import Any, NamedTuple

from config.operating.meters import Meters
from config.operating.watched import Watched
from pipeline.intake import Intake

#: A round that takes longer hangs: batches take seconds, and whoever waits outside gives up sooner.
STUCK_SECONDS = 300.0
CHECK = "`groundswell check` reaches every configured service and says what to mend"
MEND = {
    "broker": f"look whether the broker runs and its disk has room; {CHECK}",
    "warehouse": f"look whether the warehouse runs and its disk has room; {CHECK}",
    "repeats": f"look whether Valkey or Redis runs; {CHECK}",
}
#: Rounds of these wait for nobody outside; the others' first one rebuilds what is kept in memory.
OF_SOURCE = "it is tried again by itself; look at its address and credential in the settings"
OF_GIVEN_UP = "it is not tried again: mend that, then start this process anew"
OF_ROLE = "it goes on by itself once that is back"


class Health(NamedTuple):
    """The answer, and the parts it is made of, fit for JSON."""

    is_fine: bool
    told: dict[str, Any]


def live(meters: Meters) -> Health:
    """Whether every role turns: False is a reason to start the process anew.

    The first round does not count: a worker rebuilds its memory in it, which takes what it takes.
    """
    stuck = [
        {
            "name": name,
            "told": f"one round has taken {role.turn_seconds:.0f} s",
            "mend": "start this process anew; nothing is lost, the unfinished batch is done again",
        }
        for name, role in dict(meters.roles).items()
        if role.turns and role.turn_seconds > STUCK_SECONDS
    ]
    return Health(not stuck, {"live": not stuck, "stuck": stuck})


def ready(meters: Meters, is_complete: bool) -> Health:
    """Whether everything this process needs answers. ``is_complete``: all its parts are made."""
    checks = [_of_dependency(name, meters) for name in dict(meters.dependencies)]
    checks += [_of_role(name, role) for name, role in dict(meters.roles).items()]
    if not is_complete:
        checks.append(_check("start", "its parts are still being made", f"wait; {CHECK}"))
    is_ready = all(check["ok"] for check in checks)
    return Health(is_ready, {"ready": is_ready, "checks": checks})


def _of_dependency(name: str, meters: Meters) -> dict[str, Any]:
    return _check(name, meters.answer(name).trouble, MEND[name])


def _of_role(name: str, role: Watched) -> dict[str, Any]:
    mend = OF_SOURCE if isinstance(role.role, Intake) else OF_ROLE
    mend = OF_GIVEN_UP if role.has_given_up else mend
    if role.trouble is None and not role.turns and not role.done:
        return _check(name, "its first round is not over yet", "wait: it reads what went before")
    return _check(name, role.trouble, mend)


def _check(name: str, trouble: str | None, mend: str) -> dict[str, Any]:
    if trouble is None:
        return {"name": name, "ok": True}
    return {"name": name, "ok": False, "told": trouble, "mend": mend}
