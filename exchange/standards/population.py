"""Population (人口基本信息, rk_jbxx): items as public-security formats name them (GA/T 543.1; GB 11643)."""

from __future__ import annotations

from typing import Final

from exchange.catalogue.model import CheckRule, Theme, UpdateCycle
from exchange.standards.schema import CLOSED, StandardSchema, in_order, item, not_future

_SENSITIVE_BASIS: Final = "个人信息保护法第二十八条"
_MINOR_BASIS: Final = "个人信息保护法第三十一条"

POPULATION: Final = StandardSchema(
    code="rk_jbxx",
    title="人口基本信息",
    summary="户籍人口基本信息,以公民身份号码为主键",
    theme=Theme.POPULATION,
    update_cycle=UpdateCycle.DAILY,
    items=(
        item("GMSFHM", "公民身份号码", "C18", key=True, rule=CheckRule.CITIZEN_NUMBER, sensitive=True),
        item("XM", "姓名", "C..50", must=True),
        item("CYM", "曾用名", "C..50"),
        item("XB", "性别", "C1", must=True, codes="gbt2261.1"),
        item("MZ", "民族", "C2", must=True, codes="gbt3304"),
        item("CSRQ", "出生日期", "YYYYMMDD", must=True),
        item("HJSZD", "户籍所在地", "n6", must=True, rule=CheckRule.DIVISION_CODE),
        item("MLXZ", "户籍地详址", "C..100", must=True, sensitive=True),
        item("HYZK", "婚姻状况", "C2", codes="gbt2261.2", sensitive=True),
        item("SWRQ", "死亡日期", "YYYYMMDD"),
        item("ZXZT", "注销状态", "C1", must=True),
        item("ZJXY", "宗教信仰", "C..20", share=CLOSED, basis=_SENSITIVE_BASIS, sensitive=True),
        item("RKBS", "人口标识", "C..32", description="库内主体标识,不是公民身份号码"),
        item("CSSJ", "出生时间", "YYYYMMDDhhmmss"),
        item("CSDGJDQ", "出生地国家或地区", "C3"),
        item("CSDSSXQ", "出生地省市县", "n6", rule=CheckRule.DIVISION_CODE),
        item("CSDXZ", "出生地详址", "C..200"),
        item("CSDJLB", "出生登记类别", "C2"),
        item("CSDJBH", "出生登记编号", "C..20"),
        item("JGGJDQ", "籍贯国家或地区", "C3"),
        item("JGSSXQ", "籍贯省市县", "n6", rule=CheckRule.DIVISION_CODE),
        item("HH", "户号", "C..20"),
        item("YHZGX", "与户主关系", "C2"),
        item("HKXZ", "户口性质", "C2"),
        item("JZXZ", "居住地详址", "C..200", sensitive=True),
        item("RKDZBM", "人口地址编码", "C..64", description="标准地址的地址编码"),
        item("PCS", "派出所", "C12"),
        item("XZJD", "乡镇街道", "n9"),
        item("JCWH", "居村委会", "n12"),
        item("WHCD", "文化程度", "C2"),
        item("FWCS", "服务处所", "C..100"),
        item("JMSFZJYXQQSRQ", "身份证件有效期起", "YYYYMMDD"),
        item("JMSFZJYXQJZRQ", "身份证件有效期止", "YYYYMMDD"),
        item("JMSFZJCQYXBZ", "身份证件长期有效标志", "B"),
        item("SFZJLX", "其他证件类型", "C2", codes="fr.a3"),
        item("SFZJH", "其他证件号码", "C..50", sensitive=True),
        item("JHRXM", "监护人姓名", "C..50", share=CLOSED, basis=_MINOR_BASIS, sensitive=True),
        item("JHGX", "监护关系", "C2", share=CLOSED, basis=_MINOR_BASIS, sensitive=True),
        item("QRRQ", "迁入日期", "YYYYMMDD"),
        item("QCRQ", "迁出日期", "YYYYMMDD"),
        item("SWZXLB", "死亡注销类别", "C2"),
        item("SWZMBH", "死亡证明编号", "C..30"),
    ),
    rules=(
        in_order("CSRQ", "SWRQ"),
        not_future("CSRQ", "SWRQ"),
        in_order("JMSFZJYXQQSRQ", "JMSFZJYXQJZRQ"),
    ),
)
