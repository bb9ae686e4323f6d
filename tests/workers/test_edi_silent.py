"""A partner that acknowledges a number and shows another: nobody can ask it, but somebody can tell what it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from channels.edi.documents import Availability
from tests.builders import book
from tests.servers import Clock, Database
from tests.workers.edi_rig import PARTNER, Grocer, a_grocer
from tests.workers.test_edi_availability import a_lane, client
from workers.flows import reconcile as flow
from workers.flows.allocate import allocate
from workers.flows.push import push
from workers.flows.reconcile import RunReport, Terms
from workers.flows.seen import NotListed, judge_seen

DRIFTS = "SELECT sku, expected, actual, cause, action, resolved_at IS NULL FROM drift ORDER BY id"


@pytest.fixture
def grocer(database: Database, clock: Clock, tmp_path: Path) -> Grocer:
    """It was told 100 mugs, then 30, and acknowledged both."""
    grocer = a_grocer(database.engine, clock, tmp_path)
    grocer.stock(MUG=100)
    tells(grocer)
    moves(grocer, -70)
    tells(grocer)
    return grocer


def moves(grocer: Grocer, units: int) -> None:
    """The warehouse has fewer, or more."""
    if units > 0:
        grocer.stock(MUG=units)
        return
    book(
        grocer.engine,
        {
            "kind": "write_off",
            "source": "wms",
            "id": f"off:{grocer.clock.now.isoformat()}",
            "occurred_at": grocer.clock.now.isoformat(),
            "sku": "MUG",
            "location": "WH",
            "units": -units,
            "reason": "fell off the shelf",
        },
        now=grocer.clock.now,
    )


def says(grocer: Grocer) -> list[int]:
    """Push what is due; the mugs in each 846 that lies in the folder then."""
    allocate(grocer.engine, now=lambda: grocer.clock.now, rise_wait_s=0)
    grocer.clock.advance(2)
    push(a_lane(grocer))
    grocer.visit()
    before = set(grocer.seen)
    told = [
        int(line.counts[0].quantity)
        for document in grocer.found()
        if isinstance(document, Availability)
        for line in document.lines
        if line.products[0].value == "11"
    ]
    grocer.seen = before
    return told


def tells(grocer: Grocer) -> list[int]:
    """The same, and the partner acknowledges it; a while passes."""
    told = says(grocer)
    grocer.acknowledge()
    grocer.visit()
    grocer.work()
    grocer.clock.advance(900)
    return told


def window(grocer: Grocer) -> RunReport:
    opened = flow.open_windows(grocer.engine, now=grocer.clock.now, window_s=900).opened
    return flow.reconcile(
        grocer.engine,
        client(grocer),
        channel=PARTNER,
        window_at=opened[0][1],
        now=lambda: grocer.clock.now,
        terms=Terms(),
    )


def portal_shows(grocer: Grocer, units: int, *, dry_run: bool = False) -> RunReport:
    return judge_seen(
        grocer.engine,
        client(grocer),
        channel=PARTNER,
        seen={("MUG", None): units},
        now=grocer.clock.now,
        terms=Terms(),
        dry_run=dry_run,
    )


def test_each_document_is_a_cycle_unknown_until_its_997_and_never_drift(grocer: Grocer) -> None:
    assert window(grocer).counts.read == 2
    moves(grocer, -10)
    grocer.clock.advance(900)
    assert says(grocer) == [20]
    under_way = window(grocer).counts
    grocer.acknowledge()
    grocer.visit()
    grocer.work()
    grocer.clock.advance(900)
    known = window(grocer).counts

    assert (under_way.read, under_way.unknown, under_way.drifted) == (1, 1, 0)
    assert (known.read, known.unknown, known.drifted) == (2, 0, 0)
    assert grocer.rows(DRIFTS) == []


def test_what_the_portal_shows_is_drift_named_halted_and_said_again(grocer: Grocer) -> None:
    assert window(grocer).counts.drifted == 0

    report = portal_shows(grocer, 100)

    assert (report.counts.drifted, report.halted) == (1, ("MUG",))
    ((sku, expected, actual, cause, _, is_open),) = grocer.rows(DRIFTS)
    assert (sku, expected, actual, is_open) == ("MUG", 30, 100, True)
    assert cause == "swallowed_update"


def test_too_little_on_the_portal_is_said_again_in_a_new_document_and_ends(grocer: Grocer) -> None:
    report = portal_shows(grocer, 28)

    assert (report.counts.drifted, report.counts.repushed, report.halted) == (1, 1, ())
    # Too little waits for orders that may be on their way.
    grocer.clock.advance(61)
    assert tells(grocer) == [30]
    assert portal_shows(grocer, 30).counts.fixed == 1
    assert [row[5] for row in grocer.rows(DRIFTS)] == [False]


def test_a_portal_that_shows_what_was_said_is_no_drift_nor_is_one_read_while_a_number_is_out(
    grocer: Grocer,
) -> None:
    assert portal_shows(grocer, 30).counts.drifted == 0
    moves(grocer, -10)
    says(grocer)
    grocer.clock.advance(1800)

    while_out = portal_shows(grocer, 30).counts
    grocer.acknowledge()
    grocer.visit()
    grocer.work()
    grocer.clock.advance(900)

    assert (while_out.unknown, while_out.drifted) == (1, 0)
    assert portal_shows(grocer, 30).counts.drifted == 1


def test_a_look_that_only_asks_writes_nothing(grocer: Grocer) -> None:
    report = portal_shows(grocer, 100, dry_run=True)

    assert (report.counts.drifted, report.halted) == (1, ("MUG",))
    assert grocer.rows(DRIFTS) == []
    assert grocer.rows("SELECT count(*) FROM halt") == [(0,)]


def test_what_is_not_listed_there_is_refused_with_the_way_out(grocer: Grocer) -> None:
    with pytest.raises(NotListed, match="MUG at grocer: listed at none; name one of its places"):
        judge_seen(
            grocer.engine,
            client(grocer),
            channel=PARTNER,
            seen={("MUG", "MOON"): 1},
            now=grocer.clock.now,
            terms=Terms(),
        )
