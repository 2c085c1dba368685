"""The desk as a process: two annotators at once, a kill in the middle, and the command line."""

from __future__ import annotations

import csv
import os
import signal
import socket
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import httpx
import pytest
from desk_province import NAME

from croplayer.desk.__main__ import main


def client_of(address):
    return httpx.Client(base_url=address, headers={"origin": address.rstrip("/")}, timeout=20)


class Labeller(threading.Thread):
    """Answers semantic classes until the desk is gone; remembers what the desk acknowledged."""

    def __init__(self, address, name, stop_after=None, values=("TP", "FP", "Noise")):
        super().__init__(daemon=True)
        self.address, self.annotator = address, name
        self.stop_after, self.values = stop_after, values
        self.acknowledged: dict[tuple[str, str], str] = {}
        self.enough = threading.Event()

    def run(self):
        who = {"annotator": self.annotator, "task": "semantic"}
        place = {}
        with client_of(self.address) as client:
            try:
                for number in range(10_000):
                    ask = who | place | {"order": "map", "scope": "open"}
                    item = client.post("/api/next", json=ask).raise_for_status().json()["item"]
                    if item is None:
                        break
                    place = {"block_id": item["block_id"], "source": item["source"]}
                    value = self.values[number % len(self.values)]
                    body = who | place | {"value": value, "request": uuid.uuid4().hex}
                    client.post("/api/answer", json=body).raise_for_status()
                    self.acknowledged[place["block_id"], place["source"]] = value
                    if len(self.acknowledged) == self.stop_after:
                        self.enough.set()
            except httpx.TransportError:
                pass  # the desk was killed
        self.enough.set()


def standing(address, annotator):
    """{(block, source): answer} of an annotator, as the desk tells it."""
    found, place = {}, {}
    with client_of(address) as client:
        while True:
            ask = {"annotator": annotator, "task": "semantic", "order": "map", "scope": "mine"}
            item = client.post("/api/next", json=ask | place).json()["item"]
            place = item and {"block_id": item["block_id"], "source": item["source"]}
            if item is None or tuple(place.values()) in found:
                return found
            found[tuple(place.values())] = item["own"]["value"]


def test_two_annotators_at_once_and_a_kill_lose_nothing(tiny):
    with tiny.served() as (process, address):
        people = [Labeller(address, name, stop_after=4) for name in ("Anna", "Ben")]
        for person in people:
            person.start()
        for person in people:
            assert person.enough.wait(30)
        os.kill(process.pid, signal.SIGKILL)
        for person in people:
            person.join(30)
    before = {person.annotator: dict(person.acknowledged) for person in people}
    assert all(len(answers) >= 4 for answers in before.values())
    with tiny.served() as (_, address):
        for name, answers in before.items():
            now = standing(address, name)
            assert answers.items() <= now.items()
            # At most the one answer that was on its way when the desk died.
            assert len(now) <= len(answers) + 1
        people = [Labeller(address, f"{name} again") for name in ("Anna", "Ben")]
        for person in people:
            person.start()
        for person in people:
            person.join(60)
        # Anna's and Ben's unfinished blocks are still theirs (claims outlive a crash, too).
        for name in before:
            rest = Labeller(address, name, values=("Artifacts",))
            rest.start()
            rest.join(60)
        with client_of(address) as client:
            query = {"task": "semantic", "annotator": "Anna"}
            progress = client.get("/api/status", params=query).json()["progress"]
    assert progress["done"] == progress["wanted"] == 24
    assert sum(progress["counts"].values()) == 24, "no block was interpreted twice"
    assert export(tiny) == 0
    with open(tiny.table("semantic"), newline="") as handle:
        rows = [(row["block_id"], row["source"]) for row in csv.DictReader(handle)]
    assert len(rows) == len(set(rows)) == 24


def export(tiny, *words):
    return main([NAME, "--config-folder", str(tiny.config), "--export", *words])


def test_the_address_on_another_interface_holds_a_token(tiny):
    with tiny.served("--host", "0.0.0.0") as (_, address):
        port = httpx.URL(address).port
        assert len(httpx.URL(address).params["token"]) >= 40
        base = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{base}/api/desk").status_code == 401
        with httpx.Client(base_url=base) as client:
            assert (
                client.get("/", params={"token": httpx.URL(address).params["token"]}).status_code
                == 200
            )
            assert client.get("/api/desk").status_code == 200


def test_a_port_in_use_is_one_message(tiny, capsys, monkeypatch):
    monkeypatch.chdir(tiny.folder)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main([NAME, "--port", str(taken.getsockname()[1])]) == 1
    assert "cannot listen on 127.0.0.1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("folder", "message"),
    [("plan", "is not planned"), ("mosaic", "has no mosaic yet")],
)
def test_a_province_that_is_not_ready_says_what_to_run(tiny, capsys, monkeypatch, folder, message):
    monkeypatch.chdir(tiny.folder)
    (tiny.results / NAME / folder).rename(tiny.folder / "away")
    assert main([NAME]) == 1
    told = capsys.readouterr().err
    assert message in told and "snakemake --config provinces=tiny" in told


def test_exporting_what_was_never_answered_writes_no_table(tiny, capsys):
    assert export(tiny) == 0
    assert "nothing was answered" in capsys.readouterr().out
    assert not tiny.table("semantic").exists()


def test_the_name_of_the_issue_works_too():
    words = [sys.executable, "-m", "croplayer.active.desk", "--help"]
    told = subprocess.run(words, capture_output=True, text=True, cwd=Path.cwd(), check=True).stdout
    assert "python -m croplayer.desk" in told
