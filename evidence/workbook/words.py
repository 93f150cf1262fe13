"""The sheets of the workbook, their columns, and the Chinese words for values.

A column is named after the member of the rules' JSON that it holds. Several values stand in one cell, a line
each. A sheet's `item` column names the service item that the row belongs to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ITEMS: Final = "事项"
ROLES: Final = "角色"
INPUTS: Final = "表单输入"
FACTS: Final = "事实"
WAYS: Final = "方式"
MATERIALS: Final = "材料"
FORM: Final = "表单预填"
EXAMPLES: Final = "样例"
WORD_SHEET: Final = "填写说明"

_ITEM: Final = {"item": "事项编码"}
SHEETS: Final[Mapping[str, Mapping[str, str]]] = {
    ITEMS: {
        "code": "事项编码",
        "title": "事项名称",
        "office": "实施机构",
        "region": "行政区划",
        "bundles": "一件事",
    },
    ROLES: _ITEM | {"name": "角色", "title": "名称", "kind": "类别", "required": "必填"},
    INPUTS: _ITEM | {"name": "输入", "title": "名称", "required": "必填"},
    MATERIALS: _ITEM | {"code": "材料编码", "title": "材料名称", "facts": "证明事实", "when": "条件"},
    FACTS: _ITEM
    | {
        "code": "事实",
        "title": "名称",
        "confirm": "核验要求",
        "reuse_days": "复用天数",
        "on_change": "来源变动时",
    },
    WAYS: _ITEM
    | {
        "fact": "事实",
        "kind": "方式",
        "source": "来源",
        "holder": "持证角色",
        "keys": "查询键",
        "assertions": "核验项",
        "gives": "取得",
        "requires": "要求",
        "clean": "期望",
        "days": "时限(天)",
        "max_age_days": "数据最长天数",
        "text": "文本",
    },
    FORM: _ITEM | {"field": "字段", "value": "取值"},
    EXAMPLES: _ITEM
    | {"name": "样例", "roles": "申请人", "inputs": "表单输入", "required": "应交材料", "ways": "可用方式"},
}

KINDS: Final = {"person": "自然人", "organisation": "组织", "any": "不限"}
CONFIRM: Final = {"first": "任一", "all": "全部一致"}
ON_CHANGE: Final = {"notify": "告知", "recheck": "复核", "suspend": "中止"}
CLEAN: Final = {"absent": "无记录", "present": "有记录"}
WAY_KINDS: Final = {
    "certificate": "电子证照",
    "dataset": "共享数据",
    "verification": "核验",
    "credit": "信用核查",
    "request": "协助核查",
    "commitment": "告知承诺",
    "tolerance": "容缺受理",
    "abolished": "已取消",
}
YES: Final = "是"
NO: Final = "否"

WAY_MEMBERS: Final[Mapping[str, Mapping[str, str]]] = {
    "certificate": {"type_code": "source", "holder": "holder", "gives": "gives", "requires": "requires"},
    "dataset": {
        "resource": "source",
        "keys": "keys",
        "gives": "gives",
        "requires": "requires",
        "max_age_days": "max_age_days",
    },
    "verification": {
        "resource": "source",
        "subject": "keys",
        "assertions": "assertions",
        "max_age_days": "max_age_days",
    },
    "credit": {"resource": "source", "where": "keys", "clean": "clean", "max_age_days": "max_age_days"},
    "request": {"department": "source", "question": "text", "within_days": "days"},
    "commitment": {"template": "text", "verify_within_days": "days"},
    "tolerance": {"within_days": "days"},
    "abolished": {"basis": "text"},
}
"""For each kind of way: member of the rules → column of the sheet."""

EXPLAINED: Final = (
    (
        "条件",
        "role NAME, role NAME is person, input NAME, input NAME in A|B, all(…, …), any(…), none(…)",
    ),
    ("查询键 核验项 取得 申请人 表单输入", "一行一个: NAME=VALUE"),
    ("要求", "一行一个: ITEM = VALUE, ITEM in A|B, ITEM not_past, ITEM filled"),
    ("可用方式", "一行一个: FACT=KIND|KIND"),
    ("类别", " ".join(KINDS.values())),
    ("核验要求", " ".join(CONFIRM.values())),
    ("来源变动时", " ".join(ON_CHANGE.values())),
    ("方式", " ".join(WAY_KINDS.values())),
    ("期望", " ".join(CLEAN.values())),
    ("引号", '含 | = , ( ) 或空格首尾的值写成 "…"'),
)
"""What stands in which columns, for the sheet that explains."""
