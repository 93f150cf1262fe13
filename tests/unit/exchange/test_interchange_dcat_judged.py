"""Our DCAT as others' software sees it: rdflib and PyLD read one graph, pySHACL finds DCAT's demands met."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pyshacl
import pytest
import rdflib
from pyld import jsonld
from rdflib.compare import isomorphic
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDF, SKOS

from core.caller import OrganisationCode
from exchange.catalogue.metadata import Metadata
from exchange.catalogue.model import Resource
from exchange.codes.model import Code, CodeList
from exchange.codes.wire import NamedCodeListIn
from exchange.interchange.dcat_read import read_dcat
from exchange.interchange.dcat_write import write_dcat
from exchange.interchange.model import Document
from exchange.standards.schemas import STANDARD_SCHEMAS

# rdflib and pySHACL announce their own deprecations.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
PROVIDER = OrganisationCode("11990000MA0000019X")
# What DCAT 3 demands of the classes' properties (ranges), and the mandatory ones of its application profiles.
SHAPES = """
@prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix dcat: <http://www.w3.org/ns/dcat#> .
@prefix dct: <http://purl.org/dc/terms/> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix adms: <http://www.w3.org/ns/adms#> .
@prefix vcard: <http://www.w3.org/2006/vcard/ns#> .
@prefix csvw: <http://www.w3.org/ns/csvw#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix : <urn:shapes:> .

:Catalog a sh:NodeShape ; sh:targetClass dcat:Catalog ; sh:nodeKind sh:IRI ;
  sh:property [ sh:path dct:title ; sh:minCount 1 ; sh:datatype rdf:langString ; sh:uniqueLang true ] ,
    [ sh:path dct:description ; sh:minCount 1 ] ,
    [ sh:path dcat:dataset ; sh:minCount 1 ; sh:class dcat:Dataset ] .
:Dataset a sh:NodeShape ; sh:targetClass dcat:Dataset ; sh:nodeKind sh:IRI ;
  sh:property [ sh:path dct:identifier ; sh:minCount 1 ; sh:maxCount 1 ] ,
    [ sh:path dct:title ; sh:minCount 1 ; sh:datatype rdf:langString ; sh:uniqueLang true ] ,
    [ sh:path dct:description ; sh:minCount 1 ; sh:datatype rdf:langString ] ,
    [ sh:path dct:publisher ; sh:minCount 1 ; sh:maxCount 1 ; sh:class foaf:Agent ] ,
    [ sh:path dcat:theme ; sh:minCount 1 ; sh:class skos:Concept ] ,
    [ sh:path dct:accrualPeriodicity ; sh:maxCount 1 ; sh:class dct:Frequency ] ,
    [ sh:path dct:accessRights ; sh:maxCount 1 ; sh:class dct:RightsStatement ] ,
    [ sh:path dct:issued ; sh:maxCount 1 ; sh:datatype xsd:dateTime ] ,
    [ sh:path dcat:contactPoint ; sh:class vcard:Kind ] ,
    [ sh:path adms:identifier ; sh:class adms:Identifier ] ,
    [ sh:path dct:relation ; sh:nodeKind sh:IRI ] ,
    [ sh:path dcat:distribution ; sh:minCount 1 ; sh:class dcat:Distribution ] .
:Distribution a sh:NodeShape ; sh:targetClass dcat:Distribution ;
  sh:property [ sh:path dcat:accessURL ; sh:minCount 1 ; sh:nodeKind sh:IRI ] ,
    [ sh:path dcat:mediaType ; sh:maxCount 1 ; sh:nodeKind sh:IRI ] ,
    [ sh:path csvw:tableSchema ; sh:minCount 1 ; sh:class csvw:Schema ] .
:Column a sh:NodeShape ; sh:targetClass csvw:Column ;
  sh:property [ sh:path csvw:name ; sh:minCount 1 ; sh:maxCount 1 ; sh:datatype xsd:string ] ,
    [ sh:path csvw:required ; sh:maxCount 1 ; sh:datatype xsd:boolean ] .
:Scheme a sh:NodeShape ; sh:targetClass skos:ConceptScheme ; sh:nodeKind sh:IRI ;
  sh:property [ sh:path dct:title ; sh:minCount 1 ; sh:datatype rdf:langString ; sh:uniqueLang true ] .
:InScheme a sh:NodeShape ; sh:targetSubjectsOf skos:inScheme ; sh:class skos:Concept ;
  sh:property [ sh:path skos:inScheme ; sh:class skos:ConceptScheme ] ,
    [ sh:path skos:notation ; sh:minCount 1 ; sh:maxCount 1 ] ,
    [ sh:path skos:prefLabel ; sh:uniqueLang true ] .
:Agent a sh:NodeShape ; sh:targetClass foaf:Agent ; sh:property [ sh:path foaf:name ; sh:minCount 1 ] .
"""


STREETS = CodeList(
    name="streets",
    title="街道",
    source="示例市街道编码(2026)",
    codes=(
        Code(code="02", title="西街"),
        Code(code="01", title="东街", is_retired=True),
        Code(code="#/", title="桥"),
    ),
)
FOREIGN_LIST = """
@prefix dcat: <http://www.w3.org/ns/dcat#> .
@prefix dct: <http://purl.org/dc/terms/> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix : <https://elsewhere.test/> .

:set a dcat:Dataset ; dct:identifier "set" ; dct:title "某集"@zh .
:colours a skos:ConceptScheme ; dct:identifier "colours" ; skos:prefLabel "Colours"@en , "颜色"@zh ;
  skos:hasTopConcept :blue .
:blue a skos:Concept ; skos:notation "3" ; skos:prefLabel "blue"@en , "蓝"@zh .
:red a skos:Concept ; skos:notation "1" ; skos:prefLabel "红"@zh ; skos:inScheme :colours .
:green a skos:Concept ; skos:notation "2" ; skos:prefLabel "绿"@zh ; skos:topConceptOf :colours ;
  owl:deprecated true .
:unnamed a skos:ConceptScheme ; skos:prefLabel "Themes"@en .
"""


def catalogue() -> bytes:
    made: list[Resource] = [schema.build(provider_code=PROVIDER) for schema in STANDARD_SCHEMAS.values()]
    metadata = Metadata(
        title_en="Population",
        aliases=("人口库",),
        labels=("人口", "户籍"),
        related_codes=("fr_jbxx",),
        contact_name="王数据",
        contact_phone="0000-0000000",
        classification_titles=("基础", "人口"),
    )
    rich = Resource(
        code="rich",
        title="人口信息",
        summary="摘要",
        theme=made[0].theme,
        provider_code=PROVIDER,
        update_cycle=made[0].update_cycle,
        items=made[0].items,
        external_codes={"national": "307001/00001"},
        metadata=metadata,
        published_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    now = datetime(2026, 1, 2, tzinfo=UTC)
    providers = {PROVIDER: "示例市局"}
    return write_dcat([*made, rich], [STREETS], public_url="https://hub.test", providers=providers, at=now)


def graph_of(data: bytes) -> rdflib.Graph:
    return rdflib.Graph().parse(data=data.decode(), format="json-ld")


def test_rdflib_finds_every_dataset_with_its_title_publisher_and_columns() -> None:
    graph = graph_of(catalogue())
    datasets = list(graph.subjects(RDF.type, DCAT.Dataset))
    assert len(datasets) == len(STANDARD_SCHEMAS) + 1
    titles = {
        str(graph.value(each, DCTERMS.identifier)): graph.value(each, DCTERMS.title) for each in datasets
    }
    assert str(titles["rk_jbxx"]) == "人口基本信息"
    assert {str(name) for name in graph.objects(None, FOAF.name)} == {"示例市局"}
    columns = list(graph.subjects(RDF.type, rdflib.URIRef("http://www.w3.org/ns/csvw#Column")))
    assert len(columns) == sum(len(s.items) for s in STANDARD_SCHEMAS.values()) + len(
        STANDARD_SCHEMAS["rk_jbxx"].items
    )


def test_rdflib_and_pyld_read_the_same_graph() -> None:
    quads = jsonld.to_rdf(json.loads(catalogue()), {"format": "application/n-quads"})
    other = rdflib.Graph().parse(data=quads, format="nt")
    assert isomorphic(graph_of(catalogue()), other)


def test_shapes_of_dcat_hold_and_notice_what_is_missing() -> None:
    graph = graph_of(catalogue())
    shapes = rdflib.Graph().parse(data=SHAPES, format="turtle")
    conforms, _, report = pyshacl.validate(graph, shacl_graph=shapes)
    assert conforms, report
    for predicate in (DCTERMS.publisher, DCAT.accessURL, DCTERMS.title):
        poorer = rdflib.Graph() + graph
        poorer.remove((None, predicate, None))
        assert not pyshacl.validate(poorer, shacl_graph=shapes)[0]


@pytest.mark.parametrize("shape", ["expanded", "flattened", "compacted elsewhere", "rdflib"])
def test_document_that_another_tool_wrote_anew_reads_back_the_same(shape: str) -> None:
    data = catalogue()
    document: Any = json.loads(data)
    again: Any = {
        "expanded": lambda: jsonld.expand(document),
        "flattened": lambda: jsonld.flatten(document),
        "compacted elsewhere": lambda: jsonld.compact(document, {"t": "http://purl.org/dc/terms/title"}),
        "rdflib": lambda: json.loads(graph_of(data).serialize(format="json-ld")),
    }[shape]()
    read, wanted = read_dcat(json.dumps(again).encode()), read_dcat(data)
    assert describe(read) == describe(wanted)


def describe(document: Document) -> tuple[dict[str, Any], dict[str, Any]]:
    return (
        {each.description["code"]: each.description for each in document.entries},
        {each.description["name"]: each.description for each in document.code_lists},
    )


def test_code_lists_are_concept_schemes_and_come_back_as_they_were() -> None:
    graph = graph_of(catalogue())
    (scheme,) = graph.subjects(RDF.type, SKOS.ConceptScheme)
    notations = {str(graph.value(each, SKOS.notation)) for each in graph.subjects(SKOS.inScheme, scheme)}
    assert notations == {each.code for each in STREETS.codes}
    (entry,) = read_dcat(catalogue()).code_lists
    assert NamedCodeListIn.model_validate(entry.description).build("streets") == STREETS


def test_code_list_of_another_catalogue_is_read_in_the_order_of_its_notations() -> None:
    graph = rdflib.Graph().parse(data=FOREIGN_LIST, format="turtle")
    found = read_dcat(graph.serialize(format="json-ld").encode())
    assert [each.description for each in found.code_lists] == [
        {
            "name": "colours",
            "title": "颜色",
            "codes": [
                {"code": "1", "title": "红"},
                {"code": "2", "title": "绿", "is_retired": True},
                {"code": "3", "title": "蓝"},
            ],
        }
    ]
