"""The supervisor keeps processes running, and ends every one of them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from console.local.child import Child
from console.local.errors import LocalError, NotReady
from console.local.logs import Tail
from console.local.ports import free_port
from console.local.probes import http_answers, log_says, survives
from console.local.supervisor import Server, Service, State, Status, Supervisor
from console.local.valkey import RunningValkey

SLEEPER = (sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(60)")
# Ends at once while the file is missing.
WANTS_FILE = (
    sys.executable,
    "-c",
    "import pathlib, sys, time; pathlib.Path(sys.argv[1]).exists() or sys.exit(7); print('ready', flush=True);"
    " time.sleep(60)",
)
DEAF_PARENT = (
    sys.executable,
    "-c",
    "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    " subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print('ready', flush=True);"
    " time.sleep(60)",
)


@pytest.fixture
def supervisor(scratch: Path) -> Iterator[Supervisor]:
    with Supervisor(scratch / "logs") as supervisor:
        yield supervisor


def sleeper(name: str) -> Service:
    return Service(name, SLEEPER, ready=log_says("ready"))


def status(supervisor: Supervisor, name: str) -> Status:
    return next(status for status in supervisor.status() if status.name == name)


def runs(process: psutil.Process) -> bool:
    """A dead process that its new parent has not collected yet is as good as gone."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def until(truth: Callable[[], bool], limit_s: float = 20.0) -> None:
    end = time.monotonic() + limit_s
    while not truth():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


def test_services_start_in_the_given_order(supervisor: Supervisor) -> None:
    supervisor.up(sleeper("first"))
    supervisor.up(sleeper("second"), sleeper("third"))

    assert [status.name for status in supervisor.status()] == ["first", "second", "third"]
    assert {status.state for status in supervisor.status()} == {State.READY}


def test_a_killed_service_comes_back(supervisor: Supervisor) -> None:
    supervisor.up(sleeper("worker"))

    died = supervisor.kill("worker")
    supervisor.wait_ready("worker")

    after = status(supervisor, "worker")
    assert after.pid != died
    assert (after.restarts, after.exit_code) == (1, -signal.SIGKILL)


def test_a_service_that_ends_by_itself_comes_back(supervisor: Supervisor, scratch: Path) -> None:
    wish = scratch / "wish"
    wish.touch()
    supervisor.up(Service("worker", (*WANTS_FILE, str(wish)), ready=log_says("ready")))

    psutil.Process(status(supervisor, "worker").pid).terminate()
    until(lambda: status(supervisor, "worker").restarts == 1)

    supervisor.wait_ready("worker")


def test_a_service_that_cannot_start_is_tried_at_growing_distance(
    supervisor: Supervisor, scratch: Path
) -> None:
    wish = scratch / "wish"
    wish.touch()
    supervisor.up(Service("worker", (*WANTS_FILE, str(wish)), ready=log_says("ready")))
    wish.unlink()

    supervisor.kill("worker")
    until(lambda: status(supervisor, "worker").restarts >= 3)
    wish.touch()
    supervisor.wait_ready("worker")

    notes = (supervisor.logs / "supervisor.log").read_text()
    assert [
        pause for pause in ("0.2 s", "0.5 s", "1 s") if f"starts again in {pause}" in notes
    ] == [
        "0.2 s",
        "0.5 s",
        "1 s",
    ]
    assert "ended with code 7" in notes


def test_a_service_that_ends_before_it_is_ready_is_reported_with_its_log(
    supervisor: Supervisor,
) -> None:
    broken = (sys.executable, "-c", "raise SystemExit('no such queue')")

    with pytest.raises(NotReady, match="no such queue"):
        supervisor.up(Service("broken", broken, ready=log_says("ready")))


def test_a_service_that_stays_silent_is_killed_and_tried_again(supervisor: Supervisor) -> None:
    silent = Service("silent", SLEEPER, ready=log_says("never said"), ready_limit_s=0.3)

    with pytest.raises(NotReady, match=r"not ready after 0\.3 s"):
        supervisor.up(silent)

    until(lambda: status(supervisor, "silent").restarts >= 1)


def test_a_job_runs_once(supervisor: Supervisor) -> None:
    supervisor.up(Service("job", (sys.executable, "-c", "pass"), restart=False))

    until(lambda: status(supervisor, "job").state is State.STOPPED)
    assert (status(supervisor, "job").exit_code, status(supervisor, "job").restarts) == (0, 0)


def test_a_stopped_service_stays_stopped_until_it_is_started(supervisor: Supervisor) -> None:
    supervisor.up(sleeper("worker"))

    supervisor.stop("worker")
    time.sleep(0.5)
    stopped = status(supervisor, "worker")
    supervisor.start("worker")

    assert (stopped.state, stopped.restarts, stopped.exit_code) == (
        State.STOPPED,
        0,
        -signal.SIGTERM,
    )
    assert status(supervisor, "worker").state is State.READY


def test_a_signal_can_freeze_a_service(supervisor: Supervisor) -> None:
    supervisor.up(sleeper("worker"))
    process = psutil.Process(status(supervisor, "worker").pid)

    supervisor.signal("worker", signal.SIGSTOP)
    until(lambda: process.status() == psutil.STATUS_STOPPED)
    supervisor.signal("worker", signal.SIGCONT)

    until(lambda: process.status() != psutil.STATUS_STOPPED)
    assert status(supervisor, "worker").restarts == 0


def test_readiness_can_be_an_answer_over_http(supervisor: Supervisor, scratch: Path) -> None:
    port = free_port()
    served = scratch / "served"
    served.mkdir()
    command = (sys.executable, "-u", "-m", "http.server", str(port), "--bind", "127.0.0.1")

    supervisor.up(
        Service("web", command, cwd=served, ready=http_answers(f"http://127.0.0.1:{port}/"))
    )

    assert status(supervisor, "web").state is State.READY
    assert '"GET / HTTP/1.1" 200' in (supervisor.logs / "web.log").read_text()


def test_a_service_sees_the_environment_it_was_given(supervisor: Supervisor) -> None:
    say = (
        sys.executable,
        "-c",
        "import os; print(os.environ['LOCKSTEP_ENV'], bool(os.environ['PATH']))",
    )

    supervisor.up(Service("say", say, env={"LOCKSTEP_ENV": "test"}, restart=False))
    until(lambda: status(supervisor, "say").state is State.STOPPED)

    assert (supervisor.logs / "say.log").read_text() == "test True\n"


def test_a_server_is_launched_again_after_a_kill(supervisor: Supervisor, scratch: Path) -> None:
    valkey = RunningValkey(scratch, durable=False)

    def launch() -> Child:
        valkey.start()
        return valkey.child

    supervisor.up(Server("valkey", launch))
    url = valkey.url
    supervisor.kill("valkey")
    supervisor.wait_ready("valkey")

    assert valkey.url == url
    assert status(supervisor, "valkey").restarts == 1


def test_two_services_cannot_share_a_name(supervisor: Supervisor) -> None:
    supervisor.up(sleeper("worker"))

    with pytest.raises(LocalError, match="worker"):
        supervisor.up(sleeper("worker"))
    with pytest.raises(LocalError, match="there are: worker"):
        supervisor.kill("wroker")


def test_closing_ends_a_deaf_service_and_its_children(scratch: Path) -> None:
    with Supervisor(scratch / "logs") as supervisor:
        supervisor.up(Service("deaf", DEAF_PARENT, ready=log_says("ready"), grace_s=0.5))
        deaf = psutil.Process(status(supervisor, "deaf").pid)
        family = [deaf, *deaf.children(recursive=True)]

    assert len(family) == 2
    until(lambda: not [process for process in family if runs(process)])


def test_an_error_in_the_block_ends_the_services(scratch: Path) -> None:
    workers = []

    def block() -> None:
        with Supervisor(scratch / "logs") as supervisor:
            supervisor.up(sleeper("worker"))
            workers.append(psutil.Process(status(supervisor, "worker").pid))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        block()

    assert [runs(worker) for worker in workers] == [False]


PROGRAM = """
import sys, time
from pathlib import Path
from console.local.probes import log_says
from console.local.supervisor import Service, Supervisor, raise_on_sigterm
raise_on_sigterm()
child = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
child += "; print('ready', flush=True); time.sleep(60)"
with Supervisor(Path(sys.argv[1])) as supervisor:
    names = ["one", "two"]
    supervisor.up(*[Service(n, (sys.executable, "-c", child), ready=log_says("ready")) for n in names])
    print(*[status.pid for status in supervisor.status()], flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 128 + signal.SIGTERM),
        (signal.SIGINT, -signal.SIGINT),
        (signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_no_process_outlives_the_command(scratch: Path, number: int, code: int) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(scratch / "logs")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert program.stdout is not None
    leaders = [psutil.Process(int(pid)) for pid in program.stdout.readline().split()]
    family = leaders + [child for leader in leaders for child in leader.children(recursive=True)]

    program.send_signal(number)
    exit_code = program.wait(20)
    program.stdout.close()
    _, alive = psutil.wait_procs(family, timeout=15)

    assert len(family) == 4
    assert not alive
    assert exit_code == code


def test_a_tail_gives_each_new_line_once_with_the_name_of_its_service(scratch: Path) -> None:
    (scratch / "relay.log").write_text("old\n")
    tail = Tail(scratch)

    with (scratch / "relay.log").open("a") as relay:
        relay.write("kept\nhalf")
    (scratch / "worker.log").write_text("ready\n")
    first = list(tail.new_lines())
    with (scratch / "relay.log").open("a") as relay:
        relay.write(" and half\n")

    assert first == [("relay", "kept"), ("worker", "ready")]
    assert list(tail.new_lines()) == [("relay", "half and half")]


def test_a_process_that_says_nothing_is_ready_when_it_survives(supervisor: Supervisor) -> None:
    started = time.monotonic()

    supervisor.up(Service("quiet", SLEEPER, ready=survives(0.4)))

    assert time.monotonic() - started >= 0.4
