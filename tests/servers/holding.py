"""A door before Kafka that holds back what clients produce, while a test says so."""

import socket
import struct
import threading
from contextlib import suppress
from typing import Final, Self

#: The number of the request by which records are sent (the protocol's API key).
_PRODUCE: Final = 0


class HoldingDoor:
    """Passes requests and answers on; with ``holds`` set, what would send records is swallowed.

    ``held`` counts those. ``target`` is the server's port, to be set before anybody comes.
    """

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.target = 0
        self.holds = False
        self.held = 0
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in self._open:
            _shut(each)
        for thread in self._threads:
            thread.join()
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            self._open += [client, server]
            for pass_on, ends in ((self._ask, (client, server)), (_answer, (server, client))):
                thread = threading.Thread(target=pass_on, args=ends)
                self._threads.append(thread)
                thread.start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        """Requests, each after its length in four bytes; the first two tell what it is."""
        with suppress(OSError), client.makefile("rb") as stream:
            while len(size := stream.read(4)) == 4:
                request = stream.read(struct.unpack(">i", size)[0])
                if self.holds and struct.unpack(">h", request[:2])[0] == _PRODUCE:
                    self.held += 1
                else:
                    server.sendall(size + request)
        _shut(server)


def _answer(server: socket.socket, client: socket.socket) -> None:
    with suppress(OSError):
        while data := server.recv(65_536):
            client.sendall(data)
    _shut(client)


def _shut(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
