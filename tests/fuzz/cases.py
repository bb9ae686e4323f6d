"""One case after another: made from seed, name and number, given a time, and kept when it is a finding."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from types import FrameType
from typing import Final

from tests.fuzz.targets import Target

#: What takes longer hangs; the slowest good case takes a hundredth of it.
CASE_S: Final = 20.0


class Hangs(Exception):
    """A case was not over in its time."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A case that a reader broke on.

    number    with the seed and the target's name it is the case
    file      where the case is, when seed and number do not make it
    """

    target: str
    seed: int
    number: int
    said: str
    case: bytes
    file: Path | None = None

    @property
    def again(self) -> str:
        """How to do it again."""
        which = f"--seed {self.seed} --number {self.number}"
        if self.file is not None:
            which = f"--case {self.file}"
        return f"python -m tests.fuzz.run --only {self.target} {which}"

    def keep(self, folder: Path) -> Path:
        """Write the case down, and what it did."""
        kept = self.file or folder / f"{self.target}-{self.seed}-{self.number}.bin"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.with_suffix(".txt").write_text(f"{self.again}\n\n{self.said}")
        kept.write_bytes(self.case)
        return kept


def chance(target: str, seed: int, number: int) -> Random:
    """Everything a case is made from."""
    return Random(f"{seed}/{target}/{number}")


def case_of(target: Target, seed: int, number: int) -> bytes:
    """The bytes of a case."""
    return target.make(chance(target.name, seed, number))


def finding(target: str, seed: int, number: int, case: bytes, error: BaseException) -> Finding:
    """What was raised, with where."""
    said = "".join(traceback.format_exception(error)[-12:])
    return Finding(target, seed, number, said, case)


def tried(
    target: Target, seed: int, numbers: Sequence[int], *, limit_s: float = CASE_S
) -> Iterator[Finding | None]:
    """Each of these cases: None, or what is wrong."""
    with a_clock(limit_s) as within:
        for number in numbers:
            case = case_of(target, seed, number)
            try:
                within(partial(target.take, case))
            # Whatever it is, it is what is looked for.
            except Exception as error:
                yield finding(target.name, seed, number, case, error)
            else:
                yield None


def tried_file(target: Target, file: Path, *, limit_s: float = CASE_S) -> Finding | None:
    """A case that was kept, given once more."""
    case = file.read_bytes()
    try:
        with a_clock(limit_s) as within:
            within(partial(target.take, case))
    except Exception as error:
        return replace(finding(target.name, 0, 0, case, error), file=file)
    return None


@contextmanager
def a_clock(limit_s: float = CASE_S) -> Iterator[Callable[[Callable[[], None]], None]]:
    """Does work within the time limit, or raises Hangs; in the main thread only."""

    def over(_number: int, _frame: FrameType | None) -> None:
        raise Hangs(f"not over after {limit_s:g} s")

    def within(work: Callable[[], None]) -> None:
        signal.setitimer(signal.ITIMER_REAL, limit_s)
        try:
            work()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    before = signal.signal(signal.SIGALRM, over)
    try:
        yield within
    finally:
        signal.signal(signal.SIGALRM, before)


def shares(targets: Sequence[Target], cases: int) -> dict[str, int]:
    """How many cases each target gets: at least so many in all."""
    whole = sum(target.share for target in targets)
    return {target.name: -(-cases * target.share // whole) for target in targets}
