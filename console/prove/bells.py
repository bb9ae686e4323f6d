"""Which bells a sweep of the proof rings."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from workers.flows.sweep import Waiting


def found(waiting: Waiting, selling: Collection[str]) -> Iterator[str]:
    """The bells for what a sweep found, in the order in which a worker's tasks ring.

    selling    channels where anything is listed
    """
    if waiting.inbox:
        yield "drain"
    if waiting.due:
        yield "allocate"
    for channel in sorted(set(waiting.pushes) & set(selling)):
        yield f"push:{channel}"
        yield f"verify:{channel}"
    if set(waiting.partners) & set(selling):
        yield "exchange"
    if waiting.interchanges:
        yield "trade"
    for task, channels in (
        ("receipts", waiting.receipts),
        ("poll", waiting.asked),
        ("halts", waiting.halts),
    ):
        for channel in channels:
            yield f"{task}:{channel}"
