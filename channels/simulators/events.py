"""The event log: what a simulator was asked, what it answered, what it sent; for assertions."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. `kind` is `api`, `webhook`, `control` or `stock`; `facts` depend on it."""

    seq: int
    at: datetime
    kind: str
    facts: Mapping[str, object]

    def as_json(self) -> dict[str, object]:
        return {"seq": self.seq, "at": self.at.isoformat(), "kind": self.kind, **self.facts}


class EventLog:
    """The newest `keep` entries, numbered from 1 without gaps; safe to use from several threads."""

    def __init__(self, keep: int = 50_000) -> None:
        self._entries: deque[Entry] = deque(maxlen=keep)
        self._seq = 0
        self._lock = threading.Lock()

    def append(self, kind: str, at: datetime, facts: Mapping[str, object]) -> Entry:
        with self._lock:
            self._seq += 1
            entry = Entry(self._seq, at, kind, facts)
            self._entries.append(entry)
            return entry

    def since(self, seq: int = 0, kind: str | None = None, limit: int | None = None) -> list[Entry]:
        """Entries numbered above `seq`, oldest first, at most `limit`."""
        with self._lock:
            found = [e for e in self._entries if e.seq > seq and kind in (None, e.kind)]
        return found if limit is None else found[:limit]

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
