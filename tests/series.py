#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""series.py BIN DIR [NAME...] - the real series, end to end, against plain loops.

Loads each series of DIR (whole, or the pieces of examples/data) with examples/load-series.sh, then
  - dumps it and compares every time and every bit of every value with a reading of the publisher's file by Python itself;
  - asks for hours and days and compares count, min, max, sum, mean, stddev, area, twa, rise with a loop in exact arithmetic.
Prints TAP.  The parsers below share nothing with the tools.
"""
import csv
import datetime
import math
import os
import subprocess
import sys
import tempfile
from fractions import Fraction

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
EPOCH = datetime.datetime(1970, 1, 1)
NS = 10 ** 9


def stamp(text, offset_hours=0):
    text = text.strip().replace("T", " ").replace("Z", "").replace("+00:00", "")
    d = datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S")
    return ((d - EPOCH) // datetime.timedelta(seconds=1) - offset_hours * 3600) * NS


def number(kind):
    def read(text):
        if text in ("", "NA"):
            return None
        return int(text) if kind == "i" else float(text)
    return read


def table(path, delimiter=",", header=True):
    with open(path, newline="", encoding="utf-8-sig") as f:
        rows = list(csv.reader(f, delimiter=delimiter))
    return rows[1:] if header else rows


# Each reader gives (kinds of the columns, gap in s or None, policy, rows in order of the file).  kind: i integer, f float, b bool.
def nab(kind, gap, policy="replace"):
    def read(path):
        return kind, gap, policy, [(stamp(r[0]), [number(kind)(r[1])]) for r in table(path)]
    return read


def etth1(path):
    return "f" * 7, 7200, "replace", [(stamp(r[0]), [float(x) for x in r[1:]]) for r in table(path)]


def gbpusd(path):
    return "f" * 4, 300, "replace", [(stamp(r[0]), [float(x) for x in r[1:]]) for r in table(path)]


def ampds(path):
    kinds = "fffffiiiiii"
    return kinds, 300, "replace", [(int(r[0]) * NS, [number(k)(x) for k, x in zip(kinds, r[1:])]) for r in table(path)]


def proc(path):
    kinds = "iiiiiifiii"
    return kinds, 1, "replace", [(int(r[0]) * 10 ** 6, [number(k)(x) for k, x in zip(kinds, r[1:])]) for r in table(path)]


def skab(path):
    return "f" * 8, 10, "replace", [(stamp(r[0]), [float(x) for x in r[1:]]) for r in table(path, ";")]


def household(path):
    kinds = "ffffiii"
    with open(path, encoding="utf-8") as f:
        lines = [line.rstrip("\n").replace('"', "").split("\t") for line in f][1:]
    # February in Paris: one hour ahead of UTC
    return kinds, 300, "replace", [(stamp(r[-1], 1), [number(k)(x) for k, x in zip(kinds, r[3:10])]) for r in lines]


def vic(path):
    rows = [(stamp(r[1]), [float(r[2]), float(r[3]), 1 if r[5] == "TRUE" else 0]) for r in table(path)]
    return "ffb", 3600, "replace", rows


def beijing(path):
    kinds = "iifffii"
    rows = []
    for r in table(path):
        t = stamp("%04d-%02d-%02d %02d:00:00" % tuple(int(x) for x in r[1:5]), 8)
        rows.append((t, [number(k)(x) for k, x in zip(kinds, [r[5], r[6], r[7], r[8], r[10], r[11], r[12]])]))
    return kinds, 7200, "replace", rows


def occupancy(path):
    rows = [((1423072260 + 60 * i) * NS, [float(x) for x in r[:5]] + [int(r[5])]) for i, r in enumerate(table(path, header=False))]
    return "fffffb", 300, "replace", rows


def gold(path):
    rows = []
    for r in table(path, header=False):
        ns = Fraction(r[0]) * 10 ** 6
        assert ns.denominator == 1
        rows.append((1398988800 * NS + int(ns), [float(r[1]), float(r[2])]))
    return "ff", 60, "replace", rows


def sensors(path):
    lines = table(path)
    names = sorted({r[3] for r in lines})
    rows = []
    for r in lines:
        d = datetime.datetime.strptime("%s %s" % (r[0], ":".join("%02d" % int(x) for x in r[1].split()[0].split(":")) + " " + r[1].split()[1]),
                                       "%m/%d/%Y %I:%M:%S %p")
        t = ((d - EPOCH) // datetime.timedelta(seconds=1)) * NS
        rows.append((t, [(1 if r[4] == "ON" else 0) if r[3] == n else None for n in names]))
    return "b" * len(names), None, "keep", rows


READERS = {
    "nyc_taxi": nab("i", 3600), "Twitter_volume_AAPL": nab("i", 900), "cpu_utilization_asg_misconfiguration": nab("f", 900),
    "ec2_disk_write_bytes_1ef3de": nab("f", 900, "keep"), "machine_temperature_system_failure": nab("f", 900, "keep"),
    "ETTh1": etth1, "gbpusd_1m": gbpusd, "ampds_elec": ampds, "proc_10hz": proc, "skab_valve": skab, "household_power": household,
    "vic_elec": vic, "beijing_pm25": beijing, "occupancy": occupancy, "xauusd_tick_20140502": gold, "onoff_sensors": sensors,
}


def in_order(rows, policy):
    rows = sorted(rows, key=lambda r: r[0])             # stable
    if policy == "keep":
        return rows
    last = {}
    for t, v in rows:
        last[t] = v
    return sorted(last.items())


def utc(ns, digits=0):
    s, rest = divmod(ns, NS)
    text = (EPOCH + datetime.timedelta(seconds=s)).strftime("%Y-%m-%dT%H:%M:%S")
    return text + ("." + "%09d" % rest)[:digits + 1] * (digits > 0) + "Z"


def exact(v):
    return Fraction(v)


def windows(rows, column, kind, gap_ns, width):
    """start -> what the window has of one column; exact."""
    linear = kind == "f"
    out = {}

    def window(start):
        return out.setdefault(start, {"rows": 0, "values": [], "area": Fraction(0), "covered": 0, "rise": Fraction(0), "pairs": 0})

    before = None
    for t, values in rows:
        w = window(t // width * width)
        w["rows"] += 1
        v = values[column]
        if v is None:
            continue
        w["values"].append(v)
        if before is not None:
            t0, v0 = before
            w["pairs"] += 1
            w["rise"] += exact(v) - exact(v0) if v >= v0 else max(exact(v), 0)
            if 0 < t - t0 and (gap_ns is None or t - t0 <= gap_ns):
                a = t0
                while a < t:
                    start = a // width * width
                    b = min(start + width, t)
                    x = window(start)
                    if linear:
                        slope = (exact(v) - exact(v0)) / (t - t0)
                        x["area"] += (exact(v0) + slope * (Fraction(a + b, 2) - t0)) * (b - a)
                    else:
                        x["area"] += exact(v0) * (b - a)
                    x["covered"] += b - a
                    a = b
        before = (t, v)
    return out


def near(got, want, scale=None):
    if got == "":
        return want is None
    if want is None:
        return False
    g, w = Fraction(got), want
    size = max(abs(w), scale if scale is not None else 0)
    return abs(g - w) <= size * Fraction(1, 10 ** 12)


def check_windows(run, path, names, kinds, gap, rows, width):
    """Compares every window of every column.  Returns the first difference, or None."""
    aggregates = ["count", "min", "max", "sum", "mean", "stddev", "area", "twa", "rise"]
    text = run("otr-query", "-w", "%ds" % (width // NS), "-a", ",".join(aggregates), path)
    got = list(csv.reader(text.splitlines()))
    head, body = got[0], got[1:]
    gap_ns = None if gap is None else gap * NS
    model = [windows(rows, c, kinds[c], gap_ns, width) for c in range(len(names))]
    starts = sorted({s for m in model for s, w in m.items() if w["rows"] > 0 or w["covered"] > 0})
    if [r[0][:19] for r in body] != [utc(s)[:19] for s in starts]:
        return "%d windows, expected %d" % (len(body), len(starts))
    for c, name in enumerate(names):
        at = [head.index("%s_%s" % (name, a)) for a in aggregates]
        for s, line in zip(starts, body):
            w = model[c].get(s, {"values": [], "area": Fraction(0), "covered": 0, "rise": Fraction(0), "pairs": 0})
            values = [exact(v) for v in w["values"]]
            n = len(values)
            total = sum(values, Fraction(0))
            size = sum((abs(v) for v in values), Fraction(0))
            count, least, most, tsum, mean, stddev, area, twa, rise = (line[i] for i in at)
            ok = int(count) == n
            if n:
                var = sum(((v - total / n) ** 2 for v in values), Fraction(0)) / n
                ok = ok and Fraction(least) == exact(min(w["values"])) if kinds[c] != "f" else ok and float(least) == min(w["values"])
                ok = ok and float(most) == float(max(w["values"]))
                ok = ok and near(tsum, total, size / 1000) and near(mean, total / n, size / n / 1000)
                # the root of an exact variance, and the bound of 1e-11 on m2
                ok = ok and abs(float(stddev) - math.sqrt(float(var))) <= 1e-11 * max(math.sqrt(float(var)), float(size / n) * 1e-3)
            else:
                ok = ok and least == most == tsum == mean == stddev == ""
            if w["covered"]:
                scale = max((abs(exact(v)) for r in (values or [Fraction(1)]) for v in [r]), default=Fraction(1)) * w["covered"] / NS / 1000
                ok = ok and near(area, w["area"] / NS, scale) and near(twa, w["area"] / w["covered"], scale * NS / w["covered"])
            else:
                ok = ok and area in ("", "0") and twa == ""
            if w["pairs"]:
                ok = ok and near(rise, w["rise"], Fraction(1, 1000))
            if not ok:
                return "window %s of %s: got %s, expected n=%d sum=%s area=%s covered=%s rise=%s" % (
                    utc(s), name, [line[i] for i in at], n, float(total), float(w["area"] / NS), w["covered"], float(w["rise"]))
    return None


def check_rows(run, path, kinds, rows):
    text = run("otr-dump", "--time-format", "ns", path)
    got = list(csv.reader(text.splitlines()))[1:]
    if len(got) != len(rows):
        return "%d rows, expected %d" % (len(got), len(rows))
    for line, (t, values) in zip(got, rows):
        if int(line[0]) != t:
            return "time %s, expected %d" % (line[0], t)
        for k, text, v in zip(kinds, line[1:], values):
            same = text == "" if v is None else text != "" and (
                float(text).hex() == v.hex() if k == "f" else int(text) == v)
            if not same:
                return "value %r at %d, expected %r" % (text, t, v)
    return None


def main():
    bin_dir, data = sys.argv[1], sys.argv[2]
    names = sys.argv[3:] or sorted(READERS)
    env = dict(os.environ, PATH=bin_dir + os.pathsep + os.environ["PATH"])
    tests = 0

    def run(*args):
        return subprocess.run(args, env=env, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout

    def tell(problem, sentence):
        nonlocal tests
        tests += 1
        print("%s %d - %s" % ("not ok" if problem else "ok", tests, sentence))
        if problem:
            print("#   %s" % problem)

    failed = False
    with tempfile.TemporaryDirectory() as tmp:
        for name in names:
            paths = [os.path.join(data, f) for f in os.listdir(data) if os.path.splitext(f)[0] == name]
            if not paths:
                continue
            kinds, gap, policy, raw = READERS[name](paths[0])
            rows = in_order(raw, policy)
            otr = os.path.join(tmp, name + ".otr")
            try:
                run(os.path.join(ROOT, "examples", "load-series.sh"), name, paths[0], otr)
                columns = next(csv.reader([run("otr-dump", "-n", "1", otr).splitlines()[0]]))[1:]
                problems = [(check_rows(run, otr, kinds, rows), "dumps back bit for bit"),
                            (check_windows(run, otr, columns, kinds, gap, rows, 3600 * NS), "hours equal a plain loop"),
                            (check_windows(run, otr, columns, kinds, gap, rows, 24 * 3600 * NS), "days equal a plain loop"),
                            (run("otr-verify", otr).strip() or None, "is sound")]
            except subprocess.CalledProcessError as e:
                problems = [("%s: %s" % (e.cmd, e.stderr), "loads")]
            for problem, what in problems:
                tell(problem, "%s, %d rows: %s" % (name, len(rows), what))
                failed = failed or problem is not None
    print("1..%d" % tests)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
