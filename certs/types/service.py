"""The rules of the registry of certificate types."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import Final

from certs.identifiers.identifier import is_type_code
from certs.types import store
from certs.types.formats import parse_format
from certs.types.model import ANY_SERVICE_ITEM, CertificateItem, CertificateType, ServiceItem
from certs.types.shipped import SHIPPED_TYPES
from core.caller import Caller
from core.database import Database
from core.errors import Conflict, FieldError, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from core.text import check_text

MAX_ITEMS: Final = 100
MAX_NAME_CHARACTERS: Final = 200
MAX_SERVICE_ITEMS: Final = 1000
MAX_ALLOWED_YEARS: Final = 100
_ITEM_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,39}")


class TypeService:
    """The registry. `templates` tells which layouts there are."""

    def __init__(
        self, *, database: Database, log: LogWriter, templates: Callable[[], Collection[str]]
    ) -> None:
        self._database = database
        self._log = log
        self._templates = templates

    async def install_shipped(self) -> int:
        """Register the types that ship and are not there yet; return how many. Run at every start."""
        added = 0
        async with self._database.transaction() as connection:
            for kind in SHIPPED_TYPES:
                if await store.save_type(connection, kind=kind):
                    added += 1
            if added:
                await self._log.append(
                    connection,
                    event=Event.CERTIFICATE_TYPE_REGISTERED,
                    caller=None,
                    details={"shipped_types": added},
                )
        return added

    async def list_types(self) -> list[CertificateType]:
        """List every type in its newest version, by code."""
        async with self._database.acquire() as connection:
            return await store.load_types(connection)

    async def get_type(self, code: str) -> CertificateType:
        """Return the newest version of a type. Raises NotFound."""
        async with self._database.acquire() as connection:
            return await store.load_type(connection, code=code)

    async def register(self, kind: CertificateType, *, actor: Caller) -> CertificateType:
        """Register a type, or a further version of it.

        `kind.version` must be one above the newest; certificates already issued keep the version they
        were issued under. Raises SchemaViolation naming everything wrong, or Conflict.
        """
        errors = self._check(kind)
        if errors:
            msg = "the certificate type's fields are not all right"
            raise SchemaViolation(msg, errors=tuple(errors))
        async with self._database.transaction() as connection:
            known = {found.code: found.version for found in await store.load_types(connection)}
            expected = known.get(kind.code, 0) + 1
            if kind.version != expected or not await store.save_type(connection, kind=kind):
                msg = f"the next version of this type is {expected}; send that, with the whole type"
                raise Conflict(msg)
            if kind.service_items:
                await store.replace_service_items(connection, type_code=kind.code, items=kind.service_items)
            await self._log.append(
                connection,
                event=Event.CERTIFICATE_TYPE_REGISTERED,
                caller=actor,
                details={"type": kind.code, "version": kind.version, "name": kind.name},
            )
            return await store.load_type(connection, code=kind.code)

    async def set_service_items(
        self, *, code: str, items: Sequence[ServiceItem], actor: Caller
    ) -> CertificateType:
        """Say which service items may use certificates of a type by function; `*` means all.

        Raises NotFound or SchemaViolation.
        """
        if errors := _check_service_items(items):
            msg = "the service items are not all right"
            raise SchemaViolation(msg, errors=tuple(errors))
        async with self._database.transaction() as connection:
            await store.load_type(connection, code=code)
            await store.replace_service_items(connection, type_code=code, items=items)
            await self._log.append(
                connection,
                event=Event.CERTIFICATE_TYPE_REGISTERED,
                caller=actor,
                details={"type": code, "service_items": [item.code for item in items][:100]},
            )
            return await store.load_type(connection, code=code)

    def _check(self, kind: CertificateType) -> list[FieldError]:
        errors = [
            *check_text("/name", kind.name, max_characters=MAX_NAME_CHARACTERS),
            *check_text("/defining_body", kind.defining_body, max_characters=MAX_NAME_CHARACTERS),
            *_check_items(kind.items),
            *_check_service_items(kind.service_items),
        ]
        if not is_type_code(kind.code):
            detail = "a type code is the defining body's credit code (GB 32100) and three digits"
            errors.append(FieldError(pointer="/code", code="TYPE-CODE", detail=detail))
        if kind.template is not None and kind.template not in self._templates():
            detail = "no template of that name is installed"
            errors.append(FieldError(pointer="/template", code="TEMPLATE", detail=detail))
        if kind.max_years is not None and not 1 <= kind.max_years <= MAX_ALLOWED_YEARS:
            detail = f"must be 1 to {MAX_ALLOWED_YEARS} years"
            errors.append(FieldError(pointer="/max_years", code="RANGE", detail=detail))
        return errors


def _check_items(items: Sequence[CertificateItem]) -> list[FieldError]:
    errors = []
    if len(items) > MAX_ITEMS:
        errors.append(FieldError(pointer="/items", code="TOO-MANY", detail=f"at most {MAX_ITEMS} items"))
    seen: set[str] = set()
    for position, item in enumerate(items[:MAX_ITEMS]):
        place = f"/items/{position}"
        errors += check_text(f"{place}/title", item.title, max_characters=MAX_NAME_CHARACTERS)
        if not _ITEM_NAME.fullmatch(item.name):
            detail = "an item name has 1 to 40 characters of A-Z, 0-9 and _, beginning with a letter"
            errors.append(FieldError(pointer=f"{place}/name", code="ITEM-NAME", detail=detail))
        elif item.name in seen:
            errors.append(
                FieldError(pointer=f"{place}/name", code="DUPLICATE", detail="the name occurs twice")
            )
        seen.add(item.name)
        try:
            parse_format(item.format)
        except ValueError as trouble:
            errors.append(FieldError(pointer=f"{place}/format", code="FORMAT", detail=str(trouble)))
    return errors


def _check_service_items(items: Sequence[ServiceItem]) -> list[FieldError]:
    if len(items) > MAX_SERVICE_ITEMS:
        detail = f"at most {MAX_SERVICE_ITEMS} service items"
        return [FieldError(pointer="/service_items", code="TOO-MANY", detail=detail)]
    errors = []
    seen: set[str] = set()
    for position, item in enumerate(items):
        place = f"/service_items/{position}"
        errors += check_text(f"{place}/name", item.name, max_characters=MAX_NAME_CHARACTERS, required=False)
        if item.code != ANY_SERVICE_ITEM:
            errors += check_text(f"{place}/code", item.code, max_characters=128)
        if item.code in seen:
            errors.append(
                FieldError(pointer=f"{place}/code", code="DUPLICATE", detail="the code occurs twice")
            )
        seen.add(item.code)
    return errors
