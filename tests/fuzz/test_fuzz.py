"""Bad input, in short: `make test-fuzz` gives every reader and flow some thousand times as much."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import Shelf
from tests.fuzz.cases import Finding, case_of, tried, tried_file
from tests.fuzz.flows import FLOWS, Site, a_site
from tests.fuzz.targets import TARGETS, Target
from tests.servers import Database

SHORT, OF_FLOWS = 60, 40


@pytest.fixture(scope="module")
def site(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    lent: list[Database] = []

    def lend() -> Database:
        lent.append(shelf.lend())
        return lent[-1]

    with a_site(lend, tmp_path_factory.mktemp("site")) as site:
        yield site
    for database in lent:
        shelf.take_back(database)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_reader_takes_anything_or_says_what_is_wrong(target: Target) -> None:
    found = [each.again + "\n" + each.said for each in tried(target, 0, range(SHORT)) if each]

    assert found == []


@pytest.mark.parametrize("name", FLOWS)
def test_the_house_gives_everything_an_end_with_a_name(site: Site, name: str) -> None:
    found = [
        each.again + "\n" + each.said for each in FLOWS[name][0](site, 0, range(OF_FLOWS)) if each
    ]

    assert found == []
    assert site.books() == ""


def test_a_case_is_the_same_whenever_it_is_made() -> None:
    for target in TARGETS:
        assert case_of(target, 3, 7) == case_of(target, 3, 7)


def test_cases_differ_and_most_are_read_further_than_their_first_byte() -> None:
    for target in TARGETS:
        assert len({case_of(target, 0, number) for number in range(SHORT)}) > SHORT / 2


def test_what_breaks_and_what_hangs_is_found_kept_and_can_be_done_again(tmp_path: Path) -> None:
    def breaks(data: bytes) -> None:
        if data == b"1":
            raise KeyError(data)

    found = [
        each for each in tried(Target("x", lambda random: b"%d" % random.randrange(3), breaks, 1), 0, range(30)) if each
    ]  # fmt: skip

    assert found
    assert {each.case for each in found} == {b"1"}
    kept = found[0].keep(tmp_path)
    assert kept.read_bytes() == b"1"
    assert f"--only x --seed 0 --number {found[0].number}" in kept.with_suffix(".txt").read_text()


def test_a_kept_case_is_given_again_from_its_file(tmp_path: Path) -> None:
    def breaks(data: bytes) -> None:
        if data == b"1":
            raise KeyError(data)

    target = Target("x", lambda random: b"", breaks, 1)
    (tmp_path / "bad.bin").write_bytes(b"1")
    (tmp_path / "good.bin").write_bytes(b"2")

    found = tried_file(target, tmp_path / "bad.bin")

    assert found is not None
    assert "KeyError" in found.said
    assert f"--only x --case {tmp_path / 'bad.bin'}" in found.again
    assert tried_file(target, tmp_path / "good.bin") is None


def test_a_reader_that_hangs_is_a_finding() -> None:
    def hangs(data: bytes) -> None:
        while True:
            pass

    (found,) = tried(Target("x", lambda random: b"", hangs, 1), 0, [0], limit_s=0.05)

    assert isinstance(found, Finding)
    assert "Hangs" in found.said
