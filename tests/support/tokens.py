"""Access tokens as an attacker would make them, and as the server itself would: with the key of the stack."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

from support.stack import Stack

HEADER = {"alg": "HS256", "typ": "JWT"}
DIGESTS = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}

Json = dict[str, Any]


def claims_of(token: str) -> Json:
    part = token.split(".")[1]
    claims: Json = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signing_key(stack: Stack) -> bytes:
    """What only the server knows."""
    return (stack.data / "keys/token.key").read_bytes()


def sign(key: bytes, claims: Any, header: Json | None = None) -> str:
    """A token with these claims; without a signature when the algorithm is none that needs a key."""
    header = header or HEADER
    signed = part(json.dumps(header).encode()) + "." + part(json.dumps(claims).encode())
    digest = DIGESTS.get(header.get("alg", ""))
    return f"{signed}.{part(hmac.digest(key, signed.encode(), digest)) if digest else ''}"


def forged(stack: Stack, good: str) -> dict[str, str]:
    """Tokens that must let nobody in, by what is wrong with them. All but the first few are signed with the server's
    own key: the signature alone proves nothing about the claims."""
    key, claims, now = signing_key(stack), claims_of(good), int(time.time())

    def but(**changed: Any) -> str:
        return sign(key, {k: v for k, v in (claims | changed).items() if v is not None})

    header, body, signature = good.split(".")
    other_key = bytes(byte ^ 1 for byte in key)
    return {
        "another key": sign(other_key, claims),
        "an empty key": sign(b"", claims),
        "no signature": f"{header}.{body}.",
        "alg none": sign(b"", claims, {"alg": "none", "typ": "JWT"}),
        "alg None": sign(b"", claims, {"alg": "None"}),
        "alg none, signature kept": f"{part(json.dumps({'alg': 'none'}).encode())}.{body}.{signature}",
        "alg HS384": sign(key, claims, {"alg": "HS384", "typ": "JWT"}),
        "alg HS512": sign(key, claims, {"alg": "HS512", "typ": "JWT"}),
        "alg RS256": sign(key, claims, {"alg": "RS256"}),
        "no alg": sign(key, claims, {"typ": "JWT"}),
        "expired": but(exp=now - 1, iat=now - 601),
        "expires in the year 0": but(exp=0),
        "never expires": but(exp=None),
        "expiry as a string": but(exp=str(now + 600)),
        "expiry below zero": but(exp=-(2**60)),
        "from the future": but(iat=now + 3600, exp=now + 4200),
        "another audience": but(aud="somebody-else"),
        "a list of audiences": but(aud=["somebody-else", "other"]),
        "no audience": but(aud=None),
        "another issuer": but(iss="somebody-else"),
        "no issuer": but(iss=None),
        "no subject": but(sub=None),
        "no session": but(sid=None),
        "a subject that is no id": but(sub="' OR 1=1 --"),
        "a session that is no id": but(sid="%"),
        "a session that never was": but(sid="00000000-0000-4000-8000-000000000000"),
        "claims that are a list": sign(key, [claims]),
        "claims that are nothing": sign(key, {}),
        "very long": but(more="x" * 4000),
    }
