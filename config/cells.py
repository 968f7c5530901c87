"""Cells of answers as files hold them."""

from datetime import datetime
from typing import Any, Final

import orjson

#: Cells that a spreadsheet would take for a formula, also one of East Asia; posts are hostile.
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def tame(cell: Any) -> Any:
    """A cell of CSV that no spreadsheet runs: what looks like a formula gets an apostrophe.

    Times are RFC 3339, truth is true or false, lists are JSON.
    """
    if isinstance(cell, datetime):
        return cell.isoformat().replace("+00:00", "Z")
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, list | dict):
        return orjson.dumps(cell, default=str).decode()
    if isinstance(cell, str) and cell.startswith(FORMULA):
        return "'" + cell
    return cell
