"""Writes the JSON Schema of each word: ``python -m config.schemas docs/schemas``."""

import json
import sys
from pathlib import Path

from pipeline.model import WORDS, Word
from pipeline.tracks import Track


def schema_of(word: type[Word]) -> str:
    """The schema as it stands in ``docs/schemas``, with a line break at its end."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **word.model_json_schema(mode="validation"),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def files() -> dict[str, str]:
    """File names and contents for every word."""
    words: dict[str, type[Word]] = {**WORDS, "Track": Track}
    return {f"{name.lower()}.json": schema_of(word) for name, word in words.items()}


def main(directory: Path) -> None:
    """Writes every schema into ``directory``."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (directory / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
