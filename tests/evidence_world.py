"""A hub with two published datasets, a licence, grants, and a service item: what evidence tests stand on."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from certs.types.shipped import BUSINESS_LICENCE
from exchange.standards.samples import SampleKind, write_sample
from tests.evidence_rules import ITEM_CODE
from tests.hubs import RunningHub

ROWS = 20
SEED = 11


def sample_rows(kind: SampleKind) -> list[dict[str, str]]:
    """Make clean rows of invented persons or firms."""
    out = io.BytesIO()
    write_sample(kind, rows=ROWS, seed=SEED, dirt=0.0, out=out)
    return list(csv.DictReader(io.StringIO(out.getvalue().decode())))


def certificate_way(**changes: Any) -> dict[str, Any]:
    """Build a certificate way on the business licence."""
    way: dict[str, Any] = {"kind": "certificate", "type_code": BUSINESS_LICENCE.code, "holder": "company"}
    return way | changes


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceWorld:
    """A running hub whose approval bureau opens cases."""

    hub: RunningHub
    firm: Mapping[str, str]
    person: Mapping[str, str]

    @classmethod
    async def open(cls, hub: RunningHub) -> EvidenceWorld:
        """Publish persons and firms."""
        firms, people = sample_rows(SampleKind.LEGAL_PERSON), sample_rows(SampleKind.POPULATION)
        firm = next(each for each in firms if each["cxzt"] == "1")
        world = cls(hub=hub, firm=firm, person=people[0])
        for owner, code, rows in (("police", "rk_jbxx", people), ("market", "fr_jbxx", firms)):
            answer = await hub.client.post(
                f"/v1/resources/standard/{code}", json={}, headers=hub.members[owner].headers
            )
            assert answer.status_code == 201, answer.text
            await world.publish(owner, code, rows)
        return world

    async def publish(
        self, owner: str, code: str, rows: Sequence[Mapping[str, str]], mode: str = "upsert"
    ) -> None:
        """Publish rows; all of them must be accepted."""
        out = io.StringIO()
        writer = csv.DictWriter(out, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        answer = await self.hub.client.post(
            f"/v1/resources/{code}/batches",
            params={"mode": mode},
            content=out.getvalue().encode(),
            headers=self.hub.members[owner].headers
            | {"Content-Type": "text/csv; charset=utf-8", "Idempotency-Key": str(uuid.uuid4())},
        )
        assert answer.json().get("accepted") == len(rows), answer.text

    async def grant(
        self,
        code: str,
        items: Sequence[str],
        *,
        modes: Sequence[str] = ("query", "verify"),
        service_items: Sequence[str] = (ITEM_CODE,),
        member: str = "approval",
        **terms: Any,
    ) -> str:
        """Have a member granted items, and return the grant's id."""
        body = {
            "items": list(items),
            "modes": list(modes),
            "service_items": list(service_items),
            "purpose": "核验申请材料",
            "legal_basis": "行政许可法",
            "valid_days": 30,
        } | terms
        answer = await self.hub.client.post(
            f"/v1/resources/{code}/applications", json=body, headers=self.hub.members[member].headers
        )
        assert answer.status_code == 201, answer.text
        application = answer.json()
        if application["state"] == "pending":
            owner = "police" if code == "rk_jbxx" else "market"
            decided = await self.hub.client.post(
                f"/v1/applications/{application['id']}/decision",
                json={"decision": "approve"},
                headers=self.hub.members[owner].headers,
            )
            application = decided.json()
        assert application["state"] == "approved", application
        return str(application["grant_id"])

    async def grant_all(self) -> None:
        """Grant what the rules of `tests.evidence_rules` need."""
        await self.grant("fr_jbxx", ["tyxydm", "frmc", "fddbr", "zs", "cxzt"])
        await self.grant("rk_jbxx", ["GMSFHM", "XM"])

    async def release(self, document: dict[str, Any], member: str = "approval") -> None:
        """Save and release rules."""
        headers = self.hub.members[member].headers
        path = f"/v1/service-items/{quote(document['code'])}"
        saved = await self.hub.client.put(path, json=document, headers=headers)
        assert saved.status_code == 200, saved.text
        released = await self.hub.client.post(f"{path}/release", headers=headers)
        assert released.status_code == 200, released.text

    async def post_evidence(
        self, *, case: str = "2026-1", item: str = ITEM_CODE, member: str = "approval", **changes: Any
    ) -> httpx.Response:
        """Ask for evidence, for the firm, its representative by name, and a person as manager."""
        body: dict[str, Any] = {
            "applicants": [{"role": "company", "code": self.firm["tyxydm"], "name": self.firm["frmc"]}],
            "inputs": {"representative": self.firm["fddbr"]},
        }
        purpose = {
            "Shuzheng-Service-Item": quote(item),
            "Shuzheng-Case-Number": quote(case),
            "Shuzheng-Operator": quote("王审批"),
        }
        headers = self.hub.members[member].headers | purpose
        return await self.hub.client.post("/v1/evidence", json=body | changes, headers=headers)

    async def ask(self, **changes: Any) -> dict[str, Any]:
        """Ask for evidence; return the answer."""
        answer = await self.post_evidence(**changes)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["evidence"])

    @property
    def manager(self) -> dict[str, str]:
        """The person as an applicant in the role of manager."""
        return {"role": "manager", "code": self.person["GMSFHM"], "name": self.person["XM"]}

    @property
    def company(self) -> dict[str, str]:
        """The firm as an applicant."""
        return {"role": "company", "code": self.firm["tyxydm"], "name": self.firm["frmc"]}

    async def issue_licence(self) -> str:
        """Have market regulation issue a business licence to the firm; return its identifier."""
        market, admin = self.hub.members["market"], self.hub.admin
        body = {"name": market.name, "organisation_code": market.code}
        await self.hub.client.post("/v1/seals", json=body, headers=admin.headers)
        order = {
            "type_code": BUSINESS_LICENCE.code,
            "holder": {"name": self.firm["frmc"], "code": self.firm["tyxydm"], "code_type": "001"},
            "number": self.firm["tyxydm"],
            "data": {
                "LX": "有限责任公司",
                "FDDBR": self.firm["fddbr"],
                "ZCZB": "100万元人民币",
                "CLRQ": "20200101",
                "ZS": self.firm["zs"],
                "JYFW": "食品经营",
            },
        }
        answer = await self.hub.client.post("/v1/certificates", json=order, headers=market.headers)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["identifier"])

    async def allow_licence(self, *items: str) -> None:
        """Let cases of the items use business licences."""
        answer = await self.hub.client.put(
            f"/v1/certificate-types/{BUSINESS_LICENCE.code}/service-items",
            json=[{"code": item} for item in items or (ITEM_CODE,)],
            headers=self.hub.admin.headers,
        )
        assert answer.status_code == 200, answer.text


def material(answer: Mapping[str, Any], code: str) -> dict[str, Any]:
    """Return one material of an answer."""
    return next(each for each in answer["materials"] if each["code"] == code)


def fact(answer: Mapping[str, Any], code: str) -> dict[str, Any]:
    """Return one fact of an answer."""
    return next(each for found in answer["materials"] for each in found["facts"] if each["code"] == code)


def outcomes(answer: Mapping[str, Any]) -> dict[str, str]:
    """Return the outcome of each material of an answer."""
    return {each["code"]: each["outcome"] for each in answer["materials"]}
