"""The rules of code lists: who registers and changes them, and that no row loses the meaning of its codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from core.caller import Caller
from core.database import Connection, Database
from core.errors import Conflict, Forbidden, NotFound, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from exchange.codes import store
from exchange.codes.check import check_code_list
from exchange.codes.model import SHIPPED, CodeList, CodeListVersion, compare_codes


class CodeListService:
    """Keeps code lists. A code that rows may hold is retired, never removed."""

    def __init__(self, *, database: Database, log: LogWriter, now: Callable[[], datetime]) -> None:
        self._database = database
        self._log = log
        self._now = now

    async def register(self, sent: CodeList, *, caller: Caller) -> CodeList:
        """Register a list of the caller's organisation. Raises SchemaViolation; Conflict for a taken name."""
        _verify(sent)
        async with self._database.transaction() as connection:
            return await self._register(connection, sent, caller=caller)

    async def change(self, sent: CodeList, *, caller: Caller) -> CodeList:
        """Make `sent` the newest version of a list; what says nothing new makes no version.

        Batches that begin afterwards are checked against it. Raises NotFound, Forbidden for another's,
        SchemaViolation, and Conflict where a removed code belongs to items of resources.
        """
        _verify(sent)
        async with self._database.transaction() as connection:
            held = await store.load_code_list(connection, name=sent.name, for_update=True)
            if held is None:
                raise no_list()
            return await self._change(connection, held, sent, caller=caller)

    async def bring_in(self, connection: Connection, sent: CodeList, *, caller: Caller) -> None:
        """Let the hub have a list that a document brings: registered, changed, or there already.

        Does so in a transaction of the caller's. Raises what `register` and `change` raise.
        """
        if sent.name in SHIPPED and sent.codes == SHIPPED[sent.name]:
            return
        _verify(sent)
        held = await store.load_code_list(connection, name=sent.name, for_update=True)
        if held is None:
            await self._register(connection, sent, caller=caller)
        elif held.codes != sent.codes or caller.organisation_code == held.owner_code:
            await self._change(connection, held, sent, caller=caller)

    async def load(self, name: str) -> tuple[CodeList, list[str]]:
        """Load a list, and the codes of the resources that name it. Raises NotFound."""
        async with self._database.acquire() as connection:
            shipped = SHIPPED.get(name)
            held = (
                await store.load_code_list(connection, name=name)
                if shipped is None
                else CodeList(name=name, title=name, codes=shipped)
            )
            if held is None:
                raise no_list()
            return held, await store.load_users(connection, name=name)

    async def load_all(self) -> list[CodeList]:
        """Load all lists: those that come with the hub, then those that departments registered."""
        shipped = [CodeList(name=name, title=name, codes=codes) for name, codes in SHIPPED.items()]
        async with self._database.acquire() as connection:
            return [*shipped, *await store.load_code_lists(connection)]

    async def load_versions(self, name: str) -> list[CodeListVersion]:
        """Load what every version of a registered list changed, the newest first. Raises NotFound."""
        async with self._database.acquire() as connection:
            rows = await store.load_versions(connection, name=name)
        if not rows:
            raise no_list()
        before = [(), *(codes for _, _, codes in rows)]
        return [
            CodeListVersion(version=version, at=at, changes=compare_codes(old, codes))
            for old, (version, at, codes) in zip(before, rows, strict=False)
        ][::-1]

    async def _register(self, connection: Connection, sent: CodeList, *, caller: Caller) -> CodeList:
        made = replace(sent, version=1, owner_code=caller.organisation_code)
        await store.save_code_list(connection, held=made, at=self._now())
        await self._note(connection, made, ["registered"], caller=caller)
        return made

    async def _change(
        self, connection: Connection, held: CodeList, sent: CodeList, *, caller: Caller
    ) -> CodeList:
        if held.owner_code != caller.organisation_code:
            msg = f"only the organisation that registered the code list {held.name} changes it"
            raise Forbidden(msg)
        changes = compare_codes(held.codes, sent.codes)
        users = await store.load_users(connection, name=held.name) if "removed" in changes else []
        if users:
            msg = (
                f"rows may hold the codes {', '.join(changes['removed'][:10])}, which items of"
                f" {', '.join(users[:10])} take: retire them (is_retired) instead of leaving them out"
            )
            raise Conflict(msg)
        made = replace(sent, version=held.version + 1, owner_code=held.owner_code)
        if replace(made, version=held.version) == held:
            return held
        await store.save_new_version(connection, held=made, at=self._now())
        await self._note(connection, made, list(changes) or ["described"], caller=caller)
        return made

    async def _note(
        self, connection: Connection, held: CodeList, changes: list[str], *, caller: Caller
    ) -> None:
        await self._log.append(
            connection,
            event=Event.CODE_LIST_CHANGED,
            caller=caller,
            details={"code_list": held.name, "version": held.version, "changes": changes},
        )


def no_list() -> NotFound:
    """Build the error for a name that no list has."""
    return NotFound("there is no code list of that name")


def _verify(sent: CodeList) -> None:
    errors = check_code_list(sent)
    if errors:
        msg = "the code list is not described rightly; see errors for each field"
        raise SchemaViolation(msg, errors=tuple(errors))
