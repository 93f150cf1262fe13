"""HTTP for connectors: requests that give up in time, bodies made of templates, answers of bounded size."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

import httpx

from connectors.errors import TerminalError, TransientError

_HOLE: Final = re.compile(r"\{\{(?P<name>[A-Za-z0-9_.-]+)\}\}")
_PASSING: Final = {408, 425, 429, 500, 502, 503, 504}


def open_http(*, timeout_s: float) -> httpx.Client:
    """Make a client that follows no redirects, which would carry credentials elsewhere."""
    return httpx.Client(timeout=timeout_s, follow_redirects=False)


def send(
    client: httpx.Client, request: httpx.Request, auth: httpx.Auth | None, *, max_bytes: int
) -> httpx.Response:
    """Send a request and return the answer, read whole.

    Raises TransientError where waiting may help, TerminalError where it cannot; neither repeats the answer.
    """
    request.extensions.setdefault("timeout", client.timeout.as_dict())
    try:
        answer = client.send(request, auth=auth, stream=True)
        try:
            _require_success(answer)
            pieces, size = [], 0
            for piece in answer.iter_bytes():
                size += len(piece)
                if size > max_bytes:
                    msg = f"an answer is larger than {max_bytes} bytes; ask for smaller pages"
                    raise TerminalError(msg)
                pieces.append(piece)
        finally:
            answer.close()
    except httpx.TransportError as trouble:
        msg = f"{request.url.host} does not answer ({type(trouble).__name__})"
        raise TransientError(msg) from trouble
    except httpx.DecodingError as trouble:
        msg = f"{request.url.host} answers with an encoding that does not fit"
        raise TransientError(msg) from trouble
    headers = [(k, v) for k, v in answer.headers.items() if k not in {"content-encoding", "content-length"}]
    return httpx.Response(answer.status_code, headers=headers, content=b"".join(pieces), request=request)


def _require_success(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    host, status = answer.request.url.host, answer.status_code
    if answer.is_redirect:
        msg = f"{host} sends us to another address ({status}); give that one"
        raise TerminalError(msg)
    if status in _PASSING:
        msg = f"{host} answers {status}"
        raise TransientError(msg)
    hint = "; check the credentials" if status in {401, 403} else ""
    msg = f"{host} refuses with {status}{hint}"
    raise TerminalError(msg)


def fill_template(template: str, values: Mapping[str, str], kind: str) -> tuple[str, set[str]]:
    """Put values where a template says `{{name}}`, escaped for its kind; return it and the names that stood.

    Raises TerminalError for a name that has no value.
    """
    used: set[str] = set()

    def put(found: re.Match[str]) -> str:
        name = found["name"]
        if name not in values:
            msg = f"body: there is no value for {name}; there are {', '.join(sorted(values)) or 'none'}"
            raise TerminalError(msg)
        used.add(name)
        return _escape(values[name], kind)

    return _HOLE.sub(put, template), used


def _escape(value: Any, kind: str) -> str:
    text = str(value)
    if kind == "xml":
        return escape(text, {'"': "&quot;", "'": "&apos;"})
    return quote_plus(text) if kind == "form" else json.dumps(text, ensure_ascii=False)[1:-1]
