"""One file per incident tool."""
