"""Our own servers, above all PostgreSQL: they keep what they were given and leave nothing of themselves behind."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest

from console.local import binaries, place
from console.local.errors import AlreadyRunning, BinaryMissing, LocalError, PlaceRefused
from console.local.postgres import RunningPostgres, start_postgres
from console.local.valkey import RunningValkey, start_valkey

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as another user")


@pytest.fixture
def home(scratch: Path) -> Path:
    return scratch / "a home with spaces"


@pytest.fixture
def postgres(home: Path) -> Iterator[RunningPostgres]:
    server = start_postgres(home, durable=True)
    yield server
    server.discard()


@pytest.fixture(scope="module")
def steady() -> Iterator[RunningPostgres]:
    """One server for the tests that only look."""
    folder = Path(tempfile.mkdtemp(prefix="lockstep-test-"))
    folder.chmod(0o711)
    server = start_postgres(folder / "a home with spaces", durable=True)
    yield server
    server.discard()
    shutil.rmtree(folder)


@pytest.fixture
def valkey_server(home: Path) -> Iterator[RunningValkey]:
    server = start_valkey(home, durable=True)
    yield server
    server.discard()


@pytest.fixture
def closed_home(scratch: Path) -> Path:
    """A home below a folder that only its owner may enter, as below /root."""
    private = scratch / "private"
    private.mkdir(mode=0o700)
    return private / "home"


def login(url: str) -> psycopg.Connection:
    return psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True)


def write(server: RunningPostgres, word: str) -> None:
    with closing(login(server.admin_url)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
        connection.execute("INSERT INTO words VALUES (%s)", [word])


def words(server: RunningPostgres) -> list[str]:
    with closing(login(server.admin_url)) as connection:
        return [row[0] for row in connection.execute("SELECT word FROM words ORDER BY word")]


def setting(server: RunningPostgres, url: str, name: str) -> str:
    with closing(login(url)) as connection:
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


def test_postgres_keeps_its_data_over_a_restart(postgres: RunningPostgres, home: Path) -> None:
    write(postgres, "kept")
    url = postgres.admin_url
    postgres.stop()

    again = start_postgres(home, durable=True)

    assert words(again) == ["kept"]
    assert again.admin_url == url
    again.stop()


def test_postgres_keeps_what_was_committed_before_a_kill(postgres: RunningPostgres) -> None:
    write(postgres, "before the kill")
    first = postgres.pid

    postgres.kill()
    postgres.start()

    assert words(postgres) == ["before the kill"]
    assert postgres.pid != first


def test_postgres_starts_although_its_pid_file_names_a_living_stranger(
    postgres: RunningPostgres,
) -> None:
    write(postgres, "kept")
    postgres.kill()
    pid_file = postgres.data / "postmaster.pid"
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    _, rest = pid_file.read_text().split("\n", 1)
    pid_file.write_text(f"{stranger.pid}\n{rest}")

    try:
        postgres.start()
        assert words(postgres) == ["kept"]
    finally:
        stranger.kill()
        stranger.wait()


def test_a_kept_server_is_durable_and_a_fleeting_one_is_not(
    steady: RunningPostgres, scratch: Path
) -> None:
    fleeting = start_postgres(scratch / "fleeting", durable=False)

    names = ("fsync", "synchronous_commit", "full_page_writes")
    kept = [setting(steady, steady.app_url, name) for name in names]
    fast = [setting(fleeting, fleeting.app_url, name) for name in names]

    assert (kept, fast) == (["on"] * 3, ["off"] * 3)
    fleeting.discard()


def test_the_application_login_cannot_wait_for_ever(steady: RunningPostgres) -> None:
    names = ("idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout")

    limits = [setting(steady, steady.app_url, name) for name in names]

    assert limits == ["30s", "5s", "30s"]


def test_a_login_without_its_password_is_refused(steady: RunningPostgres) -> None:
    wrong = steady.superuser_url.replace(steady.superuser_url.split("@")[0].split(":")[-1], "x")

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        login(wrong)


def test_postgres_listens_on_loopback_and_on_a_unix_socket_only(steady: RunningPostgres) -> None:
    listening = {
        connection.laddr
        for connection in psutil.Process(steady.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    sockets = [path.name for path in steady.sockets.iterdir()]

    assert listening == {("127.0.0.1", steady.port)}
    assert f".s.PGSQL.{steady.port}" in sockets


def test_two_homes_run_side_by_side(postgres: RunningPostgres, scratch: Path) -> None:
    other = start_postgres(scratch / "other", durable=False)

    write(postgres, "mine")
    write(other, "other")

    assert (words(postgres), words(other)) == (["mine"], ["other"])
    other.discard()


def test_one_home_is_served_once(steady: RunningPostgres) -> None:
    second = RunningPostgres(steady.home, durable=True, patience_s=0.1)

    with pytest.raises(AlreadyRunning, match=str(steady.pid)):
        second.start()


def test_a_stopped_server_has_no_pid_and_leaves_no_process(postgres: RunningPostgres) -> None:
    family = [psutil.Process(postgres.pid), *psutil.Process(postgres.pid).children(recursive=True)]

    postgres.stop()

    assert not [process for process in family if process.is_running()]
    with pytest.raises(LocalError, match="not running"):
        _ = postgres.pid


def test_a_home_with_a_very_long_path_still_has_a_socket(scratch: Path) -> None:
    server = start_postgres(scratch / ("long" * 40), durable=False)

    write(server, "reached")

    assert words(server) == ["reached"]
    server.discard()
    assert not server.sockets.exists()


@as_root
def test_root_hands_the_server_to_nobody(steady: RunningPostgres) -> None:
    process = psutil.Process(steady.pid)

    assert process.username() == "nobody"
    assert process.uids().real == process.uids().saved == steady.data.stat().st_uid


@as_root
def test_a_closed_home_stays_closed(closed_home: Path) -> None:
    folders = [closed_home.parent, closed_home.parent.parent]
    before = [stat.S_IMODE(folder.stat().st_mode) for folder in folders]

    server = start_postgres(closed_home, durable=True)
    write(server, "outside")
    server.stop()
    again = start_postgres(closed_home, durable=True)

    assert words(again) == ["outside"]
    assert not again.data.is_relative_to(closed_home)
    assert (closed_home / "postgres.place").read_text() == f"{again.data}\n"
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == before
    assert stat.S_IMODE(again.data.stat().st_mode) == 0o700
    outside = again.folders()
    again.discard()
    assert outside
    assert not [folder for folder in outside if folder.exists()]


@as_root
def test_binaries_below_a_closed_folder_are_copied_to_an_open_one(scratch: Path) -> None:
    user = place.server_user()
    assert user is not None
    installed = binaries.postgres_bin()
    package = scratch / "closed" / installed.parent.parent.name
    package.parent.mkdir(mode=0o700)
    package.mkdir()
    (package / installed.parent.name).symlink_to(installed.parent)
    libraries = installed.parent.parent
    package.with_name(f"{package.name}.libs").symlink_to(
        libraries.with_name(f"{libraries.name}.libs")
    )
    hidden = package / installed.parent.name / "bin"

    copied = place.reachable_install(hidden, user)

    assert copied != hidden
    answer = subprocess.run(
        [copied / "postgres", "--version"], user=user.uid, group=user.gid, extra_groups=[], cwd="/",
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "(PostgreSQL) 18" in answer.stdout
    assert place.reachable_install(hidden, user) == copied
    shutil.rmtree(copied.parents[2])
    if not list(copied.parents[3].iterdir()):
        copied.parents[3].rmdir()


@as_root
def test_a_folder_of_somebody_else_is_not_taken_over(scratch: Path) -> None:
    squatted = scratch / "lockstep-0123456789ab"
    squatted.mkdir()
    os.chown(squatted, 65534, 65534)

    with pytest.raises(PlaceRefused, match="another user"):
        place.own_folder(squatted)


@as_root
def test_a_user_without_a_name_is_told_what_postgres_wants() -> None:
    child = os.fork()
    if child == 0:
        os.setuid(54321)
        try:
            place.server_user()
        except PlaceRefused as refusal:
            os._exit(0 if "LOCKSTEP_DATABASE_URL" in str(refusal) else 1)
        os._exit(2)

    assert os.waitpid(child, 0)[1] == 0


def test_a_wrong_override_is_refused_with_the_setting_to_mend(scratch: Path) -> None:
    with pytest.raises(BinaryMissing, match="LOCKSTEP_PG_BIN"):
        binaries.postgres_bin(scratch)
    with pytest.raises(BinaryMissing, match="LOCKSTEP_REDIS_BIN"):
        binaries.redis_bin(scratch / "valkey-server")


def test_an_older_postgres_is_refused(scratch: Path) -> None:
    for name in ("postgres", "initdb"):
        fake = scratch / name
        fake.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)'\n")
        fake.chmod(0o755)

    with pytest.raises(BinaryMissing, match="PostgreSQL 15"):
        binaries.postgres_bin(scratch)


def test_passwords_stand_in_files_closed_to_others_and_in_no_command_line(
    steady: RunningPostgres, valkey_server: RunningValkey
) -> None:
    files = [steady.data.parent / "postgres.json", valkey_server.home / "valkey.conf"]
    secret = valkey_server.url.split("@")[0].split(":")[-1]

    modes = [stat.S_IMODE(file.stat().st_mode) for file in files]
    arguments = " ".join(psutil.Process(valkey_server.pid).cmdline())

    assert modes == [0o600, 0o600]
    assert secret not in arguments


STARTER = """
import sys, time
from pathlib import Path
from console.local.postgres import start_postgres
from console.local.valkey import start_valkey
home = Path(sys.argv[1])
postgres, valkey = start_postgres(home, durable=False), start_valkey(home, durable=False)
print(postgres.pid, valkey.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_servers_end_with_whoever_started_them(scratch: Path, number: int) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(scratch)], stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    pids = [int(pid) for pid in starter.stdout.readline().split()]
    family = [psutil.Process(pid) for pid in pids]

    starter.send_signal(number)
    starter.wait()
    starter.stdout.close()
    _, alive = psutil.wait_procs(family, timeout=15)

    assert len(pids) == 2
    assert not alive
