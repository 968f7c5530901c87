"""Why a login fails: the SASL exchange with one server, over a plain socket.

kafka-python loses the refusal when the broker closes the connection together with it, and then
tells no more than that there is no connection. Asked only after it failed.
"""

import socket
import struct
from typing import Any

from kafka.net.sasl import get_sasl_mechanism

SASL_HANDSHAKE, SASL_AUTHENTICATE = 17, 36
#: Answers of a login are short; what claims to be longer is no Kafka.
MAX_ANSWER = 65_536


def refuses(connection: socket.socket, config: dict[str, Any]) -> bool:
    """Whether the server says no to the mechanism or to the user; ``config`` is the library's.

    False also when it says nothing. Raises OSError when the connection breaks.
    """
    name = config["sasl_mechanism"]
    answer = _asked(connection, SASL_HANDSHAKE, 1, struct.pack(">h", len(name)) + name.encode())
    if _code(answer):
        return True
    mechanism = get_sasl_mechanism(name)(host=connection.getpeername()[0], **config)
    while not mechanism.is_done():
        token = mechanism.auth_bytes()
        answer = _asked(connection, SASL_AUTHENTICATE, 0, struct.pack(">i", len(token)) + token)
        if _code(answer):
            return True
        mechanism.receive(_challenge(answer))
    return not mechanism.is_authenticated()


def _asked(connection: socket.socket, kind: int, version: int, body: bytes) -> bytes:
    """The answer to one request, without its header."""
    head = struct.pack(">hhih", kind, version, 1, -1)  # correlation 1, no client id
    connection.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
    (size,) = struct.unpack(">i", _read(connection, 4))
    if not 4 <= size <= MAX_ANSWER:
        raise OSError("the answer is not Kafka's")
    return _read(connection, size)[4:]


def _read(connection: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = connection.recv(count - len(found))
        if not part:
            raise OSError("the connection was closed")
        found += part
    return found


def _code(answer: bytes) -> int:
    return int(struct.unpack_from(">h", answer)[0]) if len(answer) >= 2 else -1


def _challenge(answer: bytes) -> bytes:
    """The server's bytes in an answer: error code, message (or null), bytes."""
    (told,) = struct.unpack_from(">h", answer, 2)
    at = 4 + max(0, told)
    (size,) = struct.unpack_from(">i", answer, at)
    return answer[at + 4 : at + 4 + max(0, size)]
