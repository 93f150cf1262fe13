"""The Chinese words of catalogue sheets: headers of columns, and a word for each value of an enumeration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

RESOURCE_SHEET: Final = "资源"
ITEM_SHEET: Final = "数据项"
CODE_SHEET: Final = "代码集"
WORD_SHEET: Final = "填写说明"

# field → header. Fields of metadata stand here beside those of the resource; no two have one name.
RESOURCE_COLUMNS: Final[Mapping[str, str]] = {
    "code": "资源代码",
    "title": "资源名称",
    "summary": "摘要",
    "theme": "基础目录",
    "update_cycle": "更新周期",
    "title_en": "英文名称",
    "aliases": "别名",
    "labels": "标签",
    "classification_code": "分类代码",
    "classification_titles": "分类名称",
    "format_class": "资源格式",
    "format_type": "格式类型",
    "share_methods": "共享方式",
    "open_type": "开放属性",
    "open_condition": "开放条件",
    "related_codes": "关联资源代码",
    "office": "处室",
    "business": "主干业务",
    "data_range": "数据范围",
    "source_system": "来源系统",
    "legal_basis": "法律依据",
    "contact_name": "联系人",
    "contact_phone": "联系电话",
    "external_codes": "外部代码",
}
ITEM_COLUMNS: Final[Mapping[str, str]] = {
    "resource": "资源代码",
    "name": "项名",
    "title": "中文名称",
    "format": "格式",
    "is_key": "主键",
    "is_required": "必填",
    "share_type": "共享类型",
    "share_basis": "共享条件或不予共享依据",
    "code_list": "代码集",
    "check_rule": "校验规则",
    "is_sensitive": "敏感",
    "title_en": "英文名称",
    "description": "说明",
    "element": "数据元",
    "source_system": "来源系统",
    "source_item": "来源项",
    "update_cycle": "更新周期",
    "is_authoritative": "一数一源",
    "is_incremental": "增量字段",
    "is_open": "向社会开放",
}
CODE_COLUMNS: Final[Mapping[str, str]] = {
    "name": "代码集",
    "list_title": "代码集名称",
    "source": "来源",
    "code": "代码",
    "title": "含义",
    "is_retired": "停用",
}
_CYCLES: Final = {
    "realtime": "实时",
    "daily": "每日",
    "weekly": "每周",
    "monthly": "每月",
    "quarterly": "每季度",
    "half_yearly": "每半年",
    "yearly": "每年",
    "irregular": "不定期",
    "never": "不更新",
}
WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "theme": {
        "population": "人口",
        "legal_person": "法人",
        "spatial": "自然资源和空间地理",
        "credit": "社会信用",
        "certificate": "电子证照",
        "other": "其他",
    },
    "update_cycle": _CYCLES,
    "format_class": {
        "electronic_file": "电子文件",
        "spreadsheet": "电子表格",
        "database": "数据库",
        "graphics": "图形图像",
        "streaming_media": "流媒体",
        "self_describing": "自描述格式",
        "service_interface": "服务接口",
    },
    "share_methods": {
        "database": "库表",
        "file": "文件",
        "interface": "接口",
        "mail": "邮件",
        "media": "介质",
    },
    "open_type": {"none": "不开放", "conditional": "有条件开放", "all": "无条件开放"},
    "share_type": {"unconditional": "无条件共享", "conditional": "有条件共享", "not_shared": "不予共享"},
    "check_rule": {
        "citizen_number": "公民身份号码",
        "credit_code": "统一社会信用代码",
        "organisation_code": "组织机构代码",
        "certificate_identifier": "电子证照标识",
        "division_code": "行政区划代码",
    },
}
FLAGS: Final = frozenset(name for name in (*ITEM_COLUMNS, *CODE_COLUMNS) if name.startswith("is_"))
LISTS: Final = frozenset(
    {"aliases", "labels", "classification_titles", "share_methods", "related_codes", "external_codes"}
)
YES, NO = "是", "否"
