"""The gap map as a table, one row per way."""

from __future__ import annotations

from typing import Final

from evidence.gaps.model import FactGap, GapMap, MaterialGap, Standing, WayGap
from evidence.workbook.words import NO, WAY_KINDS, YES

NAME: Final = "免提交差距表"
COLUMNS: Final = {
    "material": "材料编码",
    "title": "材料名称",
    "conditional": "有条件",
    "material_standing": "材料结论",
    "fact": "事实",
    "fact_standing": "事实结论",
    "way": "方式",
    "standing": "方式结论",
    "provider": "提供部门",
    "code": "原因代码",
    "detail": "说明",
    "apply_for": "申请内容",
}
STANDINGS: Final = {
    Standing.REPLACEABLE: "可免提交",
    Standing.ASSISTED: "经授权或协查可免提交",
    Standing.UNDERTAKEN: "可承诺或容缺",
    Standing.BLOCKED: "暂不可免",
}


def build_rows(gaps: GapMap) -> list[dict[str, str]]:
    """Build the rows, in the order of the item's materials, facts and ways."""
    return [
        _row(gaps, material, fact, way)
        for material in gaps.materials
        for fact in material.facts
        for way in fact.ways
    ]


def _row(gaps: GapMap, material: MaterialGap, fact: FactGap, gap: WayGap) -> dict[str, str]:
    return {
        "material": material.code,
        "title": material.title,
        "conditional": YES if material.is_conditional else NO,
        "material_standing": STANDINGS[material.standing],
        "fact": fact.title,
        "fact_standing": STANDINGS[fact.standing],
        "way": WAY_KINDS[gap.way.kind],
        "standing": STANDINGS[gap.standing],
        "provider": gaps.names.get(gap.provider, gap.provider),
        "code": gap.code,
        "detail": gap.detail,
        "apply_for": "\n".join(f"{name}: {_tell(value)}" for name, value in gap.apply_for.items()),
    }


def _tell(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
