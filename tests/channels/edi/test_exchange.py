"""Files change hands with a partner: whole, once, never overwritten, whatever is cut short. The same for both disks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest

from channels.base import ChannelError, Refused, Unavailable
from channels.edi.exchange import Exchange, FolderExchange, exchange_of, make_folders
from channels.edi.sftp import SftpExchange
from channels.simulators.edi.sftp import SftpFace

Kind = Literal["folder", "sftp"]


@dataclass
class Post:
    """One mailbox, both sides of it: `ours` is what we use, `root` is where the partner has its hands."""

    root: Path
    open: Callable[..., Exchange]
    face: SftpFace | None

    @property
    def ours(self) -> Exchange:
        return self.open()

    def arrives(self, name: str, body: bytes = b"ISA", *, ago_s: float = 60) -> Path:
        path = self.root / "inbound" / name
        path.write_bytes(body)
        self.aged(path, ago_s)
        return path

    def aged(self, path: Path, ago_s: float) -> None:
        at_s = int(time.time()) - ago_s
        os.utime(path, (at_s, at_s))

    def lies_in(self, folder: str) -> dict[str, bytes]:
        found = (self.root / folder).rglob("*")
        return {path.name: path.read_bytes() for path in found if path.is_file()}


@pytest.fixture(params=["folder", "sftp"])
def post(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Post]:
    make_folders(tmp_path)
    if request.param == "folder":
        yield Post(tmp_path, lambda **more: FolderExchange(tmp_path, **more), None)
        return
    face = SftpFace(tmp_path)
    opened: list[SftpExchange] = []

    def connect(**more: float) -> Exchange:
        made = SftpExchange(
            face.host, face.port, face.user, "/",
            host_key=face.host_key, password=face.password, quiet_s=more.get("quiet_s", 2.0),
            max_bytes=int(more.get("max_bytes", 1_000_000)),
        )  # fmt: skip
        opened.append(made)
        return made

    yield Post(tmp_path, connect, face)
    for one in opened:
        one.close()
    face.stop()


def code_of(problem: pytest.ExceptionInfo[Refused]) -> str:
    return problem.value.code


def test_what_arrives_is_seen_oldest_first(post: Post) -> None:
    post.arrives("b.edi", ago_s=50)
    post.arrives("c.edi", ago_s=90)
    post.arrives("a.edi", ago_s=50)

    assert post.ours.inbound() == ["c.edi", "a.edi", "b.edi"]


@pytest.mark.parametrize("name", ["x.edi.tmp", "x.PART", "x.filepart", ".x.edi", "a\\b", "a\nb"])
def test_drafts_and_hidden_files_are_left_alone(post: Post, name: str) -> None:
    post.arrives(name)

    assert post.ours.inbound() == []


def test_folders_and_links_are_left_alone(post: Post, tmp_path: Path) -> None:
    (post.root / "inbound" / "folder").mkdir()
    secret = tmp_path / "secret"
    secret.write_text("not for you")
    (post.root / "inbound" / "link.edi").symlink_to(secret)

    assert post.ours.inbound() == []
    with pytest.raises(Refused):
        post.ours.take("link.edi")


def test_a_file_that_a_slow_writer_still_writes_is_left_alone(post: Post) -> None:
    path = post.root / "inbound" / "slow.edi"
    ours = post.open(quiet_s=1.5)
    seen: list[list[str]] = []
    with path.open("wb", buffering=0) as slow:
        for piece in (b"ISA", b"GS", b"ST"):
            slow.write(piece)
            seen.append(ours.inbound())
            time.sleep(0.2)
    post.aged(path, 3)

    assert seen == [[], [], []]
    assert ours.inbound() == ["slow.edi"]
    assert ours.take("slow.edi") == b"ISAGSST"


def test_a_file_whose_time_was_set_into_the_future_is_not_being_written(post: Post) -> None:
    post.arrives("dated.edi", ago_s=-86_400)

    assert post.ours.inbound() == ["dated.edi"]


def test_a_taken_file_stays_until_it_is_archived(post: Post) -> None:
    path = post.arrives("850.edi", b"ISA*whole~")
    day = datetime.fromtimestamp(path.stat().st_mtime, UTC).date().isoformat()

    assert post.ours.take("850.edi") == b"ISA*whole~"
    assert post.ours.inbound() == ["850.edi"], "we died before the commit: it is taken again"
    post.ours.archive("850.edi")

    assert post.ours.inbound() == []
    assert (post.root / "archive" / day / "850.edi").read_bytes() == b"ISA*whole~"


def test_archiving_never_overwrites(post: Post) -> None:
    for body in (b"one", b"two", b"three"):
        post.arrives("850.edi", body)
        post.ours.archive("850.edi")

    kept = post.lies_in("archive")
    assert kept == {"850.edi": b"one", "850.edi.2": b"two", "850.edi.3": b"three"}


def test_archiving_what_is_gone_is_harmless(post: Post) -> None:
    post.ours.archive("never.edi")
    post.ours.fail("never.edi", "unreadable")

    assert post.lies_in("archive") == post.lies_in("failed") == {}


def test_what_cannot_be_read_is_put_aside_with_the_reason(post: Post) -> None:
    post.arrives("odd.edi", b"hello")
    post.ours.fail("odd.edi", "no ISA in it: ask the partner what it is")
    post.arrives("odd.edi", b"again")
    post.ours.fail("odd.edi", "still none")

    assert post.lies_in("failed") == {
        "odd.edi": b"hello",
        "odd.edi.reason.txt": b"no ISA in it: ask the partner what it is\n",
        "odd.edi.2": b"again",
        "odd.edi.2.reason.txt": b"still none\n",
    }


def test_a_file_larger_than_the_limit_is_refused_by_name(post: Post) -> None:
    post.arrives("huge.edi", b"x" * 2_001)

    with pytest.raises(Refused, match=r"huge\.edi has 2001 bytes, more than 2000") as refused:
        post.open(max_bytes=2_000).take("huge.edi")

    assert code_of(refused) == "too-large"


def test_a_file_that_another_taker_put_away_is_told(post: Post) -> None:
    with pytest.raises(Refused, match=r"850\.edi is no longer") as refused:
        post.ours.take("850.edi")

    assert code_of(refused) == "gone"


BAD_NAMES = ["", ".", "..", "../x", "a/b", "/etc/passwd", "a\\b", ".hidden", "a\x00b", "x" * 300]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_never_leads_out_of_the_mailbox(post: Post, name: str) -> None:
    ours = post.ours
    verbs: list[Callable[[], object]] = [
        lambda: ours.take(name),
        lambda: ours.archive(name),
        lambda: ours.fail(name, "why"),
        lambda: ours.send(name, b"x"),
    ]

    for verb in verbs:
        with pytest.raises(Refused) as refused:
            verb()
        assert code_of(refused) == "name"


def test_what_is_sent_lies_whole_in_outbound(post: Post) -> None:
    body = bytes(range(256)) * 2_000
    post.ours.send("855.edi", body)

    assert post.lies_in("outbound") == {"855.edi": body}


def test_sending_the_same_again_is_harmless(post: Post) -> None:
    post.ours.send("855.edi", b"answer")
    post.ours.send("855.edi", b"answer")

    assert post.lies_in("outbound") == {"855.edi": b"answer"}


def test_another_body_under_a_given_name_is_refused(post: Post) -> None:
    post.ours.send("855.edi", b"answer")

    with pytest.raises(Refused, match="holds another document") as refused:
        post.ours.send("855.edi", b"other")

    assert code_of(refused) == "name-taken"
    assert post.lies_in("outbound") == {"855.edi": b"answer"}


def test_a_draft_cannot_be_sent(post: Post) -> None:
    with pytest.raises(Refused, match="draft"):
        post.ours.send("855.edi.tmp", b"answer")


def test_takers_at_the_same_time_put_a_file_away_once(post: Post) -> None:
    names = [f"{number}.edi" for number in range(12)]
    for name in names:
        post.arrives(name, name.encode())

    def worker(_: int) -> list[str]:
        ours, done = post.ours, []
        for name in ours.inbound():
            # Another taker may have been faster.
            with suppress(Refused):
                assert ours.take(name) == name.encode()
                ours.archive(name)
                done.append(name)
        return done

    with ThreadPoolExecutor(4) as pool:
        done = [name for found in pool.map(worker, range(4)) for name in found]

    assert set(done) == set(names)
    assert post.lies_in("archive") == {name: name.encode() for name in names}
    assert post.lies_in("inbound") == {}


def test_senders_at_the_same_time_leave_one_whole_file(post: Post) -> None:
    bodies = [bytes([65 + number]) * 50_000 for number in range(4)]

    def send(body: bytes) -> bool:
        try:
            post.ours.send("846.edi", body)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        sent = list(pool.map(send, bodies))

    (lies,) = post.lies_in("outbound").items()
    assert sum(sent) == 1
    assert lies == ("846.edi", bodies[sent.index(True)])


def test_a_mailbox_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    verbs: list[Callable[[Exchange], object]] = [
        lambda ours: ours.inbound(),
        lambda ours: ours.send("855.edi", b"x"),
    ]
    for verb in verbs:
        with pytest.raises(Unavailable, match="mount the mailbox"):
            verb(FolderExchange(tmp_path / "unmounted"))


@pytest.mark.parametrize(("folder", "verb"), [("inbound", "inbound"), ("outbound", "send")])
def test_a_mailbox_that_lost_one_of_its_folders_is_unavailable(
    tmp_path: Path, folder: str, verb: str
) -> None:
    make_folders(tmp_path)
    (tmp_path / folder).rmdir()
    ours = FolderExchange(tmp_path)

    with pytest.raises(Unavailable, match=f"{folder} is not there: mount the mailbox"):
        ours.inbound() if verb == "inbound" else ours.send("855.edi", b"x")


# -- a folder's own -------------------------------------------------------------------------------------------------


def test_a_move_cut_short_between_two_names_is_ended(tmp_path: Path) -> None:
    make_folders(tmp_path)
    file = tmp_path / "inbound" / "850.edi"
    file.write_bytes(b"whole")
    os.utime(file, (0, 0))
    (tmp_path / "archive" / "1970-01-01").mkdir()
    os.link(file, tmp_path / "archive" / "1970-01-01" / "850.edi")

    FolderExchange(tmp_path).archive("850.edi")

    assert not file.exists()
    assert [path.name for path in (tmp_path / "archive" / "1970-01-01").iterdir()] == ["850.edi"]


def test_a_draft_left_by_a_sender_that_died_is_in_nobodys_way(tmp_path: Path) -> None:
    make_folders(tmp_path)
    (tmp_path / "outbound" / ".855.edi.00000000.tmp").write_bytes(b"ans")

    FolderExchange(tmp_path).send("855.edi", b"answer")

    assert (tmp_path / "outbound" / "855.edi").read_bytes() == b"answer"


@pytest.mark.parametrize(
    "address", ["", "/srv/edi", "file://elsewhere/srv", "file:///", "ftp://x/y", "sftp:///x"]
)
def test_an_address_that_is_no_mailbox_is_refused(address: str) -> None:
    with pytest.raises(ChannelError, match="no mailbox"):
        exchange_of(address, {})


def test_a_folder_is_addressed_by_a_url(tmp_path: Path) -> None:
    make_folders(tmp_path / "north mart")

    ours = exchange_of((tmp_path / "north mart").as_uri(), {})

    assert ours.inbound() == []
