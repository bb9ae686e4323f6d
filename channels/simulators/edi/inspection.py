"""A file of the merchant's, from its bytes to what is kept of it, and the 997s it deserves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from channels.simulators.edi import acks, answers, envelopes, rules, shipments, stock
from channels.simulators.edi.bodies import SetVerdict
from channels.simulators.edi.books import Books, Say
from channels.simulators.edi.state import Received
from channels.simulators.edi.x12 import Group, Interchange, NotReadable, Set, Way, element, read

_DESKS: Final[Mapping[str, Callable[[Books, Set, datetime, Say], None]]] = {
    "855": answers.order_answer,
    "865": answers.change_answer,
    "856": shipments.ship_notice,
    "846": stock.availability,
    "997": acks.functional_ack,
}


@dataclass(frozen=True, slots=True)
class GroupVerdict:
    """What a 997 shall say of one group. `status` is AK901, `claimed` GE01."""

    kind: str
    control: str
    status: str
    claimed: str
    sets: tuple[SetVerdict, ...]


#: What a policy makes of a group's status: its kind and A, E or R to A, E or R.
Policy = Callable[[str, str], str]


def inspect(
    books: Books, name: str, data: bytes, way: Way, at: datetime, policy: Policy
) -> list[GroupVerdict]:
    """Judge one file, keep what it says, and return what its groups shall be answered (never a 997's).

    A set that is rejected is not kept. An interchange that came before is neither kept nor answered.
    """
    kept = Received(name, at, data)
    books.received.append(kept)
    try:
        found = read(data)
    except NotReadable as problem:
        books.complain(at, "syntax", name, "ISA", str(problem))
        return []
    verdicts: list[GroupVerdict] = []
    for interchange in found:
        document = f"interchange {interchange.at(13)} in {name}"
        wrong = envelopes.of_interchange(interchange, way)
        for text in wrong:
            books.complain(at, "syntax", document, "ISA", text)
        if _came_before(books, interchange, document, at):
            continue
        for group in interchange.groups:
            kept.kinds += [one.id for one in group.sets]
            verdict = _group(books, group, name, way, at, policy, broken=bool(wrong))
            kept.answered.append(verdict.status)
            if verdict.kind != "FA":
                verdicts.append(verdict)
    return verdicts


def _came_before(books: Books, one: Interchange, document: str, at: datetime) -> bool:
    control = one.at(13)
    content = repr((one.header, one.groups, one.trailer)).encode()
    before = books.controls.setdefault(control, content)
    if before is content:
        return False
    if before == content:
        books.complain(at, "notice", document, "ISA13", "it came before, byte for byte; ignored")
    else:
        text = f"control number {control} was used before for something else; ignored"
        books.complain(at, "syntax", document, "ISA13", text)
    return True


def _group(
    books: Books, group: Group, name: str, way: Way, at: datetime, policy: Policy, *, broken: bool
) -> GroupVerdict:
    wrong = envelopes.of_group(group, way)
    for text in wrong:
        books.complain(at, "syntax", f"group {group.at(6)} in {name}", "GS", text)
    seen: set[str] = set()
    judged = [_set(books, one, name, at, seen) for one in group.sets]
    rejected = sum(one.status == "R" for one in judged)
    honest = (
        "R" if broken or wrong or (judged and rejected == len(judged)) else "P" if rejected else "A"
    )
    status = policy(group.at(1), honest)
    sets = tuple(_after(one, status, honest) for one in judged)
    for one, verdict in zip(group.sets, sets, strict=True):
        if verdict.status in "AE":
            _keep(books, one, name, at)
    claimed = element(group.trailer, 1) if group.trailer is not None else "0"
    return GroupVerdict(group.at(1), group.at(6), status, claimed, sets)


def _after(one: SetVerdict, status: str, honest: str) -> SetVerdict:
    """A set's verdict when the policy decided otherwise about its group."""
    if status == honest and status != "R":
        return one
    if status == "R":
        return SetVerdict(one.set_id, one.control, "R", one.code or "5", one.errors)
    wrong = bool(one.code)
    return SetVerdict(
        one.set_id, one.control, "E" if wrong and status == "E" else "A", one.code, one.errors
    )


def _set(books: Books, one: Set, name: str, at: datetime, seen: set[str]) -> SetVerdict:
    document = f"{one.id} {one.control} in {name}"
    outer = envelopes.of_set(one, seen)
    seen.add(one.control)
    if one.id not in rules.KNOWN:
        outer.append(("1", f"we do not take a {one.id}"))
    for _, text in outer:
        books.complain(at, "syntax", document, "ST", text)
    faults = rules.judge(one)
    for fault in faults:
        books.complain(at, "syntax", document, fault.segment, fault.text)
    code = outer[0][0] if outer else "5" if faults else ""
    errors = tuple(dict.fromkeys((fault.segment, fault.place, fault.code) for fault in faults))
    return SetVerdict(one.id, one.control, "R" if code else "A", code, errors)


def _keep(books: Books, one: Set, name: str, at: datetime) -> None:
    document = f"{one.id} {one.control} in {name}"

    def say(where: str, text: str) -> None:
        books.complain(at, "business", document, where, text)

    desk = _DESKS.get(one.id)
    if desk is None:
        return
    try:
        desk(books, one, at, say)
    except (IndexError, ValueError, KeyError) as problem:
        # Accepted by a policy although it is broken: what could be kept is kept.
        say("ST", f"it could not be read to its end: {type(problem).__name__}: {problem}")
