"""What integrators import: a client of the hub. Speaks HTTP only and needs nothing of the server."""

from connectors.client import HubClient as HubClient
from connectors.client import Purpose as Purpose
from connectors.errors import ConnectionFailed as ConnectionFailed
from connectors.errors import HubError as HubError
from connectors.errors import Refused as Refused
from connectors.keys import ClientKey as ClientKey
from connectors.keys import GmsslKey as GmsslKey
