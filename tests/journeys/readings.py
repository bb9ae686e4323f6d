"""Numbers as people read them: off the pages of the dashboard, as a browser gets them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from console.access.types import Role
from tests.console.api_door import Api

HTML = {"Accept": "text/html"}
_NUMBER = re.compile(r"[+-]?\d+")


@dataclass
class Page(HTMLParser):
    """What stands on a page.

    tables    row by row, each cell as its words; a table's first row is its heads
    words     all of its main part
    """

    tables: list[list[list[str]]] = field(default_factory=list)
    words: str = ""
    _cell: list[str] | None = None
    _deaf: int = 0
    _inside: bool = False

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._deaf += tag in ("script", "style", "option")
        match tag:
            case "main":
                self._inside = True
            case "table":
                self.tables.append([])
            case "tr" if self.tables:
                self.tables[-1].append([])
            case "td" | "th" if self.tables and self.tables[-1]:
                self._cell = []

    def handle_endtag(self, tag: str) -> None:
        self._deaf -= tag in ("script", "style", "option")
        self._inside = self._inside and tag != "main"
        if tag in ("td", "th") and self._cell is not None:
            self.tables[-1][-1].append(_plain("".join(self._cell)))
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._deaf or not self._inside:
            return
        self.words += f" {data}"
        if self._cell is not None:
            self._cell.append(data)

    def table(self, *heads: str) -> list[dict[str, str]]:
        """Rows of the first table that has these heads; none where there is no such table."""
        for rows in self.tables:
            if rows and set(heads) <= set(rows[0]):
                return [dict(zip(rows[0], row, strict=False)) for row in rows[1:]]
        return []

    @property
    def plain(self) -> str:
        """Its words with single spaces, and none within a number."""
        return _plain(self.words)

    def after(self, words: str) -> int:
        """The first number behind these words."""
        return number(self.plain[self.plain.index(words) + len(words) :].strip())

    def before(self, words: str) -> int:
        """The number right before these words."""
        found = re.search(rf"(\d+) {re.escape(words)}", self.plain)
        assert found is not None, f"{words!r} has no number before it: {self.plain[:2000]!r}"
        return number(found[1])


def _plain(words: str) -> str:
    return " ".join(words.replace("\u202f", "").split())


def number(said: str) -> int:
    """The number that words begin with."""
    found = _NUMBER.match(said)
    assert found is not None, f"{said[:80]!r} begins with no number"
    return int(found[0])


def maybe(said: str) -> int | None:
    """The same; None where there is a dash or nothing."""
    return number(said) if _NUMBER.match(said) else None


def page(api: Api, address: str) -> Page:
    """A page of the house."""
    answer = api.ask("GET", address, Role.ADMIN, headers=HTML)
    assert answer.status_code == 200, (address, answer.status_code, answer.text[:500])
    found = Page()
    found.feed(answer.text)
    found.close()
    return found
