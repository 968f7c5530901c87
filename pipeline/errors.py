"""Errors are named for what happens next.

GroundswellError
├── TryLater     wait (growing, jittered) and do the same again: nothing is wrong with the record
│   ├── Fenced   somebody else took over this consumer's place; what was polled is theirs now
│   └── Emptied  the index of repeats lost claims: they are restored before the next turn
├── SetAside     this one record goes to the dead letters with its reason; the rest goes on
└── GiveUp       the process stops and says which setting or command to mend
    └── Misuse   the command line or a file given to it is wrong (exit code 2)

Vendor errors are translated into these once, in the adapter, with ``raise … from``.
"""


class GroundswellError(Exception):
    """Base of all errors that this program raises on purpose. ``str(error)`` is one clear line."""


class TryLater(GroundswellError):
    """Something outside is away for now.

    ``after`` is the pause in seconds that the other side asked for, or None.
    """

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class Fenced(TryLater):
    """The consumer's lease or partition now belongs to another; nothing was committed."""


class Emptied(TryLater):
    """The index of repeats lost claims; nothing was claimed. Restore them, then claim again."""


class SetAside(GroundswellError):
    """One record cannot be handled. The message is the reason kept with the dead letter."""


class GiveUp(GroundswellError):
    """Going on makes no sense. The message says what to mend."""


class Misuse(GiveUp):
    """What the user typed, or a file named there, is wrong; the message says what to type."""
