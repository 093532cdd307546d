"""HTML pages as a reader sees them."""

from __future__ import annotations

from html.parser import HTMLParser

# Elements that HTML leaves open.
VOID = {"meta", "input", "br", "link"}
OPTIONAL = {"td", "th", "tr", "li", "p", "option"}


class Page(HTMLParser):
    """What a reader sees of a page, its elements, and whether they are well nested."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.lines: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open[-1] != tag and self.open[-1] in OPTIONAL:
            self.open.pop()
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and not {"style", "script", "svg"} & set(self.open):
            self.lines.append(" ".join(data.split()))
