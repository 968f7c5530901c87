"""A real Bluesky PDS on loopback, and its firehose told as Jetstream tells it."""
