"""A private PostgreSQL cluster: on a unix socket and a port of its own, in a folder of its own.

PostgreSQL refuses to run as root: then it runs as the user that Debian's package made for it, else as nobody. Who
connects by the socket is trusted (the folder is the owner's alone), by TCP the role `stonechat` needs its password.

For the unit tests in C, which know nothing of Python: `python3 -m support.postgres start|stop FOLDER`."""

from __future__ import annotations

import atexit
import itertools
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

from support.libpq import PostgresError, query
from support.ports import free_block
from support.waiting import wait_until

START_WITHIN_S, END_WITHIN_S = 60.0, 30.0
ROLE = "stonechat"

# What a crash of the machine would lose matters to no test of ours, but what a crash of the server loses does.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "wal_level": "replica",
    "max_wal_size": "256MB",
    "checkpoint_timeout": "30min",
    "autovacuum_naptime": "1h",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}


def binaries() -> Path:
    """The newest of Debian's versions, or what is on the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    assert on_path, "no PostgreSQL server here: script/setup test installs it"
    return Path(on_path).parent


def owner() -> pwd.struct_passwd:
    """Who the server runs as."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _as_owner(argv: list[str], *options: str) -> list[str]:
    who = owner()
    if os.geteuid() == 0:
        options = (f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups", *options)
    return ["setpriv", *options, *argv] if options else argv


def run_as_owner(argv: list[str]) -> None:
    """One of PostgreSQL's programs, to its end."""
    done = subprocess.run(_as_owner(argv), cwd="/", capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{argv[0]}: {done.stdout}{done.stderr}"


class Cluster:
    """One server. `settings` override those above; `port` None: it is found."""

    def __init__(self, folder: Path, settings: dict[str, str] | None = None, *, port: int | None = None) -> None:
        self.folder, self.data, self.log = folder, folder / "data", folder / "postgres.log"
        self.port = port or free_block()
        self.password = secrets.token_urlsafe(16)
        self.settings = SETTINGS | (settings or {})
        self.child: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)

    # -- addresses
    def socket_url(self, database: str = "postgres", role: str = "postgres") -> str:
        return f"postgresql://{role}@/{database}?host={quote(str(self.folder), safe='')}&port={self.port}"

    def url(self, database: str) -> str:
        """As an operator writes it: by TCP, with a password."""
        return f"postgres://{ROLE}:{self.password}@127.0.0.1:{self.port}/{database}"

    # -- life
    def create(self) -> Cluster:
        """initdb, which takes a second."""
        self._make_folder()
        run_as_owner([str(binaries() / "initdb"), "-D", str(self.data), "-U", "postgres", "--locale=C",
                      "--encoding=UTF8", "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync",
                      "--no-instructions"])  # fmt: skip
        return self

    def _make_folder(self) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        who = owner()
        os.chown(self.folder, who.pw_uid, who.pw_gid)

    def _argv(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
        } | self.settings
        return [str(binaries() / "postgres"), "-D", str(self.data)] + [
            part for name, value in settings.items() for part in ("-c", f"{name}={value}")
        ]

    def start(self, *options: str) -> Cluster:
        """Starts it and waits until it answers. Without options it goes when the tests go, however they do."""
        return self.spawn(*options).wait_answers()

    def spawn(self, *options: str) -> Cluster:
        """In the main thread, with whose end it goes."""
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                _as_owner(self._argv(), *(options or ("--pdeathsig", "QUIT"))),
                cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        return self

    def wait_answers(self) -> Cluster:
        wait_until(self._answers, f"PostgreSQL answers; {self.log}", START_WITHIN_S)
        return self

    def _answers(self) -> bool:
        assert self.child and self.child.poll() is None, self.tail()
        try:
            return query(self.socket_url(), "SELECT 1") == [(1,)]
        except PostgresError:
            return False

    def make_role(self) -> Cluster:
        query(self.socket_url(), f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{self.password}'")
        return self

    @property
    def pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: a fast shutdown; SIGQUIT: an immediate one."""
        if self.child and self.child.poll() is None:
            self.child.send_signal(how)
            self.child.wait(END_WITHIN_S)

    def stop_at_once(self) -> None:
        """As in a crash: what it has not written is lost."""
        self.stop(signal.SIGQUIT)

    def remove(self) -> None:
        self.stop_at_once()
        shutil.rmtree(self.folder, ignore_errors=True)

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    # -- databases
    def new_database(self) -> str:
        """Makes an empty one and tells its name."""
        name = f"stonechat_{os.getpid()}_{next(self._numbers)}"
        query(self.socket_url(), f"CREATE DATABASE {name} OWNER {ROLE} TEMPLATE template0 LOCALE 'C' ENCODING 'UTF8'")
        return name

    def drop_database(self, name: str) -> None:
        query(self.socket_url(), f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


_shared: list[Cluster] = []


def shared_cluster() -> Cluster:
    """The one of this run of the tests, made when it is first asked for."""
    if not _shared:
        cluster = Cluster(Path(tempfile.mkdtemp(prefix="stonechat-postgres-")))
        atexit.register(cluster.remove)
        _shared.append(cluster.create().start().make_role())
    return _shared[0]


def _stop_left_over(folder: Path) -> None:
    """One that a run which was broken off has left there."""
    try:
        pid = int((folder / "data/postmaster.pid").read_text().split()[0])
        if Path(f"/proc/{pid}/cmdline").read_bytes().find(str(folder).encode()) < 0:
            return
        os.kill(pid, signal.SIGQUIT)
    except (OSError, ValueError, IndexError):
        return
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), f"process {pid} has ended", END_WITHIN_S)


def main(command: str, place: str) -> None:
    folder = Path(place)
    _stop_left_over(folder)
    shutil.rmtree(folder, ignore_errors=True)
    if command == "start":
        # No TCP: each test names the folder, and a port only as a part of the socket's name.
        cluster = Cluster(folder, {"listen_addresses": ""}, port=5432).create()
        cluster.start("--pdeathsig", "clear").make_role()
        query(cluster.socket_url(), f"CREATE DATABASE {ROLE} OWNER {ROLE}")


if __name__ == "__main__":
    main(*sys.argv[1:])
