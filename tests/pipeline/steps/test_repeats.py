"""Repeats among mentions: kinds and groups."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.indexes.memory import MemoryRepeatIndex
from pipeline.model import Author, Feedback, Mention, Repeat
from pipeline.steps import repeats
from pipeline.steps.text import prepare

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
LONG = "Acme messages have not been delivered since this morning, anyone else in Leeds?"


def mention(number: int, text: str = LONG, **fields: Any) -> Mention:
    """Post ``number``, a minute after the one before, by an author of its own."""
    return Mention(
        **{
            "source": "x",
            "external_id": str(number),
            "text": text,
            "said_at": START + timedelta(minutes=number),
            "author": Author(id=f"a{number}", handle=f"user{number}"),
        }
        | fields
    )


def find(*mentions: Mention, index: MemoryRepeatIndex | None = None) -> list[Repeat]:
    return repeats.find(mentions, prepare(mentions), index or MemoryRepeatIndex())


def kinds(*mentions: Mention) -> list[str]:
    return [repeat.kind for repeat in find(*mentions)]


def test_the_first_is_original() -> None:
    """Its group is its own id."""
    assert find(mention(1)) == [Repeat(kind="original", of=None, group="x:1")]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (LONG, "copy"),
        (LONG.upper() + " 😡 https://a.example/1", "copy"),
        (f"RT @user1: {LONG}", "repost"),
        (LONG.replace("anyone", "is anybody"), "near"),
        ("Acme messages have not been delivered since this morning", "near"),
        ("Nordwind parcels arrive late every single week, what a pity", "original"),
    ],
)
def test_kinds_of_one_author_after_another(text: str, kind: str) -> None:
    """What the second author does with the first one's text."""
    first, second = find(mention(1), mention(2, text))
    assert second.kind == kind
    assert second.group == (second.of or "x:2") == ("x:2" if kind == "original" else first.group)


def test_the_same_author_again_is_an_echo() -> None:
    """Nobody is a second witness of the own words, changed or not."""
    me = Author(id="me")
    changed = LONG.replace("anyone", "is anybody")
    assert kinds(mention(1, author=me), mention(2, author=me), mention(3, changed, author=me)) == [
        "original",
        "echo",
        "echo",
    ]


@pytest.mark.parametrize("text", ["acme is down", "acme down again 😡", "服务器挂了", "😡😡", "?"])
def test_short_words_of_strangers_are_no_repeats(text: str) -> None:
    """Two people who say that Acme is down are two witnesses; one who says it twice is one."""
    same = Author(id="a1", handle="user1")
    assert kinds(mention(1, text), mention(2, text), mention(3, text, author=same)) == [
        "original",
        "original",
        "echo",
    ]


#: By script: what somebody wrote, the same with small edits, cut off or told with more around it,
#: and what others wrote of the same failure in their own words.
SCRIPTS = {
    "Chinese": (
        "服务器又挂了，消息发不出去，有人知道怎么回事吗",
        [
            "服务器又挂了！消息发不出去，有人知道怎么回事？",
            "服务器又挂了，消息发不出去，有人知道怎么…",
            "刚刚发现服务器又挂了，消息发不出去，有人知道怎么回事吗 https://a.example/1",
        ],
        ["今天早上开始完全登录不了，一直显示网络错误", "客服说正在修复，可是已经等了两个小时了"],
    ),
    "Japanese": (
        "アプリが朝からずっと開かない、サーバーが落ちているのかな",
        [
            "アプリが朝からずっと開かない！サーバーが落ちてるのかな？",
            "アプリが朝からずっと開かない、サーバーが落ちて…",
            "うちもアプリが朝からずっと開かない、サーバーが落ちているのかな、困った",
        ],
        [
            "メッセージを送ってもエラーになるんだけど私だけ？",
            "障害の復旧は何時ごろになりますか教えてください",
        ],
    ),
    "Korean": (
        "아침부터 앱이 계속 안 열려요 서버가 다운된 것 같아요",
        [
            "아침부터 앱이 계속 안 열려요!! 서버가 다운된 거 같아요",
            "아침부터 앱이 계속 안 열려요 서버가 다운된…",
            "저만 그런가요 아침부터 앱이 계속 안 열려요 서버가 다운된 것 같아요",
        ],
        [
            "메시지를 보내면 오류가 나는데 언제 복구되나요",
            "고객센터 전화도 연결이 안 되고 정말 답답하네요",
        ],
    ),
    "Arabic": (
        "التطبيق لا يعمل منذ الصباح والرسائل لا تصل إلى أحد",
        [
            "التطبيق لا يعمل منذ الصباح، والرسائل لا تصل لأحد!",
            "التطبيق لا يعمل منذ الصباح والرسائل لا تصل…",
            "هل من حل؟ التطبيق لا يعمل منذ الصباح والرسائل لا تصل إلى أحد يا جماعة",
        ],
        [
            "انقطع الإنترنت في حيّنا منذ ساعتين ولا أحد يرد علينا",
            "متى تعود الخدمة من فضلكم نحن ننتظر منذ وقت طويل",
        ],
    ),
    "Hindi": (
        "सुबह से ऐप नहीं चल रहा है और मैसेज किसी को नहीं जा रहे",
        [
            "सुबह से ऐप नहीं चल रहा है, और मैसेज किसी को नहीं जा रहे हैं!",
            "सुबह से ऐप नहीं चल रहा है और मैसेज किसी को…",
            "क्या किसी और को भी दिक्कत है सुबह से ऐप नहीं चल रहा है और मैसेज किसी को नहीं जा रहे",
        ],
        ["दो घंटे से इंटरनेट बंद है कोई जवाब नहीं दे रहा", "सेवा कब तक ठीक होगी कृपया जल्दी बताइए"],
    ),
    "Thai": (
        "ระบบข้อความใช้งานไม่ได้ตั้งแต่เช้านี้ครับ",
        [
            "ระบบข้อความใช้งานไม่ได้ตั้งแต่เช้านี้ครับผม",
            "ระบบข้อความใช้งานไม่ได้ตั้งแต่เช้า…",
            "ใครเป็นบ้าง ระบบข้อความใช้งานไม่ได้ตั้งแต่เช้านี้ครับ",
        ],
        ["อินเทอร์เน็ตที่บ้านหลุดบ่อยมากวันนี้ทำงานไม่ได้เลย", "โทรหาศูนย์บริการแล้วไม่มีใครรับสายเลยสักคน"],
    ),
    "Russian": (
        "приложение не открывается с самого утра, сообщения не доходят",
        [
            "Приложение не открывается с самого утра!! сообщения не доходят никому",
            "приложение не открывается с самого утра, сообщения не…",
            "у кого ещё так? приложение не открывается с самого утра, сообщения не доходят",
        ],
        [
            "интернет пропал во всём районе, и никто не отвечает",
            "когда наконец починят, уже два часа ждём ответа",
        ],
    ),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_repeats_in_other_scripts(script: str) -> None:
    """Edits, cuts and retellings are found, the same matter in other words is not."""
    text, repeated, others = SCRIPTS[script]
    for number, other in enumerate(repeated):
        assert kinds(mention(1, text), mention(2, other))[1] in {"near", "copy"}, number
        assert kinds(mention(1, other), mention(2, text))[1] in {"near", "copy"}, number
    assert kinds(*(mention(n, each) for n, each in enumerate([text, *others]))) == ["original"] * 3


def test_authors_who_are_unknown_never_echo() -> None:
    """Without an author every post may be somebody else's."""
    nobody = Author()
    assert kinds(mention(1, author=nobody), mention(2, author=nobody)) == ["original", "copy"]
    assert kinds(
        mention(1, "acme down", author=nobody), mention(2, "acme down", author=nobody)
    ) == [
        "original",
        "original",
    ]


FAMILY = (
    mention(1),
    mention(2, "", kind="repost", repost_of="1"),
    mention(3, f"RT @user1: {LONG}"),
    mention(4, LONG[:60] + "…", kind="repost", repost_of="x:1"),
)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_original_reposts_and_retellings_are_one_group(order: tuple[int, ...]) -> None:
    """Whichever of them comes first, but for a retelling by hand and a bare repost, which nothing
    connects until the original comes.
    """
    found = find(*(FAMILY[number] for number in order))
    apart = {order[0], order[1]} == {1, 2}
    assert len({repeat.group for repeat in found}) == (2 if apart else 1)


def test_reposts_of_a_post_that_was_never_seen() -> None:
    """They are one group; what they repost is named though it is unknown."""
    two, four = find(FAMILY[1], FAMILY[3])
    assert (two.kind, two.of, two.group) == ("repost", "x:1", "x:2")
    assert (four.kind, four.of, four.group) == ("repost", "x:1", "x:2")
    (one,) = find(FAMILY[0])
    assert one.kind == "original"


def test_a_short_text_retold_joins_whom_it_names() -> None:
    """Reposts by hand of a short text are of the one named, not of everybody who said it."""
    said = [mention(1, "acme is down"), mention(2, "acme is down")]
    retold = find(*said, mention(3, "RT @user2: acme is down"))[2]
    assert (retold.kind, retold.group) == ("repost", "x:2")


def test_an_edit_keeps_its_group() -> None:
    """Even one that says something else."""
    edited = mention(2, "Acme works again for me, it was my own router all along", version=7)
    index = MemoryRepeatIndex()
    before = find(mention(1), mention(2), index=index)
    assert find(edited, index=index) == before[1:]


def test_a_restart_changes_nothing() -> None:
    """The index rebuilt from feedback answers old and new posts as the old one would."""
    old, new = MemoryRepeatIndex(), MemoryRepeatIndex()
    answers = find(*FAMILY, index=old)
    past = [
        Feedback(mention=word, repeat=repeat, labels={}, model="1")
        for word, repeat in zip(FAMILY, answers, strict=True)
    ]
    repeats.restore(past, new)
    later = mention(9, LONG + " still!")
    assert find(*FAMILY, later, index=new) == [*answers, *find(later, index=old)]


@settings(deadline=None, max_examples=40)
@given(
    texts=st.lists(
        st.sampled_from([LONG, LONG + " hello", "acme down", "RT @user1: acme down", ""])
    ),
    size=st.integers(1, 5),
)
def test_answers_do_not_depend_on_the_batch(texts: list[str], size: int) -> None:
    """Any cut of the stream gives the same repeats."""
    mentions = [
        mention(number, text, author=Author(id=f"a{number % 3}", handle=f"user{number % 3}"))
        for number, text in enumerate(texts)
    ]
    index = MemoryRepeatIndex()
    parts = [
        repeat
        for first in range(0, len(mentions), size)
        for repeat in find(*mentions[first : first + size], index=index)
    ]
    assert parts == find(*mentions)
