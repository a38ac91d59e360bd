"""A server at the port of one that is away: it takes connections, cuts each of them at once, and counts them."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Refuser:
    """On 127.0.0.1, from the moment it is made until stop()."""

    def __init__(self, port: int) -> None:
        self.count = 0
        self._listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self._thread = threading.Thread(target=self._refuse, daemon=True)
        self._thread.start()

    def _refuse(self) -> None:
        with suppress(OSError):
            while True:
                taken, _ = self._listener.accept()
                self.count += 1
                taken.close()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listener.close()
