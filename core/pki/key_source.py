"""Where the hub's keys are: in the key store, or, name by name, in a device that signs from outside.

`SHUZHENG_SIGNERS=package.module:function` names a function of the operator's own. It is called with the name
of a key (`root-ca`, `issuing-ca`, `hub-signer`, `seal-…`) and returns the signers that the device holds for
it, oldest first, or none: then the key store makes and keeps the key. `signing.digest_signer` adapts devices
that sign digests (PKCS#11, GM/T 0018).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Protocol

from signing.errors import KeyUnusable
from signing.keystore import KeyStore
from signing.signer import Signer

FindSigners = Callable[[str], Sequence[Signer]]


class SigningKeys(Protocol):
    """Named keys, each with versions; the last version is the one in use."""

    def create(self, name: str) -> Signer:
        """Return the key in use, making it first if there is none."""
        ...

    def load(self, key_id: str, /) -> Signer:
        """Return one version by its identifier."""
        ...

    def rotate(self, name: str) -> Signer:
        """Return a next version, now in use."""
        ...

    def key_ids(self, name: str) -> tuple[str, ...]:
        """List the identifiers of all versions, oldest first."""
        ...

    def destroy(self, name: str) -> bool:
        """Remove a key for good; False where there is none to remove."""
        ...


class DeviceKeys:
    """Keys of a device, and the key store for the names that the device does not hold."""

    def __init__(self, find: FindSigners, store: KeyStore) -> None:
        self._find = find
        self._store = store

    def create(self, name: str) -> Signer:
        """Return the newest signer of the device, else the store's key."""
        held = self._held(name)
        return held[-1] if held else self._store.create(name)

    def load(self, key_id: str, /) -> Signer:
        """Return a signer of the device (`device:NAME:NUMBER`) or a key of the store."""
        if not key_id.startswith("device:"):
            return self._store.load(key_id)
        _, name, place = key_id.split(":")
        return self._held(name)[int(place)]

    def destroy(self, name: str) -> bool:
        """Remove a key of the store; those of the device are removed by who runs it."""
        return self._store.destroy(name)

    def rotate(self, name: str) -> Signer:
        """Return the newest signer of the device: whoever runs it puts the next key there before."""
        held = self._held(name)
        return held[-1] if held else self._store.rotate(name)

    def key_ids(self, name: str) -> tuple[str, ...]:
        """List the store's versions, then the device's."""
        held = tuple(f"device:{name}:{place}" for place in range(len(self._held(name))))
        return (*self._store.key_ids(name), *held) if name in self._store.names() else held

    def _held(self, name: str) -> Sequence[Signer]:
        try:
            signers = tuple(self._find(name))
        except OSError as trouble:
            message = f"the device with the key {name} does not answer ({type(trouble).__name__})"
            raise KeyUnusable(message) from trouble
        if not all(isinstance(each, Signer) for each in signers):
            message = "what SHUZHENG_SIGNERS names returns something else than signers"
            raise KeyUnusable(message)
        return signers


def load_finder(path: str) -> FindSigners:
    """Import the function that a setting names as `package.module:function`. Raises KeyUnusable."""
    module, _, name = path.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as wrong:
        message = f"SHUZHENG_SIGNERS names no function that can be imported: {path}"
        raise KeyUnusable(message) from wrong
    if not callable(found):
        message = f"SHUZHENG_SIGNERS names something that is no function: {path}"
        raise KeyUnusable(message)
    finder: FindSigners = found
    return finder
