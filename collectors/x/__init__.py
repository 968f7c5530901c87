"""X: the recent search, the filtered stream, and what became of posts."""
