"""A container engine of the tests' own: dockerd on a temporary folder and socket, and a base image by debootstrap.

Nothing of the machine's engine is touched and no firewall rule is set. What this one mounts is seen by it alone and
goes when it goes; its images lie in memory where there is enough. The base takes its packages from where the machine's
apt takes them."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from support.stack import ROOT
from support.waiting import wait_until

BASE = "stonechat-base:test"
START_WITHIN_S = 60.0

# Half as much again as the stages of the images and the containers take.
IN_MEMORY_BYTES = 3 << 30

# With mount points of its own, and ended when the tests are; works in a changed root directory as well.
ALONE = (sys.executable, str(Path(__file__).with_name("own_root.py")), "setpriv", "--pdeathsig", "TERM")
# Does nothing where the control groups are mounted, as systemd and docker.io's own start script do.
WITH_CGROUPS = ("sh", "-c", 'cgroupfs-mount && exec "$@"', "cgroups")
ON_TMPFS = ("sh", "-c", f'mount -t tmpfs -o mode=700,size={IN_MEMORY_BYTES} stonechat "$0" && exec "$@"')

# As in the published small images of Debian: what is left out, and no waiting for a disk.
LEFT_OUT = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt", "var/lib/apt/lists")
OWN_AUTHORITIES = Path("/usr/local/share/ca-certificates")


NOT_STARTED = """the engine does not start; what it said last:
{log}
It needs root with the right to mount, and control groups: a machine or virtual machine of its own, or a privileged
container. Where that is not to be had, name the other parts: script/test --help says them."""


class UnavailableError(Exception):
    """This machine cannot run an engine: why, and what to do."""


def reachable(program: str) -> str:
    """The path of a program that may lie in a folder of root's."""
    found = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin")
    if not found:
        raise UnavailableError(f"there is no {program}: install it with script/setup docker")
    return found


def memory_available() -> int:
    """Bytes that programs can have without swapping."""
    found = re.search(r"^MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


class Engine:
    """One running dockerd."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="stonechat-docker-"))
        self.log = self.folder / "dockerd.log"
        self.child: subprocess.Popen[bytes] | None = None
        # Without the user's own ~/.docker: its credentials and builders are no business of a test.
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("STONECHAT_", "DOCKER_"))}
        self.env |= {
            "PATH": os.environ["PATH"] + ":/usr/sbin",
            "HOME": str(self.folder),
            "DOCKER_HOST": f"unix://{self.folder}/socket",
            "LANG": "C.UTF-8",
        }
        self._choose_client()

    def start(self) -> Engine:
        dockerd = reachable("dockerd")
        reachable("cgroupfs-mount")
        # In place of the machine's own settings.
        (self.folder / "daemon.json").write_text("{}")
        for driver in ("overlay2", "vfs"):
            self._launch(dockerd, driver)
            if self._started():
                return self
        raise UnavailableError(NOT_STARTED.format(log=self.log_tail()))

    def _choose_client(self) -> None:
        """The first docker that can use the engine's BuildKit: one of before 23, or one with the plug-in buildx.

        Else any, with the old builder. Both take this Dockerfile, but what one has built the other builds anew."""
        self.env["DOCKER_BUILDKIT"] = "1"
        for folder in self.env["PATH"].split(":"):
            client = Path(folder) / "docker"
            asked = (client, "build", "--help")
            if client.exists() and not subprocess.run(asked, env=self.env, capture_output=True, check=False).returncode:
                (self.folder / "bin").mkdir()
                (self.folder / "bin/docker").symlink_to(client)
                self.env["PATH"] = f"{self.folder}/bin:{self.env['PATH']}"
                return
        self.env["DOCKER_BUILDKIT"] = "0"

    def _launch(self, dockerd: str, driver: str) -> None:
        root = self.folder / driver
        root.mkdir()
        options = [
            f"--data-root={root}/data",
            f"--exec-root={root}/exec",
            f"--pidfile={root}/pid",
            f"--host={self.env['DOCKER_HOST']}",
            f"--storage-driver={driver}",
            f"--config-file={self.folder}/daemon.json",
            # A published port is then served by docker-proxy, which is enough for the loopback.
            "--iptables=false",
            "--ip-forward=false",
            "--bridge=none",
        ]
        # vfs copies every layer.
        in_memory = [*ON_TMPFS, str(root)] if driver == "overlay2" and memory_available() > 2 * IN_MEMORY_BYTES else []
        with self.log.open("a") as log:
            self.child = subprocess.Popen(
                [*ALONE, *WITH_CGROUPS, *in_memory, dockerd, *options], env=self.env, stdout=log, stderr=log
            )

    def _started(self) -> bool:
        """Waits until dockerd answers, or ends because it cannot."""
        try:
            wait_until(lambda: self._ended() or self._answers(), "it answers or ends", START_WITHIN_S)
        except AssertionError as failure:
            raise UnavailableError(NOT_STARTED.format(log=f"{self.log_tail()}\n{failure}")) from None
        return not self._ended()

    def _ended(self) -> bool:
        assert self.child
        return self.child.poll() is not None

    def _answers(self) -> bool:
        return subprocess.run(["docker", "version"], env=self.env, capture_output=True, check=False).returncode == 0

    def log_tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def run(self, *argv: str, timeout: float = 60, cwd: Path | None = None, **env: str) -> str:
        """A command that speaks to this engine and must succeed; what it printed."""
        done = subprocess.run(
            argv,
            env=self.env | env,
            cwd=cwd,
            timeout=timeout,
            text=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(argv)}: {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout

    def add_compose_plugin(self) -> None:
        """Makes `docker compose` of this client, from what script/venv docker has installed."""
        found = list((ROOT / "build/venv-docker/lib").glob("python3*/site-packages/compose/docker-compose"))
        if not found:
            raise UnavailableError("there is no plug-in for Compose: install it with script/venv docker")
        plugins = self.folder / ".docker/cli-plugins"
        plugins.mkdir(parents=True, exist_ok=True)
        (plugins / "docker-compose").symlink_to(found[0])

    def forget_images(self) -> None:
        """Deletes all images but the base; the builder keeps what it made them of."""
        told = self.run("docker", "images", "--format", "{{.Repository}}:{{.Tag}}")
        named = [image for image in told.split() if image != BASE and "<none>" not in image]
        if named:
            self.run("docker", "rmi", *named)

    def size_mb(self, image: str) -> float:
        return int(self.run("docker", "image", "inspect", "--format", "{{.Size}}", image)) / 1e6

    # -- the base image
    def make_base(self) -> None:
        """Debian's minimal system, of the release that runs here, as BASE."""
        suite = platform.freedesktop_os_release()["VERSION_CODENAME"]
        sources = self._sources(suite)
        mirror = next(uri for uri, release, _ in sources if release == suite)
        root, archive = self.folder / "base", self.folder / "base.tar"
        dpkg = root / "etc/dpkg/dpkg.cfg.d"
        dpkg.mkdir(parents=True)
        excluded = "".join(f"path-exclude=/{folder}/*\n" for folder in LEFT_OUT[:3])
        (dpkg / "small").write_text(f"force-unsafe-io\n{excluded}")
        debootstrap = [*ALONE, reachable("debootstrap"), "--variant=minbase", suite, str(root), mirror]
        self.run(*debootstrap, timeout=600, **self._proxies())
        self._settle(root, sources)
        self.run("tar", "-C", str(root), "-cf", str(archive), ".", timeout=120)
        shutil.rmtree(root)
        self.run("docker", "import", str(archive), BASE, timeout=120)
        archive.unlink()

    def _sources(self, suite: str) -> list[tuple[str, str, str]]:
        """Address, release and component of all that apt reads here for this release."""
        told = self.run(
            "apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"
        )
        rows = {tuple(line.split()) for line in told.splitlines()}
        return sorted((row[0], row[1], row[2]) for row in rows if len(row) == 3 and row[1].startswith(suite))

    def _settings(self) -> list[str]:
        """The lines of apt's configuration that say how packages are fetched."""
        told = self.run("apt-config", "dump").splitlines()
        return [line for line in told if re.match(r"Acquire::(https?::|Check-|Retries|ForceIPv)", line)]

    def _proxies(self) -> dict[str, str]:
        found = (re.match(r'Acquire::(https?)::Proxy "(.+)";', line, re.IGNORECASE) for line in self._settings())
        return {f"{match[1].lower()}_proxy": match[2] for match in found if match}

    def _settle(self, root: Path, sources: list[tuple[str, str, str]]) -> None:
        """Makes apt and npm work in containers of this root as they do here, and takes away what is not needed."""
        apt, authorities = root / "etc/apt", root / str(OWN_AUTHORITIES)[1:]
        (apt / "sources.list").write_text("".join(f"deb {' '.join(source)}\n" for source in sources))
        (apt / "apt.conf.d/10acquire").write_text("\n".join([*self._settings(), ""]))
        authorities.mkdir(parents=True, exist_ok=True)
        for certificate in OWN_AUTHORITIES.glob("*.crt"):
            shutil.copy(certificate, authorities)
        for folder in LEFT_OUT:
            for entry in (root / folder).iterdir():
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    # -- the end
    def stop(self) -> None:
        """Ends this dockerd, which ends its containers, and deletes all it had."""
        if self.child and not self._ended():
            self.child.terminate()
            try:
                self.child.wait(60)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait(10)
        shutil.rmtree(self.folder)
