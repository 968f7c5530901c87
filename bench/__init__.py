"""Throughput and quality; each bench prints its own table."""
