"""The real stack on free ports with a data folder of its own: Redis, stonechat-api, stonechat-push and lighttpd.

The programs come from $STONECHAT_BUILD (else build/asan, else build). A stack checks itself when it ends: no sanitizer
has reported anything (leaks at the end included), api and push leave with status 0 within five seconds of SIGTERM,
and no log holds what was said in confidence."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import httpx

from support.database import IS_POSTGRES, Place, Session
from support.ports import free_block
from support.process import END_WITHIN_S, Process
from support.secrets import SECRETS
from support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
START_WITHIN_S = 20.0
LIGHTTPD = ["lighttpd", "-D", "-f", "conf/lighttpd.conf"]


# The rates are kept and shared as ever, but nobody reaches them.
UNLIMITED = {
    f"limits.{name}_{kind}": value
    for name in ("general", "send", "search", "sign_up", "log_in")
    for kind, value in (("per_minute", "10000000"), ("burst", "1000000"))
} | {"limits.log_in_delay_max_s": "0"}


def build_folder() -> Path:
    """Where the programs are."""
    given = os.environ.get("STONECHAT_BUILD")
    for folder in [Path(given)] if given else [ROOT / "build/asan", ROOT / "build"]:
        if (folder / "stonechat-api").exists():
            return folder.resolve()
    raise AssertionError("no stonechat-api found: build the asan preset, or name the folder in STONECHAT_BUILD")


def setting_name(setting: str) -> str:
    """`limits.auth_ms` is STONECHAT_LIMITS_AUTH_MS in the environment."""
    return "STONECHAT_" + setting.replace(".", "_").upper()


class Stack:
    """One running Stonechat. `settings` are by their names (`limits.auth_ms`) and override what a test stack has.

    `pushes`: so many push processes on ports of their own, with the same database and Redis: push, push2, push3 ...
    lighttpd knows the first; the others are reached at push_urls[1], push_urls[2] ...

    `apis`: so many API processes (three at most), each behind a lighttpd of its own: urls[0], urls[1] ... A test says
    which of them it means (Person.through); none is chosen by chance.

    `database`: sqlite or postgres, else what the run says (support/database.py)."""

    def __init__(
        self,
        settings: dict[str, str] | None = None,
        *,
        pushes: int = 1,
        apis: int = 1,
        database: str | None = None,
    ) -> None:
        # Not below the test's own folder: the path of a unix socket has at most 107 bytes.
        self.data = Path(tempfile.mkdtemp(prefix="stonechat-pytest-"))
        self.log = self.data / "log"
        self.run = self.data / "run"
        self.build = build_folder()
        self.port = free_block()
        self.push_port = self.port + 1
        self.urls = [f"http://127.0.0.1:{port}" for port in (self.port, self.port + 6, self.port + 7)[:apis]]
        self.url = self.urls[0]
        self.push_url = f"http://127.0.0.1:{self.push_port}"
        self.push_urls = [f"http://127.0.0.1:{self.push_port + n}" for n in range(pushes)]
        postgres = IS_POSTGRES if database is None else database == "postgres"
        self.place = Place(self.data, (settings or {}).get("database.url"), postgres)
        self.settings = (
            {
                "port": str(self.port),
                "push.port": str(self.push_port),
                "data": str(self.data),
                "database.url": self.place.url,
                # lighttpd.conf reads these from the environment and has no defaults of its own.
                "bind": "127.0.0.1",
                "push.bind": "127.0.0.1",
                "api.socket": str(self.run / "api.sock"),
                "limits.request_idle_s": "10",
                "push.drain_ms": "0",
                # A test that sends as fast as it can is not what the limits are for; their own tests set them.
                "limits.frames_per_second": "1000000",
                "limits.frames_burst": "1000000",
            }
            | UNLIMITED
            | (settings or {})
        )
        self.env = self._environment()
        self.processes: dict[str, Process] = {}

    def _environment(self) -> dict[str, str]:
        report = self.log / "sanitizer"
        return {
            "PATH": os.environ["PATH"] + ":/usr/sbin",
            "HOME": str(self.data),
            "LANG": "C.UTF-8",
            "ASAN_OPTIONS": f"detect_leaks=1:abort_on_error=0:log_path={report}",
            "UBSAN_OPTIONS": f"print_stacktrace=1:log_path={report}",
        } | {setting_name(name): value for name, value in self.settings.items()}

    # -- the four processes, by name
    @property
    def redis(self) -> Process:
        return self.processes["redis"]

    @property
    def api(self) -> Process:
        return self.processes["api"]

    @property
    def push(self) -> Process:
        return self.processes["push"]

    @property
    def lighttpd(self) -> Process:
        return self.processes["lighttpd"]

    @property
    def pushes(self) -> list[Process]:
        """All push processes."""
        return [process for name, process in self.processes.items() if name.startswith("push")]

    @property
    def apis(self) -> list[Process]:
        """All API processes."""
        return [process for name, process in self.processes.items() if name.startswith("api")]

    @property
    def lighttpds(self) -> list[Process]:
        return [process for name, process in self.processes.items() if name.startswith("lighttpd")]

    def _add(self, name: str, argv: list[str], **more: str) -> None:
        self.processes[name] = Process(name, argv, ROOT, self.env | more, self.log / f"{name}.log")

    def _add_push(self, n: int) -> None:
        """The one of this number, from 1 on: a node of its own on one machine."""
        ports = {
            "STONECHAT_PUSH_PORT": str(self.push_port + n),
            "STONECHAT_METRICS_PORT": str(int(self.settings.get("metrics.port", self.port + 10)) + n),
        }
        self._add(f"push{n + 1}", [str(self.build / "stonechat-push")], **ports)

    def _add_api(self, n: int) -> None:
        """The one of this number, from 1 on, and its lighttpd."""
        own = {
            "STONECHAT_PORT": self.urls[n].rsplit(":", 1)[1],
            "STONECHAT_API_SOCKET": str(self.run / f"api{n + 1}.sock"),
            "STONECHAT_METRICS_PORT": str(self.port + 13 + n),
        }
        self._add(f"api{n + 1}", [str(self.build / "stonechat-api")], **own)
        self._add(f"lighttpd{n + 1}", LIGHTTPD, **own)

    def _prepare(self) -> None:
        for folder in (self.log, self.run, self.run / "deflate"):
            folder.mkdir(mode=0o750, exist_ok=True)
        redis = ["redis-server", "--port", "0", "--unixsocket", str(self.run / "redis.sock"), "--save", "",
                 "--appendonly", "no", "--dir", str(self.run), "--daemonize", "no"]  # fmt: skip
        self._add("redis", redis)
        self._add("api", [str(self.build / "stonechat-api")])
        self._add("push", [str(self.build / "stonechat-push")])
        for n in range(1, len(self.push_urls)):
            self._add_push(n)
        self._add("lighttpd", LIGHTTPD)
        for n in range(1, len(self.urls)):
            self._add_api(n)

    def database(self) -> Session:
        """A connection to the database, past the programs."""
        return Session(self.place.url)

    def migrate(self) -> str:
        """`stonechat migrate`; what it printed."""
        done = subprocess.run(
            [str(self.build / "stonechat"), "migrate"], env=self.env, capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, f"stonechat migrate: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self) -> Stack:
        try:
            self._prepare()
            self.migrate()
            self.redis.start()
            wait_until(lambda: self._connects("redis.sock"), "redis-server listens", START_WITHIN_S)
            for process in (*self.apis, *self.pushes, *self.lighttpds):
                process.start()
            self.wait_ready()
            for url in (*self.push_urls[1:], *self.urls[1:]):
                wait_until(lambda url=url: self._serves(url), f"{url} serves", START_WITHIN_S)
        except BaseException:
            self.stop()
            raise
        return self

    @staticmethod
    def _serves(url: str) -> bool:
        try:
            return httpx.get(url + "/readyz", timeout=2.0).status_code == 200
        except httpx.HTTPError:
            return False

    def _connects(self, name: str) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.run / name))
            except OSError:
                return False
            return True

    def readyz(self) -> httpx.Response | None:
        """GET /readyz through lighttpd, or None when nobody answers."""
        try:
            return httpx.get(self.url + "/readyz", timeout=2.0)
        except httpx.HTTPError:
            return None

    def wait_ready(self, redis: str = "ok") -> None:
        """Waits until /readyz is 200 and says this of Redis."""

        def ready() -> bool:
            answer = self.readyz()
            return answer is not None and answer.status_code == 200 and answer.json()["redis"] == redis

        try:
            wait_until(ready, f"/readyz is 200 with redis {redis}", START_WITHIN_S)
        except AssertionError as failure:
            answer = self.readyz()
            said = answer.text if answer is not None else "nobody answers"
            raise AssertionError(f"{failure}; /readyz: {said}\n{self.log_tails()}") from None

    def restart(self, name: str) -> None:
        """Starts a process that has ended, and waits until the stack is ready again."""
        self.processes[name].start()
        self.wait_ready()

    def log_tails(self) -> str:
        return "\n".join(f"--- {process.name}\n{process.tail()}" for process in self.processes.values())

    def sanitizer_reports(self) -> str:
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.log.glob("sanitizer*")))

    def stop(self) -> list[str]:
        """Ends all processes; what was wrong with how they ended, and what the sanitizers found."""
        wrong = []
        redis = [process for name, process in self.processes.items() if name == "redis"]
        for process in (*self.lighttpds, *self.pushes, *self.apis, *redis):
            name = process.name
            if process.child is None or process.killed:
                continue
            if not process.running:
                wrong.append(f"{name} ended by itself with {process.child.returncode}\n{process.tail()}")
                continue
            status, took_s = process.end()
            if status is None:
                wrong.append(f"{name} did not end within {END_WITHIN_S:g} s of SIGTERM\n{process.tail()}")
            elif status != 0 and name.startswith(("api", "push")):
                wrong.append(f"{name} ended with {status} after SIGTERM ({took_s:.1f} s)\n{process.tail()}")
        if reports := self.sanitizer_reports():
            wrong.append(reports)
        wrong += SECRETS.in_files(self.log)
        self.place.remove()
        if not wrong and not os.environ.get("STONECHAT_TEST_KEEP"):
            shutil.rmtree(self.data, ignore_errors=True)
        return wrong
