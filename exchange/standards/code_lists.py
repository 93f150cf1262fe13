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

# Name of the list → code → meaning. GB/T 2261.1, GB/T 2261.2, GB/T 3304 (numeric codes), and annex A.2 to
# A.4 of the Zhejiang legal-person specification (2017 draft).
CODE_LISTS: Final[Mapping[str, Mapping[str, str]]] = {
    "gbt2261.1": SEX,
    "gbt2261.2": MARITAL_STATUS,
    "gbt3304": NATIONALITY,
    "fr.a2": SUBJECT_TYPE,
    "fr.a3": IDENTITY_DOCUMENT,
    "fr.a4": EXISTENCE,
    "division_level": DIVISION_LEVEL,
}
