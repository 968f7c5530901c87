"""The shown form of hostile text."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.text import MARKS, line, shown, web_url

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def test_bidi_controls_are_taken_out() -> None:
    """No control can turn round the reading direction of the row or of its neighbours."""
    assert shown(f"pay{BIDI} me") == "pay me"


def test_marks_on_one_letter_are_capped() -> None:
    """A tower of accents keeps its first few, so that it cannot cover other rows."""
    tower = "a" + "\u0321" * 200
    assert shown(tower) == "a" + "\u0321" * MARKS


def test_real_scripts_pass_unchanged() -> None:
    """Vietnamese, Hebrew points, Hindi, Thai, Persian joiners and flags stay as they are."""
    for text in (
        "Tiếng Việt",
        "שָׁלוֹם",
        "नमस्ते",
        "ที่นี่",
        "می\u200cخواهم",
        "👨\u200d👩\u200d👧",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    ):
        assert shown(text) == unicodedata.normalize("NFC", text)


def test_a_long_text_is_cut_with_a_sign() -> None:
    """The feed shows the beginning; the post's own page shows all."""
    text = "word " * 1_000
    assert len(shown(text)) <= 1_000
    assert shown(text).endswith("…")
    assert shown(text, None) == text.strip()


def test_names_stay_on_one_line() -> None:
    """A title with line breaks does not break the layout."""
    assert line("Acme\r\n\r\n down\u2028again") == "Acme down again"


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "java\nscript:alert(1)",
     " https://acme.example", "//acme.example/x", "https://", "file:///etc/passwd", "", None,
     "http://[", "https://acme.example/" + "x" * 3_000],
)  # fmt: skip
def test_only_web_addresses_become_links(url: str | None) -> None:
    """What a click could run or open outside the web is no link."""
    assert web_url(url) is None


def test_a_web_address_stays() -> None:
    """An honest address is handed on unchanged."""
    assert web_url("https://acme.example/p/1?q=ü#x") == "https://acme.example/p/1?q=ü#x"


@given(st.text())
def test_whatever_comes_the_result_is_harmless(text: str) -> None:
    """For any text: bounded, no controls, no towers; and doing it twice changes nothing."""
    result = shown(text)
    assert len(result) <= 1_000
    assert not set(result) & set(BIDI)
    assert not any(ord(c) < 32 and c not in "\n\t" for c in result)
    run = 0
    for char in result:
        run = run + 1 if unicodedata.category(char) in {"Mn", "Me"} else 0
        assert run <= MARKS
    assert shown(result) == result
