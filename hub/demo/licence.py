"""The step of the story in which a certificate is issued, used instead of paper, forged and revoked."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from certs.types.shipped import BUSINESS_LICENCE
from connectors import HubClient, Purpose, Refused
from hub.demo.telling import Teller

OFD: Final = "application/ofd"
CREDIT_CODE: Final = "001"
"""The kind of number that a unified social credit code is (GB/T 36903-2018 annex A)."""


class LicenceStory:
    """A business licence, from its issue to its revocation."""

    def __init__(
        self,
        *,
        teller: Teller,
        issuer: HubClient,
        user: HubClient,
        portal: HubClient,
        purpose: Purpose,
        folder: Path,
    ) -> None:
        self._portal = portal
        self._teller = teller
        self._issuer = issuer
        self._user = user
        self._purpose = purpose
        self._file = folder / "business-licence.ofd"
        self._copy_file = folder / "business-licence-copy.ofd"

    def play(self, administrator: HubClient, firm: Mapping[str, str]) -> None:
        """Issue a licence for `firm` (a row of fr_jbxx), use it for the case, forge it, revoke it."""
        self._allow_use(administrator)
        self._register_seal(administrator)
        licence = self._issue(firm)
        data = self._fetch(licence, firm)
        self._verify(data)
        self._copy(licence)
        self._present(licence, firm)
        self._forge(data)
        self._revoke(licence, data)

    def _allow_use(self, administrator: HubClient) -> None:
        path = f"/v1/certificate-types/{BUSINESS_LICENCE.code}/service-items"
        item = {"code": self._purpose.service_item, "name": self._purpose.service_item}
        kind = administrator.send("PUT", path, json=[item]).json()
        self._teller.check(
            kind["service_items"] == [item],
            f"cases of {self._purpose.service_item} may use certificates of type {kind['name']}",
        )

    def _register_seal(self, administrator: HubClient) -> None:
        who = self._issuer.get("/v1/whoami")
        seal = administrator.post(
            "/v1/seals", {"name": who["organisation"], "organisation_code": who["organisation_code"]}
        )
        self._teller.check(
            seal["status"] == "active",
            f"market regulation has the e-seal {seal['name']} ({seal['seal_code']}); "
            "who registers seals cannot set them",
        )

    def _issue(self, firm: Mapping[str, str]) -> dict[str, Any]:
        order = {
            "type_code": BUSINESS_LICENCE.code,
            "holder": {"name": firm["frmc"], "code": firm["tyxydm"], "code_type": CREDIT_CODE},
            "number": firm["tyxydm"],
            "data": {
                "LX": "有限责任公司(自然人投资或控股)",
                "FDDBR": firm["fddbr"],
                "ZCZB": f"{firm['zczb']}万元人民币",
                "CLRQ": firm["djrq"],
                "ZS": firm["zs"],
                "JYFW": firm["ywfw"].replace(";", "；"),
            },
            "service_item": "企业设立登记",
        }
        licence: dict[str, Any] = self._issuer.post("/v1/certificates", order, idempotency_key="licence-1")
        again = self._issuer.post("/v1/certificates", order, idempotency_key="licence-1")
        self._teller.check(
            licence["status"] == "active" and again == licence,
            f"it issues a {licence['type_name']} to {firm['frmc']}: {licence['identifier']}; "
            "the same request again issues no second one",
        )
        return licence

    def _fetch(self, licence: Mapping[str, Any], firm: Mapping[str, str]) -> bytes:
        body = {"holder_code": firm["tyxydm"], "holder_code_type": CREDIT_CODE}
        found = self._user.post("/v1/certificates/search", body, purpose=self._purpose)
        self._teller.check(
            [each["identifier"] for each in found] == [licence["identifier"]],
            "for the open case the approval bureau finds it, and asks the applicant for nothing",
        )
        path = f"/v1/certificates/{licence['identifier']}/file"
        answer = self._user.send("GET", path, purpose=self._purpose)
        self._file.write_bytes(answer.content)
        self._teller.check(
            answer.headers["Shuzheng-Digest"] == licence["digest"],
            "it fetches the sealed file with the registered digest",
        )
        self._teller.keep(f"business licence, {licence['size_bytes']} bytes", self._file)
        other = Purpose(
            service_item="婚姻登记", case_number=self._purpose.case_number, operator=self._purpose.operator
        )
        try:
            self._user.send("GET", path, purpose=other)
        except Refused as refusal:
            self._teller.check(
                refusal.code == "CERT-USE-REFUSED", f"for a case of {other.service_item} it is refused"
            )
        else:
            self._teller.check(False, f"for a case of {other.service_item} it is refused")
        return answer.content

    def _copy(self, licence: Mapping[str, Any]) -> None:
        until = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
        cause = f"办理{self._purpose.service_item}"
        path = f"/v1/certificates/{licence['identifier']}/copies"
        made = self._user.post(path, {"cause": cause, "expires_at": until}, purpose=self._purpose)
        copy = self._user.send("GET", f"/v1/certificate-copies/{made['id']}/file").content
        report = self._upload(copy)
        self._copy_file.write_bytes(copy)
        self._teller.check(
            report["status"] == "VALID" and report["register"]["match"] == "copy",
            f"an annotated copy for this case is sealed again and {report['status']}: {cause}",
        )
        self._teller.keep(f"annotated copy, {made['size_bytes']} bytes", self._copy_file)

    def _present(self, licence: Mapping[str, Any], firm: Mapping[str, str]) -> None:
        me = {"acting": {"code": firm["tyxydm"], "code_type": CREDIT_CODE}}
        shown = self._portal.post("/v1/presentations", {"identifier": licence["identifier"], **me})
        scanned = self._user.post("/v1/presentations/scan", {"code": shown["code"]}, purpose=self._purpose)
        path = f"/v1/presentations/{shown['id']}"
        asker = self._portal.post(f"{path}/watch", me)["case_number"]
        self._portal.post(f"{path}/decide", me | {"confirm": True})
        data = self._user.post(f"{path}/release", purpose=self._purpose)
        self._teller.check(
            scanned["type_name"] == licence["type_name"] and data["holder"]["code"] == firm["tyxydm"],
            f"the firm shows a one-time code, sees case {asker} ask, confirms, and the data is released",
        )

    def _verify(self, data: bytes) -> None:
        report = self._upload(data)
        signature = report["signatures"][0]
        self._teller.check(
            report["status"] == "VALID" and report["register"]["status"] == "valid",
            f"uploaded, it is {report['status']}; signed by {signature['signer']['subject']}",
        )
        passed = [check for check in signature["checks"] if check["outcome"] == "passed"]
        for check in passed:
            self._teller.say(f"{check['step']}  {check['title']}")
        self._teller.check(len(passed) >= 20, f"{len(passed)} checks passed, none was skipped silently")

    def _forge(self, data: bytes) -> None:
        forged, name = flip_one_byte(data)
        report = self._upload(forged)
        errors = [
            finding
            for part in (report, *report["signatures"])
            for finding in part["findings"]
            if finding["severity"] == "error"
        ]
        self._teller.check(
            report["status"] == "INVALID" and any(finding["subject"] == name for finding in errors),
            f"a copy with one byte of {name} changed is {report['status']}:",
        )
        for finding in errors:
            self._teller.say(f"{finding['code']} [{finding['subject']}] {finding['message']}")

    def _revoke(self, licence: Mapping[str, Any], data: bytes) -> None:
        path = f"/v1/certificates/{licence['identifier']}/status"
        changed = self._issuer.post(path, {"to": "revoked", "reason": "提交虚假材料取得登记"})
        report = self._upload(data)
        self._teller.check(
            changed["status"] == "revoked"
            and report["status"] == "INVALID"
            and report["register"]["status"] == "revoked",
            f"revoked by its issuer; the same file is now {report['status']}: "
            f"{report['register']['status']}, {report['register']['reason']}",
        )

    def _upload(self, data: bytes) -> dict[str, Any]:
        answer = self._user.send(
            "POST",
            "/v1/certificates/verify?full=true",
            purpose=self._purpose,
            content=data,
            headers={"Content-Type": OFD},
        )
        report: dict[str, Any] = answer.json()
        return report


def flip_one_byte(package: bytes) -> tuple[bytes, str]:
    """Change one byte of a page in an OFD package that stays a good ZIP; return it and the page's path."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as source, zipfile.ZipFile(out, "w") as target:
        name = next(name for name in source.namelist() if name.endswith("Content.xml"))
        for entry in source.infolist():
            content = bytearray(source.read(entry))
            if entry.filename == name:
                content[content.rindex(b"</") - 1] ^= 0x01
            target.writestr(entry, bytes(content))
    return out.getvalue(), f"/{name}"
