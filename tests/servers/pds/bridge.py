"""A PDS's firehose as Jetstream tells it: the real stream, read by atproto's client.

What Jetstream itself does between a firehose and its listeners is little: it unpacks commits, one
event per record, and gives each event a time of its own. ``told`` does the same; recorded frames of
the public network become the recorded events of the public Jetstream (``python -m bench.bluesky``).
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from atproto import CAR, CID, FirehoseSubscribeReposClient
from atproto_subscription import MessageFrame

from tests.servers.jetstream import Jetstream, jetstream

#: The first byte of a CID in DAG-CBOR, and its length with SHA-256: text is never bytes there.
_CID_VERSION, _CID_LENGTH = 1, 36


def told(kind: str | None, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The events of one message of the firehose, without their ``time_us``."""
    if kind == "#commit":
        blocks = CAR.from_bytes(body["blocks"]).blocks
        for change in body["ops"]:
            yield {"did": body["repo"], "kind": "commit", "commit": _commit(body, change, blocks)}
    elif kind in {"#account", "#identity"}:
        yield {"did": body["did"], "kind": kind[1:], kind[1:]: body}


def _commit(
    body: dict[str, Any], change: dict[str, Any], blocks: dict[CID, dict[str, Any]]
) -> dict[str, Any]:
    collection, _, rkey = change["path"].partition("/")
    names = {"collection": collection, "rkey": rkey}
    commit = {"rev": body["rev"], "operation": change["action"], **names}
    if change["action"] == "delete":
        return commit
    cid = CID.decode(change["cid"])
    return commit | {"record": _plain(blocks[cid]), "cid": str(cid)}


def _plain(value: Any) -> Any:
    """A record as JSON has it: links to other blocks are text."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes) and len(value) == _CID_LENGTH and value[0] == _CID_VERSION:
        return {"$link": str(CID.decode(value))}
    return value


class _Reader:
    """Reads a firehose from its beginning and pushes each message's events once."""

    def __init__(self, base: str, server: Jetstream) -> None:
        # No time-out: a quiet PDS is no reason to connect anew.
        self._client = FirehoseSubscribeReposClient({"cursor": 0}, base, recv_timeout=None)
        self._server = server
        self._seq = self._time_us = 0
        self.trouble: list[BaseException] = []

    def run(self) -> None:
        """Reads until ``stop``."""
        self._client.start(self._take, self.trouble.append)

    def stop(self) -> None:
        """Ends ``run``."""
        self._client.stop()

    def _take(self, frame: MessageFrame) -> None:
        body: dict[str, Any] = frame.body
        if body.get("seq", 0) <= self._seq:
            return
        for event in told(frame.type, body):
            self._time_us = max(time.time_ns() // 1_000, self._time_us + 1)
            self._server.push(event | {"time_us": self._time_us})
        self._seq = body["seq"]


@contextmanager
def bridge(firehose: str) -> Iterator[Jetstream]:
    """A Jetstream that tells what a PDS does; ``firehose`` is ``PdsServer.firehose``.

    Raises at the end what could not be told.
    """
    with jetstream() as server:
        server.begins_with_new = True
        reader = _Reader(firehose, server)
        thread = threading.Thread(target=reader.run, name="firehose", daemon=True)
        thread.start()
        try:
            yield server
        finally:
            reader.stop()
            thread.join()
    if reader.trouble:
        raise reader.trouble[0]
