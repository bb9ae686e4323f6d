"""The wheel holds everything that runs: installed alone, it answers from its own files."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.servers import Database

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("ledger", "allocation", "channels", "reconcile", "workers", "console")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [
        str(Path(sys.executable).with_name("uv")), "build", "--wheel", "--no-build-isolation",
        "--python", sys.executable, "--offline", "--out-dir", str(folder),
    ]  # fmt: skip
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (found,) = folder.glob("lockstep-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `lockstep` of an environment that has the wheel, and from ours only what it needs."""
    folder = tmp_path_factory.mktemp("alone")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    install = [
        str(Path(sys.executable).with_name("uv")), "pip", "install", "--python", str(python),
        "--offline", "--no-deps", str(wheel),
    ]  # fmt: skip
    subprocess.run(install, check=True, capture_output=True)
    # A path in a .pth is only searched: the editable install of this folder, itself a .pth there, stays out.
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "needed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin" / "lockstep"


def test_every_file_of_a_room_is_in_the_wheel(wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", *ROOMS, "celeryconfig.py"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("only a repository knows which files are its own")
    kept = {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}

    held = set(zipfile.ZipFile(wheel).namelist())

    assert {name for name in kept if name.startswith("console/pages/templates/")} <= held
    assert kept - held == set()


def test_what_was_installed_is_what_runs(installed: Path, tmp_path: Path) -> None:
    where = "import console, ledger; print(console.__file__, ledger.__file__)"

    said = subprocess.run(
        [installed.with_name("python"), "-c", where],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    version = subprocess.run(
        [installed, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert all(path.startswith(str(installed.parents[1])) for path in said.stdout.split())
    assert version.stdout.startswith("lockstep, version ")


def test_its_workers_find_their_queues(installed: Path, database: Database, tmp_path: Path) -> None:
    where = (
        "from workers.app import app; print(sorted(queue.name for queue in app.conf.task_queues))"
    )

    said = subprocess.run(
        [installed.with_name("python"), "-c", where],
        cwd=tmp_path, env=surroundings(database, tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "'push.shopify'" in said.stdout, said.stderr


def test_it_finds_its_migrations(installed: Path, database: Database, tmp_path: Path) -> None:
    said = subprocess.run(
        [installed, "db", "status"],
        cwd=tmp_path, env=surroundings(database, tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert said.returncode == 0, said.stderr


@pytest.fixture
def served(installed: Path, database: Database, tmp_path: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = surroundings(database, tmp_path) | {"LOCKSTEP_API_PORT": str(port)}
    api = subprocess.Popen([installed, "serve", "api"], cwd=tmp_path, env=told)
    url = f"http://127.0.0.1:{port}"
    ends_s = time.monotonic() + 60
    while not answers(url):
        assert api.poll() is None
        assert time.monotonic() < ends_s
        time.sleep(0.1)
    yield url
    api.terminate()
    api.wait(30)


def test_it_serves_pages_with_their_styles_and_scripts(served: str) -> None:
    page = requests.get(f"{served}/login", headers={"Accept": "text/html"}, timeout=30)
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    answers = {file: requests.get(served + file, timeout=30).status_code for file in files}

    assert page.status_code == 200
    assert len(files) > 3
    assert set(answers.values()) == {200}


def surroundings(database: Database, folder: Path) -> dict[str, str]:
    """Nothing of this folder's: the database, and a home of its own."""
    return {
        "PATH": "/usr/bin:/bin",
        "LOCKSTEP_DATABASE_URL": database.app_url,
        "LOCKSTEP_DATABASE_ADMIN_URL": database.admin_url,
        "LOCKSTEP_REDIS_URL": "redis://127.0.0.1:1/0",
        "LOCKSTEP_HOME": str(folder / "home"),
    }


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=1).ok
    except requests.RequestException:
        return False
