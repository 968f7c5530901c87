"""The queries of docs/analysts.md, as they stand there."""

import re
from pathlib import Path

_PAGE = Path(__file__).parents[2] / "docs" / "analysts.md"
#: Title and SQL of each.
QUERIES: list[tuple[str, str]] = re.findall(
    r"### ([^\n]+)\n(?:(?!###).)*?```sql\n(.*?)```", _PAGE.read_text("utf-8"), re.DOTALL
)
