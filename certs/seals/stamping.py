"""Set a seal on somebody's OFD document: on chosen places, over the edge of its pages, for good or not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from certs.ofd.package import OfdPackage
from certs.ofd.sign import SignedPackage, Stamp, sign_package, straddle_stamps
from certs.seals.model import OpenSeal, SealStatus
from certs.seals.service import SealService
from certs.seals.store import load_seal
from certs.seals.timestamps import SealTimeStamps
from core.caller import Caller, Purpose
from core.database import Database
from core.errors import Conflict, FieldError, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from signing import sm3
from signing.seals.build import TimestampHook

MAX_PLACES: Final = 1000
MAX_MM: Final = 10_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a seal is set: the page, counted from 1, and the middle of the seal in mm from its top left."""

    page: int
    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StampOrder:
    """What one signature shows and does.

    `straddle_y`, where given, cuts the seal over the right edges of all pages, its middle at that height
    (骑缝章). `lock` protects the list of signatures, so that nobody can sign after. `with_timestamp` adds a
    time stamp of the hub's authority.
    """

    places: tuple[Place, ...] = ()
    straddle_y: float | None = None
    lock: bool = False
    with_timestamp: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StampedDocument:
    """A document with one more signature."""

    data: bytes = field(repr=False)
    signature_id: str
    digest_sm3: bytes
    stamps: int


class StampService:
    """Sets seals on documents for those who may use them; every use is in the log."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        seals: SealService,
        time_stamps: SealTimeStamps,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._seals = seals
        self._time_stamps = time_stamps
        self._now = now

    async def sign(
        self,
        data: bytes,
        *,
        seal_id: UUID,
        order: StampOrder,
        actor: Caller,
        purpose: Purpose | None,
    ) -> StampedDocument:
        """Set a seal on an OFD document; earlier signatures stay as they are and stay valid.

        Raises Forbidden for who administers seals, NotFound, Conflict for a seal out of use, SchemaViolation
        for places that are not on the pages, DocumentLocked, DocumentInvalid, PackageRefused.
        """
        check_order(order)
        seal = await self._seals.open_seal(actor=actor, seal_id=seal_id)
        hook = await self._time_stamps.open() if order.with_timestamp else None
        sealed_at = self._now().replace(microsecond=0)
        signed, stamps = await asyncio.to_thread(
            set_seal, data, seal=seal, order=order, sealed_at=sealed_at, timestamp=hook
        )
        digest = sm3.digest(signed.data)
        async with self._database.transaction() as connection:
            current = await load_seal(connection, seal_id=seal_id)
            if current.status is not SealStatus.ACTIVE:
                msg = f"the seal was {current.status} while the document was signed"
                raise Conflict(msg)
            await self._log.append(
                connection,
                event=Event.SEAL_USED,
                caller=actor,
                purpose=purpose,
                details={
                    "seal": str(seal_id),
                    "act": "sign",
                    "document_sm3": sm3.digest(data).hex(),
                    "digest_sm3": digest.hex(),
                    "stamps": stamps,
                    "lock": order.lock,
                    "timestamp": order.with_timestamp,
                },
            )
        return StampedDocument(
            data=signed.data, signature_id=signed.signature_id, digest_sm3=digest, stamps=stamps
        )


def check_order(order: StampOrder) -> None:
    """Raise SchemaViolation unless the order says where the seal goes."""
    errors = []
    if not order.places and order.straddle_y is None:
        detail = "say where the seal goes: places, straddle_y, or both"
        errors.append(FieldError(pointer="/places", code="EMPTY", detail=detail))
    if len(order.places) > MAX_PLACES:
        detail = f"one signature shows at most {MAX_PLACES} seals"
        errors.append(FieldError(pointer="/places", code="RANGE", detail=detail))
    measures = [(f"/places/{n}", each.x, each.y) for n, each in enumerate(order.places)]
    if order.straddle_y is not None:
        measures.append(("/straddle_y", 0.0, order.straddle_y))
    errors += [
        FieldError(pointer=pointer, code="RANGE", detail=f"must be 0 to {MAX_MM:g} mm")
        for pointer, x, y in measures
        if not (0 <= x <= MAX_MM and 0 <= y <= MAX_MM)
    ]
    if errors:
        msg = "the seal cannot be set there"
        raise SchemaViolation(msg, errors=tuple(errors))


def set_seal(
    data: bytes,
    *,
    seal: OpenSeal,
    order: StampOrder,
    sealed_at: datetime,
    timestamp: TimestampHook | None,
) -> tuple[SignedPackage, int]:
    """Sign `data` under an opened seal; return the package and how many stamps it got. Blocks."""
    stamps = _stamps(OfdPackage.parse(data), seal, order)
    signer = seal.signer

    def sign(data_hash: bytes, property_info: str) -> bytes:
        return signer.sign(
            data_hash=data_hash, property_info=property_info, signed_at=sealed_at, timestamp=timestamp
        )

    signed = sign_package(
        data, seal_der=seal.seal.der, stamps=stamps, sign=sign, signed_at=sealed_at, lock=order.lock
    )
    return signed, len(stamps)


def _stamps(package: OfdPackage, seal: OpenSeal, order: StampOrder) -> list[Stamp]:
    width, height = float(seal.seal.picture_width_mm), float(seal.seal.picture_height_mm)
    pages = [page for body in package.bodies for page in package.pages(body)]
    errors, stamps = [], []
    for number, place in enumerate(order.places):
        if not 1 <= place.page <= len(pages):
            detail = f"the document has {len(pages)} pages"
            errors.append(FieldError(pointer=f"/places/{number}/page", code="RANGE", detail=detail))
            continue
        x, y = place.x - width / 2, place.y - height / 2
        box = pages[place.page - 1].box
        if not (x >= 0 and y >= 0 and x + width <= box[2] and y + height <= box[3]):
            detail = f"the seal ({width:g} by {height:g} mm) would reach over the edge of the page"
            errors.append(FieldError(pointer=f"/places/{number}", code="RANGE", detail=detail))
            continue
        stamps.append(Stamp(page=place.page - 1, x=x, y=y, width=width, height=height))
    if errors:
        msg = "the seal cannot be set there"
        raise SchemaViolation(msg, errors=tuple(errors))
    if order.straddle_y is not None:
        stamps += straddle_stamps(pages, width=width, height=height, y=order.straddle_y - height / 2)
    return stamps
