"""The words: what travels on the topics and stands in the warehouse.

Every word is a frozen pydantic model. Unknown fields never break a reader. Times are aware
``datetime`` in UTC, written as RFC 3339; a time without a zone is taken as UTC. ``decoding``
makes them from foreign JSON. A file holds the words that are spoken of together; everyone else
takes them from here.
"""

from pipeline.model.base import Word
from pipeline.model.deadletter import DeadLetter
from pipeline.model.decision import Decision, Profile, Verb
from pipeline.model.feedback import (
    HEADS,
    TROUBLED,
    WHAT_AND_WHERE,
    Evidence,
    Feedback,
    Label,
    Link,
    LinkBy,
    LinkState,
    Repeat,
    RepeatKind,
)
from pipeline.model.incident import (
    CLOSED,
    PROPOSAL,
    AnyComponent,
    Component,
    Incident,
    Status,
    StatusAt,
    Update,
)
from pipeline.model.mention import Author, Kind, Mention, Removal
from pipeline.model.sources import Coverage, Cursor, Spend
from pipeline.model.watched import Campaign, CampaignKind, LateLink

__all__ = [
    "CLOSED",
    "HEADS",
    "PROPOSAL",
    "TROUBLED",
    "WHAT_AND_WHERE",
    "WORDS",
    "AnyComponent",
    "Author",
    "Campaign",
    "CampaignKind",
    "Component",
    "Coverage",
    "Cursor",
    "DeadLetter",
    "Decision",
    "Evidence",
    "Feedback",
    "Incident",
    "Kind",
    "Label",
    "LateLink",
    "Link",
    "LinkBy",
    "LinkState",
    "Mention",
    "Profile",
    "Removal",
    "Repeat",
    "RepeatKind",
    "Spend",
    "Status",
    "StatusAt",
    "Update",
    "Verb",
    "Word",
]

#: Every word by name; their JSON Schemas stand in docs/schemas.
WORDS: dict[str, type[Word]] = {
    word.__name__: word
    for word in (
        Mention,
        Removal,
        Incident,
        Feedback,
        LateLink,
        Campaign,
        Decision,
        Profile,
        Coverage,
        Spend,
        Cursor,
        DeadLetter,
    )
}
