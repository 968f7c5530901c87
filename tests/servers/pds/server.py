"""A Bluesky PDS and the directory of its accounts (PLC): the reference programs, on loopback.

Wants Node.js 18.7 or newer with npm, and once, to install the programs (250 MB, a minute or two),
what a native module is compiled with: ``apt-get install nodejs npm g++ make python3``.
"""

import hashlib
import os
import secrets
import shutil
import subprocess
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp

import httpx

from tests.servers.processes import dies_with_us, free_port
from tests.servers.server import CannotStartError, Server

HERE = Path(__file__).parent
#: The user's own, so that a fresh checkout need not install anew.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "groundswell" / "pds"
#: What names the versions to install.
MANIFEST, LOCK = "package.json", "package-lock.json"
#: Handles end with this; the PDS itself says whose they are.
DOMAIN = ".test"


class PdsServer(Server):
    """One PDS that takes anybody, with its data in a temporary folder that ``stop`` removes.

    ``url`` is where clients go, ``firehose`` the base of its streams.
    """

    name = "PDS"
    stop_seconds = 10.0

    def __init__(self) -> None:
        node = shutil.which("node")
        if node is None:
            raise CannotStartError("the PDS needs Node.js: apt-get install nodejs npm")
        self._command = [*dies_with_us(), node, str(HERE / "serve.cjs")]
        self._modules = modules()
        super().__init__()
        self._admin = secrets.token_hex(16)
        self._port, self._directory = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.firehose = f"ws://127.0.0.1:{self._port}/xrpc"

    @property
    def told(self) -> str:
        """Where clients go."""
        return self.url

    def command(self) -> list[str]:
        """Both programs in one process."""
        return self._command

    def serves(self) -> bool:
        """Whether the PDS says that it is well."""
        try:
            with urllib.request.urlopen(f"{self.url}/xrpc/_health", timeout=5):
                return True
        except OSError:
            return False

    def delete_account(self, did: str) -> None:
        """What the PDS does when a person has confirmed the mail about deleting the account."""
        self.administer("deleteAccount", {"did": did})

    def administer(self, verb: str, body: Mapping[str, object]) -> None:
        """One call of ``com.atproto.admin``."""
        address = f"{self.url}/xrpc/com.atproto.admin.{verb}"
        httpx.post(address, json=body, auth=("admin", self._admin)).raise_for_status()

    def environment(self) -> Mapping[str, str]:
        """Our own, and what the two are told."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("PDS_")}
        return ours | {
            "NODE_PATH": str(self._modules),
            "PLC_PORT": str(self._directory),
            "PDS_PORT": str(self._port),
            "PDS_HOSTNAME": "localhost",
            "PDS_DEV_MODE": "true",  # plain HTTP, and a directory on loopback
            "PDS_DATA_DIRECTORY": str(self.folder),
            "PDS_BLOBSTORE_DISK_LOCATION": str(self.folder / "blobs"),
            "PDS_DID_PLC_URL": f"http://127.0.0.1:{self._directory}",
            "PDS_SERVICE_HANDLE_DOMAINS": DOMAIN,
            "PDS_INVITE_REQUIRED": "false",
            "PDS_ADMIN_PASSWORD": self._admin,
            "PDS_JWT_SECRET": secrets.token_hex(16),
            "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX": secrets.token_hex(32),
        }


def modules() -> Path:
    """The folder of the installed programs, made by npm when it is not there yet."""
    # The name tells the versions, so that a change of the lock installs anew.
    place = CACHE / hashlib.sha256((HERE / LOCK).read_bytes()).hexdigest()[:16]
    if not place.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        scratch = Path(mkdtemp(prefix="installing-", dir=CACHE))
        try:
            _install(scratch)
            scratch.rename(place)
        except OSError:
            if not place.exists():  # otherwise somebody else was as quick
                raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return place / "node_modules"


def _install(folder: Path) -> None:
    """``node_modules`` in a folder. Raises CannotStartError, RuntimeError with what npm says."""
    npm = shutil.which("npm")
    if npm is None:
        raise CannotStartError("the PDS is installed by npm: apt-get install npm")
    for name in (MANIFEST, LOCK):
        shutil.copy(HERE / name, folder)
    done = subprocess.run(
        [npm, "ci", "--omit=dev", "--no-audit", "--no-fund"],
        cwd=folder,
        env=os.environ | _headers(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"npm ci failed:\n{done.stdout}{done.stderr}")


def _headers() -> dict[str, str]:
    """Where Node's own headers are, if they came with it: otherwise npm has to fetch them."""
    node = shutil.which("node")
    if node is None:
        return {}
    beside = Path(node).resolve().parent.parent
    known = (beside / "include" / "node" / "node.h").exists()
    return {"npm_config_nodedir": str(beside)} if known else {}
