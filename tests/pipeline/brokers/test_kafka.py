"""Kafka passes the contract of all brokers, and keeps its own promises."""

import pytest

from pipeline.brokers.kafka import KafkaBroker, KafkaSettings
from pipeline.ports import Broker
from tests.contracts.broker import BrokerContract, MakeBroker


class TestContract(BrokerContract):
    """The suite on Apache Kafka."""

    @pytest.fixture
    def make_broker(self, kafka_address: str) -> MakeBroker:
        def open_broker() -> Broker:
            return KafkaBroker(KafkaSettings(servers=kafka_address))

        return open_broker
