"""The types that ship: only those whose codes are known from working systems, none invented.

A hub that issues other types registers them, or loads the list of the national platform. Types without a
template can be registered, searched and verified, and are issued once somebody gives them one.
"""

from __future__ import annotations

from typing import Final

from certs.types.model import CertificateType, Evidence, HolderCategory
from certs.types.ready import (
    BUSINESS_LICENCE_ITEMS,
    MARRIAGE_ITEMS,
    REAL_ESTATE_ITEMS,
    RESIDENT_ITEMS,
    Items,
)

_HOUSING: Final = "住房和城乡建设部"
_TRANSPORT: Final = "交通运输部"
_RESOURCES: Final = "自然资源部"
_MARKET: Final = "国家市场监督管理总局"
_CIVIL: Final = "民政部"
_SECURITY: Final = "公安部"
_UNIDENTIFIED: Final = ""

_LEGAL: Final = HolderCategory.LEGAL_PERSON
_PERSON: Final = HolderCategory.NATURAL_PERSON
_MIXED: Final = HolderCategory.MIXED


def _named(
    code: str,
    name: str,
    body: str,
    holder: HolderCategory,
    *,
    confirmed: bool = False,
    template: str | None = None,
    items: Items = (),
) -> CertificateType:
    return CertificateType(
        code=code,
        name=name,
        defining_body=body,
        holder_category=holder,
        evidence=Evidence.CONFIRMED if confirmed else Evidence.OBSERVED,
        template=template,
        items=items,
    )


BUSINESS_LICENCE: Final = _named(
    "11100000MB0143028R001",
    "营业执照",
    _MARKET,
    _LEGAL,
    template="business-licence",
    items=BUSINESS_LICENCE_ITEMS,
)
IDENTITY_CARD: Final = _named(
    "11100000000013127D001",
    "居民身份证",
    _SECURITY,
    _PERSON,
    confirmed=True,
    template="resident-certificate",
    items=RESIDENT_ITEMS,
)
MARRIAGE: Final = _named(
    "111000000000131433001",
    "结婚证",
    _CIVIL,
    _PERSON,
    template="marriage-certificate",
    items=MARRIAGE_ITEMS,
)
REAL_ESTATE: Final = _named(
    "11100000MB03271699001",
    "不动产权证书",
    _RESOURCES,
    _MIXED,
    confirmed=True,
    template="real-estate-certificate",
    items=REAL_ESTATE_ITEMS,
)

SHIPPED_TYPES: Final[tuple[CertificateType, ...]] = (
    BUSINESS_LICENCE,
    IDENTITY_CARD,
    MARRIAGE,
    REAL_ESTATE,
    _named("11100000MB03271699022", "不动产登记证明", _RESOURCES, _MIXED, confirmed=True),
    _named("11100000000019713D008", "道路运输经营许可证", _TRANSPORT, _MIXED),
    _named("11100000000019713D013", "道路运输证", _TRANSPORT, _MIXED),
    _named("11100000000019713D016", "道路危险货物运输许可证", _TRANSPORT, _LEGAL),
    _named("11100000000019713D071", "道路运输从业人员从业资格证", _TRANSPORT, _PERSON),
    _named("11100000000019713D072", "网络预约出租汽车驾驶员证", _TRANSPORT, _PERSON),
    _named("11100000000019713D073", "网络预约出租汽车运输证", _TRANSPORT, _MIXED),
    _named("11100000000019713D074", "网络预约出租汽车经营许可证", _TRANSPORT, _LEGAL),
    _named("11100000000019713D075", "巡游出租汽车驾驶员证", _TRANSPORT, _PERSON),
    _named("11100000000019713D079", "放射性物品道路运输许可证", _TRANSPORT, _LEGAL),
    _named("11100000000013338W001", "二级建造师注册(执业)证书", _HOUSING, _PERSON, confirmed=True),
    _named(
        "11100000000013338W011", "建筑施工企业安全生产管理人员考核合格证书", _HOUSING, _PERSON, confirmed=True
    ),
    _named("11100000000013338W032", "建筑施工特种作业人员操作资格证书", _HOUSING, _PERSON, confirmed=True),
    _named("11100000000013338W050", "建筑施工企业安全生产许可证", _HOUSING, _LEGAL),
    _named("11100000000013338W087", "房屋建筑和市政基础设施工程竣工验收备案", _HOUSING, _LEGAL),
    _named("1110000000001332XW059", "二级造价工程师(土木建筑工程)注册证书", _UNIDENTIFIED, _PERSON),
    _named("1110000000001332XW082", "二级造价工程师(安装工程)注册证书", _UNIDENTIFIED, _PERSON),
)
