"""Who may speak to the desk: a middleware that answers before any page does.

- Host: a page elsewhere whose name is made to point at this machine (DNS rebinding) is refused. An
  address written in numbers cannot be rebound, and names are those the desk was told of.
- Origin: whatever changes something must come from a page of the desk itself.
- Token: where the desk listens to more than this machine, the printed address holds a random
  token; the browser keeps it in a cookie that no other site can use.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "croplayer_desk"
_SAFE = ("GET", "HEAD")
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?")
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Guard:
    """The middleware.

    Parameters
    ----------
    app : what it guards.
    token : required of every request if given.
    names : host names by which the desk may be called, besides `localhost`.
    loopback_only : accept no address but those of this machine.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None = None,
        names: Collection[str] = (),
        loopback_only: bool = True,
    ) -> None:
        self._app, self._token = app, token
        self._names = {"localhost", *(name.lower().rstrip(".") for name in names)}
        self._loopback_only = loopback_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            status, text = refusal
            await PlainTextResponse(text + "\n", status)(scope, receive, _with_headers(send))
            return
        cookie = self._new_cookie(scope)
        await self._app(scope, receive, _with_headers(send, cookie))

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """(status, why) if the request is not answered."""
        host = headers.get("host", "")
        if not self._known_host(host):
            return 421, "The desk does not go by this name. Use the address that it printed."
        if scope["method"] not in _SAFE:
            if not _same_origin(headers, host):
                return 403, "This request does not come from a page of the desk."
            if headers.get("content-type", "").split(";")[0].strip() != "application/json":
                return 415, "Requests must be JSON."
        elif headers.get("sec-fetch-site") == "cross-site" and not _is_page(headers):
            return 403, "This request does not come from a page of the desk."
        if self._token is not None and not (self._cookie_fits(headers) or self._told(scope)):
            return 401, "Open the desk with the whole address that it printed: it holds a token."
        return None

    def _known_host(self, host: str) -> bool:
        name = host_name(host)
        if name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self._loopback_only

    def _cookie_fits(self, headers: Headers) -> bool:
        try:
            jar = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        given = jar[COOKIE].value if COOKIE in jar else ""
        return secrets.compare_digest(given.encode(), (self._token or "").encode())

    def _told(self, scope: Scope) -> bool:
        """Whether the page's own address holds the token; nothing else may be asked for so."""
        if scope["path"] != "/" or scope["method"] not in _SAFE:
            return False
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        return secrets.compare_digest(given.encode(), (self._token or "").encode())

    def _new_cookie(self, scope: Scope) -> str | None:
        if self._token is None or not self._told(scope):
            return None
        return f"{COOKIE}={self._token}; HttpOnly; SameSite=Strict; Path=/"


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets, in lower case; "" if it is none."""
    found = _HOST.fullmatch(host.lower())
    return found["name"].strip("[]").rstrip(".") if found else ""


def _same_origin(headers: Headers, host: str) -> bool:
    origin = headers.get("origin", "")
    scheme, found, rest = origin.partition("://")
    return bool(found) and scheme in ("http", "https") and rest.lower() == host.lower()


def _is_page(headers: Headers) -> bool:
    """Whether a person follows a link to the desk, which any page may hold."""
    return headers.get("sec-fetch-mode") == "navigate"


def _with_headers(send: Send, cookie: str | None = None) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("cache-control", "no-store")
            if cookie:
                headers.append("set-cookie", cookie)
        await send(message)

    return sending
