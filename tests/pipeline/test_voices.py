"""Voices: which posts stand for many, and which are never read out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.voices import choose, spoken


def row(number: int, text: str, **more: Any) -> dict[str, Any]:
    """A report of a person of its own."""
    given = {"id": f"x:{number}", "text": text, "handle": f"user{number}", "is_report": True}
    return given | {"repeat_kind": "original", "component": None, "place": None} | more


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@acme my messages do not arrive", "my messages do not arrive"),
        (".@acme @acmehelp card payments fail in Leeds", "card payments fail in Leeds"),
        ("no signal in Leeds since nine https://x.example/1", "no signal in Leeds since nine"),
        ("#acme is down for us in #Leeds 😡😡", "acme is down for us in Leeds"),
        ("broadband has gone down again @acme", "broadband has gone down again"),
    ],
)
def test_what_is_read_out(text: str, words: str) -> None:
    """Only what was addressing is taken away."""
    assert spoken(text) == words


@pytest.mark.parametrize(
    "text",
    [
        "",
        "down",
        "what a shit service, nothing works",
        "SCHEISSE, schon wieder kein Netz hier",
        "putain, encore en panne ce matin",
        "ask @mary_83 how her order went, mine is lost",
        "my number is [phone], please call me back",
        "order 4711 8844 2231 never arrived here",
        "write to me at anna@example.org about it",
        "see pictures on my-leaks.com of the app failing",
        "no signal " * 40,
        "<script>alert('app down')</script> says it all",
    ],
)
def test_what_is_never_read_out(text: str) -> None:
    """Coarse words, accounts, numbers, addresses, markup, and what says too little or too much."""
    assert spoken(text) is None


def test_the_chosen_differ() -> None:
    """Different people and different words; what and where come first."""
    rows = [
        row(1, "messages do not arrive in Leeds since this morning", place="Leeds"),
        row(2, "messages do not arrive in Leeds since this morning!!", place="Leeds"),
        row(3, "the app logs me out each time I open a chat", component="Chat", place="York"),
        row(4, "nothing is sent, one grey tick for an hour now", handle="user3"),
        row(5, "calls work but group messages hang for everybody"),
        row(6, "when will this be back?", is_report=False),
        row(7, "messages are gone, says my neighbour as well", repeat_kind="copy"),
    ]
    chosen = [voice.id for voice in choose(rows)]
    assert chosen == ["x:3", "x:1", "x:5"]
    assert [voice.id for voice in choose(rows[::-1])] == chosen


@given(st.text(max_size=300))
def test_any_text_is_spoken_cleanly(text: str) -> None:
    """Whatever comes in, what comes out has no account, link or markup."""
    words = spoken(text)
    assert words is None or not set(words) & set("@<>[]{}\\#")
