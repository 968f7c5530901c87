"""Edges of words: where one ends and the next begins, in hashtags and in scripts without spaces."""


def is_ideographic(char: str) -> bool:
    """Whether the script writes without spaces (CJK, kana, Thai), so that words have no edges."""
    return "\u0e00" <= char <= "\u0eff" or "\u3040" <= char <= "\u30ff" or "\u3400" <= char <= "鿿"


def joins(left: str, right: str) -> bool:
    """Whether two neighbouring characters belong to one word."""
    if not (left.isalnum() and right.isalnum()):
        return False
    return left.isascii() or not (is_ideographic(left) or is_ideographic(right))


def is_in_tag(text: str, start: int) -> bool:
    """Whether the word around that place is a hashtag."""
    return text.startswith("#", text.rfind(" ", 0, start) + 1)
