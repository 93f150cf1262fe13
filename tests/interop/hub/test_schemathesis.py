"""Schemathesis over the whole OpenAPI document: no 5xx, no answer outside the document."""

from __future__ import annotations

import json
import os
import re

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from core.caller import OrganisationCode, Scope
from core.identity.model import Organisation
from core.identity.separation import Duty, duty_of
from core.settings import Settings
from hub.services import open_services
from tests.hubs import PURPOSE, organisation_code
from tests.processes import hub_process

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed (extra dev)")
pytestmark = pytest.mark.interop

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "6"))
# Streams that are no JSON, answers of long polls, and routes whose success needs files.
PATIENCE_S = 60


@schemathesis.serializer("application/x-ndjson")
def write_ndjson(_context, value) -> bytes:
    lines = value if isinstance(value, list) else [value]
    return "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode(
        "utf-8", "surrogatepass"
    )


async def make_tokens(hub_settings: Settings) -> list[str]:
    """Register an organisation with a system for each duty; return their tokens, that of operation first."""
    async with open_services(hub_settings) as services:
        code = OrganisationCode(organisation_code(1))
        organisation = Organisation(code=code, name="示例市局", division_code="990000")
        await services.identity.register_organisation(organisation, actor=None)
        tokens = []
        for duty in (Duty.OPERATION, Duty.ADMINISTRATION, Duty.AUDIT):
            made = await services.identity.register_system(
                organisation_code=code,
                name=f"{duty}",
                scopes=frozenset(scope for scope in Scope if duty_of(scope) is duty),
                actor=None,
            )
            issued = await services.tokens.issue_token(
                client_id=str(made.system.id), client_secret=made.secret, scope=None
            )
            tokens.append(issued.token)
    return tokens


def choose_token(operation, url: str, tokens: list[str]) -> str:
    """Choose the system that has the scope for an operation."""
    path = re.sub(r"\{[^}]+\}", "00000000-0000-0000-0000-000000000000", operation.path)
    if path.endswith(("/oauth/revocation", "/people/session")):
        return tokens[0]
    for token in tokens:
        headers = {"Authorization": f"Bearer {token}"} | PURPOSE
        answer = httpx.request(operation.method, f"{url}{path}", headers=headers, json={}, timeout=PATIENCE_S)
        if '"AUTH-SCOPE-MISSING"' not in answer.text:
            return token
    return tokens[0]


async def test_every_operation_keeps_to_the_document_whatever_is_sent(hub_settings: Settings) -> None:
    tokens = await make_tokens(hub_settings)
    with hub_process(hub_settings) as url:
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
        operations = [each.ok() for each in schema.get_all_operations()]
        assert len(operations) > 60
        found: dict[str, str] = {}
        for operation in operations:
            for name, headers in (
                ("valid", {"Authorization": f"Bearer {choose_token(operation, url, tokens)}"} | PURPOSE),
                ("invalid", {"Authorization": "Bearer nobody"} | PURPOSE),
            ):
                trouble = try_operation(operation, headers, valid=name == "valid")
                if trouble is not None:
                    found[f"{operation.label} with {name} credentials"] = trouble
        assert not found, "\n".join(f"{where}: {what}" for where, what in found.items())


def try_operation(operation, headers: dict[str, str], *, valid: bool) -> str | None:
    """Send generated calls, good and bad ones; return what was wrong with an answer, or None."""
    modes = list(schemathesis.GenerationMode) if valid else [schemathesis.GenerationMode.POSITIVE]
    cases = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes))

    @settings(
        max_examples=EXAMPLES if valid else 2,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def run(case) -> None:
        ends_itself = case.path.endswith(("/oauth/revocation", "/people/session"))
        answer = case.call(headers=headers if not ends_itself else {}, timeout=PATIENCE_S)
        assert answer.status_code < 500, f"{answer.status_code} {answer.text[:300]}"
        case.validate_response(
            answer,
            checks=[
                schemathesis.checks.not_a_server_error,
                schemathesis.specs.openapi.checks.status_code_conformance,
                schemathesis.specs.openapi.checks.content_type_conformance,
                schemathesis.specs.openapi.checks.response_schema_conformance,
            ],
        )

    try:
        run()
    except (Exception, BaseExceptionGroup) as trouble:
        if type(trouble).__name__ in {"Unsatisfiable", "SkipTest"}:
            return None
        return f"{type(trouble).__name__}: {describe(trouble)[:900]}"
    return None


def describe(trouble: BaseException) -> str:
    inner = trouble.exceptions if isinstance(trouble, BaseExceptionGroup) else ()
    return " / ".join([str(trouble), *map(describe, inner)])
