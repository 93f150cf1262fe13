"""Signed data after GB/T 35275 (and, in the same shape, RFC 5652): make, read, verify."""

from signing.cms.making import (
    basic_attributes as basic_attributes,
)
from signing.cms.making import (
    build_message as build_message,
)
from signing.cms.making import (
    build_signed_data as build_signed_data,
)
from signing.cms.model import (
    DATA_OIDS as DATA_OIDS,
)
from signing.cms.model import (
    RAW_SIGNATURE_BYTES as RAW_SIGNATURE_BYTES,
)
from signing.cms.model import (
    SIGNED_DATA_OIDS as SIGNED_DATA_OIDS,
)
from signing.cms.model import (
    Attribute as Attribute,
)
from signing.cms.model import (
    SignedData as SignedData,
)
from signing.cms.model import (
    SignerInfo as SignerInfo,
)
from signing.cms.model import (
    VerifiedSigner as VerifiedSigner,
)
from signing.cms.reading import (
    MAX_SIGNED_DATA_BYTES as MAX_SIGNED_DATA_BYTES,
)
from signing.cms.reading import (
    parse_signed_data as parse_signed_data,
)
from signing.cms.reading import (
    read_attributes as read_attributes,
)
from signing.cms.reading import (
    signed_data_from_node as signed_data_from_node,
)
from signing.cms.verifying import (
    require_no_attributes as require_no_attributes,
)
from signing.cms.verifying import (
    verify_signed_data as verify_signed_data,
)
