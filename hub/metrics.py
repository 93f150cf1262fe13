"""`/metrics` in the Prometheus text format: requests of this process, and figures of the database."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address

from fastapi import APIRouter, Request, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import Forbidden, Unavailable
from hub.services import Services
from subscriptions.operations.model import Figures
from subscriptions.operations.service import assess
from subscriptions.operations.store import load_hub_figures

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
OF_RESOURCE = ("resource",)
HUB_WIDE: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "resource_version": ("Newest version", OF_RESOURCE),
    "resource_rows": ("Current rows", OF_RESOURCE),
    "lake_lag_versions": ("Versions that are not in the lake yet", OF_RESOURCE),
    "lake_failures": ("Failures in a row to write to the lake", OF_RESOURCE),
    "lake_rows": ("Rows in the lake", OF_RESOURCE),
    "sharing_profiles": ("Profiles of Delta Sharing in force", OF_RESOURCE),
    "sharing_files": ("Files kept for Delta Sharing", ()),
    "sharing_bytes": ("Size of the files kept for Delta Sharing", ()),
    "log_leaves": ("Leaves in the transparency log", ()),
    "log_leaves_waiting": ("Leaves without a place yet", ()),
}


class RequestMetrics:
    """Counts and times the requests of one process, by route, never by path: paths hold ids."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._count = Counter(
            "shuzheng_http_requests", "Requests by route and status", ["method", "route", "status"],
            registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "shuzheng_http_request_seconds", "Time to the first byte of the answer", ["route"],
            registry=self.registry, buckets=BUCKETS,
        )  # fmt: skip
        self._kept: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        name = method, route, status
        kept = self._kept.get(name)
        if kept is None:  # routes, methods and statuses are few; looking one up by its labels takes longer
            kept = self._count.labels(method, route, str(status)), self._seconds.labels(route)
            self._kept[name] = kept
        kept[0].inc()
        kept[1].observe(seconds)


class MetricsMiddleware:
    """Notes every request when its answer begins."""

    def __init__(self, app: ASGIApp, *, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()

        async def noting_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "none")
                seconds = time.perf_counter() - start
                self._metrics.note(scope["method"], route, message["status"], seconds)
            await send(message)

        await self._app(scope, receive, noting_send)


def build_router(current: Callable[[], Services | None], metrics: RequestMetrics) -> APIRouter:
    """Build the route; `current` returns the services, or None before they are open."""
    router = APIRouter(tags=["health"])

    @router.get("/metrics", response_class=Response)
    async def read_metrics(request: Request) -> Response:
        """Figures for Prometheus: with the bearer token of the settings, or from this very machine."""
        services = current()
        if services is None:
            msg = "the hub is starting or stopping"
            raise Unavailable(msg)
        _admit(request, services)
        figures = await services.subscriptions.operations.count(organisation_code=None)
        async with services.database.acquire() as connection:
            hub_wide = await load_hub_figures(connection)
        text = generate_latest(metrics.registry) + generate_latest(build_registry(figures, hub_wide))
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return router


def _admit(request: Request, services: Services) -> None:
    token = services.settings.metrics_token
    if token is not None:
        given = request.headers.get("authorization", "").encode()
        if hmac.compare_digest(given, f"Bearer {token.get_secret_value()}".encode()):
            return
    elif request.client is not None and _is_loopback(request.client.host):
        return
    msg = "metrics are for whoever has the token of SHUZHENG_METRICS_TOKEN, or asks from this machine"
    raise Forbidden(msg)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def build_registry(
    figures: Figures, hub_wide: dict[str, list[tuple[tuple[str, ...], float]]]
) -> CollectorRegistry:
    """Build the registry of one scrape."""
    registry = CollectorRegistry()

    def gauge(name: str, help_text: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(f"shuzheng_{name}", help_text, labels, registry=registry)

    for name, (help_text, labels) in HUB_WIDE.items():
        _fill(gauge(name, help_text, labels), hub_wide[name])
    add_subscription_gauges(gauge, figures)
    alerts = gauge("subscription_alerts", "What somebody should see to", ("organisation", "kind"))
    for alert in assess(figures, datetime.now(UTC)):
        alerts.labels(alert.organisation_code, alert.kind).inc()
    return registry


def add_subscription_gauges(gauge: Callable[..., Gauge], figures: Figures) -> None:
    """Add the lag of consumers, the state of targets, and the leads."""
    names = ("resource", "organisation", "subscription", "consumer")
    lags = {
        "subscription_lag_versions": "Versions not wholly acknowledged",
        "subscription_lag_rows": "Changes of the resource not acknowledged, before the row filter",
        "subscription_lag_seconds": "Age of the oldest version not wholly acknowledged",
    }
    gauges = {name: gauge(name, text, names) for name, text in lags.items()}
    failures = gauge("push_failures", "Failures in a row", (*names, "kind"))
    stopped = gauge("push_stopped", "1 where a target is stopped", (*names, "kind"))
    letters = gauge("push_dead_letters", "Messages refused and not sent again", (*names, "kind"))
    paused = gauge("subscription_paused", "1 where a consumer is paused", names)
    granted = gauge("subscription_granted", "1 where the grant is in force", names)
    targets = {target.consumer_id: target for target in figures.targets}
    labels_of = {}
    now = time.time()
    for each in figures.standings:
        found, consumer = each.subscription, each.consumer
        labels = (found.resource_code, found.organisation_code, str(found.id), consumer.name)
        labels_of[found.id] = labels[:3]
        behind_s = 0.0 if each.behind_since is None else max(0.0, now - each.behind_since.timestamp())
        gauges["subscription_lag_versions"].labels(*labels).set(each.lag_versions)
        gauges["subscription_lag_rows"].labels(*labels).set(each.lag_rows)
        gauges["subscription_lag_seconds"].labels(*labels).set(behind_s)
        paused.labels(*labels).set(consumer.paused_at is not None)
        granted.labels(*labels).set(each.is_granted)
        target = targets.get(consumer.id)
        if target is not None:
            failures.labels(*labels, target.kind).set(target.failures)
            stopped.labels(*labels, target.kind).set(target.state == "stopped")
            letters.labels(*labels, target.kind).set(target.dead_letters)
    waiting = gauge("leads_open", "Leads not answered", names[:3])
    late = gauge("leads_overdue", "Leads whose signature or answer is late", names[:3])
    for leads in figures.leads:
        waiting.labels(*labels_of[leads.subscription_id]).set(leads.open)
        late.labels(*labels_of[leads.subscription_id]).set(leads.overdue)


def _fill(gauge: Gauge, values: list[tuple[tuple[str, ...], float]]) -> None:
    for labels, value in values:
        (gauge.labels(*labels) if labels else gauge).set(value)
