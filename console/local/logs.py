"""Reading the services' log files as one stream of named lines, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


class Tail:
    """What is new in every `*.log` of a folder since the last look; files may appear and be turned over meanwhile."""

    def __init__(self, folder: Path, *, from_start: bool = False) -> None:
        self._folder = folder
        self._at: dict[Path, int] = {}
        if not from_start:
            self._at = {log: log.stat().st_size for log in folder.glob("*.log")}

    def new_lines(self) -> Iterator[tuple[str, str]]:
        """Each new whole line with the name of its service."""
        for log in sorted(self._folder.glob("*.log")):
            for line in self._new_in(log):
                yield log.stem, line

    def _new_in(self, log: Path) -> list[str]:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            at = self._at.get(log, 0)
            file.seek(at if at <= size else 0)
            start = file.tell()
            text = file.read()
        whole = text.rfind(b"\n") + 1
        self._at[log] = start + whole
        return text[:whole].decode(errors="replace").splitlines()
