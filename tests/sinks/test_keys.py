"""The key behind the hashes, when several processes start at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from sinks.keys import KEY_BYTES, read_or_make_key


def test_all_who_start_together_get_one_whole_key(tmp_path: Path) -> None:
    """One draws it; nobody reads half of it, and nothing else is left behind."""
    for round_number in range(20):
        path = tmp_path / str(round_number) / "key"
        path.parent.mkdir()
        together = Barrier(8)

        def start(path: Path = path, together: Barrier = together) -> bytes:
            together.wait()
            return read_or_make_key(path)

        with ThreadPoolExecutor(8) as pool:
            keys = {future.result() for future in [pool.submit(start) for _ in range(8)]}
        assert [len(key) for key in keys] == [KEY_BYTES]
        assert list(path.parent.iterdir()) == [path]
        assert path.stat().st_mode & 0o777 == 0o600
