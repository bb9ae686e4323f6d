"""855 and 865, as a partner looks at them: does the answer fit the order, and does it add up?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from channels.simulators.edi.books import Books, Say
from channels.simulators.edi.state import COMING, Answer, Line, Order
from channels.simulators.edi.x12 import Segment, Set, element, pairs

_WITHOUT_DETAIL: Final = {"AK": "IA", "AT": "IA", "AP": "IA", "AH": "IH", "RJ": "IR"}


def order_answer(books: Books, one: Set, at: datetime, say: Say) -> None:
    """Judge an 855 and keep what it promises."""
    bak = one.segments[0]
    kind, number = element(bak, 2), element(bak, 3)
    order = books.orders.get(number)
    if order is None:
        say("BAK03", f"we have no order {number!r}")
        return
    if element(bak, 4) != f"{order.day:%Y%m%d}":
        say("BAK04", f"{element(bak, 4)!r} is not the order's date {order.day:%Y%m%d}")
    _in_time(books, order.at, at, f"order {number}", say)
    if element(bak, 1) == "00" and any(said.set_id == "855" for said in order.answers):
        say("BAK01", f"order {number} was answered before; this would have to be a 06 or a 05")
    answered: dict[str, Counter[str]] = {}
    loops = list(_loops(one, "PO1"))
    for head, inner in loops:
        line = _line(order, head, element(head, 1), pairs(head, 6), say)
        if line is None:
            continue
        if line.number in answered:
            say("PO101", f"line {line.number} stands here twice")
        allowed = {str(line.units), str(order.units_after(line.number))}
        if _plain(element(head, 2)) not in allowed:
            say(
                "PO102",
                f"line {line.number}: {element(head, 2)!r} is not what was ordered, {line.units}",
            )
        _measure(head, 3, line, say)
        answered[line.number] = _acks(inner, line, say)
        _adds_up(answered[line.number], _plain(element(head, 2)), line, say)
    _counted(one, len(loops), say)
    _complete(order, kind, answered, say)
    order.answers.append(Answer("855", at, kind, element(bak, 1), 0, answered))


def change_answer(books: Books, one: Set, at: datetime, say: Say) -> None:
    """Judge an 865 and keep what it promises."""
    bca = one.segments[0]
    number, sequence = element(bca, 3), int(element(bca, 5).strip() or "1")
    order = books.orders.get(number)
    change = order.changes.get(sequence) if order is not None else None
    if order is None or change is None:
        say("BCA03", f"we have no change {sequence} of an order {number!r}")
        return
    _in_time(books, change.at, at, f"change {sequence} of order {number}", say)
    if change.answered_at is not None:
        say("BCA05", f"change {sequence} of order {number} was answered before")
    change.answered_at = at
    kind = element(bca, 2)
    answered = _changed_lines(order, sequence, one, say)
    if kind not in _WITHOUT_DETAIL:
        for changed in change.lines:
            if changed.number not in answered:
                say("POC", f"line {changed.number} of the change is not answered")
    elif change.purpose == "01" and kind != "RJ":
        answered = {name: Counter() for name in order.lines}
    order.answers.append(Answer("865", at, kind, element(bca, 1), sequence, answered))


def _changed_lines(order: Order, sequence: int, one: Set, say: Say) -> dict[str, Counter[str]]:
    answered: dict[str, Counter[str]] = {}
    loops = list(_loops(one, "POC"))
    for head, inner in loops:
        line = _line(order, head, element(head, 1), pairs(head, 8), say)
        if line is None:
            continue
        _measure(head, 5, line, say)
        answered[line.number] = said = _acks(inner, line, say)
        if element(head, 2) != "DI":
            _adds_up(said, str(order.units_after(line.number, sequence)), line, say)
    _counted(one, len(loops), say)
    return answered


def _loops(one: Set, head: str) -> Iterator[tuple[Segment, list[Segment]]]:
    """Each `head` with the segments behind it, up to the next one or the CTT."""
    found: tuple[Segment, list[Segment]] | None = None
    for segment in one.segments:
        if segment[0] in (head, "CTT") and found is not None:
            yield found
            found = None
        if segment[0] == head:
            found = (segment, [])
        elif found is not None:
            found[1].append(segment)
    if found is not None:
        yield found


def _line(
    order: Order, head: Segment, number: str, ids: list[tuple[str, str]], say: Say
) -> Line | None:
    line = order.lines.get(number)
    if line is None:
        say(f"{head[0]}01", f"order {order.number} has no line {number!r}")
    elif not ids:
        say(head[0], f"line {number} names no item")
    elif not any(pair in line.item.ids for pair in ids):
        say(head[0], f"line {number}: {ids} is not the item ordered, {list(line.item.ids)}")
    return line


def _acks(inner: list[Segment], line: Line, say: Say) -> Counter[str]:
    """Units by ACK01."""
    said: Counter[str] = Counter()
    acks = [segment for segment in inner if segment[0] == "ACK"]
    if not acks:
        say("ACK", f"line {line.number} has no ACK")
    for ack in acks:
        units = _plain(element(ack, 2))
        if not units.lstrip("-").isdigit() or int(units) < 0:
            say("ACK02", f"line {line.number}: {element(ack, 2)!r} is no number of units")
            continue
        _measure(ack, 3, line, say)
        said[element(ack, 1)] += int(units)
    return said


def _adds_up(said: Counter[str], ordered: str, line: Line, say: Say) -> None:
    if str(said.total()) != ordered:
        say(
            "ACK02",
            f"line {line.number}: {dict(said)} adds up to {said.total()}, ordered are {ordered}",
        )


def _measure(segment: Segment, place: int, line: Line, say: Say) -> None:
    if element(segment, place) != line.measure:
        say(
            f"{segment[0]}{place:02d}",
            f"line {line.number}: {element(segment, place)!r} is not the order's {line.measure}",
        )


def _complete(order: Order, kind: str, answered: dict[str, Counter[str]], say: Say) -> None:
    if not answered and kind in _WITHOUT_DETAIL:
        code = _WITHOUT_DETAIL[kind]
        answered |= {name: Counter({code: line.units}) for name, line in order.lines.items()}
        return
    if kind == "AE":
        answered |= {
            name: Counter(IA=line.units)
            for name, line in order.lines.items()
            if name not in answered
        }
    for number, line in order.lines.items():
        if number not in answered and not line.added:
            say("PO1", f"line {number} of order {order.number} is not answered")
    changed = {number for number, said in answered.items() if set(said) - {"IA", "AC"}}
    coming = {number for number, said in answered.items() if set(said) & COMING}
    if kind == "AD" and changed:
        say("BAK02", f"AD says that nothing changed, lines {sorted(changed)} say otherwise")
    if kind == "AC" and answered and not changed:
        say("BAK02", "AC says that something changed, no line says so")
    if kind in ("RD", "RF", "RJ") and coming:
        say("BAK02", f"{kind} rejects the order, lines {sorted(coming)} accept it")


def _counted(one: Set, lines: int, say: Say) -> None:
    for segment in one.segments:
        if segment[0] == "CTT" and element(segment, 1) != str(lines):
            say("CTT01", f"{element(segment, 1)!r} is not the number of lines, {lines}")


def _in_time(books: Books, since: datetime, at: datetime, what: str, say: Say) -> None:
    due = since + timedelta(hours=books.rules.ack_due_hours)
    if at > due:
        say("ST", f"the answer to {what} was due {due:%Y-%m-%d %H:%M} and came {at:%Y-%m-%d %H:%M}")


def _plain(number: str) -> str:
    """A whole number as text without zeros and point; other text as it is."""
    text = number.rstrip("0").rstrip(".") if "." in number else number
    return text.lstrip("0") or "0" if text.isdigit() else text
