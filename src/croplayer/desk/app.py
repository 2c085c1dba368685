"""The desk's web application: one page, its data as JSON, and tiles of imagery and masks.

No name from a request ever becomes a path: pages are read into memory when the desk starts, and
blocks, sources, tasks and orders are looked up among those that the province has.
"""

from __future__ import annotations

import logging
import mimetypes
from collections.abc import Callable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cropbase.errors import CropError
from croplayer.desk import views
from croplayer.desk.bodies import AnswerBody, NextBody, OpenBody, UndoBody
from croplayer.desk.province import DeskProvince
from croplayer.desk.security import Guard
from croplayer.desk.tiles import MAX_LEVEL

log = logging.getLogger(__name__)

_MOST_BYTES = 20_000
Body = TypeVar("Body", bound=BaseModel)


def build_app(
    province: DeskProvince,
    *,
    token: str | None = None,
    names: tuple[str, ...] = (),
    loopback_only: bool = True,
) -> Starlette:
    """The application for one province.

    Parameters
    ----------
    token : required of every request if given.
    names, loopback_only : by which names it may be called (`croplayer.desk.security.Guard`).
    """
    pages = _read_pages()

    async def page(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in pages:
            return JSONResponse({"error": "there is no such page"}, 404)
        content, media_type = pages[name]
        return Response(content, media_type=media_type, headers={"cache-control": "no-cache"})

    def posted(body: type[Body], work: Callable[[DeskProvince, Body], dict]) -> Callable:
        async def endpoint(request: Request) -> Response:
            try:
                given = body.model_validate_json(await _read_body(request))
            except ValidationError as error:
                fault = error.errors()[0]
                where = ".".join(str(part) for part in fault["loc"]) or "request"
                return JSONResponse({"error": f"{where}: {fault['msg']}"}, 400)
            return await _answered(lambda: work(province, given))

        return endpoint

    async def facts(_: Request) -> Response:
        return await _answered(lambda: views.desk_view(province))

    async def status(request: Request) -> Response:
        query = request.query_params
        return await _answered(
            lambda: views.status_view(province, query.get("task", ""), query.get("annotator", ""))
        )

    async def tile(request: Request) -> Response:
        return await _tile(province, request)

    middleware = [
        Middleware(Guard, token=token, names=names, loopback_only=loopback_only),
        Middleware(GZipMiddleware, minimum_size=2000),
    ]
    number = "{level:int}/{x:int}/{y:int}"
    routes = [
        Route("/", page),
        Route("/web/{name:path}", page),
        Route("/api/desk", facts),
        Route("/api/status", status),
        Route("/api/next", posted(NextBody, views.next_item), methods=["POST"]),
        Route("/api/open", posted(OpenBody, views.open_item), methods=["POST"]),
        Route("/api/answer", posted(AnswerBody, views.answer), methods=["POST"]),
        Route("/api/undo", posted(UndoBody, views.undo), methods=["POST"]),
        Route("/tiles/{layer}/{source}/" + number, tile),
    ]
    return Starlette(routes=routes, middleware=middleware)


async def _answered(work: Callable[[], dict]) -> Response:
    """Do the work in a thread (it waits for the disk) and answer with JSON."""
    try:
        return JSONResponse(await run_in_threadpool(work))
    except views.RefusedError as refusal:
        return JSONResponse({"error": str(refusal)}, refusal.status)


async def _read_body(request: Request) -> bytes:
    """The body, cut off where no honest request is as long: what is cut is no valid JSON."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            return b""
    return body


async def _tile(province: DeskProvince, request: Request) -> Response:
    given: dict[str, Any] = request.path_params
    layer, source = given["layer"], given["source"]
    level, x, y = given["level"], given["x"], given["y"]
    known = source in province.sources and layer in ("image", "mask", "outline")
    if not known or level > MAX_LEVEL or max(x, y) > 2**24:
        return JSONResponse({"error": "there is no such tile"}, 404)
    try:
        return await run_in_threadpool(
            _cut, province, layer, (source, level, x, y), request.headers
        )
    except (CropError, OSError) as error:
        # The workflow may be replacing the file just now; the page asks again when it is moved.
        log.warning("tile %s of %s: %s", layer, source, error)
        return JSONResponse({"error": "this tile cannot be cut now"}, 503)


def _cut(
    province: DeskProvince, layer: str, tile: tuple[str, int, int, int], headers: Headers
) -> Response:
    if layer == "image":
        tag, cut = province.tiles.imagery(*tile)
    else:
        tag, cut = province.tiles.mask(*tile, outline=layer == "outline")
    # The browser asks each time whether the file is still the same, and mostly hears that it is.
    told = {"etag": f'"{tag}"', "cache-control": "private, no-cache"}
    if headers.get("if-none-match") == told["etag"]:
        return Response(status_code=304, headers=told)
    picture = cut()
    return Response(picture.content, media_type=picture.media_type, headers=told)


def _read_pages() -> dict[str, tuple[bytes, str]]:
    """Every file of `web/`, and of what is shared, by its name there: (content, type)."""
    found: dict[str, tuple[bytes, str]] = {}

    def walk(folder: Traversable, prefix: str) -> None:
        for entry in folder.iterdir():
            if entry.is_dir():
                walk(entry, f"{prefix}{entry.name}/")
            else:
                kind = mimetypes.guess_type(entry.name)[0] or "text/plain"
                # The type that modules must have, whatever this machine's table says.
                kind = "text/javascript" if entry.name.endswith(".js") else kind
                found[prefix + entry.name] = (entry.read_bytes(), kind)

    walk(files("croplayer.desk") / "web", "")
    walk(files("cropbase") / "web" / "vendor", "vendor/")
    return found
