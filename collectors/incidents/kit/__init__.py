"""What incident tools share: pieces of incidents, and how they are asked for and received."""
