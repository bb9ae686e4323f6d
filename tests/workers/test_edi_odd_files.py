"""Files that would break a visit: each is told and moved away, and the partner's others go on."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.servers import Clock, Database
from tests.workers.edi_rig import Grocer, a_grocer, line, po


@pytest.fixture
def grocer(database: Database, clock: Clock, tmp_path: Path) -> Grocer:
    grocer = a_grocer(database.engine, clock, tmp_path)
    grocer.stock(MUG=10)
    return grocer


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """What a full disk looks like to a writer: some bytes, then an error."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("there", "broken"),
    [(b"*000000001*0*P", b"*0000\x000001*1*P"), (b"*12*GROCER ", b"*12*GRO\x00ER ")],
)
def test_a_header_with_control_characters_is_refused_and_the_next_file_taken(
    grocer: Grocer, there: bytes, broken: bytes
) -> None:
    data = grocer.send(po(line(1, 4)))
    (first,) = (grocer.path / "inbound").iterdir()
    assert there in data
    first.write_bytes(data.replace(there, broken))
    grocer.send(po(line(1, 3), number="PO2"))

    done = grocer.visit()

    assert (done.kept, len(done.refused), done.stopped) == (1, 1, "")
    assert "control characters name nobody" in done.refused[0]
    assert list((grocer.path / "inbound").iterdir()) == []


def test_a_control_number_without_its_zeros_is_the_same_number(grocer: Grocer) -> None:
    data = grocer.send(po(line(1, 4)))
    grocer.run()
    grocer.drop(data.replace(b"*000000001*0*P", b"*1*0*P").replace(b"EA*9.5", b"EA*9.7"))

    done = grocer.visit()

    assert done.kept == 0
    assert "came before with another content" in done.refused[0]


def test_a_full_disk_is_not_filled_further_and_nothing_is_lost(grocer: Grocer) -> None:
    grocer.send(po(line(1, 4)))
    grocer.visit()
    grocer.work()

    with no_file_larger_than(100):
        for _ in range(3):
            grocer.clock.now += timedelta(hours=1)
            assert "outbound" in grocer.visit().stopped
    assert list((grocer.path / "outbound").iterdir()) == []

    grocer.clock.now += timedelta(hours=1)
    assert grocer.visit().sent == 2
