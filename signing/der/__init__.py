"""Strict DER: elements by byte range (`elements`), values (`values`), and writing (`writing`)."""

from signing.der.elements import (
    MAX_CHILDREN as MAX_CHILDREN,
)
from signing.der.elements import (
    MAX_DEPTH as MAX_DEPTH,
)
from signing.der.elements import (
    Node as Node,
)
from signing.der.elements import (
    Reader as Reader,
)
from signing.der.elements import (
    Tag as Tag,
)
from signing.der.elements import (
    context as context,
)
from signing.der.elements import (
    element_at as element_at,
)
from signing.der.elements import (
    parse_der as parse_der,
)
from signing.der.elements import (
    tag_name as tag_name,
)
from signing.der.values import (
    MAX_ARC_BYTES as MAX_ARC_BYTES,
)
from signing.der.values import (
    MAX_INTEGER_BYTES as MAX_INTEGER_BYTES,
)
from signing.der.values import (
    MAX_OID_BYTES as MAX_OID_BYTES,
)
from signing.der.values import (
    STRING_TAGS as STRING_TAGS,
)
from signing.der.values import (
    oid_from_content as oid_from_content,
)
from signing.der.values import (
    read_bit_string as read_bit_string,
)
from signing.der.values import (
    read_bits as read_bits,
)
from signing.der.values import (
    read_boolean as read_boolean,
)
from signing.der.values import (
    read_integer as read_integer,
)
from signing.der.values import (
    read_named_bits as read_named_bits,
)
from signing.der.values import (
    read_null as read_null,
)
from signing.der.values import (
    read_octet_string as read_octet_string,
)
from signing.der.values import (
    read_oid as read_oid,
)
from signing.der.values import (
    read_string as read_string,
)
from signing.der.values import (
    read_time as read_time,
)
from signing.der.writing import (
    bit_string as bit_string,
)
from signing.der.writing import (
    boolean as boolean,
)
from signing.der.writing import (
    encode as encode,
)
from signing.der.writing import (
    enumerated as enumerated,
)
from signing.der.writing import (
    explicit as explicit,
)
from signing.der.writing import (
    generalized_time as generalized_time,
)
from signing.der.writing import (
    ia5 as ia5,
)
from signing.der.writing import (
    implicit as implicit,
)
from signing.der.writing import (
    integer as integer,
)
from signing.der.writing import (
    named_bits as named_bits,
)
from signing.der.writing import (
    null as null,
)
from signing.der.writing import (
    octet_string as octet_string,
)
from signing.der.writing import (
    oid as oid,
)
from signing.der.writing import (
    printable as printable,
)
from signing.der.writing import (
    sequence as sequence,
)
from signing.der.writing import (
    set_of as set_of,
)
from signing.der.writing import (
    time as time,
)
from signing.der.writing import (
    utc_time as utc_time,
)
from signing.der.writing import (
    utf8 as utf8,
)
