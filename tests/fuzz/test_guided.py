"""The guided search finds what is planted; `make test-fuzz-guided` asks this first, then the readers."""

from __future__ import annotations

import argparse
import os
import signal
from pathlib import Path

import pytest

pytest.importorskip("atheris", reason="atheris is only in .venv-guided: make test-fuzz-guided")

from tests.fuzz import guided
from tests.fuzz.cases import tried_file
from tests.fuzz.targets import Target


def searched(take: guided.Reader, folder: Path, runs: int = 400) -> tuple[Target, guided.Told]:
    target = Target("planted", lambda random: b"[%d]" % random.randrange(100), take, 1)
    said = argparse.Namespace(seed=1, keep=folder / "kept", corpus=folder / "corpus", limit_s=2)
    return target, guided.asked(target, runs, said)


def test_a_reader_that_breaks_is_asked_on_and_each_place_is_found_once(tmp_path: Path) -> None:
    def breaks(case: bytes) -> None:
        if len(case) % 2:
            raise KeyError(case)
        if len(case) % 4:
            raise ValueError(case)

    target, told = searched(breaks, tmp_path)

    assert (told.ended, told.runs >= 400) == (0, True)
    assert len(told.findings) == 2
    for each in told.findings:
        assert each.file is not None
        assert f"--only planted --case {each.file}" in each.file.with_suffix(".txt").read_text()
        again = tried_file(target, each.file)
        assert again is not None
        assert again.case == each.case


def test_a_reader_that_hangs_ends_its_child_and_leaves_the_case(tmp_path: Path) -> None:
    def hangs(case: bytes) -> None:
        while len(case) > 3:
            pass

    _, told = searched(hangs, tmp_path)

    (each,) = told.findings
    assert told.ended
    assert each.file is not None
    assert "timeout" in each.file.name
    assert len(each.file.read_bytes()) > 3


def test_a_reader_that_dies_leaves_the_case(tmp_path: Path) -> None:
    def dies(case: bytes) -> None:
        if len(case) > 3:
            os.kill(os.getpid(), signal.SIGSEGV)

    _, told = searched(dies, tmp_path)

    (each,) = told.findings
    assert told.ended
    assert each.file is not None
    assert len(each.file.read_bytes()) > 3
