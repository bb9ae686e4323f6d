"""What a person sees: one line a step with its time, a table at the end; colours only on a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table
from rich.text import Text


class Screen:
    """Lines on stdout, each headed by the seconds since the start."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._begun_s = time.monotonic()

    @property
    def passed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._begun_s

    def line(self, words: str, style: str = "") -> None:
        """One line."""
        head = f"[{self.passed_s:5.1f} s] "
        self._console.print(Text.assemble((head, "dim"), (words, style)))

    @contextmanager
    def step(self, what: str) -> Iterator[list[str]]:
        """One step of the day; its line comes when it is done, with what was appended to the list and its time."""
        begun_s = time.monotonic()
        seen: list[str] = []
        if self._console.is_terminal:
            with self._console.status(what):
                yield seen
        else:
            yield seen
        took_s = time.monotonic() - begun_s
        self.line(f"{what}: {'; '.join(seen) or 'done'} ({took_s:.1f} s)")

    def verdict(self, passed: bool, name: str, detail: str) -> None:
        """One check."""
        word, style = ("ok  ", "green") if passed else ("FAIL", "bold red")
        self._console.print(Text.assemble("  ", (word, style), f" {name}: {detail}"))

    def plain(self, words: str = "", style: str = "") -> None:
        """One line without its time."""
        self._console.print(Text(words, style=style))

    def table(self, title: str, names: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table; columns of numbers stand to the right."""
        if not self._console.is_terminal:
            self._plain_table(title, names, rows)
            return
        table = Table(title=title, title_justify="left")
        for number, name in enumerate(names):
            right = bool(rows) and isinstance(rows[0][number], int)
            table.add_column(name, justify="right" if right else "left")
        for row in rows:
            table.add_row(*(str(cell) for cell in row))
        self._console.print(table)

    def _plain_table(
        self, title: str, names: Sequence[str], rows: Sequence[Sequence[object]]
    ) -> None:
        cells = [[str(cell) for cell in row] for row in (names, *rows)]
        widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
        self.plain(title)
        for line in cells:
            padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self.plain("  " + "  ".join(padded).rstrip())
