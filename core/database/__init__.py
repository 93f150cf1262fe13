"""PostgreSQL: the pool, migrations, the embedded server, and quoting of names that come from users."""

from core.database.pool import Connection as Connection
from core.database.pool import Database as Database
