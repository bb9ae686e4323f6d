"""Bad input by the hundred thousand: python -m tests.fuzz.run --cases 100000 --seed 0 --json

Readers are asked in two processes, flows and doors of a house of its own in this one. A finding is written into a
folder with the command that does it again. Exit code 3: there are findings.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from console import logs
from ledger.migrate import upgrade
from tests.conftest import Pair
from tests.databases import copy
from tests.fuzz.cases import Finding, shares, tried, tried_file
from tests.fuzz.flows import FLOWS, Site, a_site
from tests.fuzz.targets import TARGETS
from tests.servers import Database

_BLOCK: Final = 500
#: Of all cases, through the house.
_FLOWS_SHARE: Final = 0.25
_KEPT: Final = Path(".lockstep/fuzz")


def main(words: Sequence[str] | None = None) -> int:
    """Try, tell, and say by the exit code."""
    said = _said(words)
    logs.configure("CRITICAL")
    begun = time.monotonic()
    tried_of: dict[str, int] = {}
    findings: list[Finding] = []
    for name, many, found in _all(said):
        tried_of[name] = tried_of.get(name, 0) + many
        findings += found
        for each in found:
            click.echo(f"{each.keep(said.keep)}: {each.again}\n{each.said}", err=True)
        click.echo(
            f"\r{sum(tried_of.values())} cases, {len(findings)} findings", err=True, nl=False
        )
    click.echo(err=True)
    result = {
        "cases": sum(tried_of.values()),
        "seed": said.seed,
        "findings": len(findings),
        "again": [each.again for each in findings[:20]],
        "seconds": round(time.monotonic() - begun, 1),
        "by_target": tried_of,
        "passed": not findings,
    }
    click.echo(json.dumps(result, indent=None if said.json else 2))
    return 3 if findings else 0


def _said(words: Sequence[str] | None) -> argparse.Namespace:
    names = [*(t.name for t in TARGETS), *FLOWS]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000, help="at least so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=names, default="", help="one reader or flow")
    parser.add_argument("--number", type=int, default=None, help="one case of it")
    parser.add_argument("--case", type=Path, default=None, help="a kept case of a reader")
    parser.add_argument("--keep", type=Path, default=_KEPT, help="folder of findings")
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args(words)
    if said.number is not None and not said.only:
        parser.error("--number is a case of one reader or flow: say --only")
    if said.case is not None and (said.only in FLOWS or not said.only):
        parser.error("--case is given to one reader: say with --only to which")
    if said.case is not None and not said.case.is_file():
        parser.error(f"--case: there is no file {said.case}")
    return said


def _all(said: argparse.Namespace) -> Iterator[tuple[str, int, list[Finding]]]:
    """(name, cases, findings) block by block."""
    readers = [t for t in TARGETS if said.only in ("", t.name)]
    if said.case is not None:
        found = tried_file(readers[0], said.case)
        yield said.only, 1, [found] if found else []
        return
    flows = [name for name in FLOWS if said.only in ("", name)]
    of_flows = int(said.cases * _FLOWS_SHARE) if readers else said.cases
    if readers:
        yield from _readers(said, shares(readers, said.cases - (of_flows if flows else 0)))
    if flows:
        whole = sum(FLOWS[name][1] for name in flows)
        yield from _flows(said, {name: -(-of_flows * FLOWS[name][1] // whole) for name in flows})


def _numbers(said: argparse.Namespace, many: int) -> list[range]:
    if said.number is not None:
        return [range(said.number, said.number + 1)]
    return [range(begin, min(begin + _BLOCK, many)) for begin in range(0, many, _BLOCK)]


def _readers(
    said: argparse.Namespace, cases: dict[str, int]
) -> Iterator[tuple[str, int, list[Finding]]]:
    blocks = [
        (name, said.seed, block) for name, many in cases.items() for block in _numbers(said, many)
    ]
    with ProcessPoolExecutor(2) as pool:
        yield from pool.map(_block, blocks)


def _block(block: tuple[str, int, range]) -> tuple[str, int, list[Finding]]:
    name, seed, numbers = block
    target = next(t for t in TARGETS if t.name == name)
    return name, len(numbers), [each for each in tried(target, seed, numbers) if each]


def _flows(
    said: argparse.Namespace, cases: dict[str, int]
) -> Iterator[tuple[str, int, list[Finding]]]:
    with _a_house() as site:
        for name, many in cases.items():
            for numbers in _numbers(said, many):
                yield name, len(numbers), [e for e in FLOWS[name][0](site, said.seed, numbers) if e]
        wrong = site.books()
        yield "books", 3, [Finding("books", said.seed, 0, wrong, b"")] if wrong else []


@contextmanager
def _a_house() -> Iterator[Site]:
    pair = Pair()
    try:
        servers = pair.servers()
        with servers.connect() as connection:
            copy(connection, "fuzz", "template0")
        upgrade(servers.admin_url.format(database="fuzz"))

        def lend() -> Database:
            return servers.create("fuzz")

        with a_site(lend, pair.home / "site") as site:
            yield site
    finally:
        pair.close()


if __name__ == "__main__":
    sys.exit(main())
