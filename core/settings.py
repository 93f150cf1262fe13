"""Settings of the hub, read from the environment with the prefix `SHUZHENG_`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from signing.merkle.hashing import HashSuite

MEBIBYTE = 1024 * 1024


class Settings(BaseSettings):
    """Every setting, with its default. `docs/settings.md` lists them; a test keeps the two equal."""

    model_config = SettingsConfigDict(env_prefix="SHUZHENG_", extra="ignore", frozen=True)

    home: Annotated[Path, Field(description="folder of the embedded database, objects and keys")] = Path(
        ".shuzheng"
    )
    database_url: Annotated[
        SecretStr | None,
        Field(description="PostgreSQL 17 or later; unset starts the embedded one under `home`"),
    ] = None
    database_pool_size: Annotated[int, Field(ge=2, le=200, description="connections per hub process")] = 10
    database_timeout_s: Annotated[
        float, Field(gt=0, description="how long to wait for a connection before answering 503")
    ] = 10.0
    object_store: Annotated[
        str | None,
        Field(description="`s3://bucket[/prefix]`, or a directory; unset uses `home`/objects"),
    ] = None
    s3_endpoint: Annotated[str | None, Field(description="host:port of the S3 server")] = None
    s3_access_key: Annotated[SecretStr | None, Field(description="access key of the S3 server")] = None
    s3_secret_key: Annotated[SecretStr | None, Field(description="secret key of the S3 server")] = None
    s3_secure: Annotated[bool, Field(description="speak TLS to the S3 server")] = True
    master_key: Annotated[
        SecretStr | None,
        Field(description="32 bytes in hex that unlock the keys; unset reads `home`/master.key (0600)"),
    ] = None
    signers: Annotated[
        str | None,
        Field(description="`package.module:function` that finds signers in a device, by key name"),
    ] = None
    host: Annotated[str, Field(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="port to listen on")] = 8000
    workers: Annotated[int, Field(ge=1, le=64, description="hub processes")] = 1
    public_url: Annotated[
        str | None, Field(description="where others reach this hub; written into certificates and QR codes")
    ] = None
    trusted_proxies: Annotated[
        str | None,
        Field(description="networks (CIDR, commas between) of proxies whose X-Forwarded-For is believed"),
    ] = None
    token_ttl_s: Annotated[int, Field(ge=10, le=86_400, description="life of a bearer token")] = 3600
    session_ttl_s: Annotated[int, Field(ge=10, le=86_400, description="life of a person's session")] = 14_400
    max_body_bytes: Annotated[int, Field(ge=1024, description="limit of an ordinary request body")] = (
        4 * MEBIBYTE
    )
    max_batch_bytes: Annotated[int, Field(ge=1024, description="limit of one published batch")] = (
        1024 * MEBIBYTE
    )
    max_certificate_bytes: Annotated[int, Field(ge=1024, description="limit of a file to verify")] = (
        64 * MEBIBYTE
    )
    change_retention_days: Annotated[
        int,
        Field(
            ge=1,
            le=36_500,
            description="days that changes are kept, at least until they are read",
        ),
    ] = 400
    delivery_retention_days: Annotated[
        int,
        Field(
            ge=1, le=36_500, description="days that deliveries are kept with manifest and countersignature"
        ),
    ] = 1100
    accounting_interval_s: Annotated[
        float, Field(gt=0, le=3600, description="how often new versions are counted at their stations")
    ] = 2.0
    lake: Annotated[
        Literal["off", "shared", "all"],
        Field(
            description="resources followed into the lake: none, those with a grant of mode bulk, or all;"
            " a provider may choose otherwise for its own"
        ),
    ] = "shared"
    lake_interval_s: Annotated[
        float, Field(gt=0, le=3600, description="how often the lake looks for new versions")
    ] = 2.0
    lake_retention_days: Annotated[
        int,
        Field(ge=1, le=3650, description="days that former versions can be read from the lake"),
    ] = 30
    share_profile_days: Annotated[
        int, Field(ge=1, le=3650, description="life of a Delta Sharing profile, at most that of its grant")
    ] = 90
    share_url_ttl_s: Annotated[
        int,
        Field(
            ge=60,
            le=86_400,
            description="life of the address of a shared file; a grant that ends ends it at once",
        ),
    ] = 14_400
    catalogue_review: Annotated[
        bool, Field(description="let an administrator review resources before they are published")
    ] = False
    max_certificate_call_bytes: Annotated[
        int, Field(ge=1024, description="limit of all files that one call verifies, together")
    ] = 4096 * MEBIBYTE
    push_networks: Annotated[
        str | None,
        Field(description="networks (CIDR, commas between) beside the internet that changes are pushed into"),
    ] = None
    push_directory: Annotated[
        Path | None, Field(description="folder below which changes are pushed as files; unset pushes none")
    ] = None
    metrics_token: Annotated[
        SecretStr | None,
        Field(description="bearer token for `/metrics`; unset answers callers on this machine only"),
    ] = None
    graceful_stop_s: Annotated[int, Field(ge=1, le=600, description="what open requests get at SIGTERM")] = 15
    log_interval_s: Annotated[
        float, Field(gt=0, le=60, description="how often the transparency log integrates new leaves")
    ] = 0.5
    log_origin: Annotated[
        str,
        Field(min_length=1, max_length=200, description="name of this hub's log in its signed heads; fixed"),
    ] = "shuzheng/log"
    log_hash: Annotated[
        HashSuite, Field(description="hash of the log's tree, `sm3` or `sha-256`; fixed at the first leaf")
    ] = HashSuite.SM3
    log_check_hour: Annotated[
        int,
        Field(ge=-1, le=23, description="hour, Beijing time, after which the log checks itself; -1 is never"),
    ] = 2
    log_retention_days: Annotated[
        int | None,
        Field(
            ge=183,
            le=36_500,
            description="days after which payloads of the log are dropped, hashes stay; unset keeps them",
        ),
    ] = None
    evidence_limit_s: Annotated[
        float, Field(gt=0, le=60, description="how long an evidence request waits for its sources")
    ] = 3.0
    evidence_check_interval_s: Annotated[
        float, Field(gt=0, description="how often the hub asks again for what cases wait for")
    ] = 300.0
    log_time_stamp_url: Annotated[
        str | None, Field(description="RFC 3161 authority that time-stamps the log's heads; unset is none")
    ] = None
    log_time_stamp_roots: Annotated[
        Path | None, Field(description="PEM file of the roots of that authority, beside the hub's own root")
    ] = None
    log_time_stamp_interval_s: Annotated[
        float, Field(ge=1, description="how often the log's newest head is time-stamped")
    ] = 3600.0
    log_ed25519: Annotated[
        bool, Field(description="also sign heads with Ed25519, for tools that do not know SM2")
    ] = False

    @property
    def keys_dir(self) -> Path:
        """Folder of the encrypted private keys."""
        return self.home / "keys"

    @property
    def spool_dir(self) -> Path:
        """Folder in which uploads lie while they are read."""
        return self.home / "spool"

    def resolve_public_url(self) -> str:
        """Return the address that goes into certificates: `public_url`, or host and port."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")
