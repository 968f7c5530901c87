"""Atlassian Statuspage and those that speak like it."""
