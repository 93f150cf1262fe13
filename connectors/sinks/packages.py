"""A folder of signed packages, on the side of a gap where the source is."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from connectors.errors import ConfigurationError, TransientError
from connectors.keys import GmsslKey
from connectors.model import Operation, Parcel, Receipt, SinkCapabilities
from connectors.options import Options
from connectors.packages import SUFFIX, write_package
from connectors.protocols import BaseSink
from connectors.runner.spool import sync_file, sync_folder


class PackagesSinkOptions(Options):
    """The options of `kind = "packages"`: where packages are laid, and the SM2 key that signs them."""

    folder: Path
    private_key: SecretStr


class PackagesSink(BaseSink):
    """Lays each parcel down as one package, under its final name only when it is whole."""

    options_model = PackagesSinkOptions

    def __init__(self, options: PackagesSinkOptions) -> None:
        self._options = options
        try:
            self._key = GmsslKey("packages", options.private_key.get_secret_value())
        except ValueError:
            msg = "sink.private_key: an SM2 private key has 64 hexadecimal digits"
            raise ConfigurationError(msg) from None

    @property
    def capabilities(self) -> SinkCapabilities:
        """Everything; the sink on the other side must take it."""
        return SinkCapabilities(operations=frozenset(Operation))

    def write(self, parcel: Parcel) -> Receipt:
        """Lay a package down. One that was carried off and comes again is known by its number over there."""
        path = self._options.folder / f"{parcel.key}{SUFFIX}"
        beside = path.with_suffix(".part")
        try:
            write_package(parcel, beside, self._key)
            sync_file(beside)
            beside.rename(path)
            sync_folder(path.parent)
        except OSError as trouble:
            msg = f"the folder of packages cannot be written ({trouble.strerror})"
            raise TransientError(msg) from trouble
        return Receipt(accepted=parcel.rows, reference=path.name)
