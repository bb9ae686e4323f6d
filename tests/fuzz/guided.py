"""Bad input led by what it reaches: make test-fuzz-guided, or python -m tests.fuzz.guided --runs 100000 --json

Atheris (libFuzzer for Python) counts the branches that a case takes in our rooms; a case that takes a new one is kept
and changed further. Each reader is asked in a child process of its own: a reader that hangs, dies or eats the memory
ends its child, and the case is kept by libFuzzer. What reached something new stays in the corpus and leads the next
run. Exit code 3: there are findings; 4: a child ended before its runs and left no case.

Theory: https://llvm.org/docs/LibFuzzer.html
"""

from __future__ import annotations

import argparse
import faulthandler
import hashlib
import json
import multiprocessing
import os
import re
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Final

import atheris
import click

#: What is counted: our rooms, and the reader of rule files that Python brings.
ROOMS: Final = ("ledger", "allocation", "channels", "reconcile", "workers", "console", "tomllib")

with atheris.instrument_imports(include=list(ROOMS)):
    from console import logs
    from tests.fuzz.cases import Finding, case_of, shares
    from tests.fuzz.shaping import damaged, twisted
    from tests.fuzz.targets import TARGETS, Target, originals

_HOME: Final = Path(".lockstep/fuzz")
_LONGEST: Final = 40_000
_MEMORY_MB: Final = 2_048
#: Made cases beside the originals that a reader begins with.
_MADE: Final = 60
#: What libFuzzer calls a case that ended the child.
_ENDS: Final = ("crash", "timeout", "oom", "slow-unit")
Reader = Callable[[bytes], None]
_FORK: Final = multiprocessing.get_context("fork")


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a reader.

    runs       cases given, those it began with among them
    branches   places in the code that were reached;  corpus  cases that reached something no other did
    ended      the child's exit code: 0 when it did all its runs
    """

    runs: int
    branches: int
    corpus: int
    ended: int
    findings: Sequence[Finding]


def main(words: Sequence[str] | None = None) -> int:
    """Try, tell, and say by the exit code."""
    said = _said(words)
    logs.configure("CRITICAL")
    begun = time.monotonic()
    targets = [t for t in TARGETS if said.only in ("", t.name)]
    told: dict[str, Told] = {}
    for name, runs in shares(targets, said.runs).items():
        told[name] = asked(next(t for t in targets if t.name == name), runs, said)
        click.echo(f"{name}: {told[name].runs} runs, {told[name].branches} branches", err=True)
        for each in told[name].findings:
            click.echo(f"{each.again}\n{each.said}", err=True)
    findings = [each for of in told.values() for each in of.findings]
    broken = [name for name, of in told.items() if of.ended and not of.findings]
    result = {
        "runs": sum(of.runs for of in told.values()),
        "seed": said.seed,
        "findings": len(findings),
        "again": [each.again for each in findings[:20]],
        "ended_early": broken,
        "seconds": round(time.monotonic() - begun, 1),
        "by_target": {
            name: {"runs": of.runs, "branches": of.branches, "corpus": of.corpus}
            for name, of in told.items()
        },
        "passed": not findings and not broken,
    }
    click.echo(json.dumps(result, indent=None if said.json else 2))
    return 3 if findings else 4 if broken else 0


def _said(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=100_000, help="at least so many, over all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=[t.name for t in TARGETS], default="", help="one reader")
    parser.add_argument("--limit-s", type=int, default=20, help="what takes longer hangs")
    parser.add_argument("--keep", type=Path, default=_HOME / "guided", help="folder of findings")
    parser.add_argument("--corpus", type=Path, default=_HOME / "corpus", help="grows run by run")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(words)


def asked(target: Target, runs: int, said: argparse.Namespace) -> Told:
    """Let a child give the reader so many cases, and gather what it left."""
    said.keep.mkdir(parents=True, exist_ok=True)
    corpus: Path = said.corpus / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    log = said.keep / f"{target.name}.log"
    before = set(said.keep.iterdir())
    count = _FORK.Value("q", 0, lock=False)
    with tempfile.TemporaryDirectory() as seeds:
        _sow(target, Path(seeds))
        orders = [
            "tests.fuzz.guided",
            f"-runs={runs}",
            f"-seed={said.seed + 1}",  # 0 would mean: any
            f"-timeout={said.limit_s}",
            f"-report_slow_units={said.limit_s}",
            f"-max_len={_LONGEST}",
            f"-rss_limit_mb={_MEMORY_MB}",
            f"-artifact_prefix={said.keep}/{target.name}-",
            str(corpus),
            seeds,
        ]
        child = _FORK.Process(target=_child, args=(target, orders, said.keep, log, count))
        child.start()
        child.join()
    heard = log.read_text(errors="replace")
    cov = re.findall(r" cov: (\d+) ", heard)
    return Told(
        runs=count.value,
        branches=int(cov[-1]) if cov else 0,
        corpus=sum(1 for _ in corpus.iterdir()),
        ended=child.exitcode or 0,
        findings=list(_left(target.name, sorted(set(said.keep.iterdir()) - before), heard)),
    )


def _sow(target: Target, folder: Path) -> None:
    made = [case_of(target, 0, number) for number in range(_MADE)]
    for number, case in enumerate([*originals(target.name), *made]):
        (folder / f"{number}").write_bytes(case[:_LONGEST])


def _child(target: Target, orders: list[str], keep: Path, log: Path, count: Any) -> None:
    """Ask until the runs are over; libFuzzer ends the process."""
    with log.open("wb") as out:
        os.dup2(out.fileno(), sys.stdout.fileno())
        os.dup2(out.fileno(), sys.stderr.fileno())
    # libFuzzer listens only where nobody does yet; a test runner does.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    faulthandler.disable()
    known: set[str] = set()

    def one(case: bytes) -> None:
        count.value += 1
        try:
            target.take(case)
        # Whatever it is, it is what is looked for; the first of each place is kept, and the search goes on.
        except Exception as error:
            where = f"{type(error).__name__} {place(error.__traceback__)}"
            if where not in known:
                known.add(where)
                found(target.name, case, error, keep).keep(keep)

    atheris.Setup(orders, one, custom_mutator=mutator(target), internal_libfuzzer=True)
    atheris.Fuzz()


def place(trace: TracebackType | None) -> str:
    """The innermost line of ours: two errors of one place are one finding."""
    frames = traceback.extract_tb(trace)
    ours = [
        f for f in frames if "site-packages" not in f.filename and "tests/fuzz" not in f.filename
    ]
    last = (ours or frames)[-1]
    return f"{last.filename}:{last.lineno}"


def found(target: str, case: bytes, error: Exception, keep: Path) -> Finding:
    """A finding whose case is in a file named after its bytes."""
    said = "".join(traceback.format_exception(error)[-12:])
    file = keep / f"{target}-{hashlib.sha256(case).hexdigest()[:16]}.bin"
    return Finding(target, 0, 0, said, case, file)


def mutator(target: Target) -> Callable[[bytes, int, int], bytes]:
    """How a case becomes the next: libFuzzer's way, pieces of it moved, JSON respelt as JSON, or another one made."""

    def changed(case: bytes, most: int, seed: int) -> bytes:
        random = Random(seed)
        chance = random.random()
        if chance < 0.05:
            return target.make(random)[:most]
        if chance < 0.25:
            return damaged(random, case)[:most]
        if chance < 0.75 and (said := respelt(random, case)) is not None:
            return said[:most]
        return bytes(atheris.Mutate(case, most))

    return changed


def respelt(random: Random, case: bytes) -> bytes | None:
    """The case's JSON, behind its topic where it has one, with pieces changed; None when it holds no document."""
    head, line, body = case.partition(b"\n")
    if case[:1] in (b"{", b"["):
        head, line, body = b"", b"", case
    if body[:1] not in (b"{", b"["):
        return None
    try:
        return head + line + twisted(random, json.loads(body))
    except (ValueError, RecursionError):
        return None


def _left(target: str, files: Sequence[Path], heard: str) -> Iterator[Finding]:
    """What the child wrote down itself, and the case that ended it."""
    for file in files:
        ended = any(file.name.startswith(f"{target}-{end}-") for end in _ENDS)
        if ended:
            each = Finding(
                target, 0, 0, heard[-4_000:], file.read_bytes(), file.with_suffix(".bin")
            )
            file.unlink()
            each.keep(file.parent)
            yield each
        elif file.suffix == ".bin":
            said = file.with_suffix(".txt").read_text().split("\n", 2)[-1]
            yield Finding(target, 0, 0, said, file.read_bytes(), file)


if __name__ == "__main__":
    sys.exit(main())
