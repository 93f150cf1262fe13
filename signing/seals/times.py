"""Times in seals: the forms that the standards name and the forms that vendors write.

Source: GM/T 0031-2014 6.1.1, 6.2.1 (`timeInfo` may be a time stamp or a UTCTime).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from signing.der import Node, Tag, parse_der, read_bit_string, read_time
from signing.errors import DecodeError

CHINA_TIME: Final = timezone(timedelta(hours=8), "CST")
_TIME_TAGS: Final = (Tag.UTC_TIME, Tag.GENERALIZED_TIME)
_MAX_TEXT_BYTES: Final = 40
_TEXT: Final = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)[T ]?(\d\d):?(\d\d):?(\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?\Z", re.ASCII
)


def read_any_time(node: Node, what: str) -> datetime:
    """Read a time written as UTCTime, GeneralizedTime, or either of them or text inside a string of octets.

    Raises DecodeError.
    """
    moment, _ = read_time_info(node, what)
    if moment is None:
        message = f"{what}: a time expected, a time-stamp token found"
        raise DecodeError(message)
    return moment


def read_time_info(node: Node, what: str) -> tuple[datetime | None, bytes | None]:
    """Read a time, or the time-stamp token that V1 allows in its place: (time, None) or (None, token).

    Raises DecodeError.
    """
    if node.tag in _TIME_TAGS:
        return read_time(node, what, fraction=True), None
    content = node.content if node.tag == Tag.OCTET_STRING else read_bit_string(node, what)
    if content[:1] == bytes((Tag.SEQUENCE,)):
        parse_der(content)
        return None, content
    if content[:1] in (bytes((Tag.UTC_TIME,)), bytes((Tag.GENERALIZED_TIME,))):
        return read_time(parse_der(content), what, fraction=True), None
    return _read_text(content, what), None


def _read_text(content: bytes, what: str) -> datetime:
    """Read a time written as text; without a zone it is China's time, whole seconds are kept."""
    match = _TEXT.match(content.decode("ascii", "replace")) if len(content) <= _MAX_TEXT_BYTES else None
    if match is None:
        message = f"{what}: not a time in any known form"
        raise DecodeError(message)
    *numbers, zone = match.groups()
    year, month, day, hour, minute, second = (int(number) for number in numbers)
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=_zone(zone))
        return local.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        message = f"{what}: no such day or time of day"
        raise DecodeError(message) from error


def _zone(text: str | None) -> timezone:
    if text is None:
        return CHINA_TIME
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)
