"""Lists the benches: ``python -m bench``."""

import ast
from pathlib import Path


def main() -> None:
    """Prints each bench that can be run with the first line of what it says of itself."""
    for path in sorted(Path(__file__).parent.glob("*.py")):
        source = path.read_text(encoding="utf-8")
        if path.name.startswith("_") or '__name__ == "__main__"' not in source:
            continue
        told = ast.get_docstring(ast.parse(source)) or ""
        print(f"python -m bench.{path.stem:<16}{told.partition(chr(10))[0]}")


if __name__ == "__main__":
    main()
