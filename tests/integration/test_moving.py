"""stonechat migrate-db: all data in another database, with the same ids, revisions and epoch, while the servers run.

Killed anywhere it is taken up by the next run, or the source serves as before; what was moved away refuses, and says
what to do."""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from support import moving
from support.client import Api, Person
from support.libpq import Connection
from support.postgres import shared_cluster
from support.problems import problem
from support.schemas import EMPTY, bring_to
from support.stack import Stack, build_folder
from support.waiting import wait_until

POINTS = ("claimed", "third_group", "copied", "verified", "fenced", "source_left")
HEADS_CHECK_S, PATIENCE = 5.0, 3


@pytest.fixture
def source(tmp_path: Path) -> str:
    return moving.make_source(tmp_path / "source.db", moving.Size())


@pytest.fixture(params=["sqlite", "postgres"])
def destination(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:{tmp_path}/destination.db"
        return
    cluster = shared_cluster()
    name = cluster.new_database()
    yield cluster.url(name)
    cluster.drop_database(name)


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:"))


def change(url: str, sql: str) -> None:
    """Past the programs, with a change number as a writer draws one."""
    with closing(sqlite3.connect(path_of(url), timeout=30, isolation_level=None)) as connection:
        connection.executescript(f"BEGIN IMMEDIATE; {sql}; COMMIT")


def moved(source: str, destination: str) -> str:
    """Moves; what was printed."""
    done = moving.command("--from", source, "--to", destination)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def refused(*arguments: str, status: int = 1) -> str:
    done = moving.command(*arguments)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stderr


def check_moved(source: str, destination: str) -> None:
    assert moving.content(destination) == moving.content(source)
    of_source, of_destination = moving.state(source), moving.state(destination)
    assert of_source["state"] == "moved" and of_destination["state"] == "serving"
    assert of_destination["epoch"] == of_source["epoch"]
    assert moving.change_numbers(destination) == {"0"}
    assert "move_run" not in of_destination


def test_everything_is_the_same_afterwards(source: str, destination: str) -> None:
    before = moving.content(source)
    assert all(before.values()), "a table without rows proves nothing"
    dry = moving.command("--from", source, "--to", destination, "--dry-run")
    assert dry.returncode == 0 and "Nothing was changed" in dry.stdout
    assert moving.state(source)["state"] == "serving"
    printed = moved(source, destination)
    assert "the fence: " in printed and "rows" in printed and "database.url = " in printed
    check_moved(source, destination)
    assert moving.content(source) == before
    # Once more: nothing happens, and it says so.
    assert "Moved already" in moved(source, destination)


def test_back_again(source: str, tmp_path: Path) -> None:
    cluster = shared_cluster()
    name = cluster.new_database()
    back = f"sqlite:{tmp_path}/back.db"
    moved(source, cluster.url(name))
    moved(cluster.url(name), back)
    check_moved(cluster.url(name), back)
    assert moving.content(back) == moving.content(source)
    cluster.drop_database(name)


def test_killed_anywhere_it_goes_on(source: str, destination: str) -> None:
    if b"STONECHAT_FAULT_MOVE" not in (build_folder() / "stonechat").read_bytes():
        pytest.skip("the programs were built without fault points (-DSTONECHAT_FAULTS=ON)")
    room = moving.rows(source, "conversations")[0][0]
    for n, point in enumerate(POINTS):
        before = moving.content(source)
        done = moving.command("--from", source, "--to", destination, fault=point)
        assert done.returncode == -9, point
        assert moving.content(source) == before
        assert moving.state(source)["state"] == ("moved" if point == "source_left" else "serving")
        assert moving.state(destination)["state"] == "loading"
        if point == "source_left":
            break
        moving.go_on(source, str(room), n)
    assert "an earlier run" in moved(source, destination)
    check_moved(source, destination)


def test_killed_while_it_makes_the_schema_it_goes_on(source: str, destination: str) -> None:
    bring_to(destination, 2, EMPTY)
    moved(source, destination)
    check_moved(source, destination)


def test_a_whole_page_of_changes_between_two_runs(source: str, destination: str) -> None:
    """The last of a page is read again with the next page, and its reactions wait to be loaded by then."""
    if b"STONECHAT_FAULT_MOVE" not in (build_folder() / "stonechat").read_bytes():
        pytest.skip("the programs were built without fault points (-DSTONECHAT_FAULTS=ON)")
    assert moving.command("--from", source, "--to", destination, fault=POINTS[-2]).returncode == -9
    change(
        source,
        """
        CREATE TEMPORARY TABLE room AS SELECT min(id) AS id FROM conversations;
        UPDATE meta SET value = 50 WHERE key = 'change_no';
        UPDATE messages SET rev = seq + (SELECT last_rev FROM conversations JOIN room USING (id))
         WHERE conversation_id = (SELECT id FROM room);
        INSERT INTO reactions SELECT conversation_id, 2000, '🎉', user_id, 1 FROM members
         WHERE conversation_id = (SELECT id FROM room);
        UPDATE conversations SET last_rev = last_rev + 2000, change_no = 50 WHERE id = (SELECT id FROM room)
        """,
    )
    assert "an earlier run" in moved(source, destination)
    check_moved(source, destination)


def test_what_was_tampered_with_is_not_opened(source: str, tmp_path: Path) -> None:
    """Somebody else has written to the destination between two runs."""
    for n, sql in enumerate(
        (
            "UPDATE messages SET content = 'x' WHERE seq = 7",
            "DELETE FROM reactions WHERE seq = (SELECT min(seq) FROM reactions)",
            "DELETE FROM messages WHERE seq = 9",
        )
    ):
        destination = f"sqlite:{tmp_path}/{n}.db"
        assert moving.command("--from", source, "--to", destination, fault="verified").returncode == -9
        change(destination, sql)
        assert "is not what was written to it" in refused("--from", source, "--to", destination)
        assert moving.state(source)["state"] == "serving"
        assert moving.state(destination)["state"] == "loading"


def test_what_cannot_be_moved_is_refused(source: str, destination: str, tmp_path: Path) -> None:
    before = moving.content(source), moving.state(source)
    other = moving.make_source(tmp_path / "other.db", moving.Size(people=2, groups=1, members=2, messages=10))
    older = moving.make_source(tmp_path / "older.db", moving.Size(people=2, groups=0, sessions=1))
    change(older, "DELETE FROM migrations WHERE version > 1")
    newer = moving.make_source(tmp_path / "newer.db", moving.Size(people=2, groups=0, sessions=1))
    change(newer, "INSERT INTO migrations VALUES (999, 'later', 'x', 1)")
    alien = tmp_path / "alien.db"
    with closing(sqlite3.connect(alien)) as connection:
        connection.execute("CREATE TABLE t (x)")
    for arguments, said in (
        (("--from", source, "--to", source), "the same database"),
        (("--from", source, "--to", other), "in use already"),
        (("--from", older, "--to", destination), "run `stonechat migrate` first"),
        (("--from", newer, "--to", destination), "install a newer version"),
        (("--from", source, "--to", older), "an older version"),
        (("--from", source, "--to", newer), "install a newer version"),
        (("--from", f"sqlite:{alien}", "--to", destination), "not a Stonechat database"),
        (("--from", f"sqlite:{tmp_path}/none.db", "--to", destination), "there is no database"),
        (("--from", source, "--to", "mysql://x/y"), "postgres://"),
        (("--from", source, "--to", "postgres://nobody@127.0.0.1:1/x"), "cannot use the database"),
        (("--from", source, "--reopen"), "was not moved"),
    ):
        assert said in refused(*arguments), arguments
    for wrong in ((), ("--from", source), ("--to",), ("--to", destination, "--fast")):
        assert "--dry-run" in refused(*wrong, status=2)
    assert (moving.content(source), moving.state(source)) == before
    # Moved: to that destination and to no other.
    moved(source, destination)
    assert "was moved already" in refused("--from", source, "--to", f"sqlite:{tmp_path}/another.db")


def test_who_uses_a_source_is_named(source: str, tmp_path: Path) -> None:
    """By the server: all of sessions of one's own role, of others what their sessions are."""
    cluster = shared_cluster()
    name = cluster.new_database()
    url, back = cluster.url(name), f"sqlite:{tmp_path}/back.db"
    moved(source, url)
    with Connection(f"{url}?application_name=copying") as own, Connection(cluster.socket_url(name)) as other:
        for session in (own, other):
            session.query("BEGIN; SELECT * FROM meta")
        said = refused("--from", url, "--to", back)
        lines = {line.split(",")[0]: line for line in said.splitlines() if line.startswith("PID")}
        assert set(lines) == {f"PID {own.backend}", f"PID {other.backend}"}, said
        when = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"
        assert re.fullmatch(
            rf"PID \d+, application copying, role stonechat, idle in transaction, transaction since {when}, "
            rf"query since {when}",
            lines[f"PID {own.backend}"],
        ), said
        assert lines[f"PID {other.backend}"].endswith(", role postgres, the rest is not shown to this role"), said
        assert "in use for longer than 15 s (above)" in said and "run this again" in said
        assert moving.state(url)["state"] == "serving"
    moved(url, back)
    check_moved(url, back)
    cluster.drop_database(name)


def test_a_program_that_is_in_the_middle_of_a_write_is_named(source: str, tmp_path: Path) -> None:
    with Path(f"{path_of(source)}.write").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        said = refused("--from", source, "--to", f"sqlite:{tmp_path}/destination.db")
    name = Path("/proc/self/comm").read_text().strip()
    assert f"\nPID {os.getpid()}, {name}, " in f"\n{said}" and "(above)" in said, said
    assert moving.state(source)["state"] == "serving"


def test_a_copy_of_another_history_is_not_gone_on_with(source: str, tmp_path: Path) -> None:
    destination = f"sqlite:{tmp_path}/destination.db"
    assert moving.command("--from", source, "--to", destination, fault="copied").returncode == -9
    change(source, "UPDATE meta SET value = 'another' WHERE key = 'epoch'")
    assert "another history" in refused("--from", source, "--to", destination)


def test_a_source_is_reopened_as_another_history(source: str, tmp_path: Path) -> None:
    moved(source, f"sqlite:{tmp_path}/destination.db")
    epoch = moving.state(source)["epoch"]
    done = moving.command("--from", source, "--reopen")
    assert done.returncode == 0 and "serves again" in done.stdout
    assert moving.state(source)["state"] == "serving" and moving.state(source)["epoch"] != epoch


def test_no_password_is_shown(source: str) -> None:
    cluster = shared_cluster()
    name = cluster.new_database()
    printed = moved(source, cluster.url(name))
    assert cluster.password not in printed and f"/{name}" in printed
    assert cluster.password not in moving.state(source)["moved_to"]
    cluster.drop_database(name)


def known(person: Person) -> dict[str, object]:
    """The keys of an auth frame of a device that has just synced."""
    answer = person.sync().json()
    heads = {head["conversation_id"]: head["last_rev"] for head in answer["conversations"]}
    return {"epoch": answer["epoch"], "me": answer["me"]["rev"], "known": heads, "known_count": len(heads)}


def test_devices_notice_a_reconnect_and_no_more(own_stack: Stack, destination: str) -> None:
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    said = [bob.say(ann, f"message {n}") for n in range(20)]
    history, knows = ann.history(room), known(ann)
    token = bob.refresh_token
    with ann.connect(**knows) as live:
        moved(own_stack.place.url, destination)
        # At once for writes and reads by REST, and for whoever connects; within a heads check for sockets.
        for answer in (ann.send_direct(bob.id, "too late"), ann.messages(room), bob.refresh(str(token)),
                       Api(own_stack).log_in(ann.username), Api(own_stack).log_in("nobody")):  # fmt: skip
            assert problem(answer, 503)["code"] == "moved"
            assert answer.json()["retryable"] is True and answer.headers["retry-after"]
        assert live.wait_closed(PATIENCE * HEADS_CHECK_S) == 4001
        assert live.connection.close_reason == "moved"
    ready = own_stack.readyz()
    assert ready is not None and ready.status_code == 503 and ready.json()["database"] == "moved"
    wait_until(
        lambda: httpx.get(own_stack.push_url + "/readyz").status_code == 503,
        "push is not ready",
        PATIENCE * HEADS_CHECK_S,
    )
    # Started again with the old address they say where the data is.
    for process in (own_stack.api, own_stack.push):
        process.end()
        refusal = subprocess.run(
            process.argv, env=process.env, cwd=own_stack.data, capture_output=True, text=True, timeout=20
        )
        assert refusal.returncode == 1 and "set database.url to" in refusal.stderr
        process.env = process.env | {"STONECHAT_DATABASE_URL": destination}
        process.start()
    own_stack.wait_ready()
    assert ann.history(room) == history
    assert bob.refresh(str(token)).status_code == 200
    with ann.connect(**knows) as live:
        assert not live.hello.get("sync_required") and live.hello["epoch"] == knows["epoch"]
        message = bob.say(ann, "and on")
        assert (message["seq"], message["rev"]) == (said[-1]["seq"] + 1, said[-1]["rev"] + 1)
        live.created(message["id"], timeout=10)
        assert not [frame for frame in live.objects if frame["type"] == "gap"]
