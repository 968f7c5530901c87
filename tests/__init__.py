"""Tests mirror the packages; ``contracts`` run against every adapter."""
