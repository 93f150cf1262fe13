"""A thousand files in one call, over HTTP, to a hub process of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date

import httpx

from certs.ofd.objects import Path as Line
from certs.ofd.objects import rectangle
from certs.ofd.writer import DocumentBuilder, DocumentFacts
from core.caller import OrganisationCode, Scope
from core.identity.model import Organisation
from core.settings import Settings
from hub.services import open_services
from tests.hubs import organisation_code
from tests.integration.hub.test_process import free_port, hub_process, wait_until_ready
from tests.unit.certs.packages import pack, sealed

FILES = 1000
BOUNDARY = "thousand"
PAGE = "Doc_0/Pages/Page_0/Content.xml"


def unsigned() -> bytes:
    facts = DocumentFacts(document_id="0" * 32, title="未签章", created_on=date(2026, 11, 24))
    builder = DocumentBuilder(facts, page_size=(210, 297))
    builder.add_page().add(Line(commands=rectangle(10, 10, 190, 277), stroke=(0, 0, 0)))
    return builder.build()


def kinds() -> list[tuple[bytes, str]]:
    """A sealed file, the same with a page altered, one without a seal, and no file at all."""
    files = sealed()
    altered = files | {PAGE: files[PAGE] + b" "}
    return [
        (pack(files), "UNKNOWN"),
        (pack(altered), "INVALID"),
        (unsigned(), "NOT_SIGNED"),
        (b"PK rubbish", "INVALID"),
    ]


def parts(samples: list[tuple[bytes, str]]) -> Iterator[bytes]:
    for number in range(FILES):
        head = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="f{number}.ofd"\r\n\r\n'
        )
        yield head.encode() + samples[number % len(samples)][0] + b"\r\n"
    yield f"--{BOUNDARY}--\r\n".encode()


async def make_verifier(settings: Settings) -> str:
    """Register an organisation with a system that verifies; return its token."""
    async with open_services(settings) as services:
        code = OrganisationCode(organisation_code(1))
        organisation = Organisation(code=code, name="示例市行政审批局", division_code="990000")
        await services.identity.register_organisation(organisation, actor=None)
        made = await services.identity.register_system(
            organisation_code=code, name="审批系统", scopes=frozenset({Scope.VERIFY}), actor=None
        )
        issued = await services.tokens.issue_token(
            client_id=str(made.system.id), client_secret=made.secret, scope=None
        )
    return issued.token


async def test_thousand_files_in_one_call_are_each_answered_in_order(hub_settings: Settings) -> None:
    token, port, samples = await make_verifier(hub_settings), free_port(), kinds()
    with hub_process(hub_settings, port) as process:
        wait_until_ready(port, process)
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        }
        url = f"http://127.0.0.1:{port}/v1/certificates/verify"
        answer = httpx.post(url, content=parts(samples), headers=headers, timeout=300)
    assert answer.status_code == 200, answer.text[:500]
    told = [json.loads(line) for line in answer.text.splitlines()]
    assert [each["file"] for each in told] == [f"f{number}.ofd" for number in range(FILES)]
    expected = [samples[number % len(samples)][1] for number in range(FILES)]
    assert [each["status"] for each in told] == expected
    intact = [len(each["signatures"]) for each in told]
    assert intact == [(1, 1, 0, 0)[number % len(samples)] for number in range(FILES)]
