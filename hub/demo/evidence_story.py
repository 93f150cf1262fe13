"""The last step of the story: three cases told in numbers, of what is handed in and what is not."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final

from connectors import HubClient, Purpose
from exchange.standards.samples import SampleKind, write_sample
from hub.demo.evidence_cases import (
    estate_inputs,
    estate_rows,
    food_request,
    food_rows,
    newborn_inputs,
    newborn_rows,
    person_in,
)
from hub.demo.evidence_items import FOOD, NEWBORN, ONE_DESK, food_business, newborn, real_estate
from hub.demo.evidence_scene import EvidenceScene
from hub.demo.telling import Teller

SEED: Final = 77
OPERATOR: Final = "李窗口"


class EvidenceStory:
    """Opening a food business, a real-estate transfer at one desk, a newborn's bundle."""

    def __init__(self, *, address: str, administrator: HubClient, teller: Teller, stack: ExitStack) -> None:
        self._teller = teller
        self._scene = EvidenceScene(address=address, administrator=administrator, stack=stack)
        self._firm = next(row for row in _sample(SampleKind.LEGAL_PERSON, 20) if row["cxzt"] == "1")
        self._people = _sample(SampleKind.POPULATION, 5)

    def play(self, codes: Mapping[str, str]) -> None:
        """Set the scene beside the organisations that are there (`codes`), and open the cases."""
        self._set_scene(codes)
        self._open_food_business()
        self._transfer_estate()
        self._welcome_newborn()

    def _set_scene(self, codes: Mapping[str, str]) -> None:
        scene, people = self._scene, self._people
        scene.register(codes)
        scene.know_owner("rk_jbxx", "police")
        scene.know_owner("fr_jbxx", "market")
        scene.publish_rows("police", "rk_jbxx", people)
        scene.publish_rows("market", "fr_jbxx", [self._firm])
        listed = [row for row in _sample(SampleKind.LIST, 20) if row["XDRDM"] != self._firm["tyxydm"]]
        scene.publish_standard("market", "xy_mdxx", listed)
        rows: dict[str, list[dict[str, str]]] = food_rows([self._firm], people[:1])
        rows["hb_ba"] = []  # registered, and nothing published yet
        scene.publish(rows | estate_rows(*people[1:3]) | newborn_rows(*people[3:5]))
        at = scene.codes
        items = {
            "approval": [_with_rechecks(food_business(at["approval"]))],
            **_by_office(("tax", "estate", "housing"), real_estate(at["tax"], at["estate"], at["housing"])),
        }
        for office, documents in _by_office(
            ("police", "social", "health"), newborn(at["police"], at["social"], at["health"])
        ).items():
            items.setdefault(office, []).extend(documents)
        grants = 0
        for office, documents in items.items():
            for document in documents:
                grants += scene.grant_for(office, document)
                scene.release(office, document)
        scene.issue_licences([self._firm], items=[FOOD])
        self._items = items
        self._teller.say(f"seven offices release the rules of 7 items, under {grants} grants of their own")

    def _open_food_business(self) -> None:
        answer = self._ask("approval", FOOD, food_request(self._firm, self._people[0], 0), "食品-2026-01")
        summary = answer["summary"]
        self._teller.check(
            (summary["required"], summary["supplied"], summary["remaining"]) == (12, 11, 1),
            "opening a food business: of 12 materials the hub supplies 11; one source has published nothing",
        )
        left = next(each for each in answer["materials"] if each["outcome"] != "supplied")
        commit = next(each for each in left["remedies"] if each["action"] == "commit")
        request = food_request(self._firm, self._people[0], 0)
        self._scene.offices["approval"].post(
            f"/v1/evidence/{answer['case']}/undertakings",
            {
                "promises": [{"fact": commit["fact"], "action": "commit", "text_sm3": commit["text_sm3"]}],
                "role": "company",
                "applicants": request["applicants"],
                "inputs": request["inputs"],
            },
            purpose=_purpose(FOOD, "食品-2026-01"),
        )
        again = self._ask("approval", FOOD, request, "食品-2026-01")
        self._teller.check(
            again["complete"] and len(again["materials"]) == 1 and len(again["unchanged"]) == 11,
            f"for {left['title']} the firm commits instead: “{commit['text']}”; the hub verifies it later",
        )
        self._teller.say(f"the form comes filled in: {', '.join(answer['prefill'])}")
        self._tell("opening a food business", [answer], handed_in=0)
        self._preview_deregistration()

    def _preview_deregistration(self) -> None:
        """Ask before publishing it what a firm's deregistration would move."""
        row = {
            "resource": "fr_jbxx",
            "keys": {"tyxydm": self._firm["tyxydm"]},
            "operation": "update",
            "after": {"cxzt": "3"},
        }
        shown = self._scene.offices["market"].post("/v1/cascade/preview", {"row": row})
        affected = [(each["cases"], each["actions"]) for each in shown["cases"]]
        self._teller.check(
            affected == [(1, ["recheck"])],
            "were the firm deregistered now: 1 open case rests on it, and the hub would check it again",
        )

    def _transfer_estate(self) -> None:
        seller, buyer = self._people[1:3]
        body = {
            "applicants": [person_in("seller", seller), person_in("buyer", buyer)],
            "inputs": estate_inputs(),
            "bundle": {"code": ONE_DESK, "reference": "过户-2026-01"},
        }
        answers = [
            self._ask(office, self._items[office][0]["code"], body, "过户-2026-01")
            for office in ("tax", "estate", "housing")
        ]
        self._teller.check(
            all(answer["complete"] for answer in answers),
            "a real-estate transfer: three offices, one desk; tax, registry and utilities ask for nothing",
        )
        self._tell("real-estate transfer, three offices", answers, handed_in=0)

    def _welcome_newborn(self) -> None:
        mother, father = self._people[3:5]
        body = {
            "applicants": [person_in("mother", mother), person_in("father", father)],
            "inputs": newborn_inputs(),
            "bundle": {"code": NEWBORN, "reference": "新生儿-2026-01"},
            "prefill": True,
        }
        answers = [
            self._ask(office, self._items[office][-1]["code"], body, "新生儿-2026-01")
            for office in ("police", "social", "health")
        ]
        remaining = [each["summary"]["remaining"] for each in answers]
        self._teller.check(
            remaining == [0, 1, 0],
            "a newborn's bundle: household, insurance and vaccination; of all that only a photo is handed in",
        )
        self._tell("newborn's bundle, three offices", answers, handed_in=1)

    def _ask(self, office: str, item: str, body: Mapping[str, Any], case: str) -> dict[str, Any]:
        whole = self._scene.offices[office].post("/v1/evidence", dict(body), purpose=_purpose(item, case))
        answer: dict[str, Any] = whole["evidence"]
        return answer

    def _tell(self, name: str, answers: Sequence[Mapping[str, Any]], *, handed_in: int) -> None:
        sums = {
            key: sum(each["summary"][key] for each in answers)
            for key in ("required", "supplied", "calls", "took_ms")
        }
        facts = [fact for each in answers for found in each["materials"] for fact in found["facts"]]
        reused = sum(fact["reason"] == "REUSED" for fact in facts)
        told = (
            f"{sums['required']} materials, {sums['supplied']} supplied by the hub ({reused} taken over from"
            f" another case), {handed_in} handed in, {sums['calls']} calls to sources, {sums['took_ms']} ms"
        )
        self._teller.say(told)
        self._teller.keep(name, told)


def _with_rechecks(document: dict[str, Any]) -> dict[str, Any]:
    """Have the hub check again by itself what it took from the register of firms, where that changes."""
    for fact in document["facts"]:
        if any(way.get("resource") == "fr_jbxx" for way in fact["ways"]):
            fact["on_change"] = "recheck"
    return document


def _purpose(item: str, case: str) -> Purpose:
    return Purpose(service_item=item, case_number=case, operator=OPERATOR)


def _by_office(
    offices: Sequence[str], documents: Sequence[dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    return {office: [document] for office, document in zip(offices, documents, strict=True)}


def _sample(kind: SampleKind, rows: int) -> list[dict[str, str]]:
    out = io.BytesIO()
    write_sample(kind, rows=rows, seed=SEED, dirt=0.0, out=out)
    return list(csv.DictReader(io.StringIO(out.getvalue().decode())))
