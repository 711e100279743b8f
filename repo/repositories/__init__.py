"""One class an aggregate: what can be asked of it and written to it."""

from repo.repositories.base import Session
from repo.repositories.divergence import DivergenceRepository
from repo.repositories.holdings import HoldingRepository
from repo.repositories.institutions import InstitutionRepository
from repo.repositories.market import MarketRepository
from repo.repositories.sentiment import SentimentRepository
from repo.repositories.tickers import TickerRepository

__all__ = [
    "DivergenceRepository",
    "HoldingRepository",
    "InstitutionRepository",
    "MarketRepository",
    "SentimentRepository",
    "Session",
    "TickerRepository",
]
