"""The rules of GB/T 33190-2016 annex A that documents of ours must keep, as a declarative checker.

Written from the facts of the standard, not from our writer: which elements may stand where and in which
order, which attributes they need, how values look, that every number is given once and every location leads
to a file. The standard's own schema files are in no registry that was looked through: ofdrw's jars and the
wheel easyofd carry none. Where a department has them, they are to be tried in addition.
"""

from __future__ import annotations

import posixpath
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

NS = "{http://www.ofdspec.org/2016}"
NUMBER = r"-?[0-9]+(\.[0-9]+)?"
FORMS = {
    "id": re.compile(r"[1-9][0-9]*"),
    "name": re.compile(r"[A-Za-z_][\w.-]*"),
    "box": re.compile(rf"{NUMBER} {NUMBER} (?!0 |-){NUMBER} (?!0$|-){NUMBER}"),
    "matrix": re.compile(rf"{NUMBER}( {NUMBER}){{5}}"),
    "number": re.compile(NUMBER),
    "flag": re.compile("true|false"),
    "colour": re.compile(r"[0-9]{1,3}( [0-9]{1,3}){2}"),
    "alpha": re.compile(r"[0-9]{1,3}"),
    "deltas": re.compile(rf"(g [0-9]+ {NUMBER}|{NUMBER})( (g [0-9]+ {NUMBER}|{NUMBER}))*"),
    "day": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    "moment": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,}"),
    "text": re.compile(r".*", re.DOTALL),
    "loc": re.compile(r"[^\\]+"),
    "path": re.compile(
        rf"([SML] {NUMBER} {NUMBER}|Q( {NUMBER}){{4}}|B( {NUMBER}){{6}}|A( {NUMBER}){{7}}|C)"
        rf"( ([SML] {NUMBER} {NUMBER}|Q( {NUMBER}){{4}}|B( {NUMBER}){{6}}|A( {NUMBER}){{7}}|C))*"
    ),
    "docid": re.compile(r"[0-9a-f]{32}"),
}


@dataclass(frozen=True)
class Rule:
    """An element: attributes by form (`!` needs it), children in order (`?` `*` `+` after each), its text."""

    attributes: Mapping[str, str] = field(default_factory=dict)
    children: tuple[str, ...] = ()
    text: str | None = None
    numbered: bool = False


GRAPHIC = {"ID": "id!", "Boundary": "box!", "CTM": "matrix", "LineWidth": "number", "Alpha": "alpha"}
OBJECTS = "TextObject|PathObject|ImageObject*"
RULES: dict[str, Rule] = {
    "OFD": Rule({"Version": "number!", "DocType": "name!"}, ("DocBody+",)),
    "DocBody": Rule({}, ("DocInfo", "DocRoot", "Versions?", "Signatures?")),
    "DocInfo": Rule(
        {},
        (
            "DocID",
            "Title?",
            "Author?",
            "Subject?",
            "Abstract?",
            "CreationDate?",
            "ModDate?",
            "DocUsage?",
            "Cover?",
            "Keywords?",
            "Creator?",
            "CreatorVersion?",
            "CustomDatas?",
        ),
    ),
    "DocID": Rule(text="docid"),
    "Title": Rule(text="text"),
    "Author": Rule(text="text"),
    "CreationDate": Rule(text="day"),
    "Creator": Rule(text="text"),
    "CustomDatas": Rule({}, ("CustomData+",)),
    "CustomData": Rule({"Name": "text!"}, text="text"),
    "DocRoot": Rule(text="loc"),
    "Document": Rule(
        {},
        (
            "CommonData",
            "Pages",
            "Outlines?",
            "Permissions?",
            "Actions?",
            "VPreferences?",
            "Bookmarks?",
            "Annotations?",
            "CustomTags?",
            "Attachments?",
            "Extensions?",
        ),
    ),
    "CommonData": Rule(
        {}, ("MaxUnitID", "PageArea", "PublicRes*", "DocumentRes*", "TemplatePage*", "DefaultCS?")
    ),
    "MaxUnitID": Rule(text="id"),
    "PageArea": Rule({}, ("PhysicalBox", "ApplicationBox?", "ContentBox?", "BleedBox?")),
    "PhysicalBox": Rule(text="box"),
    "PublicRes": Rule(text="loc"),
    "DocumentRes": Rule(text="loc"),
    "TemplatePage": Rule({"ID": "id!", "BaseLoc": "loc!", "Name": "text", "ZOrder": "name"}, numbered=True),
    "Pages": Rule({}, ("Page+",)),
    "Pages/Page": Rule({"ID": "id!", "BaseLoc": "loc!"}, numbered=True),
    "Page": Rule({}, ("Template*", "PageRes*", "Area?", "Content", "Actions?")),
    "Template": Rule({"TemplateID": "id!", "ZOrder": "name"}),
    "Content": Rule({}, ("Layer+",)),
    "Layer": Rule({"ID": "id!", "Type": "name", "DrawParam": "id"}, (OBJECTS,), numbered=True),
    "TextObject": Rule(
        GRAPHIC | {"Font": "id!", "Size": "number!", "Weight": "number"},
        ("FillColor?", "StrokeColor?", "TextCode+"),
        numbered=True,
    ),
    "TextCode": Rule({"X": "number!", "Y": "number!", "DeltaX": "deltas", "DeltaY": "deltas"}, text="text"),
    "PathObject": Rule(
        GRAPHIC | {"Stroke": "flag", "Fill": "flag", "Rule": "text"},
        ("StrokeColor?", "FillColor?", "AbbreviatedData"),
        numbered=True,
    ),
    "AbbreviatedData": Rule(text="path"),
    "ImageObject": Rule(GRAPHIC | {"ResourceID": "id!", "CTM": "matrix!"}, numbered=True),
    "FillColor": Rule({"Value": "colour!", "Alpha": "alpha"}),
    "StrokeColor": Rule({"Value": "colour!", "Alpha": "alpha"}),
    "Res": Rule({"BaseLoc": "loc!"}, ("ColorSpaces?", "DrawParams?", "Fonts?", "MultiMedias?")),
    "Fonts": Rule({}, ("Font+",)),
    "Font": Rule(
        {"ID": "id!", "FontName": "text!", "FamilyName": "text", "Bold": "flag"}, ("FontFile",), numbered=True
    ),
    "FontFile": Rule(text="loc"),
    "MultiMedias": Rule({}, ("MultiMedia+",)),
    "MultiMedia": Rule({"ID": "id!", "Type": "name!", "Format": "name"}, ("MediaFile",), numbered=True),
    "MediaFile": Rule(text="loc"),
    "Annotations": Rule({}, ("Page*",)),
    "Annotations/Page": Rule({"PageID": "id!"}, ("FileLoc",)),
    "PageAnnot": Rule({}, ("Annot+",)),
    "Annot": Rule(
        {"ID": "id!", "Type": "name!", "Creator": "text!", "LastModDate": "day!"},
        ("Remark?", "Parameters?", "Appearance"),
        numbered=True,
    ),
    "Remark": Rule(text="text"),
    "Appearance": Rule({"Boundary": "box!"}, (OBJECTS,)),
    "CustomTags": Rule({}, ("CustomTag*",)),
    "CustomTag": Rule({"NameSpace": "text!"}, ("SchemaLoc?", "FileLoc")),
    "FileLoc": Rule(text="loc"),
    "Attachments": Rule({}, ("Attachment*",)),
    "Attachment": Rule(
        {"ID": "name!", "Name": "text!", "Format": "text", "CreationDate": "moment", "Size": "number"},
        ("FileLoc",),
    ),
}
POINTERS = {"Annotations", "CustomTags", "Attachments"}
"""Elements that are a location in Document.xml, and the root of the file it leads to."""


def check_document(files: Mapping[str, bytes]) -> list[str]:
    """Return every breach of the rules; files are by their path in the package."""
    return list(_Checker(files).check())


class _Checker:
    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files
        self._roots = {
            name: ElementTree.fromstring(data) for name, data in files.items() if name.endswith(".xml")
        }
        self._ids: dict[str, str] = {}
        self._reached = {"OFD.xml"}

    def check(self) -> Iterator[str]:
        for name, root in self._roots.items():
            if root.tag.startswith(NS):
                if not self._files[name].startswith(b'<?xml version="1.0" encoding="UTF-8"?>'):
                    yield f"{name}: no declaration in UTF-8"
                yield from self._check_element(root, name, "", is_root=True)
        highest = max((int(each) for each in self._ids if each.isdigit()), default=0)
        limits = [
            int(each.text or 0) for root in self._roots.values() for each in root.iter(f"{NS}MaxUnitID")
        ]
        if limits != [max(limits, default=0)] or max(limits, default=0) < highest:
            yield f"MaxUnitID {limits} is below {highest}"
        yield from self._check_references()
        for name in self._files:
            if name not in self._reached:
                yield f"{name}: no location leads here"

    def _check_element(self, each: Element, file: str, parent: str, *, is_root: bool) -> Iterator[str]:
        tag = each.tag.removeprefix(NS)
        place = f"{file} {parent}/{tag}"
        if tag in POINTERS and not is_root:
            yield from self._follow(each.text or "", file, place)
            return
        rule = RULES.get(f"{parent}/{tag}") or RULES.get(tag)
        if rule is None:
            yield f"{place}: no such element here"
            return
        yield from self._check_attributes(each, rule, place, file)
        yield from _check_order(each, rule, place)
        if rule.text is not None and not FORMS[rule.text].fullmatch(each.text or ""):
            yield f"{place}: its text is not of the form {rule.text}"
        if rule.text == "loc":
            yield from self._follow(each.text or "", file, place)
        if tag == "TextCode":
            yield from _check_advances(each, place)
        for child in each:
            yield from self._check_element(child, file, tag, is_root=False)

    def _check_attributes(self, each: Element, rule: Rule, place: str, file: str) -> Iterator[str]:
        for name, form in rule.attributes.items():
            value = each.get(name)
            if value is None:
                if form.endswith("!"):
                    yield f"{place}: lacks @{name}"
            elif not FORMS[form.rstrip("!")].fullmatch(value):
                yield f"{place}: @{name} is not of the form {form}"
            elif form.startswith("loc") and each.tag != f"{NS}Res":
                yield from self._follow(value, file, place)
        for name in set(each.attrib) - set(rule.attributes):
            yield f"{place}: @{name} has no place here"
        if rule.numbered:
            number = each.get("ID", "")
            if number in self._ids:
                yield f"{place}: ID {number} was given to {self._ids[number]}"
            self._ids[number] = place

    def _follow(self, location: str, file: str, place: str) -> Iterator[str]:
        folder = posixpath.dirname(file)
        if self._roots[file].tag == f"{NS}Res":
            folder = posixpath.join(folder, self._roots[file].get("BaseLoc", ""))
        path = posixpath.normpath(posixpath.join(folder, location)).lstrip("/")
        self._reached.add(path)
        if path not in self._files:
            yield f"{place}: {location} leads nowhere"

    def _check_references(self) -> Iterator[str]:
        kinds = {number: place.rpartition("/")[2] for number, place in self._ids.items()}
        wanted = {"Font": "Font", "ResourceID": "MultiMedia", "TemplateID": "TemplatePage", "PageID": "Page"}
        for file, root in self._roots.items():
            for each in root.iter():
                for attribute, kind in wanted.items():
                    number = each.get(attribute)
                    if number is not None and kinds.get(number) != kind:
                        yield f"{file}: @{attribute} {number} is no {kind}"
                if each.tag == f"{NS}ObjectRef":
                    page, item = each.get("PageRef", ""), each.text or ""
                    if kinds.get(page) != "Page" or not kinds.get(item, "").endswith("Object"):
                        yield f"{file}: a tag names {page}/{item}, which is no object of a page"


def _check_order(each: Element, rule: Rule, place: str) -> Iterator[str]:
    """Hold the children against the rule's order, as a regular expression over their names."""
    pattern = "".join(
        f"((?:{child.rstrip('?*+')}) ){child[-1] if child[-1] in '?*+' else ''}" for child in rule.children
    )
    names = "".join(f"{child.tag.removeprefix(NS)} " for child in each)
    if not re.fullmatch(pattern, names):
        yield f"{place}: its children {names.split()} are not {' '.join(rule.children) or 'none'}"


def _check_advances(code: Element, place: str) -> Iterator[str]:
    """A TextCode of n characters has n-1 advances (11.3)."""
    count, words = 0, iter((code.get("DeltaX") or "").split())
    for word in words:
        if word == "g":
            count += int(next(words))
            next(words)
        else:
            count += 1
    if count != len(code.text or "") - 1:
        yield f"{place}: {count} advances for {len(code.text or '')} characters"
