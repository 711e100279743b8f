"""The README's web application, under its server: a dependency's halves run in different threads."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.builders import raw
from tests.readme import module

REQUESTS = 200


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an application from a thread, as uvicorn does; its address."""
    import uvicorn

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            host, port = listening.getsockname()
            yield f"http://{host}:{port}"
        finally:
            server.should_exit = True
            thread.join()


def put(symbol: str, *, fails: bool) -> list[dict[str, object]]:
    """A request's bars: of one that fails the second is refused, when the ticker has been written."""
    bar = {"symbol": symbol, "open": None, "high": None, "low": None, "close": 1.5, "volume": 1}
    return [
        {**bar, "date": "2020-06-01"},
        {**bar, "date": "2020-06-02", "close": -1.0 if fails else 2.5},
    ]


async def ask(address: str, clients: int) -> dict[str, int]:
    """Many clients at once, every other request failing after its write; the status of each."""
    answers: dict[str, int] = {}
    numbers = iter(range(REQUESTS))

    async def client(http: httpx.AsyncClient) -> None:
        for number in numbers:
            symbol = f"S{number}"
            bars = put(symbol, fails=bool(number % 2))
            answer = await http.put("/bars", json=bars, headers={"Connection": "close"})
            answers[symbol] = answer.status_code

    async with httpx.AsyncClient(base_url=address, timeout=60) as http:
        await asyncio.gather(*(client(http) for _ in range(clients)))
    return answers


@pytest.mark.parametrize(("name", "clients"), [("app.py", 60), ("dependency.py", 8)])
def test_every_answer_has_its_row_and_no_failure_has_one(
    url: str, monkeypatch: pytest.MonkeyPatch, name: str, clients: int
) -> None:
    """What was answered with 200 is there, and nothing else is; nobody waits for who waits for him."""
    monkeypatch.setenv("DATABASE_URL", f"{url}&pool_timeout=60" if "?" in url else url)
    app = module(name)
    with app.db, served(app.app) as address:
        answers = asyncio.run(ask(address, clients))
        if name == "app.py":
            (first, _) = httpx.get(f"{address}/bars/S0", timeout=60).json()
            assert first == ["S0", "2020-06-01", None, None, None, 1.5, 1]
    wanted = {f"S{number}": 500 if number % 2 else 200 for number in range(REQUESTS)}
    assert answers == wanted
    stored = {symbol for (symbol,) in raw(url, "SELECT symbol FROM tickers")}
    assert stored == {symbol for symbol, code in wanted.items() if code == 200}
