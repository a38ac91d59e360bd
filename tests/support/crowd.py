"""Groups of thousands, made of rows: people who never signed up, with tokens as the server would give them."""

from __future__ import annotations

import time
import uuid

from support import tokens, truth
from support.client import Json, Person, new_id, new_name
from support.database import Session
from support.stack import Stack

LIFE_S = 600


def _insert(database: Session, table: str, **columns: object) -> None:
    names, places = ", ".join(columns), ", ".join("?" for _ in columns)
    statement = f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608 - names of this file
    database.query(statement, *columns.values())


def _insert_person(database: Session) -> tuple[Json, str]:
    """The user as REST shows them, and the id of their session."""
    now = truth.now_ms()
    name = new_name("crowd")
    user: Json = {"id": new_id(), "username": name, "display_name": name, "role": "member"}
    session_id = new_id()
    _insert(database, "users", id=user["id"], username=name, username_key=name, display_name=name,
            display_name_key=name, password_hash="-", role="member", created_at=now)  # fmt: skip
    _insert(database, "sessions", id=session_id, user_id=user["id"], family_hash=uuid.uuid4().hex,
            refresh_hash=uuid.uuid4().hex, created_at=now, last_used_at=now,
            expires_at=now + LIFE_S * 1000)  # fmt: skip
    return user, session_id


def _insert_member(database: Session, room: str, user_id: str, rev: int, role: str = "member") -> None:
    _insert(database, "members", conversation_id=room, user_id=user_id, role=role, rev=rev, user_rev=1,
            joined_at=truth.now_ms())  # fmt: skip
    database.query("UPDATE users SET last_rev = 1 WHERE id = ? AND last_rev < 1", user_id)


def _person(stack: Stack, like: Json, user: Json, session_id: str) -> Person:
    now = int(time.time())
    claims = like | {"sub": user["id"], "sid": session_id, "iat": now, "exp": now + LIFE_S}
    return Person(stack, {"user": user, "access_token": tokens.sign(tokens.signing_key(stack), claims)})


def make_group(stack: Stack, founder: Person, n: int) -> tuple[str, list[Person]]:
    """A group of the founder and n others; its id and the others."""
    room = new_id()
    with stack.database() as database:
        database.begin()
        _insert(database, "conversations", id=room, kind="group", title="A crowd", rev=1, last_rev=1,
                created_by=founder.id, created_at=truth.now_ms(), member_count=n + 1)  # fmt: skip
        _insert_member(database, room, founder.id, 1, "owner")
        made = [_insert_person(database) for _ in range(n)]
        for user, _ in made:
            _insert_member(database, room, user["id"], 1)
        database.commit()
    like = tokens.claims_of(str(founder.token))
    return room, [_person(stack, like, user, session_id) for user, session_id in made]


def add_member(stack: Stack, room: str) -> Person:
    """One more, with a revision of the conversation's, but no record on the bus."""
    like = tokens.claims_of(str(Person.new(stack).token))
    with stack.database() as database:
        database.begin()
        ((rev,),) = database.query(
            "UPDATE conversations SET last_rev = last_rev + 1, member_count = member_count + 1 WHERE id = ?"
            " RETURNING last_rev", room,
        )  # fmt: skip
        user, session_id = _insert_person(database)
        _insert_member(database, room, user["id"], rev)
        database.commit()
    return _person(stack, like, user, session_id)
