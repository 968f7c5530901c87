"""Accounts of a PDS, through atproto's client."""

from typing import Any

from atproto import Client, models
from atproto_client.utils import TextBuilder

from tests.servers.pds.server import DOMAIN

PASSWORD = "tide-4711"
POSTS, LIKES = "app.bsky.feed.post", "app.bsky.feed.like"
SOURCE = "bluesky:"


class Person:
    """One account. Posts go by the ids they have with us: ``bluesky:DID/RKEY``."""

    def __init__(self, url: str, name: str) -> None:
        self.handle = f"{name}{DOMAIN}"
        self._client = Client(url)
        self._server, self._repo = self._client.com.atproto.server, self._client.com.atproto.repo
        account = {"handle": self.handle, "email": f"{name}@mail.test", "password": PASSWORD}
        self.did = self._server.create_account(
            models.ComAtprotoServerCreateAccount.Data(**account)
        ).did
        # There is no AppView that would know profiles.
        self._client.login(self.handle, PASSWORD, fetch_bsky_profile=False)

    def close(self) -> None:
        """Lets go of the connection."""
        self._client.request.close()

    def say(self, text: str | TextBuilder, **more: Any) -> str:
        """Posts, with ``more`` in the record; returns the post's id."""
        return SOURCE + self._create(POSTS, self._post(text) | more)

    def reply(self, post: str, text: str) -> str:
        """Answers a post; returns the id of the answer."""
        ref = self._ref(post)
        return self.say(text, reply={"root": ref, "parent": ref})

    def quote(self, post: str, text: str) -> str:
        """Posts with another post inside; returns its id."""
        return self.say(text, embed={"$type": "app.bsky.embed.record", "record": self._ref(post)})

    def edit(self, post: str, text: str) -> None:
        """Replaces what a post says."""
        self._repo.put_record(
            models.ComAtprotoRepoPutRecord.Data(
                repo=self.did, collection=POSTS, rkey=_rkey(post), record=self._post(text)
            )
        )

    def delete(self, post: str) -> None:
        """Takes a post away."""
        self._repo.delete_record(
            models.ComAtprotoRepoDeleteRecord.Data(
                repo=self.did, collection=POSTS, rkey=_rkey(post)
            )
        )

    def like(self, post: str) -> None:
        """Likes a post."""
        self._create(LIKES, {"$type": LIKES, "subject": self._ref(post), "createdAt": self._now})

    def deactivate(self) -> None:
        """Switches the account off."""
        self._server.deactivate_account(models.ComAtprotoServerDeactivateAccount.Data())

    def activate(self) -> None:
        """Switches it on again."""
        self._server.activate_account()

    @property
    def _now(self) -> str:
        return str(self._client.get_current_time_iso())

    def _post(self, text: str | TextBuilder) -> dict[str, Any]:
        record = {"$type": POSTS, "langs": ["en"], "createdAt": self._now}
        if isinstance(text, str):
            return record | {"text": text}
        facets = [facet.model_dump(by_alias=True) for facet in text.build_facets()]
        return record | {"text": text.build_text(), "facets": facets}

    def _create(self, collection: str, record: dict[str, Any]) -> str:
        """``DID/RKEY`` of a new record."""
        made = self._repo.create_record(
            models.ComAtprotoRepoCreateRecord.Data(
                repo=self.did, collection=collection, record=record
            )
        )
        return f"{self.did}/{_rkey(made.uri)}"

    def _ref(self, post: str) -> dict[str, str]:
        """How a record points to a post of anybody's."""
        did = post.removeprefix(SOURCE).partition("/")[0]
        found = self._repo.get_record(
            models.ComAtprotoRepoGetRecord.Params(repo=did, collection=POSTS, rkey=_rkey(post))
        )
        return {"uri": found.uri, "cid": found.cid}


def _rkey(post: str) -> str:
    return post.rpartition("/")[2]
