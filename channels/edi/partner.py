"""A trading partner's ways, as the options of its channel say them: who we are to each other, what its documents mean.

[channels.grocer]
kind = "edi"
base_url = "file:///srv/edi/grocer"
options = { our_id = "ZZ:LOCKSTEP", partner_id = "12:5551234", version = "5010", lead_days = "10" }
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal, TypeAlias, cast

from channels.edi.compose import Route

Policy: TypeAlias = Literal["accept", "accept_with_errors", "reject"]
ChangeQuantity: TypeAlias = Literal["new", "delta", "left"]

_VERSIONS: Final = {"4010": "004010", "5010": "005010"}
_SINGLE: Final = {"EA": 1, "PC": 1, "UN": 1}
_ITEMS: Final = "SK,VN,UP,EN,UK,IN,CB,BP,VA,VP"
_ID: Final = re.compile(r"([A-Z0-9]{2}):(\S(?:.{0,13}\S)?)\Z")
_VERSION: Final = re.compile(r"00[45]010[A-Z0-9]{0,6}\Z")
_MEASURE: Final = re.compile(r"([A-Z0-9]{2}):([1-9][0-9]{0,5})\Z")


class BadPartner(ValueError):
    """Options that do not describe a partner; the message names each and what to write instead."""


@dataclass(frozen=True, slots=True)
class Partner:
    """What we know of a partner. Every field is an option of its channel, by this name unless said otherwise.

    name                the channel
    ours, theirs        (qualifier, id) of ISA05/06 and ISA07/08; options `our_id`, `partner_id` as "ZZ:US"
    version             GS08; option `version`: 4010, 5010, or the full text such as 004010VICS
    usage               ISA15: P production, T test
    answer_due          how soon an 850 or 860 must be answered; option `answer_due_hours`
    ack_due             how soon a 997 must come back; option `ack_due_hours`
    items               qualifiers of product ids, the one to look at first first; the first one names items in an 846
    measures            units of measure that are more than one: CA -> 12; EA, PC and UN are one
    poc                 what POC03 of a change is: the new quantity, a difference, or (left) POC04 is the new quantity
    change_sequence     numbered: by BCH05, in order; arrival: as they come, whatever BCH05 says
    partial, backorder  whether less than a line may be promised now, and the rest later
    lead_days           days from today for which the rest is promised
    ship_from           our location that serves the partner; "" where the channel has one only
    resets_counters     it uses control numbers again; only repeated bytes are then refused
    policy              what becomes of a set with errors
    unknown_items       reject: the line is refused; hold: the order waits until somebody maps the item
    promise             available: all that the location has; share: at most what the partner is shown
    places              how an 846 tells locations: sdq, or n1 (a set of its own for each)
    company_prefix      GS1, for SSCCs; extension is their first digit
    poll                how often its folder is looked into; option `poll_s`
    """

    name: str
    ours: tuple[str, str]
    theirs: tuple[str, str]
    our_group: str = ""
    their_group: str = ""
    version: str = "004010"
    usage: str = "P"
    answer_due: timedelta = timedelta(hours=24)
    ack_due: timedelta = timedelta(hours=24)
    items: tuple[str, ...] = tuple(_ITEMS.split(","))
    measures: Mapping[str, int] = field(default_factory=lambda: dict(_SINGLE))
    poc: ChangeQuantity = "new"
    change_sequence: Literal["numbered", "arrival"] = "numbered"
    partial: bool = True
    backorder: bool = True
    lead_days: int = 14
    ship_from: str = ""
    resets_counters: bool = False
    policy: Policy = "accept_with_errors"
    unknown_items: Literal["reject", "hold"] = "reject"
    promise: Literal["available", "share"] = "available"
    places: Literal["sdq", "n1"] = "sdq"
    company_prefix: str = ""
    extension: str = "0"
    availability_rows: int = 10_000
    poll: timedelta = timedelta(seconds=60)

    def route(self) -> Route:
        """The way to the partner."""
        return Route(
            sender=self.ours[1],
            receiver=self.theirs[1],
            sender_qualifier=self.ours[0],
            receiver_qualifier=self.theirs[0],
            group_sender=self.our_group,
            group_receiver=self.their_group,
            version=self.version,
            usage=self.usage,
        )

    def each(self, measure: str) -> int | None:
        """How many of the partner's single items one of a unit of measure is; None where it did not say."""
        return self.measures.get(measure)


def partner_of(name: str, options: Mapping[str, str]) -> Partner:
    """The partner that a channel's options describe; options of others (the transport's) are passed over.

    raises    BadPartner with everything that is wrong
    """
    said = _Options(options)
    made = Partner(
        name=name,
        ours=said.id("our_id"),
        theirs=said.id("partner_id"),
        our_group=said.text("our_group_id"),
        their_group=said.text("partner_group_id"),
        version=said.version(),
        usage=said.one_of("usage", "P", "T"),
        answer_due=timedelta(hours=said.number("answer_due_hours", 24, 1, 1000)),
        ack_due=timedelta(hours=said.number("ack_due_hours", 24, 1, 1000)),
        items=said.codes("items", _ITEMS),
        measures=said.measures(),
        poc=cast(ChangeQuantity, said.one_of("poc", "new", "delta", "left")),
        change_sequence=cast(
            Literal["numbered", "arrival"], said.one_of("change_sequence", "numbered", "arrival")
        ),
        partial=said.yes("partial", usual="yes"),
        backorder=said.yes("backorder", usual="yes"),
        lead_days=said.number("lead_days", 14, 0, 400),
        ship_from=said.text("ship_from"),
        resets_counters=said.yes("resets_counters", usual="no"),
        policy=cast(Policy, said.one_of("policy", "accept_with_errors", "accept", "reject")),
        unknown_items=cast(
            Literal["reject", "hold"], said.one_of("unknown_items", "reject", "hold")
        ),
        promise=cast(Literal["available", "share"], said.one_of("promise", "available", "share")),
        places=cast(Literal["sdq", "n1"], said.one_of("places", "sdq", "n1")),
        company_prefix=said.digits("company_prefix", 6, 12),
        extension=said.digits("extension", 1, 1) or "0",
        availability_rows=said.number("availability_rows", 10_000, 1, 10_000),
        poll=timedelta(seconds=said.number("poll_s", 60, 1, 86_400)),
    )
    if said.wrong:
        raise BadPartner(f"channel {name!r}: " + "; ".join(said.wrong))
    return made


class _Options:
    """Options one by one; what is wrong with them is gathered."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = options
        self.wrong: list[str] = []

    def text(self, name: str) -> str:
        return self._options.get(name, "").strip()

    def id(self, name: str) -> tuple[str, str]:
        found = _ID.match(self.text(name))
        if found is None:
            self._refuse(name, 'write the ISA qualifier and id, at most 15 characters: "ZZ:US"')
            return "", ""
        return found[1], found[2]

    def version(self) -> str:
        said = self.text("version") or "4010"
        full = _VERSIONS.get(said, said)
        if not _VERSION.match(full):
            self._refuse("version", "write 4010, 5010, or the text of GS08 such as 004010VICS")
        return full

    def one_of(self, name: str, *allowed: str) -> str:
        said = self.text(name) or allowed[0]
        if said not in allowed:
            self._refuse(name, f"write one of {', '.join(allowed)}")
        return said

    def yes(self, name: str, *, usual: str) -> bool:
        return self.one_of(name, *sorted(("yes", "no"), key=lambda word: word != usual)) == "yes"

    def number(self, name: str, usual: int, least: int, most: int) -> int:
        said = self.text(name) or str(usual)
        if not (said.isascii() and said.isdecimal() and least <= int(said[:9]) <= most):
            self._refuse(name, f"write a whole number from {least} to {most}")
            return usual
        return int(said)

    def digits(self, name: str, least: int, most: int) -> str:
        said = self.text(name)
        if said and not (said.isascii() and said.isdecimal() and least <= len(said) <= most):
            self._refuse(
                name, f"write {least} to {most} digits" if most > least else "write one digit"
            )
        return said

    def codes(self, name: str, usual: str) -> tuple[str, ...]:
        said = tuple(part.strip() for part in (self.text(name) or usual).split(","))
        if not all(re.fullmatch("[A-Z0-9]{2}", code) for code in said):
            self._refuse(name, 'write qualifiers of two characters, the first one first: "SK,UP"')
        return said

    def measures(self) -> dict[str, int]:
        found = dict(_SINGLE)
        for part in filter(None, (each.strip() for each in self.text("measures").split(","))):
            matched = _MEASURE.match(part)
            if matched is None:
                self._refuse("measures", 'write what one of each measure holds: "CA:12,DZ:12"')
            else:
                found[matched[1]] = int(matched[2])
        return found

    def _refuse(self, name: str, remedy: str) -> None:
        said = self._options.get(name)
        what = "is missing" if said is None else f"cannot be {said!r}"
        self.wrong.append(f"option {name} {what}; {remedy}")
