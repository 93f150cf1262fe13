"""TLS to a target's database: held against the host's name, though the connection goes to an address."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from subscriptions.push.model import TargetKind
from subscriptions.push.postgresql import PostgresCarrier
from subscriptions.push.tls import build_ssl
from tests.exchange_world import World, build_row
from tests.integration.subscriptions.feed_world import Feed
from tests.integration.subscriptions.push_world import add, look
from tests.integration.subscriptions.test_push_database import LOCAL, build_worker, database_name

HOST = "db.example"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A file with a certificate for HOST that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@asynccontextmanager
async def tls_server(certificate: Path) -> AsyncIterator[int]:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def read_streams(port: int, context: ssl.SSLContext) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        return await reader.read()
    finally:
        writer.close()


async def read_socket(port: int, context: ssl.SSLContext) -> bytes:
    def read() -> bytes:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as wrapped,
        ):
            return wrapped.recv(5)

    return await asyncio.to_thread(read)


@pytest.mark.parametrize("read", [read_streams, read_socket])
async def test_verify_holds_the_certificate_against_the_hosts_name(read, certificate: Path) -> None:
    async with tls_server(certificate) as port:
        for host, mode, fits in (
            (HOST, "verify", True),
            ("other.example", "verify", False),
            ("other.example", "require", True),
        ):
            context = build_ssl(mode, host=host)
            assert context is not None
            context.load_verify_locations(certificate)
            if fits:
                assert await read(port, context) == b"hello"
            else:
                with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
                    await read(port, context)


async def test_verify_refuses_a_certificate_of_no_known_authority(certificate: Path) -> None:
    context = build_ssl("verify", host=HOST)
    assert context is not None
    async with tls_server(certificate) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            await read_streams(port, context)


def test_disable_is_no_tls_at_all() -> None:
    assert build_ssl("disable", host=HOST) is None


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(4096):
        writer.write(data)
    writer.close()


@asynccontextmanager
async def postgresql_under_tls(
    certificate: Path, url: str, answer: bytes | None = None
) -> AsyncIterator[int]:
    """Stand before the server of `url` and do TLS for it as PostgreSQL does, or send `answer` then."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    path = parse_qs(urlsplit(url).query)["host"][0] + "/.s.PGSQL.5432"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(8) == bytes.fromhex("0000000804d2162f")  # SSLRequest
        writer.write(b"S")
        await writer.start_tls(context)
        if answer is not None:
            writer.write(answer)
            await carry(reader, writer)
            return
        above, below = await asyncio.open_unix_connection(path)
        await asyncio.gather(carry(reader, below), carry(above, writer), return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


@pytest.mark.parametrize("answer", [None, bytes(64)], ids=["rows", "garbage"])
async def test_table_behind_tls_gets_its_rows_and_garbage_there_is_hung_up_on(
    world: World, feed: Feed, certificate: Path, database_url: str, answer: bytes | None
) -> None:
    await world.give(items=("GMSFHM", "XM"))
    async with postgresql_under_tls(certificate, database_url, answer) as port:
        address = {
            "host": "127.0.0.1",
            "port": port,
            "database": database_name(database_url),
            "user": "postgres",
            "table": "people_copy",
            "ssl": "require",
        }
        more = {"kind": TargetKind.POSTGRESQL, "address": address, "secret": "unused", "name": "copy"}
        target = await add(feed, "", batch_rows=2, **more)
        await world.publish([build_row(n, XM="名" * 9000) for n in range(5)])
        worker = build_worker(feed, TargetKind.POSTGRESQL, PostgresCarrier(addresses=LOCAL))
        for _ in range(4):
            await worker.work_once()
        found = await look(feed, target)
    if answer is not None:
        assert found.failures == 4
        return
    assert found.failures == 0
    own = await asyncpg.connect(database_url)
    assert await own.fetchval("SELECT count(*) FROM people_copy") == 5
    await own.close()
