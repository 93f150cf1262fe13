"""The form in which a resource's description is sent, answered, kept as a revision, exported and imported."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from pydantic import BaseModel, ConfigDict

from core.caller import OrganisationCode
from exchange.catalogue.metadata import FormatClass, Metadata, OpenType, ShareMethod
from exchange.catalogue.model import CheckRule, Item, Resource, ShareType, Theme, UpdateCycle


class ItemIn(BaseModel):
    """A data item to register; see `exchange.catalogue.formats` for `format`."""

    model_config = ConfigDict(extra="forbid")

    name: str
    title: str
    format: str
    is_key: bool = False
    is_required: bool = False
    share_type: ShareType = ShareType.CONDITIONAL
    share_basis: str = ""
    code_list: str | None = None
    check_rule: CheckRule | None = None
    is_sensitive: bool = False
    title_en: str = ""
    description: str = ""
    element: str | None = None
    source_system: str = ""
    source_item: str = ""
    update_cycle: UpdateCycle | None = None
    is_authoritative: bool = False
    is_incremental: bool = False
    is_open: bool = False


class MetadataIn(BaseModel):
    """Core metadata of a resource; see `exchange.catalogue.metadata.Metadata`."""

    model_config = ConfigDict(extra="forbid")

    title_en: str = ""
    aliases: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    classification_code: str = ""
    classification_titles: tuple[str, ...] = ()
    format_class: FormatClass = FormatClass.DATABASE
    format_type: str = ""
    share_methods: tuple[ShareMethod, ...] = ()
    open_type: OpenType = OpenType.NONE
    open_condition: str = ""
    related_codes: tuple[str, ...] = ()
    office: str = ""
    business: str = ""
    data_range: str = ""
    source_system: str = ""
    legal_basis: str = ""
    contact_name: str = ""
    contact_phone: str = ""


class DescriptionIn(BaseModel):
    """The whole description of a resource."""

    model_config = ConfigDict(extra="forbid")

    code: str
    title: str
    summary: str = ""
    theme: Theme
    update_cycle: UpdateCycle
    items: list[ItemIn]
    external_codes: dict[str, str] = {}
    metadata: MetadataIn = MetadataIn()


def build_resource(body: DescriptionIn, *, provider_code: OrganisationCode) -> Resource:
    """Make the resource of `provider_code` that a description tells of."""
    return Resource(
        code=body.code,
        title=body.title,
        summary=body.summary,
        theme=body.theme,
        provider_code=provider_code,
        update_cycle=body.update_cycle,
        items=tuple(Item(**item.model_dump()) for item in body.items),
        external_codes=dict(body.external_codes),
        metadata=Metadata(**body.metadata.model_dump()),
    )


def describe(resource: Resource) -> dict[str, Any]:
    """Write a resource's description, as JSON; `DescriptionIn` reads it back to the same resource."""
    return {
        "code": resource.code,
        "title": resource.title,
        "summary": resource.summary,
        "theme": str(resource.theme),
        "update_cycle": str(resource.update_cycle),
        "metadata": describe_metadata(resource.metadata),
        "items": [describe_item(item) for item in resource.items],
        "external_codes": dict(resource.external_codes),
    }


def describe_metadata(metadata: Metadata) -> dict[str, Any]:
    """Write all metadata as JSON."""
    return {
        name: [str(each) for each in value] if isinstance(value, tuple) else str(value)
        for name, value in asdict(metadata).items()
    }


def describe_item(item: Item) -> dict[str, Any]:
    """Write an item as JSON."""
    return {each.name: getattr(item, each.name) for each in fields(Item) if each.compare}
