"""The partner's mailbox over SFTP: one folder, one user, a real SSH server on a free port. Wants paramiko."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import posixpath
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import paramiko
from paramiko import SFTPAttributes, SFTPHandle
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)
from paramiko.sftp import SFTP_OK

_ACCEPT_S = 0.2
_START_S = 10.0
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


class SftpFace:
    """Serves `root` until `stop`.

    password       of `user`;  `key`: the base64 of a public key that is let in too
    host_key       the line a client pins: `ecdsa-sha2-nistp256 AAAA...`
    before_rename  called before every rename; raise there to cut a client's step short
    """

    def __init__(
        self,
        root: Path,
        *,
        user: str = "lockstep",
        password: str = "mailbox",
        key: str = "",
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.root, self.user, self.password, self.key = root, user, password, key
        self.before_rename: Callable[[str], None] = lambda _: None
        self._key = paramiko.ECDSAKey.generate()
        self.host_key = f"{self._key.get_name()} {self._key.get_base64()}"
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((host, port))
        self._socket.listen(50)
        self._socket.settimeout(_ACCEPT_S)
        self.host, self.port = host, int(self._socket.getsockname()[1])
        self._stopped = threading.Event()
        self._transports: list[paramiko.Transport] = []
        self._thread = threading.Thread(target=self._serve, name=f"sftp-{self.port}", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """For a client that knows the secrets; the mailbox is the root of what it sees."""
        return f"sftp://{self.user}@{self.host}:{self.port}/"

    def hang_up(self) -> None:
        """Break every connection there is."""
        for transport in self._transports:
            transport.close()
        self._transports.clear()

    def stop(self) -> None:
        """Break every connection and give the port back."""
        self._stopped.set()
        self._thread.join(5)
        self._socket.close()
        self.hang_up()

    def _serve(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._socket.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            threading.Thread(target=self._greet, args=(connection,), daemon=True).start()

    def _greet(self, connection: socket.socket) -> None:
        connection.settimeout(_START_S)
        transport = paramiko.Transport(connection)
        transport.add_server_key(self._key)
        transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Folder, self)
        self._transports.append(transport)
        # A client that dislikes our key, or is only a port scan, is none of our business.
        with contextlib.suppress(paramiko.SSHException, OSError, EOFError):
            transport.start_server(server=_Door(self))


class _Door(paramiko.ServerInterface):
    def __init__(self, face: SftpFace) -> None:
        self._face = face

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"

    def check_auth_password(self, username: str, password: str) -> int:
        right = (username, password) == (self._face.user, self._face.password)
        return AUTH_SUCCESSFUL if right else AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        right = username == self._face.user and bool(self._face.key)
        right = right and key.get_base64() == self._face.key
        return AUTH_SUCCESSFUL if right else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        if kind == "session":
            return OPEN_SUCCEEDED
        return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED


class _Folder(paramiko.SFTPServerInterface):
    """The root folder as clients see it; nothing outside of it can be named."""

    def __init__(self, server: paramiko.ServerInterface, face: SftpFace) -> None:
        super().__init__(server)
        self._face = face

    def _real(self, path: str) -> Path:
        inside = posixpath.normpath("/" + path).lstrip("/")
        return self._face.root / inside

    def list_folder(self, path: str) -> Any:
        def look() -> list[SFTPAttributes]:
            found = []
            for one in self._real(path).iterdir():
                with contextlib.suppress(FileNotFoundError):
                    found.append(SFTPAttributes.from_stat(one.lstat(), one.name))
            return found

        return _done(look)

    def stat(self, path: str) -> Any:
        return _done(lambda: SFTPAttributes.from_stat(self._real(path).stat()))

    def lstat(self, path: str) -> Any:
        return _done(lambda: SFTPAttributes.from_stat(self._real(path).lstat()))

    def open(self, path: str, flags: int, attr: SFTPAttributes) -> Any:
        def opened() -> SFTPHandle:
            number = os.open(self._real(path), flags, 0o644)
            mode = "rb" if flags & 3 == os.O_RDONLY else "r+b" if flags & os.O_RDWR else "wb"
            file: IO[bytes] = os.fdopen(number, mode)
            handle = SFTPHandle(flags)
            # paramiko's own handle reads and writes the files it finds under these two names.
            handle.readfile = file if flags & 3 != os.O_WRONLY else None  # type: ignore[attr-defined] # set by whoever makes it
            handle.writefile = file if flags & 3 != os.O_RDONLY else None  # type: ignore[attr-defined] # set by whoever makes it
            return handle

        return _done(opened)

    def remove(self, path: str) -> int:
        return _code(lambda: self._real(path).unlink())

    def rename(self, oldpath: str, newpath: str) -> int:
        def move() -> None:
            self._face.before_rename(oldpath)
            old, new = self._real(oldpath), self._real(newpath)
            # As OpenSSH does it: a second name, then the first one goes; nothing is replaced.
            os.link(old, new)
            old.unlink()

        return _code(move)

    def mkdir(self, path: str, attr: SFTPAttributes) -> int:
        return _code(lambda: self._real(path).mkdir())


def _done(work: Callable[[], Any]) -> Any:
    """What `work` returns, or SFTP's code for why it could not."""
    try:
        return work()
    except OSError as error:
        return paramiko.SFTPServer.convert_errno(error.errno or errno.EIO)


def _code(work: Callable[[], object]) -> int:
    answer = _done(work)
    return answer if isinstance(answer, int) else SFTP_OK
