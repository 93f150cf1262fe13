"""Certificate types (证照类型): what may be issued, to whom, with which items (GB/T 36902-2018)."""

from certs.types.model import CertificateItem as CertificateItem
from certs.types.model import CertificateType as CertificateType
from certs.types.model import HolderCategory as HolderCategory
from certs.types.model import HolderCodeType as HolderCodeType
