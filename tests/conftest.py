"""Fixtures of all tests: real PostgreSQL and Valkey, a held clock, no way out to the network.

    def test_a_repeated_delivery_changes_nothing(database: Database, clock: Clock) -> None:
        with database.engine.begin() as connection: ...

`database`  a migrated database of the test's own, as new (see `tests/databases.py`): `.engine` is the application role,
            `.owner` the schema's owner, `.superuser` the superuser; `.app_url`, `.admin_url`, `.superuser_url`.
`bare_database`  the same, but empty: for tests of the migrations themselves.
`valkey`    the `redis://` URL of an empty database number of the test's own.
`rig`       a simulated Shopify shop as new, behind HTTP, and our client of it (`tests/channels/shopify_rig.py`).
`clock`     `.now` (aware, UTC) stands still until `.advance(seconds)`.
`scratch`   a folder the embedded servers can use as a home, removed afterwards; kill tests start their own servers
            in it (`start_postgres(scratch, durable=True)`), because the shared pair serves every other test.

One server pair serves the whole run: started at first use, or with pytest-xdist by the controller, which hands the
addresses to its workers. The types are in `tests/servers.py`: `from tests.databases import Servers, Shelf, copy
from tests.servers import Clock, Database`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis
from hypothesis import HealthCheck, settings

from console.local.cluster import APP, OWNER, SUPERUSER
from console.local.lifeline import lifeline
from console.local.postgres import RunningPostgres, start_postgres
from console.local.valkey import DATABASES, RunningValkey, start_valkey
from tests.databases import Servers, Shelf, copy
from tests.inside import stay_inside
from tests.servers import Clock, Database

if TYPE_CHECKING:
    from channels.simulators.serve import Running
    from tests.channels.shopify_rig import ShopifyRig

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in its background deaf to SIGINT, and the commands under test would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Busy machines are slow now and then; how many houses a property is tried with is `--hypothesis-profile`'s to say.
_CALMLY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("short", _CALMLY)
settings.register_profile("proof", _CALMLY, max_examples=10_000)
settings.load_profile("short")

TEMPLATE = "lockstep_template"
TEMPLATE_LOCK = 7_305_200_116


class Pair:
    """The two embedded servers, started once and removed with the run."""

    def __init__(self) -> None:
        self.home = _scratch_home()
        self.postgres: RunningPostgres = start_postgres(self.home, durable=False)
        for folder in self.postgres.folders():
            lifeline().remove(folder)
        self.valkey: RunningValkey = start_valkey(self.home, durable=False)

    def servers(self) -> Servers:
        superuser, admin, app = (
            self.postgres.url(role, "X").removesuffix("X") + "{database}"
            for role in (SUPERUSER, OWNER, APP)
        )
        return Servers(superuser, admin, app, self.valkey.url.removesuffix("0") + "{database}")

    def close(self) -> None:
        self.valkey.discard()
        self.postgres.discard()
        shutil.rmtree(self.home, ignore_errors=True)


_pair = pytest.StashKey[Pair]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """In the controller of pytest-xdist: one pair for all workers, its addresses sent to each."""
    if _pair not in node.config.stash:
        node.config.stash[_pair] = Pair()
    node.workerinput["servers"] = json.dumps(asdict(node.config.stash[_pair].servers()))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a worker of pytest-xdist: files with slow tests come first, so that none is begun when all others are done."""
    if hasattr(config, "workerinput"):
        slow = {
            item.path
            for item in items
            if item.get_closest_marker("slow") or item.get_closest_marker("browser")
        }
        items.sort(key=lambda item: item.path not in slow)


def pytest_unconfigure(config: pytest.Config) -> None:
    """The pair ends with the process that started it."""
    pair = config.stash.get(_pair, None)
    if pair is not None:
        del config.stash[_pair]
        pair.close()


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Servers:
    """The server pair of this run, shared by every test."""
    handed_down = getattr(request.config, "workerinput", {}).get("servers")
    if handed_down is not None:
        return Servers(**json.loads(handed_down))
    if _pair not in request.config.stash:
        request.config.stash[_pair] = Pair()
    return request.config.stash[_pair].servers()


@pytest.fixture(scope="session")
def template(servers: Servers) -> str:
    """The name of a migrated database to copy; the first to ask makes it, the others wait."""
    # Imported here: alembic is slow to import, and a run of pure tests needs no database.
    from ledger.migrate import upgrade

    with servers.connect() as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])
        row = connection.execute(
            "SELECT datistemplate FROM pg_database WHERE datname = %s", [TEMPLATE]
        ).fetchone()
        if row is None:
            copy(connection, TEMPLATE, "template0")
            upgrade(servers.admin_url.format(database=TEMPLATE))
            connection.execute(f"ALTER DATABASE {TEMPLATE} IS_TEMPLATE true")
        elif row[0] is False:
            pytest.fail("the migrations failed in another worker: see the first error")
    return TEMPLATE


@pytest.fixture(scope="session")
def shelf(servers: Servers, template: str) -> Iterator[Shelf]:
    """The migrated databases of this process."""
    shelf = Shelf(servers, template)
    yield shelf
    shelf.close()


@pytest.fixture
def database(shelf: Shelf) -> Iterator[Database]:
    """A migrated database of the test's own."""
    database = shelf.lend()
    yield database
    shelf.take_back(database)


@pytest.fixture
def bare_database(servers: Servers) -> Iterator[Database]:
    """An empty database of the test's own, owned by `lockstep`."""
    database = servers.create("template0")
    yield database
    database.dispose()
    servers.drop(database)


@pytest.fixture
def valkey(servers: Servers, worker_number: int) -> Iterator[str]:
    """The URL of an empty Valkey database that no other worker uses."""
    url = servers.valkey_url.format(database=1 + worker_number % (DATABASES - 1))
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield url
        client.flushdb()


@pytest.fixture(scope="session")
def simulated_shop() -> Iterator[Running]:
    """Shopify's simulator on a port of this process; `rig` empties it for each test."""
    from tests.channels.shopify_rig import a_shop

    with a_shop() as running:
        yield running


@pytest.fixture
def rig(simulated_shop: Running) -> Iterator[ShopifyRig]:
    """The simulated shop as new, our client of it, and the hands of the merchant and the buyers."""
    from tests.channels.shopify_rig import ShopifyRig

    rig = ShopifyRig(simulated_shop)
    yield rig
    rig.close()


@pytest.fixture(scope="session")
def worker_number() -> int:
    """Which worker of pytest-xdist this is, from 0."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


@pytest.fixture
def clock() -> Clock:
    """A clock the test holds."""
    return Clock()


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A short, private-to-us folder the embedded servers can reach; removed afterwards."""
    home = _scratch_home()
    yield home
    shutil.rmtree(home, ignore_errors=True)


def _scratch_home() -> Path:
    """Passable for the user PostgreSQL runs as when we are root; pytest's own tmp_path is not."""
    home = Path(tempfile.mkdtemp(prefix="lockstep-test-")).resolve()
    home.chmod(0o711)
    lifeline().remove(home)
    return home


stay_inside()
