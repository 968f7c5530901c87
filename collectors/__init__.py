"""One file per platform; ``incidents/`` holds one file per incident tool."""
