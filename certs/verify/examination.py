"""What all signatures of one document body are examined against; each file of it is read once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from certs.ofd.package import Body
from certs.verify.coverage import find_reachable
from certs.verify.package import OpenDocument
from certs.verify.signature_files import SignatureDescription, SignatureEntry, read_description
from signing.errors import ShuzhengError
from signing.trust import TrustPolicy


@dataclass(slots=True, kw_only=True)
class Examination:
    """A document body under examination: its signatures in their order, what is trusted, and the moment."""

    document: OpenDocument
    body: Body
    entries: tuple[SignatureEntry, ...]
    trust: TrustPolicy
    at: datetime
    _descriptions: dict[str, SignatureDescription | ShuzhengError] = field(default_factory=dict)
    _reachable: frozenset[str] | None = None
    _content: frozenset[str] | None = None
    _page_ids: frozenset[str] | None = None

    @property
    def signatures_path(self) -> str:
        """Where the list of signatures lies; empty where there is none."""
        return self.body.signatures_path or ""

    @property
    def reachable(self) -> frozenset[str]:
        """All files that can be reached from OFD.xml."""
        if self._reachable is None:
            self._reachable = find_reachable(self.document.paths, self.document.read)
        return self._reachable

    @property
    def content(self) -> frozenset[str]:
        """The files that can be reached without going through the list of signatures."""
        if self._content is None:
            paths = self.document.paths - {self.signatures_path}
            self._content = find_reachable(paths, self.document.read)
        return self._content

    @property
    def page_ids(self) -> frozenset[str]:
        """The IDs of the pages of the body."""
        if self._page_ids is None:
            self._page_ids = self.document.page_ids(self.body)
        return self._page_ids

    def description(self, path: str) -> SignatureDescription:
        """Read the description of a signature. Raises ShuzhengError."""
        if path not in self._descriptions:
            try:
                self._descriptions[path] = read_description(self.document.xml(path), path=path)
            except ShuzhengError as error:
                self._descriptions[path] = error
        found = self._descriptions[path]
        if isinstance(found, ShuzhengError):
            raise found
        return found
