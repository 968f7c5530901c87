"""The commands of ``groundswell``, a file per family; each imports what it needs when it runs."""
