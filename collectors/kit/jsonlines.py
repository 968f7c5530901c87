"""Files of JSON lines in the order of their own time, without holding them in memory.

A first pass notes for every line when it is due and where it stands (22 bytes a line); a second
one reads the lines in the order of time. What cannot be sought in (gzip, standard input, pipes) is
spooled to an unnamed temporary file first.
"""

import gzip
import sys
import threading
import weakref
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import IO, NamedTuple, TypeAlias, cast

import numpy as np
import xxhash
from numpy.typing import NDArray

from collectors.kit.unreadable import KEPT
from pipeline.errors import GiveUp, Misuse, SetAside

#: Text may have 1 MiB, which JSON can escape to six times its size; what is longer is no record.
MAX_LINE = 8 * 1024 * 1024
#: The path that stands for standard input.
STDIN = Path("-")

_BEFORE_ALL = -(2**62)
_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"


class Line(NamedTuple):
    """One line at one of its moments (µs since 1970, None for a line that has none)."""

    data: bytes
    moment: int | None
    origin: str
    is_whole: bool


@dataclass(slots=True)
class Index:
    """Where every line stands, one entry per line and moment; ``order`` sorts them by time.

    ``identity`` changes with every byte of the files, so that a cursor knows its own.
    """

    moment: "array[int]"
    offset: "array[int]"
    number: "array[int]"
    file: "array[int]"
    order: NDArray[np.uint32]
    identity: str


#: The moments (µs since 1970) at which a line is due. Raises SetAside when it cannot tell.
Moments: TypeAlias = Callable[[bytes], Sequence[int]]


class JsonLines:
    """Lines of several files merged by the moments that ``moments`` reads from each line.

    Equal moments keep the order of the files and of the lines within. A line without a moment
    stands right after its predecessor. Empty lines are skipped. Raises Misuse for a file that is
    missing or cannot be read.
    """

    def __init__(self, paths: Sequence[Path], moments: Moments) -> None:
        self._paths = [Path(path) for path in paths]
        self._moments = moments
        self._spooled: dict[int, IO[bytes]] = {}
        self._index: Index | None = None
        self._guard = threading.Lock()
        for path in self._paths:
            if path != STDIN and not path.exists():
                raise Misuse(f"{path}: there is no such file")
            if path.is_dir():
                raise Misuse(f"{path} is a directory: name the files in it")

    @property
    def index(self) -> Index:
        """The index; the first question makes it."""
        with self._guard:
            if self._index is None:
                self._index = self._scan()
            return self._index

    def __len__(self) -> int:
        """How many entries there are."""
        return len(self.index.order)

    def read(self, start: int = 0) -> Iterator[Line]:
        """The lines from ``start`` on, in the order of time."""
        index = self.index
        with ExitStack() as stack:
            files = [self._opened(number, stack) for number in range(len(self._paths))]
            stands = [-1] * len(files)
            names = [self._name(number) for number in range(len(files))]
            for entry in index.order[start:].tolist():
                number, offset, moment = index.file[entry], index.offset[entry], index.moment[entry]
                if stands[number] != offset:
                    files[number].seek(offset)
                data = files[number].readline(MAX_LINE)
                stands[number] = offset + len(data)
                is_whole = data.endswith(b"\n") or len(data) < MAX_LINE
                yield Line(
                    _bare(data, offset) if is_whole else data[:KEPT],
                    None if moment == _BEFORE_ALL else moment,
                    f"{names[number]} line {index.number[entry]}",
                    is_whole,
                )

    def _opened(self, number: int, stack: ExitStack) -> IO[bytes]:
        if number in self._spooled:
            return self._spooled[number]
        return stack.enter_context(_open(self._paths[number]))

    def _name(self, number: int) -> str:
        path = self._paths[number]
        return "standard input" if path == STDIN else path.name

    def _scan(self) -> Index:
        made = Index(array("q"), array("q"), array("I"), array("H"), np.empty(0, np.uint32), "")
        identity = xxhash.xxh3_128()
        for number, path in enumerate(self._paths):
            with ExitStack() as stack:
                if _must_spool(path):
                    self._spool(number, path)
                file = self._opened(number, stack)
                file.seek(0)
                self._scan_file(number, file, made, identity)
        made.order = np.argsort(np.asarray(made.moment), kind="stable").astype(np.uint32)
        made.identity = identity.hexdigest()
        return made

    def _scan_file(
        self, number: int, file: IO[bytes], made: Index, identity: "xxhash.xxh3_128"
    ) -> None:
        identity.update(b"\x00")
        offset, before, goes_on, line = 0, _BEFORE_ALL, False, 0
        while data := file.readline(MAX_LINE):
            identity.update(data)
            is_cut = not data.endswith(b"\n") and len(data) == MAX_LINE
            if not goes_on:
                line += 1
                bare = _bare(data, offset)
                for moment in self._due(bare, before, is_cut=is_cut) if bare else ():
                    made.moment.append(moment)
                    made.offset.append(offset)
                    made.number.append(line)
                    made.file.append(number)
                    before = moment
            goes_on = is_cut
            offset += len(data)

    def _due(self, data: bytes, before: int, *, is_cut: bool) -> Sequence[int]:
        if is_cut:
            return (before,)
        try:
            return self._moments(data) or (before,)
        except SetAside:
            return (before,)

    def _spool(self, number: int, path: Path) -> None:
        if number in self._spooled:
            return
        kept = TemporaryFile()  # noqa: SIM115 # lives as long as this object, see finalize
        weakref.finalize(self, kept.close)
        try:
            with ExitStack() as stack:
                source: IO[bytes] = (
                    sys.stdin.buffer if path == STDIN else stack.enter_context(_open(path))
                )
                copyfileobj(_unpacked(source, stack), kept)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Misuse(f"{self._name(number)}: the gzip file is broken ({error})") from error
        except OSError as error:
            where = "no room to unpack it in the directory for temporary files"
            raise GiveUp(f"{self._name(number)}: {where} ({error.strerror})") from error
        self._spooled[number] = kept


def _bare(data: bytes, offset: int) -> bytes:
    """The line without white space around it, and without a byte order mark at the file's start."""
    return (data.removeprefix(_BOM) if offset == 0 else data).strip()


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise Misuse(f"{path}: cannot be read ({error.strerror})") from error


def _must_spool(path: Path) -> bool:
    if path == STDIN or not path.is_file():
        return True
    with _open(path) as file:
        start = file.read(2)
    if start and start != _GZIP and path.suffix == ".gz":
        raise Misuse(f"{path}: named .gz, but it is no gzip file; rename it if its lines are plain")
    return start == _GZIP


def _unpacked(source: IO[bytes], stack: ExitStack) -> IO[bytes]:
    """``source`` itself, or what it unpacks to when it begins like a gzip file."""
    buffered = source
    if not isinstance(buffered, BufferedReader):
        buffered = BufferedReader(cast(RawIOBase, source))
    if buffered.peek(2)[:2] == _GZIP:
        return cast(IO[bytes], stack.enter_context(gzip.GzipFile(fileobj=buffered)))
    return buffered
