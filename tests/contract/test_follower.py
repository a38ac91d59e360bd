"""The client algorithm against a push that loses, repeats, delays and reorders, and pulls that race with it.

In every schedule the device ends with what the database holds. STONECHAT_SEED begins elsewhere, STONECHAT_SCHEDULES
plays more of them."""

from __future__ import annotations

import os

import pytest

from support import follower
from support.lossy import Scene

FIRST = int(os.environ.get("STONECHAT_SEED", "1"))
SCHEDULES = int(os.environ.get("STONECHAT_SCHEDULES", "400"))


@pytest.mark.parametrize("behind", [2_000, 8], ids=["pulls", "starts anew"])
def test_the_view_equals_the_database(behind: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """`behind`: the revisions over which a stream starts anew instead of being pulled."""
    monkeypatch.setattr(follower, "SNAPSHOT_BEHIND", behind)
    for seed in range(FIRST, FIRST + SCHEDULES):
        scene = Scene(seed)
        scene.run()
        assert scene.difference() is None, f"STONECHAT_SEED={seed}"


def test_a_schedule_is_repeated_by_its_seed() -> None:
    def trace() -> list[int]:
        scene = Scene(FIRST)
        scene.run()
        return [room.rev for room in scene.server.rooms.values()]

    assert trace() == trace()


def test_auth_names_the_500_newest() -> None:
    """`known` and `known_count` of auth: the server takes no more than 500 entries."""
    device = follower.Follower("ann", lists=True)
    device.start(0)
    (sync,) = device.requests(0)
    me = {"rev": 600, "memberships": [], "rejections": []}
    device.answer(sync, {"epoch": "one", "me": me, "conversations": [], "removed": [], "next_cursor": None}, 0)
    (listed,) = device.requests(0)
    items = [
        {"id": f"c{n}", "last_rev": 2, "last_message": {"seq": 1, "rev": 2, "content": "", "timestamp": f"{n:03}"}}
        for n in range(600)
    ]
    device.answer(listed, {"items": items, "next_cursor": None}, 0)
    auth = device.auth()
    assert auth["known_count"] == 600
    assert set(auth["known"]) == {f"c{n}" for n in range(100, 600)}
