"""A world small enough to work out by hand, for the oracle and both engines, and a few known facts."""

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from repo import Database
from tests.builders import fill
from tests.oracle import World, load_csv_world

Q4, Q1, Q2 = date(2019, 12, 31), date(2020, 3, 31), date(2020, 6, 30)
MAY, AUGUST = date(2020, 5, 15), date(2020, 8, 14)


def august(day: int) -> date:
    """A day of the month in which the second-quarter filings become known."""
    return date(2020, 8, day)


def small() -> World:
    """Three tickers to rank on 20 August, and three that each lack something.

    Institutions 1 and 2 filed for both quarters, 3 only for the second: M = {1, 2}. What 2 filed
    for a still earlier quarter is of no account.

            Q1 (before)   Q2 (now)              flow
      AAA   1: 100        1: 150 (3: 9999)      (150 - 100) / 100 = 0.5
      BBB   1: 100 2: 100 2: 50 (amended)       (50 - 200) / 200 = -0.75
      CCC   2: 10         2: 10                 0
      NEW                 1: 5                  nothing before: left out
      OLD   1: 8                                -1, but no interest before: left out
      MUM   1: 8          1: 8                  0, but interest before is 0: left out

    Windows of ten days: recent is 11 to 20 August, before is 1 to 10 August.

            before        recent     (r*np - p*nr) / (p*nr)
      AAA   10, 20        10         (10*2 - 30*1) / (30*1) = -1/3
      BBB   10            20, 40     (60*1 - 10*2) / (10*2) = 2
      CCC   5             5          0
    """
    names = ["AAA", "BBB", "CCC", "MUM", "NEW", "OLD", "VOID"]
    return World(
        tickers={name: (f"{name} Inc.", None) for name in names},
        institutions={1: "One", 2: "Two", 3: "Three"},
        bars={
            ("AAA", august(10)): (None, None, None, 8.0, None),
            ("AAA", august(20)): (None, None, None, 10.0, None),
            ("AAA", august(21)): (None, None, None, 99.0, None),
            ("BBB", august(11)): (None, None, None, 7.0, None),
        },
        holdings={
            ("AAA", Q1, 1, MAY): (100, 0, None),
            ("AAA", Q2, 1, AUGUST): (150, 0, None),
            ("AAA", Q2, 3, AUGUST): (9999, 0, None),
            ("BBB", Q1, 1, MAY): (100, 0, None),
            ("BBB", Q1, 2, date(2020, 5, 14)): (100, 0, None),
            ("BBB", Q2, 2, AUGUST): (70, 0, None),
            ("BBB", Q2, 2, august(20)): (50, 0, None),
            ("BBB", Q2, 2, august(21)): (7777, 0, None),
            ("CCC", Q4, 2, date(2020, 2, 14)): (4321, 0, None),
            ("CCC", Q1, 2, MAY): (10, 0, None),
            ("CCC", Q2, 2, AUGUST): (10, 0, None),
            ("MUM", Q1, 1, MAY): (8, 0, None),
            ("MUM", Q2, 1, AUGUST): (8, 0, None),
            ("NEW", Q2, 1, AUGUST): (5, 0, None),
            ("OLD", Q1, 1, MAY): (8, 0, None),
        },
        sentiment={
            ("AAA", "s", date(2020, 7, 31)): (5000, None),
            ("AAA", "s", august(1)): (10, None),
            ("AAA", "s", august(10)): (20, None),
            ("AAA", "s", august(11)): (10, None),
            ("AAA", "s", august(21)): (5000, None),
            ("BBB", "s", august(5)): (10, None),
            ("BBB", "s", august(19)): (20, None),
            ("BBB", "s", august(20)): (40, -0.0),
            ("CCC", "s", august(5)): (5, None),
            ("CCC", "s", august(15)): (5, None),
            ("MUM", "s", august(5)): (0, None),
            ("MUM", "s", august(15)): (5, None),
            ("NEW", "s", august(5)): (5, None),
            ("NEW", "s", august(15)): (5, None),
            ("OLD", "s", august(15)): (5, None),
        },
    )


@pytest.fixture
def answerers(db: Database) -> list[Any]:
    """The oracle, and what the engine under test has of the same world, by the oracle's names."""
    world = small()
    fill(db, world)
    engine = SimpleNamespace(
        ranking=db.divergence.ranking, timeline=db.divergence.timeline, holdings_known=db.holdings.known
    )
    return [world, engine]


def test_ranking_worked_by_hand(answerers: list[Any]) -> None:
    """Amendments, unmatched filers, window edges and incomplete tickers all count as defined."""
    # Ranks by flow: BBB 0, CCC 1/2, AAA 2/2; by interest: AAA 0, CCC 1/2, BBB 2/2. Only AAA has
    # a bar on or before the 10th, so only AAA has a return: 10 / 8 - 1.
    day = august(20)
    for each in answerers:
        assert each.ranking(day, window_days=10) == [
            ("AAA", day, 0.5, -10.0 / 30.0, 0.25, 1.0, 0.0, 1.0),
            ("CCC", day, 0.0, 0.0, None, 0.5, 0.5, 0.0),
            ("BBB", day, -0.75, 2.0, None, 0.0, 1.0, -1.0),
        ]


def test_timeline_worked_by_hand(answerers: list[Any]) -> None:
    """A point looks back six days for interest and takes the newest quarter known for shares."""
    # 10 Aug: interest of that day; only Q1 is known.  20 Aug: the last row is from the 11th, nine
    # days old; Q2 of institutions 1 and 3.  21 Aug: interest of that day.
    for each in answerers:
        assert each.timeline("aaa") == [
            (august(10), 8.0, 20, 100),
            (august(20), 10.0, None, 150 + 9999),
            (august(21), 99.0, 5000, 150 + 9999),
        ]
        # The 5th is six days before the 11th: just inside.
        assert each.timeline("BBB", august(11), august(11)) == [(august(11), 7.0, 10, 200)]
        assert each.timeline("VOID") == []


def test_known_holdings(answerers: list[Any]) -> None:
    """Each institution's last filing of the ticker's own newest quarter counts, by CIK."""
    for each in answerers:
        assert [row[1:5] for row in each.holdings_known("BBB", august(20))] == [(2, Q2, august(20), 50)]
        assert [row[1] for row in each.holdings_known("AAA", AUGUST)] == [1, 3]
        # OLD's newest quarter stays Q1 while others have filed Q2.
        assert each.holdings_known("old", AUGUST) == [("OLD", 1, Q1, MAY, 8, 0, None)]
        assert each.holdings_known("AAA", date(2020, 5, 14)) == []


def test_real_sales_of_2020(real_data: Path) -> None:
    """Once the filings are known, sold airlines stand at the bottom, where retail crowds."""
    real = load_csv_world(real_data / "2018-2020")
    rows = {row[0]: row for row in real.ranking(AUGUST)}
    # DAL: 71,886,963 shares to 4,100,000, of another filer; LUV: 53,642,713 to none.
    assert rows["DAL"][2] == (4100000.0 - 71886963.0) / 71886963.0
    assert rows["LUV"][2] == -1.0
    assert rows["DAL"][3] > 1.0
    assert rows["DAL"][7] < -0.8
    assert rows["LUV"][7] < -0.9
    shares = {point[0]: point[3] for point in real.timeline("DAL")}
    assert shares[date(2020, 5, 14)] == 70910456
    assert shares[date(2020, 5, 15)] == 71886963
