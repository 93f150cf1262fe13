"""Bringing changes into a MySQL or MariaDB table of the subscriber, exactly once.

As for PostgreSQL the place moves in the transaction of the rows. Tables and columns are made before it,
because MySQL commits at every definition.
"""

from __future__ import annotations

import asyncio
from typing import Final

import pymysql

from subscriptions.push import store_mysql
from subscriptions.push.addresses import AddressBook, Place
from subscriptions.push.model import Message, MessageRefused, TargetDown
from subscriptions.push.tls import build_ssl

CONNECT_TIMEOUT_S: Final = 10
IO_TIMEOUT_S: Final = 40


class MySqlCarrier:
    """Writes messages into tables, which it makes where they are missing."""

    def __init__(self, *, addresses: AddressBook) -> None:
        self._addresses = addresses

    async def deliver(self, message: Message, secret: str | None) -> None:
        """Apply a message in one transaction. Raises TargetDown, MessageRefused or TargetGone."""
        address = message.target.address
        place = await self._addresses.find(str(address["host"]), int(str(address["port"])))
        try:
            await asyncio.to_thread(_deliver, message, place, secret or "")
        except (pymysql.err.DataError, pymysql.err.IntegrityError) as trouble:
            raise MessageRefused(_explain(trouble)) from trouble
        except pymysql.err.Error as trouble:
            raise TargetDown(_explain(trouble)) from trouble
        except (OSError, TimeoutError) as trouble:
            msg = f"the database does not answer ({type(trouble).__name__})"
            raise TargetDown(msg) from trouble


def _explain(trouble: pymysql.err.Error) -> str:
    """Say what the database complains of by its number alone: its words may quote a row."""
    number = trouble.args[0] if trouble.args and isinstance(trouble.args[0], int) else 0
    return f"the database refuses (error {number}, {type(trouble).__name__})"


def _deliver(message: Message, place: Place, password: str) -> None:
    connection = _connect(message, place, password)
    try:
        with connection.cursor() as cursor:
            store_mysql.apply(cursor, message, commit=connection.commit)
    finally:
        connection.close()


def _connect(message: Message, place: Place, password: str) -> pymysql.Connection[pymysql.cursors.Cursor]:
    address = message.target.address
    try:
        return pymysql.connect(
            host=str(place.address),
            port=place.port,
            user=str(address["user"]),
            password=password,
            database=str(address["database"]),
            ssl=build_ssl(str(address["ssl"]), host=str(address["host"])),
            charset="utf8mb4",
            autocommit=False,
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=IO_TIMEOUT_S,
            write_timeout=IO_TIMEOUT_S,
            local_infile=False,
            init_command="SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES'",
        )
    except (pymysql.err.Error, OSError):
        raise
    except Exception as garbage:  # what pymysql's parsing makes of bytes that no server sends
        msg = f"the database does not answer as MySQL does ({type(garbage).__name__})"
        raise TargetDown(msg) from garbage
