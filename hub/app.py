"""The FastAPI application: every package's routes over one set of services."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

import certs.assembly
import core.identity.api
import core.identity.api_credentials
import core.identity.api_tokens
import core.log.api
import core.log.api_audit
import core.people.api
import core.people.api_sessions
import core.pki.api
import evidence.assembly
import exchange.assembly
import exchange.intake
import subscriptions.assembly
import subscriptions.lake.api
import subscriptions.sharing.assembly
from core.http.authentication import Authentication
from core.identity.networks import parse_networks
from core.settings import Settings
from hub import health, metrics
from hub.documentation import add_documentation
from hub.middleware import BodyLimit, BodyLimitMiddleware, LastResortMiddleware, TargetMiddleware
from hub.problem_schema import describe_problems
from hub.problems import install_problem_handlers
from hub.services import Services, open_services, utc_now

DESCRIPTION = """
Departments publish datasets; others subscribe to them, query them and check facts against them;
e-certificates are issued under SM2 e-seals and verified. Every error is an RFC 9457 problem document.
"""


class Application(FastAPI):
    """FastAPI with one flat list of routes.

    FastAPI keeps included routers as a tree, whose search took a quarter of the time of a small request.
    """

    def include_router(self, router: APIRouter, **options: Any) -> None:
        """Add a router's routes to those of the application itself, unless options say more."""
        if options:
            super().include_router(router, **options)
            return
        for route in router.routes:
            if isinstance(route, APIRoute):
                route.unique_id = _operation_id(route)
            self.router.routes.append(route)


def create_app(settings: Settings) -> FastAPI:
    """Build the application. Services open when it starts and close when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services(settings) as services:
            app.state.services = services
            include_routers(app, services)
            yield
            app.state.services = None

    app = Application(
        title="Shuzheng 数证",
        version="0.1.0",
        description=DESCRIPTION,
        lifespan=lifespan,
        generate_unique_id_function=_operation_id,
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(health.build_router(lambda: getattr(app.state, "services", None)))
    request_metrics = metrics.RequestMetrics()
    app.include_router(metrics.build_router(lambda: getattr(app.state, "services", None), request_metrics))
    add_documentation(app)
    describe_problems(app)
    install_problem_handlers(app)
    app.add_middleware(BodyLimitMiddleware, limits=body_limits(settings))
    app.add_middleware(TargetMiddleware)
    app.add_middleware(LastResortMiddleware)
    app.add_middleware(metrics.MetricsMiddleware, metrics=request_metrics)
    return app


def include_routers(app: FastAPI, services: Services) -> None:
    """Add every package's routes; those that are asked for most come first."""
    proxies = [part for part in (services.settings.trusted_proxies or "").split(",") if part.strip()]
    authentication = Authentication(
        services.admission,
        public_url=services.settings.public_url,
        trusted_proxies=parse_networks(proxies),
    )
    for router in (
        *exchange.assembly.build_busy_routers(services.exchange, authentication=authentication),
        *evidence.assembly.build_busy_routers(services.evidence, authentication=authentication),
        *certs.assembly.build_busy_routers(services.certificates, authentication=authentication, now=utc_now),
        *exchange.intake.build_routers(
            services.intake,
            publisher=services.exchange.publisher,
            settings=services.settings,
            authentication=authentication,
        ),
        *exchange.assembly.build_routers(
            services.exchange, settings=services.settings, authentication=authentication
        ),
        *_build_core_routers(services, authentication),
        *subscriptions.assembly.build_routers(services.subscriptions, authentication=authentication),
        subscriptions.lake.api.build_router(lake=services.lake.service, authentication=authentication),
        *subscriptions.sharing.assembly.build_routers(services.sharing, authentication=authentication),
        *certs.assembly.build_routers(
            services.certificates,
            authentication=authentication,
            max_certificate_bytes=services.settings.max_certificate_bytes,
            now=utc_now,
        ),
        *evidence.assembly.build_routers(services.evidence, authentication=authentication),
    ):
        app.include_router(router)


def _build_core_routers(services: Services, authentication: Authentication) -> list[APIRouter]:
    return [
        core.identity.api_tokens.build_router(
            tokens=services.tokens, sign_out=services.sessions.sign_out, authentication=authentication
        ),
        core.people.api_sessions.build_router(sessions=services.sessions, authentication=authentication),
        core.people.api.build_router(people=services.people, authentication=authentication),
        core.identity.api.build_router(identity=services.identity, authentication=authentication),
        core.identity.api_credentials.build_router(
            identity=services.identity, credentials=services.credentials, authentication=authentication
        ),
        core.pki.api.build_router(pki=services.pki),
        core.log.api.build_router(log=services.log, authentication=authentication),
        core.log.api_audit.build_router(log=services.log, authentication=authentication),
    ]


def body_limits(settings: Settings) -> list[BodyLimit]:
    """List the limits of request bodies, the special ones first."""
    return [
        BodyLimit(prefix="/v1/resources/", suffix="/batches", max_bytes=settings.max_batch_bytes),
        BodyLimit(prefix="/v1/certificates", suffix="/batch", max_bytes=settings.max_batch_bytes),
        BodyLimit(prefix="/gbt36906/verifyFile", suffix="", max_bytes=2 * settings.max_certificate_bytes),
        BodyLimit(prefix="/v1/seals/", suffix="/sign", max_bytes=settings.max_certificate_bytes),
        BodyLimit(
            prefix="/v1/certificates/", suffix="/verify", max_bytes=settings.max_certificate_call_bytes
        ),
        BodyLimit(prefix="/", suffix="", max_bytes=settings.max_body_bytes),
    ]


def _operation_id(route: APIRoute) -> str:
    return f"{route.tags[0] if route.tags else 'hub'}.{route.name}"
