"""A Redis that asks for a password: heard as without, and what is said when the password no longer holds."""

from __future__ import annotations

import re
import socket
import subprocess

from support.client import Person
from support.stack import Stack
from support.waiting import wait_until

PASSWORD = "p@ss:w%rd"
ENCODED = "p%40ss:w%25rd"


class Guarded(Stack):
    """Redis listens on TCP too, and wants a password at both doors."""

    def _prepare(self) -> None:
        super()._prepare()
        self.redis.argv += ["--port", str(self.port + 15), "--bind", "127.0.0.1", "--requirepass", PASSWORD]

    def ask(self, password: str, *commands: str) -> None:
        """Commands that must all be granted."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.run / "redis.sock"))
            for command in (f"AUTH {password}", *commands):
                connection.sendall(f"{command}\r\n".encode())
                answer = connection.recv(4096)
                assert not answer.startswith(b"-"), f"{command}: {answer!r}"


def refusals(stack: Stack, name: str) -> list[str]:
    return re.findall(r"redis_refuses .*", stack.processes[name].log.read_text())


def test_events_pass_and_a_changed_password_is_said_and_recovered_from() -> None:
    stack = Guarded()
    stack.settings["redis.url"] = f"redis://:{ENCODED}@127.0.0.1:{stack.port + 15}"
    stack.env |= {"STONECHAT_REDIS_URL": stack.settings["redis.url"]}
    stack.start()
    try:
        ann, bob = Person.new(stack, "ann"), Person.new(stack, "bob")
        ann.conversation_with(bob)
        live = bob.connect()
        live.created(ann.say(bob, "hello")["id"])
        assert not refusals(stack, "api") and not refusals(stack, "push")

        stack.ask(PASSWORD, "CONFIG SET requirepass another", "CLIENT KILL TYPE pubsub", "CLIENT KILL TYPE normal")
        wait_until(lambda: refusals(stack, "api") and refusals(stack, "push"), "both say that they are refused", 15)
        assert "WRONGPASS" in refusals(stack, "api")[0] and "WRONGPASS" in refusals(stack, "push")[0]
        stack.wait_ready("degraded")
        # Once for each connection that is kept, however often it is tried.
        assert len(refusals(stack, "api")) <= 3 and len(refusals(stack, "push")) <= 3

        stack.ask("another", f"CONFIG SET requirepass {PASSWORD}")
        stack.wait_ready("ok")
        live.created(ann.say(bob, "hello again")["id"])
        live.close()
        said = "".join(process.log.read_text() for process in stack.processes.values())
        assert PASSWORD not in said and ENCODED not in said
    finally:
        assert stack.stop() == []


def test_an_address_that_is_none_is_refused_without_showing_it(stack: Stack) -> None:
    own = {"STONECHAT_API_SOCKET": str(stack.run / "own.sock"), "STONECHAT_METRICS_PORT": str(stack.port + 14)}
    env = stack.env | own | {"STONECHAT_REDIS_URL": "redis://:no-host-but-a-password@"}
    ended = subprocess.run(stack.api.argv, env=env, capture_output=True, text=True, timeout=15, check=False)
    assert ended.returncode == 1
    assert "has no host" in ended.stderr and "no-host-but-a-password" not in ended.stdout + ended.stderr
