"""The commands around the battery: what there is, and a name that is none."""

from __future__ import annotations

from console.faults.catalogue import FAULTS
from tests.console.command import lockstep


def test_every_fault_is_listed_with_what_it_does() -> None:
    said = lockstep("faults", "list", "--json", environment={})

    assert [row["name"] for row in said.read] == [fault.name for fault in FAULTS]
    assert all(row["says"] for row in said.read)


def test_the_list_for_people_names_all_of_them() -> None:
    said = lockstep("faults", "list", environment={})

    assert [line.split()[0] for line in said.out.splitlines()] == [fault.name for fault in FAULTS]


def test_a_fault_that_is_none_is_refused_before_anything_starts() -> None:
    said = lockstep("faults", "run", "--only", "postgres-kil", environment={})

    assert said.code == 2
    assert "no fault named postgres-kil" in said.err
