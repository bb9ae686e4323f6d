"""A whole Lockstep on one machine: servers, schema, simulators, relay, workers, beat, Flower.

    with Stack(settings()) as stack:
        stack.up()
        print(stack.relay_url)
        stack.supervisor.kill("worker-prefork")

A server named in the settings (`LOCKSTEP_DATABASE_URL`, `LOCKSTEP_REDIS_URL`) is used as it is and never stopped;
an empty one is replaced by our own. The settings that the processes were given stand in `stack.json` in the home, so
that a command in another terminal finds the stack (`attached`).
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import IO

from pydantic import SecretStr

from console.local import layout, ports
from console.local.child import Child
from console.local.errors import AlreadyRunning, LocalError
from console.local.layout import ENTRY, LAPTOP, Played, Worker
from console.local.lifeline import lifeline
from console.local.postgres import RunningPostgres
from console.local.supervisor import Server, Service, Supervisor
from console.local.valkey import RunningValkey
from workers.settings import Settings

_STATE = "stack.json"
_FACTS = "simulators.json"


class Stack(AbstractContextManager["Stack"]):
    """The processes of one home; they end with the block.

    settings    on the way in: the wishes. `.settings` afterwards: what the processes are told, every address filled in
    postgres    our own server, None when one was given
    valkey      our own server, None when one was given
    supervisor  to kill, freeze, stop and start single services by name
    """

    def __init__(
        self,
        settings: Settings,
        *,
        ephemeral: bool = False,
        in_its_home: bool = False,
        workers: Sequence[Worker] = LAPTOP,
        entry: Sequence[str] = ENTRY,
    ) -> None:
        """Take the home and start nothing yet.

        ephemeral  a new home in the temporary folder, fast servers, all of it removed at the end
        in_its_home  an ephemeral one takes the home of the settings, where commands in other terminals look for it
        workers    how the queues are shared out among workers
        entry      the command line that `serve relay`, `worker`, ... are appended to
        raises     AlreadyRunning when another stack holds the home, LocalError when one that shall go holds anything
        """
        if ephemeral:
            self.home = _passing(settings.home.absolute()) if in_its_home else _new_home()
        else:
            self.home = settings.home.absolute()
        self.home.mkdir(parents=True, exist_ok=True)
        self.ephemeral = ephemeral
        self.postgres: RunningPostgres | None = None
        self.valkey: RunningValkey | None = None
        self.simulators: dict[str, Played] = {}
        self._doors_settled = False
        self._lock = _hold(self.home)
        self._workers = tuple(workers)
        self._entry = tuple(entry)
        self.settings = settings.model_copy(update={"home": self.home})
        self.supervisor = Supervisor(self.home / "logs")

    @property
    def relay_url(self) -> str:
        """Where webhooks are delivered."""
        return f"http://{self.settings.relay_host}:{self.settings.relay_port}"

    @property
    def dashboard_url(self) -> str:
        """The pages for people, once they were started; the API is under /api/v1."""
        return f"http://{self.settings.relay_host}:{self.settings.api_port}"

    @property
    def flower_url(self) -> str:
        """Celery's monitor; user and password are in `.settings`."""
        return f"http://{self.settings.flower_host}:{self.settings.flower_port}"

    @property
    def admin_url(self) -> str:
        """SQLAlchemy URL of the schema's owner."""
        return self.settings.database_admin_url or self.settings.database_url

    def up(
        self, *, simulators: Sequence[str] | Mapping[str, str] = (), dashboard: bool = False
    ) -> None:
        """Everything, in order; each step returns when it is ready. See the single steps for what they raise.

        simulators    names of the channels whose vendors are played, with their kinds where they are not Shopify
        """
        self.start_servers(simulators)
        self.migrate()
        self.start_processes(dashboard=dashboard)

    def start_servers(self, simulators: Sequence[str] | Mapping[str, str] = ()) -> None:
        """Our own PostgreSQL and Valkey, where none was given, and simulators of vendors.

        simulators    a name for each account to be played, all at Shopify, or name -> kind (shopify, amazon, square,
                      edi); `.simulators` says what they are, and the settings hold their secrets and, for a channel
                      that was not named in them, its queue
        raises        BinaryMissing, PlaceRefused, AlreadyRunning, NotReady
        """
        facts = self.home / _FACTS
        facts.unlink(missing_ok=True)
        group: list[Service | Server] = []
        if simulators:
            # First, because the slow part of its start needs nothing of the others.
            kinds = _kinds(simulators)
            group.append(layout.simulators(self.settings, kinds, facts, self._entry))
        if not self.settings.database_url:
            group.append(self._postgres())
        if not self.settings.redis_url:
            group.append(self._valkey())
        self.supervisor.up(*group)
        self._tell(self._servers_told())
        if simulators:
            self._know(layout.played(facts.read_text()))

    def migrate(self) -> None:
        """Bring the schema to the newest version."""
        # Alembic takes a second to import; `--help` shall not pay for it.
        from ledger.migrate import upgrade

        upgrade(self.admin_url)

    def start_processes(self, *, dashboard: bool = False) -> None:
        """Doors and workers side by side, which takes half the time of one after the other."""
        self._settle_doors()
        pages = [self._dashboard()] if dashboard else []
        self.supervisor.up(*self._doors(), *pages, *self._hands())

    def start_doors(self) -> None:
        """Relay and Flower, on their ports when these are free, else on others."""
        self._settle_doors()
        self.supervisor.up(*self._doors())

    def start_workers(self) -> None:
        """The workers and beat."""
        self.supervisor.up(*self._hands())

    def start_dashboard(self) -> None:
        """The API with the dashboard, on its port when that is free, else on another; one that runs will do."""
        if "api" not in {status.name for status in self.supervisor.status()}:
            self.supervisor.up(self._dashboard())

    def environment(self) -> Mapping[str, str]:
        """The `LOCKSTEP_*` variables of its processes."""
        return layout.environment(self.settings)

    def close(self) -> None:
        """End every process, last started first; an ephemeral home is removed. May be called twice."""
        self.supervisor.close()
        (self.home / _STATE).unlink(missing_ok=True)
        if self.ephemeral:
            if self.postgres is not None:
                self.postgres.discard()
            shutil.rmtree(self.home, ignore_errors=True)
        self._lock.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _settle_doors(self) -> None:
        """Choose the ports once; a simulator must know where to deliver before the relay runs."""
        if self._doors_settled:
            return
        self._doors_settled = True
        password = self.settings.flower_password.get_secret_value() or secrets.token_urlsafe(12)
        self._tell(
            {
                "relay_port": ports.free_port(self.settings.relay_port),
                "flower_port": ports.free_port(self.settings.flower_port),
                "flower_password": SecretStr(password),
            }
        )

    def _dashboard(self) -> Service:
        self._tell({"api_port": ports.free_port(self.settings.api_port)})
        return layout.api(self.settings, self._entry)

    def _doors(self) -> list[Service]:
        return [
            layout.relay(self.settings, self._entry),
            layout.flower(self.settings, self._entry),
        ]

    def _hands(self) -> list[Service]:
        workers = [layout.worker(self.settings, worker, self._entry) for worker in self._workers]
        return [*workers, layout.beat(self.settings, self._entry)]

    def _postgres(self) -> Server:
        server = RunningPostgres(self.home, durable=not self.ephemeral, pg_bin=self.settings.pg_bin)
        if self.ephemeral:
            for folder in server.folders():
                lifeline().remove(folder)
        self.postgres = server
        return Server("postgres", _launcher(server))

    def _valkey(self) -> Server:
        server = RunningValkey(
            self.home, durable=not self.ephemeral, redis_bin=self.settings.redis_bin
        )
        self.valkey = server
        return Server("valkey", _launcher(server))

    def _servers_told(self) -> dict[str, object]:
        update: dict[str, object] = {}
        if self.postgres is not None:
            update["database_url"] = self.postgres.app_url
            update["database_admin_url"] = self.postgres.admin_url
        if self.valkey is not None:
            update["redis_url"] = self.valkey.url
        return update

    def _know(self, simulators: dict[str, Played]) -> None:
        """Their secrets into the settings; what the settings say already stays."""
        self.simulators = simulators
        said = self.settings.channel_secrets.get_secret_value().strip() or "{}"
        known: dict[str, object] = {name: one.secrets() for name, one in simulators.items()}
        known |= json.loads(said)
        queues = dict.fromkeys((*self.settings.channels, *simulators))
        self._tell({"channel_secrets": SecretStr(json.dumps(known)), "channels": tuple(queues)})

    def _tell(self, update: Mapping[str, object]) -> None:
        self.settings = self.settings.model_copy(update=update)
        self._remember()

    def _remember(self) -> None:
        """For commands in other terminals; closed to other users, since it holds passwords."""
        state = {
            "pid": os.getpid(),
            "environment": dict(self.environment()),
            "simulators": {name: one.base_url for name, one in self.simulators.items()},
        }
        draft = self.home / f"{_STATE}.draft"
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(state, indent=1))
        draft.replace(self.home / _STATE)


def _kinds(simulators: Sequence[str] | Mapping[str, str]) -> Mapping[str, str]:
    if isinstance(simulators, Mapping):
        return simulators
    return dict.fromkeys(simulators, layout.PLAYED)


def attached(settings: Settings) -> Settings:
    """The settings with what the stack that runs in their home was told: addresses, name, secrets of its channels.

    Settings that name a database and a Redis are returned as they are.
    raises  LocalError when they name none and no stack runs there
    """
    if settings.database_url and settings.redis_url:
        return settings
    told = _state(settings.home)["environment"]
    secretless = not settings.channel_secrets_file and (
        settings.channel_secrets.get_secret_value().strip() in ("", "{}")
    )
    secrets_told = SecretStr(told.get("LOCKSTEP_CHANNEL_SECRETS", "{}"))
    return settings.model_copy(
        update={
            "env": told["LOCKSTEP_ENV"],
            "channels": tuple(told["LOCKSTEP_CHANNELS"].split(",")),
            "channel_secrets": secrets_told if secretless else settings.channel_secrets,
            "database_url": settings.database_url or told["LOCKSTEP_DATABASE_URL"],
            "database_admin_url": settings.database_admin_url
            or (told["LOCKSTEP_DATABASE_ADMIN_URL"] if not settings.database_url else ""),
            "redis_url": settings.redis_url or told["LOCKSTEP_REDIS_URL"],
            "relay_port": int(told["LOCKSTEP_RELAY_PORT"]),
        }
    )


def dashboard_of(home: Path) -> str:
    """Where the dashboard of the stack in this home is; raises LocalError when none runs there."""
    told = _state(home)["environment"]
    return f"http://{told['LOCKSTEP_RELAY_HOST']}:{told['LOCKSTEP_API_PORT']}"


def played_in(home: Path) -> dict[str, Played]:
    """The accounts that are played in the stack of this home, by name; raises LocalError when no stack runs there."""
    _state(home)
    facts = home / _FACTS
    return layout.played(facts.read_text()) if facts.exists() else {}


def forget(home: Path) -> None:
    """Remove a home and what it keeps elsewhere (see `place`), for good.

    raises  AlreadyRunning when a stack runs in it
    """
    if not home.exists():
        return
    with _hold(home):
        if (home / "postgres.place").exists():
            RunningPostgres(home, durable=True).discard()
        shutil.rmtree(home)


def _state(home: Path) -> dict[str, dict[str, str]]:
    path = home / _STATE
    if not (path.exists() and _is_held(home)):
        raise LocalError(
            f"no stack runs in {home.absolute()}: start one with `lockstep up`,"
            " or set LOCKSTEP_DATABASE_URL and LOCKSTEP_REDIS_URL"
        )
    state: dict[str, dict[str, str]] = json.loads(path.read_text())
    return state


def _is_held(home: Path) -> bool:
    try:
        _hold(home).close()
    except AlreadyRunning:
        return True
    return False


def _hold(home: Path) -> IO[str]:
    """Take the home for this process; the kernel gives it back however we end."""
    lock = (home / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise AlreadyRunning(
            f"a stack runs in {home} already: stop it, or choose another LOCKSTEP_HOME"
        ) from None
    return lock


def _launcher(server: RunningPostgres | RunningValkey) -> Callable[[], Child]:
    def launch() -> Child:
        server.start()
        return server.child

    return launch


def _passing(home: Path) -> Path:
    """A home that goes when its stack ends: nothing of anybody's may be in it."""
    home.mkdir(parents=True, exist_ok=True)
    found = sorted(entry.name for entry in home.iterdir() if entry.name != "lock")
    if found:
        _hold(home).close()
        raise LocalError(
            f"{home} holds a house already ({', '.join(found[:3])}), which stays as it is: set LOCKSTEP_HOME"
            " to a folder that is not there, here and for the commands in other terminals"
        )
    home.chmod(0o711)
    lifeline().remove(home)
    return home


def _new_home() -> Path:
    """Passable for the user PostgreSQL runs as when we are root, and removed even when we are killed."""
    home = Path(tempfile.mkdtemp(prefix="lockstep-")).resolve()
    home.chmod(0o711)
    lifeline().remove(home)
    return home
