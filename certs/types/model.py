"""The domain words of certificate types."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from certs.types.formats import PHOTO


class HolderCategory(StrEnum):
    """Who may hold certificates of a type (持证主体类别)."""

    NATURAL_PERSON = "natural_person"
    LEGAL_PERSON = "legal_person"
    MIXED = "mixed"
    OTHER = "other"


class BodyLevel(StrEnum):
    """The level of a body: of the one that defines a type, or of those that issue it (机构级别)."""

    NATIONAL = "national"
    PROVINCIAL = "provincial"
    CITY = "city"
    COUNTY = "county"
    TOWNSHIP = "township"
    OTHER = "other"


class Evidence(StrEnum):
    """How sure the code of a type is.

    `confirmed`: several sources agree. `observed`: seen in one working system. `local`: registered here.
    """

    CONFIRMED = "confirmed"
    OBSERVED = "observed"
    LOCAL = "local"


class HolderCodeType(StrEnum):
    """Kinds of number that name a holder (持证主体代码类型代码, GB/T 36903-2018 annex A)."""

    CREDIT_CODE = "001"
    OTHER_ORGANISATION = "099"
    CITIZEN_NUMBER = "111"
    MILITARY_OFFICER = "114"
    ARMED_POLICE_OFFICER = "115"
    SOLDIER = "118"
    ARMED_POLICE_SOLDIER = "119"
    MILITARY_CIVILIAN = "120"
    ARMED_POLICE_CIVILIAN = "122"
    DIPLOMATIC_PASSPORT = "411"
    SERVICE_PASSPORT = "412"
    PUBLIC_AFFAIRS_PASSPORT = "413"
    ORDINARY_PASSPORT = "414"
    TAIWAN_TRAVEL_PERMIT = "511"
    HONG_KONG_MACAO_TRAVEL_PERMIT = "516"
    OTHER_PERSON = "999"

    @property
    def label(self) -> str:
        """The name of this kind of number, as it stands in metadata."""
        return _HOLDER_CODE_LABELS[self]

    @property
    def category(self) -> HolderCategory:
        """Whether persons or organisations carry such numbers."""
        legal = self in {HolderCodeType.CREDIT_CODE, HolderCodeType.OTHER_ORGANISATION}
        return HolderCategory.LEGAL_PERSON if legal else HolderCategory.NATURAL_PERSON


_HOLDER_CODE_LABELS: Final[dict[HolderCodeType, str]] = {
    HolderCodeType.CREDIT_CODE: "统一社会信用代码",
    HolderCodeType.OTHER_ORGANISATION: "其他法人或其他组织有效证件代码",
    HolderCodeType.CITIZEN_NUMBER: "公民身份号码",
    HolderCodeType.MILITARY_OFFICER: "解放军军官证编号",
    HolderCodeType.ARMED_POLICE_OFFICER: "武警警官证编号",
    HolderCodeType.SOLDIER: "解放军士兵证编号",
    HolderCodeType.ARMED_POLICE_SOLDIER: "武警士兵证编号",
    HolderCodeType.MILITARY_CIVILIAN: "解放军文职人员证编号",
    HolderCodeType.ARMED_POLICE_CIVILIAN: "武警部队文职人员证编号",
    HolderCodeType.DIPLOMATIC_PASSPORT: "外交护照护照号",
    HolderCodeType.SERVICE_PASSPORT: "公务护照护照号",
    HolderCodeType.PUBLIC_AFFAIRS_PASSPORT: "公务普通护照护照号",
    HolderCodeType.ORDINARY_PASSPORT: "普通护照护照号",
    HolderCodeType.TAIWAN_TRAVEL_PERMIT: "台湾居民来往大陆通行证号码",
    HolderCodeType.HONG_KONG_MACAO_TRAVEL_PERMIT: "港澳居民来往内地通行证号码",
    HolderCodeType.OTHER_PERSON: "其他自然人有效证件号码",
}

ANY_SERVICE_ITEM: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateItem:
    """One item on the face of a certificate, beyond what every certificate carries.

    `format` is written as in the catalogue: `C18`, `C..50`, `n2`, `n..12`, `N..24,6`, `YYYYMMDD`,
    `YYYYMMDDhhmmss`; `PHOTO` is base64 of a JPEG or PNG, which stands on the page and not in the metadata.
    `allowed`, where not empty, lists the only values. In the metadata of the file the item stands as `KZ_`
    and its name in capitals (GB/T 36903-2018).
    """

    name: str
    title: str
    format: str
    is_required: bool = False
    is_sensitive: bool = False
    allowed: tuple[str, ...] = ()

    @property
    def is_photo(self) -> bool:
        """Whether the item is a photograph."""
        return self.format == PHOTO

    @property
    def metadata_name(self) -> str:
        """The name in the metadata of the file."""
        return f"KZ_{self.name.upper()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceItem:
    """A service item (事项): it may use certificates of a type by function, or produces them."""

    code: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateType:
    """A certificate type in one version (证照类型目录, GB/T 36902-2018).

    `template` names the layout; None where this hub cannot issue the type. `end_required` asks for an end
    of validity, `max_years` bounds it; `validity_range` says it in words, such as 5年. `related_items`
    (关联事项) produce certificates of the type. `service_items` may use them by function; they belong to the
    code, not to one version.
    """

    code: str
    name: str
    defining_body: str
    holder_category: HolderCategory
    defining_level: BodyLevel = BodyLevel.NATIONAL
    issuing_level: BodyLevel = BodyLevel.OTHER
    validity_range: str = ""
    related_items: tuple[ServiceItem, ...] = ()
    items: tuple[CertificateItem, ...] = ()
    template: str | None = None
    end_required: bool = False
    max_years: int | None = None
    evidence: Evidence = Evidence.LOCAL
    version: int = 1
    service_items: tuple[ServiceItem, ...] = ()

    @property
    def defining_body_code(self) -> str:
        """The credit code of the body that defines the type."""
        return self.code[:18]

    def may_be_held_by(self, code_type: HolderCodeType) -> bool:
        """Tell whether a holder who is named by such a number may hold certificates of this type."""
        if self.holder_category in {HolderCategory.MIXED, HolderCategory.OTHER}:
            return True
        return code_type.category is self.holder_category

    def may_be_used_for(self, service_item: str) -> bool:
        """Tell whether a case of this service item may use certificates of this type, by function."""
        return any(item.code in {ANY_SERVICE_ITEM, service_item} for item in self.service_items)
