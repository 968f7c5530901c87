"""What sources ask about what became of their posts."""

from collections.abc import Callable
from typing import TypeAlias

#: Whether something under this id (``source:external_id`` or ``source:author_id``) was passed on.
Known: TypeAlias = Callable[[str], bool]
