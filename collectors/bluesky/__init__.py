"""Bluesky: Jetstream, which tells all, and the search, which is asked."""
