"""Many who log in at once: some are told to come again, and everybody else is served meanwhile."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from support.client import PASSWORD, Api, Person
from support.problems import problem
from support.shared import MakeStack

AT_ONCE = 64
ROUNDS = 3


def test_a_flood_of_log_ins_leaves_room_for_the_others(make_stack: MakeStack) -> None:
    stack = make_stack()
    ann = Person.new(stack, "ann")
    doors = [Api(stack) for _ in range(AT_ONCE)]
    over = threading.Event()
    served = 0

    def read() -> int:
        n = 0
        while not over.is_set():
            assert ann.get("/users/me").status_code == 200
            n += 1
        return n

    with ThreadPoolExecutor(AT_ONCE + 1) as pool:
        reads = pool.submit(read)
        answers = [
            answer
            for _ in range(ROUNDS)
            for answer in pool.map(lambda door: door.log_in(ann.username, PASSWORD), doors)
        ]
        over.set()
        served = reads.result()
    refused = [answer for answer in answers if answer.status_code != 200]
    assert refused, "more than wait in the queue"
    for answer in refused:
        assert problem(answer, 503)["code"] == "server_busy"
        assert int(answer.headers["Retry-After"]) >= 1
    assert len(answers) > len(refused), "and some get in"
    assert served > 2 * ROUNDS, "reading went on"
    assert stack.api.tail(10**6).count("event=refused") == 0, "nothing is broken"
    for door in doors:
        door.close()
