"""Two models on the same texts: what is chance, and what is not."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluate import Answers, macro_f1
from pipeline.examples import Example
from pipeline.paired import differences


def said(names: list[str]) -> Answers:
    return Answers(names, [0.9] * len(names), [False] * len(names))


ROWS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("abc"), st.sampled_from("abc")), min_size=1
)


@settings(max_examples=20)
@given(rows=ROWS)
def test_the_figures_are_those_of_each_model_alone(rows: list[tuple[str, str, str]]) -> None:
    """Drawing again and again moves the interval, not the figures; and it is the same again."""
    truth = [t for t, _, _ in rows]
    examples = [Example(f"text {i}", label) for i, label in enumerate(truth)]
    old, new = [o for _, o, _ in rows], [n for _, _, n in rows]
    found = differences(examples, said(old), said(new))
    assert abs(found[0].before - macro_f1(truth, old)) < 1e-9
    assert abs(found[0].after - macro_f1(truth, new)) < 1e-9
    assert found == differences(examples, said(old), said(new))
    if old == new:
        assert not any(d.won or d.lost for d in found)


def test_many_texts_of_one_event_are_one_witness() -> None:
    """Forty texts right instead of wrong prove a gain; the same forty of one group do not."""
    alone = [Example(f"text {i}", "ab"[i % 2]) for i in range(80)]
    right = [e.label for e in alone]
    old = ["b" if i < 40 else name for i, name in enumerate(right)]
    assert differences(alone, said(old), said(right))[0].won
    one = [Example(e.text, e.label, "storm" if i < 40 else f"g{i}") for i, e in enumerate(alone)]
    assert not differences(one, said(old), said(right))[0].won


def test_a_loss_in_a_label_is_beyond_chance_or_not() -> None:
    """One text of a label lost may be chance; all of them are not."""
    examples = [Example(f"text {i}", "ab"[i % 2]) for i in range(80)]
    right = [e.label for e in examples]
    once = ["b", *right[1:]]
    by_name = {d.name: d for d in differences(examples, said(right), said(once))}
    assert by_name["a"].after < by_name["a"].before
    assert not by_name["a"].lost
    by_name = {d.name: d for d in differences(examples, said(right), said(["b"] * 80))}
    assert by_name["a"].lost
