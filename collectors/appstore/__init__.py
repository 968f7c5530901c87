"""Apple's App Store: customers' reviews."""
