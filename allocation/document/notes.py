"""What in a rule file is allowed and may not be meant."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from allocation.document.classes import classes_of, statements_of
from allocation.document.findings import Finding
from allocation.document.lines import Path
from allocation.document.patterns import covers
from allocation.document.tables import Document
from allocation.types import Quota, Rules


def find(document: Document, now: datetime) -> list[Finding]:
    """What somebody who checks the file should know; it does not stop it."""
    rules = document.rules()
    return [
        *_tags(document, rules),
        *_quotas(rules, now),
        *_seasons(document, rules, now),
        *_unchecked(rules),
    ]


def _tags(document: Document, rules: Rules) -> Iterator[Finding]:
    used = {one.which.tag for statements in statements_of(rules).values() for one in statements}
    used |= {table.tag for table in document.playbook}
    for tag, names in document.tags.items():
        if tag not in used:
            yield Finding(("tags", tag), "is used by nothing")
        for place, name in enumerate(names):
            wider = [o for i, o in enumerate(names) if "*" in o and i != place and o != name]
            over = next((other for other in wider if covers(other, name)), None)
            if over is not None:
                yield Finding(("tags", tag, place), f"{name} is covered by {over}")
            elif name in names[:place]:
                yield Finding(("tags", tag, place), f"{name} is named before")


def _quotas(rules: Rules, now: datetime) -> Iterator[Finding]:
    quotas: list[tuple[Path, Quota | None]] = [
        *((("channels", c.name, "quota"), c.rule.quota) for c in rules.channels),
        *((("overrides", n, "quota"), o.quota) for n, o in enumerate(rules.overrides)),
    ]
    for path, quota in quotas:
        if quota is not None and quota.since > now:
            yield Finding(path, f"begins in the future, at {quota.since:%Y-%m-%d %H:%M} UTC")


def _seasons(document: Document, rules: Rules, now: datetime) -> Iterator[Finding]:
    spans = {
        name: [one.span for one in statements] for name, statements in statements_of(rules).items()
    }
    spans["playbook"] = [play.span for play in document.plays().plays]
    for name, of_it in spans.items():
        for place, span in enumerate(of_it):
            until = span.until
            if until is not None and until <= now:
                yield Finding((name, place, "until"), f"is over since {until:%Y-%m-%d %H:%M} UTC")


def _unchecked(rules: Rules) -> Iterator[Finding]:
    for name, statements in statements_of(rules).items():
        if not classes_of(statements, rules.tags).complete:
            yield Finding(
                (name,),
                "these patterns overlap in too many ways: each was checked by itself, and none for being unreachable",
            )
