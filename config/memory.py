"""How this process treats its memory: Python's collector of garbage, and what libc holds back."""

import ctypes
import gc


def calm() -> None:
    """Looks for cycles a hundred times less often.

    A batch is some hundred thousand objects that live for a moment and hold no cycles: looking
    through them all the time cost a third of a replay and found nothing.
    """
    gc.set_threshold(100_000, 20, 20)


def give_back() -> None:
    """Returns freed memory to the system where the C library can (glibc); a few ms."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
