"""What happens in the story: four organisations, each with its own system and its own credentials."""

from __future__ import annotations

import csv
import io
import itertools
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from connectors import HubClient, Purpose, Refused
from core.caller import Scope
from core.codes import credit
from core.codes.divisions import VINTAGE, load_divisions
from exchange.standards.samples import Part, SampleKind, SampleSummary, write_sample
from hub.demo.evidence_story import EvidenceStory
from hub.demo.licence import LicenceStory
from hub.demo.telling import Teller

SEED: Final = 20_261_124
DIRT: Final = 0.01
SERVICE_ITEM: Final = "食品经营许可"
PURPOSE: Final = Purpose(service_item=SERVICE_ITEM, case_number="2026-DEMO-0001", operator="王审批")
GRANTED_ITEMS: Final = ["GMSFHM", "XM", "XB", "CSRQ", "HJSZD", "HYZK"]
STREETS_FILE: Final = Path(__file__).resolve().parents[2].parent / "shared" / "samples" / "streets.csv"

ORGANISATIONS: Final = {
    "police": ("示例市公安局", {Scope.CATALOGUE_WRITE, Scope.PUBLISH, Scope.ACCESS_DECIDE}),
    "market": (
        "示例市市场监督管理局",
        {Scope.CATALOGUE_WRITE, Scope.PUBLISH, Scope.ACCESS_DECIDE, Scope.CERTIFICATE_ISSUE},
    ),
    "civil": ("示例市民政局", {Scope.CATALOGUE_WRITE, Scope.PUBLISH, Scope.ACCESS_DECIDE}),
    "approval": (
        "示例市行政审批局",
        {Scope.ACCESS_APPLY, Scope.QUERY, Scope.VERIFY, Scope.SUBSCRIBE, Scope.CERTIFICATE_USE},
    ),
    "portal": ("示例市政务服务网", {Scope.CERTIFICATE_HOLDER}),
}


class Story:
    """Plays the steps in order; each checks what it claims."""

    def __init__(self, *, address: str, teller: Teller, home: Path, rows: int, stack: ExitStack) -> None:
        self._address = address
        self._teller = teller
        self._home = home
        self._rows = rows
        self._stack = stack
        self._clients: dict[str, HubClient] = {}
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shuzheng-demo-")))

    def play(self, administrator: HubClient, auditor: HubClient) -> None:
        """Play every step. Raises StepFailed at the first that does not hold."""
        self._stack.callback(administrator.close)
        self._stack.callback(auditor.close)
        teller = self._teller
        with teller.step("An administrator registers four organisations and their systems"):
            self._register(administrator)
        with teller.step("Civil affairs publishes the national division codes"):
            self._publish_divisions()
        with teller.step("Public security and market regulation publish, with dirty rows in quarantine"):
            self._publish_sample("police", "rk_jbxx", SampleKind.POPULATION, self._rows)
            self._publish_sample("market", "fr_jbxx", SampleKind.LEGAL_PERSON, max(self._rows // 4, 100))
        with teller.step("The approval bureau finds, applies, is granted, queries and verifies"):
            self._apply()
            self._query()
            self._verify()
        with teller.step("The approval bureau subscribes; public security publishes changes"):
            subscription = self._subscribe()
            expected = self._publish_changes()
            self._pull(subscription, expected)
        with teller.step("Market regulation issues a business licence; the approval bureau uses it"):
            self._use_licence(administrator)
        with teller.step("The audit trail of the case"):
            self._audit(auditor)
        with teller.step("Three cases, in which the applicant is asked for next to nothing"):
            self._open_cases(administrator)

    def _open_cases(self, administrator: HubClient) -> None:
        story = EvidenceStory(
            address=self._address, administrator=administrator, teller=self._teller, stack=self._stack
        )
        known = ("police", "market", "civil", "approval")
        story.play({key: self._clients[key].get("/v1/whoami")["organisation_code"] for key in known})

    def _register(self, administrator: HubClient) -> None:
        for number, (key, (name, scopes)) in enumerate(ORGANISATIONS.items(), start=1):
            code = credit.build_code("11990000", f"MB{number:06d}")
            organisation = {"code": code, "name": name, "division_code": "990000"}
            administrator.post("/v1/organisations", organisation)
            system = {"organisation_code": code, "name": "业务系统", "scopes": sorted(scopes)}
            made = administrator.post("/v1/systems", system)
            client = HubClient(
                self._address, client_id=made["client_id"], client_secret=made["client_secret"]
            )
            self._stack.callback(client.close)
            self._clients[key] = client
            who = client.get("/v1/whoami")
            self._teller.check(
                who["organisation_code"] == code, f"{name} ({code}) signs in with its own credentials"
            )

    def _publish_divisions(self) -> None:
        civil = self._clients["civil"]
        civil.post("/v1/resources/standard/xzqh", {})
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(["qhdm", "qhmc", "qhjb", "sjdm"])
        divisions = load_divisions().values()
        writer.writerows([d.code, d.name, d.level, d.parent or ""] for d in divisions)
        answer = civil.publish("xzqh", out.getvalue().encode(), idempotency_key="xzqh-1")
        self._check_accounting(answer, f"divisions, vintage {VINTAGE}")
        self._teller.check(answer["accepted"] == len(divisions), "every division was accepted")
        if not STREETS_FILE.is_file():
            self._teller.say("streets.csv is not beside this checkout; the streets are left out")
            return
        civil.post("/v1/resources/standard/xzqh_jd", {})
        answer = civil.publish("xzqh_jd", STREETS_FILE.read_bytes(), idempotency_key="xzqh_jd-1")
        self._check_accounting(answer, "streets and towns")

    def _check_accounting(self, answer: dict[str, Any], what: str) -> None:
        received, accepted, rejected = (answer[name] for name in ("received", "accepted", "rejected"))
        self._teller.check(
            received == accepted + rejected,
            f"{what}: received {received} = accepted {accepted} + quarantined {rejected}",
        )
        self._teller.keep(f"{what}, version {answer['version']}", f"{answer['current_rows']} rows")

    def _make_sample(
        self, kind: SampleKind, rows: int, part: Part = Part.INITIAL
    ) -> tuple[Path, SampleSummary]:
        path = self._folder / f"{kind}-{part}.csv"
        with path.open("wb") as file:
            return path, write_sample(kind, rows=rows, seed=SEED, dirt=DIRT, out=file, part=part)

    def _publish_sample(self, owner: str, resource: str, kind: SampleKind, rows: int) -> None:
        client = self._clients[owner]
        client.post(f"/v1/resources/standard/{resource}", {})
        path, summary = self._make_sample(kind, rows)
        answer = client.publish(resource, path.read_bytes(), idempotency_key=f"{resource}-1")
        self._check_accounting(answer, f"{resource} ({kind})")
        self._teller.check(
            answer["rejected"] == summary.dirty_rows,
            f"exactly the {summary.dirty_rows} dirty rows are in quarantine",
        )
        page = client.get(f"/v1/resources/{resource}/batches/{answer['batch']}/rejects")
        several = next((r for r in page["rejects"] if len(r["reasons"]) > 1), page["rejects"][0])
        codes = ", ".join(reason["code"] for reason in several["reasons"])
        self._teller.say(f"for example row {several['row']}: {codes}")
        again = client.publish(resource, path.read_bytes(), idempotency_key=f"{resource}-1")
        self._teller.check(
            again == answer, "the same request again gives the first answer and changes nothing"
        )

    def _apply(self) -> None:
        approval, police = self._clients["approval"], self._clients["police"]
        found = approval.get("/v1/resources", q="人口")
        self._teller.check([r["code"] for r in found] == ["rk_jbxx"], "the catalogue finds 人口基本信息")
        application = approval.post(
            "/v1/resources/rk_jbxx/applications",
            {
                "items": GRANTED_ITEMS,
                "modes": ["query", "verify", "subscribe"],
                "service_items": [SERVICE_ITEM],
                "purpose": "核验申请人身份",
                "legal_basis": "食品经营许可和备案管理办法",
                "valid_days": 365,
            },
        )
        self._teller.check(
            application["state"] == "pending", f"the application waits until {application['due_at']}"
        )
        decided = police.post(f"/v1/applications/{application['id']}/decision", {"decision": "approve"})
        self._teller.check(decided["state"] == "approved", f"the owner approves; grant {decided['grant_id']}")

    def _some_row(self, kind: SampleKind) -> dict[str, str]:
        with (self._folder / f"{kind}-{Part.INITIAL}.csv").open(encoding="utf-8") as file:
            return next(itertools.islice(csv.DictReader(file), 3, None))

    def _query(self) -> None:
        approval, person = self._clients["approval"], self._some_row(SampleKind.POPULATION)
        keys = {"keys": {"GMSFHM": person["GMSFHM"]}}
        answer = approval.post("/v1/resources/rk_jbxx/query", keys, purpose=PURPOSE)
        row = answer["rows"][0]
        self._teller.check(
            row["XM"] == person["XM"] and set(row) == set(GRANTED_ITEMS),
            f"one person is found, with the {len(row)} granted items only (version {answer['version']})",
        )
        self._refused(
            "an item that was not granted", keys | {"items": ["MLXZ"]}, PURPOSE, "ACCESS-NOT-GRANTED"
        )
        self._refused("a call without a purpose", keys, None, "ACCESS-PURPOSE-MISSING")

    def _refused(self, what: str, body: dict[str, Any], purpose: Purpose | None, code: str) -> None:
        try:
            self._clients["approval"].post("/v1/resources/rk_jbxx/query", body, purpose=purpose)
        except Refused as refusal:
            self._teller.check(refusal.code == code, f"{what} is refused: {refusal.detail}")
        else:
            self._teller.check(False, f"{what} is refused")

    def _verify(self) -> None:
        person = self._some_row(SampleKind.POPULATION)
        wrong = person["XM"] + "某"
        stranger = "990000200002290028"
        told = [
            self._ask(person["GMSFHM"], "XM", person["XM"]),
            self._ask(person["GMSFHM"], "XM", wrong),
            self._ask(stranger, "XM", "无名氏"),
        ]
        self._teller.check(
            told == ["match", "mismatch", "not_found"], "three facts are verified: match, mismatch, not found"
        )

    def _ask(self, number: str, item: str, value: str) -> str:
        answer = self._clients["approval"].post(
            "/v1/resources/rk_jbxx/verify",
            {"subject": {"GMSFHM": number}, "assertions": [{"item": item, "value": value}]},
            purpose=PURPOSE,
        )
        self._teller.check(
            answer["receipt"]["format"] == "shuzheng-receipt/1", "a signed receipt comes with it"
        )
        return str(answer["answers"][0]["outcome"])

    def _subscribe(self) -> str:
        made = self._clients["approval"].post(
            "/v1/subscriptions", {"resource": "rk_jbxx", "from": "now"}, purpose=PURPOSE
        )
        self._teller.check(made["lag_versions"] == 0, "the subscription begins at the current version")
        return str(made["id"])

    def _pull(self, subscription: str, expected: dict[str, set[str]]) -> None:
        approval = self._clients["approval"]
        changes = list(approval.changes(subscription, purpose=PURPOSE, limit=200))
        places = [(change["version"], change["sequence"]) for change in changes]
        self._teller.check(places == sorted(set(places)), f"{len(changes)} changes came in order, each once")
        pulled: dict[str, set[str]] = {"insert": set(), "update": set(), "delete": set()}
        for change in changes:
            pulled[change["operation"]].add(change["key"]["GMSFHM"])
        self._teller.check(pulled == expected, "they are exactly the rows that the owner changed")
        approval.acknowledge(subscription, approval.cursor or "")
        again = list(approval.changes(subscription, purpose=PURPOSE))
        self._teller.check(not again, "once acknowledged, they do not come again")

    def _publish_changes(self) -> dict[str, set[str]]:
        police = self._clients["police"]
        initial = self._numbers_of(Part.INITIAL)
        expected: dict[str, set[str]] = {}
        for part, mode in ((Part.CHANGES, "upsert"), (Part.DELETIONS, "delete")):
            path, summary = self._make_sample(SampleKind.POPULATION, self._rows, part)
            answer = police.publish(
                "rk_jbxx", path.read_bytes(), idempotency_key=f"rk_jbxx-{part}", mode=mode
            )
            self._check_accounting(answer, f"rk_jbxx, {part}")
            changed = answer["inserted"] + answer["updated"] + answer["deleted"]
            self._teller.check(
                changed == summary.rows,
                f"inserted {answer['inserted']}, updated {answer['updated']}, deleted {answer['deleted']}",
            )
        changed_numbers = self._numbers_of(Part.CHANGES)
        expected["insert"] = changed_numbers - initial
        expected["update"] = changed_numbers & initial
        expected["delete"] = self._numbers_of(Part.DELETIONS)
        return expected

    def _numbers_of(self, part: Part) -> set[str]:
        with (self._folder / f"{SampleKind.POPULATION}-{part}.csv").open(encoding="utf-8") as file:
            return {row["GMSFHM"] for row in csv.DictReader(file)}

    def _use_licence(self, administrator: HubClient) -> None:
        story = LicenceStory(
            teller=self._teller,
            issuer=self._clients["market"],
            user=self._clients["approval"],
            portal=self._clients["portal"],
            purpose=PURPOSE,
            folder=self._home,
        )
        story.play(administrator, self._some_row(SampleKind.LEGAL_PERSON))

    def _audit(self, auditor: HubClient) -> None:
        trail = auditor.get("/v1/audit/cases", case_number=PURPOSE.case_number)["events"]
        for event in trail:
            on = event["resource"] or event["certificate"] or ""
            grant = f"under grant {event['grant'][:8]}" if event["grant"] else ""
            who = event["operator"] or ""
            self._teller.say(f"{event['time'][:19]}  {event['event']:<21} {who}  {on} {grant}".rstrip())
        seen = Counter(event["event"] for event in trail)
        wanted = {
            "data.queried": 1,
            "facts.verified": 3,
            "access.refused": 2,
            "certificate.fetched": 4,
            "certificate.verified": 4,
            "copy.made": 1,
            "certificate.presented": 2,
        }
        self._teller.check(
            all(seen[event] == times for event, times in wanted.items()),
            "who asked what, for which case, under which grant: complete, refusals included",
        )
