"""A door before Kafka that holds back what clients produce, while a test says so."""

import socket
import struct
from typing import Final

from tests.servers.door import Door, pass_on

#: The number of the request by which records are sent (the protocol's API key).
_PRODUCE: Final = 0


class HoldingDoor(Door):
    """Passes requests and answers on; with ``holds`` set, what would send records is swallowed.

    ``held`` counts those. ``target`` is the server's port, to be set before anybody comes.
    """

    def __init__(self) -> None:
        self.holds = False
        self.held = 0
        super().__init__()

    def ask(self, client: socket.socket, server: socket.socket) -> None:
        """Requests, each after its length in four bytes; the first two tell what it is."""
        with client.makefile("rb") as stream:
            while len(size := stream.read(4)) == 4:
                request = stream.read(struct.unpack(">i", size)[0])
                if self.holds and struct.unpack(">h", request[:2])[0] == _PRODUCE:
                    self.held += 1
                else:
                    server.sendall(size + request)

    def answer(self, server: socket.socket, client: socket.socket) -> None:
        """See ``Door.answer``."""
        pass_on(server, client)
