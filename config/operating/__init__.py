"""Seeing it run: what a process measures, its metrics, its health, and the report of ``status``."""
