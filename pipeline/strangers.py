"""Fields of posts that nobody here knows: passed over, and told at the end by their names."""

import re
from collections import Counter
from typing import Any, Final

from pipeline.model import Decision, Mention, Removal

#: Names that are counted apart; a file may invent a name for each line.
MOST_NAMES: Final = 1_000
#: Names that are told.
MOST_TOLD: Final = 8
#: What may be shown of a record: a name as fields have them, never a text.
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,39}")
_MENTION: Final = frozenset(Mention.model_fields)
_REMOVAL: Final = frozenset(Removal.model_fields)
_DECISION: Final = frozenset(Decision.model_fields)


class Strangers:
    """Counts the top-level fields that words of a file do not have; ``names`` says how often each.

    Names that look like none, and those beyond the first 1,000, are counted under ``""``.
    """

    def __init__(self) -> None:
        self.names: Counter[str] = Counter()

    def look(self, value: Any) -> None:
        """Counts the unknown fields of one decoded line; what is no object has none."""
        if not isinstance(value, dict):
            return
        if "removal" in value:
            known = _REMOVAL
        elif "verb" in value and "text" not in value:
            known = _DECISION
        else:
            known = _MENTION
        for name in value.keys() - known:
            fits = _NAME.fullmatch(name) and (name in self.names or len(self.names) < MOST_NAMES)
            self.names[name if fits else ""] += 1

    def told(self) -> str | None:
        """One line that names them, the most frequent first; None when there were none."""
        if not self.names:
            return None
        named = sorted((name for name in self.names if name), key=lambda n: (-self.names[n], n))
        shown = [f"{name} ({self.names[name]:,})" for name in named[:MOST_TOLD]]
        if len(self.names) > len(shown):
            shown.append("others")
        hint = ""
        if any(name.startswith(("author_", "author.")) for name in named):
            hint = '; who posted is "author": {"id": …, "handle": …}'
        return f"fields that are not known were passed over: {', '.join(shown)}{hint}"
