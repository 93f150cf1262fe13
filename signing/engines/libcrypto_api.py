"""The functions of OpenSSL's libcrypto that SM2 needs, found and given their types.

libcrypto is named in this module and in `signing.engines.libcrypto` only. Each function is bound
twice over one loaded library: short ones keep the GIL (a call of a microsecond is dearer with the
hand-over than without), the scalar multiplications release it.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
from collections.abc import Iterator, Mapping
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint, c_ulong, c_void_p
from pathlib import Path
from typing import Any, Final

from signing.errors import EngineUnavailable

LIBRARY_VARIABLE: Final = "SHUZHENG_LIBCRYPTO"
MINIMUM_VERSION: Final = 0x30000000
SM2_NID: Final = 1172
UNCOMPRESSED: Final = 4
SELECT_PUBLIC_KEY: Final = 0x86
SELECT_KEYPAIR: Final = 0x87

_UNSIGNED_INTEGER: Final = 2
_UTF8_STRING: Final = 4
_OCTET_STRING: Final = 5

type_size = POINTER(c_size_t)

_SHORT: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "OpenSSL_version_num": (c_ulong, ()),
    "OpenSSL_version": (c_char_p, (c_int,)),
    "ERR_clear_error": (None, ()),
    "EVP_sm3": (c_void_p, ()),
    "EVP_PKEY_CTX_new_from_name": (c_void_p, (c_void_p, c_char_p, c_char_p)),
    "EVP_PKEY_CTX_new": (c_void_p, (c_void_p, c_void_p)),
    "EVP_PKEY_CTX_free": (None, (c_void_p,)),
    "EVP_PKEY_CTX_set1_id": (c_int, (c_void_p, c_char_p, c_int)),
    "EVP_PKEY_fromdata_init": (c_int, (c_void_p,)),
    "EVP_PKEY_fromdata": (c_int, (c_void_p, POINTER(c_void_p), c_int, c_void_p)),
    "EVP_PKEY_free": (None, (c_void_p,)),
    "EVP_PKEY_encrypt_init": (c_int, (c_void_p,)),
    "EVP_PKEY_decrypt_init": (c_int, (c_void_p,)),
    "EVP_MD_CTX_new": (c_void_p, ()),
    "EVP_MD_CTX_free": (None, (c_void_p,)),
    "EVP_MD_CTX_set_pkey_ctx": (None, (c_void_p, c_void_p)),
    "EVP_DigestVerifyInit": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    "EC_GROUP_new_by_curve_name": (c_void_p, (c_int,)),
    "EC_GROUP_free": (None, (c_void_p,)),
    "EC_GROUP_get0_order": (c_void_p, (c_void_p,)),
    "EC_POINT_new": (c_void_p, (c_void_p,)),
    "EC_POINT_free": (None, (c_void_p,)),
    "EC_POINT_point2oct": (c_size_t, (c_void_p, c_void_p, c_int, c_char_p, c_size_t, c_void_p)),
    "EC_POINT_get_affine_coordinates": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    "BN_new": (c_void_p, ()),
    "BN_bin2bn": (c_void_p, (c_char_p, c_int, c_void_p)),
    "BN_bn2binpad": (c_int, (c_void_p, c_char_p, c_int)),
    "BN_is_zero": (c_int, (c_void_p,)),
    "BN_clear": (None, (c_void_p,)),
    "BN_add_word": (c_int, (c_void_p, c_ulong)),
    "BN_mod_add": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    "BN_mod_sub": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    "BN_mod_mul": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    "BN_mod_exp_mont_consttime": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    "BN_priv_rand_range": (c_int, (c_void_p, c_void_p)),
    "BN_clear_free": (None, (c_void_p,)),
    "BN_CTX_new": (c_void_p, ()),
    "BN_CTX_free": (None, (c_void_p,)),
}
_LONG: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "EVP_DigestVerify": (c_int, (c_void_p, c_char_p, c_size_t, c_char_p, c_size_t)),
    "EVP_PKEY_encrypt": (c_int, (c_void_p, c_char_p, type_size, c_char_p, c_size_t)),
    "EVP_PKEY_decrypt": (c_int, (c_void_p, c_char_p, type_size, c_char_p, c_size_t)),
    "EC_POINT_mul": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
}


class Param(ctypes.Structure):
    """`OSSL_PARAM`."""

    _fields_ = (
        ("key", c_char_p),
        ("data_type", c_uint),
        ("data", c_void_p),
        ("data_size", c_size_t),
        ("return_size", c_size_t),
    )


class Libcrypto:
    """One loaded libcrypto; its functions are attributes with their C names."""

    # The functions are bound from the tables above; ctypes cannot say more of them than this.
    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            short, long = ctypes.PyDLL(path), ctypes.CDLL(path)
            self._bind(short, _SHORT)
            self._bind(long, _LONG)
        except (OSError, AttributeError):
            message = "it cannot be loaded, or lacks functions of OpenSSL 3"
            raise EngineUnavailable(message) from None
        self.version: str = self.OpenSSL_version(0).decode()
        if self.OpenSSL_version_num() < MINIMUM_VERSION:
            message = f"{self.version} is older than OpenSSL 3.0"
            raise EngineUnavailable(message)
        self.sm3: int | None = self.EVP_sm3()

    def _bind(self, library: ctypes.CDLL, table: Mapping[str, tuple[Any, tuple[Any, ...]]]) -> None:
        for name, (result, arguments) in table.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)


def find_libraries(environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Name the places where a libcrypto may lie, best first, each once.

    `SHUZHENG_LIBCRYPTO` is taken alone when set. Apple's own `/usr/lib/libcrypto.dylib` is never named:
    loading it ends the process.
    """
    chosen = environ.get(LIBRARY_VARIABLE)
    if chosen:
        yield chosen
        return
    places = _darwin_places() if sys.platform == "darwin" else _linux_places()
    seen: set[str] = set()
    for place in places:
        if place not in seen:
            seen.add(place)
            yield place


def _linux_places() -> Iterator[str]:
    found = ctypes.util.find_library("crypto")
    if found:
        yield found
    for name in ("libcrypto.so.3", "libcrypto.so.4"):
        yield name
        beside = Path(sys.prefix, "lib", name)
        if beside.exists():
            yield str(beside)


def _darwin_places() -> Iterator[str]:
    prefixes = (
        "/opt/homebrew/opt/openssl@3",
        "/opt/homebrew/opt/openssl",
        "/usr/local/opt/openssl@3",
        "/usr/local/opt/openssl",
        "/opt/local/libexec/openssl3",
        sys.prefix,
    )
    for prefix in prefixes:
        for name in ("libcrypto.3.dylib", "libcrypto.4.dylib"):
            path = Path(prefix, "lib", name)
            if path.exists():
                yield str(path)


def build_key_params(point: bytes, scalar: bytes | None = None) -> tuple[ctypes.Array[Param], list[Any]]:
    """Lay out the `OSSL_PARAM` array of a key; the second value owns the memory it points to.

    The scalar's copy is the last of the owned buffers; the caller wipes it.
    """
    owned: list[Any] = [
        ctypes.create_string_buffer(b"SM2", 4),
        ctypes.create_string_buffer(point, len(point)),
    ]
    rows = [(b"group", _UTF8_STRING, 3), (b"pub", _OCTET_STRING, len(point))]
    if scalar is not None:
        native = scalar if sys.byteorder == "big" else scalar[::-1]
        owned.append(ctypes.create_string_buffer(native, len(native)))
        rows.append((b"priv", _UNSIGNED_INTEGER, len(native)))
    array = (Param * (len(rows) + 1))()
    for index, ((key, kind, size), buffer) in enumerate(zip(rows, owned, strict=True)):
        array[index] = Param(key, kind, ctypes.addressof(buffer), size, 0)
    return array, owned
