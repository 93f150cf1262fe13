"""A hub whose certificates are laid out by a small layout of the tests' own."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI
from PIL import Image

import certs.assembly
import core.identity.api
import core.identity.api_tokens
from certs.assembly import CertificateServices
from certs.issue.service import ProducedFile, Production
from certs.ofd.font_search import load_fonts
from certs.produce import build_annotator
from core.http.authentication import Authentication
from hub.problems import install_problem_handlers
from hub.services import Services, utc_now
from signing import sm3
from tests.hubs import RunningHub
from tests.unit.certs import packages

LICENCE = "11100000MB0143028R001"
SERVICE_ITEM = "食品经营许可"
MAX_BYTES = 1_000_000


@dataclass
class Clock:
    """A clock that tests may put forward."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


@dataclass(frozen=True)
class World:
    """A running hub, an HTTP client on it, its services for certificates, and its clock."""

    hub: RunningHub
    client: httpx.AsyncClient
    certs: CertificateServices
    clock: Clock


def draw(_name: str, side_mm: int) -> bytes:
    target = io.BytesIO()
    Image.new("RGBA", (side_mm * 4, side_mm * 4), (220, 20, 20, 128)).save(target, "PNG")
    return target.getvalue()


def produce(production: Production) -> ProducedFile:
    """Lay out one page with the metadata, and set the seal on it."""
    files = packages.plain_files(production.metadata)
    seal = production.seal.signer.seal
    width, height = seal.picture.width_mm, seal.picture.height_mm
    folder = "Doc_0/Signs/Sign_0"
    files[packages.LIST] = packages.list_of("s001")
    files[f"{folder}/Seal.esl"] = seal.der
    description = packages.describe(
        files, 0, leave_out=(packages.LIST,), boundary=f"100 100 {width} {height}"
    )
    value = production.seal.signer.sign(
        data_hash=sm3.digest(description),
        property_info=f"/{folder}/Signature.xml",
        signed_at=production.sealed_at,
    )
    files |= {f"{folder}/Signature.xml": description, f"{folder}/SignedValue.dat": value}
    return ProducedFile(data=packages.pack(files), sealed_sm3=sm3.digest(description))


@pytest.fixture
async def world(services: Services) -> AsyncIterator[World]:
    clock = Clock()
    built = certs.assembly.assemble(
        database=services.database,
        objects=services.objects,
        log=services.log_writer,
        pki=services.pki,
        public_url="http://hub.test",
        now=clock,
        produce=produce,
        draw_picture=draw,
        templates=lambda: {"business-licence"},
        annotate=build_annotator(load_fonts()),
    )
    await built.types.install_shipped()
    authentication = Authentication(services.admission)
    app = FastAPI()
    app.state.services = services
    install_problem_handlers(app)
    for router in [
        core.identity.api.build_router(identity=services.identity, authentication=authentication),
        core.identity.api_tokens.build_router(
            tokens=services.tokens, sign_out=services.sessions.sign_out, authentication=authentication
        ),
        *certs.assembly.build_busy_routers(built, authentication=authentication, now=clock),
        *certs.assembly.build_routers(
            built, authentication=authentication, max_certificate_bytes=MAX_BYTES, now=clock
        ),
    ]:
        app.include_router(router)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.test", timeout=60) as client:
        hub = await RunningHub.start(app=app, client=client)
        yield World(hub=hub, client=client, certs=built, clock=clock)
