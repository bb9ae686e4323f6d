"""The mailbox as the partner uses it: it puts files into the merchant's inbound/ and takes them from outbound/."""

from __future__ import annotations

import contextlib
import os
import threading
from datetime import datetime
from pathlib import Path
from typing import Final

FOLDERS: Final = ("inbound", "outbound", "archive", "failed")


class Folders:
    """The folders below `root`, which are made when missing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in FOLDERS:
            (root / folder).mkdir(parents=True, exist_ok=True)

    def put(self, name: str, data: bytes, at: datetime) -> None:
        """A whole file at once, dated with the partner's time, as `sftp put -p` does."""
        draft = self.root / "inbound" / f".{name}.tmp"
        draft.write_bytes(data)
        os.utime(draft, (at.timestamp(), at.timestamp()))
        draft.rename(self.root / "inbound" / name)

    def put_slowly(self, name: str, data: bytes, seconds: float) -> None:
        """Under its final name from the first byte: half of it now, the rest `seconds` (real) later."""
        path, half = self.root / "inbound" / name, len(data) // 2
        with path.open("wb", buffering=0) as file:
            file.write(data[:half])
        threading.Timer(seconds, _append, (path, data[half:])).start()

    def take(self) -> list[tuple[str, bytes]]:
        """Every whole file of outbound/, oldest first; they are gone afterwards."""
        found = []
        for path in (self.root / "outbound").iterdir():
            if not path.name.startswith(".") and path.is_file():
                found.append((path.stat().st_mtime_ns, path))
        taken = []
        for _, path in sorted(found):
            taken.append((path.name, path.read_bytes()))
            path.unlink()
        return taken

    def clear(self) -> None:
        """Remove every file; the folders stay."""
        for folder in FOLDERS:
            for path in (self.root / folder).rglob("*"):
                if path.is_file():
                    path.unlink(missing_ok=True)


def _append(path: Path, data: bytes) -> None:
    # Whoever took half a file away has it.
    with contextlib.suppress(FileNotFoundError), path.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.write(data)
