"""Recorded posts: files of JSON lines with mentions, removals and decisions, in their own time."""

from functools import cached_property

from collectors.kit.jsonlines import Line
from collectors.kit.playback import Played
from collectors.kit.times import instant, moved, to_us
from pipeline.decoding import load, read_post
from pipeline.model import Decision, Mention, Removal
from pipeline.strangers import Strangers
from pipeline.values import EVENT_AHEAD


class Recorded(Played):
    """A source of mentions that plays files, merged by ``event_at``; ``-`` is standard input.

    ``speed`` None reads as fast as it can; otherwise so many seconds of recorded time pass in a
    second of ``clock``, and at the start it is ``begin`` in recorded time (default: the time of
    the first record). ``shift`` is added to every time in the files. A post without ``seen_at``
    was seen when it happened, so that a replay does not depend on the day it is run. Raises
    Misuse for a file that is missing or broken.
    """

    @cached_property
    def strangers(self) -> Strangers:
        """The fields that no word has, known once the files were read through."""
        return Strangers()

    def _moments(self, data: bytes) -> list[int]:
        """When a line takes its place. A cheap look: whether it is a word shows when it is read."""
        value = load(data)
        self.strangers.look(value)
        if not isinstance(value, dict):
            return []
        if "removal" in value or ("verb" in value and "text" not in value):
            at = instant(value.get("at"))
        else:
            at = instant(value.get("event_at")) or instant(value.get("said_at"))
            seen = instant(value.get("seen_at"))
            if at and seen and at - seen > EVENT_AHEAD:
                at = seen + EVENT_AHEAD
        return [to_us(moved(at, self._shift))] if at else []

    def _word(self, line: Line) -> Mention | Removal | Decision:
        word = read_post(line.data)
        if not isinstance(word, Mention):
            return word.model_copy(update={"at": moved(word.at, self._shift)})
        event_at = word.event_at
        if event_at - word.seen_at > EVENT_AHEAD:
            event_at = word.seen_at + EVENT_AHEAD
        # Given even where they did not change, so that seen_at stands as set by this source.
        return word.model_copy(
            update={
                "said_at": moved(word.said_at, self._shift),
                "event_at": moved(event_at, self._shift),
                "seen_at": moved(word.seen_at, self._shift),
            }
        )
