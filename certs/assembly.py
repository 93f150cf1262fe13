"""Put the services of certificates together, and their routes: what an application wires in two calls."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter

import certs.face.api
import certs.issue.api
import certs.issue.batch_api
import certs.present.api
import certs.present.lists_api
import certs.preview.api
import certs.seals.api
import certs.seals.sign_api
import certs.sharing.api
import certs.types.api
import certs.use.api
import certs.use.more_api
import certs.use.statement_api
import certs.verify.api
from certs.authorise.listing import ListingService
from certs.authorise.service import AuthoriseService
from certs.copies.model import Annotate
from certs.copies.service import CopyService
from certs.face.public import PublicService
from certs.face.signer import FaceSigner
from certs.issue.batch import BatchIssuer
from certs.issue.lifecycle import LifecycleService
from certs.issue.orphans import OrphanCollector
from certs.issue.production import LayOut, Produce
from certs.issue.rows import ReadRow
from certs.issue.service import IssueService
from certs.ofd.font_search import FontShelf, load_fonts
from certs.present.service import PresentService
from certs.preview.service import PreviewService
from certs.seals.make import DrawPicture
from certs.seals.service import SealService
from certs.seals.stamping import StampService
from certs.seals.timestamps import SealTimeStamps
from certs.sharing.service import SharingService
from certs.types.service import TypeService
from certs.use.held import HeldService
from certs.use.service import UseService
from certs.use.verdict import StatementService
from certs.verify.service import VerifyService
from core.database import Database
from core.http.authentication import Authentication
from core.log.writer import LogWriter
from core.objects import ObjectStore
from core.pki.service import PkiService


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateServices:
    """Everything that certificates need in a running hub."""

    types: TypeService
    seals: SealService
    stamping: StampService
    issue: IssueService
    batch: BatchIssuer
    orphans: OrphanCollector
    lifecycle: LifecycleService
    use: UseService
    held: HeldService
    previews: PreviewService
    statements: StatementService
    copies: CopyService
    authorise: AuthoriseService
    listing: ListingService
    present: PresentService
    public: PublicService
    public_url: str
    verify: VerifyService


def assemble(
    *,
    database: Database,
    objects: ObjectStore,
    log: LogWriter,
    pki: PkiService,
    public_url: str,
    now: Callable[[], datetime],
    produce: Produce,
    draw_picture: DrawPicture,
    templates: Callable[[], Collection[str]],
    annotate: Annotate,
    lay_out: LayOut | None = None,
    read_row: ReadRow | None = None,
    fonts: Callable[[], FontShelf] = load_fonts,
) -> CertificateServices:
    """Build the services; run `types.install_shipped()` before the first request.

    `produce` makes sealed files, `draw_picture` draws seals, `templates` names layouts, `fonts` finds fonts.
    """
    authorise = AuthoriseService(database=database, log=log, now=now)
    use = UseService(database=database, objects=objects, log=log, authorise=authorise, now=now)
    time_stamps = SealTimeStamps(pki=pki, now=now)
    seals = SealService(database=database, log=log, pki=pki, draw_picture=draw_picture, now=now)
    issue = IssueService(
        database=database,
        objects=objects,
        log=log,
        seals=seals,
        produce=produce,
        public_url=public_url,
        now=now,
        face=FaceSigner(pki=pki, now=now),
        time_stamps=time_stamps,
        lay_out=lay_out,
        read_row=read_row,
    )
    copies = CopyService(
        database=database, objects=objects, log=log, use=use, seals=seals, annotate=annotate, now=now
    )
    return CertificateServices(
        types=TypeService(database=database, log=log, templates=templates),
        seals=seals,
        stamping=StampService(database=database, log=log, seals=seals, time_stamps=time_stamps, now=now),
        issue=issue,
        batch=BatchIssuer(issue),
        orphans=OrphanCollector(database=database, objects=objects, log=log, now=now),
        lifecycle=LifecycleService(database=database, log=log, now=now),
        use=use,
        held=HeldService(database=database, log=log, authorise=authorise, now=now),
        statements=StatementService(database=database, log=log, now=now),
        copies=copies,
        authorise=authorise,
        listing=ListingService(database=database, log=log, now=now),
        present=PresentService(database=database, log=log, authorise=authorise, now=now),
        public=PublicService(database=database, log=log, now=now),
        public_url=public_url,
        previews=PreviewService(use=use, fonts=fonts),
        verify=VerifyService(database=database, log=log, trust=pki.trust_policy, now=now),
    )


def build_busy_routers(
    services: CertificateServices, *, authentication: Authentication, now: Callable[[], datetime]
) -> list[APIRouter]:
    """Build the routes that most calls go to. Routes are tried in order: let these come first."""
    return [
        certs.use.statement_api.build_router(statements=services.statements, authentication=authentication),
        certs.issue.api.build_busy_router(issue=services.issue, authentication=authentication, clock=now),
    ]


def build_routers(
    services: CertificateServices,
    *,
    authentication: Authentication,
    max_certificate_bytes: int,
    now: Callable[[], datetime],
) -> list[APIRouter]:
    """Build the routes of all rooms."""
    sharing = SharingService(
        use=services.use,
        copies=services.copies,
        statements=services.statements,
        verify=services.verify,
        types=services.types,
        previews=services.previews,
        public_url=services.public_url,
        max_file_bytes=max_certificate_bytes,
        now=now,
    )
    return [
        certs.types.api.build_router(types=services.types, authentication=authentication),
        certs.seals.api.build_router(seals=services.seals, authentication=authentication),
        certs.seals.sign_api.build_router(stamping=services.stamping, authentication=authentication),
        certs.preview.api.build_router(previews=services.previews, authentication=authentication),
        certs.issue.batch_api.build_router(
            batch=services.batch, orphans=services.orphans, authentication=authentication, clock=now
        ),
        certs.use.more_api.build_router(
            copies=services.copies,
            use=services.use,
            authentication=authentication,
            public_url=services.public_url,
            clock=now,
        ),
        certs.present.api.build_router(
            authorise=services.authorise,
            present=services.present,
            authentication=authentication,
            clock=now,
        ),
        certs.present.lists_api.build_router(listing=services.listing, authentication=authentication),
        certs.sharing.api.build_router(sharing=sharing, authentication=authentication),
        certs.face.api.build_router(public=services.public),
        certs.use.api.build_router(use=services.use, authentication=authentication, clock=now),
        certs.verify.api.build_router(
            verify=services.verify,
            authentication=authentication,
            max_certificate_bytes=max_certificate_bytes,
        ),
        certs.issue.api.build_router(
            issue=services.issue,
            lifecycle=services.lifecycle,
            authentication=authentication,
            clock=now,
        ),
    ]
