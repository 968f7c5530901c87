"""Accounts of a PDS, through atproto's client."""

from typing import Any

from atproto import Client, models

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

    def say(self, text: str) -> str:
        """Posts; returns the post's id."""
        made = self._repo.create_record(
            models.ComAtprotoRepoCreateRecord.Data(
                repo=self.did, collection=POSTS, record=self._post(text)
            )
        )
        return f"{SOURCE}{self.did}/{made.uri.rpartition('/')[2]}"

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
        """Likes a post of one's own."""
        uri = f"at://{self.did}/{POSTS}/{_rkey(post)}"
        found = self._repo.get_record(
            models.ComAtprotoRepoGetRecord.Params(repo=self.did, collection=POSTS, rkey=_rkey(post))
        )
        subject = {"uri": uri, "cid": found.cid}
        record = {"$type": LIKES, "subject": subject, "createdAt": self._now}
        self._repo.create_record(
            models.ComAtprotoRepoCreateRecord.Data(repo=self.did, collection=LIKES, record=record)
        )

    def deactivate(self) -> None:
        """Switches the account off."""
        self._server.deactivate_account(models.ComAtprotoServerDeactivateAccount.Data())

    def activate(self) -> None:
        """Switches it on again."""
        self._server.activate_account()

    @property
    def _now(self) -> str:
        return str(self._client.get_current_time_iso())

    def _post(self, text: str) -> dict[str, Any]:
        return {"$type": POSTS, "text": text, "langs": ["en"], "createdAt": self._now}


def _rkey(post: str) -> str:
    return post.rpartition("/")[2]
