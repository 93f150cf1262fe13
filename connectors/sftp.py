"""SFTP for connectors: where a server is and who asks, one connection, and what the errors mean."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

from pydantic import Field, SecretStr, model_validator

from connectors.errors import TerminalError, TransientError
from connectors.optional import load_optional
from connectors.options import Options

EXTRA: Final = "sftp"
TIMEOUT_S: Final = 60
_STAYING: Final = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOTDIR)


# Without a handler Python would print the tracebacks that the library logs when a line breaks.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class ServerOptions(Options):
    """Where an SFTP server is, and who asks by password or key. A host whose key is not known is refused.

    `known_hosts` has the form of OpenSSH's; `ssh-keyscan HOST` writes it, to be compared with what the
    server's operator says.
    """

    host: str
    port: int = Field(default=22, ge=1, le=65535)
    user: str
    password: SecretStr | None = None
    identity_file: Path | None = Field(default=None, description="in OpenSSH's form")
    passphrase: SecretStr | None = Field(default=None, description="of the private key")
    known_hosts: Path
    folder: str = Field(default=".", description="on the server")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.password is None) == (self.identity_file is None):
            msg = "give a password, or a identity_file"
            raise ValueError(msg)
        return self


class Line:
    """A connection to a server, made when it is needed."""

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self._ssh: Any = None
        self._sftp: Any = None

    @contextmanager
    def used(self) -> Iterator[Any]:
        """Give the SFTP session. Raises TransientError, TerminalError; a line that broke is made anew."""
        try:
            with _told_plainly(self._options):
                if self._sftp is None:
                    self._sftp = self._connect()
                yield self._sftp
        except TransientError:
            self.close()
            raise

    def close(self) -> None:
        """Hang up. It may be called twice."""
        if self._ssh is not None:
            self._ssh.close()
        self._ssh = self._sftp = None

    def _connect(self) -> Any:
        paramiko, options = load_optional("paramiko", extra=EXTRA), self._options
        self._ssh = paramiko.SSHClient()
        self._ssh.load_host_keys(str(options.known_hosts))
        self._ssh.set_missing_host_key_policy(paramiko.RejectPolicy())
        self._ssh.connect(
            options.host,
            port=options.port,
            username=options.user,
            password=_reveal(options.password),
            key_filename=str(options.identity_file) if options.identity_file else None,
            passphrase=_reveal(options.passphrase),
            allow_agent=False,
            look_for_keys=False,
            timeout=TIMEOUT_S,
            banner_timeout=TIMEOUT_S,
            auth_timeout=TIMEOUT_S,
        )
        sftp = self._ssh.open_sftp()
        sftp.get_channel().settimeout(TIMEOUT_S)
        return sftp


def _reveal(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


@contextmanager
def _told_plainly(options: ServerOptions) -> Iterator[None]:
    """Turn the library's errors into ours."""
    paramiko = load_optional("paramiko", extra=EXTRA)
    try:
        yield
    except paramiko.BadHostKeyException as trouble:
        msg = f"the key of {options.host} is not the one in known_hosts; ask its operator before you go on"
        raise TerminalError(msg) from trouble
    except (paramiko.AuthenticationException, paramiko.PasswordRequiredException) as trouble:
        msg = f"{options.host} does not let {options.user} in; check password or key"
        raise TerminalError(msg) from trouble
    except paramiko.SSHException as trouble:
        if "known_hosts" in str(trouble):
            msg = f"known_hosts does not know {options.host}, port {options.port}"
            raise TerminalError(msg) from trouble
        msg = f"the connection to {options.host} broke ({type(trouble).__name__})"
        raise TransientError(msg) from trouble
    except EOFError as trouble:
        msg = f"{options.host} hung up"
        raise TransientError(msg) from trouble
    except OSError as trouble:
        if trouble.errno in _STAYING:
            msg = f"{trouble.filename or options.folder}: {trouble.strerror or 'refused'}"
            raise TerminalError(msg) from trouble
        msg = f"{options.host} does not answer ({type(trouble).__name__})"
        raise TransientError(msg) from trouble
