"""Setting up what the cases need: offices, datasets with rows, grants, service items, licences."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final
from urllib.parse import quote

from certs.types.shipped import BUSINESS_LICENCE
from connectors import HubClient
from core.caller import Scope
from core.codes import credit
from hub.demo.evidence_items import DATASETS

OFFICE_SCOPES: Final = frozenset(
    {Scope.CATALOGUE_WRITE, Scope.PUBLISH, Scope.ACCESS_DECIDE, Scope.ACCESS_APPLY, Scope.QUERY}
    | {Scope.VERIFY, Scope.CERTIFICATE_USE, Scope.EVIDENCE, Scope.RULES_WRITE, Scope.CERTIFICATE_ISSUE}
)
OFFICES: Final = {
    "police": "示例市公安局户政窗口",
    "market": "示例市市场监管登记窗口",
    "civil": "示例市民政局婚姻登记处",
    "approval": "示例市行政审批局食品窗口",
    "housing": "示例市住房和城乡建设局",
    "estate": "示例市自然资源和规划局",
    "tax": "示例市税务局",
    "health": "示例市卫生健康委员会",
    "social": "示例市医疗保障局",
}


class EvidenceScene:
    """Offices with their own credentials, and what each has published and granted."""

    def __init__(self, *, address: str, administrator: HubClient, stack: ExitStack) -> None:
        self._address = address
        self._administrator = administrator
        self._stack = stack
        self.offices: dict[str, HubClient] = {}
        self.codes: dict[str, str] = {}
        self.credentials: dict[str, dict[str, str]] = {}
        self._owners: dict[str, str] = {}

    def register(self, known: Mapping[str, str]) -> None:
        """Register the offices, and a system of each; `known` are codes of those that are there already."""
        for number, (key, name) in enumerate(OFFICES.items(), start=1):
            code = known.get(key) or credit.build_code("11990000", f"MC{number:06d}")
            if key not in known:
                body = {"code": code, "name": name, "division_code": "990000"}
                self._administrator.post("/v1/organisations", body)
            system = {"organisation_code": code, "name": "办件系统", "scopes": sorted(OFFICE_SCOPES)}
            made = self._administrator.post("/v1/systems", system)
            client = HubClient(
                self._address, client_id=made["client_id"], client_secret=made["client_secret"]
            )
            self._stack.callback(client.close)
            self.offices[key], self.codes[key], self.credentials[key] = client, code, made

    def publish(self, rows: Mapping[str, Sequence[Mapping[str, str]]]) -> None:
        """Register the datasets and publish rows, by dataset."""
        for code, (owner, title, items) in DATASETS.items():
            if code not in rows:
                continue
            described = [
                dict(zip(("name", "title", "format", "check_rule"), item.split(), strict=False))
                | {"is_key": place == 0, "is_required": place == 0}
                for place, item in enumerate(items)
            ]
            body = {"code": code, "title": title, "theme": "other", "update_cycle": "daily"}
            self.offices[owner].post("/v1/resources", body | {"items": described})
            self.publish_rows(owner, code, rows[code])

    def publish_standard(self, owner: str, code: str, rows: Sequence[Mapping[str, str]]) -> None:
        """Register a shipped schema and publish rows."""
        self.offices[owner].post(f"/v1/resources/standard/{code}", {})
        self.publish_rows(owner, code, rows)

    def publish_rows(self, owner: str, code: str, rows: Sequence[Mapping[str, str]]) -> None:
        """Publish rows of a dataset; where there are none the dataset stays without a version."""
        self._owners[code] = owner
        if rows:
            out = io.StringIO()
            writer = csv.DictWriter(out, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
            self.offices[owner].publish(code, out.getvalue().encode(), idempotency_key=str(uuid.uuid4()))

    def know_owner(self, code: str, owner: str) -> None:
        """Say who decides on a dataset that was published before."""
        self._owners[code] = owner

    def grant_for(self, office: str, document: Mapping[str, Any]) -> int:
        """Apply for exactly what an item's rules ask for, and have the owners approve; return how many."""
        wanted: dict[tuple[str, str], set[str]] = {}
        for fact in document["facts"]:
            for way in fact["ways"]:
                mode = "verify" if way["kind"] == "verification" else "query"
                if "resource" in way:
                    wanted.setdefault((way["resource"], mode), set()).update(_items_of(way))
        for (code, mode), items in sorted(wanted.items()):
            application = self.offices[office].post(
                f"/v1/resources/{code}/applications",
                {
                    "items": sorted(items),
                    "modes": [mode],
                    "service_items": [document["code"]],
                    "purpose": f"办理{document['title']}",
                    "legal_basis": "行政许可法",
                    "valid_days": 365,
                },
            )
            if application["state"] == "pending":
                decision = f"/v1/applications/{application['id']}/decision"
                self.offices[self._owners[code]].post(decision, {"decision": "approve"})
        return len(wanted)

    def release(self, office: str, document: Mapping[str, Any]) -> None:
        """Save and release an item's rules."""
        path = f"/v1/service-items/{quote(str(document['code']))}"
        self.offices[office].send("PUT", path, json=dict(document))
        self.offices[office].post(f"{path}/release", {})

    def issue_licences(self, firms: Sequence[Mapping[str, str]], *, items: Sequence[str]) -> None:
        """Issue a business licence to each firm, and let cases of the items use licences."""
        path = f"/v1/certificate-types/{BUSINESS_LICENCE.code}/service-items"
        known = self._administrator.get(f"/v1/certificate-types/{BUSINESS_LICENCE.code}")
        usable = [*known["service_items"], *({"code": item, "name": item} for item in items)]
        self._administrator.send("PUT", path, json=usable)
        orders = [_order(firm) for firm in firms]
        body = "\n".join(json.dumps(order, ensure_ascii=False) for order in orders).encode()
        answer = self.offices["market"].send(
            "POST",
            "/v1/certificates/batch",
            content=body,
            headers={"Content-Type": "application/x-ndjson"},
            timeout=600,
        )
        sums = json.loads(answer.text.splitlines()[-1])
        if sums["issued"] != len(orders):
            msg = f"only {sums['issued']} of {len(orders)} licences were issued"
            raise RuntimeError(msg)

    def register_seal(self) -> None:
        """Register the seal that licences are issued under."""
        body = {"name": OFFICES["market"], "organisation_code": self.codes["market"]}
        self._administrator.post("/v1/seals", body)


def _items_of(way: Mapping[str, Any]) -> set[str]:
    named = [way.get("keys"), way.get("subject"), way.get("assertions"), way.get("where")]
    items = {item for each in named if each for item in each}
    items |= set(way.get("gives", {}).values())
    return items | {each["item"] for each in way.get("requires", ())}


def _order(firm: Mapping[str, str]) -> dict[str, Any]:
    return {
        "type_code": BUSINESS_LICENCE.code,
        "holder": {"name": firm["frmc"], "code": firm["tyxydm"], "code_type": "001"},
        "number": firm["tyxydm"],
        "data": {
            "LX": "有限责任公司",
            "FDDBR": firm["fddbr"],
            "ZCZB": f"{firm['zczb']}万元人民币",
            "CLRQ": firm["djrq"],
            "ZS": firm["zs"],
            "JYFW": "食品经营",
        },
    }
