"""Packages made to exhaust or mislead a reader, each with the codes that must refuse or report it.

`CASES` maps a name to what builds the octets and to the codes of which one must come out; `HEAVY` names
those that take long to build. `python -m tests.fuzz.run_hostile` measures what each costs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.fuzz.hostile import containers, markup, signatures
from tests.fuzz.hostile.build import PAGE, Case
from tests.unit.certs.packages import LIST, pack


def case(build: Callable[[], bytes], *codes: str) -> Case:
    return Case(build, frozenset(codes))


CASES: Final[dict[str, Case]] = {
    "bomb by ratio": case(containers.bomb_by_ratio, "E101"),
    "bomb under a small claim": case(containers.bomb_under_a_small_claim, "E100"),
    "bomb by number": case(containers.bomb_by_number, "E101"),
    "overlapping entries": case(containers.overlapping_entries, "E102", "E103"),
    "65,535 entries": case(lambda: containers.many_entries(65_535), "E101"),
    "700,000 entries": case(lambda: containers.many_entries(700_000), "E100", "E101"),
    "directory of a million": case(containers.directory_alone_of_a_million, "E100", "E101"),
    "8,192 entries": case(lambda: containers.many_entries(8_192), "E104"),
    "end records in the comment": case(containers.end_records_in_the_comment, "E100"),
    "duplicate names": case(containers.duplicate_names, "E102"),
    "names alike but for case": case(containers.names("Doc_0/a.xml", "Doc_0/A.XML"), "E102"),
    "file that is a folder": case(containers.names("Doc_0/Res/font_2.ttf/x"), "E102"),
    "name that climbs": case(containers.names("../../etc/cron.d/x"), "E103"),
    "name from the root": case(containers.names("/etc/passwd"), "E103"),
    "name with a drive": case(containers.names("C:/x"), "E103"),
    "name with a backslash": case(containers.names("Doc_0\\..\\x"), "E103"),
    "name with NUL": case(containers.names("Doc_0/x\0.xml"), "E103"),
    "local header of another name": case(containers.local_header_of_another_name, "E103"),
    "entry between the listed ones": case(containers.entry_between_the_listed_ones, "E103"),
    "encrypted": case(containers.encrypted_flag, "E103"),
    "image of 500 MB": case(containers.image_of_500_mb, "E101"),
    "package of the greatest size": case(containers.package_of_the_greatest_size, "W126"),
    "package over the greatest size": case(containers.package_over_the_greatest_size, "E101"),
    "entities in OFD.xml": case(markup.in_file("OFD.xml", markup.laughs), "E105"),
    "entities in a page": case(markup.in_file(PAGE, markup.laughs), "E105"),
    "entities behind padding": case(markup.in_file("OFD.xml", markup.laughs_behind_padding), "E105"),
    "entities in UTF-16": case(markup.in_file("OFD.xml", markup.laughs_in_utf16), "E105"),
    "external entity": case(markup.in_file(LIST, markup.external_entity), "E105"),
    "nested 500,000 deep": case(markup.in_file("OFD.xml", markup.nested), "E105"),
    "a million elements": case(markup.in_file("OFD.xml", markup.many_elements), "E105"),
    "700,000 attributes": case(markup.in_file("OFD.xml", markup.many_attributes), "E105"),
    "one attribute of 12 MB": case(markup.in_file("OFD.xml", markup.one_attribute), "E105"),
    "XML of 18 MB": case(markup.in_file("OFD.xml", markup.over_the_xml_limit), "E105"),
    "a word without end": case(markup.in_file(PAGE, markup.unclosed_word), "E125"),
    "900,000 words": case(markup.in_file(PAGE, markup.many_words), "E125"),
    "48 MB of words": case(markup.pages_of_words, "W126"),
    "8,100 files in a row": case(markup.many_small_files, "W126"),
    "attribute twice by namespace": case(markup.attribute_twice_by_namespace, "E105"),
    "root that is its own document": case(markup.root_that_is_its_own_document, "E125"),
    "list that is its own description": case(markup.list_that_is_its_own_description, "E120"),
    "pages in a circle": case(markup.pages_in_a_circle, "E125"),
    "bases in a circle": case(markup.bases_in_a_circle, "E180"),
    "location that climbs": case(markup.location_that_climbs, "E112"),
    "location of megabytes": case(markup.location_of_megabytes, "E112"),
    "huge numbers": case(markup.huge_numbers, "W182"),
    "fifty bodies": case(signatures.many_bodies, "E112", "E125"),
    "a hundred signatures": case(lambda: pack(signatures.hundred_signatures()), "E113"),
    "a hundred dear pictures": case(signatures.hundred_dear_pictures, "E113"),
    "picture of 900 million pixels": case(signatures.picture_of_a_billion_pixels, "W169"),
    "19,900 references": case(signatures.references_without_end, "E124"),
    "500,000 references": case(signatures.references_of_a_hundred, "E120"),
    "one description of a hundred": case(signatures.one_description_of_a_hundred, "E112"),
    "2,000 stamps": case(signatures.stamps_without_end, "E181"),
    "value of 40 MB": case(signatures.value_of_40_mb, "E130"),
    "value nested deeply": case(signatures.value_nested_deeply, "E130"),
    "value of 400,000 elements": case(signatures.value_of_many_elements, "E130"),
    "check value of 10 MB": case(signatures.check_value_of_10_mb, "E123", "E124"),
}

HEAVY: Final = frozenset(
    {
        "700,000 entries",
        "directory of a million",
        "package of the greatest size",
        "package over the greatest size",
        "bomb by number",
        "48 MB of words",
        "a hundred dear pictures",
        "a hundred signatures",
        "fifty bodies",
        "value of 40 MB",
    }
)
