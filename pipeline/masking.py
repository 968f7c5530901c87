"""Masks what people should not have posted: phone, card, e-mail and account numbers.

Every kind is recognised by what makes it one: a checksum (cards, IBAN), a form (e-mail, phone
numbers as countries write them) or the word before it ("account no."). Years, prices, versions,
times, order numbers and the ids in addresses stay. In doubt a number that looks like a phone
number is masked: a lost order number costs less than a published phone number.
"""

import re
from typing import Final

EMAIL, PHONE, CARD, ACCOUNT = "[email]", "[phone]", "[card]", "[account]"

# Most posts end here: nothing that could be part of a number or an address.
_ANY_ASCII = re.compile(r"[@0-9]")  # twice as fast as the other
_ANY = re.compile(r"[@\d]")
# And most of the rest here: six digits close together, or an @ between letters.
_MAYBE = re.compile(r"\w@\w|\d(?:[^\w@]{0,3}\d){5}")

_EMAIL = re.compile(r"(?<![\w.+%@-])[\w.+%-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w@])")
_ACCOUNT_WORDS = (
    r"account|acct|a/c|sort[ -]?code|routing|iban|kontonummer|kontonr|konto|blz|bankleitzahl"
    r"|cuenta|compte|rib|conta|agência|conto|rekeningnummer|rekening|rachunku|счёт|счета|счет"
    r"|口座|账号|账户|帐号|계좌"
)
_FILLERS = (
    r"[\s:.#=°º/-]|number|nummer|num|nº|nr|no|numéro|número|numero|bancaire|bancaria|bancária"
    r"|corrente|corriente|and|und|is|ist|es|est|é|番号|は|번호|номер|n"
)
_PATTERN: Final = re.compile(
    # Addresses on the web come first, so that the ids in them are never taken for numbers.
    r"(?P<url>\b(?:https?://|www\.)\S+|(?<![\w.-])(?:[\w-]{1,63}\.){1,6}[a-z]{2,24}/\S+)"
    rf"|(?P<email>{_EMAIL.pattern})"
    r"|(?<!\w)(?P<iban>[a-z]{2}\d{2}(?:[ -]?[a-z\d]{4}){2,7}(?:[ -]?[a-z\d]{1,3})?)(?!\w)"
    rf"|(?<![a-z\d_])(?P<context>(?:{_ACCOUNT_WORDS})(?:{_FILLERS}){{0,24}}+)"
    r"(?P<account>(?<![a-z\d_])\d(?:[ -]?\d){5,17}+(?![a-z\d_]))"
    r"|(?<![a-z\d_.,:/#@$€£¥₹-])(?P<number>\(?\+?\(?\d(?:[ \u00a0\u202f().\-–/]{0,3}\d){5,}+)"
    r"(?![a-z\d_%]|[.,:]\d|\s?[€$£¥₹]|\s?(?:eur|usd|gbp)\b)",
    re.IGNORECASE,
)

# What people write right before a phone number, in the languages of our posts.
_CALL = re.compile(
    r"(?:\b(?:call|calling|phone|tel|mobile|cell|mob|whatsapp|sms|ring|dial|text me|reach me"
    r"|telefon|telefonnummer|handy|anrufen|rückruf|mobil|teléfono|telefono|móvil|movil|llamar|llama"
    r"|llámame|téléphone|portable|appeler|appelez|telefone|celular|telemóvel|ligar|ligue|zap"
    r"|cellulare|chiama|chiamare|телефон|тел)|電話|电话|手机|전화)(?:番号)?[は是]?"
    r"\W{0,3}(?:(?:me|us|on|at|is|number|no|nr|under|unter|al|au|a|para|me on|us on)\W{1,3}){0,3}$",
    re.IGNORECASE,
)
_GROUPS = re.compile(r"\d+")
_DATE = re.compile(r"\b\d{1,2}[./-]\d{1,2}[./-](?:19|20)\d\d\b|\b(?:19|20)\d\d[./-]\d\d[./-]\d\d\b")
_YEARS = re.compile(r"\b(?:19|20)\d\d ?[-–/ ] ?(?:19|20)\d\d\b")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:[ .\u00a0\u202f]\d{3})+")
_IP = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
#: +33 6 12 34 56 78 has the most groups among the ways to write a phone number.
_MOST_GROUPS = 6
# Forms that only phone numbers have, as lengths of their groups and what they begin with.
_FORMS: dict[tuple[int, ...], str] = {
    (3, 3, 4): "23456789",  # North America, Italy
    (1, 3, 3, 4): "17",  # North America, Russia
    (3, 2, 2, 2): "6789",  # Spain
    (5, 5): "6789",  # India
    (3, 4, 4): "1",  # China
}
# The same for cards: how many digits go with which beginning.
_CARDS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}"
    r"|35\d{14}|6\d{15,18}|5[06-9]\d{14}"
)


# How long an IBAN is, by country, from the registry of IBAN formats (ISO 13616).
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FO GL NL", 19: "MK SI", 20: "AT BA EE KZ LT LU XK",
        21: "CH HR LI LV", 22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST", 26: "IS TR",
        27: "FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB PL SV", 29: "BR EG PS QA UA",
        30: "JO KW MU", 31: "MT SC", 32: "LC",
    }.items()
    for country in countries.split()
}  # fmt: skip


def masked(text: str) -> str:
    """The text with private numbers and e-mail addresses replaced by their kind in brackets."""
    prefilter = _ANY_ASCII if text.isascii() else _ANY
    if prefilter.search(text) is None or _MAYBE.search(text) is None:
        return text
    return _PATTERN.sub(_replaced, text)


def _replaced(match: re.Match[str]) -> str:
    kind, found = match.lastgroup, match.group()
    if kind == "url":
        return _EMAIL.sub(EMAIL, found)
    if kind == "email":
        return EMAIL
    if kind == "iban":
        return _without_iban(found)
    if kind == "account":
        account = match["account"]
        if _is_amount_or_time(account):
            return found
        return match["context"] + ACCOUNT
    before = match.string[max(0, match.start() - 40) : match.start()]
    return _without_numbers(found, after_call=_CALL.search(before) is not None)


def _without_iban(found: str) -> str:
    """Masks the IBAN that ``found`` begins with, if it does: it may go on with other words."""
    ends = [end for end in range(15, len(found) + 1) if found[end : end + 1].strip(" -") == ""]
    for end in ends:
        if _is_iban(found[:end].replace(" ", "").replace("-", "").upper()):
            return ACCOUNT + found[end:]
    return found


def _is_iban(code: str) -> bool:
    """Whether length and checksum (ISO 13616: modulo 97 is 1) are right."""
    if not code.isascii() or len(code) != _IBAN_LENGTHS.get(code[:2]):
        return False
    return int("".join(str(int(c, 36)) for c in code[4:] + code[:4])) % 97 == 1


def _without_numbers(run: str, *, after_call: bool) -> str:
    """Masks what is a card or phone number in a run of digits, which may be several numbers."""
    groups = [group.span() for group in _GROUPS.finditer(run)]
    parts, done, first = [], 0, 0
    while first < len(groups):
        for last in _last_groups(groups, first):
            start = _with_sign(run, groups[first][0], done)
            kind = _kind(run[start : groups[last][1]], after_call=after_call)
            if kind and _ends_here(run, groups, last):
                parts += [run[done:start], kind]
                done, first = groups[last][1], last
                break
        first = _next_number(run, groups, first)
    return "".join(parts) + run[done:]


def _last_groups(groups: list[tuple[int, int]], first: int) -> list[int]:
    """With which groups a number that begins with ``first`` may end, the longest number first."""
    lasts, digits = [], 0
    for last in range(first, min(first + _MOST_GROUPS, len(groups))):
        digits += groups[last][1] - groups[last][0]
        if 7 <= digits <= 19:
            lasts.append(last)
    return lasts[::-1]


def _with_sign(run: str, start: int, done: int) -> int:
    """Where the number begins whose first digit stands at ``start``: at its ``+`` or bracket."""
    while start > done and run[start - 1] in "+(":
        start -= 1
    # A bracket around the whole number belongs to the sentence.
    return start + 1 if run[start] == "(" and ")" not in run else start


def _ends_here(run: str, groups: list[tuple[int, int]], last: int) -> bool:
    """Whether white space (or nothing) follows a group: only there another number may begin."""
    return last + 1 == len(groups) or any(
        c.isspace() for c in run[groups[last][1] : groups[last + 1][0]]
    )


def _next_number(run: str, groups: list[tuple[int, int]], first: int) -> int:
    """The next group that another number may begin with."""
    while not _ends_here(run, groups, first):
        first += 1
    return first + 1


def _kind(number: str, *, after_call: bool) -> str | None:
    """Which mask belongs on a number with its signs, None if it may stay."""
    groups = _GROUPS.findall(number)
    digits = "".join(groups)
    if 13 <= len(digits) <= 19 and _CARDS.fullmatch(digits) and _luhn(digits):
        return CARD
    if not 7 <= len(digits) <= 17 or digits.endswith("00000") or _DATE.search(number):
        return None
    if _has_form_of_phone(number, groups, digits):
        return PHONE
    return PHONE if after_call and _may_be_phone(number, groups, digits) else None


def _has_form_of_phone(number: str, groups: list[str], digits: str) -> bool:
    if number.lstrip("(").startswith("+"):
        return 8 <= len(digits) <= 15
    if digits[0] == "0":
        return _is_trunk(number, groups, digits)
    lengths = tuple(map(len, groups))
    if lengths in _FORMS:
        return digits[0] in _FORMS[lengths]
    # Brazil: the area in brackets or a dash before the last four.
    is_local = lengths in {(2, 5, 4), (2, 4, 4)} and ("(" in number or number[-5] == "-")
    return is_local and not _YEARS.search(number)


def _is_trunk(number: str, groups: list[str], digits: str) -> bool:
    """With a leading zero (national) or two of them (international)."""
    if digits[1] == "0":
        return digits[2] != "0" and 10 <= len(digits) <= 17
    if (len(groups[0]) < 2 and "(" not in number) or not 9 <= len(digits) <= 12:
        return False
    # All in pairs, as the French write them; with differing signs it is a date and a time.
    return max(map(len, groups)) > 2 or len(set(_GROUPS.sub("", number))) == 1


def _may_be_phone(number: str, groups: list[str], digits: str) -> bool:
    """Whether a number after a word like "call" is one, and no amount, year or address."""
    if len(digits) > 15 or _IP.fullmatch(number) or _YEARS.search(number):
        return False
    is_amount = _THOUSANDS.fullmatch(number) is not None
    return not is_amount or (len(groups) == 3 and len(digits) == 9 and digits[0] in "56789")


def _is_amount_or_time(number: str) -> bool:
    return bool(_THOUSANDS.fullmatch(number) or _YEARS.search(number) or _DATE.search(number))


def _luhn(digits: str) -> bool:
    """Whether the checksum of card numbers (ISO/IEC 7812-1) is right."""
    values = [int(digit) for digit in reversed(digits)]
    doubled = [value * 2 - 9 if value > 4 else value * 2 for value in values[1::2]]
    return (sum(values[::2]) + sum(doubled)) % 10 == 0
