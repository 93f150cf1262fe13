"""Routes that publish what others need to trust this hub: certificates and revocation lists, to anyone."""

from fastapi import APIRouter, Response

from core.pki.service import PkiService

CERTIFICATE = "application/pkix-cert"
CRL = "application/pkix-crl"
PEM = "application/x-pem-file"


def build_router(*, pki: PkiService) -> APIRouter:
    """Build the routes over `pki`."""
    router = APIRouter(prefix="/v1/trust", tags=["trust"])

    @router.get("/root.pem", response_class=Response)
    async def root_pem() -> Response:
        """The root certificate, as PEM: all that offline verification needs."""
        return Response(pki.root.pem, media_type=PEM)

    @router.get("/chain.pem", response_class=Response)
    async def chain_pem() -> Response:
        """The issuing authority's certificate and the root's, as PEM."""
        return Response(pki.issuing.pem + pki.root.pem, media_type=PEM)

    @router.get("/root.cer", response_class=Response)
    async def root() -> Response:
        """The root certificate, as DER (RFC 2585)."""
        return Response(pki.root.der, media_type=CERTIFICATE)

    @router.get("/root.crl", response_class=Response)
    async def root_crl() -> Response:
        """The root's revocation list, as DER (RFC 5280 5)."""
        return Response(await pki.build_root_crl(), media_type=CRL)

    @router.get("/issuing.cer", response_class=Response)
    async def issuing() -> Response:
        """The issuing authority's certificate, as DER (RFC 2585)."""
        return Response(pki.issuing.der, media_type=CERTIFICATE)

    @router.get("/issuing.crl", response_class=Response)
    async def crl() -> Response:
        """The issuing authority's revocation list, as DER (RFC 5280 5)."""
        return Response(await pki.build_crl(), media_type=CRL)

    return router
