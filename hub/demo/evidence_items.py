"""Datasets and service items of the three cases that the demo tells, as offices would write them."""

from __future__ import annotations

from typing import Any, Final

from certs.types.shipped import BUSINESS_LICENCE

FOOD: Final = "食品经营许可新办"
TAX: Final = "契税申报"
TRANSFER: Final = "不动产转移登记"
WATER: Final = "水电气联动过户"
HOUSEHOLD: Final = "新生儿户口登记"
INSURANCE: Final = "新生儿医保参保"
VACCINES: Final = "预防接种建档"
ONE_DESK: Final = "不动产转移一件事"
NEWBORN: Final = "新生儿一件事"

# Code → owner, title, items (name title format, and its check where it has one); the first item is the key.
DATASETS: Final = {
    "fw_zlba": (
        "housing",
        "房屋租赁备案",
        (
            "BABH 备案编号 C..30",
            "CZRDM 承租人代码 C18",
            "ZLDZ 房屋坐落 C..200",
            "FWYT 房屋用途 C..20",
            "DQRQ 租期至 YYYYMMDD",
        ),
    ),
    "xf_ba": (
        "housing",
        "消防安全检查",
        (
            "DWDM 单位代码 C18 credit_code",
            "JCJG 检查结论 C..20",
            "JCRQ 检查日期 YYYYMMDD",
        ),
    ),
    "jk_zm": (
        "health",
        "从业人员健康证明",
        (
            "GMSFHM 公民身份号码 C18 citizen_number",
            "XM 姓名 C..50",
            "YXQZ 有效期至 YYYYMMDD",
        ),
    ),
    "px_hg": (
        "market",
        "食品安全管理员考核",
        (
            "GMSFHM 公民身份号码 C18 citizen_number",
            "XM 姓名 C..50",
            "DJ 等级 C..10",
        ),
    ),
    "hb_ba": (
        "estate",
        "环境影响登记备案",
        (
            "DWDM 单位代码 C18 credit_code",
            "BAZT 备案状态 C..10",
        ),
    ),
    "bdc_djb": (
        "estate",
        "不动产登记簿",
        (
            "BDCDYH 不动产单元号 C28",
            "QLRDM 权利人证件号码 C18",
            "ZL 坐落 C..200",
            "JZMJ 建筑面积 N..10,2",
            "XZZT 限制状态 C..10",
        ),
    ),
    "wq_ba": (
        "housing",
        "商品房买卖合同网签备案",
        (
            "HTBH 合同编号 C..30",
            "MFDM 买方证件号码 C18",
            "CJJE 成交金额 N..14,2",
            "BDCDYH 不动产单元号 C28",
        ),
    ),
    "sw_ws": (
        "tax",
        "契税完税信息",
        (
            "HTBH 合同编号 C..30",
            "WSZT 完税状态 C..10",
            "SE 税额 N..14,2",
        ),
    ),
    "cs_zm": (
        "health",
        "出生医学证明",
        (
            "CSBH 出生证编号 C..20",
            "XM 新生儿姓名 C..50",
            "XB 性别 C1",
            "CSRQ 出生日期 YYYYMMDD",
            "MQDM 母亲证件号码 C18",
        ),
    ),
    "hy_dj": (
        "civil",
        "婚姻登记",
        (
            "NFDM 女方证件号码 C18 citizen_number",
            "PODM 配偶证件号码 C18",
            "HYZT 婚姻状况 C..10",
        ),
    ),
}

COMPANY: Final = {"name": "company", "title": "申请企业", "kind": "organisation"}


def person(name: str, title: str) -> dict[str, Any]:
    """Build a role that a person fills."""
    return {"name": name, "title": title, "kind": "person"}


def row(resource: str, key: str, value: str, **members: Any) -> dict[str, Any]:
    """Build a dataset way that finds a row by one key item."""
    return {"kind": "dataset", "resource": resource, "keys": {key: value}} | members


def check(resource: str, key: str, value: str, **assertions: str) -> dict[str, Any]:
    """Build a verification way."""
    return {
        "kind": "verification",
        "resource": resource,
        "subject": {key: value},
        "assertions": assertions,
    }


def equals(item: str, value: str) -> dict[str, Any]:
    """Build a requirement."""
    return {"item": item, "test": "equals", "values": [value]}


def identity(role: str, *, reuse_days: int = 0) -> dict[str, Any]:
    """Build the fact that a person is who the form says."""
    way = check("rk_jbxx", "GMSFHM", f"${role}.code", XM=f"${role}.name")
    return fact(f"{role}_identity", "身份", way, reuse_days=reuse_days)


def fact(code: str, title: str, *ways: dict[str, Any], reuse_days: int = 0) -> dict[str, Any]:
    """Build a fact."""
    built: dict[str, Any] = {"code": code, "title": title, "ways": list(ways)}
    return built | ({"reuse_days": reuse_days} if reuse_days else {})


def build(code: str, office: str, roles: list[Any], parts: list[Any], **members: Any) -> dict[str, Any]:
    """Build an item of which each material, by title, proves one fact."""
    return {
        "code": code,
        "title": code,
        "office": office,
        "region": "990000",
        "roles": roles,
        "facts": [each for _, each in parts],
        "materials": [
            {"code": f"M{number:02d}", "title": title, "facts": [each["code"]]}
            for number, (title, each) in enumerate(parts, start=1)
        ],
    } | members


Part = tuple[str, dict[str, Any]]
"""A material by its title, and the fact that it proves."""


def food_business(office: str) -> dict[str, Any]:
    """Opening a food business: company, person, address, lease; twelve materials."""
    credit = {"kind": "credit", "resource": "xy_mdxx", "where": {"XDRDM": "$company.code"}}
    parts = [
        *_company_parts(),
        *_manager_parts(),
        *_premises_parts(),
        ("无严重违法失信记录证明", fact("credit", "信用", credit)),
    ]
    return build(
        FOOD,
        office,
        [COMPANY, person("manager", "食品安全管理员")],
        parts,
        inputs=[
            {"name": "representative", "title": "法定代表人"},
            {"name": "lease", "title": "租赁备案编号"},
            {"name": "address", "title": "住所"},
        ],
        form={
            "企业名称": "$fact.register.name",
            "法定代表人": "$fact.register.representative",
            "住所": "$fact.register.address",
            "经营场所": "$fact.lease.premises",
            "经营范围": "$fact.licence.scope",
        },
    )


def _company_parts() -> list[Part]:
    licence = {
        "kind": "certificate",
        "type_code": BUSINESS_LICENCE.code,
        "holder": "company",
        "gives": {"scope": "JYFW"},
    }
    register = row(
        "fr_jbxx",
        "tyxydm",
        "$company.code",
        gives={"name": "frmc", "representative": "fddbr", "address": "zs"},
        requires=[equals("cxzt", "1")],
    )
    return [
        ("营业执照", fact("licence", "营业执照", licence)),
        ("企业登记基本信息", fact("register", "登记信息", register)),
        (
            "法定代表人任职证明",
            fact(
                "representative",
                "法定代表人",
                check("fr_jbxx", "tyxydm", "$company.code", fddbr="$input.representative"),
            ),
        ),
    ]


def _manager_parts() -> list[Part]:
    not_past = {"item": "YXQZ", "test": "not_past"}
    return [
        ("食品安全管理员身份证", identity("manager")),
        (
            "食品安全管理员健康证明",
            fact("health", "健康证明", row("jk_zm", "GMSFHM", "$manager.code", requires=[not_past])),
        ),
        (
            "食品安全管理员考核合格证明",
            fact("training", "考核", check("px_hg", "GMSFHM", "$manager.code", XM="$manager.name")),
        ),
    ]


def _premises_parts() -> list[Part]:
    commitment = {
        "kind": "commitment",
        "template": "本企业承诺已取得环境影响登记备案",
        "verify_within_days": 60,
    }
    return [
        (
            "经营场所使用证明",
            fact(
                "lease",
                "租赁备案",
                row(
                    "fw_zlba",
                    "BABH",
                    "$input.lease",
                    gives={"premises": "ZLDZ"},
                    requires=[equals("CZRDM", "$company.code"), {"item": "DQRQ", "test": "not_past"}],
                ),
            ),
        ),
        ("场所用途证明", fact("usage", "用途", check("fw_zlba", "BABH", "$input.lease", FWYT="商业"))),
        (
            "住所证明",
            fact("address", "住所", check("fr_jbxx", "tyxydm", "$company.code", zs="$input.address")),
        ),
        ("消防安全检查合格证明", fact("fire", "消防", check("xf_ba", "DWDM", "$company.code", JCJG="合格"))),
        (
            "环境影响登记备案",
            fact("environment", "环评", check("hb_ba", "DWDM", "$company.code", BAZT="已备案"), commitment),
        ),
    ]


def real_estate(tax: str, estate: str, housing: str) -> list[dict[str, Any]]:
    """A real-estate transfer: three offices behind one desk, one bundle."""
    roles = [person("seller", "转让方"), person("buyer", "受让方")]
    inputs = [{"name": "contract", "title": "合同编号"}, {"name": "unit", "title": "不动产单元号"}]
    seller, buyer = (
        ("转让方身份证", identity("seller", reuse_days=3)),
        (
            "受让方身份证",
            identity("buyer", reuse_days=3),
        ),
    )
    contract = (
        "买卖合同",
        fact(
            "contract",
            "网签合同",
            check("wq_ba", "HTBH", "$input.contract", MFDM="$buyer.code", BDCDYH="$input.unit"),
            reuse_days=3,
        ),
    )
    title = (
        "不动产权证书",
        fact(
            "title",
            "权属",
            row(
                "bdc_djb",
                "BDCDYH",
                "$input.unit",
                requires=[equals("QLRDM", "$seller.code"), equals("XZZT", "无限制")],
            ),
            reuse_days=3,
        ),
    )
    paid = ("契税完税凭证", fact("paid", "完税", check("sw_ws", "HTBH", "$input.contract", WSZT="已完税")))
    shared: dict[str, Any] = {"inputs": inputs, "bundles": [ONE_DESK]}
    return [
        build(TAX, tax, roles, [seller, buyer, contract, title], **shared),
        build(TRANSFER, estate, roles, [seller, buyer, contract, title, paid], **shared),
        build(WATER, housing, roles, [seller, buyer, contract, title], **shared),
    ]


def newborn(police: str, social: str, health: str) -> list[dict[str, Any]]:
    """A newborn's bundle: household, insurance, vaccination."""
    roles = [person("mother", "母亲"), person("father", "父亲")]
    mother, father = (
        ("母亲身份证", identity("mother", reuse_days=30)),
        (
            "父亲身份证",
            identity("father", reuse_days=30),
        ),
    )
    married = (
        "结婚证",
        fact("marriage", "婚姻", check("hy_dj", "NFDM", "$mother.code", PODM="$father.code"), reuse_days=30),
    )
    birth = (
        "出生医学证明",
        fact(
            "birth",
            "出生",
            row(
                "cs_zm",
                "CSBH",
                "$input.birth",
                gives={"name": "XM", "sex": "XB", "born_on": "CSRQ"},
                requires=[equals("MQDM", "$mother.code")],
            ),
        ),
    )
    later = {"kind": "tolerance", "within_days": 20}
    photo = ("新生儿照片", fact("photo", "照片", later))
    inputs = [{"name": "birth", "title": "出生证编号"}]
    form = {"姓名": "$fact.birth.name", "性别": "$fact.birth.sex", "出生日期": "$fact.birth.born_on"}
    shared: dict[str, Any] = {"inputs": inputs, "form": form, "bundles": [NEWBORN]}
    return [
        build(HOUSEHOLD, police, roles, [mother, father, married, birth], **shared),
        build(INSURANCE, social, roles, [mother, father, birth, photo], **shared),
        build(VACCINES, health, roles, [mother, father, birth], **shared),
    ]
