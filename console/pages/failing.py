"""Forms about failed work: again, off the list, bulk work ended, queues stopped and let go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from console.access.types import Refusal, Unknown
from console.api.state import Act
from workers.failures.types import CLASSES, ORIGINS, Filter, Refused, Verb
from workers.flows import operations, queues

_NAMES: Final = ("channel", "kind", "origin", "sku", "order")


def retry(act: Act, form: Mapping[str, str]) -> str:
    """Do failed work again."""
    return _ask(act, form, "retry")


def discard(act: Act, form: Mapping[str, str]) -> str:
    """Take failures off the list."""
    return _ask(act, form, "discard")


def cancel(act: Act, form: Mapping[str, str]) -> str:
    """End bulk work."""
    reason = form.get("reason", "")
    with act.doing({"number": form.get("number", "")}, reason), _refusals():
        number = _uuid(form.get("number", ""))
        state = operations.cancel(act.engine, number, by=act.by, reason=reason, now=act.now())
    return f"operation {str(number)[:8]} is {state}; what is done stays done"


def pause(act: Act, form: Mapping[str, str]) -> str:
    """Let a queue's tasks do nothing."""
    name, reason = form.get("name", ""), form.get("reason", "")
    with act.doing({"name": name}, reason), _refusals():
        queues.pause(act.engine, name, by=act.by, reason=reason, now=act.now())
    return f"queue {name} stands still until somebody resumes it; what waits stays"


def resume(act: Act, form: Mapping[str, str]) -> str:
    """Let a stopped queue work."""
    name, reason = form.get("name", ""), form.get("reason", "")
    with act.doing({"name": name}, reason), _refusals():
        queues.resume(act.engine, name, by=act.by, reason=reason, now=act.now())
    return f"queue {name} works again"


def filter_of(said: Mapping[str, str | None], ids: tuple[int, ...] = ()) -> Filter:
    """Which failures words mean: channel, kind, origin, sku, order; what is no class or origin is left out."""
    kept = {name: said.get(name) or None for name in _NAMES}
    return Filter(
        ids=ids,
        channel=kept["channel"],
        kind=kept["kind"] if kept["kind"] in CLASSES else None,
        origin=kept["origin"] if kept["origin"] in ORIGINS else None,
        sku=kept["sku"],
        order=kept["order"],
    )


def _ask(act: Act, form: Mapping[str, str], verb: Verb) -> str:
    ids = tuple(int(part) for part in form.get("ids", "").split(",") if part.isdecimal())
    said = {name: form[name] for name in _NAMES if form.get(name)} | {"ids": list(ids)}
    reason, expect = form.get("reason", ""), form.get("expect", "")
    with act.doing(said, reason), _refusals():
        asked = operations.ask(
            act.engine, verb, filter_of(form, ids), by=act.by, reason=reason, now=act.now(),
            expect=int(expect) if expect.isdecimal() else None,
        )  # fmt: skip
    if asked is None:
        return "nothing of that is open any more"
    return (
        f"operation {str(asked.id)[:8]}: {verb} of {asked.total}; its progress is under Operations"
    )


def _uuid(said: str) -> UUID:
    try:
        return UUID(said)
    except ValueError:
        raise Unknown(f"there is no operation {said!r}") from None


@contextmanager
def _refusals() -> Iterator[None]:
    """What the flows refuse is a refusal here too."""
    try:
        yield
    except Refused as error:
        raise Refusal(str(error)) from None
