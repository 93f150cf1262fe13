"""Appending leaves in the transaction of the act that they record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from core.caller import Caller, Purpose
from core.database import Connection
from core.database.writes import Writes
from core.log import store, store_rows
from core.log.event_details import check_details
from core.log.leaf_body import build_leaf, build_leaf_id, name_subjects
from core.log.model import Event, Leaf
from core.log.privacy import mask_numbers
from core.log.recorded_rows import RowTagger, TouchedRow, split_records
from signing import sm3
from signing.merkle.hashing import HashSuite

HUB_ORGANISATION: Final = "hub"
MAX_SUBJECTS: Final = 200


class Owners(Protocol):
    """Tells whose data an act touched."""

    async def find_owner(
        self, connection: Connection, *, resource_code: str | None, certificate_id: str | None
    ) -> str | None:
        """Return the code of the organisation that provides the resource or issued the certificate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLeaf:
    """One act that a leaf is to record; see `LogWriter.append`. `owner` is whose data it touched.

    `subjects` are further numbers; beyond MAX_SUBJECTS in all, further leaves name them.
    """

    event: Event
    caller: Caller
    purpose: Purpose | None
    resource_code: str | None = None
    grant_id: UUID | None = None
    certificate_id: str | None = None
    owner: str | None = None
    subject: str | None
    subjects: tuple[str, ...] = ()
    details: Mapping[str, object]


class _Hashes(dict[str, bytes]):
    """Keyed hashes of what leaves of one act name, each computed once."""

    def __init__(self, compute: Callable[[str], bytes]) -> None:
        super().__init__()
        self._compute = compute

    def __missing__(self, subject: str) -> bytes:
        found = self[subject] = self._compute(subject)
        return found


class LogWriter:
    """Writes leaves. Personal numbers enter it in clear and leave it as HMAC-SM3 under the hub's key."""

    def __init__(
        self,
        *,
        subject_key: bytes,
        now: Callable[[], datetime],
        suite: HashSuite = HashSuite.SM3,
        owners: Owners | None = None,
    ) -> None:
        self._subject_hmac = sm3.keyed_hmac(subject_key)
        self._now = now
        self._suite = suite
        self._owners = owners
        self.tagger = RowTagger(sm3.hmac(subject_key, b"recorded rows"))

    def hash_subject(self, subject: str) -> bytes:
        """Return the keyed hash under which a person's or firm's number appears in the log."""
        return self._subject_hmac(subject.strip().upper().encode())

    def mask(self, text: str) -> str:
        """Replace citizen numbers in a text by their keyed hashes, as in every leaf."""
        return mask_numbers(text, self.hash_subject)

    async def append(
        self,
        connection: Connection,
        *,
        event: Event,
        caller: Caller | None,
        purpose: Purpose | None = None,
        resource_code: str | None = None,
        grant_id: UUID | None = None,
        certificate_id: str | None = None,
        subject: str | None = None,
        subjects: Sequence[str] = (),
        details: Mapping[str, object] | None = None,
    ) -> UUID:
        """Append one leaf on `connection`, whose transaction must be that of the act. Returns its id.

        `details` are those that `core.log.events` declares for the event (else ValueError), without row
        contents. `subject` and `subjects` are personal or firm numbers in clear, of which only keyed hashes
        are kept; beyond MAX_SUBJECTS further leaves name them. `caller` None means the hub itself.
        """
        owner = await self._find_owner(connection, resource_code, certificate_id)
        context = _Context(
            caller=caller,
            purpose=purpose,
            owner=owner,
            resource_code=resource_code,
            grant_id=grant_id,
            certificate_id=certificate_id,
        )
        named = (*(() if subject is None else (subject,)), *subjects)
        leaves = self._build_act(event, context, list(map(self.hash_subject, named)), details or {})
        if await store.save_leaves(connection, leaves=leaves):
            await self.record_rows(
                connection, await store_rows.take_touched_rows(connection), act=leaves[0].id
            )
        return leaves[0].id

    async def append_all(
        self,
        connection: Connection,
        leaves: Sequence[NewLeaf],
        *,
        owners: Mapping[str, str] | None = None,
        touches_rows: bool = False,
    ) -> None:
        """Append the leaves of several acts of one transaction in one round trip; see `append`.

        `owners` names the owners of resources that the caller knows already, by resource code. A caller whose
        acts always change recorded rows says `touches_rows`, which saves asking whether they did.
        """
        built = await self._build_all(connection, leaves, owners)
        if touches_rows and built:
            rows = await store_rows.take_touched_rows(connection)
            await store.save_leaves(connection, leaves=built + self._record(rows, act=built[0].id))
        elif built and await store.save_leaves(connection, leaves=built):
            await self.record_rows(
                connection, await store_rows.take_touched_rows(connection), act=built[0].id
            )

    async def append_with(
        self,
        connection: Connection,
        writes: Writes,
        leaves: Sequence[NewLeaf],
        *,
        owners: Mapping[str, str] | None = None,
    ) -> Sequence[object]:
        """Append leaves in the statement of other `writes`, and return what these ask for; see `append_all`.

        The writes must not change recorded rows: those of acts before them in the transaction are recorded.
        """
        built = await self._build_all(connection, leaves, owners)
        if len(built) > store.MAX_IN_STATEMENT:
            found = await writes.run(connection)
            has_touched = await store.save_leaves(connection, leaves=built)
        else:
            place = store.write_leaves(writes, leaves=built)
            found = await writes.run(connection)
            has_touched = bool(found[place])
        if has_touched:
            await self.record_rows(
                connection, await store_rows.take_touched_rows(connection), act=built[0].id
            )
        return found

    async def _build_all(
        self, connection: Connection, leaves: Sequence[NewLeaf], owners: Mapping[str, str] | None
    ) -> list[Leaf]:
        known: dict[str | None, str] = dict(owners.items()) if owners else {}
        built: list[Leaf] = []
        hashes = _Hashes(self.hash_subject)
        for new in leaves:
            place = new.resource_code or new.certificate_id
            if new.owner is None and place not in known:
                found = await self._find_owner(connection, new.resource_code, new.certificate_id)
                known[place] = found or ""
            built += self._build_new(new, owner=new.owner or known[place] or None, hashes=hashes)
        return built

    def build(self, new: NewLeaf, *, owner: str | None) -> Leaf:
        """Build the leaf of an act on the data of `owner`, to be saved by the caller; see `append`.

        For acts of at most MAX_SUBJECTS subjects.
        """
        (leaf,) = self._build_new(new, owner=owner, hashes=_Hashes(self.hash_subject))
        return leaf

    def _build_new(self, new: NewLeaf, *, owner: str | None, hashes: _Hashes) -> list[Leaf]:
        context = _Context(
            caller=new.caller,
            purpose=new.purpose,
            owner=owner,
            resource_code=new.resource_code,
            grant_id=new.grant_id,
            certificate_id=new.certificate_id,
        )
        named = (*(() if new.subject is None else (new.subject,)), *new.subjects)
        return self._build_act(new.event, context, [hashes[each] for each in named], new.details)

    async def record_rows(
        self, connection: Connection, rows: Sequence[TouchedRow], *, act: UUID | None
    ) -> None:
        """Record how rows are after the act whose leaf is `act`; see `core.log.recorded_rows`."""
        if leaves := self._record(rows, act=act):
            await store.save_leaves(connection, leaves=leaves)

    def _record(self, rows: Sequence[TouchedRow], *, act: UUID | None) -> list[Leaf]:
        context = _Context(
            caller=None, purpose=None, owner=None, resource_code=None, grant_id=None, certificate_id=None
        )
        leaves = []
        for piece in split_records([self.tagger.record(row) for row in rows]):
            details = {"act": None if act is None else str(act), "rows": piece}
            checked = check_details(Event.ROWS_RECORDED, details)
            leaves.append(self._build(Event.ROWS_RECORDED, context, (), checked))
        return leaves

    async def _find_owner(
        self, connection: Connection, resource_code: str | None, certificate_id: str | None
    ) -> str | None:
        if self._owners is None or not (resource_code or certificate_id):
            return None
        return await self._owners.find_owner(
            connection, resource_code=resource_code, certificate_id=certificate_id
        )

    def _build_act(
        self, event: Event, context: _Context, named: Sequence[bytes], details: Mapping[str, object]
    ) -> list[Leaf]:
        """Build the leaf of an act and, where it names more than MAX_SUBJECTS, those that name the rest."""
        hashes = list(dict.fromkeys(named))
        leaves = [self._build(event, context, hashes[:MAX_SUBJECTS], check_details(event, details))]
        for start in range(MAX_SUBJECTS, len(hashes), MAX_SUBJECTS):
            rest = hashes[start : start + MAX_SUBJECTS]
            leaves.append(self._build(Event.SUBJECTS_NAMED, context, rest, {"leaf": str(leaves[0].id)}))
        return leaves

    def _build(
        self, event: Event, context: _Context, subjects: Sequence[bytes], details: Mapping[str, object]
    ) -> Leaf:
        recorded_at = self._now()
        leaf_id = build_leaf_id(recorded_at)
        return build_leaf(
            {
                "id": str(leaf_id),
                "time": recorded_at.isoformat(timespec="microseconds"),
                "event": str(event),
                **context.members,
                **name_subjects(subjects),
                "details": dict(details),
            },
            suite=self._suite,
            mask=self.mask,
            known=(leaf_id, recorded_at, subjects),
        )


class _Context:
    """What several leaves of one act share."""

    def __init__(
        self,
        *,
        caller: Caller | None,
        purpose: Purpose | None,
        owner: str | None,
        resource_code: str | None,
        grant_id: UUID | None,
        certificate_id: str | None,
    ) -> None:
        self.members: Mapping[str, object] = {
            "organisation": HUB_ORGANISATION if caller is None else str(caller.organisation_code),
            "system": None if caller is None else str(caller.system_id),
            "person": caller and caller.person,
            "operator": (caller and caller.person) or (purpose and purpose.operator),
            "service_item": purpose and purpose.service_item,
            "case_number": purpose and purpose.case_number,
            "on_behalf_of": purpose and purpose.on_behalf_of,
            "owner": owner,
            "resource": resource_code,
            "grant": None if grant_id is None else str(grant_id),
            "certificate": certificate_id,
        }
