"""Ready schemas: population (rk_jbxx), legal person (fr_jbxx), divisions (xzqh) and streets (xzqh_jd).

The identifiers are those of the public-security and legal-person forms; widths marked there as customary
are customary here too. What is mandatory and how each item is shared are proposals of this project,
which a department changes by registering its own resource.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.caller import OrganisationCode
from exchange.catalogue.model import CheckRule, Item, Resource, ShareType, Theme, UpdateCycle

OPEN: Final = ShareType.UNCONDITIONAL
ASK: Final = ShareType.CONDITIONAL
CLOSED: Final = ShareType.NOT_SHARED
CONDITION: Final = "凭办理事项和法定依据共享"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardSchema:
    """A schema that a department can publish under as it is."""

    code: str
    title: str
    summary: str
    theme: Theme
    update_cycle: UpdateCycle
    items: tuple[Item, ...]

    def build(
        self, *, provider_code: OrganisationCode, code: str | None = None, title: str | None = None
    ) -> Resource:
        """Make a resource of `provider_code` with this schema's items."""
        return Resource(
            code=code or self.code,
            title=title or self.title,
            summary=self.summary,
            theme=self.theme,
            provider_code=provider_code,
            update_cycle=self.update_cycle,
            items=self.items,
        )


def _item(
    name: str,
    title: str,
    form: str,
    *,
    key: bool = False,
    must: bool = False,
    share: ShareType = ASK,
    basis: str = "",
    codes: str | None = None,
    rule: CheckRule | None = None,
    sensitive: bool = False,
) -> Item:
    return Item(
        name=name,
        title=title,
        format=form,
        is_key=key,
        is_required=must or key,
        share_type=share,
        share_basis=basis or (CONDITION if share is ASK else ""),
        code_list=codes,
        check_rule=rule,
        is_sensitive=sensitive,
    )


POPULATION: Final = StandardSchema(
    code="rk_jbxx",
    title="人口基本信息",
    summary="户籍人口基本信息,以公民身份号码为主键",
    theme=Theme.POPULATION,
    update_cycle=UpdateCycle.DAILY,
    items=(
        _item("GMSFHM", "公民身份号码", "C18", key=True, rule=CheckRule.CITIZEN_NUMBER, sensitive=True),
        _item("XM", "姓名", "C..50", must=True),
        _item("CYM", "曾用名", "C..50"),
        _item("XB", "性别", "C1", must=True, codes="gbt2261.1"),
        _item("MZ", "民族", "C2", must=True, codes="gbt3304"),
        _item("CSRQ", "出生日期", "YYYYMMDD", must=True),
        _item("HJSZD", "户籍所在地", "n6", must=True, rule=CheckRule.DIVISION_CODE),
        _item("MLXZ", "户籍地详址", "C..100", must=True, sensitive=True),
        _item("HYZK", "婚姻状况", "C2", codes="gbt2261.2", sensitive=True),
        _item("SWRQ", "死亡日期", "YYYYMMDD"),
        _item("ZXZT", "注销状态", "C1", must=True),
        _item("ZJXY", "宗教信仰", "C..20", share=CLOSED, basis="个人信息保护法第二十八条", sensitive=True),
    ),
)
LEGAL_PERSON: Final = StandardSchema(
    code="fr_jbxx",
    title="法人基本信息",
    summary="法人和非法人组织基本信息,以统一社会信用代码为主键",
    theme=Theme.LEGAL_PERSON,
    update_cycle=UpdateCycle.DAILY,
    items=(
        _item("tyxydm", "统一社会信用代码", "C18", key=True, share=OPEN, rule=CheckRule.CREDIT_CODE),
        _item("frmc", "法人名称", "C..100", must=True, share=OPEN),
        _item("frfl", "主体类型", "n2", must=True, share=OPEN, codes="fr.a2"),
        _item("fddbr", "法定代表人", "C..50", must=True, share=OPEN),
        _item("frZjlx", "法定代表人证件类型", "C2", codes="fr.a3", sensitive=True),
        _item("frZjhm", "法定代表人证件号码", "C..50", sensitive=True),
        _item("zs", "住所", "C..200", must=True, share=OPEN),
        _item("djjg", "登记管理机关", "C..100", must=True, share=OPEN),
        _item("djrq", "登记日期", "YYYYMMDD", must=True, share=OPEN),
        _item("cxzt", "存续状态", "C1", must=True, share=OPEN, codes="fr.a4"),
        _item("ywfw", "宗旨和业务范围", "C..2000", must=True, share=OPEN),
        _item("zczb", "注册资本(万元)", "N..24,6", must=True, share=OPEN),
        _item("jyjzrq", "经营截止日期", "YYYYMMDD", share=OPEN),
    ),
)
DIVISIONS: Final = StandardSchema(
    code="xzqh",
    title="行政区划代码",
    summary="省、市、县三级区划代码与名称(统计用区划,2023年版)",
    theme=Theme.SPATIAL,
    update_cycle=UpdateCycle.YEARLY,
    items=(
        _item("qhdm", "区划代码", "n6", key=True, share=OPEN),
        _item("qhmc", "区划名称", "C..50", must=True, share=OPEN),
        _item("qhjb", "区划级别", "n1", must=True, share=OPEN, codes="division_level"),
        _item("sjdm", "上级代码", "n6", share=OPEN),
    ),
)
STREETS: Final = StandardSchema(
    code="xzqh_jd",
    title="乡级区划代码",
    summary="乡镇街道区划代码与名称(统计用区划,2023年版)",
    theme=Theme.SPATIAL,
    update_cycle=UpdateCycle.YEARLY,
    items=(
        _item("code", "区划代码", "n9", key=True, share=OPEN),
        _item("name", "区划名称", "C..100", must=True, share=OPEN),
        _item("areaCode", "县级代码", "n6", must=True, share=OPEN),
        _item("provinceCode", "省级代码", "n2", must=True, share=OPEN),
        _item("cityCode", "地级代码", "n4", must=True, share=OPEN),
    ),
)
STANDARD_SCHEMAS: Final = {schema.code: schema for schema in (POPULATION, LEGAL_PERSON, DIVISIONS, STREETS)}
