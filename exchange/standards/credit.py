"""Public credit (信用信息): licences (28 items), penalties (30 items), debtors, lists, commitments.

Identifiers of the licence and penalty formats are those of the notice 发改办财金〔2018〕424号 as
implementations of it read; their widths are customary. Amounts are in units of 10,000 yuan. The
commitment's items are this project's own proposal: no annex of a standard was at hand.
"""

from __future__ import annotations

from typing import Final

from exchange.catalogue.model import CheckRule, Item, Rule, RuleKind, Theme, UpdateCycle
from exchange.standards.schema import OPEN, StandardSchema, in_order, item, not_future, required_if

LEGAL_PERSONS: Final = ("法人及非法人组织", "个体工商户")
NATURAL_PERSON: Final = "自然人"


def _counterpart(prefix: str) -> tuple[Item, ...]:
    """Write the 13 items of the party concerned, which licences and penalties share."""
    return (
        item(f"{prefix}_XDR_MC", "行政相对人名称", "C..200", key=True, share=OPEN),
        item(f"{prefix}_XDR_LB", "行政相对人类别", "C..16", must=True, share=OPEN, codes="xy.xdrlb"),
        item(f"{prefix}_XDR_SHXYM", "统一社会信用代码", "C18", share=OPEN, rule=CheckRule.CREDIT_CODE),
        item(f"{prefix}_XDR_GSZC", "工商注册号", "C..50", share=OPEN),
        item(f"{prefix}_XDR_ZZJG", "组织机构代码", "C9", share=OPEN, rule=CheckRule.ORGANISATION_CODE),
        item(f"{prefix}_XDR_SWDJ", "税务登记号", "C..15", share=OPEN),
        item(f"{prefix}_XDR_SYDW", "事业单位证书号", "C..12", share=OPEN),
        item(f"{prefix}_XDR_SHZZ", "社会组织登记证号", "C..50", share=OPEN),
        item(f"{prefix}_FRDB", "法定代表人", "C..50", share=OPEN),
        item(f"{prefix}_FR_ZJLX", "法定代表人证件类型", "C..64", codes="xy.zjlx"),
        item(f"{prefix}_FR_ZJHM", "法定代表人证件号码", "C..64", sensitive=True),
        item(f"{prefix}_XDR_ZJLX", "自然人证件类型", "C..64", codes="xy.zjlx"),
        item(f"{prefix}_XDR_ZJHM", "自然人证件号码", "C..64", sensitive=True),
    )


def _counterpart_rules(prefix: str) -> tuple[Rule, ...]:
    return (
        required_if(f"{prefix}_XDR_SHXYM", f"{prefix}_XDR_LB", *LEGAL_PERSONS),
        required_if(f"{prefix}_FRDB", f"{prefix}_XDR_LB", *LEGAL_PERSONS),
        required_if(f"{prefix}_XDR_ZJLX", f"{prefix}_XDR_LB", NATURAL_PERSON),
        required_if(f"{prefix}_XDR_ZJHM", f"{prefix}_XDR_LB", NATURAL_PERSON),
        Rule(kind=RuleKind.SWAPPED, items=(f"{prefix}_XDR_ZZJG", f"{prefix}_XDR_GSZC")),
    )


LICENCE: Final = StandardSchema(
    code="xy_xzxk",
    title="行政许可信息",
    summary="双公示行政许可信息(28项),自决定之日起七个工作日内公示",
    theme=Theme.CREDIT,
    update_cycle=UpdateCycle.DAILY,
    items=(
        *_counterpart("XK"),
        item("XK_XKWS", "行政许可决定文书名称", "C..64", must=True, share=OPEN),
        item("XK_WSH", "行政许可决定文书号", "C..64", key=True, share=OPEN),
        item("XK_XKLB", "许可类别", "C..256", must=True, share=OPEN, codes="xy.xklb"),
        item("XK_XKZS", "许可证书名称", "C..64", share=OPEN),
        item("XK_XKBH", "许可编号", "C..64", share=OPEN),
        item("XK_NR", "许可内容", "C..4000", must=True, share=OPEN),
        item("XK_JDRQ", "许可决定日期", "YYYYMMDD", must=True, share=OPEN),
        item("XK_YXQZ", "有效期自", "YYYYMMDD", must=True, share=OPEN),
        item("XK_YXQZI", "有效期至", "YYYYMMDD", must=True, share=OPEN),
        item("XK_XKJG", "许可机关", "C..200", must=True, share=OPEN),
        item(
            "XK_XKJGDM", "许可机关统一社会信用代码", "C18", key=True, share=OPEN, rule=CheckRule.CREDIT_CODE
        ),
        item("XK_ZT", "当前状态", "C1", must=True, share=OPEN),
        item("XK_LYDW", "数据来源单位", "C..200", must=True, share=OPEN),
        item(
            "XK_LYDWDM",
            "数据来源单位统一社会信用代码",
            "C18",
            must=True,
            share=OPEN,
            rule=CheckRule.CREDIT_CODE,
        ),
        item("BZ", "备注", "C..512", share=OPEN),
    ),
    rules=(*_counterpart_rules("XK"), in_order("XK_YXQZ", "XK_YXQZI"), not_future("XK_JDRQ")),
)
PENALTY: Final = StandardSchema(
    code="xy_xzcf",
    title="行政处罚信息",
    summary="双公示行政处罚信息(30项),金额单位为万元",
    theme=Theme.CREDIT,
    update_cycle=UpdateCycle.DAILY,
    items=(
        *_counterpart("CF"),
        item("CF_WSH", "行政处罚决定书文号", "C..64", key=True, share=OPEN),
        item("CF_WFXW", "违法行为类型", "C..2000", must=True, share=OPEN),
        item("CF_SY", "违法事实", "C..5000", must=True, share=OPEN),
        item("CF_YJ", "处罚依据", "C..2000", must=True, share=OPEN),
        item("CF_CFLB", "处罚类别", "C..100", must=True, share=OPEN),
        item("CF_NR", "处罚内容", "C..4000", must=True, share=OPEN),
        item("CF_NR_FK", "罚款金额(万元)", "N..18,6", share=OPEN),
        item("CF_NR_WFFF", "没收违法所得、没收非法财物的金额(万元)", "N..18,6", share=OPEN),
        item("CF_NR_ZKDX", "暂扣或吊销证照名称及编号", "C..200", share=OPEN),
        item("CF_JDRQ", "处罚决定日期", "YYYYMMDD", must=True, share=OPEN),
        item("CF_YXQ", "处罚有效期", "YYYYMMDD", must=True, share=OPEN),
        item("CF_GSJZQ", "公示截止期", "YYYYMMDD", must=True, share=OPEN),
        item("CF_CFJG", "处罚机关", "C..200", must=True, share=OPEN),
        item(
            "CF_CFJGDM", "处罚机关统一社会信用代码", "C18", key=True, share=OPEN, rule=CheckRule.CREDIT_CODE
        ),
        item("CF_SJLY", "数据来源单位", "C..200", must=True, share=OPEN),
        item(
            "CF_SJLYDM",
            "数据来源单位统一社会信用代码",
            "C18",
            must=True,
            share=OPEN,
            rule=CheckRule.CREDIT_CODE,
        ),
        item("BZ", "备注", "C..512", share=OPEN),
    ),
    rules=(*_counterpart_rules("CF"), in_order("CF_JDRQ", "CF_GSJZQ"), not_future("CF_JDRQ")),
)
DEBTOR: Final = StandardSchema(
    code="xy_sxbzxr",
    title="失信被执行人信息",
    summary="人民法院公布的失信被执行人",
    theme=Theme.CREDIT,
    update_cycle=UpdateCycle.DAILY,
    items=(
        item("MDBH", "名单编号", "C..50", key=True, share=OPEN),
        item("BZXRMC", "被执行人姓名或名称", "C..100", must=True, share=OPEN),
        item("BZXRHM", "证件号码或组织机构代码", "C..50", must=True, sensitive=True),
        item("BZXRXZ", "被执行人性质", "C..16", must=True, share=OPEN, codes="xy.bzxrxz"),
        item("XB", "性别", "C1", share=OPEN, codes="gbt2261.1"),
        item("CSRQ", "出生日期", "YYYYMMDD", sensitive=True),
        item("FDDBR", "法定代表人", "C..50", share=OPEN),
        item("ZXFY", "执行法院", "C..100", must=True, share=OPEN),
        item("ZXFYDM", "执行法院代码", "C..20", share=OPEN),
        item("SF", "所属地区", "n6", share=OPEN, rule=CheckRule.DIVISION_CODE),
        item("ZXYJWH", "执行依据文号", "C..100", must=True, share=OPEN),
        item("ZXYJDW", "作出执行依据单位", "C..100", share=OPEN),
        item("LARQ", "立案日期", "YYYYMMDD", must=True, share=OPEN),
        item("AH", "案号", "C..100", must=True, share=OPEN),
        item("YW", "生效法律文书确定的义务", "C..10000", must=True, share=OPEN),
        item("LXQK", "被执行人的履行情况", "C..20", must=True, share=OPEN, codes="xy.lxqk"),
        item("YLX", "已履行部分", "C..2000", share=OPEN),
        item("WLX", "未履行部分", "C..2000", share=OPEN),
        item("XWQX", "失信行为具体情形", "C..500", must=True, share=OPEN),
        item("FBRQ", "发布日期", "YYYYMMDD", must=True, share=OPEN),
    ),
    rules=(in_order("LARQ", "FBRQ"), not_future("LARQ", "FBRQ")),
)
LIST: Final = StandardSchema(
    code="xy_mdxx",
    title="信用名单信息",
    summary="守信激励与失信惩戒名单(红黑名单)",
    theme=Theme.CREDIT,
    update_cycle=UpdateCycle.DAILY,
    items=(
        item("XDRMC", "主体名称", "C..200", must=True, share=OPEN),
        item("XDRDM", "统一社会信用代码", "C18", key=True, share=OPEN, rule=CheckRule.CREDIT_CODE),
        item("MDMC", "名单名称", "C..100", key=True, share=OPEN),
        item("MDXZ", "名单性质", "C..16", must=True, share=OPEN, codes="xy.mdxz"),
        item("LRSY", "列入事由", "C..200", must=True, share=OPEN),
        item("LRRQ", "列入日期", "YYYYMMDD", key=True, share=OPEN),
        item("LRJG", "列入决定机关", "C..100", must=True, share=OPEN),
        item("YCSY", "移出事由", "C..200", share=OPEN),
        item("YCRQ", "移出日期", "YYYYMMDD", share=OPEN),
        item("YCJG", "移出决定机关", "C..100", share=OPEN),
        item("RYLB", "荣誉类别", "C..100", share=OPEN),
        item("RYND", "荣誉年度", "n4", share=OPEN),
        item("WJH", "认定文件号", "C..100", share=OPEN),
        item("YXQZ", "有效期至", "YYYYMMDD", share=OPEN),
    ),
    rules=(in_order("LRRQ", "YCRQ"), in_order("LRRQ", "YXQZ"), not_future("LRRQ", "YCRQ")),
)
COMMITMENT: Final = StandardSchema(
    code="xy_cn",
    title="信用承诺信息",
    summary="市场主体和自然人作出的信用承诺及其履行情况",
    theme=Theme.CREDIT,
    update_cycle=UpdateCycle.DAILY,
    items=(
        item("CNBH", "承诺编号", "C..50", key=True),
        item("CNRMC", "承诺人名称", "C..200", must=True),
        item("CNRDM", "统一社会信用代码", "C18", rule=CheckRule.CREDIT_CODE),
        item("CNRZJHM", "自然人证件号码", "C..64", sensitive=True),
        item("CNRLB", "承诺人类别", "C..16", must=True, codes="xy.xdrlb"),
        item("SXBM", "办理事项编码", "C..50"),
        item("CNLX", "承诺类型", "C..16", must=True, codes="xy.cnlx"),
        item("CNNR", "承诺内容", "C..4000"),
        item("CNSZY", "承诺书摘要(SM3)", "C64"),
        item("CNRQ", "承诺日期", "YYYYMMDD", must=True),
        item("YXQZ", "有效期至", "YYYYMMDD"),
        item("SLDW", "受理单位", "C..200", must=True),
        item("SLDWDM", "受理单位统一社会信用代码", "C18", must=True, rule=CheckRule.CREDIT_CODE),
        item("LXZT", "履行状态", "C..16", must=True, codes="xy.lxzt"),
        item("HCRQ", "核查日期", "YYYYMMDD"),
        item("WNQK", "违诺情况", "C..2000"),
    ),
    rules=(
        required_if("CNRDM", "CNRLB", *LEGAL_PERSONS),
        required_if("CNRZJHM", "CNRLB", NATURAL_PERSON),
        required_if("WNQK", "LXZT", "未履行"),
        in_order("CNRQ", "YXQZ"),
        not_future("CNRQ"),
    ),
)
