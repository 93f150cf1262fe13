"""The log over HTTP and for auditors: views, proofs, tiles, witnesses, exports, retention."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from core.caller import Caller, OrganisationCode, Purpose, Scope, SystemId
from core.database import Database
from core.database.migrate import apply_migrations, load_migrations
from core.errors import Conflict, PreconditionFailed
from core.log.anchor import Anchor
from core.log.archive import ArchiveReader
from core.log.chain import split_entry
from core.log.export_check import ExportCheck
from core.log.heads import HeadVerifier
from core.log.model import Event
from core.log.privacy import contains_number
from core.log.restore import restore_log
from core.log.retention import RetentionService
from core.log.selfcheck import SelfCheck
from core.log.subject_proof import parse_subject_proof, verify_subject_proof
from core.log.tables import defuse
from core.log.trust import LogTrust
from core.log.witness_duty import WitnessDuty
from core.log.writer import LogWriter
from hub.services import MIGRATED_PACKAGES, Services, utc_now
from signing.errors import ShuzhengError
from signing.merkle.checkpoint import Sm2Cosigner
from signing.merkle.hashing import HashSuite
from signing.merkle.proofs import verify_consistency, verify_inclusion
from signing.merkle.tiles import TileEdge, list_tiles, parse_entry_bundle
from signing.sm2 import PrivateKey
from tests.hubs import Member, RunningHub

NUMBER = "11010519491231002X"
OTHER = "91990000MA00000016"
SUITE = HashSuite.SM3


def caller_of(member: Member) -> Caller:
    from uuid import UUID

    return Caller(
        system_id=SystemId(UUID(member.client_id)),
        system_name="业务系统",
        organisation_code=OrganisationCode(member.code),
        organisation_name=member.name,
        scopes=frozenset(Scope),
    )


async def act(
    services: Services,
    caller: Caller | None,
    *,
    case: str = "c-1",
    operator: str = "王审批",
    **fields: object,
) -> None:
    fields = {"event": Event.TOKEN_REVOKED, **fields}
    async with services.database.transaction() as connection:
        await services.log_writer.append(
            connection,
            caller=caller,
            purpose=Purpose(service_item="食品经营许可", case_number=case, operator=operator),
            **fields,  # type: ignore[arg-type]
        )


async def settle(services: Services) -> None:
    while await services.log.sequencer.integrate_once():
        pass
    async with services.database.acquire() as connection:
        for _ in range(200):
            if not await connection.fetchval("SELECT EXISTS (SELECT FROM core.log_pending)"):
                return
            await services.log.sequencer.integrate_once()


def trust_of(services: Services) -> LogTrust:
    return LogTrust(roots=(services.pki.root,))


async def verifier_of(hub: RunningHub) -> HeadVerifier:
    described = (await hub.client.get("/v1/log/keys")).json()
    return trust_of(hub.services).build_verifier(
        origin=described["origin"],
        suite=HashSuite(described["hash"]),
        certificates_pem=described["certificates"].encode(),
    )


async def test_case_is_told_whole_to_auditors_and_in_part_to_others(hub: RunningHub) -> None:
    police, market = (caller_of(hub.members[key]) for key in ("police", "market"))
    await act(hub.services, police, case="2026-7")
    await act(
        hub.services,
        market,
        case="2026-7",
        event=Event.ACCESS_REFUSED,
        details={"action": "query", "code": "X"},
    )
    await act(hub.services, market, case="another")

    async def story(member: Member) -> list[str]:
        answer = await hub.client.get(
            "/v1/audit/cases", params={"case_number": "2026-7"}, headers=member.headers
        )
        return [each["event"] for each in answer.json()["events"]]

    assert await story(hub.admin) == ["token.revoked", "access.refused"]
    assert await story(hub.members["market"]) == ["access.refused"]
    assert await story(hub.members["civil"]) == []


async def test_search_pages_through_every_match_once_and_filters_by_each_field(hub: RunningHub) -> None:
    police = caller_of(hub.members["police"])
    start = utc_now()
    for number in range(7):
        await act(hub.services, police, operator=f"op-{number % 2}", case=f"case-{number}")

    async def search(**query: object) -> list[dict[str, object]]:
        found: list[dict[str, object]] = []
        after = None
        while True:
            params = {"limit": 3, "since": start.isoformat(), **query} | ({"after": after} if after else {})
            answer = await hub.client.get("/v1/audit/events", params=params, headers=hub.admin.headers)
            assert answer.status_code == 200, answer.text
            found += answer.json()["events"]
            after = answer.json()["next_cursor"]
            if after is None:
                return found

    all_of = await search(event="token.revoked")
    assert [each["case_number"] for each in all_of] == [f"case-{n}" for n in range(7)]
    assert len({each["id"] for each in all_of}) == 7
    assert len(await search(operator="op-1")) == 3
    assert len(await search(system=hub.members["police"].client_id)) == 7
    assert len(await search(organisation=hub.members["police"].code, case_number="case-3")) == 1
    assert await search(until=start.isoformat()) == []
    assert await search(resource="none") == []


async def test_csv_of_a_view_runs_no_formula(hub: RunningHub) -> None:
    await act(hub.services, caller_of(hub.members["police"]), case="=cmd|' /C calc'!A0", operator="+86\n1")
    answer = await hub.client.get(
        "/v1/audit/events", params={"format": "csv", "event": "token.revoked"}, headers=hub.admin.headers
    )
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert rows[0]["case_number"] == "'=cmd|' /C calc'!A0"
    assert rows[0]["operator"] == "'+86\n1"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", " =", "＝", "\u3000@"])
def test_cell_that_would_be_a_formula_is_defused(start: str) -> None:
    assert defuse(f"{start}1+1") == f"'{start}1+1"
    assert defuse("1+1") == "1+1"
    assert defuse(-1) == "-1"


async def test_usage_counts_by_department_operator_and_item(hub: RunningHub) -> None:
    police, market = (caller_of(hub.members[key]) for key in ("police", "market"))
    for items in (["XM", "XB"], ["XM"]):
        details = {"items": items, "searched_by": [], "rows": 1, "version": 1}
        await act(hub.services, market, event=Event.DATA_QUERIED, details=details)
    await act(hub.services, police)
    answer = await hub.client.get(
        "/v1/audit/usage",
        params={"by": ["organisation", "item"], "event": "data.queried"},
        headers=hub.admin.headers,
    )
    counted = {(row["organisation"], row["item"]): row["times"] for row in answer.json()["usage"]}
    assert counted == {(market.organisation_code, "XM"): 2, (market.organisation_code, "XB"): 1}
    answer = await hub.client.get(
        "/v1/audit/usage",
        params={"by": "operator", "format": "csv", "event": "data.queried"},
        headers=hub.members["market"].headers,
    )
    assert "data.queried,王审批,2,1" in answer.text


async def test_subjects_list_is_numbered_and_its_completeness_proof_verifies_offline(hub: RunningHub) -> None:
    police = caller_of(hub.members["police"])
    for subject in (NUMBER, OTHER, NUMBER):
        await act(hub.services, police, subject=subject)
    await act(hub.services, police, subjects=[OTHER, NUMBER])
    await settle(hub.services)
    body = {"number": NUMBER.lower(), "limit": 2}
    page = (await hub.client.post("/v1/audit/subjects", json=body, headers=hub.admin.headers)).json()
    assert page["total"] == 3
    assert [leaf["number"] for leaf in page["leaves"]] == [1, 2]
    assert page["next_after"] == 2
    denied = await hub.client.post("/v1/audit/subjects", json=body, headers=hub.members["police"].headers)
    assert denied.status_code == 403
    answer = await hub.client.post(
        "/v1/audit/subjects/proof", json={"number": NUMBER}, headers=hub.admin.headers
    )
    document = answer.json()
    assert not contains_number(json.dumps(document))
    heads, trust = await verifier_of(hub), trust_of(hub.services).receipts()

    def check(changed: dict[str, object], number: str | None = NUMBER) -> int:
        proof = parse_subject_proof(changed)
        return verify_subject_proof(proof, heads=heads, suite=SUITE, trust=trust, number=number).leaves

    assert check(document) >= 3
    leaves = document["leaves"]
    for left_out in range(len(leaves)):
        with pytest.raises(ShuzhengError):
            check(document | {"leaves": leaves[:left_out] + leaves[left_out + 1 :]})
    renumbered = [leaf | {"number": n + 1} for n, leaf in enumerate(leaves[1:])]
    with pytest.raises(ShuzhengError):
        check(document | {"leaves": renumbered})
    with pytest.raises(ShuzhengError):
        check(document | {"leaves": [leaves[0] | {"entry": leaves[1]["entry"]}, *leaves[1:]]})
    with pytest.raises(ShuzhengError):
        check(document, number=OTHER)


async def test_index_and_consistency_proofs_verify_and_bad_sizes_are_refused(hub: RunningHub) -> None:
    for _ in range(5):
        await act(hub.services, None)
        await settle(hub.services)
    heads = await verifier_of(hub)
    newest = heads.read((await hub.client.get("/v1/log/checkpoint")).text)
    old = heads.read((await hub.client.get(f"/v1/log/checkpoints/{newest.previous_size}")).text)
    answer = (await hub.client.get("/v1/log/consistency", params={"old_size": old.size})).json()
    verify_consistency(
        SUITE,
        old_size=old.size,
        old_root=old.root,
        new_size=newest.size,
        new_root=newest.root,
        proof=[base64.b64decode(node) for node in answer["proof"]],
    )
    proved = (await hub.client.get("/v1/log/inclusion", params={"index": 2, "tree_size": old.size})).json()
    assert "entry" not in proved
    verify_inclusion(
        SUITE,
        leaf_hash=bytes.fromhex(proved["leaf_hash"]),
        index=2,
        size=old.size,
        proof=[base64.b64decode(node) for node in proved["proof"]],
        root=old.root,
    )
    for path, query, status in [
        ("/v1/log/consistency", {"old_size": newest.size + 1}, 400),
        ("/v1/log/consistency", {"old_size": 5, "new_size": 3}, 400),
        ("/v1/log/inclusion", {"index": 10**9}, 404),
        ("/v1/log/inclusion", {"index": -1}, 422),
        ("/v1/log/checkpoints/999999", {}, 404),
    ]:
        assert (await hub.client.get(path, params=query)).status_code == status, path


async def test_tiles_are_those_of_the_tree_for_anyone_and_bundles_for_auditors_alone(hub: RunningHub) -> None:
    async with hub.services.database.transaction() as connection:
        for number in range(300):
            await hub.services.log_writer.append(
                connection, event=Event.AUDIT_READ, caller=None, details={"view": "t", "leaves": number}
            )
    await settle(hub.services)
    heads = await verifier_of(hub)
    head = heads.read((await hub.client.get("/v1/log/checkpoint")).text)
    edge, hashes = TileEdge(SUITE), []
    for tile in list_tiles(head.size):
        answer = await hub.client.get(f"/v1/log/{tile.path}")
        assert answer.status_code == 200, tile.path
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        if tile.level == 0:
            hashes += [answer.content[at : at + 32] for at in range(0, len(answer.content), 32)]
            bundle = tile.path.replace("tile/0/", "tile/entries/")
            assert (await hub.client.get(f"/v1/log/{bundle}")).status_code == 401
            denied = await hub.client.get(f"/v1/log/{bundle}", headers=hub.members["police"].headers)
            assert denied.status_code == 403
            entries = await hub.client.get(f"/v1/log/{bundle}", headers=hub.admin.headers)
            assert entries.headers["cache-control"] == "private, max-age=31536000, immutable"
            found = parse_entry_bundle(entries.content, tile.width)
            assert [SUITE.leaf_hash(entry) for entry in found] == hashes[-tile.width :]
    edge.extend(hashes)
    assert edge.root() == head.root
    assert (await hub.client.get("/v1/log/tile/0/999")).status_code == 404
    assert (await hub.client.get("/v1/log/tile/0/01")).status_code == 404
    assert (await hub.client.get("/v1/log/checkpoint")).headers["cache-control"] == "no-cache"


async def test_leaves_in_order_show_to_each_what_is_its_own(hub: RunningHub) -> None:
    police, market = (caller_of(hub.members[key]) for key in ("police", "market"))
    await act(hub.services, police, case="of-police", subject=NUMBER)
    await act(hub.services, market, case="of-market")
    await settle(hub.services)

    async def seen(member: Member) -> list[str | None]:
        answer = await hub.client.get("/v1/log/leaves", params={"limit": 1000}, headers=member.headers)
        leaves = answer.json()["leaves"]
        assert [leaf["index"] for leaf in leaves] == list(range(len(leaves)))
        for leaf in leaves:
            entry = leaf["entry"]
            assert entry is None or SUITE.leaf_hash(entry.encode()).hex() == leaf["leaf_hash"]
        return [leaf["entry"] for leaf in leaves]

    assert None not in await seen(hub.admin)
    own = [entry for entry in await seen(hub.members["market"]) if entry]
    assert any("of-market" in entry for entry in own)
    assert not any("of-police" in entry for entry in own)
    assert (await hub.client.get("/v1/log/leaves")).status_code == 401


async def test_witness_cosigns_what_continues_and_refuses_a_fork(hub: RunningHub, tmp_path: Path) -> None:
    heads = await verifier_of(hub)
    cosigner = Sm2Cosigner(name="audit.test/witness", signer=PrivateKey.from_scalar(5), clock=utc_now)
    key = {"verifier_key": cosigner.witness.verifier_key}
    assert (
        await hub.client.post("/v1/log/witnesses", json=key, headers=hub.members["police"].headers)
    ).status_code == 403
    assert (
        await hub.client.post("/v1/log/witnesses", json=key, headers=hub.admin.headers)
    ).status_code == 201
    assert (
        await hub.client.post("/v1/log/witnesses", json=key, headers=hub.admin.headers)
    ).status_code == 409
    bad = {"verifier_key": "nonsense"}
    assert (
        await hub.client.post("/v1/log/witnesses", json=bad, headers=hub.admin.headers)
    ).status_code == 422
    await settle(hub.services)

    async def one_round(state: Path) -> int:
        """Run the witness's code against the hub: its requests are answered over ASGI, one after another."""
        answers: dict[str, httpx.Response] = {}

        def answer(request: httpx.Request) -> httpx.Response:
            wanted = f"{request.method} {request.url.raw_path.decode()}"
            if wanted not in answers:
                raise LookupError(wanted, request.read())
            return answers[wanted]

        while True:
            duty = WitnessDuty(
                client=httpx.Client(transport=httpx.MockTransport(answer), base_url="http://hub.test"),
                heads=heads,
                cosigner=cosigner,
                state_dir=tmp_path / "trial",
            )
            trial = tmp_path / "trial"
            trial.mkdir(exist_ok=True)
            last = state / "last-checkpoint"
            if last.exists():
                (trial / "last-checkpoint").write_text(last.read_text())
            try:
                done = duty.run_once()
            except LookupError as missing:
                method, path = str(missing.args[0]).split(" ", 1)
                real = await hub.client.request(method, path, content=missing.args[1])
                answers[missing.args[0]] = httpx.Response(real.status_code, content=real.content)
                continue
            state.mkdir(exist_ok=True)
            last.write_text((trial / "last-checkpoint").read_text())
            return done.tree_size

    state = tmp_path / "state"
    first = await one_round(state)
    await act(hub.services, None)
    await settle(hub.services)
    second = await one_round(state)
    assert second > first
    witnessed = await hub.client.get("/v1/log/checkpoint", params={"witnesses": 1})
    assert heads.read(witnessed.text).size == second
    assert "— audit.test/witness " in witnessed.text
    forged = hub.services.log.heads.sign(second + 5, b"f" * 32, utc_now(), previous_size=second)
    (state / "last-checkpoint").write_text(forged.note)
    with pytest.raises(ShuzhengError, match="rolled back or forked"):
        await one_round(state)
    same = hub.services.log.heads.sign(first, b"f" * 32, utc_now(), previous_size=0)
    (state / "last-checkpoint").write_text(same.note)
    with pytest.raises(ShuzhengError):
        await one_round(state)
    retired = await hub.client.delete("/v1/log/witnesses/audit.test%2Fwitness", headers=hub.admin.headers)
    assert retired.status_code == 204, retired.text
    assert (await hub.client.post("/v1/log/cosignatures", content=witnessed.content)).status_code == 400
    strange = witnessed.content.replace(f"\n{second}\n".encode(), f"\n{second + 1}\n".encode())
    assert (await hub.client.post("/v1/log/cosignatures", content=strange)).status_code in {400, 404, 422}
    assert (await hub.client.post("/v1/log/cosignatures", content=b"x")).status_code in {400, 422}


@pytest.fixture
async def exported(services: Services, tmp_path: Path) -> Path:
    """An export of a log with chains, several heads and dropped payloads."""
    old = LogWriter(subject_key=b"k" * 32, now=lambda: datetime(2024, 1, 1, tzinfo=UTC))
    for subject in (NUMBER, OTHER, NUMBER):
        async with services.database.transaction() as connection:
            await old.append(connection, event=Event.TOKEN_REVOKED, caller=None, subject=subject)
    await settle(services)
    retention = RetentionService(database=services.database, log=old, now=utc_now)
    with pytest.raises(PreconditionFailed):
        await retention.drop(before=utc_now() - timedelta(days=30), caller=None)
    new = LogWriter(subject_key=b"k" * 32, now=utc_now)
    retention = RetentionService(database=services.database, log=new, now=utc_now)
    assert (await retention.drop(before=datetime(2024, 2, 1, tzinfo=UTC), caller=None)).leaves == 3
    async with services.database.transaction() as connection:
        for _ in range(300):
            await new.append(connection, event=Event.TOKEN_REVOKED, caller=None, subjects=(NUMBER, OTHER))
    await settle(services)
    path = tmp_path / "log.zip"
    await services.log.export.export(path, caller=None)
    return path


async def test_export_verifies_with_the_ca_certificate_alone_and_restores(
    services: Services, exported: Path, database_url: str
) -> None:
    report, manifest, heads = ExportCheck(exported, trust=trust_of(services), now=utc_now).run()
    assert report.is_whole, report.findings
    assert report.tree_size - report.leaves == 3
    with pytest.raises(Conflict):
        await restore_log(services.database, ArchiveReader(exported), manifest, heads=heads)
    archive = await Database.connect(database_url, pool_size=2, timeout_s=10)
    name = "archive_of_" + database_url.rsplit("/", maxsplit=1)[-1].split("?", maxsplit=1)[0]
    async with archive.acquire() as connection:
        await connection.execute(f'CREATE DATABASE "{name}"')
    restored = await Database.connect(
        re.sub(r"/test_[0-9_]+\?", f"/{name}?", database_url), pool_size=2, timeout_s=10
    )
    try:
        await apply_migrations(restored, load_migrations(MIGRATED_PACKAGES))
        await restore_log(restored, ArchiveReader(exported), manifest, heads=heads)
        check = SelfCheck(
            database=restored, log=services.log_writer, heads=heads, anchor=Anchor(None), now=utc_now
        )
        found = await check.assess()
        assert found.is_whole, found.findings
        assert (found.tree_size, found.root_hash) == (report.tree_size, report.root_hash)
    finally:
        await restored.close()
        async with archive.acquire() as connection:
            await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await archive.close()


async def test_export_with_any_file_altered_or_left_out_is_not_whole(
    services: Services, exported: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(exported) as whole:
        files = {name: whole.read(name) for name in whole.namelist()}
    for name, content in files.items():
        if name == "certificates.pem":
            continue
        for changed in (
            None,
            content + b" " if name.endswith(("jsonl", "json")) else content[:-1] + b"?",
        ):
            path = tmp_path / "altered.zip"
            path.unlink(missing_ok=True)
            with zipfile.ZipFile(path, "w") as altered:
                for each, data in files.items():
                    if each != name or changed is not None:
                        altered.writestr(each, changed if each == name and changed is not None else data)
            try:
                report, _, _ = ExportCheck(path, trust=trust_of(services), now=utc_now).run()
            except ShuzhengError:
                continue
            assert not report.is_whole, name


async def test_dropped_leaf_stays_provable_while_its_payload_is_gone(
    services: Services, exported: Path
) -> None:
    proved = await services.log.proofs.prove_index(0, tree_size=None)
    report = await services.log.check.assess()
    assert report.is_whole, report.findings
    verify_inclusion(
        SUITE,
        leaf_hash=proved.leaf_hash,
        index=0,
        size=proved.checkpoint.tree_size,
        proof=proved.proof,
        root=proved.checkpoint.root_hash,
    )
    with zipfile.ZipFile(exported) as archive:
        first = archive.namelist()[1]
        assert first.startswith("tile/entries/")
        entry = next(each for each in parse_entry_bundle(archive.read(first), 256) if each)
    assert split_entry(entry)[0].startswith("{")
