"""Mastodon: an instance's timelines, notifications and streams."""
