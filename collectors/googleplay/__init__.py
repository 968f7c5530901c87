"""Google Play: customers' reviews."""
