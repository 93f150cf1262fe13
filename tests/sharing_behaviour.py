"""What sharing must do on every object store; its `hub` fixture decides on which."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import httpx

from tests.hubs import PURPOSE, RunningHub
from tests.integration.exchange.test_publish import ITEMS
from tests.sharing_world import ALL, PREFIX, fetch_profile, give, open_sharing_world, read_lines

FIRST = "code,name,amount,day,at,yes\n1,甲,1.50,20240229,20240101120000,1\n2,乙,,,,\n3,丙,7,,,0\n"
SECOND = "code,name,amount\n2,新,8\n4,丁,9\n"


class SharingBehaviour:
    """The behaviour suite of sharing."""

    async def test_names_and_versions_are_told(self, hub: RunningHub) -> None:
        world = await open_sharing_world(hub)
        await world.publish(FIRST)
        share = world.table.split("/")[4]
        listed = {
            path: (await hub.client.get(f"{PREFIX}{path}", headers=world.bearer)).json()
            for path in (
                "/shares", f"/shares/{share}", f"/shares/{share}/schemas", f"/shares/{share}/all-tables",
                f"/shares/{share}/schemas/OTHER/tables",
            )
        }  # fmt: skip
        assert listed["/shares"]["items"][0]["name"] == share
        assert listed[f"/shares/{share}"]["share"]["name"] == share
        assert listed[f"/shares/{share}/schemas"]["items"] == [{"name": "other", "share": share}]
        for path in (f"/shares/{share}/all-tables", f"/shares/{share}/schemas/OTHER/tables"):
            assert [(t["name"], t["schema"], t["share"]) for t in listed[path]["items"]] == [
                ("things", "other", share)
            ]
        for method, path in (("HEAD", ""), ("HEAD", "/version"), ("GET", "/version"), ("GET", "/metadata")):
            answer = await world.call(method, path)
            assert answer.headers["delta-table-version"] == "1", (method, path)
        assert (await world.call("POST", "/query", json={})).headers["delta-table-version"] == "1"
        changes = await world.call("GET", "/changes", params={"startingVersion": "0"})
        assert changes.headers["delta-table-version"] == "1"

    async def test_snapshot_time_travel_and_changes_show_each_version(self, hub: RunningHub) -> None:
        world = await open_sharing_world(hub)
        await world.publish(FIRST)
        between = datetime.now(UTC)
        await world.publish(SECOND)
        await world.publish("code\n3\n", mode="delete")
        assert [(row["code"], row["name"]) for row in await world.rows()] == [
            ("1", "甲"), ("2", "新"), ("4", "丁"),
        ]  # fmt: skip
        first = await world.rows(version=1)
        assert [row["code"] for row in first] == ["1", "2", "3"]
        assert first[0] == {
            "code": "1", "name": "甲", "amount": Decimal("1.50"), "day": date(2024, 2, 29),
            "at": datetime(2024, 1, 1, 4, tzinfo=UTC), "yes": True,
        }  # fmt: skip
        assert await world.rows(timestamp=between.isoformat()) == first
        assert await world.rows(version=0) == []
        found = [
            (row["_commit_version"], row["_change_type"], row["code"], row["name"])
            for row in await world.changes(1)
        ]
        assert sorted(found) == [
            (1, "insert", "1", "甲"), (1, "insert", "2", "乙"), (1, "insert", "3", "丙"),
            (2, "insert", "4", "丁"), (2, "update_postimage", "2", "新"), (2, "update_preimage", "2", "乙"),
            (3, "delete", "3", "丙"),
        ]  # fmt: skip
        assert len(await world.changes(3, 3)) == 1
        for body in ({"version": 9}, {"timestamp": "2001-01-01T00:00:00Z"}, {"timestamp": "x"}):
            assert (await world.call("POST", "/query", json=body)).status_code == 400
        since = await world.call("GET", "/version", params={"startingTimestamp": between.isoformat()})
        assert since.headers["delta-table-version"] == "2"

    async def test_only_the_items_rows_and_masks_of_the_grant_leave(self, hub: RunningHub) -> None:
        world = await open_sharing_world(
            hub,
            items=["code", "name", "amount"],
            row_filter={"some": {"item": "amount", "in": ["1.5", "8"]}},
            decision={"masks": {"name": {"*": "name"}}},
        )
        await world.publish(FIRST)
        await world.publish(SECOND + "1,甲,3\n")
        metadata, files = await world.query()
        assert '"day"' not in metadata["schemaString"]
        content = (await hub.client.get(files[0]["file"]["url"])).content
        for secret in ("新", "丙", "丁", "乙"):
            assert secret.encode() not in content or secret == "新"
        assert await world.rows() == [{"code": "2", "name": "新*", "amount": Decimal("8.00")}]
        found = [
            (r["_commit_version"], r["_change_type"], r["code"], r["name"]) for r in await world.changes(0)
        ]
        assert found == [(1, "insert", "1", "甲*"), (2, "delete", "1", "甲*"), (2, "insert", "2", "新*")]

    async def test_update_of_what_the_grant_does_not_show_is_no_change(self, hub: RunningHub) -> None:
        world = await open_sharing_world(hub, items=["code", "amount"])
        await world.publish(FIRST)
        await world.publish("code,name\n1,别名\n")
        assert await world.changes(2) == []

    async def test_new_item_is_null_before_it_came_and_shown_after(self, hub: RunningHub) -> None:
        former = await open_sharing_world(hub)
        await former.publish(FIRST)
        items = [*ITEMS, {"name": "grade", "title": "等级", "format": "C2"}]
        body = {"code": "things", "title": "物品", "theme": "other", "update_cycle": "daily", "items": items}
        changed = await hub.client.put("/v1/resources/things", json=body, headers=former.provider.headers)
        assert changed.status_code == 200, changed.text
        grant_id = await give(hub, items=[*ALL, "grade"])
        wider = replace(former, grant_id=grant_id, profile=await fetch_profile(hub, grant_id))
        assert {row["grade"] for row in await wider.rows()} == {None}
        await wider.publish("code,name,grade\n9,后,A1\n")
        assert [row["grade"] for row in await wider.rows()] == [None, None, None, "A1"]
        assert {row["grade"] for row in await wider.rows(version=1)} == {None}
        assert [row["grade"] for row in await wider.changes(2)] == ["A1"]
        assert set((await former.rows())[0]) == set(ALL)

    async def test_hints_leave_out_files_and_a_limit_stops_early(self, hub: RunningHub) -> None:
        world = await open_sharing_world(hub)
        await world.publish(FIRST)
        await world.publish("code,name,amount,day\n7,庚,100,20250101\n")
        compare = (
            '{"op":"%s","children":[{"op":"column","name":"%s","valueType":"string"},'
            '{"op":"literal","value":"%s","valueType":"string"}]}'
        )
        for hint, codes in (
            (compare % ("equal", "code", "7"), ["7"]),
            (compare % ("greaterThan", "AMOUNT", "50"), ["7"]),
            (compare % ("lessThan", "day", "2024-12-31"), ["1", "2", "3"]),
            (f'{{"op":"and","children":[{compare % ("equal", "code", "7")},3]}}', ["7"]),
            ("no json", ["1", "2", "3", "7"]),
        ):
            assert [row["code"] for row in await world.rows(jsonPredicateHints=hint)] == codes, hint
        assert [row["code"] for row in await world.rows(predicateHints=["code = '7'", "nonsense ("])] == ["7"]
        assert len((await world.query(limitHint=1))[1]) == 1
        assert len((await world.query(limitHint=0))[1]) == 0

    async def test_files_are_given_whole_in_ranges_and_by_head(self, hub: RunningHub) -> None:
        world = await open_sharing_world(hub)
        await world.publish(FIRST)
        _, files = await world.query()
        url, size = files[0]["file"]["url"], files[0]["file"]["size"]
        head, whole = await hub.client.head(url), (await hub.client.get(url)).content
        assert (head.status_code, int(head.headers["content-length"])) == (200, size)
        assert head.headers["accept-ranges"] == "bytes"
        assert len(whole) == size
        for wanted, part in (
            ("bytes=4-9", whole[4:10]),
            (f"bytes={size - 8}-", whole[-8:]),
            ("bytes=-8", whole[-8:]),
        ):
            answer = await hub.client.get(url, headers={"Range": wanted})
            assert (answer.status_code, answer.content) == (206, part), wanted
        assert (await hub.client.get(url, headers={"Range": f"bytes={size}-"})).status_code == 416
        again = (await world.query())[1][0]["file"]
        assert (await hub.client.get(again["url"])).content == whole
        altered = url[:-6] + ("AAAAAA" if not url.endswith("AAAAAA") else "BBBBBB")
        assert (await hub.client.get(altered)).status_code == 403

    async def test_narrowed_grant_tells_what_left_it_with_the_next_changes(self, hub: RunningHub) -> None:
        world = await open_sharing_world(hub)
        await world.publish(FIRST)
        await world.publish("code,name,amount\n5,戊,8\n")
        shrunk = await hub.client.post(
            f"/v1/grants/{world.grant_id}/shrink",
            json={"reason": "减", "row_filter": {"some": {"item": "amount", "in": ["7", "8"]}}},
            headers=world.provider.headers,
        )
        assert shrunk.status_code == 200, shrunk.text
        await world.publish("code,name,amount\n1,甲,8\n3,丙,9\n6,己,7\n")
        await world.publish("code,name,amount\n2,乙,7\n")

        async def tell(first: int) -> list[tuple[object, ...]]:
            return sorted(
                (row["_commit_version"], row["_change_type"], row["code"], row["name"])
                for row in await world.changes(first)
            )

        last = (4, "insert", "2", "乙")
        assert await tell(3) == [
            (3, "delete", "2", None), (3, "delete", "3", "丙"), (3, "insert", "6", "己"),
            (3, "update_postimage", "1", "甲"), (3, "update_preimage", "1", None), last,
        ]  # fmt: skip
        assert await tell(2) == [
            (2, "delete", "1", None), (2, "delete", "2", None), (2, "insert", "5", "戊"),
            (3, "delete", "3", "丙"), (3, "insert", "1", "甲"), (3, "insert", "6", "己"), last,
        ]  # fmt: skip
        assert await tell(4) == [last]
        assert (await tell(1))[0] == (1, "insert", "3", "丙")

    async def test_subscriptions_have_shares_of_their_own_under_their_grants(self, hub: RunningHub) -> None:
        former = await open_sharing_world(hub, modes=["bulk", "subscribe"], items=["code", "amount"])
        await former.publish(FIRST)
        police, market = (hub.members[name].headers | PURPOSE for name in ("police", "market"))
        profiles = []
        for _ in range(2):
            body = {"grant_id": former.grant_id, "from": "start"}
            begun = await hub.client.post("/v1/subscriptions", json=body, headers=police)
            named = {"subscription_id": begun.json()["id"]}
            made = await hub.client.post("/v1/share-profiles", json=named, headers=police)
            assert made.status_code == 201, made.text
            profiles.append((begun.json()["id"], made.json()))
            for wrong in (named | {"grant_id": former.grant_id}, {}):
                refused = await hub.client.post("/v1/share-profiles", json=wrong, headers=police)
                assert refused.status_code == 422
            strange = await hub.client.post("/v1/share-profiles", json=named, headers=market)
            assert strange.status_code == 404
        for subscription, profile in profiles:
            bearer = {"Authorization": f"Bearer {profile['bearerToken']}"}
            name = f"subscription_{subscription.replace('-', '')[:8]}"
            shares = (await hub.client.get(f"{PREFIX}/shares", headers=bearer)).json()["items"]
            assert shares == [{"name": name, "id": subscription}]
            own = replace(former, profile=profile, share=name)
            assert set((await own.rows())[0]) == {"code", "amount"}
            others = [each for each, _ in profiles if each != subscription]
            name = f"subscription_{others[0].replace('-', '')[:8]}"
            other = replace(former, profile=profile, share=name)
            assert (await other.call("POST", "/query", json={})).status_code == 404
        listed = (await hub.client.get("/v1/share-profiles", headers=police)).json()
        assert [each["subscription_id"] for each in reversed(listed)] == [None, *(s for s, _ in profiles)]

    async def test_revoked_grant_stops_queries_and_files_at_once(self, hub: RunningHub) -> None:
        world = await open_sharing_world(hub)
        await world.publish(FIRST)
        _, files = await world.query()
        url = files[0]["file"]["url"]
        assert (await hub.client.get(url)).status_code == 200
        revoked = await hub.client.post(
            f"/v1/grants/{world.grant_id}/revocation", json={"reason": "止"}, headers=world.provider.headers
        )
        assert revoked.status_code == 200, revoked.text
        assert (await hub.client.get(url)).status_code == 403
        assert (await world.call("POST", "/query", json={})).status_code == 403

    async def test_narrowed_grant_ends_former_files_and_shows_less(self, hub: RunningHub) -> None:
        world = await open_sharing_world(hub)
        await world.publish(FIRST)
        _, files = await world.query()
        url = files[0]["file"]["url"]
        narrowed = await hub.client.post(
            f"/v1/grants/{world.grant_id}/shrink",
            json={"items": ["code", "name"], "reason": "够用"},
            headers=world.provider.headers,
        )
        assert narrowed.status_code == 200, narrowed.text
        assert (await hub.client.get(url)).status_code == 403
        assert (await world.rows())[0] == {"code": "1", "name": "甲"}

    async def test_revoked_profile_stops_alone(self, hub: RunningHub) -> None:
        world = await open_sharing_world(hub)
        await world.publish(FIRST)
        other = await fetch_profile(hub, world.grant_id)
        url = (await world.query())[1][0]["file"]["url"]
        listed = await hub.client.get("/v1/share-profiles", headers=hub.members["police"].headers)
        ours = next(each for each in listed.json() if each["used_at"] is not None)
        gone = await hub.client.delete(
            f"/v1/share-profiles/{ours['id']}", headers=hub.members["police"].headers
        )
        assert gone.status_code == 200, gone.text
        assert (await world.call("POST", "/query", json={})).status_code == 401
        assert (await hub.client.get(url)).status_code == 403
        world.profile = other
        assert len(await world.rows()) == 3

    async def test_every_query_leaves_a_leaf_with_its_purpose(self, hub: RunningHub) -> None:
        world = await open_sharing_world(hub)
        await world.publish(FIRST)
        await world.rows()
        await world.changes(0)
        async with hub.services.database.acquire() as connection:
            rows = await connection.fetch(
                "SELECT body::jsonb AS body FROM core.log_leaf WHERE event = 'share.read'"
                " ORDER BY recorded_at"
            )
        leaves = [row["body"] for row in rows]
        assert [leaf["details"]["kind"] for leaf in leaves] == ["snapshot", "changes"]
        assert all(leaf["operator"] == "王审批" and leaf["case_number"] == "2026-000001" for leaf in leaves)
        assert all(leaf["grant"] == world.grant_id for leaf in leaves)
        assert leaves[0]["details"]["rows"] == 3
        assert leaves[0]["details"]["items"] == ALL

    async def test_profile_without_purpose_or_bulk_is_refused(self, hub: RunningHub) -> None:
        world = await open_sharing_world(hub)
        police = hub.members["police"].headers
        without = await hub.client.post(
            "/v1/share-profiles", json={"grant_id": world.grant_id}, headers=police
        )
        assert without.json()["code"] == "ACCESS-PURPOSE-MISSING"
        query_only = await give(hub, modes=["query"])
        for body, status in (
            ({"grant_id": query_only}, 403), ({}, 422),
            ({"grant_id": world.grant_id, "resource": "things"}, 422),
        ):  # fmt: skip
            answer = await hub.client.post("/v1/share-profiles", json=body, headers=police | PURPOSE)
            assert answer.status_code == status, answer.text
        found = await hub.client.post(
            "/v1/share-profiles", json={"resource": "things"}, headers=police | PURPOSE
        )
        assert found.status_code == 201, found.text
        stranger = await hub.client.post(
            "/v1/share-profiles",
            json={"grant_id": world.grant_id},
            headers=hub.members["civil"].headers | PURPOSE,
        )
        assert stranger.status_code == 404

    async def test_other_tables_and_wrong_tokens_are_refused(self, hub: RunningHub) -> None:
        world = await open_sharing_world(hub)
        await world.publish(FIRST)
        for path in ("/shares/other", "/shares/x/schemas/other/tables/things/version"):
            assert (await hub.client.get(f"{PREFIX}{path}", headers=world.bearer)).status_code == 404
        for headers in ({}, {"Authorization": "Bearer wrong"}, hub.members["police"].headers):
            assert (await hub.client.get(f"{PREFIX}/shares", headers=headers)).status_code == 401

    async def test_client_of_the_delta_format_gets_it(self, hub: RunningHub) -> None:
        world = await open_sharing_world(hub)
        await world.publish(FIRST)
        answer = await hub.client.post(
            world.table + "/query",
            json={},
            headers=world.bearer | {"delta-sharing-capabilities": "responseformat=delta;readerfeatures=x"},
        )
        assert answer.headers["delta-sharing-capabilities"] == "responseformat=delta"
        lines = [httpx.Response(200, text=line).json() for line in answer.text.splitlines()]
        assert set(lines[0]["protocol"]) == {"deltaProtocol"}
        assert set(lines[2]["file"]["deltaSingleAction"]) == {"add"}
        both = await hub.client.get(
            world.table + "/metadata",
            headers=world.bearer | {"delta-sharing-capabilities": "responseformat=delta,parquet"},
        )
        assert both.headers["delta-sharing-capabilities"] == "responseformat=parquet"
        assert read_lines(both)[1] == []

    async def test_quota_of_rows_bounds_what_is_given(self, hub: RunningHub) -> None:
        world = await open_sharing_world(hub, rows_per_day=5)
        await world.publish(FIRST)
        assert len(await world.rows()) == 3
        assert (await world.call("POST", "/query", json={})).status_code == 429

    async def test_files_that_nobody_uses_are_removed_and_made_again(self, hub: RunningHub) -> None:
        world = await open_sharing_world(hub)
        await world.publish(FIRST)
        before = (await world.query())[1][0]["file"]
        async with hub.services.database.transaction() as connection:
            await connection.execute(
                "UPDATE subscriptions.shared_file SET used_at = now() - interval '99 days'"
            )
        assert await hub.services.sharing.keeper.sweep() == 1
        assert (await hub.client.get(before["url"])).status_code == 404
        again = (await world.query())[1][0]["file"]
        assert (again["id"], again["size"]) == (before["id"], before["size"])
        assert (await hub.client.get(again["url"])).status_code == 200
