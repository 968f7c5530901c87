"""What ``watch`` says of a mention after it had passed the worker."""

from typing import Literal

from pipeline.model.base import Word
from pipeline.model.feedback import Link
from pipeline.values import Name, Whole

#: Why reports witness nothing, see ``brigades``.
CampaignKind = Literal["variants", "hashtag", "new_accounts"]


class LateLink(Word):
    """A link that ``watch`` found after the mention had passed the worker."""

    mention: Name
    mention_version: Whole = 0
    model: str
    link: Link

    @property
    def key(self) -> str:
        """Mention and incident: a mention has one late word for each incident."""
        return self.key_of(self.mention, self.link.incident)

    @staticmethod
    def key_of(mention: str, incident: str) -> str:
        """The key of a mention's late word on an incident, both by id."""
        return f"{mention}|{incident}"


class Campaign(Word):
    """That a report is one of a brigade's and witnesses nothing: what ``watch`` says of a mention.

    It holds for this version of the mention; an edit is weighed anew.
    """

    mention: Name
    mention_version: Whole = 0
    kind: CampaignKind

    @property
    def key(self) -> str:
        """The record's key on every topic."""
        return self.mention
