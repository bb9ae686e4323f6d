"""The SKUs that a file tells apart: one class for each set of its statements that holds for some SKU, and no other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias, TypeVar

from allocation.document.patterns import TooMany, automaton, covers, kinds
from allocation.types import Override, Protection, Rules, Safety, Span

#: What holds for some SKUs in some season.
Statement: TypeAlias = Override | Safety | Protection
S = TypeVar("S", bound=Statement)


def statements_of(rules: Rules) -> dict[str, Sequence[Statement]]:
    """The statements by the name of their list in the file."""
    return {
        "overrides": rules.overrides,
        "safety_stock": rules.safeties,
        "protection": rules.protections,
    }


@dataclass(frozen=True, slots=True)
class Kind:
    """SKUs for which the same statements hold.

    name      of them, for messages
    sku       one of them, or what stands for one
    places    the statements that fit them, by their places in the file
    """

    name: str
    sku: str
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Classes:
    """All kinds of SKUs there are; not `complete` where patterns overlap in too many ways to look at all of them."""

    kinds: tuple[Kind, ...]
    complete: bool


def classes_of(statements: Sequence[Statement], tags: Mapping[str, tuple[str, ...]]) -> Classes:
    """The kinds of SKUs that these statements tell apart, without those that none of them fits."""
    spoken = _spoken(statements, tags)
    patterns = sorted(name for name in spoken if "*" in name)
    machine = automaton(patterns)
    found = []
    for sku in spoken:
        if "*" not in sku:
            found.append(_kind(f"SKU {sku}", sku, machine.fitting(sku) | {sku}, spoken))
    try:
        sets, complete = kinds(patterns), True
    except TooMany:
        # Each by itself, as if its own text were a SKU: it fits itself and the wider ones.
        sets, complete = {machine.fitting(pattern): pattern for pattern in patterns}, False
    for names, sku in sets.items():
        if names:
            found.append(_kind(f"SKU {_narrow(names)}", sku, names, spoken))
    return Classes(tuple(found), complete)


def _spoken(
    statements: Sequence[Statement], tags: Mapping[str, tuple[str, ...]]
) -> dict[str, list[int]]:
    """SKU or pattern -> the places of the statements that speak of it, by itself or by a tag."""
    spoken: dict[str, list[int]] = {}
    for place, statement in enumerate(statements):
        which = statement.which
        names = tags.get(which.tag or "", ()) if which.sku is None else (which.sku,)
        for name in dict.fromkeys(names):
            spoken.setdefault(name, []).append(place)
    return spoken


def _kind(name: str, sku: str, names: frozenset[str], spoken: Mapping[str, list[int]]) -> Kind:
    return Kind(name, sku, tuple(sorted({place for n in names for place in spoken[n]})))


def _narrow(names: frozenset[str]) -> str:
    """The patterns of a set that say all of it."""
    told = sorted(names, key=lambda name: (-len(name.replace("*", "")), name))
    kept: list[str] = []
    for name in told:
        if not any(covers(name, other) for other in kept):
            kept.append(name)
    return " and ".join(kept)


def moments(spans: Sequence[Span]) -> list[datetime | None]:
    """One moment of every stretch of time that these seasons tell apart; None where there is no season."""
    turns = sorted({at for span in spans for at in (span.since, span.until) if at is not None})
    return [turns[0] - timedelta(days=1), *turns] if turns else [None]


def at(items: Sequence[S], moment: datetime | None) -> Iterator[S]:
    """What holds at a moment of `moments`."""
    return (item for item in items if moment is None or item.span.holds(moment))
