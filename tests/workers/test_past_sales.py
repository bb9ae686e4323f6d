"""Past sales out of files: three forms of CSV, each with what it takes back."""

from __future__ import annotations

import gzip
from datetime import date, timedelta
from pathlib import Path

import pytest

from workers.flows.history import UnusableFile
from workers.flows.past_sales import Period, read

FIRST = date(2011, 3, 1)
INVOICE = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


def day(number: int) -> str:
    return f"{FIRST + timedelta(days=number)}"


def a_file(folder: Path, *lines: str, name: str = "sales.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines))
    return path


def test_invoices_take_back_the_customers_newest_lines(tmp_path: Path) -> None:
    path = a_file(
        tmp_path,
        INVOICE,
        f"1,mug,red,6,{day(0)} 09:00:00,2.5,17,UK",
        f"2,MUG,red,8,{day(8)} 09:00:00,2.5,17,UK",
        f"3,MUG,red,5,{day(9)} 09:00:00,2.5,99,UK",
        # Three of the eight come back; the other customer's five stay.
        f"C4,MUG,red,-3,{day(10)} 09:00:00,2.5,17,UK",
        # No price: stock that was found. Postage is no goods.
        f"5,MUG,found,700,{day(11)} 09:00:00,0,,UK",
        f"6,POST,postage,1,{day(12)} 09:00:00,9,17,UK",
        f"7,MUG,red,1,{day(13)} 09:00:00,2.5,17,UK",
    )

    (of,) = read([path]).series

    assert list(of.periods) == [6, 11]


def test_an_order_of_80_995_and_its_cancel_are_nothing(tmp_path: Path) -> None:
    lines = [f"{n},MUG,red,{2 + n % 3},{day(n)} 09:00:00,2.5,17,UK" for n in range(28)]
    spike = f"90,MUG,red,80995,{day(20)} 10:01:00,2.5,55,UK"
    gone = f"C91,MUG,red,-80995,{day(20)} 10:17:00,2.5,55,UK"

    (calm,) = read([a_file(tmp_path, INVOICE, *lines)]).series
    (wild,) = read([a_file(tmp_path, INVOICE, *lines, spike, gone)]).series

    assert wild == calm


def test_several_files_are_one_past_and_may_be_gzipped(tmp_path: Path) -> None:
    early = tmp_path / "early.csv.gz"
    early.write_bytes(
        gzip.compress(f"{INVOICE}\n1,MUG,red,8,{day(0)} 09:00:00,2.5,17,UK\n".encode())
    )
    late = a_file(
        tmp_path,
        INVOICE,
        f"C2,MUG,red,-2,{day(9)} 09:00:00,2.5,17,UK",
        f"3,MUG,red,4,{day(13)} 09:00:00,2.5,17,UK",
    )

    (of,) = read([early, late]).series

    assert list(of.periods) == [6, 4]


def test_events_count_less_their_cancels_whichever_comes_first(tmp_path: Path) -> None:
    path = a_file(
        tmp_path,
        "event_id,occurred_at,event_type,location_id,sku,quantity_delta,order_id",
        f"1,{day(0)}T09:00:00,order,WH,MUG,-4,A",
        f"2,{day(7)}T09:00:00,order_cancel,WH,MUG,3,B",
        f"3,{day(8)}T09:00:00,order,WH,MUG,-5,B",
        f"4,{day(9)}T09:00:00,receipt,WH,MUG,900,",
        f"5,{day(13)}T09:00:00,order,WH,MUG,-1,C",
    )

    (of,) = read([path]).series

    assert list(of.periods) == [4, 3]


def test_a_column_a_period_may_be_blank_where_nothing_is_known(tmp_path: Path) -> None:
    path = a_file(tmp_path, "part,2011-01,2011-02,2011-03", "A,0,2,", "B,,,", "C,1,0,3")

    found = read([path])

    assert [list(of.periods) for of in found.series] == [[2, None], [1, 0, 3]]
    assert (found.period, found.series[0].season) == (Period.MONTH, 12)


def test_the_second_edition_of_the_invoices_is_read_as_the_first(tmp_path: Path) -> None:
    line = f"1,MUG,red,6,{day(0)} 09:00:00,2.5,17,UK"
    late = f"2,MUG,red,2,{day(13)} 09:00:00,2.5,17,UK"
    second = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country"

    first = read([a_file(tmp_path, INVOICE, line, late, name="1.csv")])

    assert read([a_file(tmp_path, second, line, late, name="2.csv")]) == first
    assert [list(of.periods) for of in first.series] == [[6, 2]]


def test_lines_are_added_up_to_weeks_or_read_by_the_day(tmp_path: Path) -> None:
    path = a_file(
        tmp_path,
        INVOICE,
        f"1,MUG,red,6,{day(0)} 09:00:00,2.5,17,UK",
        f"2,MUG,red,2,{day(2)} 09:00:00,2.5,17,UK",
    )

    found = read([path], Period.DAY)

    assert [(list(of.periods), of.season) for of in found.series] == [([6, 0, 2], 7)]
    with pytest.raises(UnusableFile, match="give --period week"):
        read([path], Period.MONTH)


@pytest.mark.parametrize(
    ("columns", "period"),
    [
        ("d_1,d_2,d_3", Period.DAY),
        ("2011-03-01,2011-03-02,2011-03-03", Period.DAY),
        ("2011-03-01,2011-03-08,2011-03-15", Period.WEEK),
        ("2011W09,2011W10,2011W11", Period.WEEK),
        ("m_1,m_2,m_3", Period.MONTH),
        ("2011-03-01,2011-04-01,2011-05-01", Period.MONTH),
    ],
)
def test_columns_say_how_long_a_period_is(tmp_path: Path, columns: str, period: Period) -> None:
    found = read([a_file(tmp_path, f"id,shop,{columns}", "A,north,4,0,2")])

    assert found.period is period
    assert [list(of.periods) for of in found.series] == [[4, 0, 2]]


def test_days_are_added_up_to_whole_weeks_and_nothing_is_divided(tmp_path: Path) -> None:
    days = ",".join(f"d_{number}" for number in range(1, 24))
    # Two days over; a full week; one of which four days are known; one of which too few are.
    units = ",".join(["9", "9", *"1111111", *["2"] * 4, *[""] * 3, *["5"] * 3, *[""] * 4])
    path = a_file(tmp_path, f"id,{days}", f"A,{units}")

    found = read([path], Period.WEEK)

    assert [(list(of.periods), of.season) for of in found.series] == [([7, 14, None], 52)]
    months = a_file(tmp_path, "part,2011-01,2011-02", "A,3,4", name="m.csv")
    with pytest.raises(UnusableFile, match="its columns are months, which are no weeks"):
        read([months], Period.WEEK)
    with pytest.raises(UnusableFile, match="different periods"):
        read([path, months])
    odd = a_file(tmp_path, "part,2011-01-01,2011-01-04", "A,3,4", name="o.csv")
    with pytest.raises(UnusableFile, match="are 3 days apart"):
        read([odd])


def test_a_file_of_no_known_form_says_which_forms_there_are(tmp_path: Path) -> None:
    with pytest.raises(UnusableFile, match="names neither InvoiceNo"):
        read([a_file(tmp_path, "a,b", "1,2")])
    with pytest.raises(UnusableFile, match="write units, or nothing"):
        read([a_file(tmp_path, "part,2011-01", "A,many")])
    invoices = a_file(tmp_path, INVOICE, "1,MUG,red,few,2011-03-01 09:00:00,2,17,UK", name="i.csv")
    with pytest.raises(UnusableFile, match="invalid literal"):
        read([invoices])
    periods = a_file(tmp_path, "part,2011-01", "A,3", name="p.csv")
    with pytest.raises(UnusableFile, match="different forms"):
        read([invoices, periods])
