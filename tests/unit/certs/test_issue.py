"""Orders to issue: every error at once, standard forms, metadata, and what a status means on a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from certs.issue.check import check_order, standardise_data
from certs.issue.metadata import build_metadata
from certs.issue.model import TRANSITIONS, Certificate, CertificateStatus, Holder, IssueOrder
from certs.types.model import HolderCodeType
from certs.types.shipped import BUSINESS_LICENCE
from core.caller import OrganisationCode
from core.china_time import china_day

TODAY = date(2026, 11, 24)
DATA = {
    "LX": "有限责任公司",
    "FDDBR": "张三丰",
    "CLRQ": "20200229",
    "ZS": "示例市示例路1号",
    "JYFW": "食品经营；软件开发",
}
HOLDER = Holder(
    name="示例市长青食品有限公司", code="91990000MA0TE5T088", code_type=HolderCodeType.CREDIT_CODE
)
ORDER = IssueOrder(
    type_code=BUSINESS_LICENCE.code,
    holder=HOLDER,
    number="91990000MA0TE5T088",
    data=DATA,
    issued_on=TODAY,
    valid_from=TODAY,
)


def pointers(order: IssueOrder) -> list[str]:
    return [error.pointer for error in check_order(order, BUSINESS_LICENCE, today=TODAY)]


def test_order_in_order_has_no_errors() -> None:
    assert pointers(ORDER) == []


def test_order_with_many_faults_names_them_all_at_once() -> None:
    order = replace(
        ORDER,
        number=" ",
        holder=replace(HOLDER, code="91990000MA0TE5T089"),
        data={"LX": "", "FDDBR": "x" * 101, "CLRQ": "20230229", "ZS": "甲\x00", "XX": "1"},
        issued_on=date(2026, 11, 25),
        valid_until=date(2020, 1, 1),
    )
    assert sorted(set(pointers(order))) == [
        "/data/CLRQ",
        "/data/FDDBR",
        "/data/JYFW",
        "/data/LX",
        "/data/XX",
        "/data/ZS",
        "/holder/code",
        "/issued_on",
        "/number",
        "/valid_until",
    ]


def test_order_for_person_under_type_of_organisations_is_refused() -> None:
    holder = Holder(name="张三", code="11010519491231002X", code_type=HolderCodeType.CITIZEN_NUMBER)
    assert pointers(replace(ORDER, holder=holder)) == ["/holder/code_type"]


@pytest.mark.parametrize("code", ["110105194912310020", "99000020000230001X", "x", ""])
def test_citizen_number_that_is_wrong_is_refused(code: str) -> None:
    holder = Holder(name="张三", code=code, code_type=HolderCodeType.CITIZEN_NUMBER)
    assert "/holder/code" in pointers(replace(ORDER, holder=holder))


def test_type_with_fixed_end_asks_for_it_and_bounds_it() -> None:
    kind = replace(BUSINESS_LICENCE, end_required=True, max_years=5)
    open_ended = check_order(ORDER, kind, today=TODAY)
    long = check_order(replace(ORDER, valid_until=date(2031, 11, 25)), kind, today=TODAY)
    just = check_order(replace(ORDER, valid_until=date(2031, 11, 24)), kind, today=TODAY)
    assert [error.code for error in open_ended] == ["REQUIRED"]
    assert [error.code for error in long] == ["PERIOD"]
    assert just == []


def test_type_without_template_cannot_be_issued() -> None:
    kind = replace(BUSINESS_LICENCE, template=None)
    assert [error.code for error in check_order(ORDER, kind, today=TODAY)] == ["NO-TEMPLATE"]


def test_errors_never_repeat_the_values() -> None:
    order = replace(ORDER, holder=replace(HOLDER, code="SECRETNUMBER"), data={"CLRQ": "SECRETVALUE"})
    texts = str(check_order(order, BUSINESS_LICENCE, today=TODAY))
    assert "SECRET" not in texts


def test_data_is_standardised_before_it_is_checked() -> None:
    data = standardise_data(
        {"CLRQ": " 2020-02-29 ", "LX": " 有限责任公司", "ZCZB": " "}, BUSINESS_LICENCE.items
    )
    assert data == {"CLRQ": "20200229", "LX": "有限责任公司"}


def test_metadata_carries_the_elements_of_the_standard_and_no_copy_elements() -> None:
    metadata = build_metadata(
        order=ORDER,
        kind=BUSINESS_LICENCE,
        identifier="1.2.156.3005.2.X",
        issuer_name="示例市市场监督管理局",
        issuer_code="11990000MB0000017T",
        seal_name="示例市市场监督管理局",
        sealed_at=datetime(2026, 11, 23, 18, 0, 0, tzinfo=UTC),
    )
    assert metadata["ZZBS"] == "1.2.156.3005.2.X"
    assert metadata["ZZBFRQ"] == "20261124"
    assert metadata["ZZQZSJ"] == "20261124020000"
    assert metadata["CZZTDMLXDM"] == "001"
    assert metadata["CZZTDMLX"] == "统一社会信用代码"
    assert metadata["KZ_FDDBR"] == "张三丰"
    assert "ZZYXQJZRQ" not in metadata
    assert not [name for name in metadata if name.startswith("JZJ")]


CERTIFICATE = Certificate(
    identifier="1",
    type_code=BUSINESS_LICENCE.code,
    type_version=1,
    type_name="营业执照",
    number="1",
    version=1,
    holder=HOLDER,
    issuer_code=OrganisationCode("11990000MB0000017T"),
    issuer_name="甲",
    status=CertificateStatus.ACTIVE,
    predecessor=None,
    successor=None,
    issued_on=TODAY,
    valid_from=TODAY,
    valid_until=date(2027, 11, 23),
    data=DATA,
    qr_payload="",
    service_item=None,
    case_number=None,
    seal_id=UUID(int=0),
    object_key="x",
    object_offset=0,
    size_bytes=1,
    digest_sm3=b"1" * 32,
    sealed_sm3=b"2" * 32,
    created_at=datetime(2026, 11, 24, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("day", "status"),
    [
        (date(2026, 11, 23), CertificateStatus.NOT_ACTIVATED),
        (date(2026, 11, 24), CertificateStatus.ACTIVE),
        (date(2027, 11, 23), CertificateStatus.ACTIVE),
        (date(2027, 11, 24), CertificateStatus.EXPIRED),
    ],
)
def test_certificate_active_counts_its_first_and_last_day(day: date, status: CertificateStatus) -> None:
    assert CERTIFICATE.status_on(day) is status


def test_certificate_revoked_stays_revoked_after_its_last_day() -> None:
    revoked = replace(CERTIFICATE, status=CertificateStatus.REVOKED)
    assert revoked.status_on(date(2030, 1, 1)) is CertificateStatus.REVOKED


def test_transitions_never_lead_out_of_an_end_and_never_to_computed_states() -> None:
    ends = {status for status, targets in TRANSITIONS.items() if not targets}
    assert ends == {"superseded", "cancelled", "revoked", "withdrawn"}
    for targets in TRANSITIONS.values():
        assert not targets & {CertificateStatus.EXPIRED, CertificateStatus.SUPERSEDED}


def test_certificate_never_shows_personal_numbers_in_its_repr() -> None:
    assert HOLDER.code not in repr(CERTIFICATE)
    assert "张三丰" not in repr(CERTIFICATE)


def test_day_in_china_begins_at_sixteen_utc() -> None:
    assert china_day(datetime(2026, 11, 23, 15, 59, tzinfo=UTC)) == date(2026, 11, 23)
    assert china_day(datetime(2026, 11, 23, 16, 0, tzinfo=UTC)) == TODAY
