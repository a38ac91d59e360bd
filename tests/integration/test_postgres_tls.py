"""What a database.url says of TLS goes to libpq as it stands: whether it must be, a root, a certificate."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import pytest

from support.client import Person
from support.libpq import query
from support.postgres import ROLE, Cluster, owner, shared_cluster
from support.secrets import SECRETS
from support.stack import Stack, build_folder

SESSIONS = (
    "SELECT s.ssl, count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)"
    " WHERE a.application_name = 'stonechat' GROUP BY s.ssl"
)


def make_certificate(folder: Path, name: str, subject: str, *, user_id: int) -> Path:
    """Signed by itself, for servers called localhost; the key is beside it. `user_id` is who may read that."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", f"/CN={subject}", "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key),
         "-out", str(certificate)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    os.chown(key, user_id, -1)
    key.chmod(0o600)
    certificate.chmod(0o644)
    return certificate


@dataclass
class Server:
    """A cluster with TLS. Database `certified` is for those who show a certificate, and for nobody else."""

    cluster: Cluster
    root: Path  # of the server
    other: Path  # of somebody else
    own: Path  # what a client may show

    def url(self, database: str, host: str = "localhost", **parameters: str | Path) -> str:
        """With the password, unless a certificate is shown."""
        if host == "localhost":
            parameters["hostaddr"] = "127.0.0.1"  # which is not its only address everywhere
        password = "" if "sslcert" in parameters else f":{self.cluster.password}"
        options = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in parameters.items())
        return f"postgres://{ROLE}{password}@{host}:{self.cluster.port}/{database}?{options}"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="stonechat-tls-"))
    folder.chmod(0o755)
    root = make_certificate(folder, "server", "localhost", user_id=owner().pw_uid)
    other = make_certificate(folder, "other", "localhost", user_id=os.getuid())
    own = make_certificate(folder, "client", ROLE, user_id=os.getuid())
    cluster = Cluster(
        folder / "postgres",
        {
            "ssl": "on",
            "ssl_cert_file": str(root),
            "ssl_key_file": str(root.with_suffix(".key")),
            "ssl_ca_file": str(own),
        },
    ).create()
    hba = cluster.data / "pg_hba.conf"
    hba.write_text(f"hostssl certified all 127.0.0.1/32 cert\nhost certified all all reject\n{hba.read_text()}")
    cluster.start().make_role()
    SECRETS.saw(json.dumps({"password": cluster.password}))
    query(cluster.socket_url(), f"CREATE DATABASE certified OWNER {ROLE} TEMPLATE template0 LOCALE 'C' ENCODING 'UTF8'")
    yield Server(cluster, root, other, own)
    cluster.remove()
    shutil.rmtree(folder, ignore_errors=True)


def migrate(url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(build_folder() / "stonechat"), "migrate"],
        env={"PATH": os.environ["PATH"], "STONECHAT_DATABASE_URL": url}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def refused(url: str) -> str:
    """What is said."""
    done = migrate(url)
    assert done.returncode != 0, done.stdout
    assert unquote(urlsplit(url).password or "no password") not in done.stdout + done.stderr
    print(done.stderr)
    return done.stderr


def test_a_server_without_tls_is_refused_where_it_is_required() -> None:
    cluster = shared_cluster()
    name = cluster.new_database()
    said = refused(f"{cluster.url(name)}?sslmode=require")
    assert "server does not support SSL, but SSL was required" in said
    assert migrate(f"{cluster.url(name)}?sslmode=prefer").returncode == 0
    cluster.drop_database(name)


def test_a_root_of_ones_own_is_verified(server: Server) -> None:
    name = server.cluster.new_database()
    verified = {"sslmode": "verify-full", "sslrootcert": server.root}
    assert "certificate verify failed" in refused(server.url(name, **verified | {"sslrootcert": server.other}))
    assert "does not match host name" in refused(server.url(name, "127.0.0.1", **verified))
    assert "does not exist" in refused(server.url(name, **verified | {"sslrootcert": "/nowhere/root.crt"}))
    done = migrate(server.url(name, **verified))
    assert done.returncode == 0, done.stderr
    server.cluster.drop_database(name)


def test_a_certificate_takes_the_place_of_the_password(server: Server) -> None:
    shown = {"sslmode": "verify-full", "sslrootcert": server.root, "sslcert": server.own}
    key = server.own.with_suffix(".key")
    assert "certificate" in refused(server.url("certified", sslmode="verify-full", sslrootcert=server.root))
    assert "key" in refused(server.url("certified", **shown, sslkey=server.other.with_suffix(".key")))
    done = migrate(server.url("certified", **shown, sslkey=key))
    assert done.returncode == 0, done.stderr


def test_all_programs_speak_tls(server: Server) -> None:
    name = server.cluster.new_database()
    url = server.url(name, sslmode="verify-full", sslrootcert=server.root)
    stack = Stack({"database.url": url}).start()
    try:
        ann, bob = Person.new(stack, "ann"), Person.new(stack, "bob")
        with bob.connect() as live:
            sent = ann.send(ann.conversation_with(bob), "in confidence").json()
            live.created(sent["id"], 20)
        ((encrypted, sessions),) = query(server.cluster.socket_url(), SESSIONS)
        assert encrypted is True and sessions >= 2, "the API and push each have some"
    finally:
        wrong = stack.stop()
    assert not wrong, "\n".join(wrong)
    server.cluster.drop_database(name)
