"""A real TCP proxy on loopback that cuts connections: at once, or after some bytes towards the server."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

PIECE_BYTES = 64 * 1024
OPENING_BYTES = 2000


class CuttingProxy:
    """Passes bytes on to a server of this machine until it is told to cut. `port` stays the same.

    `openings` are the first bytes of each piece on its way to the server: heads of HTTP requests are there.
    """

    def __init__(self, target_port: int) -> None:
        self._target = ("127.0.0.1", target_port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._is_cut = False
        self._left_bytes: list[int] = []
        self._stays_cut = False
        self.cuts = 0
        self.sent_bytes = 0
        self.openings: list[bytes] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut(self) -> None:
        """Break every connection; whoever connects is turned away until `restore`."""
        with self._lock:
            self._is_cut = True
        self._break_all()

    def restore(self) -> None:
        """Let connections pass again."""
        with self._lock:
            self._is_cut, self._left_bytes = False, []

    def cut_after(self, *sizes_bytes: int, stay: bool = False) -> None:
        """Break every connection when so many more bytes have gone to the server, and after each as many.

        The last cut stays where `stay` says so.
        """
        with self._lock:
            self._left_bytes, self._stays_cut = list(sizes_bytes), stay

    def close(self) -> None:
        """Stop."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                is_cut = self._is_cut
            if is_cut:
                near.close()
                continue
            try:
                far = socket.create_connection(self._target)
            except OSError:
                near.close()
                continue
            with self._lock:
                self._pairs.append((near, far))
            for pump in (self._send, self._receive):
                thread = threading.Thread(target=pump, args=(near, far), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _send(self, near: socket.socket, far: socket.socket) -> None:
        """Pass on what goes to the server."""
        with contextlib.suppress(OSError):
            while piece := near.recv(PIECE_BYTES):
                self.openings.append(piece[:OPENING_BYTES])
                if self._spend(len(piece)):
                    self._break_all()
                    return
                far.sendall(piece)
        _shut(far, socket.SHUT_WR)

    def _spend(self, size_bytes: int) -> bool:
        """Count bytes on their way to the server; tell whether they are to be cut off."""
        with self._lock:
            self.sent_bytes += size_bytes
            if not self._left_bytes:
                return False
            self._left_bytes[0] -= size_bytes
            if self._left_bytes[0] > 0:
                return False
            del self._left_bytes[0]
            self.cuts += 1
            self._is_cut = self._stays_cut and not self._left_bytes
            return True

    def _receive(self, near: socket.socket, far: socket.socket) -> None:
        """Pass back what the server says."""
        with contextlib.suppress(OSError):
            while piece := far.recv(PIECE_BYTES):
                near.sendall(piece)
        _shut(near, socket.SHUT_WR)

    def _break_all(self) -> None:
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                _shut(end, socket.SHUT_RDWR)
                end.close()


def _shut(end: socket.socket, how: int) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(how)


@contextlib.contextmanager
def running_proxy(target_port: int) -> Iterator[CuttingProxy]:
    """Run a proxy until the block ends."""
    proxy = CuttingProxy(target_port)
    try:
        yield proxy
    finally:
        proxy.close()
