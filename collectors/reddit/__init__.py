"""Reddit: a search, subreddits and their comments."""
