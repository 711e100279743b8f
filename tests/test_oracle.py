"""The oracle against worlds small enough to work out by hand, and against a few known facts."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.oracle import (
    OutOfRange,
    SeveralSources,
    Unknown,
    World,
    load_csv_world,
    product,
)

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "2018-2020"

Q4, Q1, Q2 = date(2019, 12, 31), date(2020, 3, 31), date(2020, 6, 30)
MAY, AUGUST = date(2020, 5, 15), date(2020, 8, 14)
MAX = 2**63 - 1


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


def test_ranking_worked_by_hand() -> None:
    """Amendments, unmatched filers, window edges and incomplete tickers all count as defined."""
    # Ranks by flow: BBB 0, CCC 1/2, AAA 2/2; by interest: AAA 0, CCC 1/2, BBB 2/2. Only AAA has
    # a bar on or before the 10th, so only AAA has a return: 10 / 8 - 1.
    day = august(20)
    assert small().ranking(day, window_days=10) == [
        ("AAA", day, 0.5, -10.0 / 30.0, 0.25, 1.0, 0.0, 1.0),
        ("CCC", day, 0.0, 0.0, None, 0.5, 0.5, 0.0),
        ("BBB", day, -0.75, 2.0, None, 0.0, 1.0, -1.0),
    ]


def test_ranking_limit() -> None:
    """A limit keeps the top of the ranking, and 0 keeps nothing."""
    world = small()
    assert [row[0] for row in world.ranking(august(20), "s", 10, 2)] == ["AAA", "CCC"]
    assert world.ranking(august(20), "s", 10, 0) == []


def test_ranking_before_the_filings() -> None:
    """A quarter counts from the day its filing is known; with only one there is no ranking."""
    world = World(
        tickers={"A": ("", None)},
        institutions={1: ""},
        holdings={("A", Q1, 1, MAY): (2, 0, None), ("A", Q2, 1, AUGUST): (3, 0, None)},
        sentiment={("A", "s", august(day)): (1, None) for day in (12, 13, 14)},
    )
    assert world.ranking(august(13), window_days=1) == []
    assert [row[2] for row in world.ranking(august(14), window_days=1)] == [0.5]


def test_matched_by_any_ticker() -> None:
    """An institution that sold one ticker out counts as 0 there if it filed another."""
    # 1 files AAA before and BBB now: AAA goes 10 -> 0 and BBB has nothing before.
    world = World(
        tickers={"AAA": ("", None), "BBB": ("", None)},
        institutions={1: ""},
        holdings={("AAA", Q1, 1, MAY): (10, 0, None), ("BBB", Q2, 1, AUGUST): (3, 0, None)},
        sentiment={("AAA", "s", august(day)): (day, None) for day in (15, 16)},
    )
    # One ticker alone has both ranks 0. Interest: (16*1 - 15*1) / (15*1).
    assert world.ranking(august(16), window_days=1) == [
        ("AAA", august(16), -1.0, 1.0 / 15.0, None, 0.0, 0.0, 0.0)
    ]


def test_ranks_of_ties() -> None:
    """Ties share the lowest rank, and equal divergences are sorted by symbol."""
    # Flows: A and B double, C stays: C has rank 0, A and B each (2-1)/(3-1) = 1/2.
    # Interest is flat for all: every retail rank is 0.
    now = {"B": 2, "A": 2, "C": 1}
    world = World(
        tickers=dict.fromkeys(now, ("", None)),
        institutions={1: ""},
        holdings={(symbol, Q1, 1, MAY): (1, 0, None) for symbol in now}
        | {(symbol, Q2, 1, AUGUST): (shares, 0, None) for symbol, shares in now.items()},
        sentiment={(symbol, "s", august(day)): (1, None) for symbol in now for day in (15, 16)},
    )
    rows = world.ranking(august(16), window_days=1)
    assert [(row[0], row[5], row[6], row[7]) for row in rows] == [
        ("A", 0.5, 0.0, 0.5),
        ("B", 0.5, 0.0, 0.5),
        ("C", 0.0, 0.0, 0.0),
    ]


def test_sources() -> None:
    """Without a name the only source is meant; several are an error and none is an empty answer."""
    world = small()
    two = World(
        tickers=world.tickers,
        bars=world.bars,
        holdings=world.holdings,
        sentiment={**world.sentiment, ("AAA", "other", Q4): (1, 0.5)},
    )
    none = World(tickers=world.tickers, bars=world.bars, holdings=world.holdings)
    assert two.ranking(august(20), "s", 10) == world.ranking(august(20), None, 10)
    assert two.ranking(august(20), "absent", 10) == []
    with pytest.raises(SeveralSources) as ranked:
        two.ranking(august(20))
    with pytest.raises(SeveralSources) as drawn:
        two.timeline("AAA")
    assert ranked.value.sources == drawn.value.sources == ["other", "s"]
    assert none.ranking(august(20)) == []
    assert none.timeline("BBB") == [(august(11), 7.0, None, 200)]
    assert none.sentiment_sources() == []


def test_timeline_worked_by_hand() -> None:
    """A point looks back six days for interest and takes the newest quarter known for shares."""
    # 10 Aug: interest of that day; only Q1 is known.  20 Aug: the last row is from the 11th, nine
    # days old; Q2 of institutions 1 and 3.  21 Aug: interest of that day.
    assert small().timeline("aaa") == [
        (august(10), 8.0, 20, 100),
        (august(20), 10.0, None, 150 + 9999),
        (august(21), 99.0, 5000, 150 + 9999),
    ]
    # The 5th is six days before the 11th: just inside.
    assert small().timeline("BBB", august(11), august(11)) == [(august(11), 7.0, 10, 200)]
    assert small().timeline("VOID") == []


def test_timeline_interest_of_a_week_ago() -> None:
    """Interest seven days old is too old."""
    world = World(
        tickers={"A": ("", None)},
        bars={("A", august(day)): (None, None, None, 1.0, None) for day in (7, 8)},
        sentiment={("A", "s", august(1)): (3, None)},
    )
    assert world.timeline("A") == [(august(7), 1.0, 3, None), (august(8), 1.0, None, None)]


def test_known_holdings() -> None:
    """Each institution's last filing of the ticker's own newest quarter counts, by CIK."""
    world = small()
    assert [row[1:5] for row in world.holdings_known("BBB", august(20))] == [(2, Q2, august(20), 50)]
    assert [row[1] for row in world.holdings_known("AAA", AUGUST)] == [1, 3]
    # OLD's newest quarter stays Q1 while others have filed Q2.
    assert world.holdings_known("old", AUGUST) == [("OLD", 1, Q1, MAY, 8, 0, None)]
    assert world.holdings_known("AAA", date(2020, 5, 14)) == []


def test_holdings_history_order() -> None:
    """Filings come by quarter, CIK and filing date, and the range is over the quarters."""
    history = small().holdings_history("BBB")
    assert [(row[2], row[1], row[3]) for row in history] == [
        (Q1, 1, MAY),
        (Q1, 2, date(2020, 5, 14)),
        (Q2, 2, AUGUST),
        (Q2, 2, august(20)),
        (Q2, 2, august(21)),
    ]
    assert small().holdings_history("BBB", Q1, Q1) == history[:2]


def test_summary_worked_by_hand() -> None:
    """Absent prices and volumes are passed over; means are exact sums divided once."""
    world = World(
        tickers={"A": ("", None), "B": ("", None)},
        bars={
            ("A", august(3)): (None, 3.0, None, 2.00004, 10),
            ("A", august(4)): (2.0, None, 1.5, 1.00005, None),
            ("A", august(5)): (2.0, 2.5, 2.0, 2.5, 5),
        },
    )
    # Closes in 1e-4 dollars: 20000.4 -> 20000, 10000.5 -> 10001, 25000; sum 55001 of three.
    assert world.market_summary("a") == (
        *("A", august(3), august(5), 3, None, 3.0, 1.5, 2.5, 15, 55001.0 / 30000.0, 7.5),
    )
    assert world.market_summary("A", august(4), august(4)) == (
        *("A", august(4), august(4), 1, 2.0, None, 1.5, 1.00005, None, 10001.0 / 10000.0, None),
    )
    assert world.market_summary("A", august(6)) is None
    assert world.market_summary("B") is None


def test_market_reads() -> None:
    """Ranges are inclusive, lists are sorted, and tickers without bars do not show."""
    world = small()
    assert [bar[1] for bar in world.market_history("AAA", august(10), august(20))] == [
        august(10),
        august(20),
    ]
    assert world.market_history("VOID") == []
    assert [bar[:2] for bar in world.market_latest()] == [
        ("AAA", august(21)),
        ("BBB", august(11)),
    ]
    assert [bar[0] for bar in world.market_latest(["bbb", "VOID", "BBB"])] == ["BBB"]
    assert world.market_latest([]) == []
    assert world.market_on(august(11)) == [("BBB", august(11), None, None, None, 7.0, None)]
    assert world.market_coverage() == [
        ("AAA", august(10), august(21), 3),
        ("BBB", august(11), august(11), 1),
    ]


def test_sentiment_history() -> None:
    """History comes by date and source, of all sources unless one is named, without -0.0."""
    world = World(
        tickers={"A": ("", None)},
        sentiment={
            ("A", "z", august(1)): (1, -0.0),
            ("A", "a", august(2)): (2, None),
            ("A", "a", august(1)): (3, 1.0),
        },
    )
    rows = world.sentiment_history("a")
    assert [row[1:4] for row in rows] == [
        ("a", august(1), 3),
        ("z", august(1), 1),
        ("a", august(2), 2),
    ]
    assert str(rows[1][4]) == "0.0"
    assert world.sentiment_history("A", source="z") == rows[1:2]
    assert world.sentiment_history("A", august(2)) == rows[2:]


def test_whole_tables() -> None:
    """Tickers come by symbol and institutions by CIK."""
    world = World(tickers={"B": ("b", None), "A": ("a", "1")}, institutions={2: "b", 1: "a"})
    assert world.tickers_all() == [("A", "a", "1"), ("B", "b", None)]
    assert world.institutions_all() == [(1, "a"), (2, "b")]


def test_unknown_symbols() -> None:
    """Every missing symbol is named once, folded and sorted; only ASCII letters are folded."""
    with pytest.raises(Unknown) as raised:
        small().market_latest(["zz", "AAA", "yy", "ZZ", "\u017f"])
    assert raised.value.symbols == ["YY", "ZZ", "\u017f"]
    with pytest.raises(Unknown):
        small().timeline("NONE")


def test_the_first_day_there_is() -> None:
    """Windows that begin before the calendar does are simply short."""
    world = World(
        tickers={"A": ("", None)},
        bars={("A", date.min): (None, None, None, 1.0, None)},
        holdings={("A", date.min, 1, date.min): (1, 0, None)},
        sentiment={("A", "s", date.min): (4, None)},
    )
    assert world.ranking(date.min) == []
    assert world.timeline("A") == [(date.min, 1.0, 4, 1)]


def test_sums_out_of_range() -> None:
    """A sum of volumes or shares past 64 bits is an error, the limit is not."""
    days = [august(1) + timedelta(days=number) for number in range(2)]
    for second, fits in ((0, True), (1, False)):
        world = World(
            tickers={"A": ("", None)},
            institutions={1: "", 2: ""},
            bars={
                ("A", days[0]): (None, None, None, 1.0, MAX),
                ("A", days[1]): (None, None, None, 1.0, second),
            },
            holdings={
                ("A", Q1, 1, Q1): (1, 0, None),
                ("A", Q1, 2, Q1): (1, 0, None),
                ("A", Q2, 1, Q2): (MAX, 0, None),
                ("A", Q2, 2, Q2): (second, 0, None),
            },
        )
        if fits:
            summary = world.market_summary("A")
            assert summary is not None
            assert summary[8] == MAX
            assert [point[3] for point in world.timeline("A")] == [MAX, MAX]
            assert world.ranking(days[1]) == []
        else:
            with pytest.raises(OutOfRange):
                world.market_summary("A")
            with pytest.raises(OutOfRange):
                world.timeline("A")
            with pytest.raises(OutOfRange):
                world.ranking(days[1])


def test_closes_out_of_range() -> None:
    """The sum of closes in 1e-4 dollars must fit as well."""
    # The first double below 1e12 is 999999999999.9999, in 1e-4 dollars 9999999999999999 (or
    # 1e16 once rounded): 922 of them fit into 9.2233e18, 923 do not.
    days = [august(1) + timedelta(days=number) for number in range(923)]
    world = World(
        tickers={"A": ("", None)},
        bars={("A", day): (None, None, None, 999999999999.9999, None) for day in days},
    )
    assert world.market_summary("A", end=days[-2]) is not None
    with pytest.raises(OutOfRange):
        world.market_summary("A")


def test_products_out_of_range() -> None:
    """A product is refused where its floats say that it is 9e18 or more."""
    assert product(2**62, 1) == 2**62
    for left, right in ((9 * 10**18, 1), (3 * 10**9, 3 * 10**9), (MAX, 1), (MAX, MAX)):
        with pytest.raises(OutOfRange):
            product(left, right)
    # Exact value below, floats not: 9e18 - 1 rounds up.
    with pytest.raises(OutOfRange):
        product(9 * 10**18 - 1, 1)
    assert product(9 * 10**18 - 1024, 1) == 9 * 10**18 - 1024


def crowd(before: int, *interests: int) -> World:
    """A ticker of which shares were held, one after that, and interest on days from 1 August on."""
    return World(
        tickers={"A": ("", None)},
        institutions={1: ""},
        bars={("A", august(1)): (None, None, None, 5e-324, None)},
        holdings={("A", Q1, 1, MAY): (before, 0, None), ("A", Q2, 1, Q2): (1, 0, None)},
        sentiment={("A", "s", august(1 + day)): (each, None) for day, each in enumerate(interests)},
    )


def test_interest_out_of_range() -> None:
    """Sums and products of interest past the end are errors of tickers that were held before."""
    for interests in ((1, MAX), (0, 0, MAX, 1), (MAX, 1, 0, 0)):
        window = len(interests) // 2
        with pytest.raises(OutOfRange):
            crowd(1, *interests).ranking(august(2 * window), window_days=window)
        assert crowd(0, *interests).ranking(august(2 * window), window_days=window) == []
    # With no interest before there is no division, so no product is formed.
    assert crowd(1, 0, MAX).ranking(august(2), window_days=1) == []


def test_returns_out_of_range() -> None:
    """A quotient of closes that no float holds is an error of a row that is returned."""
    world = crowd(1, 1, 1)
    for close in (1.0, 5e-324):
        bars = {**world.bars, ("A", august(2)): (None, None, None, close, None)}
        changed = World(world.tickers, world.institutions, bars, world.holdings, world.sentiment)
        if close == 5e-324:
            assert [row[4] for row in changed.ranking(august(2), window_days=1)] == [0.0]
        else:
            with pytest.raises(OutOfRange):
                changed.ranking(august(2), window_days=1)
            assert changed.ranking(august(2), window_days=1, limit=0) == []


def test_timeline_adds_up_every_day_of_a_filing() -> None:
    """Shares that did not fit between two bars are an error, those after the last bar are not."""
    world = World(
        tickers={"A": ("", None)},
        institutions={1: "", 2: ""},
        bars={("A", august(day)): (None, None, None, 1.0, None) for day in (1, 9)},
        holdings={
            ("A", Q2, 1, Q2): (MAX, 0, None),
            ("A", Q2, 2, august(3)): (1, 0, None),
            ("A", Q2, 1, august(5)): (0, 0, None),
        },
    )
    assert world.timeline("A", end=august(8)) == [(august(1), 1.0, None, MAX)]
    with pytest.raises(OutOfRange):
        world.timeline("A")


@pytest.fixture(scope="module")
def real() -> World:
    """The real data, where it is at hand."""
    if not REAL.is_dir():
        pytest.skip("no real data beside the project")
    return load_csv_world(REAL)


def test_real_data_loads_whole(real: World) -> None:
    """Every row of every file arrives."""
    assert (len(real.tickers), len(real.institutions)) == (223, 12)
    assert (len(real.bars), len(real.holdings), len(real.sentiment)) == (124625, 891, 159773)
    assert real.sentiment_sources() == ["robintrack"]


def test_real_sales_of_2020(real: World) -> None:
    """Once the filings are known, sold airlines stand at the bottom, where retail crowds."""
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
