"""Brokers behind the ``Broker`` port."""
