"""856: what has gone by the ledger, all of it and nothing else, in cartons whose numbers are used once."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from channels.edi import shipping
from channels.edi.documents import Pack, ShipNotice, ShippedItem, ShippedOrder
from channels.edi.outbox import NotToResend
from channels.edi.segments import segment
from channels.edi.shipping import Consignment, NotToNotice, Packed
from tests.servers import Clock, Database
from tests.workers.edi_rig import Grocer, a_grocer, line, po
from workers.flows.edi_ship import Noticed, resend, ship


@pytest.fixture
def grocer(database: Database, clock: Clock, tmp_path: Path) -> Grocer:
    """MUG 6 and TEE 3 are ordered."""
    grocer = a_grocer(database.engine, clock, tmp_path, company_prefix="0614141")
    grocer.stock(MUG=20, TEE=20)
    grocer.send(po(line(1, 6), line(2, 3, item="22")))
    grocer.run()
    return grocer


def noticed(grocer: Grocer, **said: object) -> Noticed:
    return ship(grocer.engine, "grocer", "PO1", now=grocer.clock.now, **said)  # type: ignore[arg-type]  # by name


def the_notice(grocer: Grocer) -> ShipNotice:
    grocer.visit()
    (found,) = [each for each in grocer.found() if isinstance(each, ShipNotice)]
    return found


def test_a_notice_tells_what_has_gone_and_the_next_one_only_what_went_since(
    grocer: Grocer,
) -> None:
    grocer.ship("PO1", "1", 4)

    first = noticed(grocer)
    notice = the_notice(grocer)
    grocer.ship("PO1", "1", 2, number=2)
    grocer.ship("PO1", "2", 3)
    second = noticed(grocer)

    assert first.told == (("1", "", 4),)
    assert [(order, item.quantity, item.ordered) for order, item in notice.items()] == [
        ("PO1", Decimal(4), Decimal(6))
    ]
    assert (notice.structure, notice.id) == ("0004", "GROCER-00000001")
    assert second.told == (("1", "", 2), ("2", "", 3))
    assert second.shipment == "GROCER-00000002"
    assert len(list(the_notice(grocer).items())) == 2
    with pytest.raises(NotToNotice, match="shipped nothing that was not told"):
        noticed(grocer)


def test_a_notice_is_refused_when_what_is_packed_is_not_what_has_gone(grocer: Grocer) -> None:
    grocer.ship("PO1", "1", 4)

    with pytest.raises(NotToNotice, match="line 1: 5 EA are packed, 4 have gone and were not told"):
        noticed(grocer, packed=[Packed("A", "1", 5)])
    with pytest.raises(NotToNotice, match="line 2: 3 EA are packed, 0 have gone"):
        noticed(grocer, packed=[Packed("A", "1", 4), Packed("A", "2", 3)])
    with pytest.raises(NotToNotice, match="line 9 is not on the order"):
        noticed(grocer, packed=[Packed("A", "9", 1)])
    with pytest.raises(NotToNotice, match="line 1: 3 EA are asked for, 4 have gone"):
        noticed(grocer, lines={("1", ""): 3})
    with pytest.raises(NotToNotice, match="line 1: 0 EA are packed"):
        noticed(grocer, lines={("1", ""): 4}, packed=[Packed("A", "2", 0)])
    with pytest.raises(NotToNotice, match="has no order PO9"):
        ship(grocer.engine, "grocer", "PO9", now=grocer.clock.now)

    assert grocer.rows("SELECT count(*) FROM edi_document WHERE set_id = '856'") == [(0,)]
    assert grocer.rows("SELECT sum(noticed), (SELECT count(*) FROM edi_sscc) FROM edi_line") == [
        (0, 0)
    ]


def test_cartons_and_pallets_get_numbers_that_check(grocer: Grocer) -> None:
    grocer.ship("PO1", "1", 6)
    grocer.ship("PO1", "2", 3)
    packed = [
        Packed("A", "1", 4, tracking="1Z9"),
        Packed("B", "1", 2, pallet="P"),
        Packed("B", "2", 3, pallet="P"),
    ]

    done = noticed(grocer, packed=packed, consignment=Consignment("UPSN", "BOL1"))
    notice = the_notice(grocer)

    assert done.cartons["P"] == "006141410000000029"
    assert done.cartons["A"] == "006141410000000012"
    assert all(shipping.is_sscc(number) for number in done.cartons.values())
    (order,) = notice.contents
    loose, pallet = order.contents  # type: ignore[union-attr]  # one order level, as asserted by the unpacking
    assert isinstance(loose, Pack)
    assert (loose.kind, loose.sscc, loose.tracking) == ("P", done.cartons["A"], "1Z9")
    assert isinstance(pallet, Pack)
    assert (pallet.kind, pallet.sscc) == ("T", done.cartons["P"])
    (inner,) = pallet.contents
    assert isinstance(inner, Pack)
    assert [i.quantity for i in inner.contents if isinstance(i, ShippedItem)] == [2, 3]
    assert notice.structure == "0001"
    assert notice.freight is not None
    assert (notice.freight.packages, notice.freight.carrier) == (2, "UPSN")


def test_a_carton_number_goes_out_once(grocer: Grocer) -> None:
    own = "106141411234567897"
    grocer.ship("PO1", "1", 4)
    noticed(grocer, packed=[Packed(own, "1", 4)])
    grocer.ship("PO1", "1", 2, number=2)

    with pytest.raises(NotToNotice, match=f"SSCC {own} went out before"):
        noticed(grocer, packed=[Packed(own, "1", 2)])
    with pytest.raises(NotToNotice, match="its check digit is wrong"):
        noticed(grocer, packed=[Packed("106141411234567890", "1", 2)])


def test_a_house_without_a_company_prefix_cannot_number_cartons(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    grocer = a_grocer(database.engine, clock, tmp_path)
    grocer.stock(MUG=20)
    grocer.send(po(line(1, 6)))
    grocer.run()
    grocer.ship("PO1", "1", 6)

    with pytest.raises(NotToNotice, match="option company_prefix"):
        noticed(grocer, packed=[Packed("A", "1", 6)])


def test_half_a_case_is_no_number_of_cases(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    grocer = a_grocer(database.engine, clock, tmp_path, measures="CA:12")
    grocer.stock(MUG=50)
    grocer.send(po(line(1, 3, measure="CA")))
    grocer.run()
    grocer.ship("PO1", "1", 30)

    with pytest.raises(NotToNotice, match="no whole number of CA"):
        noticed(grocer)
    grocer.ship("PO1", "1", 6, number=2)
    assert noticed(grocer).told == (("1", "", 3),)


def test_each_store_gets_an_order_level_of_its_own(grocer: Grocer) -> None:
    grocer.send(po(line(1, 5), segment("SDQ", "EA", "92", "S1", "3", "S2", "2"), number="PO2"))
    grocer.run()
    grocer.ship("PO2", "1@S1", 3)
    grocer.ship("PO2", "1@S2", 2)

    ship(grocer.engine, "grocer", "PO2", now=grocer.clock.now)
    notice = the_notice(grocer)

    assert [order.parties[0].code for order in notice.contents] == ["S1", "S2"]  # type: ignore[union-attr]  # its levels are orders
    assert [item.quantity for _, item in notice.items()] == [3, 2]


def test_a_notice_may_be_said_again_once(grocer: Grocer) -> None:
    grocer.ship("PO1", "1", 4)
    first = noticed(grocer)
    notice = the_notice(grocer)

    again = resend(grocer.engine, first.document, now=grocer.clock.now)

    assert the_notice(grocer) == notice
    with pytest.raises(NotToResend, match="sent again already"):
        resend(grocer.engine, first.document, now=grocer.clock.now)
    (said,) = grocer.rows("SELECT resends, reference FROM edi_document WHERE id = :id", id=again)
    assert said == (first.document, first.shipment)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("line,quantity\n1,2", "begins with"),
        ("carton,line,quantity,colour\nA,1,2,red", "begins with"),
        ("carton,line,quantity\nA,1,0", "line 2 of the packing list: '0' is no quantity"),
        ("carton,line,quantity\nA,,1", "line 2 of the packing list lacks"),
    ],
)
def test_a_packing_list_that_cannot_be_meant_is_refused(source: str, why: str) -> None:
    with pytest.raises(NotToNotice, match=why):
        shipping.read_packing(source)


def test_a_packing_list_is_read_by_its_header() -> None:
    source = "\ufeffcarton,line,quantity,pallet\nA,1,2,P\n"

    assert shipping.read_packing(source) == [Packed("A", "1", 2, pallet="P")]


@pytest.mark.parametrize(
    ("extension", "prefix", "serial", "expected"),
    [
        ("0", "0614141", 1, "006141410000000012"),
        ("0", "06141410", 1, "006141410000000012"),
        ("0", "061414100", 1, "006141410000000012"),
        ("1", "0614141", 123456789, "106141411234567897"),
    ],
)
def test_an_sscc_ends_with_the_published_check_digit(
    extension: str, prefix: str, serial: int, expected: str
) -> None:
    assert shipping.sscc(prefix, extension, serial) == expected


def test_a_prefix_that_has_no_number_left_says_so() -> None:
    with pytest.raises(NotToNotice, match="no SSCC left"):
        shipping.sscc("061414100000", "0", 10_000)


def test_a_ship_to_that_was_written_in_utf8_goes_back_without_its_accents(grocer: Grocer) -> None:
    """Half of an É is a control character to X12, and a notice that cannot be written is never sent."""
    store = segment("N1", "Z7", "STORE 12", "92", "0012")
    set_id, body = po(line(1, 2), number="PO2")
    data = grocer.send(
        (set_id, [body[0], segment("N1", "ST", "PLACE", "92", "0042"), store, *body[1:]])
    )
    for file in (grocer.path / "inbound").iterdir():
        file.unlink()
    grocer.drop(data.replace(b"PLACE", "MONTRÉAL".encode()))
    grocer.run()
    grocer.ship("PO2", "1", 2)

    ship(grocer.engine, "grocer", "PO2", now=grocer.clock.now)

    notice = the_notice(grocer)
    assert [(each.role, each.name) for each in notice.parties] == [("SF", "WH"), ("ST", "MONTREAL")]
    (told,) = notice.contents
    assert isinstance(told, ShippedOrder)
    assert [(each.role, each.code) for each in told.parties] == [("Z7", "0012")]


def test_a_number_that_somebody_gave_a_carton_by_hand_is_passed_by(grocer: Grocer) -> None:
    """A packer that counts on under our prefix: the notices behind it must not wait for ever."""
    by_hand = shipping.sscc("0614141", "0", 1)
    grocer.ship("PO1", "1", 4)
    noticed(grocer, packed=[Packed(by_hand, "1", 4)])
    grocer.ship("PO1", "2", 2)
    next_one = shipping.sscc("0614141", "0", 2)

    said = noticed(grocer, packed=[Packed("A", "2", 1), Packed(next_one, "2", 1)])

    assert said.cartons == {"A": shipping.sscc("0614141", "0", 3), next_one: next_one}
