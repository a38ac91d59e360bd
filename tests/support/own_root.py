"""Becomes the program that it is given, in a mount namespace of its own whose root is this process's root directory.

Usage: own_root.py PROGRAM [ARGUMENT …], as root. In a changed root directory (chroot, as in a throw-away machine of a
CI) the namespace's root is another folder. Whoever enters a container (docker exec, its health check) begins at the
namespace's root, so an engine that was started there could start containers and not enter them. Mounts made below are
seen by PROGRAM and its children alone."""

from __future__ import annotations

import ctypes
import os
import sys

# linux/sched.h, linux/mount.h
CLONE_NEWNS = 0x20000
MS_BIND, MS_REC, MS_PRIVATE = 1 << 12, 1 << 14, 1 << 18

LIBC = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    if result != 0:
        sys.exit(f"{what}: {os.strerror(ctypes.get_errno())} (mount namespaces need root and CAP_SYS_ADMIN)")


def mount(source: bytes, target: bytes, flags: int) -> None:
    check(LIBC.mount(source, target, None, ctypes.c_ulong(flags), None), f"mount on {target.decode()}")


def go_to_root_of_namespace() -> None:
    """Makes what is mounted uppermost on the namespace's root the root and working directory of this process."""
    namespace = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    check(LIBC.setns(namespace, CLONE_NEWNS), "setns")
    os.close(namespace)


def take_root() -> None:
    check(LIBC.unshare(CLONE_NEWNS), "unshare")
    # In the new namespace already, and kept through what follows.
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    go_to_root_of_namespace()
    mount(b"none", b"/", MS_REC | MS_PRIVATE)
    os.fchdir(root)
    # Over all that is there, with everything mounted in it.
    mount(b".", b"/", MS_BIND | MS_REC)
    go_to_root_of_namespace()
    os.close(root)


if __name__ == "__main__":
    take_root()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 (that is what it is for)
