"""Core metadata of a resource beyond its code, title and items.

Fields of the 2017 guide to the government information resource catalogue (政务信息资源目录编制指南) and of
the provincial lists that extend it. Values are kept as words; other products' numbers for them differ from
each other and are translated at the edge.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

NATIONAL_SCHEME: Final = "national"
_CLASSIFICATION: Final = re.compile(r"[1-9][0-9]{2}[0-9]{3}[0-9]{0,12}")


class FormatClass(StrEnum):
    """The class of a resource's format (信息资源格式)."""

    ELECTRONIC_FILE = "electronic_file"
    SPREADSHEET = "spreadsheet"
    DATABASE = "database"
    GRAPHICS = "graphics"
    STREAMING_MEDIA = "streaming_media"
    SELF_DESCRIBING = "self_describing"
    SERVICE_INTERFACE = "service_interface"


class ShareMethod(StrEnum):
    """How a resource is shared (共享方式)."""

    DATABASE = "database"
    FILE = "file"
    INTERFACE = "interface"
    MAIL = "mail"
    MEDIA = "media"


class OpenType(StrEnum):
    """Whether a resource is open to society (开放属性)."""

    NONE = "none"
    CONDITIONAL = "conditional"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The core metadata of a resource; empty where the provider has not told.

    `classification_code` is the classification part of the national code: 类 1 digit, 项 2, 目 3, 细目 as
    many as there are; `classification_titles` are the titles of those levels. `related_codes` are codes of
    resources in this catalogue (关联资源代码).
    """

    title_en: str = ""
    aliases: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    classification_code: str = ""
    classification_titles: tuple[str, ...] = ()
    format_class: FormatClass = FormatClass.DATABASE
    format_type: str = ""
    share_methods: tuple[ShareMethod, ...] = ()
    open_type: OpenType = OpenType.NONE
    open_condition: str = ""
    related_codes: tuple[str, ...] = ()
    office: str = ""
    business: str = ""
    data_range: str = ""
    source_system: str = ""
    legal_basis: str = ""
    contact_name: str = ""
    contact_phone: str = ""


def is_classification(code: str) -> bool:
    """Tell whether `code` has the form of a classification part: 类, 项 and 目, then the digits of a 细目."""
    return _CLASSIFICATION.fullmatch(code) is not None
