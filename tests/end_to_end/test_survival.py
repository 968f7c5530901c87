"""Processes on Kafka, PostgreSQL and Redis are killed, and nothing is lost or doubled."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import survival
from tests.servers.cluster import Cluster
from tests.servers.fixtures import made

POSTS, KILLS, SEED = 3_000, 4, 1
#: Seconds in which the posts are played, so that workers are at work when they are killed, and
#: after which a dead member's place is free.
PLAYED, SESSION = 12.0, 6.0
#: Seconds to come to rest on a very slow machine.
PATIENCE = 240.0


@pytest.fixture
def truth(tmp_path: Path) -> survival.Truth:
    return survival.tell(tmp_path, POSTS, SEED)


@pytest.fixture
def cluster(tmp_path: Path, truth: survival.Truth) -> Iterator[Cluster]:
    cluster = made(lambda: survival.cluster(tmp_path, PLAYED, SESSION), "the cluster is")
    yield cluster
    cluster.stop()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kills_lose_nothing_and_double_nothing(
    tmp_path: Path, truth: survival.Truth, cluster: Cluster
) -> None:
    """Four processes and the broker killed: mentions, groups, removals, links as without."""
    calm = survival.undisturbed(tmp_path)
    assert survival.differences(truth, calm, calm) == {}
    assert len(truth.groups ^ calm.groups) < len(truth.groups) / 100
    assert {state for _, _, state in calm.links} == {"linked", "suggested"}
    roles = [name for name in cluster.processes if name != "web"]
    with cluster as running:
        survival.disturb(running, survival.plan(roles, KILLS, PLAYED, SEED, ("kafka",)))
        survival.wait(running, truth, PATIENCE)
        found = survival.disturbed(running)
    assert survival.differences(truth, calm, found) == {}
