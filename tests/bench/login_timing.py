"""Whether the time of a refused log-in tells if there is such a person: as many tries with an unknown name as with a
wrong password, in random order, each name once. Prints the medians, their difference, and a rank test (Mann and
Whitney, normal approximation).

    STONECHAT_BUILD=build build/venv/bin/python tests/bench/login_timing.py [TRIES]

Exits with 1 when the ranks differ more than chance does once in a thousand runs."""

from __future__ import annotations

import math
import random
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.client import Api, new_name
from support.stack import Stack

SETTINGS = {f"limits.{name}_per_minute": "0" for name in ("log_in", "sign_up", "general")}
ONCE_IN_A_THOUSAND = 0.001


def rank_test(one: list[float], other: list[float]) -> tuple[float, float]:
    """The probability that a value of `one` is above one of `other`, and the two-sided p-value. Ties count half."""
    above = sum((a > b) + 0.5 * (a == b) for a in one for b in other)
    n, m = len(one), len(other)
    z = (above - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    return above / (n * m), math.erfc(abs(z) / math.sqrt(2))


def milliseconds(api: Api, name: str) -> float:
    begun = time.perf_counter()
    answer = api.log_in(name, "not the password")
    took = (time.perf_counter() - begun) * 1000
    assert answer.status_code == 401 and answer.json()["code"] == "bad_credentials", answer.text
    return took


def measure(api: Api, tries: int) -> tuple[list[float], list[float]]:
    known, unknown = ([new_name("t") for _ in range(tries)] for _ in range(2))
    for name in known:
        assert api.sign_up(name).status_code == 201
    for _ in range(10):
        milliseconds(api, new_name("t"))
    order = [(name, True) for name in known] + [(name, False) for name in unknown]
    random.shuffle(order)
    took: dict[bool, list[float]] = {True: [], False: []}
    for name, exists in order:
        took[exists].append(milliseconds(api, name))
    return took[True], took[False]


def main() -> int:
    tries = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    stack = Stack(SETTINGS).start()
    try:
        wrong, unknown = measure(Api(stack), tries)
    finally:
        stack.stop()
    share, p = rank_test(wrong, unknown)
    for name, took in (("wrong password", wrong), ("unknown person", unknown)):
        low, median, high = statistics.quantiles(took, n=4)
        print(f"{name}: {tries} tries, median {median:.3f} ms (quartiles {low:.3f} and {high:.3f})")
    print(f"difference of the medians {statistics.median(wrong) - statistics.median(unknown):+.3f} ms")
    print(f"a wrong password took longer in {share:.1%} of all pairs; p = {p:.3f}")
    return 1 if p < ONCE_IN_A_THOUSAND else 0


if __name__ == "__main__":
    sys.exit(main())
