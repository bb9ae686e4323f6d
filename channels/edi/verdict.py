"""Which sets of a group are taken, by a partner's policy, and the 997 that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from channels.edi import acknowledge
from channels.edi.acknowledgements import FunctionalAck, SetAnswer
from channels.edi.envelope import Group
from channels.edi.findings import Finding
from channels.edi.partner import Policy

#: AK502: the set is not supported; its segments are in error.
NOT_SUPPORTED: Final = "1"
SEGMENTS_IN_ERROR: Final = "5"

_ANSWERED: Final = {"A": "accepted", "E": "accepted_with_errors", "P": "accepted_with_errors"}


def judged(
    group: Group, findings: Sequence[Finding], policy: Policy, refused: Mapping[int, str]
) -> FunctionalAck:
    """The 997 for a group.

    policy     accept says nothing of errors; accept_with_errors tells them; reject refuses the sets that have any
    refused    places of sets that cannot be taken under any policy, with their AK502
    raises     Unwritable for a group of acknowledgements
    """
    told = () if policy == "accept" else findings
    ack = acknowledge.functional(group, told, accept_errors=policy != "reject")
    if not refused:
        return ack
    answers = tuple(
        _refused(answer, refused[place]) if place in refused else answer
        for place, answer in enumerate(ack.sets)
    )
    accepted = sum(answer.status != "R" for answer in answers) if ack.status != "R" else 0
    status = "R" if not accepted else "P" if accepted < len(answers) else ack.status
    return replace(ack, sets=answers, accepted=accepted, status=status)


def without_details(ack: FunctionalAck) -> FunctionalAck:
    """The same verdict without the places in error, for sets whose segments have names that nobody can repeat."""
    return replace(ack, sets=tuple(replace(answer, errors=()) for answer in ack.sets))


def refused_whole(ack: FunctionalAck) -> FunctionalAck:
    """The group refused without a word of its sets: their numbers are none that an answer could name."""
    return replace(ack, status="R", accepted=0, sets=())


def takes(ack: FunctionalAck, place: int) -> bool:
    """Whether the set at this place of the group is taken."""
    return ack.status != "R" and ack.sets[place].status != "R"


def ack_state(status: str) -> str:
    """What a partner's AK501 or AK901 makes of a document of ours; every unknown letter is a refusal."""
    return _ANSWERED.get(status, "rejected")


def _refused(answer: SetAnswer, code: str) -> SetAnswer:
    codes = answer.codes if code in answer.codes else (code, *answer.codes)[:5]
    return replace(answer, status="R", codes=codes)
