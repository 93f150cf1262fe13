"""Rows of the datasets, and the applicants of the three cases: invented, with numbers that check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, str]


def food_rows(firms: Sequence[Row], people: Sequence[Row]) -> dict[str, list[dict[str, str]]]:
    """Build what the departments hold of firms that open food businesses, each with its manager."""
    rows: dict[str, list[dict[str, str]]] = {
        name: [] for name in ("fw_zlba", "xf_ba", "hb_ba", "jk_zm", "px_hg")
    }
    for number, (firm, manager) in enumerate(zip(firms, people, strict=True)):
        code = firm["tyxydm"]
        rows["fw_zlba"].append(
            {
                "BABH": lease_number(number),
                "CZRDM": code,
                "ZLDZ": f"示例市示例区示例路{number + 1}号",
                "FWYT": "商业",
                "DQRQ": "20301231",
            }
        )
        rows["xf_ba"].append({"DWDM": code, "JCJG": "合格", "JCRQ": "20260105"})
        rows["hb_ba"].append({"DWDM": code, "BAZT": "已备案"})
        who = {"GMSFHM": manager["GMSFHM"], "XM": manager["XM"]}
        rows["jk_zm"].append(who | {"YXQZ": "20301231"})
        rows["px_hg"].append(who | {"DJ": "高级"})
    return rows


def lease_number(number: int) -> str:
    """Number a lease."""
    return f"ZL2026{number:06d}"


def food_request(firm: Row, manager: Row, number: int) -> dict[str, Any]:
    """Build the evidence request of a food business."""
    return {
        "applicants": [
            {"role": "company", "code": firm["tyxydm"], "name": firm["frmc"]},
            {"role": "manager", "code": manager["GMSFHM"], "name": manager["XM"]},
        ],
        "inputs": {
            "representative": firm["fddbr"],
            "lease": lease_number(number),
            "address": firm["zs"],
        },
        "prefill": True,
    }


def estate_rows(seller: Row, buyer: Row) -> dict[str, list[dict[str, str]]]:
    """Build what the departments hold of one transfer."""
    unit, contract = estate_inputs()["unit"], estate_inputs()["contract"]
    return {
        "bdc_djb": [
            {
                "BDCDYH": unit,
                "QLRDM": seller["GMSFHM"],
                "ZL": "示例市示例区示例路9号1单元101室",
                "JZMJ": "89.50",
                "XZZT": "无限制",
            }
        ],
        "wq_ba": [
            {"HTBH": contract, "MFDM": buyer["GMSFHM"], "CJJE": "1200000.00", "BDCDYH": unit},
        ],
        "sw_ws": [{"HTBH": contract, "WSZT": "已完税", "SE": "18000.00"}],
    }


def estate_inputs() -> dict[str, str]:
    """Say what the form of the transfer says."""
    return {"contract": "HT2026000001", "unit": "990101001001GB00001F00010001"}


def newborn_rows(mother: Row, father: Row) -> dict[str, list[dict[str, str]]]:
    """Build what the departments hold of one birth."""
    return {
        "cs_zm": [
            {
                "CSBH": newborn_inputs()["birth"],
                "XM": "王小满",
                "XB": "2",
                "CSRQ": "20260401",
                "MQDM": mother["GMSFHM"],
            }
        ],
        "hy_dj": [{"NFDM": mother["GMSFHM"], "PODM": father["GMSFHM"], "HYZT": "已婚"}],
    }


def newborn_inputs() -> dict[str, str]:
    """Say what the form of the birth says."""
    return {"birth": "CS2026000001"}


def person_in(role: str, person: Row) -> dict[str, str]:
    """Write a person as an applicant."""
    return {"role": role, "code": person["GMSFHM"], "name": person["XM"]}
