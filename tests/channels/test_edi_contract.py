from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from channels.base import Confirmed, Level, Unauthorised, Unavailable
from channels.edi import compose, envelope
from channels.edi.compose import Numbers
from channels.simulators.edi.serving import EdiRunning
from tests.channels.contract import AT_FIRST, ChannelContract, units_of
from tests.channels.edi_contract_rig import ACK_DUE_S, EdiRig, a_partner
from tests.servers import Database
from tests.workers.edi_rig import line, po


@pytest.fixture(scope="module", params=["004010", "005010"])
def partner(request: pytest.FixtureRequest) -> Iterator[EdiRunning]:
    with a_partner(request.param) as running:
        yield running


@pytest.fixture
def rig(partner: EdiRunning, database: Database) -> Iterator[EdiRig]:
    places = "sdq" if partner.facts.version == "004010" else "n1"
    made = EdiRig(partner, database.engine, places=places)
    yield made
    made.close()


@pytest.fixture
def topics() -> Sequence[str]:
    return ()


class TestWholesalePartner(ChannelContract):
    """A partner answers by documents: what it took is known with its 997, and our own tables remember keys."""

    #: An 846 says what is there; it cannot ask what was there before.
    has_compare_and_set = False
    #: A mailbox takes any number of files.
    has_limit = False
    #: A 997 judges a document's form; that an item is strange the partner says to a person, or to nobody.
    names_bad_rows = False
    #: A partner's catalogue is its own; items are mapped from a file.
    lists_items = False
    #: Orders come as 850s into the mailbox; what was missed there, nobody can be asked for.
    has_order_api = False
    #: Nobody calls us: the mailbox is looked into.
    has_subscriptions = False
    #: A 997 that does not come is overdue after this, and then nothing is believed but the last one that came.
    lost_after_s = ACK_DUE_S


class TestWholesalePartnerAlone:
    """What only a lane of documents has."""

    def push(self, rig: EdiRig, units: int, key: str = "k1") -> list[object]:
        return list(rig.channel.push([Level(rig.bindings()["SKU-A"], units, 1)], key=key))

    def test_a_number_is_unknown_until_its_997_comes(self, rig: EdiRig) -> None:
        rig.do("functional_ack", policy="late", group="IB", seconds=3600)

        self.push(rig, 4)

        assert rig.shown("SKU-A") == 4
        assert units_of(rig, ["SKU-A", "SKU-B"]) == [None, AT_FIRST]
        rig.advance(3600)
        rig.hear()
        assert units_of(rig, ["SKU-A"]) == [4]

    def test_a_997_that_comes_after_we_gave_it_up_is_believed(self, rig: EdiRig) -> None:
        rig.do("functional_ack", policy="late", group="IB", seconds=ACK_DUE_S + 60)
        self.push(rig, 4)
        rig.advance(ACK_DUE_S)
        assert units_of(rig, ["SKU-A"]) == [AT_FIRST]

        rig.advance(60)
        rig.hear()

        assert units_of(rig, ["SKU-A"]) == [4]

    def test_a_rejected_document_leaves_what_was_shown_before(self, rig: EdiRig) -> None:
        rig.do("functional_ack", policy="R", group="IB", count=1)

        self.push(rig, 4, "k1")

        assert (rig.shown("SKU-A"), units_of(rig, ["SKU-A"])) == (AT_FIRST, [AT_FIRST])
        self.push(rig, 4, "k2")
        assert (rig.shown("SKU-A"), units_of(rig, ["SKU-A"])) == (4, [4])

    @pytest.mark.parametrize("later", ["R", "never"])
    def test_the_997_of_an_older_number_counts_when_the_newer_one_did_not_arrive(
        self, rig: EdiRig, later: str
    ) -> None:
        rig.do("functional_ack", policy="late", group="IB", seconds=3600, count=1)
        self.push(rig, 4, "k1")
        if later == "R":
            rig.do("functional_ack", policy="R", group="IB", count=1)
        else:
            rig.do("fault", kind="swallow", topic="846", count=1)
        self.push(rig, AT_FIRST, "k2")
        rig.advance(ACK_DUE_S)
        rig.hear()

        assert (rig.shown("SKU-A"), units_of(rig, ["SKU-A"])) == (4, [4])

    def test_the_997_of_an_older_number_that_comes_last_takes_nothing_back(
        self, rig: EdiRig
    ) -> None:
        late = ((3 * 3600, 4), (3600, 5))
        for seconds, units in late:
            rig.do("functional_ack", policy="late", group="IB", seconds=seconds, count=1)
            self.push(rig, units, f"k{units}")
        rig.do("functional_ack", policy="R", group="IB", count=1)
        self.push(rig, AT_FIRST, "k6")
        seen = []
        for _ in range(2):
            rig.advance(2 * 3600)
            rig.hear()
            seen += units_of(rig, ["SKU-A"])

        assert (rig.shown("SKU-A"), seen) == (5, [5, 5])

    def test_a_document_that_is_taken_before_we_know_that_it_was_sent_counts_once(
        self, rig: EdiRig
    ) -> None:
        rig.fault("reset_after_apply", count=1)
        with pytest.raises(Unavailable):
            self.push(rig, 4)
        taken = rig.do("collect")["taken"]
        rig.hear()
        assert (len(taken), units_of(rig, ["SKU-A"])) == (1, [4])

        again = self.push(rig, 4)

        assert again == [Confirmed(Level(rig.bindings()["SKU-A"], 4, 1))]
        assert (rig.changes("SKU-A"), units_of(rig, ["SKU-A"])) == (1, [4])

    def test_half_an_answer_says_nothing_and_the_whole_one_may_come_under_its_number(
        self, rig: EdiRig
    ) -> None:
        rig.do("fault", kind="truncate", topic="997", count=1)
        rig.begin([Level(rig.bindings()["SKU-A"], 4, 1)])
        (refused,) = rig.visit().refused
        assert "it broke off on its way" in refused
        assert units_of(rig, ["SKU-A"]) == [None]

        rig.do("duplicate", of=rig.do("state")["sent"][-1]["name"])
        rig.hear()

        assert units_of(rig, ["SKU-A"]) == [4]

    def test_half_an_order_promises_nothing_and_the_whole_one_may_come_under_its_number(
        self, rig: EdiRig
    ) -> None:
        rig.do("fault", kind="truncate", topic="850", count=1)
        number = rig.do("purchase_order", lines=[{"sku": "SKU-A", "units": 2}])["order"]
        assert len(rig.visit().refused) == 1
        rig.deal()
        assert (rig.promised(number), rig.balance("SKU-A")) == ([{}], {"available": AT_FIRST})

        rig.do("duplicate", of=number)
        rig.deal()

        assert rig.promised(number) == [{"IA": 2}]
        assert rig.balance("SKU-A") == {"available": 8, "committed": 2}
        assert rig.complaints() == []

    def test_half_an_interchange_is_refused_by_a_ta1_where_the_partner_asks_for_one(
        self, rig: EdiRig
    ) -> None:
        ours = rig.partner.route()
        theirs = replace(
            ours,
            sender=ours.receiver,
            receiver=ours.sender,
            sender_qualifier=ours.receiver_qualifier,
            receiver_qualifier=ours.sender_qualifier,
            wants_ta1=True,
        )
        made = compose.enclose(theirs, Numbers(77, 77), rig.now(), [po(line(1, 4))])
        data = envelope.write(made)
        rig.do("put", name="half.edi", text=data[: len(data) // 2].decode("latin-1"))

        rig.hear()

        assert b"TA1*000000077*" in rig.posted()[-1]
        assert b"*R*023~" in rig.posted()[-1]

    def test_one_push_is_one_document(self, rig: EdiRig) -> None:
        before = len(rig.availabilities())

        rig.channel.push([Level(at, 3, 1) for at in rig.bindings().values()], key="k1")
        rig.channel.push([Level(at, 3, 1) for at in rig.bindings().values()], key="k1")
        rig.channel.push([], key="k2")

        assert len(rig.availabilities()) == before + 1
        assert [rig.changes(sku) for sku in ("SKU-A", "SKU-B", "SKU-C")] == [1, 1, 1]
        assert rig.complaints() == []

    def test_what_waited_for_the_right_password_goes_out_with_it(self, rig: EdiRig) -> None:
        with pytest.raises(Unauthorised):
            rig.stranger().push([Level(rig.bindings()["SKU-A"], 4, 1)], key="k1")

        rig.carry()

        assert (rig.shown("SKU-A"), rig.changes("SKU-A")) == (4, 1)

    def test_a_stopped_item_is_told_as_none_and_stays_so_until_a_number_is_told(
        self, rig: EdiRig
    ) -> None:
        binding = rig.bindings()["SKU-A"]
        undo = rig.channel.stop_sale(binding)
        rig.channel.stop_sale(binding)
        assert (rig.shown("SKU-A"), units_of(rig, ["SKU-A"])) == (0, [0])
        assert rig.changes("SKU-A") == 1

        rig.channel.resume_sale(binding, undo)

        assert rig.shown("SKU-A") == 0
        assert (rig.shown("SKU-B"), rig.shown("SKU-C")) == (AT_FIRST, AT_FIRST)

    def test_a_stop_whose_document_was_lost_is_told_again(self, rig: EdiRig) -> None:
        binding = rig.bindings()["SKU-A"]
        rig.fault("swallow", count=1)
        rig.channel.stop_sale(binding)
        rig.advance(ACK_DUE_S)
        assert rig.shown("SKU-A") == AT_FIRST

        rig.channel.stop_sale(binding)

        assert (rig.shown("SKU-A"), units_of(rig, ["SKU-A"])) == (0, [0])

    def test_an_item_that_the_partner_does_not_know_is_told_to_its_people_alone(
        self, rig: EdiRig
    ) -> None:
        lost = rig.unknown(rig.bindings()["SKU-B"])

        rig.channel.push([Level(lost, 7, 1)], key="k1")

        (complaint,) = rig.complaints()
        assert "is no item of ours" in complaint

    def test_a_number_that_the_partner_changed_itself_is_put_right_by_the_next_push(
        self, rig: EdiRig
    ) -> None:
        rig.drift("SKU-A", -3)

        self.push(rig, AT_FIRST)

        assert rig.shown("SKU-A") == AT_FIRST

    def test_an_order_that_comes_twice_is_one_order(self, rig: EdiRig) -> None:
        number = rig.order("SKU-A", 2)
        rig.do("duplicate", of=number)
        rig.deal()
        rig.order("SKU-A", 2, order=number)

        assert rig.balance("SKU-A") == {"available": 8, "committed": 2}
        assert rig.promised(number) == [{"IA": 2}]
        assert rig.do("state", order=number)["orders"][number]["answered"] == ["855"]
        assert rig.complaints() == []
        assert rig.do("state")["unacknowledged"] == []

    def test_there_is_nothing_to_ask_but_the_mailbox(self, rig: EdiRig) -> None:
        rig.order("SKU-A", 2)

        assert list(rig.channel.orders_since(rig.now().replace(year=2000))) == []
        assert list(rig.channel.bindings({"DC1": "OSLO"})) == []
        assert rig.channel.subscribe(["850"], "https://relay.example.com/hooks") == []
        assert rig.channel.subscriptions() == []
