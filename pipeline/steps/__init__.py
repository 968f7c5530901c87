"""The steps of enrichment: functions over a batch, state behind a port."""
