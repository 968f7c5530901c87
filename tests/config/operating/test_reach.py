"""Whether somebody listens at an address."""

import socket
from pathlib import Path

import pytest

from config.operating.reach import connect
from pipeline.errors import TryLater


def test_who_listens_is_reached() -> None:
    """A port of this machine; nothing is said to whoever listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert connect(f"redis://127.0.0.1:{port}/0", "the index")
    with pytest.raises(TryLater, match=f"the index cannot be reached at 127.0.0.1:{port}"):
        connect(f"redis://user:secret@127.0.0.1:{port}/0", "the index")


def test_a_socket_in_a_folder_is_reached(tmp_path: Path) -> None:
    """Redis may listen there, too."""
    path = tmp_path / "s"
    with pytest.raises(TryLater, match="cannot be reached"):
        connect(f"unix://{path}", "the index")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(1)
        assert connect(f"unix://{path}", "the index")
