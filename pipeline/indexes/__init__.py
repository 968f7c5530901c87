"""Indexes of repeats behind the ``RepeatIndex`` port."""
