"""Servers that tests need: started by the tests, and never skipped in CI."""

import os
from collections.abc import Iterator

import pytest

from tests.servers.fixtures import served
from tests.servers.kafka import KafkaServer


def pytest_configure(config: pytest.Config) -> None:
    """One thread for each process, and warnings that others must mend."""
    # Files are tested side by side. Where each spreads its sums over all cores as well, threads
    # spin for one another: training took four times the CPU. Read when NumPy is loaded.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for expected in (
        # kafka-python 3.0 reads its schemas by functions that Python 3.11 calls deprecated,
        "ignore:(read|open)_text is deprecated:DeprecationWarning",
        # and leaves it to the garbage collector to close sockets that found no server.
        r"ignore:unclosed <socket.socket .* laddr=\('0\.0\.0\.0', \d+\)>$:ResourceWarning",
    ):
        config.addinivalue_line("filterwarnings", expected)


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[KafkaServer]:
    """A broker of our own that a test may also kill, with SASL and TLS; made once a session."""
    with served(KafkaServer, "Kafka is") as server:
        yield server


@pytest.fixture(scope="session")
def kafka_address(request: pytest.FixtureRequest) -> str:
    """The broker named by GROUNDSWELL_TEST_KAFKA (host:port), otherwise our own."""
    named = os.environ.get("GROUNDSWELL_TEST_KAFKA")
    if named:
        return named
    server: KafkaServer = request.getfixturevalue("kafka_server")
    return server.address
