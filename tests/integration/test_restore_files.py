"""stonechat restore: which files it refuses and why, and what it makes of those it takes."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.client import Person
from support.copies import (
    change,
    copy,
    database,
    epoch_of,
    kept_files,
    leftovers,
    query,
    restore,
    run,
    without_progress,
)
from support.stack import Stack, build_folder

pytestmark = pytest.mark.sqlite


def test_there_must_be_room(own_stack: Stack) -> None:
    """Told before the disk is full, which would disturb the server."""
    file = copy(own_stack)
    os.truncate(file, 1 << 42)
    refused = run(own_stack, file)
    assert refused.returncode == 1 and "make room" in refused.stderr
    assert leftovers(own_stack) == []


def text_file(stack: Stack, folder: Path) -> Path:
    (folder / "notes.txt").write_text("This is a text of more than sixteen bytes.\n")
    return folder / "notes.txt"


def empty_file(stack: Stack, folder: Path) -> Path:
    (folder / "empty.db").touch()
    return folder / "empty.db"


def link_to_the_database(stack: Stack, folder: Path) -> Path:
    (folder / "link.db").symlink_to(database(stack))
    return folder / "link.db"


def hard_link_to_the_database(stack: Stack, folder: Path) -> Path:
    (stack.data / "hard.db").hardlink_to(database(stack))
    return stack.data / "hard.db"


def own_work_file(stack: Stack, folder: Path) -> Path:
    return copy(stack, "stonechat.db.restore")


def of_somebody_else(stack: Stack, folder: Path) -> Path:
    change(folder / "other.db", "CREATE TABLE meta (key TEXT, value TEXT); CREATE TABLE users (id INTEGER)")
    return folder / "other.db"


def of_somebody_else_with_migrations(stack: Stack, folder: Path) -> Path:
    change(folder / "other.db", "CREATE TABLE migrations (id INTEGER PRIMARY KEY, migration TEXT)")
    return folder / "other.db"


def changed_copy(script: str) -> Callable[[Stack, Path], Path]:
    def make(stack: Stack, folder: Path) -> Path:
        shutil.move(copy(stack), folder / "copy.db")
        change(folder / "copy.db", script)
        return folder / "copy.db"

    return make


def damaged_copy(stack: Stack, folder: Path) -> Path:
    shutil.move(copy(stack), folder / "copy.db")
    ((root,),) = query(folder / "copy.db", "SELECT rootpage FROM sqlite_master WHERE name = 'users'")
    with (folder / "copy.db").open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"x" * 512)
    return folder / "copy.db"


def truncated_copy(stack: Stack, folder: Path) -> Path:
    shutil.move(copy(stack), folder / "copy.db")
    os.truncate(folder / "copy.db", (folder / "copy.db").stat().st_size // 2)
    return folder / "copy.db"


def copy_beside(suffix: str, make_other: Callable[[Path], None]) -> Callable[[Stack, Path], Path]:
    """A copy with something that is no file where SQLite would keep one."""

    def make(stack: Stack, folder: Path) -> Path:
        shutil.move(copy(stack), folder / "copy.db")
        make_other(folder / f"copy.db{suffix}")
        return folder / "copy.db"

    return make


NEWER = "INSERT INTO migrations (version, name, checksum, applied_at) VALUES (999, 'later', 'x', 0)"
OTHER_TEXT = "UPDATE migrations SET checksum = 'x' WHERE version = 1"
NO_EPOCH = "DELETE FROM meta WHERE key = 'epoch'"
LONELY = "PRAGMA foreign_keys = OFF; DELETE FROM users"
OTHER_PAGES = "PRAGMA journal_mode = DELETE; PRAGMA page_size = 8192; VACUUM"

REFUSED: dict[str, tuple[Callable[[Stack, Path], Path], str]] = {
    "missing": (lambda stack, folder: folder / "nowhere.db", "cannot be opened (No such file or directory)"),
    "folder": (lambda stack, folder: folder, "is not a file"),
    "text": (text_file, "is not an SQLite database"),
    "empty": (empty_file, "is not an SQLite database"),
    "the database": (lambda stack, folder: database(stack), "is the database in use"),
    "link": (link_to_the_database, "is the database in use"),
    "hard link": (hard_link_to_the_database, "is the database in use"),
    "work file": (own_work_file, "has a name that this command uses itself"),
    "other": (of_somebody_else, "is not a Stonechat database"),
    "other's migrations": (of_somebody_else_with_migrations, "is not a Stonechat database"),
    "no epoch": (changed_copy(NO_EPOCH), "is not a Stonechat database"),
    "newer": (changed_copy(NEWER), "the database has schema 999"),
    "other text": (changed_copy(OTHER_TEXT), "a migration must never be changed"),
    "lonely rows": (changed_copy(LONELY), "is damaged (a row of "),
    "other pages": (changed_copy(OTHER_PAGES), "pages have another size"),
    "damaged": (damaged_copy, "is damaged ("),
    "WAL is a pipe": (copy_beside("-wal", os.mkfifo), "copy.db-wal is not a file"),
    "journal is a pipe": (copy_beside("-journal", os.mkfifo), "copy.db-journal is not a file"),
    "WAL is a folder": (copy_beside("-wal", os.mkdir), "copy.db-wal is not a file"),
    "truncated": (truncated_copy, "(database disk image is malformed): take another copy"),
}


IN_THE_DATA_FOLDER = {"hard link", "work file"}


def content(path: Path) -> bytes | str:
    """Of a link where it leads, since the database behind it goes on; of what is no file only its kind."""
    if path.is_symlink():
        return str(path.readlink())
    return path.read_bytes() if path.is_file() else stat.filemode(path.stat().st_mode)


def contents(folder: Path) -> dict[str, bytes | str]:
    return {path.name: content(path) for path in folder.iterdir()}


def test_what_is_refused(own_stack: Stack, tmp_path: Path) -> None:
    """Each in one sentence, and nothing has changed: not the database, not the file, nor what lies beside it."""
    ann = Person.new(own_stack)
    ann.send_direct(ann.id, "a note")
    epoch = epoch_of(database(own_stack))
    for name, (make, sentence) in REFUSED.items():
        folder = tmp_path / name
        folder.mkdir()
        file = make(own_stack, folder)
        before = contents(folder)
        refused = run(own_stack, file)
        assert refused.returncode == 1, (name, refused)
        said = without_progress(refused.stderr)
        assert sentence in said, (name, said)
        assert said.endswith(" The database was not changed.\n") and said.count("\n") == 1, (name, said)
        assert contents(folder) == before, name
        if name in IN_THE_DATA_FOLDER:
            file.unlink()
        assert leftovers(own_stack) == [] and kept_files(own_stack) == [], name
        assert epoch_of(database(own_stack)) == epoch, name
    assert len(ann.conversations()) == 1
    assert ann.send_direct(ann.id, "another note").status_code == 201


def test_called_wrongly(own_stack: Stack) -> None:
    for arguments in ([], ["a", "b"]):
        done = subprocess.run(
            [str(own_stack.build / "stonechat"), "restore", *arguments],
            env=own_stack.env,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2 and "the name of a copy and nothing else" in done.stderr


def copy_of_the_killed(stack: Stack, path: Path) -> None:
    """The files of a server that was killed, copied as they lie: the last commits are only in the WAL."""
    for name in ("push", "api"):
        stack.processes[name].kill()
    for suffix in ("", "-wal"):
        shutil.copy(f"{database(stack)}{suffix}", f"{path}{suffix}")
    stack.api.start()
    stack.restart("push")


def test_a_copy_with_its_wal(own_stack: Stack, tmp_path: Path) -> None:
    """What is only in the WAL comes along."""
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    copy_of_the_killed(own_stack, tmp_path / "old.db")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()}
    history = ann.history(room)
    bob.say(ann, "later")
    restore(own_stack, tmp_path / "old.db")
    assert ann.history(room) == history
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()} == before


def test_a_link_to_a_copy_with_its_wal(own_stack: Stack, tmp_path: Path) -> None:
    """The WAL is beside the file the link leads to."""
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    (tmp_path / "copies").mkdir()
    copy_of_the_killed(own_stack, tmp_path / "copies" / "monday.db")
    link = tmp_path / "latest.db"
    link.symlink_to("copies/monday.db")
    history = ann.history(room)
    bob.say(ann, "later")
    assert restore(own_stack, link).startswith(f"{link} holds people: 2, ")
    assert ann.history(room) == history


# What all later migrations made, taken away again.
BACK_TO_2 = """
DROP TRIGGER users_renamed;
DROP TRIGGER users_removed;
DROP TABLE audit;
DROP TABLE invites;
DROP TABLE connections;
DROP TABLE blocks;
DROP TABLE reactions;
ALTER TABLE members DROP COLUMN last_sent_at;
ALTER TABLE conversations DROP COLUMN member_count;
ALTER TABLE sessions DROP COLUMN prefix;
ALTER TABLE sessions DROP COLUMN name;
ALTER TABLE sessions DROP COLUMN kind;
DELETE FROM meta WHERE key IN ('sign_up', 'names');
UPDATE meta SET value = '2' WHERE key IN ('schema', 'compatible_from');
DELETE FROM migrations WHERE version > 2;
"""


def test_an_older_schema_is_brought_up_to_date(own_stack: Stack) -> None:
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    message = ann.say(bob, "of old")
    file = copy(own_stack)
    change(file, BACK_TO_2)
    bytes_before = file.read_bytes()
    printed = restore(own_stack, file)
    assert "applying 0003 reactions" in printed and "applying 0006 names" in printed
    assert file.read_bytes() == bytes_before
    assert ann.history(message["conversation_id"]) == [message]


def test_where_there_was_nothing(own_stack: Stack, tmp_path: Path) -> None:
    """On a new machine: the data folder and the database are made, and a server starts with them."""
    ann = Person.new(own_stack)
    ann.send_direct(ann.id, "a note")
    file = copy(own_stack)
    env = {"PATH": os.environ["PATH"], "STONECHAT_DATA": str(tmp_path / "new")}
    program = str(build_folder() / "stonechat")
    done = subprocess.run([program, "restore", str(file)], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and without_progress(done.stderr) == "", done.stderr
    assert "kept" not in done.stdout
    made = tmp_path / "new" / "stonechat.db"
    assert query(made, "SELECT count(*) FROM messages") == [(1,)]
    assert query(made, "PRAGMA journal_mode") == [("wal",)]
    assert made.stat().st_mode & 0o777 == 0o600
    assert epoch_of(made) != epoch_of(database(own_stack))
    migrated = subprocess.run([program, "migrate"], env=env, capture_output=True, text=True, timeout=60)
    assert "up to date" in migrated.stdout
    assert sorted(path.name for path in (tmp_path / "new").glob("*.restore*")) == []


def test_while_the_server_is_stopped(own_stack: Stack) -> None:
    ann, bob = Person.new(own_stack), Person.new(own_stack)
    room = ann.conversation_with(bob)
    file, history = copy(own_stack), ann.history(room)
    bob.say(ann, "later")
    for name in ("push", "api"):
        own_stack.processes[name].end()
    restore(own_stack, file)
    own_stack.api.start()
    own_stack.restart("push")
    assert ann.history(room) == history
    with ann.connect() as live:
        live.created(bob.say(ann, "and on")["id"])
