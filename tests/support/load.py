"""Load for the drills: people who talk with one another at a steady rate over both doors, on devices that follow.

Every call is tried again under its id until it has a definite answer. All choices come from one seed."""

from __future__ import annotations

import asyncio
import itertools
import random
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from support.client import Person, new_id
from support.device import Account, Device
from support.history import History
from support.pool import LostError, Pool
from support.stack import Stack
from support.stored import read_all

Json = dict[str, Any]

EMOJIS = ("👍", "🎉", "❤️")
# Of each hundred calls that are no new message.
OTHERS = (("edit", 30), ("delete", 10), ("react", 25), ("unreact", 10), ("read", 20), ("open", 5))
MESSAGES_OF_100 = 85
PENDING_MAX = 3000
QUIET_EACH = 8
SETTLE_WITHIN_S = 30.0
RETRY_BASE_S, RETRY_CAP_S = 0.1, 1.0
FRAMES = {"create": "message.send", "edit": "message.edit", "delete": "message.delete", "react": "reaction.add",
          "unreact": "reaction.remove", "read": "read.update"}  # fmt: skip


@dataclass
class Said:
    """A message that was acknowledged, for those who change one."""

    conversation: str
    id: str
    seq: int
    sender: Account


@dataclass
class Pair:
    """Two people and the id of their conversation, once it has been made."""

    people: tuple[Account, Account]
    conversation: str = ""
    said: list[Said] = field(default_factory=list)


class Load:
    """`rate` calls a second in all; each person has `devices` devices, of which the first one writes too.

    Who has waited `patience_s` for an answer tries again, and does not see any more what the first attempt is answered.
    """

    def __init__(
        self,
        stack: Stack,
        history: History,
        seed: int,
        *,
        rate: int = 260,
        people: int = 4,
        devices: int = 2,
        patience_s: float = 5.0,
    ) -> None:
        self.stack, self.history, self.seed, self.rate = stack, history, seed, rate
        self.n_people, self.n_devices = people, devices
        self.rng = random.Random(seed)
        self.devices: list[Device] = []
        self.accounts: list[Account] = []
        self.pairs: list[Pair] = []
        self.strangers: list[Pair] = []
        self.quiet: list[Pair] = []  # each is said something to once: nothing later tells that it was missed
        self.latencies: list[tuple[float, float, str]] = []  # when asked, how long until acknowledged, by which door
        self.answers: Counter[int] = Counter()  # of the REST door, by status
        self.failures: list[BaseException] = []  # of this program, not of the server
        self.said_at: list[float] = []  # when each message was first sent
        self._numbers = itertools.count(1)
        self._pending: set[asyncio.Task[None]] = set()
        self._flow: asyncio.Task[None] | None = None
        self.patience_s = patience_s
        self.http = Pool(stack.port, timeout_s=patience_s)

    # -- the beginning
    def sign_up(self, prefix: str) -> Account:
        person = Person.new(self.stack, prefix)
        person.close()
        assert person.token
        return Account(self.stack, self.http, person.user, person.token)

    async def start(self, fault: str, notice_s: float) -> None:
        """People, their conversations and devices; returns when all devices are there and messages flow."""
        self.accounts = [self.sign_up("writer") for _ in range(self.n_people)]
        strangers = [self.sign_up("stranger") for _ in range(3)]
        self.pairs = [Pair(two) for two in itertools.combinations(self.accounts, 2)]
        self.strangers = [Pair(two) for two in itertools.product(self.accounts, strangers)]
        self.rng.shuffle(self.strangers)
        self.history.add("run", fault=fault, seed=self.seed, notice_s=notice_s)
        whisperers = [self.sign_up("whisperer") for _ in range(QUIET_EACH)]
        self.quiet = [Pair(two) for two in itertools.product(whisperers, self.accounts)]
        for pair in self.pairs:
            await self._open(pair, pair.people[0])
        await asyncio.gather(*(self._open(pair, pair.people[0]) for pair in self.quiet))
        for account, n in itertools.product(self.accounts, range(self.n_devices)):
            rng = random.Random(self.rng.random())
            name = f"{account.username}/{n}"
            self.devices.append(Device(name, account, self.history, rng, direct=n % 2 == 1))
            self.devices[-1].patience_s = self.patience_s
            self.devices[-1].start()
        await self.until(lambda: all(device.socket for device in self.devices), "all devices are connected")
        await self.until(lambda: not self.lagging(), "all devices know what there is")
        self.resume()
        await self.until(lambda: len(self.latencies) > self.rate, "messages flow")

    async def until(self, condition: Any, what: str, within_s: float = SETTLE_WITHIN_S) -> float:
        """Waits for a condition; how long it took."""
        began = History.now()
        while not condition():
            assert History.now() - began < within_s, f"not within {within_s:g} s: {what}"
            await asyncio.sleep(0.05)
        return History.now() - began

    async def flow(self, seconds: float) -> None:
        """Lets it flow for so long."""
        await asyncio.sleep(seconds)

    async def serve(self, seconds: float) -> None:
        """Waits until as many calls more have been acknowledged as begin in so long: people are being served."""
        wanted = len(self.latencies) + int(self.rate * seconds)
        await self.until(lambda: len(self.latencies) >= wanted, f"{wanted} calls are acknowledged")

    async def pause(self) -> None:
        """No new calls; waits until those that were made have been answered."""
        if self._flow:
            self._flow.cancel()
        await self.until(lambda: not self._pending, "all calls have been answered")

    def resume(self) -> None:
        self._flow = asyncio.create_task(self._keep_flowing())

    # -- calls
    async def _keep_flowing(self) -> None:
        """Open loop: calls begin at their time whether or not those before have been answered."""
        began = History.now()
        for n in itertools.count():
            await asyncio.sleep(max(0.0, began + n / self.rate - History.now()))
            if len(self._pending) >= PENDING_MAX:
                continue
            whispers = self.quiet and n % (self.rate // 2) == 0
            task = asyncio.create_task(self._whisper(self.quiet.pop()) if whispers else self._one_call())
            self._pending.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._pending.discard(task)
        failure = None if task.cancelled() else task.exception()
        if failure:
            self.failures.append(failure)

    async def _one_call(self) -> None:
        pair = self.rng.choice(self.pairs)
        account = self.rng.choice(pair.people)
        said = self.rng.choice(pair.said[-50:]) if pair.said else None
        if self.rng.randrange(100) < MESSAGES_OF_100 or said is None:
            await self.say(pair, account)
            return
        op = self.rng.choices([op for op, _ in OTHERS], [weight for _, weight in OTHERS])[0]
        ask: Json = {"conversation": said.conversation, "id": said.id}
        if op == "open":
            if self.strangers:
                stranger = self.strangers.pop()
                await self._open(stranger, stranger.people[0])
        elif op == "read":
            await self.call(account, op, conversation=said.conversation, seq=said.seq)
        elif op in ("react", "unreact"):
            await self.call(account, op, **ask, emoji=self.rng.choice(EMOJIS))
        elif op == "edit":
            await self.call(said.sender, op, **ask, content=f"edited {next(self._numbers)}")
        else:
            await self.call(said.sender, op, **ask)

    async def _whisper(self, pair: Pair) -> None:
        await self.say(pair, pair.people[0])

    async def say(self, pair: Pair, account: Account) -> None:
        chosen, content = new_id(), f"number {next(self._numbers)}"
        self.said_at.append(History.now())
        answer = await self.call(account, "create", conversation=pair.conversation, id=chosen, content=content)
        if answer:
            pair.said.append(Said(pair.conversation, chosen, answer["seq"], account))
        else:
            await self._open(pair, account)  # it is not in the copy that was put in place

    async def _open(self, pair: Pair, account: Account) -> None:
        other = pair.people[1] if pair.people[0] is account else pair.people[0]
        answer = await self.call(account, "open", door="rest", other=other.id)
        if answer:
            pair.conversation = answer["conversation"]
            if pair not in self.pairs and pair not in self.quiet:
                self.pairs.append(pair)

    async def call(self, account: Account, op: str, door: str = "", **ask: Any) -> Json | None:
        """One call until it has a definite answer; that of an acknowledged one."""
        device = next((device for device in self.devices if device.account is account), None)
        door = door or (self.rng.choice(("rest", "ws")) if device else "rest")
        number, began = next(self._numbers), History.now()
        for attempt in itertools.count(1):
            self.history.add("invoke", call=number, attempt=attempt, user=account.id, door=door, op=op, **ask)
            token = account.token
            try:
                if device and door == "ws":
                    await device.connected.wait()
                    outcome, answer = await self._by_socket(device, op, ask)
                else:
                    outcome, answer = await self._by_rest(account, op, ask)
            except LostError:
                outcome, answer = "lost", {}
            retry_after_s = answer.pop("retry_after_s", 0.0)
            self.history.add("answer", call=number, attempt=attempt, outcome=outcome, **answer)
            if outcome == "ok":
                self.latencies.append((began, History.now() - began, door))
                return answer
            if answer.get("status") == 401:
                await account.renew(token)
            elif outcome == "refused":
                return None
            pause_s = self.rng.uniform(0, min(RETRY_CAP_S, RETRY_BASE_S * 2**attempt))
            await asyncio.sleep(retry_after_s + pause_s)
        return None

    async def _by_rest(self, account: Account, op: str, ask: Json) -> tuple[str, Json]:
        room = f"/conversations/{ask.get('conversation')}"
        message = f"{room}/messages/{ask.get('id')}"
        requests: dict[str, tuple[str, str, Json | None]] = {
            "create": ("POST", f"{room}/messages", {"id": ask.get("id"), "content": ask.get("content")}),
            "edit": ("PATCH", message, {"content": ask.get("content")}),
            "delete": ("DELETE", message, None),
            "react": ("PUT", f"{message}/reactions/{quote(ask.get('emoji', ''))}", None),
            "unreact": ("DELETE", f"{message}/reactions/{quote(ask.get('emoji', ''))}", None),
            "read": ("PUT", f"{room}/read", {"seq": ask.get("seq")}),
            "open": ("POST", "/conversations", {"kind": "direct", "user_id": ask.get("other")}),
        }
        method, path, body = requests[op]
        answer = await account.ask(method, path, body)
        self.answers[answer.status] += 1
        if answer.status in (200, 201):
            return "ok", self._known(op, answer.json()) | {"status": answer.status}
        code = answer.json().get("code") if answer.headers.get("content-type", "").endswith("json") else None
        retry = answer.status >= 500 or answer.status == 429
        wait_s = float(answer.headers.get("retry-after", "0"))
        return ("retry" if retry else "refused"), {"status": answer.status, "code": code, "retry_after_s": wait_s}

    async def _by_socket(self, device: Device, op: str, ask: Json) -> tuple[str, Json]:
        names = {"conversation": "conversation_id", "id": "message_id"}
        mark = device.follower.mark(ask["conversation"])
        reply = await device.request({"type": FRAMES[op]} | {names.get(key, key): value for key, value in ask.items()})
        if not reply["ok"]:
            error = reply["error"]
            wait_s = error.get("retry_after_ms", 0) / 1000
            return ("retry" if error["retryable"] else "refused"), {"code": error["code"], "retry_after_s": wait_s}
        if "message" in reply:
            device.follower.reply(reply["message"], mark, device.now_ms())
        return "ok", self._known(op, reply.get("message", reply))

    @staticmethod
    def _known(op: str, body: Json) -> Json:
        """What an answer tells, as the history names it."""
        if op == "open":
            return {"conversation": body["id"], "rev": body["last_rev"]}
        if op == "read":
            return {"me": body["me"]}
        return {key: body[key] for key in ("id", "seq", "rev")}

    def messages_between(self, begin: float, end: float) -> int:
        return sum(begin <= at < end for at in self.said_at)

    # -- the end
    def lagging(self) -> list[str]:
        """The devices that don't know all that is stored, and what they lack."""
        streams, rows = read_all(
            self.stack,
            "SELECT id, last_rev FROM users UNION ALL SELECT id, last_rev FROM conversations",
            "SELECT user_id, conversation_id FROM members WHERE left_at IS NULL",
        )
        heads = dict(streams)
        lagging = []
        for device in self.devices:
            mine = [conversation for user, conversation in rows if user == device.account.id]
            wanted = {stream: heads[stream] for stream in (device.account.id, *mine)}
            if device.heads() != wanted:
                lagging.append(f"{device.name} knows {device.heads()}, stored is {wanted}")
        return lagging

    async def finish(self) -> None:
        """When all calls are answered and all devices know everything, their views are written down."""
        await self.pause()
        for failure in self.failures + [one for device in self.devices for one in device.failures]:
            raise AssertionError("the load itself failed") from failure
        try:
            await self.until(lambda: not self.lagging(), "all devices know everything")
        except AssertionError:
            self.history.add("note", text="not all devices know everything", lagging=self.lagging())
        await self.until(lambda: not any([device.scroll_back() for device in self.devices]), "all history is read")
        for device in self.devices:
            device.view()
        await self.stop()

    async def stop(self) -> None:
        """Ends all at once; for a drill that has failed too."""
        tasks = [task for task in (*self._pending, self._flow) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for device in self.devices:
            await device.stop()
        self.http.close()


def a_seed() -> int:
    """For a run that was not told one."""
    return uuid.uuid4().int % 1_000_000
