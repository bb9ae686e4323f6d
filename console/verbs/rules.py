"""Rules put in force, and older ones once more."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine

from allocation import document, store
from allocation.document import Document
from console.access.types import Refusal, Unfit, Unknown
from ledger.db import transaction
from workers.flows import drafts
from workers.flows.drafts import Applied


class BadRules(Unfit):
    """A rule file that cannot be read; `faults` say where and why."""

    def __init__(self, error: document.RuleFileError) -> None:
        super().__init__(str(error), faults=[str(problem) for problem in error.problems])


def apply(
    engine: Engine,
    source: str,
    read: Document,
    *,
    by: str,
    reason: str,
    now: datetime,
    expected: int | None = None,
) -> Applied:
    """Put rules in force as a new version; workers compute every SKU with them from then on.

    expected    the version that must be in force until then; None: any
    raises      Refusal: another is
    """
    try:
        return drafts.put_in_force(engine, source, read, by, reason, now, expected=expected)
    except drafts.Overtaken as error:
        raise Refusal(str(error)) from None


def read(source: str, name: str) -> Document:
    """A rule file's text, checked. Raises BadRules."""
    try:
        return document.read(source, name)
    except document.RuleFileError as error:
        raise BadRules(error) from None


def stored(engine: Engine, version: int) -> tuple[str, Document]:
    """A version as it was applied. Raises Unknown, BadRules."""
    try:
        with transaction(engine) as connection:
            source = store.source_of(connection, version)
        return source, document.read_stored(source, f"version {version}")
    except store.NoSuchVersion as error:
        raise Unknown(str(error)) from None
    except document.RuleFileError as error:
        raise BadRules(error) from None


def rollback(engine: Engine, version: int, *, by: str, reason: str, now: datetime) -> Applied:
    """Put an older version in force again, as a new one. Raises Unknown, BadRules."""
    source, known = stored(engine, version)
    return apply(engine, source, known, by=by, reason=f"rollback to {version}: {reason}", now=now)
