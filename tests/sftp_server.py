"""A real SFTP server on loopback over a folder, by paramiko's own server."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko

USER = "exchange"
PASSWORD = "only-for-tests"


class _Door(paramiko.ServerInterface):
    def __init__(self, allowed_key: paramiko.PKey) -> None:
        self._allowed_key = allowed_key

    def check_auth_password(self, username: str, password: str) -> int:
        good = (username, password) == (USER, PASSWORD)
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        good = username == USER and key == self._allowed_key
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED


class _Files(paramiko.SFTPServerInterface):
    """The files below `root`, whatever path is asked for."""

    root: Path

    def _place(self, path: str) -> Path:
        return self.root / self.canonicalize(path).lstrip("/")

    def list_folder(self, path: str) -> Any:
        return _answer(
            lambda: [
                paramiko.SFTPAttributes.from_stat(found.stat(), found.name)
                for found in os.scandir(self._place(path))
            ]
        )

    def stat(self, path: str) -> Any:
        return _answer(lambda: paramiko.SFTPAttributes.from_stat(self._place(path).stat()))

    lstat = stat

    def open(self, path: str, flags: int, attr: Any) -> Any:
        def act() -> paramiko.SFTPHandle:
            number = os.open(self._place(path), flags, 0o600)
            writes = flags & (os.O_WRONLY | os.O_RDWR)
            handle = paramiko.SFTPHandle(flags)
            opened = os.fdopen(number, "r+b" if flags & os.O_RDWR else "wb" if writes else "rb")
            handle.filename = path  # type: ignore[attr-defined]
            handle.readfile = handle.writefile = opened  # type: ignore[attr-defined]
            return handle

        return _answer(act)

    def rename(self, oldpath: str, newpath: str) -> int:
        target = self._place(newpath)
        return _code(lambda: os.link(self._place(oldpath), target) or self._place(oldpath).unlink())

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        return _code(lambda: self._place(oldpath).replace(self._place(newpath)))

    def mkdir(self, path: str, attr: Any) -> int:
        return _code(lambda: self._place(path).mkdir())


def _answer(act: Any) -> Any:
    try:
        return act()
    except OSError as trouble:
        return paramiko.SFTPServer.convert_errno(int(trouble.errno or 0))


def _code(act: Any) -> int:
    found = _answer(act)
    return found if isinstance(found, int) else int(paramiko.SFTP_OK)


@dataclass(frozen=True, slots=True, kw_only=True)
class SftpPlace:
    """A running server: its port, the folder that it shows, and what a client needs."""

    port: int
    root: Path
    host_key: paramiko.PKey
    key_file: Path

    def write_known_hosts(self, path: Path, port: int | None = None) -> Path:
        """Write the host's key for a port as `ssh-keyscan` does."""
        key = self.host_key
        path.write_text(f"[127.0.0.1]:{port or self.port} {key.get_name()} {key.get_base64()}\n")
        return path


@contextmanager
def running_sftp(folder: Path) -> Iterator[SftpPlace]:
    """Serve `folder/root` on a free port until the block ends."""
    root = folder / "root"
    root.mkdir(parents=True)
    host_key = paramiko.RSAKey.generate(2048)
    client_key = paramiko.RSAKey.generate(2048)
    client_key.write_private_key_file(str(folder / "id"))
    files = type("Files", (_Files,), {"root": root})
    transports: list[paramiko.Transport] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    near, _ = listener.accept()
                except OSError:
                    return
                transport = paramiko.Transport(near)
                transport.add_server_key(host_key)
                transport.set_subsystem_handler("sftp", paramiko.SFTPServer, files)
                with suppress(paramiko.SSHException, EOFError):
                    transport.start_server(event=threading.Event(), server=_Door(client_key))
                transports.append(transport)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        yield SftpPlace(port=port, root=root, host_key=host_key, key_file=folder / "id")
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    for transport in transports:
        transport.close()
        transport.join()
