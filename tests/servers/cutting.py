"""A door between a client and a server that is shut at a moment that a test names."""

import socket
from collections.abc import Callable

from tests.servers.door import Door, shut

Wanted = Callable[[bytes], bool]


class CuttingDoor(Door):
    """Passes bytes on, until it sees what it waits for: that is lost, and with it the connection.

    ``to_server`` and ``to_client`` are asked about each stretch of bytes on its way; the first True
    of either cuts that connection. Later ones pass untouched.
    """

    def __init__(self, port: int) -> None:
        self.to_server: Wanted | None = None
        self.to_client: Wanted | None = None
        self.cuts = 0
        super().__init__(port)

    def ask(self, client: socket.socket, server: socket.socket) -> None:
        """See ``Door.ask``."""
        self._pass_on(client, server, lambda: self.to_server)

    def answer(self, server: socket.socket, client: socket.socket) -> None:
        """See ``Door.answer``."""
        self._pass_on(server, client, lambda: self.to_client)

    def _pass_on(
        self, source: socket.socket, target: socket.socket, waits_for: Callable[[], Wanted | None]
    ) -> None:
        while data := source.recv(65_536):
            wanted = waits_for()
            if wanted is not None and wanted(data):
                self.to_server = self.to_client = None
                self.cuts += 1
                break
            target.sendall(data)
        shut(source)
