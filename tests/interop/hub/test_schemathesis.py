"""Schemathesis over the whole OpenAPI document: no 5xx, no answer outside the document."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from core.caller import OrganisationCode, Scope
from core.identity.model import Organisation
from core.settings import Settings
from hub.services import open_services
from tests.hubs import PURPOSE, organisation_code
from tests.processes import hub_process

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed (extra dev)")
pytestmark = pytest.mark.interop

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "6"))
# Streams that are no JSON, answers of long polls, and routes whose success needs files.
PATIENCE_S = 60


async def make_token(hub_settings: Settings) -> str:
    """Register an organisation with a system of every scope; return its token."""
    async with open_services(hub_settings) as services:
        code = OrganisationCode(organisation_code(1))
        organisation = Organisation(code=code, name="示例市局", division_code="990000")
        await services.identity.register_organisation(organisation, actor=None)
        made = await services.identity.register_system(
            organisation_code=code, name="业务系统", scopes=frozenset(Scope), actor=None
        )
        issued = await services.tokens.issue_token(
            client_id=str(made.system.id), client_secret=made.secret, scope=None
        )
    return issued.token


async def test_every_operation_keeps_to_the_document_whatever_is_sent(hub_settings: Settings) -> None:
    token = await make_token(hub_settings)
    with hub_process(hub_settings) as url:
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
        operations = [each.ok() for each in schema.get_all_operations()]
        assert len(operations) > 60
        found: dict[str, str] = {}
        for operation in operations:
            for name, headers in (
                ("valid", {"Authorization": f"Bearer {token}"} | PURPOSE),
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
        revokes_itself = case.path.endswith("/oauth/revoke")
        answer = case.call(headers=headers if not revokes_itself else {}, timeout=PATIENCE_S)
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
    except Exception as trouble:
        if type(trouble).__name__ in {"Unsatisfiable", "SkipTest"}:
            return None
        return f"{type(trouble).__name__}: {str(trouble)[:600]}"
    return None
