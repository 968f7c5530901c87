"""Tests of what the benches are built from."""
