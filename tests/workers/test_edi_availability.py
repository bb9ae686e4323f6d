"""846: a partner is told its own number of each place, and shows what it acknowledged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from channels.base import Binding, Confirmed, Level, Outcome, Reading, Refused
from channels.edi.client import WholesalePartner
from channels.edi.documents import Availability
from channels.edi.lane import LANE
from channels.lane import Account
from channels.limits import Allowance, Limiter
from channels.registry import LANES
from tests.servers import Clock, Database
from tests.workers.edi_rig import PARTNER, Grocer, a_grocer, line, po
from workers.flows import halts
from workers.flows.allocate import allocate
from workers.flows.lane import Lane
from workers.flows.push import push
from workers.flows.sweep import sweep
from workers.flows.verify import verify

MUG = Binding(PARTNER, "MUG", "WH", "11", "DC1", "11")
SHOP = Binding(PARTNER, "MUG", "SHOP", "11", "DC2", "11")
TEE = Binding(PARTNER, "TEE", "WH", "22", "DC1", "22")


def no_limits(what: str, allowance: Allowance) -> Limiter:
    raise AssertionError(f"a folder has no limit, not even {what!r}")


def client(grocer: Grocer) -> WholesalePartner:
    return WholesalePartner(grocer.partner, grocer.engine, now=lambda: grocer.clock.now)


def a_lane(grocer: Grocer) -> Lane:
    return Lane(
        engine=grocer.engine,
        client=client(grocer),
        now=lambda: grocer.clock.now,
        chance=lambda: 0.5,
        new_key=lambda: grocer.clock.now.isoformat(),
        rise_wait_s=1.0,
        verify_after_s=2.0,
    )


def levels(**units: int) -> list[Level]:
    of = {"MUG": MUG, "SHOP": SHOP, "TEE": TEE}
    return [Level(of[name], count, 1) for name, count in units.items()]


def shown(grocer: Grocer, *bindings: Binding) -> list[int | None]:
    return [reading.units for reading in client(grocer).snapshot(bindings)]


@pytest.fixture
def grocer(database: Database, clock: Clock, tmp_path: Path) -> Grocer:
    return a_grocer(database.engine, clock, tmp_path)


def test_one_846_tells_the_partners_own_number_of_each_place(grocer: Grocer) -> None:
    outcomes = client(grocer).push(levels(MUG=7, SHOP=2, TEE=0), key="k")
    (said,) = grocer.run()

    assert [type(each) for each in outcomes] == [Confirmed] * 3
    assert isinstance(said, Availability)
    assert (said.purpose, said.kind, said.reference) == ("25", "SI", "1")
    assert [
        (
            each.products[0].value,
            [(c.qualifier, int(c.quantity)) for c in each.counts],
            [(s.store, int(s.quantity)) for s in each.stores],
        )
        for each in said.lines
    ] == [
        ("11", [("33", 9)], [("DC1", 7), ("DC2", 2)]),
        ("22", [("33", 0)], [("DC1", 0)]),
    ]


def test_a_partner_may_want_a_set_of_its_own_for_each_place(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    grocer = a_grocer(database.engine, clock, tmp_path, places="n1")
    client(grocer).push(levels(MUG=7, SHOP=2), key="k")

    found = [each for each in grocer.run() if isinstance(each, Availability)]

    assert [(each.parties[0].code, int(each.lines[0].counts[0].quantity)) for each in found] == [
        ("DC1", 7),
        ("DC2", 2),
    ]


def test_a_call_that_is_repeated_under_its_key_says_nothing_again(grocer: Grocer) -> None:
    first = client(grocer).push(levels(MUG=7), key="k")
    again = client(grocer).push(levels(MUG=7), key="k")

    assert first == again
    assert len(grocer.run()) == 1


def test_what_is_shown_is_unknown_until_the_partner_acknowledges_it(grocer: Grocer) -> None:
    assert shown(grocer, MUG) == [None]
    client(grocer).push(levels(MUG=7), key="k1")
    grocer.visit()
    assert shown(grocer, MUG) == [None]

    grocer.acknowledge()
    grocer.run()

    assert shown(grocer, MUG, SHOP) == [7, None]
    client(grocer).push(levels(MUG=5), key="k2")
    assert shown(grocer, MUG) == [None]


@pytest.mark.parametrize("how", ["rejected", "overdue"])
def test_a_number_that_did_not_arrive_leaves_the_one_before_shown(grocer: Grocer, how: str) -> None:
    client(grocer).push(levels(MUG=7), key="k1")
    grocer.visit()
    grocer.acknowledge()
    grocer.run()
    client(grocer).push(levels(MUG=5), key="k2")
    grocer.visit()

    if how == "rejected":
        grocer.acknowledge(status="R")
        grocer.run()
    else:
        grocer.clock.advance(86_400)
        sweep(grocer.engine, now=grocer.clock.now)

    assert shown(grocer, MUG) == [7]


def test_an_older_acknowledgement_proves_nothing_of_a_newer_number(grocer: Grocer) -> None:
    client(grocer).push(levels(MUG=7, TEE=3), key="k1")
    grocer.visit()
    client(grocer).push(levels(MUG=5), key="k2")
    grocer.acknowledge()

    grocer.visit()
    grocer.work()

    assert shown(grocer, MUG, TEE) == [None, 3]


def test_stock_goes_out_as_an_846_by_the_ordinary_push(grocer: Grocer) -> None:
    grocer.stock(MUG=10)
    allocate(grocer.engine, now=lambda: grocer.clock.now, rise_wait_s=0.0)
    grocer.clock.advance(5)

    report = push(a_lane(grocer))
    grocer.clock.advance(5)
    checked = verify(a_lane(grocer))
    (said,) = [each for each in grocer.run() if isinstance(each, Availability)]

    assert report.confirmed == 2
    assert (checked.wrong, checked.stopped) == (0, "")
    assert {each.products[0].value: int(each.counts[0].quantity) for each in said.lines} == {
        "11": 10,
        "22": 0,
    }
    grocer.send(po(line(1, 4)))
    grocer.run()
    allocate(grocer.engine, now=lambda: grocer.clock.now, rise_wait_s=0.0)
    assert push(a_lane(grocer)).confirmed == 1


class Dying(WholesalePartner):
    """Its worker dies when the 846 is written, before it knows."""

    def push(self, levels: Sequence[Level], *, key: str) -> list[Outcome]:
        super().push(levels, key=key)
        raise Died


class Died(Exception):
    """The process ends here."""


def test_a_number_whose_worker_died_is_told_once_and_waits_for_no_acknowledgement(
    grocer: Grocer,
) -> None:
    grocer.stock(MUG=10)
    allocate(grocer.engine, now=lambda: grocer.clock.now, rise_wait_s=0.0)
    grocer.clock.advance(5)
    dying = Dying(grocer.partner, grocer.engine, now=lambda: grocer.clock.now)
    with pytest.raises(Died):
        push(replace(a_lane(grocer), client=dying))

    for _ in range(20):
        grocer.clock.advance(600)
        push(a_lane(grocer))

    assert grocer.rows("SELECT sku, parked, error FROM push_due") == []
    assert grocer.rows("SELECT units FROM shown WHERE sku = 'MUG'") == [(10,)]
    assert grocer.rows("SELECT count(*) FROM edi_document WHERE set_id = '846'") == [(1,)]


def test_a_halt_says_zero_once_and_is_proven_by_the_997(grocer: Grocer) -> None:
    def work() -> tuple[str, ...]:
        grocer.clock.advance(400)
        done = halts.work_halts(
            grocer.engine, client(grocer), channel=PARTNER, now=lambda: grocer.clock.now
        )
        return done.set

    client(grocer).push(levels(MUG=7), key="k1")
    grocer.visit()
    grocer.found()
    now = grocer.clock.now
    halts.halt(grocer.engine, channel=PARTNER, sku="MUG", reason="recall", by="ann", now=now)

    assert work() == ()
    assert work() == ()
    grocer.visit()
    grocer.acknowledge()
    grocer.run()
    assert work() == ("MUG",)
    assert shown(grocer, MUG) == [0]
    assert grocer.rows("SELECT count(*) FROM edi_document WHERE set_id = '846'") == [(2,)]


def test_a_value_that_cannot_stand_in_a_document_refuses_the_call(grocer: Grocer) -> None:
    bad = Binding(PARTNER, "MUG", "WH", "1\x011", "DC1", "1\x011")

    with pytest.raises(Refused):
        client(grocer).push([Level(bad, 1, 1)], key="k")

    assert grocer.rows("SELECT count(*) FROM edi_interchange") == [(0,)]


def test_the_lane_is_registered_and_says_what_its_options_lack(grocer: Grocer) -> None:
    account = Account(PARTNER, "edi", "file:///x", {}, {"our_id": "US"}, memory=grocer.engine)

    with pytest.raises(
        Refused, match=r"option our_id cannot be 'US'.*option partner_id is missing"
    ):
        LANE.connect(account, no_limits, lambda: grocer.clock.now)
    assert LANES["edi"] is LANE
    assert not LANE.verify(b"", "", ["secret"], "")


def test_readings_carry_when_they_were_acknowledged(grocer: Grocer) -> None:
    client(grocer).push(levels(MUG=7), key="k1")
    grocer.visit()
    grocer.acknowledge()
    grocer.run()

    (reading,) = client(grocer).snapshot([MUG])

    assert reading == Reading(MUG, 7, None, grocer.clock.now, grocer.clock.now)
