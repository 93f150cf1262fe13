"""Samples of public credit: licences, penalties, dishonest debtors, lists, commitments."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Final

from core.codes import credit
from exchange.standards.credit import COMMITMENT, DEBTOR, LICENCE, LIST, PENALTY
from exchange.standards.sample_maker import GIVEN, SURNAMES, TRADES, Dirt, MarkedMaker, Row, names_of
from signing import sm3

FIRST_DECISION_ON: Final = date(2019, 1, 1)
DECISION_DAYS: Final = 2000
ORGANS: Final = ("市场监督管理局", "住房和城乡建设局", "交通运输局", "卫生健康委员会", "生态环境局")
LICENCES: Final = (
    ("食品经营许可", "食品经营许可证", "热食类食品制售"),
    ("道路运输经营许可", "道路运输经营许可证", "道路普通货物运输"),
    ("公共场所卫生许可", "卫生许可证", "住宿场所"),
    ("施工许可", "建筑工程施工许可证", "房屋建筑工程"),
)
OFFENCES: Final = (
    ("未按规定公示年度报告", "企业信息公示暂行条例", "警告", "给予警告"),
    ("超限运输货物", "公路安全保护条例", "罚款", "处以罚款"),
    ("未取得许可从事经营", "行政许可法", "罚款;没收违法所得", "处以罚款并没收违法所得"),
)


class CreditMaker(MarkedMaker):
    """What the samples of credit share: parties, organs, days."""

    def _company(self, index: int, rng: Random) -> tuple[str, str]:
        """Make a company: (name, credit code). The code differs for every index below ten million."""
        code = credit.build_code(f"91{self._county(index)}", f"M{index:07d}")
        brand = "".join(rng.choices(GIVEN, k=2))
        return f"{brand}{rng.choice(TRADES)}{index}号有限公司", code

    def _organ(self, rng: Random) -> tuple[str, str]:
        """Choose an organ: (name, credit code)."""
        number = rng.randrange(len(ORGANS))
        return f"示例市{ORGANS[number]}", credit.build_code("11990000", f"M{number + 1:07d}")

    def _day(self, rng: Random) -> date:
        return FIRST_DECISION_ON + timedelta(days=rng.randrange(DECISION_DAYS))

    def _counterpart(self, prefix: str, index: int, rng: Random) -> Row:
        """Make the party: seven in ten a company, two an individual business, one a natural person."""
        draw = index % 10
        head = self._name(rng)
        if draw == 9:
            return {
                f"{prefix}_XDR_MC": head,
                f"{prefix}_XDR_LB": "自然人",
                f"{prefix}_XDR_ZJLX": "身份证",
                f"{prefix}_XDR_ZJHM": self._citizen_number(index),
            }
        name, code = self._company(index, rng)
        if draw in {7, 8}:
            code = credit.build_code(f"92{self._county(index)}", f"M{index:07d}")
            name = f"示例市{name.removesuffix('有限公司')}经营部"
        return {
            f"{prefix}_XDR_MC": name,
            f"{prefix}_XDR_LB": "个体工商户" if draw in {7, 8} else "法人及非法人组织",
            f"{prefix}_XDR_SHXYM": code,
            f"{prefix}_XDR_ZZJG": code[8:17],
            f"{prefix}_FRDB": head,
        }


class LicenceMaker(CreditMaker):
    """Rows of xy_xzxk, all 28 items."""

    items, key_items = names_of(LICENCE)
    checked_item, day_item, coded_item, long_item = "XK_LYDWDM", "XK_JDRQ", "XK_XKLB", "XK_XKWS"

    def clean(self, index: int, *, revision: int) -> Row:
        """Make a licence; a later revision has another state."""
        rng = self._rng(index)
        row = self._counterpart("XK", index, rng)
        name, certificate, content = rng.choice(LICENCES)
        organ, organ_code = self._organ(rng)
        decided_on = self._day(rng)
        until = decided_on + timedelta(days=365 * 5)
        return row | {
            "XK_XKWS": f"{name}决定书",
            "XK_WSH": f"示许字〔{decided_on.year}〕第{index}号",
            "XK_XKLB": rng.choice(("普通", "特许", "认可", "核准", "登记", "其他")),
            "XK_XKZS": certificate,
            "XK_XKBH": f"JY{index:012d}",
            "XK_NR": content,
            "XK_JDRQ": f"{decided_on:%Y%m%d}",
            "XK_YXQZ": f"{decided_on:%Y%m%d}",
            "XK_YXQZI": "20991231" if index % 4 == 0 else f"{until:%Y%m%d}",
            "XK_XKJG": organ,
            "XK_XKJGDM": organ_code,
            "XK_ZT": "2" if revision else "1",
            "XK_LYDW": organ,
            "XK_LYDWDM": organ_code,
        }


class PenaltyMaker(CreditMaker):
    """Rows of xy_xzcf, all 30 items; amounts in 10,000 yuan."""

    items, key_items = names_of(PENALTY)
    checked_item, day_item, coded_item, long_item = "CF_SJLYDM", "CF_JDRQ", "CF_XDR_LB", "CF_CFJG"

    def clean(self, index: int, *, revision: int) -> Row:
        """Make a penalty; a later revision has another fine."""
        rng = self._rng(index)
        row = self._counterpart("CF", index, rng)
        offence, law, kind, content = rng.choice(OFFENCES)
        organ, organ_code = self._organ(rng)
        decided_on = self._day(rng)
        shown_until = decided_on + timedelta(days=1095)
        fine = rng.randrange(1, 500)
        return row | {
            "CF_WSH": f"示罚字〔{decided_on.year}〕第{index}号",
            "CF_WFXW": offence,
            "CF_SY": f"当事人于{decided_on.year}年{offence}",
            "CF_YJ": f"《{law}》",
            "CF_CFLB": kind,
            "CF_NR": content,
            "CF_NR_FK": f"{(fine + revision) // 10}.{(fine + revision) % 10}",
            "CF_NR_WFFF": "0.35" if "没收" in kind else "",
            "CF_JDRQ": f"{decided_on:%Y%m%d}",
            "CF_YXQ": f"{shown_until:%Y%m%d}",
            "CF_GSJZQ": f"{shown_until:%Y%m%d}",
            "CF_CFJG": organ,
            "CF_CFJGDM": organ_code,
            "CF_SJLY": organ,
            "CF_SJLYDM": organ_code,
        }


class DebtorMaker(CreditMaker):
    """Rows of xy_sxbzxr. Only the region has a check, so no row has a wrong check digit."""

    items, key_items = names_of(DEBTOR)
    kinds_of_dirt = tuple(kind for kind in Dirt if kind is not Dirt.WRONG_CHECK_DIGIT)
    day_item, coded_item, long_item = "LARQ", "LXQK", "XWQX"

    def clean(self, index: int, *, revision: int) -> Row:
        """Make a debtor, person or company; a later revision has performed a part."""
        rng = self._rng(index)
        filed_on = self._day(rng)
        county = self._county(index)
        number = self._citizen_number(index)
        name, code = self._company(index, rng)
        natural = index % 3 != 0
        party = {"BZXRMC": self._name(rng), "BZXRHM": number, "BZXRXZ": "自然人"} | {
            "XB": "1" if int(number[16]) % 2 else "2",
            "CSRQ": number[6:14],
        }
        firm = {"BZXRMC": name, "BZXRHM": code[8:17], "BZXRXZ": "法人或其他组织", "FDDBR": self._name(rng)}
        return (party if natural else firm) | {
            "MDBH": f"SX{index:010d}",
            "ZXFY": "示例市人民法院",
            "SF": county,
            "ZXYJWH": f"({filed_on.year})示民初{index}号",
            "ZXYJDW": "示例市人民法院",
            "LARQ": f"{filed_on:%Y%m%d}",
            "AH": f"({filed_on.year})示执{index}号",
            "YW": f"偿还借款本金{rng.randrange(1, 900)}万元及利息",
            "LXQK": "部分未履行" if revision else "全部未履行",
            "XWQX": "有履行能力而拒不履行生效法律文书确定义务",
            "FBRQ": f"{filed_on + timedelta(days=60):%Y%m%d}",
        }


class ListMaker(CreditMaker):
    """Rows of xy_mdxx."""

    items, key_items = names_of(LIST)
    checked_item, day_item, coded_item, long_item = "XDRDM", "LRRQ", "MDXZ", "LRJG"

    def clean(self, index: int, *, revision: int) -> Row:
        """Make an entry of an honour list or of a list of serious breaches; a later revision has left it."""
        rng = self._rng(index)
        name, code = self._company(index, rng)
        entered_on = self._day(rng)
        good = index % 4 == 0
        organ, _ = self._organ(rng)
        row = {
            "XDRMC": name,
            "XDRDM": code,
            "MDMC": "纳税信用A级纳税人名单" if good else "严重违法失信企业名单",
            "MDXZ": "守信激励" if good else "失信惩戒",
            "LRSY": "年度评价结果为A级" if good else "被列入经营异常名录届满三年",
            "LRRQ": f"{entered_on:%Y%m%d}",
            "LRJG": organ,
            "WJH": f"示信〔{entered_on.year}〕{index}号",
            "YXQZ": f"{entered_on + timedelta(days=1095):%Y%m%d}",
        }
        if good:
            row |= {"RYLB": "纳税信用", "RYND": f"{entered_on.year}"}
        if revision:
            row |= {
                "YCSY": "移出条件成就",
                "YCRQ": f"{entered_on + timedelta(days=200):%Y%m%d}",
                "YCJG": organ,
            }
        return row


class CommitmentMaker(CreditMaker):
    """Rows of xy_cn."""

    items, key_items = names_of(COMMITMENT)
    checked_item, day_item, coded_item, long_item = "SLDWDM", "CNRQ", "CNLX", "SLDW"

    def clean(self, index: int, *, revision: int) -> Row:
        """Make a commitment; a later revision was checked and kept."""
        rng = self._rng(index)
        promised_on = self._day(rng)
        organ, organ_code = self._organ(rng)
        natural = index % 5 == 4
        name, code = self._company(index, rng)
        person = rng.choice(SURNAMES) + "".join(rng.choices(GIVEN, k=2))
        number = f"CN{index:010d}"
        row = {
            "CNBH": number,
            "CNRMC": person if natural else name,
            "CNRLB": "自然人" if natural else "法人及非法人组织",
            "CNLX": rng.choice(("审批替代", "证明事项", "信用修复", "容缺", "主动")),
            "CNNR": "承诺所提交材料真实有效,并按期补齐",
            "CNSZY": sm3.digest(number.encode()).hex(),
            "CNRQ": f"{promised_on:%Y%m%d}",
            "YXQZ": f"{promised_on + timedelta(days=365):%Y%m%d}",
            "SLDW": organ,
            "SLDWDM": organ_code,
            "LXZT": "已履行" if revision else "履行中",
        }
        row |= {"CNRZJHM": self._citizen_number(index)} if natural else {"CNRDM": code}
        return row | ({"HCRQ": f"{promised_on + timedelta(days=90):%Y%m%d}"} if revision else {})
