"""ClickHouse's HTTP interface before its engine in this process (chdb), for ``clickhouse``.

    python -m tests.servers.clickhouse_http PORT FOLDER USER PASSWORD DATABASE [CONFIG]

What drivers need of it: statements in the body or in ``query``, ``database``, ``param_*``, other
settings as parameters, all of them also as fields of a form, rows of an INSERT in the body in
whatever format, errors with ClickHouse's own code. Each request has a session of the engine of its
own. An answer is sent when all of it is there. There is neither compression of bodies, nor
``session_id``, nor any right but the one user's: all, or with the engine's configuration in CONFIG
those that stand in it, and then the database must be there.
"""

import base64
import re
import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import chdb

#: Parameters that are no settings, and mean nothing where an answer is sent as a whole.
_TRANSPORT: Final = frozenset(
    {"query", "database", "query_id", "wait_end_of_query", "buffer_size", "enable_http_compression"}
    | {"send_progress_in_http_headers", "http_headers_progress_interval_ms", "quota_key"}
    | {"cancel_http_readonly_queries_on_client_close", "client_protocol_version"}
)
_INSERTED: Final = re.compile(r"\s+FORMAT\s+(\w+)\s*$")
_NAME: Final = re.compile(r"\w+")
_CODE: Final = re.compile(r"Code: (\d+)\.")
#: ClickHouse's default of http_max_field_value_size.
_LONGEST: Final = 131_072
_TOO_LONG: Final = "Code: 1000. DB::Exception: Field value too long (POCO_EXCEPTION)"
_NOT_IMPLEMENTED: Final = "Code: 48. DB::Exception: not by this server (NOT_IMPLEMENTED)"
_REFUSED: Final = "Code: 516. DB::Exception: Authentication failed (AUTHENTICATION_FAILED)"


def quoted(text: str) -> str:
    """A text as a literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _connected(folder: str) -> Any:
    connect: Any = chdb.connect  # it has no types
    return connect(folder)


class Refused(Exception):
    """What the server says instead of an answer."""


class Engine:
    """The one engine of this process on a folder."""

    def __init__(self, folder: str, database: str, config: str | None) -> None:
        self._folder = folder if config is None else f"{folder}?config-file={config}"
        self._held = _connected(self._folder)
        if config is None:
            self._held.query(f"CREATE DATABASE IF NOT EXISTS {database}")

    def answer(self, text: str, parameters: Mapping[str, str], rows: bytes) -> bytes:
        """The answer to a statement. Raises Refused and the engine's errors."""
        with closing(_connected(self._folder)) as session, tempfile.NamedTemporaryFile() as file:
            for statement in _before(parameters):
                session.query(statement)
            if rows:
                file.write(rows)
                file.flush()
                text, found = _INSERTED.subn(f" FROM INFILE {quoted(file.name)} FORMAT \\1", text)
                if not found:
                    raise Refused(_NOT_IMPLEMENTED)
            if readonly := parameters.get("readonly"):
                session.query(f"SET readonly = {int(readonly)}")
            told: bytes = session.query(text, "TabSeparated").bytes()
            return told


def _before(parameters: Mapping[str, str]) -> list[str]:
    """What a session is told before the statement."""
    made = [f"USE `{parameters['database']}`"] if "database" in parameters else []
    for name, value in parameters.items():
        if name == "session_id" or not _NAME.fullmatch(name):
            raise Refused(_NOT_IMPLEMENTED)
        if name not in _TRANSPORT and name != "readonly":  # after which nothing can be set
            made.append(f"SET {name} = {quoted(value)}")
    return made


def _fields(kind: str, body: bytes) -> dict[str, str]:
    """The fields of a form, in which drivers send what is too long for an address."""
    boundary = b"--" + kind.rpartition("boundary=")[2].encode()
    found = {}
    for part in body.split(boundary)[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="(\w+)"', head)
        if name is None:
            raise Refused(_NOT_IMPLEMENTED)
        found[name.group(1).decode()] = value.removesuffix(b"\r\n").decode()
    return found


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    engine: Engine
    login: str

    def do_GET(self) -> None:
        """Whether it serves; statements come by POST."""
        self._send(200 if self.path == "/ping" else 404, b"Ok.\n")

    def do_POST(self) -> None:
        """A statement. One whose body does not come to its end is not run."""
        size = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(size)
        if len(body) < size:
            self.close_connection = True
            return
        parameters = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        kind = self.headers.get("Content-Type", "")
        try:
            if kind.startswith("multipart/form-data"):
                parameters, body = parameters | _fields(kind, body), b""
            if self.headers.get("Authorization") != self.login:
                raise Refused(_REFUSED)
            if any(len(value) > _LONGEST for value in parameters.values()):
                raise Refused(_TOO_LONG)
            if "query" in parameters:
                told = self.engine.answer(parameters["query"], parameters, body)
            else:
                told = self.engine.answer(body.decode(), parameters, b"")
        except (Refused, RuntimeError) as error:
            self._fail(str(error))
        else:
            self._send(200, told, {"X-ClickHouse-Timezone": "UTC"})

    def _fail(self, text: str) -> None:
        code = _CODE.search(text)
        number = code.group(1) if code else "1002"
        status = 403 if text == _REFUSED else 500
        self._send(status, text.encode(), {"X-ClickHouse-Exception-Code": number})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: what people wrote stands in what is asked."""


def main() -> None:
    """Serves until it is ended."""
    port, folder, user, password, database, *config = sys.argv[1:]
    Handler.engine = Engine(folder, database, config[0] if config else None)
    known = base64.b64encode(f"{user}:{password}".encode()).decode()
    Handler.login = f"Basic {known}"
    ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main()
