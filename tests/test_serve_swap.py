"""The service while its world changes: new bundles, bad bundles, dying workers, shutdown. Nobody loses an answer."""

import contextlib
import json
import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.servers import figure, process, wait_for
from tinyclf.bundle import MANIFEST, MODEL, TOKENIZER, default_bundle, write_bundle

TURN = {"utterance": "con làm được rồi"}
pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="signals as on POSIX")


@contextlib.contextmanager
def asking(url: str, users: int = 4) -> Iterator[Counter[str]]:
    """Users who ask as fast as they can until they are sent away; counts answers by status and errors by kind."""
    seen: Counter[str] = Counter()
    done = threading.Event()

    def user() -> None:
        with httpx2.Client(base_url=url, timeout=30) as http:
            while not done.is_set():
                try:
                    answer = http.post("/v1/classify", json=TURN)
                    seen[str(answer.status_code)] += 1
                    if answer.headers.get("connection") == "close":
                        return
                except httpx2.HTTPError as error:
                    seen[type(error).__name__] += 1

    threads = [threading.Thread(target=user) for _ in range(users)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        done.set()
        for thread in threads:
            thread.join()


def swaps(url: str, result: str) -> float:
    return figure(url, f'tinyclf_bundle_swaps_total{{result="{result}"}}')


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(default_bundle(), tmp_path / "bundle"))


def rewrite(bundle: Path, **changes: object) -> None:
    """The same bundle with another manifest, valid in itself."""
    manifest = json.loads((bundle / MANIFEST).read_text(encoding="utf-8")) | changes
    contents = {name: (bundle / name).read_bytes() for name in (MODEL, TOKENIZER)}
    write_bundle(bundle, {key: value for key, value in manifest.items() if key not in ("files", "sha256")}, contents)


def test_a_hundred_swaps_under_load_lose_nothing(bundle: Path) -> None:
    with process("-m", "serve", "--port", "0", "--bundle", str(bundle)) as (url, server), asking(url) as seen:
        for i in range(100):
            server.send_signal(signal.SIGUSR1)
            wait_for(lambda after=i: swaps(url, "switched") > after)  # type: ignore[misc]
    assert seen.keys() == {"200"}
    assert seen["200"] > 100


def test_a_changed_folder_is_served_and_a_bad_one_refused(bundle: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with process("-m", "serve", "--port", "0", "--bundle", str(bundle), log=log) as (url, server):
        first = httpx2.get(f"{url}/readyz").json()["bundle"]
        rewrite(bundle, name="another")
        wait_for(lambda: swaps(url, "switched") == 1)
        second = httpx2.get(f"{url}/readyz").json()["bundle"]
        assert second != first
        with (bundle / MODEL).open("ab") as file:
            file.write(b"x")
        wait_for(lambda: swaps(url, "refused") == 1)
        assert httpx2.get(f"{url}/readyz").json() == {"status": "ready", "bundle": second}
        assert httpx2.post(f"{url}/v1/classify", json=TURN).status_code == 200
        shutil.copy(default_bundle() / MODEL, bundle / MODEL)
        wait_for(lambda: swaps(url, "switched") == 2)
        manifest = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
        heads = manifest["label_set"]["heads"][:1]
        rewrite(bundle, label_set={"name": "other", "heads": heads}, operating_points={"balanced": {}})
        wait_for(lambda: swaps(url, "refused") == 2)
        (bundle / TOKENIZER).write_bytes(b"no tokenizer, but its digest is right")
        rewrite(bundle)
        wait_for(lambda: swaps(url, "refused") == 3)
        shutil.rmtree(bundle)
        server.send_signal(signal.SIGUSR1)
        wait_for(lambda: swaps(url, "refused") == 4)
        assert httpx2.post(f"{url}/v1/classify", json=TURN).status_code == 200
    said = log.read_text()
    assert "damaged: its SHA-256" in said
    assert "other heads or classes" in said


def test_stopping_answers_everybody_and_sends_them_away(bundle: Path) -> None:
    with process("-m", "serve", "--port", "0", "--drain-s", "2") as (url, server), asking(url) as seen:
        wait_for(lambda: seen["200"] > 20)
        server.terminate()
        wait_for(lambda: httpx2.get(f"{url}/readyz").status_code == 503)
        assert server.wait(30) in (0, -signal.SIGTERM)
    assert seen.keys() == {"200"}


def workers_of(server: psutil.Process) -> list[psutil.Process]:
    found = []
    for child in server.children():
        with contextlib.suppress(psutil.Error):  # it has just died
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_a_killed_worker_costs_at_most_what_it_was_answering(bundle: Path) -> None:
    users = 4
    with process("-m", "serve", "--port", "0", "--workers", "2", "--bundle", str(bundle)) as (url, server):
        parent = psutil.Process(server.pid)
        with asking(url, users) as seen:
            wait_for(lambda: seen["200"] > 50)
            before, victim = seen.copy(), workers_of(parent)[0]
            os.kill(victim.pid, signal.SIGKILL)
            wait_for(lambda: len(workers_of(parent)) == 2 and victim not in workers_of(parent))
            wait_for(lambda: seen["200"] > before["200"] + 100)
        assert sum(seen.values()) - seen["200"] <= users
        assert figure(url, 'tinyclf_requests_total{route="/v1/classify",status="200"}') == seen["200"], "of all workers"
        time.sleep(8)  # a signal that reaches the new worker before it serves would be lost to it
        server.send_signal(signal.SIGUSR1)
        wait_for(lambda: swaps(url, "switched") == 2)
        before_restart = {worker.pid for worker in workers_of(parent)}
        with asking(url, users) as seen:
            server.send_signal(signal.SIGHUP)
            wait_for(lambda: not before_restart & {worker.pid for worker in workers_of(parent)})
        assert seen.keys() <= {"200"}
