"""What integrators import. Speaks HTTP only and needs nothing of the server.

These names need nothing but httpx. `connectors.protocols` (what a source and a sink are), `connectors.model`
and all that runs them need the extra `connectors`: `pip install 'shuzheng[connectors]'`.
"""

from typing import TYPE_CHECKING, Any

from connectors.client import HubClient as HubClient
from connectors.client import Purpose as Purpose
from connectors.errors import ConfigurationError as ConfigurationError
from connectors.errors import ConnectionFailed as ConnectionFailed
from connectors.errors import ConnectorError as ConnectorError
from connectors.errors import HubError as HubError
from connectors.errors import Refused as Refused
from connectors.errors import TerminalError as TerminalError
from connectors.errors import TransientError as TransientError
from connectors.keys import ClientKey as ClientKey
from connectors.keys import GmsslKey as GmsslKey

if TYPE_CHECKING:
    from connectors.aio import AsyncHubClient as AsyncHubClient


def __getattr__(name: str) -> Any:
    """Load the client for asyncio where it is asked for: a command that needs none starts sooner."""
    if name == "AsyncHubClient":
        from connectors.aio import AsyncHubClient  # noqa: PLC0415

        return AsyncHubClient
    raise AttributeError(name)
