"""The vocabulary of our DCAT documents: prefixes, themes, frequencies.

DCAT 3 (W3C) for catalogue and datasets, Dublin Core terms, ADMS for external codes, vCard for contacts, CSVW
for items, SKOS for code lists. `sz:` holds what none of these has: share types, and the rest of the national
core metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

OWN: Final = "urn:shuzheng:catalogue:"
CONTEXT: Final[Mapping[str, Any]] = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "adms": "http://www.w3.org/ns/adms#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "csvw": "http://www.w3.org/ns/csvw#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "sz": OWN,
}
DCAT: Final = CONTEXT["dcat"]
DCT: Final = CONTEXT["dct"]
FOAF: Final = CONTEXT["foaf"]
VCARD: Final = CONTEXT["vcard"]
ADMS: Final = CONTEXT["adms"]
SKOS: Final = CONTEXT["skos"]
CSVW: Final = CONTEXT["csvw"]
OWL: Final = CONTEXT["owl"]
FREQUENCY: Final = "http://purl.org/cld/freq/"

# Update cycle → term of the Dublin Core collection frequency vocabulary; "never" has none there.
FREQUENCIES: Final[Mapping[str, str]] = {
    "realtime": FREQUENCY + "continuous",
    "daily": FREQUENCY + "daily",
    "weekly": FREQUENCY + "weekly",
    "monthly": FREQUENCY + "monthly",
    "quarterly": FREQUENCY + "quarterly",
    "half_yearly": FREQUENCY + "semiannual",
    "yearly": FREQUENCY + "annual",
    "irregular": FREQUENCY + "irregular",
    "never": OWN + "cycle:never",
}
# Last parts of the frequency terms that other catalogues use (Dublin Core; the EU's authority table).
FOREIGN_CYCLES: Final[Mapping[str, str]] = {
    "continuous": "realtime",
    "cont": "realtime",
    "update_cont": "realtime",
    "daily": "daily",
    "weekly": "weekly",
    "monthly": "monthly",
    "quarterly": "quarterly",
    "semiannual": "half_yearly",
    "annual_2": "half_yearly",
    "annual": "yearly",
    "irregular": "irregular",
    "irreg": "irregular",
    "never": "never",
}
# Metadata that has a term of its own in the standard vocabularies; the rest is written under `sz:`.
STANDARD_METADATA: Final = frozenset(
    {"title_en", "aliases", "labels", "related_codes", "contact_name", "contact_phone"}
)
# Fields of items that CSVW or Dublin Core name; the rest is written under `sz:`.
STANDARD_ITEM: Final = frozenset({"name", "title", "title_en", "description", "is_required"})
