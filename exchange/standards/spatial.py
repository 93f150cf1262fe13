"""Spatial: standard addresses (dz_bzdz), divisions (xzqh) and streets (xzqh_jd).

The 15 address levels are those of a live unified-address service; the states and flags of an address are this
project's own codes. Coordinates are CGCS2000.
"""

from __future__ import annotations

from typing import Final

from exchange.catalogue.model import Theme, UpdateCycle
from exchange.standards.schema import OPEN, StandardSchema, in_order, item, required_if

ADDRESS: Final = StandardSchema(
    code="dz_bzdz",
    title="标准地址信息",
    summary="十五级标准地址,坐标为2000国家大地坐标系",
    theme=Theme.SPATIAL,
    update_cycle=UpdateCycle.DAILY,
    items=(
        item("DZBM", "地址编码", "C..64", key=True, share=OPEN),
        item("DZQC", "地址全称", "C..300", must=True, share=OPEN),
        item("DZCJ", "地址层级", "n..2", must=True, share=OPEN, codes="dz.cj"),
        item("XZQHDM", "行政区划代码", "n12", must=True, share=OPEN),
        item("SHENG", "省", "C..50", must=True, share=OPEN),
        item("SHI", "市", "C..50", share=OPEN),
        item("XIAN", "县", "C..50", share=OPEN),
        item("XZJD", "乡镇街道", "C..50", share=OPEN),
        item("CSQ", "村社区", "C..50", share=OPEN),
        item("XZZ", "行政组", "C..50", share=OPEN),
        item("ZRC", "自然村", "C..50", share=OPEN),
        item("ZYQ", "专业区", "C..50", share=OPEN),
        item("JLX", "街路巷", "C..60", share=OPEN),
        item("MPH", "门牌", "C..30", share=OPEN),
        item("XQ", "小区", "C..60", share=OPEN),
        item("JZW", "建筑物", "C..60", share=OPEN),
        item("LPH", "楼牌", "C..30", share=OPEN),
        item("DY", "单元", "C..20", share=OPEN),
        item("LC", "楼层", "C..20", share=OPEN),
        item("HS", "户室", "C..20", share=OPEN),
        item("JD", "经度", "N..10,7", share=OPEN),
        item("WD", "纬度", "N..10,7", share=OPEN),
        item("BDCDYH", "不动产单元号", "C28", share=OPEN),
        item("ZFBZ", "主辅地址标志", "C1", share=OPEN, codes="dz.zfbz"),
        item("ZDZBM", "主地址编码", "C..64", share=OPEN),
        item("ZT", "状态", "C1", must=True, share=OPEN, codes="dz.zt"),
        item("SXRQ", "生效日期", "YYYYMMDD", must=True, share=OPEN),
        item("SFXRQ", "失效日期", "YYYYMMDD", share=OPEN),
        item("PCS", "派出所", "C12"),
        item("WG", "网格", "C..30"),
        item("SJLY", "数据来源", "C..100", share=OPEN),
        item("GXSJ", "更新时间", "YYYYMMDDhhmmss", share=OPEN),
        item("PPF", "匹配分", "N..5,2", share=OPEN, description="机器匹配时的得分"),
    ),
    rules=(
        in_order("SXRQ", "SFXRQ"),
        required_if("ZDZBM", "ZFBZ", "2"),
        required_if("SFXRQ", "ZT", "2"),
    ),
)
DIVISIONS: Final = StandardSchema(
    code="xzqh",
    title="行政区划代码",
    summary="省、市、县三级区划代码与名称(统计用区划,2023年版)",
    theme=Theme.SPATIAL,
    update_cycle=UpdateCycle.YEARLY,
    items=(
        item("qhdm", "区划代码", "n6", key=True, share=OPEN),
        item("qhmc", "区划名称", "C..50", must=True, share=OPEN),
        item("qhjb", "区划级别", "n1", must=True, share=OPEN, codes="division_level"),
        item("sjdm", "上级代码", "n6", share=OPEN),
    ),
)
STREETS: Final = StandardSchema(
    code="xzqh_jd",
    title="乡级区划代码",
    summary="乡镇街道区划代码与名称(统计用区划,2023年版)",
    theme=Theme.SPATIAL,
    update_cycle=UpdateCycle.YEARLY,
    items=(
        item("code", "区划代码", "n9", key=True, share=OPEN),
        item("name", "区划名称", "C..100", must=True, share=OPEN),
        item("areaCode", "县级代码", "n6", must=True, share=OPEN),
        item("provinceCode", "省级代码", "n2", must=True, share=OPEN),
        item("cityCode", "地级代码", "n4", must=True, share=OPEN),
    ),
)
