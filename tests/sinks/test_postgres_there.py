"""A key is made for a new warehouse only, on a server as well."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from config import scale
from config.settings import Settings, WarehouseSettings
from pipeline.brokers.kafka_settings import KafkaSettings
from pipeline.errors import GiveUp
from sinks.postgres_there import is_there
from sinks.postgres_warehouse import PostgresWarehouse
from tests.servers.postgres import PostgresServer
from tests.sinks.postgres_helpers import KEY, MakeOn, drop


def test_what_is_there_is_known(postgres_server: PostgresServer, make_on: MakeOn) -> None:
    """A warehouse is, neither an empty schema nor another program's."""
    url = postgres_server.url
    assert not is_there(url, "the address", "test_nowhere")
    assert is_there(url, "the address", make_on().schema)


def test_a_missing_key_is_named_and_no_other_is_made(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """With a new key no author would be known again; the file that is missing is named."""
    url = postgres_server.url
    is_ours = not is_there(url, "the address")
    if is_ours:
        PostgresWarehouse(url, key=KEY).close()
    key_file = tmp_path / "kept" / "elsewhere.key"
    key_file.parent.mkdir()
    told = WarehouseSettings(url=SecretStr(url), key_file=key_file)
    known = Settings(warehouse=told, kafka=KafkaSettings(servers="127.0.0.1:9"))
    try:
        with pytest.raises(GiveUp, match=r"elsewhere\.key back"):
            scale.warehouse(known)
    finally:
        if is_ours:
            drop(url, ["groundswell"])
    assert not key_file.exists()
