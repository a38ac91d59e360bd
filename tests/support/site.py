"""Two hosts and a balancer: an API, a lighttpd, push processes (two at one host, one at the other), a data folder each.

They share a database and a Redis, and HAProxy by conf/haproxy.cfg is before them.
Only the addresses in that file are changed. Everybody goes to the balancer: `url` and `push_url` are its."""

from __future__ import annotations

import csv
import io
import shutil
import socket
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from support.crew import metrics_of
from support.process import Process
from support.stack import LIGHTTPD, ROOT, START_WITHIN_S, Stack
from support.waiting import wait_until


@dataclass
class Host:
    """One of them: where it listens, and how many push processes it has."""

    name: str
    pushes: int
    data: Path
    site_port: int
    push_port: int
    metrics_port: int

    @property
    def processes(self) -> tuple[str, str, str]:
        return f"api_{self.name}", f"push_{self.name}", f"lighttpd_{self.name}"

    def environment(self) -> dict[str, str]:
        return {
            "STONECHAT_PORT": str(self.site_port),
            "STONECHAT_PUSH_PORT": str(self.push_port),
            "STONECHAT_METRICS_PORT": str(self.metrics_port),
            "STONECHAT_DATA": str(self.data),
            "STONECHAT_API_SOCKET": str(self.data / "run/api.sock"),
            "STONECHAT_PUSH_PROCESSES": str(self.pushes),
            "STONECHAT_PUSH_NODE": f"host-{self.name}",
        }

    @property
    def push_metrics_ports(self) -> list[int]:
        return [self.metrics_port + n for n in range(1, self.pushes + 1)]


def with_addresses(text: str, changes: dict[str, str]) -> str:
    """The file with its addresses replaced, each of which stands there once."""
    for old, new in changes.items():
        assert Counter(line.strip() for line in text.splitlines())[old] == 1, f"conf/haproxy.cfg has no line {old!r}"
        text = text.replace(f"\t{old}\n", f"\t{new}\n")
    return text


class Site(Stack):
    """`settings` are of all hosts; a `database.url` among them takes the place of the one that both open."""

    def __init__(self, settings: dict[str, str] | None = None) -> None:
        super().__init__({"limits.trusted_proxies": "127.0.0.1"} | (settings or {}))
        self.push_url, self.push_port, self.push_urls = self.url, self.port, [self.url]
        self.settings.setdefault("redis.url", f"unix:{self.run}/redis.sock")
        self.env = self._environment()
        at = self.port
        self.hosts = [
            Host("a", 2, self.data / "a", at + 1, at + 2, at + 5),
            Host("b", 1, self.data / "b", at + 3, at + 4, at + 8),
        ]
        self.admin_socket = self.run / "haproxy.sock"

    @property
    def balancer(self) -> Process:
        return self.processes["haproxy"]

    def _prepare(self) -> None:
        super()._prepare()
        self.processes = {"redis": self.processes["redis"]}
        for host in self.hosts:
            for folder in (host.data / "run/deflate", host.data / "log"):
                folder.mkdir(mode=0o750, parents=True)
            api, push, lighttpd = host.processes
            self._add(api, [str(self.build / "stonechat-api")], **host.environment())
            self._add(push, [str(self.build / "stonechat-push")], **host.environment())
            self._add(lighttpd, LIGHTTPD, **host.environment())
        self._add("haproxy", ["haproxy", "-db", "-f", str(self._balancer_file())])

    def _balancer_file(self) -> Path:
        a, b = self.hosts
        changes = {
            "maxconn 20000": "maxconn 2000",
            "stats socket /run/haproxy/stonechat.sock mode 600 level admin":
                f"stats socket {self.admin_socket} mode 600 level admin",
            "bind :80": f"bind 127.0.0.1:{self.port}",
            "server a 10.0.0.11:8080": f"server a 127.0.0.1:{a.site_port}",
            "server b 10.0.0.12:8080": f"server b 127.0.0.1:{b.site_port}",
            "server a 10.0.0.11:8081": f"server a 127.0.0.1:{a.push_port}",
            "server b 10.0.0.12:8081": f"server b 127.0.0.1:{b.push_port}",
            "default-path config": f"default-path origin {ROOT}/conf",
        }  # fmt: skip
        file = self.run / "haproxy.cfg"
        file.write_text(with_addresses((ROOT / "conf/haproxy.cfg").read_text(), changes))
        return file

    def start(self) -> Site:
        try:
            self._prepare()
            self.migrate()
            for host in self.hosts:
                # What hosts share besides the database and Redis.
                shutil.copytree(self.data / "keys", host.data / "keys")
            self.redis.start()
            wait_until(lambda: self._connects("redis.sock"), "redis-server listens", START_WITHIN_S)
            for process in (*self.apis, *self.pushes, *self.lighttpds):
                process.start()
            wait_until(lambda: all(map(self._serves, self.own_urls())), "all hosts serve", START_WITHIN_S)
            self.balancer.start()
            self.wait_ready()
        except BaseException as failure:
            failure.add_note(self.log_tails())
            self.stop()
            raise
        return self

    def own_urls(self) -> list[str]:
        """Of every host's lighttpd and push port, past the balancer."""
        ports = [port for host in self.hosts for port in (host.site_port, host.push_port)]
        return [f"http://127.0.0.1:{port}" for port in ports]

    def wait_ready(self, redis: str = "ok") -> None:
        """Besides, the balancer has found every host well, and each has as many push processes as it should."""
        super().wait_ready(redis)
        wait_until(lambda: set(self.states().values()) == {"UP"}, "all are up", START_WITHIN_S)
        for host in self.hosts:
            wait_until(lambda host=host: all(map(metrics_of, host.push_metrics_ports)), f"all of {host.name}", 10)

    def tell_balancer(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as admin:
            admin.connect(str(self.admin_socket))
            admin.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: admin.recv(65536), b"")).decode()

    def states(self) -> dict[str, str]:
        """Of each server of the balancer (`push/a`): UP, DOWN, DRAIN, MAINT, or on the way there."""
        try:
            text = self.tell_balancer("show stat")
        except OSError:
            return {}
        rows = csv.DictReader(io.StringIO(text.removeprefix("# ")))
        return {f"{row['pxname']}/{row['svname']}": row["status"] for row in rows if row["svname"] in ("a", "b")}

    def nodes(self) -> int:
        return sum(host.pushes for host in self.hosts)

    def stop(self) -> list[str]:
        balancer = self.processes.get("haproxy")
        if balancer and balancer.running:
            balancer.end()
        return super().stop()
