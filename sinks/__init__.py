"""Warehouses with their SQL, alerts and outgoing channels."""
