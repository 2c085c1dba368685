"""The desk as a process: an address, perhaps a token, and a clean end."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import uvicorn
from starlette.applications import Starlette

from cropbase.errors import InputError
from croplayer.desk.app import build_app
from croplayer.desk.province import DeskProvince


def serve(
    province: DeskProvince,
    *,
    host: str,
    port: int,
    names: tuple[str, ...] = (),
    with_token: bool = False,
) -> None:
    """Serve the desk until it is interrupted; prints the address to open.

    Parameters
    ----------
    host, port : where to listen; port 0 takes a free one. Elsewhere than on this machine alone a
        token is always required.
    names : further host names by which the desk may be called.
    with_token : require a token on this machine, too (others have accounts on it).

    Raises InputError if the address cannot be had.
    """
    listener = listen(host, port)
    bound = listener.getsockname()[1]
    local = is_loopback(host)
    token = secrets.token_urlsafe(32) if with_token or not local else None
    own = (socket.gethostname(), socket.getfqdn()) if not local else ()
    app: Starlette = build_app(province, token=token, names=(*names, *own), loopback_only=local)
    query = "?" + urlencode({"token": token}) if token else ""
    shown = f"[{host}]" if ":" in host else host
    if host in ("0.0.0.0", "::"):
        shown = socket.gethostname()
    print(f"{province.settings.province.title}: {len(province.sampled)} blocks to interpret")
    print(f"Answers are kept in {province.store.path}")
    print(f"Open http://{shown}:{bound}/{query}", flush=True)
    print("Stop with Ctrl-C; nothing that was answered is lost.", flush=True)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=3
    )
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        pass  # how one stops it
    finally:
        province.store.close()


@contextmanager
def in_background(province: DeskProvince) -> Iterator[str]:
    """Serve the desk in a thread of this process, on a free port; yields its address."""
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(build_app(province), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to an address. Raises InputError if it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # From here on whoever opens the address is kept waiting and not turned away.
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise InputError(
            f"the desk cannot listen on {host}, port {port}",
            given=error,
            remedy="choose another with --port, or 0 for any that is free",
        ) from None
    return listener
