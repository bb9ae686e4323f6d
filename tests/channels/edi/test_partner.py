"""A partner's options: what they mean, and what is said when they cannot be meant."""

from __future__ import annotations

from datetime import timedelta

import pytest

from channels.edi.partner import BadPartner, partner_of

BOTH = {"our_id": "ZZ:LOCKSTEP", "partner_id": "12:5551234"}


def test_two_ids_are_enough() -> None:
    partner = partner_of("grocer", BOTH)

    assert (partner.ours, partner.theirs) == (("ZZ", "LOCKSTEP"), ("12", "5551234"))
    assert (partner.version, partner.policy, partner.poc) == ("004010", "accept_with_errors", "new")
    assert (partner.each("EA"), partner.each("CA")) == (1, None)
    route = partner.route()
    assert (route.sender_qualifier, route.sender, route.receiver) == ("ZZ", "LOCKSTEP", "5551234")


def test_every_option_is_read() -> None:
    partner = partner_of(
        "grocer",
        BOTH
        | {
            "version": "5010",
            "usage": "T",
            "measures": "CA:12, DZ:12",
            "items": "UP,VN",
            "ack_due_hours": "2",
            "backorder": "no",
            "resets_counters": "yes",
            "company_prefix": "0614141",
            "host_key": "of the transport's",
        },
    )

    assert (partner.version, partner.usage, partner.items) == ("005010", "T", ("UP", "VN"))
    assert (partner.each("CA"), partner.each("PC")) == (12, 1)
    assert partner.ack_due == timedelta(hours=2)
    assert (partner.backorder, partner.partial, partner.resets_counters) == (False, True, True)
    assert partner.company_prefix == "0614141"


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(BadPartner) as refused:
        partner_of(
            "grocer",
            {
                "our_id": "LOCKSTEP",
                "version": "3010",
                "poc": "guess",
                "measures": "CA=12",
                "lead_days": "soon",
                "items": "SKU",
                "company_prefix": "12",
            },
        )

    said = str(refused.value)
    assert said.startswith("channel 'grocer': ")
    for part in (
        "option our_id cannot be 'LOCKSTEP'; write the ISA qualifier",
        "option partner_id is missing",
        "option version cannot be '3010'",
        "option poc cannot be 'guess'; write one of new, delta, left",
        "option measures cannot be 'CA=12'",
        "option lead_days cannot be 'soon'; write a whole number from 0 to 400",
        "option items cannot be 'SKU'",
        "option company_prefix cannot be '12'; write 6 to 12 digits",
    ):
        assert part in said
