"""A process that writes is killed with signal 9: the short form of ``bench.kills``."""

import pytest

from bench.kills import run
from tests.servers.postgres import PostgresServer

ROUNDS = 3


@pytest.mark.slow
def test_duckdb_keeps_every_acknowledged_batch() -> None:
    """After each kill all that was acknowledged is there as it should, and no erased word."""
    killed = run("duckdb", ROUNDS, 20, longest=0.5)
    assert not killed.troubles
    assert killed.acknowledged >= ROUNDS


@pytest.mark.slow
def test_postgres_keeps_every_acknowledged_batch(postgres_server: PostgresServer) -> None:
    """So does PostgreSQL, whose server dies, too, in every second round."""
    killed = run("postgres", ROUNDS, 20, longest=0.5, server=postgres_server, server_every=2)
    assert not killed.troubles
    assert killed.acknowledged >= ROUNDS
