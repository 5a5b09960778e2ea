#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small runner of experiments: scenarios x values of parameters x seeds, in one table with confidence
intervals. It runs `qkdn run --json`, several at a time, and knows nothing of what it runs.

    vary.py grid.yaml ring.yaml --set control.routing=widest,fewest-hops --seeds 1..30 \\
            --figure served_fraction --against control.routing=fewest-hops -o table.csv --plot plot.svg

Values of a parameter are separated by commas (or by `|` where they hold commas). Every combination runs with
every seed, so that differences to --against are differences of pairs. Intervals are of Student's t at
95 %. A figure is a name of the JSON summary with dots; `jain` is the fairness index of Jain, Chiu and Hawe
(DEC-TR-301, 1984) over the served fractions of all applications. Exit code 3 if a run fails.
"""
import argparse
import concurrent.futures
import csv
import itertools
import json
import math
import os
import subprocess
import sys

# 97.5 % quantiles of Student's t for 1 to 30 degrees of freedom (any table of it).
T_TABLE = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179,
           2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
           2.060, 2.056, 2.052, 2.048, 2.045, 2.042]


def t_quantile(freedom):
    """Beyond the table: Cornish-Fisher from the normal quantile (Abramowitz and Stegun 26.7.5)."""
    if freedom <= len(T_TABLE):
        return T_TABLE[freedom - 1]
    z = 1.959963985
    return z + (z ** 3 + z) / (4 * freedom) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2)


def interval(values):
    """Mean and half width of the 95 % interval; values that are not there are left out."""
    values = [v for v in values if v is not None]
    n = len(values)
    if n == 0:
        return None, None, 0
    mean = math.fsum(values) / n
    if n == 1:
        return mean, None, 1
    variance = math.fsum((v - mean) ** 2 for v in values) / (n - 1)
    return mean, t_quantile(n - 1) * math.sqrt(variance / n), n


def jain(shares):
    shares = [s for s in shares if s is not None]
    squares = math.fsum(s * s for s in shares)
    return math.fsum(shares) ** 2 / (len(shares) * squares) if squares > 0 else None


def figure_of(summary, name):
    if name == "jain":
        return jain([a["served_fraction"] for a in summary["applications"]])
    at = summary
    for part in name.split("."):
        if not isinstance(at, dict) or part not in at:
            raise SystemExit(f"vary.py: '{name}' is no figure of the summary")
        at = at[part]
    return at


def run(job):
    program, scenario, sets, seed = job
    command = [program, "run", scenario, "--json", "--quiet", "--seed", str(seed)]
    for name, value in sets:
        command += ["--set", f"{name}={value}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode not in (0, 1):  # 1: an expectation failed, which may be what is looked for
        return None, done.stderr.decode()
    summary = json.loads(done.stdout)
    broken = summary["oracle"]["violations"]
    return (None, f"{scenario}: seed {seed}: {broken} violations") if broken else (summary, "")


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="+")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=A,B")
    parser.add_argument("--seeds", default="1..30", metavar="A..B")
    parser.add_argument("--figure", action="append", metavar="NAME")
    parser.add_argument("--against", metavar="PATH=VALUE")
    parser.add_argument("-j", type=int, default=os.cpu_count() or 1)
    parser.add_argument("-o", metavar="FILE.csv")
    parser.add_argument("--plot", metavar="FILE.svg")
    parser.add_argument("--qkdn", default=os.environ.get("QKDN", "qkdn"))
    args = parser.parse_args()
    args.figure = args.figure or ["served_fraction"]
    first, last = (args.seeds.split("..") + [args.seeds])[:2]
    args.seeds = range(int(first), int(last) + 1)
    args.names = [text.split("=", 1)[0] for text in args.set]
    args.values = [text.split("=", 1)[1].split("|" if "|" in text else ",") for text in args.set]
    return args


def measure(args):
    """Rows: {scenario, parameters} and, by figure, values in the order of the seeds."""
    points = [(s, list(zip(args.names, v)))
              for s in args.scenarios for v in itertools.product(*args.values)]
    jobs = [(args.qkdn, s, sets, seed) for s, sets in points for seed in args.seeds]
    with concurrent.futures.ThreadPoolExecutor(args.j) as pool:
        results = list(pool.map(run, jobs))
    failed = [why for summary, why in results if summary is None]
    if failed:
        sys.stderr.write(f"vary.py: {len(failed)} runs failed, the first: {failed[0]}\n")
        raise SystemExit(3)
    rows = []
    for i, (scenario, sets) in enumerate(points):
        mine = [r[0] for r in results[i * len(args.seeds):(i + 1) * len(args.seeds)]]
        rows.append({"scenario": os.path.splitext(os.path.basename(scenario))[0], "sets": sets,
                     "values": {f: [figure_of(s, f) for s in mine] for f in args.figure}})
    return rows


def compare(rows, against, figure):
    """Adds to each row the differences of pairs to the row that differs in `against` only."""
    name, value = against.split("=", 1)
    for row in rows:
        other = [(n, value if n == name else v) for n, v in row["sets"]]
        base = next((r for r in rows if r["scenario"] == row["scenario"] and r["sets"] == other), None)
        if base is None:
            raise SystemExit(f"vary.py: --against {against}: no such value among --set")
        pairs = zip(row["values"][figure], base["values"][figure])
        row["difference"] = interval([a - b for a, b in pairs if a is not None and b is not None])


def table(rows, args):
    head = ["scenario"] + args.names + ["figure", "seeds", "mean", "half_width_95"]
    head += ["difference", "difference_half_width_95"] if args.against else []
    lines = [head]
    for row in rows:
        for figure in args.figure:
            mean, half, n = interval(row["values"][figure])
            line = [row["scenario"]] + [v for _, v in row["sets"]] + [figure, n, mean, half]
            if args.against:
                compare_to = row["difference"] if figure == args.figure[0] else (None, None, 0)
                line += [compare_to[0], compare_to[1]]
            lines.append(["" if v is None else f"{v:.6g}" if isinstance(v, float) else v
                          for v in line])
    return lines


COLOURS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#777777"]


def plot(rows, args):
    """One panel per scenario: the first figure over the last parameter, a line for each of the rest."""
    scenarios = list(dict.fromkeys(r["scenario"] for r in rows))
    figure = args.figure[0]
    means = [interval(r["values"][figure])[:2] for r in rows]
    tops = [m + (h or 0) for m, h in means if m is not None]
    lows = [m - (h or 0) for m, h in means if m is not None]
    low, top = min(lows), max(tops)
    top = top if top > low else low + 1
    xs = args.values[-1]
    out = []
    for p, scenario in enumerate(scenarios):
        left = 70 + 330 * p
        out.append(f'<text x="{left}" y="20">{scenario}</text>'
                   f'<rect x="{left}" y="30" width="260" height="220" fill="none" stroke="#999"/>')
        mine = [(r, m) for r, m in zip(rows, means) if r["scenario"] == scenario]
        groups = list(dict.fromkeys(tuple(r["sets"][:-1]) for r, _ in mine))
        for g, group in enumerate(groups):
            colour = COLOURS[g % len(COLOURS)]
            path = []
            for k, x in enumerate(xs):
                m, h = next(m for r, m in mine if tuple(r["sets"][:-1]) == group
                            and r["sets"][-1][1] == x)
                px = left + 20 + 220 * (k / (len(xs) - 1) if len(xs) > 1 else 0.5)
                py, half = [240 - 200 * (m - low) / (top - low), 200 * (h or 0) / (top - low)]
                path.append(f"{px:.1f},{py:.1f}")
                out.append(f'<path d="M{px:.1f} {py - half:.1f}v{2 * half:.1f}" stroke="{colour}"/>')
                if g == 0:
                    out.append(f'<text x="{px:.1f}" y="265" text-anchor="middle">{x}</text>')
            out.append(f'<polyline points="{" ".join(path)}" fill="none" stroke="{colour}" '
                       f'stroke-width="2"/>')
            if p == 0:
                label = " ".join(v for _, v in group) or figure
                out.append(f'<text x="{70 + 150 * (g % 6)}" y="{290 + 16 * (g // 6)}" '
                           f'fill="{colour}">{label}</text>')
    for share in (0, 0.5, 1):
        out.append(f'<text x="64" y="{244 - 200 * share:.0f}" text-anchor="end">'
                   f'{low + share * (top - low):.3g}</text>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{max(80 + 330 * len(scenarios), 980)}" '
            f'height="320" font-family="sans-serif" font-size="12">\n' + "\n".join(out) + "\n</svg>\n")


def main():
    args = parse()
    rows = measure(args)
    if args.against:
        compare(rows, args.against, args.figure[0])
    lines = table(rows, args)
    csv.writer(sys.stdout, lineterminator="\n").writerows(lines)
    if args.o:
        with open(args.o, "w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)
    if args.plot:
        with open(args.plot, "w", encoding="utf-8") as file:
            file.write(plot(rows, args))
    return 0


if __name__ == "__main__":
    sys.exit(main())
