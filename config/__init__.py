"""The only package that knows all the others: settings, wiring, commands, labels and models."""
