"""Rules of an invented service item, for tests to break."""

from __future__ import annotations

import copy
from typing import Any

from evidence.rules.document import parse_item
from evidence.rules.model import ServiceItem
from tests.hubs import organisation_code

OFFICE = organisation_code(4)
ITEM_CODE = "食品经营许可"


def build_document(**changes: Any) -> dict[str, Any]:
    """Build a sound document: a company with its representative, premises that may be leased."""
    return copy.deepcopy(_DOCUMENT) | changes


def build_item(**changes: Any) -> ServiceItem:
    """Build the item of `build_document`."""
    return parse_item(build_document(**changes))


EXAMPLES: list[dict[str, Any]] = [
    {
        "name": "租赁场所的企业，配管理员",
        "roles": {"company": "organisation", "manager": "person"},
        "inputs": {"premises": "leased", "representative": "张三"},
        "required": ["M01", "M02", "M03", "M04"],
        "ways": {"representative": ["verification", "commitment"], "lease": ["tolerance"]},
    },
    {
        "name": "自有场所的企业",
        "roles": {"company": "organisation"},
        "inputs": {"premises": "owned"},
        "required": ["M01", "M02"],
        "ways": {"representative": ["commitment"]},
    },
]

_DOCUMENT: dict[str, Any] = {
    "code": ITEM_CODE,
    "title": "食品经营许可（新办）",
    "office": OFFICE,
    "region": "990000",
    "roles": [
        {"name": "company", "title": "申请企业", "kind": "organisation"},
        {"name": "manager", "title": "食品安全管理员", "kind": "person", "required": False},
    ],
    "inputs": [
        {"name": "premises", "title": "场所来源"},
        {"name": "representative", "title": "法定代表人姓名"},
    ],
    "facts": [
        {
            "code": "registration",
            "title": "企业登记",
            "ways": [
                {
                    "kind": "dataset",
                    "resource": "fr_jbxx",
                    "keys": {"tyxydm": "$company.code"},
                    "gives": {"name": "frmc", "representative": "fddbr", "address": "zs"},
                    "requires": [{"item": "cxzt", "test": "equals", "values": ["1"]}],
                }
            ],
        },
        {
            "code": "representative",
            "title": "法定代表人",
            "ways": [
                {
                    "kind": "verification",
                    "resource": "fr_jbxx",
                    "subject": {"tyxydm": "$company.code"},
                    "assertions": {"fddbr": "$input.representative"},
                },
                {"kind": "commitment", "template": "本人承诺法定代表人信息属实", "verify_within_days": 40},
            ],
        },
        {
            "code": "manager_identity",
            "title": "管理员身份",
            "ways": [
                {
                    "kind": "verification",
                    "resource": "rk_jbxx",
                    "subject": {"GMSFHM": "$manager.code"},
                    "assertions": {"XM": "$manager.name"},
                }
            ],
        },
        {
            "code": "lease",
            "title": "场所使用权",
            "ways": [{"kind": "tolerance", "within_days": 25}],
        },
    ],
    "materials": [
        {"code": "M01", "title": "营业执照", "facts": ["registration"]},
        {"code": "M02", "title": "法定代表人身份证明", "facts": ["representative"]},
        {
            "code": "M03",
            "title": "管理员身份证明",
            "facts": ["manager_identity"],
            "when": {"kind": "role", "role": "manager", "is_a": "person"},
        },
        {
            "code": "M04",
            "title": "租赁合同",
            "facts": ["lease"],
            "when": {"kind": "input", "input": "premises", "one_of": ["leased"]},
        },
    ],
    "form": {"company_name": "$fact.registration.name", "credit_code": "$company.code"},
}
