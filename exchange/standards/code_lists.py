"""Shipped code lists. Each names its source; lists that could not be confirmed are not shipped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SEX: Final = {"0": "未知的性别", "1": "男性", "2": "女性", "9": "未说明的性别"}
MARITAL_STATUS: Final = {
    "10": "未婚",
    "20": "已婚",
    "21": "初婚",
    "22": "再婚",
    "23": "复婚",
    "30": "丧偶",
    "40": "离婚",
    "90": "未说明的婚姻状况",
}
_NATIONALITIES: Final = (
    "汉 蒙古 回 藏 维吾尔 苗 彝 壮 布依 朝鲜 满 侗 瑶 白 "
    "土家 哈尼 哈萨克 傣 黎 傈僳 佤 畲 高山 拉祜 水 东乡 纳西 景颇 "
    "柯尔克孜 土 达斡尔 仫佬 羌 布朗 撒拉 毛南 仡佬 锡伯 阿昌 普米 塔吉克 怒 "
    "乌孜别克 俄罗斯 鄂温克 德昂 保安 裕固 京 塔塔尔 独龙 鄂伦春 赫哲 门巴 珞巴 基诺 "
)
NATIONALITY: Final = {
    **{f"{number:02d}": f"{name}族" for number, name in enumerate(_NATIONALITIES.split(), start=1)},
    "97": "其他",
    "98": "外国血统中国籍人士",
}
SUBJECT_TYPE: Final = {
    "10": "营利法人",
    "11": "有限责任公司",
    "12": "股份有限公司",
    "13": "其他企业法人",
    "20": "非营利法人",
    "21": "事业单位",
    "22": "社会团体",
    "23": "基金会",
    "24": "社会服务机构",
    "29": "其他非营利法人",
    "30": "特别法人",
    "31": "机关法人",
    "32": "农村集体经济组织法人",
    "33": "合作经济组织法人",
    "34": "基层群众性自治组织法人",
    "39": "其他特别法人",
    "40": "非法人组织",
    "41": "个人独资企业",
    "42": "合伙企业",
    "43": "分支机构",
    "44": "专业服务机构",
    "49": "其他非法人组织",
    "90": "其他",
    "91": "个体工商户",
    "92": "农村承包经营户",
}
IDENTITY_DOCUMENT: Final = {
    "10": "居民身份证",
    "20": "军官证",
    "30": "警官证",
    "40": "外国护照",
    "51": "香港护照",
    "52": "香港身份证",
    "53": "澳门护照",
    "54": "澳门身份证",
    "55": "港澳居民来往内地通行证",
    "56": "台湾身份证",
    "57": "台湾居民来往大陆通行证",
    "58": "台湾农民身份证明",
    "60": "户口簿",
    "90": "其他",
}
EXISTENCE: Final = {
    "1": "存续",
    "2": "吊销未注销",
    "3": "吊销已注销",
    "4": "注销",
    "5": "撤销",
    "6": "迁出",
    "9": "其他",
}
DIVISION_LEVEL: Final = {"1": "省级", "2": "地级", "3": "县级", "4": "乡级"}

# Of credit: the words themselves are the codes, as the 2018 formats have them.
COUNTERPART: Final = {word: word for word in ("法人及非法人组织", "自然人", "个体工商户")}
LICENCE_KIND: Final = {word: word for word in ("普通", "特许", "认可", "核准", "登记", "其他")}
PERSONAL_DOCUMENT: Final = {
    word: word
    for word in (
        "身份证",
        "护照号",
        "港澳居民来往内地通行证",
        "台湾居民来往大陆通行证",
        "外国人永久居留身份证",
    )
}
DEBTOR_NATURE: Final = {word: word for word in ("自然人", "法人或其他组织")}
PERFORMANCE: Final = {word: word for word in ("全部未履行", "部分未履行", "全部已履行")}
LIST_NATURE: Final = {word: word for word in ("守信激励", "失信惩戒")}
COMMITMENT_KIND: Final = {word: word for word in ("审批替代", "证明事项", "信用修复", "容缺", "主动")}
COMMITMENT_STATE: Final = {word: word for word in ("履行中", "已履行", "未履行")}
# Of addresses: the 15 levels of a unified-address service; states and flags with this project's own codes.
_ADDRESS_LEVELS: Final = (
    "市 县 乡镇街道 村社区 行政组 自然村 专业区 街路巷 门牌 小区 建筑物 楼牌 单元 楼层 户室"
)
ADDRESS_LEVEL: Final = {str(level): title for level, title in enumerate(_ADDRESS_LEVELS.split(), start=1)}
ADDRESS_STATE: Final = {"1": "在用", "2": "历史", "3": "待核"}
ADDRESS_KIND: Final = {"1": "主地址", "2": "辅地址"}

# Name of the list → code → meaning. GB/T 2261.1, GB/T 2261.2, GB/T 3304 (numeric codes), and annex A.2 to
# A.4 of the Zhejiang legal-person specification (2017 draft). `xy.` are lists of credit, `dz.` of addresses.
CODE_LISTS: Final[Mapping[str, Mapping[str, str]]] = {
    "gbt2261.1": SEX,
    "gbt2261.2": MARITAL_STATUS,
    "gbt3304": NATIONALITY,
    "fr.a2": SUBJECT_TYPE,
    "fr.a3": IDENTITY_DOCUMENT,
    "fr.a4": EXISTENCE,
    "division_level": DIVISION_LEVEL,
    "xy.xdrlb": COUNTERPART,
    "xy.xklb": LICENCE_KIND,
    "xy.zjlx": PERSONAL_DOCUMENT,
    "xy.bzxrxz": DEBTOR_NATURE,
    "xy.lxqk": PERFORMANCE,
    "xy.mdxz": LIST_NATURE,
    "xy.cnlx": COMMITMENT_KIND,
    "xy.lxzt": COMMITMENT_STATE,
    "dz.cj": ADDRESS_LEVEL,
    "dz.zt": ADDRESS_STATE,
    "dz.zfbz": ADDRESS_KIND,
}
