"""The whole program as a user meets it: commands, files, exit codes."""
