"""The topics and their configuration, in one place for every broker."""

from pipeline.ports import Topic

MENTIONS = "mentions"
FEEDBACK = "feedback"
LINKS = "links"
CAMPAIGNS = "campaigns"
INCIDENTS = "incidents"
DECISIONS = "decisions"
PROFILES = "profiles"
COVERAGE = "coverage"
SPEND = "spend"
CURSORS = "cursors"
DEADLETTER = "deadletter"
#: How long dead letters can be kept at most.
DEAD_LETTER_DAYS = 7

#: Topics with text are compacted and bounded, so that a tombstone reaches every copy of a text.
TOPICS = (
    Topic(MENTIONS, partitions=12, compacted=True, retention_hours=7 * 24),
    Topic(FEEDBACK, partitions=12, compacted=True, retention_hours=7 * 24),
    Topic(LINKS, partitions=12, compacted=True, retention_hours=7 * 24),
    Topic(CAMPAIGNS, partitions=12, compacted=True, retention_hours=7 * 24),
    Topic(INCIDENTS, compacted=True),
    Topic(DECISIONS, partitions=1),
    Topic(PROFILES, compacted=True),
    Topic(COVERAGE, partitions=1, retention_hours=30 * 24),
    Topic(SPEND, partitions=1, compacted=True),
    Topic(CURSORS, compacted=True),
    Topic(DEADLETTER, partitions=1, compacted=True, retention_hours=DEAD_LETTER_DAYS * 24),
)
