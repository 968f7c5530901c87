"""Keyed hashes: what stands for an author where the author's id must not.

The key lies beside the warehouse, readable by its owner alone. Without it nobody can tell which
account an ``author_key`` belongs to, nor find the account of a row that was erased.
"""

import os
import secrets
from hashlib import blake2b
from pathlib import Path

from pipeline.errors import GiveUp

#: 80 bits: two of a billion authors share one with a probability below 10⁻⁶.
DIGEST_BYTES = 10
KEY_BYTES = 32


class Keys:
    """The keyed hashes of one warehouse."""

    def __init__(self, key: bytes) -> None:
        if len(key) < KEY_BYTES:
            raise GiveUp(f"the warehouse's key has {len(key)} bytes, it needs {KEY_BYTES}")
        self._root = key[:64]

    def _hash(self, purpose: bytes, value: str) -> str:
        made = blake2b(value.encode(), digest_size=DIGEST_BYTES, key=self._root, person=purpose)
        return made.hexdigest()

    def author(self, author_id: str) -> str:
        """Stands for the author ``source:author_id`` in every table but the one of identities."""
        return self._hash(b"author", author_id)

    def mention(self, mention_id: str) -> str:
        """Under which a removal of this mention is kept."""
        return self._hash(b"mention", mention_id)

    def token(self, author_key: str) -> str:
        """What an erased author's key becomes: distinct authors stay distinct in the counts.

        It is derived, not drawn, so that posts that arrive after the erasure count for the same
        witness; who holds only the warehouse cannot lead it back.
        """
        return self._hash(b"erased", author_key)


def read_key(path: Path, warehouse: str) -> bytes:
    """The key with which ``warehouse`` (as a message calls it) was made. Raises GiveUp.

    A new one would be another's: it finds no author again, and nothing that was erased.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise GiveUp(
            f"{warehouse} was made with a key that is missing: put the file {path} back, as from "
            "a backup; without it nobody knows its authors again, nor what was erased"
        ) from error
    except OSError as error:
        raise GiveUp(f"cannot read the warehouse's key {path}: {error.strerror}") from error


def read_or_make_key(path: Path) -> bytes:
    """The key in the file; a new one is drawn if there is none. Raises GiveUp.

    For a warehouse that is new: see ``read_key``.
    """
    if path.exists():
        return read_key(path, "the warehouse")
    key = secrets.token_bytes(KEY_BYTES)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(key)
            os.fsync(file.fileno())
        os.link(draft, path)  # whole or not at all: other processes start at the same moment
    except FileExistsError:
        return path.read_bytes()  # another process was faster
    except OSError as error:
        raise GiveUp(f"cannot write the warehouse's key {path}: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
    return key
