"""Items of the five certificates whose templates ship, for the types that are issued with them.

Short names after what working platforms use where that is known (`QLR`, `ZL`, `BDCDYH`), else the initials of
the item's name. A food-business permit has no confirmed national code: a hub registers it under a code of
its own issuing body, with these items.
"""

from __future__ import annotations

from typing import Final

from certs.types.formats import PHOTO
from certs.types.model import CertificateItem

Items = tuple[CertificateItem, ...]


def _item(name: str, title: str, form: str, *, needed: bool = True, secret: bool = False) -> CertificateItem:
    return CertificateItem(name=name, title=title, format=form, is_required=needed, is_sensitive=secret)


BUSINESS_LICENCE_ITEMS: Final[Items] = (
    _item("LX", "类型", "C..100"),
    _item("FDDBR", "法定代表人", "C..100"),
    _item("ZCZB", "注册资本", "C..100", needed=False),
    _item("CLRQ", "成立日期", "YYYYMMDD"),
    _item("ZS", "住所", "C..200"),
    _item("JYFW", "经营范围", "C..2000"),
)
FOOD_PERMIT_ITEMS: Final[Items] = (
    _item("FDDBR", "法定代表人（负责人）", "C..100"),
    _item("ZS", "住所", "C..200"),
    _item("JYCS", "经营场所", "C..200"),
    _item("ZTYT", "主体业态", "C..100"),
    _item("JYXM", "经营项目", "C..500"),
    _item("JDGLJG", "日常监督管理机构", "C..100", needed=False),
    _item("TSJBDH", "投诉举报电话", "C..30", needed=False),
)
RESIDENT_ITEMS: Final[Items] = (
    CertificateItem(name="XB", title="性别", format="C1", is_required=True, allowed=("男", "女")),
    _item("MZ", "民族", "C..20"),
    _item("CSRQ", "出生日期", "YYYYMMDD", secret=True),
    _item("ZZ", "住址", "C..200", secret=True),
    _item("ZP", "照片", PHOTO, needed=False, secret=True),
)
MARRIAGE_ITEMS: Final[Items] = (
    _item("DJRQ", "登记日期", "YYYYMMDD"),
    _item("NANXM", "男方姓名", "C..100"),
    _item("NANGJ", "男方国籍", "C..50"),
    _item("NANCSRQ", "男方出生日期", "YYYYMMDD", secret=True),
    _item("NANZJH", "男方身份证件号", "C..30", secret=True),
    _item("NVXM", "女方姓名", "C..100"),
    _item("NVGJ", "女方国籍", "C..50"),
    _item("NVCSRQ", "女方出生日期", "YYYYMMDD", secret=True),
    _item("NVZJH", "女方身份证件号", "C..30", secret=True),
    _item("BZ", "备注", "C..60", needed=False),
    _item("ZP", "双方近期合影", PHOTO, needed=False, secret=True),
)
REAL_ESTATE_ITEMS: Final[Items] = (
    _item("GYQK", "共有情况", "C..50"),
    _item("ZL", "坐落", "C..200"),
    _item("BDCDYH", "不动产单元号", "C..40"),
    _item("QLLX", "权利类型", "C..100"),
    _item("QLXZ", "权利性质", "C..100"),
    _item("YT", "用途", "C..100"),
    _item("MJ", "面积", "C..100"),
    _item("SYQX", "使用期限", "C..150", needed=False),
    _item("QLQTZK", "权利其他状况", "C..600", needed=False),
    _item("FJ", "附记", "C..400", needed=False),
)
