"""Two hosts with an API and a lighttpd each, three push processes, and a balancer by conf/haproxy.cfg before them.

People are spread over all, and every event reaches every device. What holds when one of them is killed:
tests/drills/test_instances.py."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from support import tokens
from support.client import BASE, PASSWORD, Api, Person
from support.crew import SOCKETS_MAX, connect_to_each, kill, metrics_of, pid_at
from support.live import Live
from support.presence import hears
from support.problems import problem
from support.site import Site
from support.stack import ROOT
from support.waiting import wait_until

PATIENCE = 3
HANGS_S = 5  # a push that does not answer an upgrade for so long
ROOMY = {"limits.sockets_per_user": str(SOCKETS_MAX)}
REFUSED = "stonechat_tokens_refused_total"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """For tests that leave it as they found it."""
    site = Site(ROOMY).start()
    yield site
    wrong = site.stop()
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def own_site() -> Iterator[Site]:
    site = Site(ROOMY | {"push.drain_ms": "1500"}).start()
    yield site
    wrong = site.stop()
    assert not wrong, "\n".join(wrong)


def connect_to_all(site: Site, person: Person, exits: ExitStack) -> list[Live]:
    """Sockets of one person, one at each node."""
    lives = list(connect_to_each(person.connect, site.nodes()).values())
    return [exits.enter_context(live) for live in lives]


def stored_by(site: Site) -> list[float]:
    """How many messages each API has stored."""
    return [metrics_of(host.metrics_port).get("stonechat_messages_stored_total", 0) for host in site.hosts]


def test_the_file_is_valid_as_it_stands() -> None:
    haproxy = shutil.which("haproxy") or "/usr/sbin/haproxy"
    done = subprocess.run(
        [haproxy, "-c", "-f", "conf/haproxy.cfg"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "[WARNING]" not in done.stderr, done.stderr


def test_silence_of_a_socket_is_not_its_end() -> None:
    """Somebody who only listens is pinged each limits.heartbeat_ms; the balancer waits for three of those."""
    conf = (ROOT / "conf/stonechat.conf").read_text()
    heartbeat_ms = int(re.findall(r"^#limits\.heartbeat_ms = (\d+)$", conf, re.MULTILINE)[0])
    tunnel_s = int(re.findall(r"^\ttimeout tunnel (\d+)s$", (ROOT / "conf/haproxy.cfg").read_text(), re.MULTILINE)[0])
    assert tunnel_s * 1000 >= 3 * heartbeat_ms


def test_people_spread_over_all_hear_everything(site: Site) -> None:
    people = [Person.new(site, name) for name in ("ann", "bob", "eve")]
    ann, bob, eve = people
    room = ann.make_group("all over the place", bob, eve)
    before = stored_by(site)
    with ExitStack() as exits:
        lives = {person.username: connect_to_all(site, person, exits) for person in people}
        said = [person.send(room, f"by REST of {person.username}").json() for person in people]
        for person in people:
            for live in lives[person.username]:
                reply = live.say(f"from {live.hello['node']}", conversation_id=room)
                said.append(reply["message"])
        for own in lives.values():
            for live in own:
                for message in said:
                    live.created(message["id"], 20)
                seqs = [o["message"]["seq"] for o in live.all_created(room)]
                assert seqs == sorted(set(seqs)), "each once, in order"
        assert [message["seq"] for message in eve.history(room)] == list(range(1, len(said) + 1))
    assert all(now > then for now, then in zip(stored_by(site), before, strict=True)), "both hosts were asked"


def test_presence_is_of_the_site(site: Site) -> None:
    """Somebody watched from another node, on another host, comes and goes."""
    ann, bob = Person.new(site, "ann"), Person.new(site, "bob")
    ann.conversation_with(bob)
    with ExitStack() as exits:
        eyes = connect_to_all(site, ann, exits)
        for eye in eyes:
            eye.request("presence.watch", user_ids=[bob.id])
        with bob.connect():
            for eye in eyes:
                hears(eye, bob, "online")


def test_what_one_host_gave_out_holds_at_the_other(site: Site) -> None:
    """Tokens and cookies: hosts share the key; and a session that has ended at one has ended everywhere."""
    ann = Person.new(site, "ann")
    for host in site.hosts:
        with httpx.Client(base_url=f"http://127.0.0.1:{host.site_port}{BASE}", trust_env=False) as http:
            me = http.get("/users/me", headers={"Authorization": f"Bearer {ann.token}"})
            assert me.status_code == 200, host
    other = ann.another_device()
    session_id = next(item["id"] for item in other.get("/auth/sessions").json()["items"] if item["current"])
    with other.connect() as live:
        assert ann.request("DELETE", f"/auth/sessions/{session_id}").status_code in (200, 204)
        assert live.wait_closed(15) == 4403
    for _ in range(4):
        assert other.get("/users/me").status_code == 401


def test_a_key_of_its_own_shows(site: Site) -> None:
    """A host that does not have the others' key refuses their tokens, and counts what it refuses, at both doors."""
    ann = Person.new(site, "ann")
    claims = tokens.claims_of(str(ann.token))
    foreign = tokens.sign(b"k" * 32, claims)
    host = site.hosts[1]
    ports = host.metrics_port, host.push_metrics_ports[0]
    before = [metrics_of(port).get(REFUSED, 0) for port in ports]
    url = f"http://127.0.0.1:{host.site_port}{BASE}/users/me"
    answer = httpx.get(url, headers={"Authorization": f"Bearer {foreign}"}, trust_env=False)
    assert problem(answer, 401)["code"] == "token_invalid"
    with Live(f"http://127.0.0.1:{host.push_port}") as live:
        live.ask("auth", token=foreign)
        assert live.wait_closed() == 4401
    assert [metrics_of(port)[REFUSED] for port in ports] == [count + 1 for count in before]


def test_addresses_come_through_the_balancer_and_cannot_be_claimed(site: Site) -> None:
    """Who connects from 127.0.0.9 is that, whatever X-Forwarded-For they send along."""
    ann = Person.new(site, "ann")
    transport = httpx.HTTPTransport(local_address="127.0.0.9")
    with httpx.Client(base_url=site.url + BASE, transport=transport, trust_env=False) as http:
        body = {"username": ann.username, "password": PASSWORD}
        answer = http.post("/auth/login", json=body, headers={"X-Forwarded-For": "203.0.113.7, 127.0.0.1"})
        assert answer.status_code == 200
    addresses = [item["address"] for item in ann.get("/auth/sessions").json()["items"]]
    assert "127.0.0.9" in addresses
    assert not {"203.0.113.7"} & set(addresses)


def test_the_page_and_other_upgrades(site: Site) -> None:
    page = httpx.get(site.url, trust_env=False)
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    upgrade = {"Connection": "Upgrade", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAoAAAAAIAAAAA"}
    assert problem(httpx.get(site.url + "/ws", headers=upgrade, trust_env=False), 426)["code"] == "upgrade_required"
    many = "&".join(f"a{n}=1" for n in range(60))
    assert problem(httpx.get(f"{site.url}/ws?{many}", trust_env=False), 404)["code"] == "path_not_found"


def test_a_host_that_is_taken_out_gets_nobody_new(own_site: Site) -> None:
    """`set server … state drain`: who is there stays, who comes goes to the other."""
    site = own_site
    ann, bob = Person.new(site, "ann"), Person.new(site, "bob")
    with ExitStack() as exits:
        lives = connect_to_all(site, ann, exits)
        site.tell_balancer("set server push/a state drain")
        site.tell_balancer("set server site/a state drain")
        wait_until(lambda: site.states()["push/a"].startswith("DRAIN"), "it drains")
        later = [exits.enter_context(ann.connect()) for _ in range(4)]
        assert {live.hello["node"].rsplit("-", 1)[0] for live in later} == {"host-b"}
        before = stored_by(site)
        message = bob.say(ann, "hello")
        assert stored_by(site)[0] == before[0], "no request goes there"
        for live in (*lives, *later):
            live.told_of(message, 15)

        # Then its push may go: each socket is told its moment, and comes to the other host.
        push = site.processes["push_a"]
        assert push.child
        push.child.send_signal(signal.SIGTERM)
        for live in lives:
            if live.hello["node"].startswith("host-a"):
                live.event("reconnect")
                assert live.wait_closed(15) == 4001
        assert push.child.wait(15) == 0
    push.start()
    for backend in ("push", "site"):
        site.tell_balancer(f"set server {backend}/a state ready")
    site.wait_ready()


def test_a_push_that_ends_is_found_out_before_its_sockets_come_back(own_site: Site) -> None:
    """Without a word to the balancer: a connection that is not taken is another host's."""
    ann = Person.new(own_site, "ann")
    own_site.processes["push_a"].end()
    with ExitStack() as exits:
        lives = [exits.enter_context(ann.connect()) for _ in range(6)]
        assert {live.hello["node"].rsplit("-", 1)[0] for live in lives} == {"host-b"}
    own_site.processes["push_a"].start()
    own_site.wait_ready()


def test_a_push_that_hangs_keeps_nobody(own_site: Site) -> None:
    """It still takes connections, and answers none: who came to it is sent on, and soon nobody comes to it any more."""
    site = own_site
    ann = Person.new(site, "ann")
    site.processes["push_b"].freeze()
    began = time.monotonic()
    nodes = [greeted_by(site, ann) for _ in range(4)]
    took_s = time.monotonic() - began
    print(f"four sockets were greeted after {took_s:.1f} s")
    assert all(node.startswith("host-a-") for node in nodes)
    assert took_s < PATIENCE * 2 * HANGS_S
    wait_until(lambda: site.states()["push/b"] == "DOWN", "the balancer knows", 20)
    site.processes["push_b"].thaw()
    site.wait_ready()


def greeted_by(site: Site, person: Person) -> str:
    """The node of the first socket that is greeted; until then, every attempt is told to come again."""
    while True:
        try:
            with Live(site.url) as live:
                return str(live.authenticate(str(person.token))["node"])
        except InvalidStatus as refusal:
            assert refusal.response.status_code in (503, 504)


def test_rest_is_served_while_a_host_has_no_push(own_site: Site) -> None:
    """Its readiness says so, and the balancer knows better: WebSockets are others' work."""
    site = own_site
    host = site.hosts[0]
    site.processes["push_a"].end()
    wait_until(lambda: site.states()["push/a"] == "DOWN", "the balancer knows", 15)
    assert httpx.get(f"http://127.0.0.1:{host.site_port}/readyz", trust_env=False).json()["push"] == "failed"
    assert site.states()["site/a"] == "UP"
    site.processes["push_a"].start()
    site.wait_ready()


def test_nobody_there_is_a_problem_document(own_site: Site) -> None:
    with Person.new(own_site, "ann").connect() as live:
        for name in ("lighttpd_a", "lighttpd_b"):
            own_site.processes[name].kill()
        answer = Api(own_site).http.get("/users/me")
        assert problem(answer, 503)["code"] == "unavailable"
        assert answer.headers["retry-after"] == "1"
        assert live.request("ping")["ok"], "a socket does not go through them"
    for name in ("lighttpd_a", "lighttpd_b"):
        own_site.processes[name].start()
    own_site.wait_ready()


def test_a_killed_node_is_replaced_and_misses_nobody(own_site: Site) -> None:
    """One push process of three: its sockets come back elsewhere and learn what was said meanwhile."""
    site = own_site
    ann, bob = Person.new(site, "ann"), Person.new(site, "bob")
    room = bob.conversation_with(ann)
    with ExitStack() as exits:
        lives = connect_to_all(site, ann, exits)
        victim = next(live for live in lives if live.hello["node"].startswith("host-a-1-"))
        kill(pid_at(site.hosts[0].push_metrics_ports[0]))
        victim.wait_closed(10)
        missed = bob.say(ann, "while it was away")
        state = {"epoch": victim.hello["epoch"], "me": victim.hello["me"], "known": {room: missed["rev"] - 1}}
        again = exits.enter_context(ann.connect(**state, known_count=1))
        assert again.hello["node"] != victim.hello["node"]
        again.told_of(missed, 15)
        for live in lives:
            if live.hello["node"] != victim.hello["node"]:
                live.told_of(missed, 15)
    site.wait_ready()
