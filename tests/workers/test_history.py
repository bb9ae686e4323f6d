"""A month of history through the real door ties out to the unit, however badly it is delivered."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import math
import random
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from sqlalchemy import Connection, text

from allocation import pace_store
from allocation.pace import SLOW_S, Sums
from allocation.planning import demand_store, order_store
from ledger.verify import verify
from tests.builders import NOON, a_house, balance, minutes
from tests.servers import Database
from workers.flows.disturb import Arrival, disturb
from workers.flows.history import Imported, UnusableFile, import_history

COLUMNS = [
    "seq",
    "event_id",
    "occurred_at",
    "event_type",
    "channel",
    "location_id",
    "sku",
    "quantity_delta",
    "order_id",
    "line_no",
    "party_id",
    "fulfilment",
    "unit_price",
    "reason_code",
    "reason_text",
    "drift_cause",
    "ref",
]
REAL = Path(__file__).parents[3] / "shared" / "data" / "retail" / "replay_2011-05"


def write(path: Path, columns: Iterable[str], rows: Iterable[dict[str, Any]]) -> Path:
    with (gzip.open if path.suffix == ".gz" else open)(path, "wt", newline="") as file:
        writer = csv.DictWriter(file, list(columns), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


class Month:
    """A made-up month with every kind of event and its true balances, kept by plain addition."""

    def __init__(self, seed: int, events: int = 400) -> None:
        self.chance = random.Random(seed)
        self.rows: list[dict[str, Any]] = []
        self.opening = {
            ("S1", "WH"): 500,
            ("S2", "WH"): 300,
            ("S2", "SHOP"): 40,
            ("S1", "IN-TRANSIT"): 25,
        }
        self.closing = dict(self.opening)
        for number in range(events):
            self._happens(number)

    def _happens(self, number: int) -> None:
        kind = self.chance.choice(
            ["order"] * 8
            + [
                "return",
                "receipt",
                "adjustment",
                "write_off",
                "count",
                "transfer",
                "cancel",
                "old_cancel",
            ]
        )
        sku = self.chance.choice(["S1", "S2", "s2"])
        place, units = self.chance.choice(["WH", "SHOP"]), self.chance.randint(1, 30)
        if kind == "transfer":
            self._row(number, "transfer_ship", sku, "WH", -units, ref=f"T{number}", suffix=":S")
            self._move(sku, "IN-TRANSIT", units)
            self._row(number, "transfer_receive", sku, "SHOP", units, ref=f"T{number}", suffix=":R")
            self._move(sku, "IN-TRANSIT", -units)
        elif kind == "cancel":
            orders = [row for row in self.rows if row["event_type"] == "order"]
            if orders:
                order = self.chance.choice(orders)
                self._row(
                    number,
                    "order_cancel",
                    order["sku"],
                    order["location_id"],
                    1,
                    ref=order["event_id"],
                )
        elif kind == "old_cancel":
            self._row(number, "order_cancel", sku, place, units, ref="9999:1")
        elif kind in {"adjustment", "count", "write_off"}:
            self._row(number, kind, sku, place, self.chance.choice([-units, units]))
        else:
            self._row(number, kind, sku, place, -units if kind == "order" else units)

    def _row(
        self,
        number: int,
        kind: str,
        sku: str,
        place: str,
        delta: int,
        *,
        ref: str = "",
        suffix: str = "",
    ) -> None:
        order = f"{number // 3}"
        self.rows.append(
            {
                "seq": number,
                "event_id": f"{order}:{number}{suffix}",
                "occurred_at": (NOON + minutes(number)).replace(tzinfo=None).isoformat(),
                "event_type": kind,
                "channel": "shopify" if kind.startswith("order") else "",
                "location_id": place,
                "sku": sku,
                "quantity_delta": delta,
                "order_id": order if kind == "order" else "",
                "line_no": str(number) if kind == "order" else "",
                "reason_code": "damaged" if kind == "write_off" else "",
                "ref": ref,
            }
        )
        self._move(sku, place, delta)

    def _move(self, sku: str, place: str, delta: int) -> None:
        self.closing[sku, place] = self.closing.get((sku, place), 0) + delta

    def files(self, folder: Path) -> tuple[Path, Path]:
        events = write(folder / "month.events.csv.gz", COLUMNS, self.rows)
        balances = write(
            folder / "month.balances.csv",
            ("sku", "location_id", "opening", "closing"),
            (
                {
                    "sku": s,
                    "location_id": p,
                    "opening": self.opening.get((s, p), 0),
                    "closing": units,
                }
                for (s, p), units in sorted(self.closing.items())
            ),
        )
        return events, balances

    def sha256(self) -> str:
        here = sorted((s, p) for s, p in self.closing if p != "IN-TRANSIT")
        return hashlib.sha256(
            "\n".join(f"{s}|{p}|{self.closing[s, p]}" for s, p in here).encode()
        ).hexdigest()


def bring_in(
    database: Database, events: Path, balances: Path, *, seed: int | None = None, name: str = "m"
) -> Imported:
    return import_history(
        a_house(database.engine),
        name=name,
        events=events,
        opening=balances,
        tie_out=balances,
        seed=seed,
        zone=UTC,
        clock=lambda: NOON + minutes(60 * 24),
    )


@pytest.mark.parametrize("seed", [None, 7, 8])
def test_a_made_up_month_ties_out(database: Database, tmp_path: Path, seed: int | None) -> None:
    month = Month(seed or 1)

    result = bring_in(database, *month.files(tmp_path), seed=seed)

    assert (result.differences, result.parked, result.waiting) == (0, 0, 0)
    assert result.applied == result.events == len(month.rows)
    assert result.closing_sha256 == month.sha256()
    assert result.closing_units == sum(
        u for (_, p), u in month.closing.items() if p != "IN-TRANSIT"
    )
    assert (result.duplicates > 0) == (seed is not None)
    assert verify(database.engine).clean


def test_importing_twice_changes_nothing(database: Database, tmp_path: Path) -> None:
    month = Month(3, events=60)
    files = month.files(tmp_path)
    bring_in(database, *files)

    again = bring_in(database, *files)

    assert (again.applied, again.duplicates, again.differences) == (
        0,
        60 + sum(r["event_type"] == "transfer_ship" for r in month.rows),
        0,
    )


def test_a_difference_is_named(database: Database, tmp_path: Path) -> None:
    month = Month(3, events=60)
    month.closing["S1", "WH"] += 1

    result = bring_in(database, *month.files(tmp_path))

    assert result.differences == 1
    assert (result.first_differences[0].sku, result.first_differences[0].location) == ("S1", "WH")
    assert result.first_differences[0].expected == result.first_differences[0].actual + 1


def test_a_row_that_cannot_be_read_is_named_and_the_rest_is_imported(
    database: Database, tmp_path: Path
) -> None:
    month = Month(3, events=40)
    rubbish = dict(month.rows[0], event_id="rubbish", quantity_delta="3.5")
    no_time = dict(month.rows[0], event_id="timeless", occurred_at="yesterday")
    no_kind = dict(month.rows[0], event_id="strange", event_type="theft")
    month.rows[10:10] = [rubbish, no_time, no_kind]

    result = bring_in(database, *month.files(tmp_path), seed=5)

    assert result.differences == 0
    assert {line.split(":")[0].split("#")[0] for line in result.first_parked} == {
        "rubbish",
        "timeless",
        "strange",
    }


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"seq,sku\n1,a\n", "no column event_id"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"", "no column"),
    ],
)
def test_a_file_that_is_no_history_is_refused_with_the_remedy(
    database: Database, tmp_path: Path, content: bytes, complaint: str
) -> None:
    _, balances = Month(1, events=3).files(tmp_path)
    bad = tmp_path / "bad.csv"
    bad.write_bytes(content)

    with pytest.raises(UnusableFile, match=complaint):
        bring_in(database, bad, balances)


def test_a_broken_gzip_is_refused(database: Database, tmp_path: Path) -> None:
    events, balances = Month(1, events=3).files(tmp_path)
    events.write_bytes(events.read_bytes()[:40])

    with pytest.raises(UnusableFile, match="cannot be read"):
        bring_in(database, events, balances)


def test_skus_that_differ_only_by_case_stay_apart(database: Database, tmp_path: Path) -> None:
    month = Month(1, events=0)
    month._row(1, "receipt", "15056bl", "WH", 5)
    month._row(2, "receipt", "15056BL", "WH", 7)

    bring_in(database, *month.files(tmp_path))

    assert balance(database.engine, "15056bl", "WH") == {"available": 5}
    assert balance(database.engine, "15056BL", "WH") == {"available": 7}


def test_the_disturbance_is_the_same_for_the_same_seed_and_loses_nothing() -> None:
    arrivals = [
        Arrival(
            str(n),
            {
                "kind": "order",
                "id": str(n),
                "occurred_at": (NOON + minutes(n)).isoformat(),
                "order": str(n),
            },
        )
        for n in range(2000)
    ]

    one, two, other = (disturb(arrivals, seed=seed) for seed in (7, 7, 8))

    assert one == two != other
    assert {a.fact["id"] for a in one} == {a.fact["id"] for a in arrivals}
    assert 20 <= len(one) - len(arrivals) <= 70
    assert [a.fact["id"] for a in one] != [a.fact["id"] for a in arrivals]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not REAL.exists(), reason="the real month is not beside this checkout")
def test_the_real_may_of_2011_ties_out_with_its_pace_however_badly_it_is_delivered(
    database: Database,
) -> None:
    truth = json.loads((REAL / "replay_2011-05.truth.json").read_text())
    balances = REAL / "replay_2011-05.balances.csv.gz"

    result = bring_in(database, REAL / "replay_2011-05.events.csv.gz", balances, seed=7)

    assert (result.differences, result.parked, result.waiting) == (0, 0, 0)
    assert result.closing_units == truth["closing_units"]
    assert result.closing_sha256 == truth["closing_sha256"]
    assert result.applied == truth["events"]
    with database.owner.begin() as connection:
        # As the server does by itself a minute later.
        connection.execute(text("ANALYZE event, posting, order_line"))
    with database.engine.connect() as connection:
        kept, anew = both_paces(connection)
    assert kept == pytest.approx(anew, rel=1e-9, abs=1e-6)
    assert len(anew) > 3000


Paces: TypeAlias = dict[tuple[str, str, str], float]


def both_paces(connection: Connection) -> tuple[Paces, Paces]:
    """Units sold, fading with the weeks, by place: kept with each booking, and computed anew from the book."""
    kept: Paces = {}
    anew: Paces = {}
    end, after = datetime(2011, 6, 1, tzinfo=UTC), ""
    while skus := order_store.skus_after(connection, after, 200):
        for of in pace_store.sums_of(connection, skus).values():
            kept |= units_by_place(of, end)
        anew |= units_by_place(demand_store.recomputed(connection, skus, end), end)
        after = skus[-1]
    return kept, anew


def units_by_place(sums: Iterable[Sums], at: datetime) -> Paces:
    """As if all were of one moment, whatever moment each is of; what rounding leaves of nothing is left out."""
    return {
        (s.sku, s.channel, s.location): s.slow_units
        * math.exp((s.at - at).total_seconds() / SLOW_S)
        for s in sums
        if s.slow_units > 1e-6
    }
