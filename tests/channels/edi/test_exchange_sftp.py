"""An SFTP server as a mailbox: who is let in, what breaks on the way, what is made anew."""

from __future__ import annotations

import io
from base64 import b64decode, b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import paramiko
import pytest

from channels.base import Unauthorised, Unavailable
from channels.edi.exchange import exchange_of, make_folders
from channels.simulators.edi.sftp import SftpFace


@pytest.fixture
def face(tmp_path: Path) -> Iterator[SftpFace]:
    make_folders(tmp_path)
    made = SftpFace(tmp_path)
    yield made
    made.stop()


def ask(face: SftpFace, **secrets: str) -> list[str]:
    ours = exchange_of(face.url, {"host_key": face.host_key, **secrets})
    try:
        return ours.inbound()
    finally:
        ours.close()


def test_a_server_with_another_key_than_the_pinned_one_is_not_told_our_secret(
    face: SftpFace,
) -> None:
    other = SftpFace(face.root)
    other.stop()

    with pytest.raises(Unauthorised, match="another key"):
        ask(face, host_key=other.host_key, password=face.password)


def test_a_line_of_a_key_scan_or_a_fingerprint_may_be_pinned(face: SftpFace) -> None:
    kind, text = face.host_key.split()
    fingerprint = f"SHA256:{b64encode(sha256(b64decode(text)).digest()).decode().rstrip('=')}"

    assert ask(face, host_key=f"[127.0.0.1]:22 {kind} {text} x", password=face.password) == []
    assert ask(face, host_key=fingerprint, password=face.password) == []


def test_nothing_pinned_is_no_connection(face: SftpFace) -> None:
    with pytest.raises(Unauthorised, match="no host_key is pinned"):
        ask(face, host_key="", password=face.password)


def test_a_wrong_password_stops_the_lane(face: SftpFace) -> None:
    with pytest.raises(Unauthorised, match="does not accept user 'lockstep'"):
        ask(face, password="wrong")


def test_a_key_opens_the_door(face: SftpFace) -> None:
    key, text = paramiko.RSAKey.generate(2048), io.StringIO()
    key.write_private_key(text, password="sesame")
    face.key = key.get_base64()

    assert ask(face, key=text.getvalue(), key_password="sesame") == []
    with pytest.raises(Unauthorised, match="cannot be read"):
        ask(face, key=text.getvalue(), key_password="wrong")


def test_a_broken_connection_is_made_anew(face: SftpFace) -> None:
    ours = exchange_of(face.url, {"host_key": face.host_key, "password": face.password})
    assert ours.inbound() == []
    face.hang_up()

    with pytest.raises(Unavailable):
        ours.inbound()
    assert ours.inbound() == []
    ours.close()


def test_a_rename_that_never_happened_leaves_the_file_to_be_taken_again(face: SftpFace) -> None:
    ours = exchange_of(face.url, {"host_key": face.host_key, "password": face.password}, quiet_s=0)
    (face.root / "inbound" / "850.edi").write_bytes(b"whole")
    cut: list[str] = []

    def cut_short(path: str) -> None:
        if not cut:
            cut.append(path)
            raise OSError(5, "the power is gone")

    face.before_rename = cut_short

    with pytest.raises(Unavailable):
        ours.archive("850.edi")
    assert ours.take("850.edi") == b"whole"
    ours.archive("850.edi")

    assert cut
    assert ours.inbound() == []
    ours.close()


def test_a_server_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    make_folders(tmp_path)
    gone = SftpFace(tmp_path)
    gone.stop()

    with pytest.raises(Unavailable):
        ask(gone, password=gone.password)
