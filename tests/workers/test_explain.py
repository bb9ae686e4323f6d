"""A number explained on real PostgreSQL: what the drain booked, the allocator computed, the channel took and showed."""

from __future__ import annotations

import pytest

from tests.servers import Clock, Database
from tests.workers.explain_rig import Desk, kinds, terms
from tests.workers.shelf import HALT, RULES, a_house, apply
from workers.flows.explain import NothingToExplain, explain
from workers.flows.push import push
from workers.flows.verify import verify

CAP = 'cap = 5\nwhy = "five are enough"\n'
BUFFER = 'buffer = 2\nwhy = "two stay back"\n'


@pytest.fixture
def desk(database: Database, clock: Clock) -> Desk:
    return Desk(a_house(database.engine, clock, "A", "B", "SET"))


def test_a_number_goes_from_the_rows_of_the_ledger_to_the_read_back(desk: Desk) -> None:
    desk.book("opening", 10)
    desk.book("receipt", 5)
    desk.book("order", 2)
    desk.book("order", 1)
    set_at = desk.allocate()
    sent_at = desk.house.clock.now
    push(desk.house.lane)
    read_at = desk.house.clock.advance(60)
    verify(desk.house.lane)

    found = desk.explain()

    assert kinds(found) == {"opening": (10, 1), "receipt": (5, 1), "order": (-3, 2)}
    (account,) = found.accounts
    assert (account.units, account.version, account.events, account.since_events) == (12, 4, 4, 0)
    newest = [(e.source_id, e.units, e.after, e.version) for e in account.newest]
    assert newest[:2] == [("order:4", -1, 12, 4), ("order:3", -2, 13, 3)]
    assert terms(found) == {"available": 12}
    assert (found.kept and found.kept.number, found.kept and found.kept.set_at) == (1, set_at)
    assert found.rules is not None
    assert (found.rules["version"], found.rules["author"]) == (1, "ann")
    shown = found.became["shown"]
    pushed = found.became["push"]
    assert (pushed["units"], pushed["sent_at"], pushed["outcome"]) == (12, sent_at, "confirmed")
    assert (shown["units"], shown["number"], shown["confirmed_at"]) == (12, 1, sent_at)
    reading = found.became["reading"]
    assert (reading["units"], reading["read_at"]) == (12, read_at)
    assert found.became["waits"] is None


def test_a_balance_that_moved_often_is_told_as_a_whole_and_comes_to_the_same(desk: Desk) -> None:
    early = desk.house.clock.now
    for units in (9, 4, 7, 5):
        desk.book("receipt", units)
    desk.book("order", 3)
    # Booked last, and of before: its version is the newest, its moment is not.
    desk.book("receipt", 2, occurred_at=early)
    set_at = desk.allocate()
    desk.book("order", 1)

    whole = desk.explain(most=5)
    (each,), (together,) = desk.explain().accounts, whole.accounts

    assert kinds(whole) == {"every kind": (24, 6)}
    assert together.newest == each.newest
    assert (together.units, together.version, together.events) == (24, 6, 6)
    assert (together.since_units, together.since_events) == (-1, 1)
    assert together.since_newest == each.since_newest
    assert desk.explain(most=6).accounts == (each,)
    (then,) = desk.explain(at=set_at, most=5).accounts
    assert (then.newest, then.since_events) == (each.newest, 0)


def test_a_balance_that_moved_often_since_is_told_as_a_whole_too(desk: Desk) -> None:
    desk.book("receipt", 9)
    set_at = desk.allocate()
    for _ in range(6):
        desk.book("order", 1)

    assert kinds(desk.explain(at=set_at, most=5)) == {"every kind": (9, 1)}
    assert kinds(desk.explain(at=set_at, most=6)) == {"receipt": (9, 1)}


def test_as_many_of_the_newest_rows_are_named_as_wanted(desk: Desk) -> None:
    for _ in range(7):
        desk.book("receipt", 1)
    desk.allocate()

    assert [len(desk.explain(rows=n).accounts[0].newest) for n in (1, 5, 50)] == [1, 5, 7]


def test_every_kind_of_event_is_a_term_of_the_ledger(desk: Desk) -> None:
    desk.book("opening", 20)
    desk.book("order", 4, order="7")
    desk.book("adjustment", -3)
    desk.book("write_off", 1)
    desk.book("receipt", 9)
    desk.book("reversal", reverses_source="wms", reverses_id="receipt:5", reason="twice")
    desk.book("transfer_ship", 2)
    desk.allocate()

    assert kinds(desk.explain()) == {
        "opening": (20, 1),
        "receipt": (9, 1),
        "reversal": (-9, 1),
        "order": (-4, 1),
        "adjustment": (-3, 1),
        "transfer_ship": (-2, 1),
        "write_off": (-1, 1),
    }


def test_what_moved_since_is_told_apart(desk: Desk) -> None:
    desk.book("opening", 10)
    desk.allocate()
    desk.book("receipt", 5)
    desk.book("order", 1)

    found = desk.explain()

    (account,) = found.accounts
    assert (account.units, account.since_units, account.since_events) == (10, 4, 2)
    assert [entry.kind for entry in account.since_newest] == ["order", "receipt"]
    assert found.current.due_since is not None


def test_a_number_that_came_out_the_same_again_is_not_due(desk: Desk) -> None:
    with desk.house.engine.begin() as connection:
        apply(connection, RULES + CAP, desk.house.clock.now)
    desk.book("opening", 10)
    desk.allocate()
    desk.book("receipt", 5)
    desk.allocate()

    found = desk.explain()

    assert terms(found) == {"available": 10, "capped": -5}
    assert found.accounts[0].since_units == 5
    assert found.current.due_since is None


def test_history_knows_the_number_of_each_moment_and_its_rules(desk: Desk) -> None:
    desk.book("opening", 10)
    first = desk.allocate()
    with desk.house.engine.begin() as connection:
        version = apply(connection, RULES + BUFFER, desk.house.clock.now)
    desk.house.clock.advance(60)
    second = desk.allocate()
    desk.book("order", 3)
    third = desk.allocate()

    then = [desk.explain(at) for at in (first, second, third)]

    assert [(e.kept and e.kept.number, e.kept and e.kept.units) for e in then] == [
        (1, 10),
        (2, 8),
        (3, 5),
    ]
    assert [terms(e) for e in then] == [
        {"available": 10},
        {"available": 10, "buffered": -2},
        {"available": 7, "buffered": -2},
    ]
    assert [e.rules and e.rules["version"] for e in then] == [1, version, version]
    assert then[1].explained is not None
    assert then[1].explained.terms[-1].why == "buffer 2 (two stay back)"
    assert [e.accounts[0].version for e in then] == [1, 1, 2]
    assert [e.accounts[0].since_events for e in then] == [0, 0, 0]
    with pytest.raises(NothingToExplain, match=f"the first one is of {first.isoformat()[:19]}"):
        desk.explain(first.replace(year=2020))


def test_what_was_booked_then_and_not_in_the_number_yet_is_told(desk: Desk) -> None:
    desk.book("opening", 10)
    desk.allocate()
    desk.book("order", 3)
    between = desk.house.later(-1)
    desk.book("order", 2)
    desk.allocate()

    found = desk.explain(between)

    assert (found.accounts[0].units, found.accounts[0].since_units) == (10, -3)


def test_history_tells_what_was_shown_then_and_what_is_not_known(desk: Desk) -> None:
    desk.book("opening", 10)
    before = desk.allocate()
    sent = desk.house.clock.now
    push(desk.house.lane)
    seen = desk.house.clock.advance(60)
    verify(desk.house.lane)
    desk.house.clock.advance(60)
    desk.book("receipt", 4)
    desk.allocate()
    push(desk.house.lane)

    unsent, shown, read, now = (desk.explain(at).became for at in (before, sent, seen, None))

    assert (unsent["push"], unsent["shown"], unsent["reading"]["units"]) == (None, None, None)
    assert unsent["reading"]["why"].startswith("unknown")
    assert (shown["push"]["outcome"], shown["shown"]["units"]) == ("confirmed", 10)
    assert shown["reading"]["units"] is None
    assert (read["reading"]["units"], read["reading"]["read_at"]) == (10, seen)
    assert (now["shown"]["units"], now["reading"]["units"]) == (14, 10)
    assert now["reading"]["verify_at"] is not None


def test_a_push_not_answered_then_is_told_as_sent(desk: Desk) -> None:
    desk.book("opening", 10)
    desk.allocate()
    sent = desk.house.clock.now
    push(desk.house.lane)
    desk.house.run("UPDATE push SET answered_at = answered_at + interval '1 hour'")

    then = desk.explain(sent).became

    assert (then["push"]["outcome"], then["push"]["answered_at"], then["shown"]) == (
        "sent",
        None,
        None,
    )


def test_what_waits_and_what_is_halted_is_told(desk: Desk) -> None:
    desk.book("opening", 10)
    at = desk.allocate()
    waits = desk.explain().became["waits"]
    assert (waits["why"], waits["parked"]) == ("first number or repair", False)
    desk.house.run("UPDATE push_due SET parked = true, error = 'no such item'")
    desk.house.run(HALT, at=desk.house.clock.now)

    became = desk.explain().became

    assert became["waits"]["error"] == "no such item"
    assert became["waits"]["why"].startswith("parked")
    assert [(halt["reason"], halt["state"]) for halt in became["halts"]] == [("r", "setting")]
    assert desk.explain(at).became["halts"] == []
    assert desk.explain(at).became["waits"] is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("UPDATE channel SET paused = true, paused_why = 'sale day'", "sale day"),
        ("UPDATE channel SET writes = false", "certified"),
        ("UPDATE push_due SET push_key = 'k'", "answer is not known"),
    ],
)
def test_why_a_number_is_not_out_yet_is_told(desk: Desk, change: str, why: str) -> None:
    desk.book("opening", 10)
    desk.allocate()
    desk.house.run(change)

    assert why in desk.explain().became["waits"]["why"]


def test_a_bundle_is_explained_by_its_parts(desk: Desk) -> None:
    desk.house.run(
        "INSERT INTO bundle (sku, component, units) VALUES ('SET', 'A', 2), ('SET', 'B', 1)"
    )
    desk.book("opening", 9)
    desk.book("opening", 3, sku="B")
    desk.allocate()

    found = explain(desk.house.engine, "SET", "shop")

    assert found.adds_up
    assert [(a.sku, a.units, a.events) for a in found.accounts] == [("A", 9, 1), ("B", 3, 1)]
    assert found.explained is not None
    assert found.explained.terms[0].why == "2 x A + 1 x B: WH makes 3 (A 9, B 3)"
    assert found.kept is not None
    assert found.kept.units <= 3


def test_a_listing_that_was_lost_shows_0_and_says_so(desk: Desk) -> None:
    desk.book("opening", 9)
    desk.allocate()
    desk.house.run("DELETE FROM binding WHERE sku = 'A'")
    desk.book("receipt", 1)
    desk.allocate()

    found = desk.explain()

    assert found.explained is not None
    assert found.explained.remark == "the SKU was not listed there any more, so it shows 0"


def test_a_channel_that_left_the_file_shows_0_and_says_so(desk: Desk) -> None:
    desk.book("opening", 9)
    desk.allocate()
    with desk.house.engine.begin() as connection:
        apply(connection, "[locations.WH]\n", desk.house.clock.now)
    desk.allocate()

    found = desk.explain()

    assert found.explained is not None
    assert found.explained.remark == "the rules did not know the channel, so it shows 0"


def test_what_the_channel_holds_itself_is_its_mirror(desk: Desk) -> None:
    desk.house.run("UPDATE binding SET read_only = true WHERE sku = 'A'")
    desk.book("opening", 6)
    desk.allocate()

    found = desk.explain()

    assert terms(found) == {"available": 6}
    assert found.explained is not None
    assert found.explained.terms[0].why == "held by Shopify: WH 6"
    assert found.became["push"] is None


TWO = RULES.replace("[channels.shop]", "[locations.ST]\n[channels.shop]").replace(
    'locations = ["WH"]', 'locations = ["WH", "ST"]\nshow = "per_location"'
).replace('"WH" }', '"WH", "gid://2" = "ST" }')  # fmt: skip


def test_of_several_places_one_is_to_be_named(desk: Desk) -> None:
    with desk.house.engine.begin() as connection:
        apply(connection, TWO, desk.house.clock.now)
    desk.house.run(
        "INSERT INTO binding (channel, sku, location, item_id, vendor_location_id)"
        " VALUES ('shop', 'A', 'ST', 'item-A', 'gid://2')"
    )
    desk.book("opening", 9)
    desk.book("opening", 2, location="ST")
    desk.allocate()

    with pytest.raises(NothingToExplain, match="at ST, WH: name one with --location"):
        desk.explain()
    with pytest.raises(NothingToExplain, match="no number on shop at 'XX'; it has one at ST, WH"):
        desk.explain(location="XX")
    found = desk.explain(location="ST")

    assert found.kept is not None
    assert (found.kept.units, len(found.accounts)) == (2, 1)


def test_a_name_that_there_is_not_is_answered_with_close_ones(
    database: Database, clock: Clock
) -> None:
    house = a_house(database.engine, clock, "MUG-RED", "MUG-BLUE", "TEE-100%_X")
    house.stock(**{"MUG-RED": 3})

    def said(sku: str, channel: str = "shop") -> str:
        with pytest.raises(NothingToExplain) as caught:
            explain(database.engine, sku, channel)
        return str(caught.value)

    assert said("MUG-RDE") == "there is no SKU 'MUG-RDE'; there is MUG-RED"
    assert said("mug-red") == "there is no SKU 'mug-red'; there is MUG-RED"
    assert said("TEE-100%-X") == "there is no SKU 'TEE-100%-X'; there is TEE-100%_X"
    assert said("ZZZ") == "there is no SKU 'ZZZ'"
    assert said("") == "there is no SKU ''"
    assert said("MUG-RED", "shpo") == "there is no channel 'shpo'; there is shop"
    assert said("MUG-RED", "amazon") == "there is no channel 'amazon'; there is shop"
    assert "is not listed there, or was not computed yet" in said("MUG-BLUE")


def test_a_number_whose_arithmetic_was_not_kept_says_so(desk: Desk) -> None:
    desk.book("opening", 9)
    at = desk.allocate()
    desk.house.run("UPDATE target SET units = 3, number = number + 1")

    found = explain(desk.house.engine, "A", "shop")

    assert (found.kept, found.adds_up, found.current.units) == (None, None, 3)
    assert desk.explain(at).adds_up


def test_a_ledger_that_does_not_carry_the_number_is_a_fault(
    database: Database, clock: Clock
) -> None:
    house = a_house(database.engine, clock, "A")
    house.set(A=5)

    found = explain(database.engine, "A", "shop")

    assert found.adds_up is False
    assert found.faults == (
        "A at WH, version 1: its events sum to 0, the target was computed from 5",
    )


def test_explaining_writes_nothing(desk: Desk) -> None:
    desk.book("opening", 9)
    desk.allocate()
    before = desk.contents()

    desk.explain()

    assert desk.contents() == before
