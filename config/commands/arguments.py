"""Types of arguments that several commands take."""

import argparse


def port(text: str) -> int:
    """A port to listen on; 0 takes a free one."""
    if not text.isascii() or not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")
    return int(text)
