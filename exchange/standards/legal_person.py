"""Legal persons (法人基本信息, fr_jbxx): items of the Zhejiang legal-person specification (2017 draft)."""

from __future__ import annotations

from typing import Final

from exchange.catalogue.model import CheckRule, Theme, UpdateCycle
from exchange.standards.schema import OPEN, StandardSchema, in_order, item, not_future

LEGAL_PERSON: Final = StandardSchema(
    code="fr_jbxx",
    title="法人基本信息",
    summary="法人和非法人组织基本信息,以统一社会信用代码为主键",
    theme=Theme.LEGAL_PERSON,
    update_cycle=UpdateCycle.DAILY,
    items=(
        item("tyxydm", "统一社会信用代码", "C18", key=True, share=OPEN, rule=CheckRule.CREDIT_CODE),
        item("frmc", "法人名称", "C..100", must=True, share=OPEN),
        item("frfl", "主体类型", "n2", must=True, share=OPEN, codes="fr.a2"),
        item("fddbr", "法定代表人", "C..50", must=True, share=OPEN),
        item("frZjlx", "法定代表人证件类型", "C2", codes="fr.a3", sensitive=True),
        item("frZjhm", "法定代表人证件号码", "C..50", sensitive=True),
        item("zs", "住所", "C..200", must=True, share=OPEN),
        item("djjg", "登记管理机关", "C..100", must=True, share=OPEN),
        item("djrq", "登记日期", "YYYYMMDD", must=True, share=OPEN),
        item("cxzt", "存续状态", "C1", must=True, share=OPEN, codes="fr.a4"),
        item("ywfw", "宗旨和业务范围", "C..2000", must=True, share=OPEN),
        item("zczb", "注册资本(万元)", "N..24,6", must=True, share=OPEN),
        item("jyjzrq", "经营截止日期", "YYYYMMDD", share=OPEN),
        item("frwybs", "法人唯一标识", "C..20", share=OPEN),
        item("zgjg", "业务主管机关", "C..100", share=OPEN),
        item("djzch", "登记注册号", "C..50", share=OPEN, description="三证合一前的注册号,用于关联旧记录"),
        item("qyJy", "兼营", "C..2000", share=OPEN),
        item("bmBz", "币种", "n3", share=OPEN, description="GB/T 12406 数字代码,156 为人民币"),
        item("jfly", "经费来源", "C..20", share=OPEN),
        item("shzzlx", "社会组织类型", "C..20", share=OPEN),
        item("qyLx", "市场主体类型", "C4", share=OPEN),
        item("hyml", "行业门类", "C1", share=OPEN, description="GB/T 4754,注明版本年份"),
        item("hydm", "行业代码", "C4", share=OPEN, description="GB/T 4754,注明版本年份"),
        item("hzrq", "核准日期", "YYYYMMDD", share=OPEN),
        item("jyqsrq", "经营起始日期", "YYYYMMDD", share=OPEN),
        item("jggss", "属地监管工商所", "C..100", share=OPEN),
        item("jgsws", "属地监管税务部门", "C..100", share=OPEN),
        item("gtZcxs", "个体工商户组成形式", "C1", share=OPEN),
        item("bzZfzg", "是否具备行政执法主体资格", "B", share=OPEN),
        item("dh", "联系电话", "C..50"),
        item("yx", "电子邮箱", "C..100"),
        item("cz", "传真", "C..50"),
        item("zzjgdm", "组织机构代码", "C9", share=OPEN, rule=CheckRule.ORGANISATION_CODE),
        item("zxrq", "注销日期", "YYYYMMDD", share=OPEN),
        item("zxyy", "注销原因", "C..2000", share=OPEN),
        item("dxrq", "吊销日期", "YYYYMMDD", share=OPEN),
        item("dxyy", "吊销原因", "C..2000", share=OPEN),
        item("xzqh", "行政区划", "n12", share=OPEN),
        item("yzbm", "邮政编码", "C6", share=OPEN),
    ),
    rules=(
        in_order("djrq", "zxrq"),
        in_order("jyqsrq", "jyjzrq"),
        not_future("djrq", "hzrq", "zxrq", "dxrq"),
    ),
)
