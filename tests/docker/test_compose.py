"""docker-compose.yml on a real engine: two of each behind one address, and what happens when one of them is gone.

The containers stay up from test to test; who kills something waits until it is back."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import httpx
import pytest

from integration import test_groups, test_instances, test_slow_mode, test_two_nodes
from support.client import PASSWORD, Json, Person, new_id
from support.compose import PROJECT, ComposeSite, Deployment, shown
from support.engine import Engine
from support.live import Live
from support.stack import ROOT, UNLIMITED, setting_name
from support.waiting import wait_until

ALL = ["api-1", "api-2", "balancer", "migrate", "postgres", "push-1", "push-2", "redis", "web-1", "web-2"]
RUNNING = [service for service in ALL if service != "migrate"]
TOTAL_MB_MAX = 260
PROMISED_S = 5.0
PATIENCE = 3

# Of the services that share an image, the one that is there first builds it.
BUILT = ["balancer", "migrate", "postgres", "redis", "web-1"]

# As whom a container runs.
OWNERS = {"postgres": 801, "redis": 802, "balancer": 803}
STONECHAT = 800


@pytest.fixture(scope="module")
def deployment(engine: Engine) -> Iterator[Deployment]:
    limits = {setting_name(name): value for name, value in UNLIMITED.items()}
    deployment = Deployment(engine, "docker-compose.yml", doors=True, STONECHAT_PUSH_DRAIN_MS="1500", **limits)
    try:
        printed = deployment.up_from_nothing()
        assert sorted(re.findall(r"^Building (\S+)$", printed, re.MULTILINE)) == BUILT, "each image is built, and once"
        yield deployment
    finally:
        deployment.type("docker-compose down --volumes")


@pytest.fixture(autouse=True)
def whole(deployment: Deployment) -> None:
    """Every test begins with everything there."""
    deployment.wait_healthy(*RUNNING)


@pytest.fixture
def exits() -> Iterator[ExitStack]:
    with ExitStack() as exits:
        yield exits


# -- two of each
def metric(deployment: Deployment, service: str, name: str) -> float:
    port = 8090 if service.startswith("api") else 8091
    ask = f"exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3"
    found = re.search(rf"^{name} (\S+)$", deployment.inside(service, ask), re.MULTILINE)
    assert found, f"{service} has no {name}"
    return float(found[1])


def at_both(person: Person, exits: ExitStack) -> dict[str, Live]:
    """Connects by the address of all until somebody is at either push; one socket each, by its name."""
    found: dict[str, Live] = {}
    for _ in range(20):
        live = exits.enter_context(person.connect())
        found.setdefault(str(live.hello["node"])[:6], live)
        if len(found) == 2:
            return found
    raise AssertionError(f"20 sockets, all at {list(found)}")


def test_every_part_serves_people_and_every_device_hears(deployment: Deployment, exits: ExitStack) -> None:
    before = {api: metric(deployment, api, "stonechat_http_requests_total") for api in ("api-1", "api-2")}
    people = [deployment.somebody(name) for name in ("ann", "bob", "eve")]
    ann = people[0]
    group_id = ann.make_group("Tea", *people[1:])
    devices = [live for person in people for live in at_both(person, exits).values()]
    by_rest = [person.send(group_id, f"hello from {person.username}").json() for person in people * 4]
    by_socket = [live.say("hello by socket", conversation_id=group_id)["message"] for live in devices]
    for live in devices:
        for message in by_rest + by_socket:
            live.created(message["id"])
    history = [message["id"] for message in ann.history(group_id)]
    assert sorted(history) == sorted(message["id"] for message in by_rest + by_socket)
    for api, was in before.items():
        assert metric(deployment, api, "stonechat_http_requests_total") > was, f"{api} has answered nobody"
    for push in ("push-1", "push-2"):
        assert metric(deployment, push, "stonechat_messages_stored_total") > 0


def test_the_subset_for_two_instances(deployment: Deployment, exits: ExitStack) -> None:
    """What the integration tests ask of two api and two push processes on one machine."""

    def make_stack(*_: object, **__: int) -> ComposeSite:
        return deployment.site(by_doors=True)

    test_two_nodes.test_blocks_and_mutes(make_stack, exits, test_two_nodes.with_all, 1.0)
    test_two_nodes.test_roles(make_stack, exits, test_two_nodes.with_all, 1.0)
    test_groups.test_two_nodes(make_stack, test_groups.with_all, 3.0)
    owner = Person.new(make_stack(), "owner")
    members = [Person.new(make_stack(), f"p{n}") for n in range(test_slow_mode.ROUNDS)]
    for check in (
        test_slow_mode.test_of_messages_at_two_api_processes_one_passes,
        test_slow_mode.test_of_messages_at_all_doors_one_passes,
    ):
        group_id = owner.make_group("Slow", *members)
        settings = {"slow_mode_s": test_slow_mode.SLOW_S}
        assert owner.request("PATCH", f"/conversations/{group_id}", json=settings).status_code == 200
        check((group_id, members))


def test_the_subset_for_two_hosts(deployment: Deployment) -> None:
    """What they ask of two hosts with a balancer before them."""
    site = deployment.site()
    test_instances.test_presence_is_of_the_site(site)
    test_instances.test_what_one_host_gave_out_holds_at_the_other(site)
    test_instances.test_the_page_and_other_upgrades(site)


def test_addresses_are_the_peers_and_not_what_a_client_claims(deployment: Deployment) -> None:
    ann = deployment.somebody("ann")
    answer = httpx.post(
        f"{deployment.url}/api/v1/auth/login",
        json={"username": ann.username, "password": PASSWORD},
        headers={"X-Forwarded-For": "203.0.113.9, 10.71.83.2"},
        trust_env=False,
    )
    assert answer.status_code == 200
    addresses = {session["address"] for session in ann.get("/auth/sessions").json()["items"]}
    assert addresses == {"10.71.83.1"}, "the engine's, which passes on what came to the loopback"


# -- one is gone
class Talker:
    """Says one thing after the other by REST, each until it is acknowledged, until it is told to stop."""

    def __init__(self, person: Person, conversation_id: str) -> None:
        self.person, self.conversation_id = person, conversation_id
        self.acknowledged: list[Json] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._talk)

    def __enter__(self) -> Talker:
        self._thread.start()
        self.wait_for_more()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _talk(self) -> None:
        while not self._stop.is_set():
            id_ = new_id()
            while not self._say(id_):
                self._stop.wait(0.05)

    def _say(self, id_: str) -> bool:
        with suppress(httpx.HTTPError):
            answer = self.person.send(self.conversation_id, "still here", id=id_)
            if answer.is_success:
                self.acknowledged.append(answer.json())
            else:
                assert answer.json()["retryable"], answer.text
            return answer.is_success
        return False

    def wait_for_more(self, n: int = 20) -> None:
        wanted = len(self.acknowledged) + n
        wait_until(lambda: len(self.acknowledged) >= wanted, f"{n} more messages are acknowledged", 60)


@pytest.mark.parametrize("victim", ["api-1", "web-2", "push-1", "balancer", "redis", "postgres"])
def test_what_is_killed_is_started_again_and_nothing_is_lost(
    deployment: Deployment, exits: ExitStack, victim: str
) -> None:
    ann, bob = deployment.somebody("ann"), deployment.somebody("bob")
    conversation_id = ann.conversation_with(bob)
    sockets = at_both(bob, exits)
    before = deployment.inspect(victim)
    with Talker(ann, conversation_id) as talker:
        deployment.send_signal(victim, signal.SIGKILL)
        talker.wait_for_more()
        wait_until(
            lambda: deployment.inspect(victim)["RestartCount"] > before["RestartCount"], f"{victim} runs again", 60
        )
        deployment.wait_healthy(*RUNNING)
        talker.wait_for_more()
    assert deployment.inspect(victim)["Id"] == before["Id"], "the same container"
    history = [message["id"] for message in bob.history(conversation_id)]
    assert set(history) >= {message["id"] for message in talker.acknowledged}
    assert len(history) == len(set(history)) == len(talker.acknowledged) + 1
    last = ann.say(bob, "the last one")
    for live in sockets.values():
        if live.open:
            live.told_of(last, PROMISED_S * PATIENCE)
    for live in at_both(bob, exits).values():
        assert live.hello["epoch"]


def test_an_idle_balancer_finds_a_container_at_its_new_address(deployment: Deployment) -> None:
    """Compose makes containers anew on each change of a setting."""
    for service in ("web-1", "web-2", "push-1", "push-2"):
        deployment.type(f"docker-compose up -d --no-deps --force-recreate {service}")
    deployment.wait_healthy(*RUNNING)
    ann = deployment.somebody("ann")
    with ExitStack() as exits:
        assert set(at_both(ann, exits)) == {"push-1", "push-2"}


# -- what it is made of
def test_nothing_runs_as_root_or_writes_beside_its_data(deployment: Deployment) -> None:
    for service in RUNNING:
        status = deployment.status(service)
        user = str(OWNERS.get(service, STONECHAT))
        found = {
            "users": set(re.findall(r"^Uid:\t(\d+)", status, re.MULTILINE)),
            "groups": set(re.findall(r"^Gid:\t(\d+)", status, re.MULTILINE)),
            "capabilities": set(re.findall(r"^CapBnd:\t(\w+)", status, re.MULTILINE)),
            "may gain none": set(re.findall(r"^NoNewPrivs:\t(\d)", status, re.MULTILINE)),
            "writes": deployment.inside(
                service,
                "for f in / /etc /opt/stonechat /data /data/keys; do ! touch $f/x 2>/dev/null || echo $f; done",
            ),
            "restarts": deployment.inspect(service)["HostConfig"]["RestartPolicy"]["Name"],
        }
        assert found == {
            "users": {user},
            "groups": {user},
            "capabilities": {"0" * 16},
            "may gain none": {"1"},
            "writes": "",
            "restarts": "unless-stopped",
        }, service


def test_secrets_are_in_files_of_who_needs_them(deployment: Deployment) -> None:
    url = deployment.inside("postgres", "cat /secrets/database.url").strip()
    found = re.fullmatch(r"postgres://stonechat:([0-9a-f]{48})@10\.71\.84\.2:5432/stonechat", url)
    assert found
    password = found[1]
    url = deployment.inside("redis", "cat /secrets.redis/redis.url").strip()
    found = re.fullmatch(r"redis://:([0-9a-f]{48})@10\.71\.84\.3:6379", url)
    assert found
    told = json.dumps([deployment.inspect(service) for service in ALL]) + deployment.logs()
    told += "".join(deployment.inside(service, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '") for service in RUNNING)
    assert password not in told and found[1] not in told and "redis-server" in told
    readers = {
        file: {service for service in RUNNING if deployment.inside(service, f"[ ! -r {file} ] || echo yes") == "yes\n"}
        for file in ("/secrets/database.url", "/secrets.redis/redis.url", "/data/keys/token.key")
    }
    programs = {"api-1", "api-2", "push-1", "push-2"}
    assert readers == {
        "/secrets/database.url": programs | {"postgres"},
        "/secrets.redis/redis.url": programs | {"redis"},
        "/data/keys/token.key": programs,
    }
    psql = f"docker run --rm --network={PROJECT}_inside --entrypoint=psql stonechat-postgres -wc 'SELECT 1'"
    for name, why in (("stonechat", "no password supplied"), ("postgres", "no pg_hba.conf entry")):
        assert why in deployment.type(f"! {psql} postgres://{name}@postgres/stonechat 2>&1")


def test_lost_passwords_are_made_anew(deployment: Deployment) -> None:
    secrets = {"postgres": "/secrets/database.url", "redis": "/secrets.redis/redis.url"}
    before = {service: deployment.inside(service, f"cat {file}; rm {file}") for service, file in secrets.items()}
    deployment.type("docker-compose restart postgres redis api-1 api-2 push-1 push-2")
    deployment.wait_healthy(*RUNNING)
    for service, file in secrets.items():
        assert deployment.inside(service, f"cat {file}") != before[service]
    deployment.site().wait_ready("ok")
    deployment.somebody("ann").close()


def test_redis_answers_nobody_without_the_password(deployment: Deployment) -> None:
    assert "NOAUTH" in deployment.inside("redis", "redis-cli ping")
    assert deployment.inside("redis", "conf/container/redis healthy && echo yes") == "yes\n"


def test_a_secret_that_is_missing_is_said(deployment: Deployment) -> None:
    run = "docker-compose run --rm -T --no-deps {} api-1 stonechat status 2>&1 || :"
    for option, said in (
        ("-e STONECHAT_REDIS_URL_FILE=/secrets.redis/none", "/secrets.redis/none can't be read: No such file"),
        ("-e STONECHAT_REDIS_URL=redis://r", "STONECHAT_REDIS_URL and STONECHAT_REDIS_URL_FILE are both set"),
        ("-e STONECHAT_DATABASE_URL_FILE=/secrets/none", "/secrets/none can't be read: No such file"),
    ):
        assert said in deployment.type(run.format(option))


def test_networks_end_where_they_must(deployment: Deployment) -> None:
    """Who is reached from outside does not reach the database."""

    def reaches(service: str, host: str, port: int) -> bool:
        address = deployment.inspect(host)["NetworkSettings"]["Networks"][f"{PROJECT}_inside"]["IPAddress"]
        connect = f"timeout 2 bash -c '(exec 3<>/dev/tcp/{address}/{port}) 2>/dev/null' && echo yes || echo no"
        return deployment.inside(service, connect) == "yes\n"

    assert reaches("api-1", "postgres", 5432) and reaches("push-1", "redis", 6379)
    for service in ("balancer", "web-1"):
        assert not reaches(service, "postgres", 5432) and not reaches(service, "redis", 6379)


def test_health_is_what_the_part_says(deployment: Deployment) -> None:
    for service in RUNNING:
        kind, *command = deployment.inspect(service)["Config"]["Healthcheck"]["Test"]
        assert kind == "CMD"
        check = ["docker", "exec", deployment.container(service), *command]
        deployment.engine.run(*check)
        if service in ("api-1", "push-2", "postgres"):
            deployment.send_signal(service, signal.SIGSTOP)
            frozen = subprocess.run(
                ["timeout", "3", *check], env=deployment.engine.env, capture_output=True, timeout=30, check=False
            )
            deployment.send_signal(service, signal.SIGCONT)
            assert frozen.returncode != 0, service
    deployment.wait_healthy(*RUNNING)


def test_total_size(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    operations = (ROOT / "docs/operations.md").read_text()
    [command] = re.findall(r"^<!-- docker: size -->\n+```sh\n(.*?)^```", operations, re.MULTILINE | re.DOTALL)
    told = deployment.type(command)
    images = deployment.images()
    each = {image: round(deployment.engine.size_mb(image)) for image in images}
    with capsys.disabled():
        print(f"\n{told.strip()} in all; with what they share, {each}")
    assert float(told.split()[0]) < TOTAL_MB_MAX
    tools = "type -P cc node npm python3 || :"
    for image in images:
        assert (
            deployment.engine.run("docker", "run", "--rm", "--network=none", "--entrypoint=bash", image, "-c", tools)
            == ""
        )


def test_the_commands_of_the_readme(deployment: Deployment) -> None:
    printed = deployment.type(shown()["look"])
    assert "Up (healthy)" in printed and "program=stonechat-api" in printed
    assert "#auth.sign_up = open" in printed


# -- its end
def test_it_ends_in_order_and_everything_is_there_again(deployment: Deployment) -> None:
    ann, bob = deployment.somebody("ann"), deployment.somebody("bob")
    conversation_id = ann.conversation_with(bob)
    live = ann.connect()
    deployment.type("docker-compose stop")
    assert live.wait_closed() == 4001
    ended = {service: (deployment.state(service)["Status"], deployment.state(service)["ExitCode"]) for service in ALL}
    assert ended == dict.fromkeys(ALL, ("exited", 0))

    deployment.type(shown()["stop"])
    assert deployment.engine.run("docker", "ps", "--all", "--quiet") == ""
    deployment.up()
    # The same tokens: the key is kept as well.
    assert [one["content"] for one in bob.history(conversation_id)] == ["hello"]
    assert ann.say(bob, "and again")["seq"] == 2
    assert "up to date" in deployment.type("docker-compose logs --no-color migrate")
