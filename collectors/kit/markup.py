"""Text out of HTML, as a reader sees it: for platforms that give posts as HTML."""

from html.parser import HTMLParser

_BLOCKS = frozenset(
    {"p", "div", "li", "ul", "ol", "blockquote", "pre", "h1", "h2", "h3", "h4", "table", "tr"}
)
_UNSEEN = frozenset({"script", "style", "head", "title", "template"})


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.links: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag == "br":
            self.parts.append("\n")
        elif tag in _BLOCKS:
            self.parts.append("\n\n")
        elif tag == "a":
            told = dict(attrs)
            href, classes = told.get("href") or "", (told.get("class") or "").split()
            # What the Fediverse marks so leads to a person or a hashtag, not to what is told.
            is_name = "mention" in classes or "hashtag" in classes
            if not is_name and href.startswith(("http://", "https://")):
                self.links.append(href)

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in _BLOCKS:
            self.parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(data)


def plain(html: str) -> tuple[str, tuple[str, ...]]:
    """The text with its line breaks, and the addresses it links to, each once."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = [" ".join(line.split()) for line in "".join(reader.parts).split("\n")]
    paragraphs = [part.strip() for part in "\n".join(lines).split("\n\n")]
    text = "\n\n".join(part for part in paragraphs if part)
    return text, tuple(dict.fromkeys(reader.links))
