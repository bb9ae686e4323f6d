"""Which tables of a rule file owe a reason: what states a number says why, so that every number can be explained."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from allocation.document.findings import Finding
from allocation.document.lines import Path
from allocation.document.tables import Document

_CHANNEL = (
    "percent",
    "weight",
    "buffer",
    "buffer_by_tier",
    "cap",
    "floor",
    "cut_off",
    "quota",
    "exclude",
    "cost_oversell",
    "margin",
)


def missing(document: Document) -> list[Finding]:
    """The tables that state a number and no reason."""
    return [
        Finding((*path, "why"), f"is missing; add why = ...{because}")
        for path, table, because in _owing(document)
        if not getattr(table, "why", "")
    ]


def _owing(document: Document) -> Iterator[tuple[Path, BaseModel, str]]:
    """(path, table, what makes it owe a reason)."""
    if document.safety.default_units:
        yield ("safety",), document.safety, ""
    for key, table in (("exposure", document.exposure), ("halt", document.halt)):
        if _numbers(table):
            yield (key,), table, ""
    if document.oversold.costs:
        yield ("oversold",), document.oversold, ""
    yield from _locations(document)
    for name, channel in document.channels.items():
        stated = [key for key in _CHANNEL if key in channel.model_fields_set]
        if stated:
            yield ("channels", name), channel, f" (the channel states {', '.join(stated)})"
    groups: dict[str, tuple[BaseModel, ...]] = {
        "overrides": document.overrides,
        "safety_stock": document.safety_stock,
        "protection": document.protection,
        "playbook": document.playbook,
    }
    yield from _halts(document)
    for group, tables in groups.items():
        yield from (((group, place), table, "") for place, table in enumerate(tables))


def _halts(document: Document) -> Iterator[tuple[Path, BaseModel, str]]:
    for name, channel in document.channels.items():
        if channel.halt is not None and _numbers(channel.halt):
            yield ("channels", name, "halt"), channel.halt, ""


def _locations(document: Document) -> Iterator[tuple[Path, BaseModel, str]]:
    for name, place in document.locations.items():
        if place.safety_units is not None:
            yield ("locations", name), place, " (the location states safety_units)"
        if place.pickup is not None and _numbers(place.pickup):
            yield ("locations", name, "pickup"), place.pickup, ""


def _numbers(table: BaseModel) -> set[str]:
    return table.model_fields_set - {"why", "on"}
