"""Small recorded files, and reading a source to its end."""

import json
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.ports import Collector, Item


def post(number: int, said_at: str, **more: Any) -> dict[str, Any]:
    return {
        "source": "x",
        "external_id": str(number),
        "text": f"post {number}",
        "said_at": said_at,
    } | more


def write(path: Path, lines: Iterable[dict[str, Any] | str]) -> Path:
    told = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text("".join(f"{line}\n" for line in told), encoding="utf-8")
    return path


def all_items(source: Collector, cursor: str | None = None) -> list[Item]:
    return list(source.items(cursor, threading.Event()))
