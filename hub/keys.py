"""The hub's master key, and the keys for single uses that are derived from it."""

from __future__ import annotations

from core.pki.key_source import DeviceKeys, SigningKeys, load_finder
from core.settings import Settings
from signing import sm3
from signing.keystore import KeyStore
from signing.master_key import create_master_key, load_master_key

MASTER_KEY_FILE = "master.key"


def open_master_key(settings: Settings) -> bytes:
    """Return the key that unlocks the private keys, making its file where neither setting nor file exists."""
    if settings.master_key is not None:
        return load_master_key({"SHUZHENG_MASTER_KEY": settings.master_key.get_secret_value()})
    path = settings.home / MASTER_KEY_FILE
    settings.home.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        return create_master_key(path)
    return load_master_key({}, path)


def open_keys(settings: Settings, master_key: bytes) -> SigningKeys:
    """Open the key store, behind the device that SHUZHENG_SIGNERS names, if any. Raises KeyUnusable."""
    kept = KeyStore(settings.keys_dir, master_key)
    return kept if settings.signers is None else DeviceKeys(load_finder(settings.signers), kept)


def derive_key(master_key: bytes, label: str) -> bytes:
    """Derive a key for one use from the master key, as HMAC-SM3 over the name of the use."""
    return sm3.hmac(master_key, f"shuzheng/v1/{label}".encode())
