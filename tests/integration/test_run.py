"""script/run, the one command: ready, supervised, stopped without a trace, and one clear sentence for what is wrong."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from support.client import PASSWORD, Person
from support.crew import kill, pid_at
from support.runner import Run, children
from support.stack import ROOT, Stack
from support.waiting import wait_until

# "Within a second", "under 3 s": held with this much patience, for slow machines.
PATIENCE = 3

pytestmark = pytest.mark.sqlite  # it is what script/run starts by itself

MakeRun = Callable[..., Run]


@pytest.fixture(scope="module", autouse=True)
def release() -> None:
    """script/run builds by itself; done here first, so that no test's time is the compiler's."""
    subprocess.run([ROOT / "script/build"], cwd=ROOT, check=True, timeout=900, stdin=subprocess.DEVNULL)


@pytest.fixture
def make_run() -> Iterator[MakeRun]:
    made: list[Run] = []

    def make(**more: object) -> Run:
        made.append(Run(**more))
        return made[-1]

    yield make
    for run in made:
        run.clean_up()


def somebody(run: Run) -> Person:
    """A person on the running copy; of a Stack only the addresses are used."""
    stack = Stack.__new__(Stack)
    stack.url, stack.urls, stack.push_url = run.url, [run.url], f"http://127.0.0.1:{run.port + 1}"
    return Person.new(stack)


@pytest.mark.parametrize(
    ("how", "group"),
    [(signal.SIGINT, False), (signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGTERM, True)],
)
def test_it_starts_works_and_leaves_nothing(make_run: MakeRun, how: signal.Signals, group: bool) -> None:
    run = make_run().start()
    run.wait_ready()
    assert run.healthy()
    ann, bob = somebody(run), somebody(run)
    with bob.connect() as live:
        live.told_of(ann.say(bob, "hello"), timeout=10)
    assert run.stop(how, group) == 0, run.output
    wait_until(lambda: not run.leftovers(), f"nothing is left, but {run.leftovers()}")
    assert "died" not in run.output


def test_several_processes_of_each(make_run: MakeRun) -> None:
    """Their parents replace what dies; the run notices nothing, and ends all."""
    run = make_run().start("--", "--push.processes=2", "--api.processes=2")
    run.wait_ready()
    counts = Counter(children(run.data).values())
    assert (counts["stonechat-api"], counts["stonechat-push"]) == (3, 3), "two of each and their parent"
    ann, bob = somebody(run), somebody(run)
    kill(pid_at(run.port + 12))
    with bob.connect() as live:
        live.told_of(ann.say(bob, "hello"), timeout=10)
    wait_until(lambda: Counter(children(run.data).values())["stonechat-push"] == 3, "it is replaced")
    assert run.stop() == 0, run.output
    wait_until(lambda: not run.leftovers(), f"nothing is left, but {run.leftovers()}")
    assert "died" not in run.output


def test_two_copies_side_by_side(make_run: MakeRun) -> None:
    one, two = make_run().start(), make_run().start()
    one.wait_ready()
    two.wait_ready()
    ann = somebody(one)
    stranger = somebody(two)
    assert stranger.log_in(ann.username).status_code == 401, "they share no data"
    assert one.stop() == 0
    assert two.healthy()
    assert two.stop() == 0
    assert not two.leftovers()


@pytest.mark.parametrize(
    ("program", "name"),
    [("stonechat-api", "api"), ("stonechat-push", "push"), ("lighttpd", "lighttpd"), ("redis-server", "redis")],
)
def test_what_dies_is_named_and_started_again(make_run: MakeRun, program: str, name: str) -> None:
    run = make_run().start()
    run.wait_ready()
    first = run.pid_of(program)
    assert first
    os.kill(first, signal.SIGKILL)
    began = time.monotonic()
    wait_until(lambda: run.pid_of(program) not in (None, first), f"{program} runs again", 1.0 * PATIENCE)
    wait_until(run.healthy, "all is well again", 10)
    assert time.monotonic() - began < 10
    wait_until(lambda: f"{name} died" in run.output, "it is named")
    assert "SIGKILL" in run.output or "signal 9" in run.output, run.output
    assert run.stop() == 0


def test_what_dies_ten_times_in_a_minute_ends_the_run(make_run: MakeRun) -> None:
    run = make_run().start()
    run.wait_ready()
    killed: set[int] = set()

    def kill_again() -> bool:
        pid = run.pid_of("stonechat-api")
        if pid and pid not in killed:
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)
        assert run.child
        return run.child.poll() is not None

    wait_until(kill_again, "the run ends", 55)
    assert run.wait() != 0
    assert len(killed) == 10
    assert "api died ten times" in run.output
    wait_until(lambda: not run.leftovers(), "nothing is left")


def test_the_second_start_is_fast_and_keeps_the_data(make_run: MakeRun) -> None:
    run = make_run().start()
    run.wait_ready()
    ann = somebody(run)
    message = ann.say(ann, "keep this")
    assert run.stop() == 0
    again = make_run(data=run.data, port=run.port).start()
    assert again.wait_ready() < 3.0 * PATIENCE
    assert ann.history(message["conversation_id"]) == [message]
    assert ann.log_in(ann.username, PASSWORD).status_code == 200
    assert again.stop() == 0


def test_the_script_itself_is_killed(make_run: MakeRun) -> None:
    """Nothing survives its supervisor, and the next start cleans up."""
    run = make_run().start()
    run.wait_ready()
    assert run.child
    run.child.kill()
    run.wait()
    wait_until(lambda: not [left for left in run.leftovers() if "socket" not in left], "all processes have ended", 20)
    again = make_run(data=run.data, port=run.port).start()
    again.wait_ready()
    assert again.stop() == 0
    assert not again.leftovers()


def test_a_host_without_push(make_run: MakeRun) -> None:
    """Its readiness does not hang on what other hosts serve; who asks it for a WebSocket is told to come again."""
    run = make_run().start("--", "--push.processes=0")
    run.wait_ready()
    assert httpx.get(run.url + "/readyz").json()["push"] == "elsewhere"
    assert run.pid_of("stonechat-push") is None
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    answer = httpx.get(run.url + "/ws", headers=upgrade | {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    somebody(run).close()
    push = subprocess.run(
        [ROOT / "build/stonechat-push", "--push.processes=0"], capture_output=True, text=True, timeout=10, check=False
    )
    assert push.returncode == 1 and "Set it to 1 for this program." in push.stderr
    assert run.stop() == 0
    assert not run.leftovers()


# -- one clear sentence each
def refused(run: Run, *words: str) -> None:
    """The run ends by itself, non-zero, with a last line that holds these words; nothing is left."""
    assert run.wait(60) != 0
    last = run.output.strip().splitlines()[-1]
    for word in words:
        assert word in last, run.output
    assert last.endswith("."), "a sentence"
    assert "Traceback" not in run.output and "line " not in last


@pytest.mark.parametrize(("offset", "variable"), [(0, "STONECHAT_PORT"), (1, "STONECHAT_PUSH_PORT")])
def test_a_port_in_use(make_run: MakeRun, offset: int, variable: str) -> None:
    run = make_run()
    with socket.create_server(("127.0.0.1", run.port + offset)):
        refused(run.start(), str(run.port + offset), "in use", variable)


def test_an_unwritable_folder(make_run: MakeRun, tmp_path: Path) -> None:
    """Below a file, where not even root can write."""
    (tmp_path / "file").write_text("")
    refused(make_run(data=tmp_path / "file/data").start(), str(tmp_path / "file/data"), "STONECHAT_DATA")


def test_a_folder_with_a_long_path(make_run: MakeRun, tmp_path: Path) -> None:
    refused(make_run(data=tmp_path / ("long" * 30)).start(), "bytes", "shorter")


def test_a_second_run_on_the_same_folder(make_run: MakeRun) -> None:
    run = make_run().start()
    run.wait_ready()
    refused(make_run(data=run.data).start(), str(run.data), "already runs")
    assert run.healthy()
    assert run.stop() == 0


def test_an_argument_nobody_knows(make_run: MakeRun) -> None:
    refused(make_run().start("--fast"), "--fast", "--help")


def test_help(make_run: MakeRun) -> None:
    run = make_run().start("--help")
    assert run.wait() == 0
    assert "STONECHAT_PORT" in run.output and "STONECHAT_DATA" in run.output


def test_a_missing_package_is_listed_with_its_reason(make_run: MakeRun, tmp_path: Path) -> None:
    """On a machine without lighttpd: listed by --no-install, and nothing is installed or started."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for folder in ("/usr/bin", "/bin"):
        for tool in Path(folder).iterdir():
            if tool.name != "redis-server" and not (tools / tool.name).exists():
                (tools / tool.name).symlink_to(tool)
    run = make_run().start("--no-install", PATH=str(tools))
    assert run.wait(60) != 0
    assert "redis-server" in run.output
    assert "Stonechat is ready" not in run.output
