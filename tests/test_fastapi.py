"""The dependency that a web application writes: its two halves run in different threads of a pool."""

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any

import httpx
from fastapi import Depends, FastAPI

import repo
from repo import Database, Ticker, Transaction
from tests.builders import raw

CLIENTS = 8
REQUESTS = 120


def application(db: Database) -> FastAPI:
    """An application that writes a ticker a request, and fails after it where it is told to."""
    app = FastAPI()

    def transaction() -> Iterator[Transaction]:
        with db.transaction() as tx:
            yield tx

    @app.post("/tickers/{symbol}")
    def add(symbol: str, fail: bool, tx: Annotated[Any, Depends(transaction, scope="function")]) -> int:
        tx.tickers.upsert([Ticker(symbol, "Somebody")])
        if fail:
            raise LookupError(symbol)
        return len(tx.tickers.get(symbol))

    @app.get("/bars/{symbol}")
    def bars(symbol: str) -> list[repo.Bar]:
        return db.market.history(symbol)

    return app


def test_every_answer_has_its_row_and_no_failure_has_one(db: Database, url: str) -> None:
    """Eight clients at once, every other request failing after its write."""

    async def main() -> dict[str, int]:
        transport = httpx.ASGITransport(application(db), raise_app_exceptions=False)
        answers: dict[str, int] = {}
        numbers = iter(range(REQUESTS))

        async def client(http: httpx.AsyncClient) -> None:
            for number in numbers:
                symbol = f"S{number}"
                answer = await http.post(f"/tickers/{symbol}", params={"fail": number % 2})
                answers[symbol] = answer.status_code

        async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60) as http:
            await asyncio.gather(*(client(http) for _ in range(CLIENTS)))
            assert (await http.get("/bars/S0")).json() == []
        return answers

    answers = asyncio.run(main())
    wanted = {f"S{number}": 500 if number % 2 else 200 for number in range(REQUESTS)}
    assert answers == wanted
    stored = {symbol for (symbol,) in raw(url, "SELECT symbol FROM tickers")}
    assert stored == {symbol for symbol, code in wanted.items() if code == 200}
