"""997, as a partner looks at it: which of its groups the merchant has, and what became of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from channels.simulators.edi.books import Books, Say
from channels.simulators.edi.state import Sent
from channels.simulators.edi.x12 import Set, element


def functional_ack(books: Books, one: Set, at: datetime, say: Say) -> None:
    """Judge a 997 and note it at the group it answers; a group sent twice is answered twice."""
    ak1, ak9 = one.segments[0], one.segments[-1]
    kind, control = element(ak1, 1), element(ak1, 2)
    if kind == "FA":
        say("AK101", "a 997 is never answered by a 997")
        return
    group = (kind, control.lstrip("0"))
    sent = next((one for one in reversed(books.sent) if (one.kind, str(one.group)) == group), None)
    if sent is None:
        say("AK102", f"we sent no group {control} of kind {kind}")
        return
    _sets(one, sent, say)
    if element(ak9, 3) != str(len(sent.sets)):
        say("AK903", f"{element(ak9, 3)!r} sets received, {len(sent.sets)} sent")
    due = sent.at + timedelta(hours=books.rules.functional_due_hours)
    if at > due and not sent.acked:
        sent.late = True
        text = f"was due {due:%Y-%m-%d %H:%M}, it came {at:%Y-%m-%d %H:%M}"
        say("ST", f"the 997 for group {control} {text}")
    sent.acked, sent.acked_at = element(ak9, 1), at


def _sets(one: Set, sent: Sent, say: Say) -> None:
    answered = [(element(ak2, 1), element(ak2, 2)) for ak2 in one.segments if ak2[0] == "AK2"]
    statuses = [element(ak5, 1) for ak5 in one.segments if ak5[0] == "AK5"]
    if len(answered) != len(statuses):
        say("AK5", f"{len(answered)} sets are named, {len(statuses)} are judged")
    for name, number in answered:
        if name not in sent.sets or not number.isdigit() or not 1 <= int(number) <= len(sent.sets):
            say("AK2", f"group {sent.group} has no {name} {number}")
    if element(one.segments[-1], 1) == "A" and any(status != "A" for status in statuses):
        say("AK901", "the group is accepted as it is, its sets are not")
