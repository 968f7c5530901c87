"""Who may speak to the page, and what its answers allow a browser."""

import http.client
from urllib.parse import quote

import httpx
import pytest


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.x.example", "", "10.0.0.1"]
)
def test_a_foreign_name_for_this_machine_is_refused(bare: httpx.Client, host: str) -> None:
    """A page whose name was bent to this machine gets nothing (DNS rebinding)."""
    address = bare.base_url
    connection = http.client.HTTPConnection(address.host, address.port, timeout=20)
    connection.request("GET", "/api/feedback", headers={"Host": host})
    response = connection.getresponse()
    assert response.status == 421
    connection.close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_loopback_names_are_answered(bare: httpx.Client, host: str) -> None:
    """All names of this machine work, with any port."""
    assert bare.get("/api/status", headers={"Host": f"{host}:1234"}).status_code == 200


def test_another_site_may_not_read_the_data(bare: httpx.Client) -> None:
    """A foreign page may link to ours, but its requests for data are refused."""
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert bare.get("/api/feedback", headers=foreign).status_code == 403
    assert bare.get("/", headers=foreign).status_code == 200


@pytest.mark.parametrize("path", ["/", "/incidents", "/api/status", "/static/page.js", "/none"])
def test_every_answer_carries_the_headers(bare: httpx.Client, path: str) -> None:
    """Scripts only from us, no frames, no sniffing, no referrer."""
    headers = bare.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"


def test_an_id_cannot_become_markup(bare: httpx.Client) -> None:
    """What stands in the address is escaped in the page."""
    text = bare.get("/incidents/" + quote('"><script>alert(1)</script>', safe="")).text
    assert "<script>alert" not in text


def test_static_files_cannot_be_left(bare: httpx.Client) -> None:
    """No path leads out of the folder of static files."""
    assert bare.get("/static/..%2fapp.py").status_code == 404
    assert bare.get("/static/%2e%2e/%2e%2e/pyproject.toml").status_code == 404
