#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""An independent reader of Prometheus' text format 0.0.4, written from its description
(https://prometheus.io/docs/instrumenting/exposition_formats/), strict where that says "must".

Reads standard input; prints one line per sample, sorted: name, labels as name=hex of the UTF-8 value
(sorted, comma between), value as float.hex(). Exits 1 with a line on stderr at the first fault.
"""
import math
import re
import sys

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
VALUE = re.compile(r"[+-]?(Inf|NaN|[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?)\Z")


class Fault(Exception):
    pass


def number(text):
    if not VALUE.match(text):
        raise Fault("no value: " + repr(text))
    return float(text)


def quoted(line, at):
    """The string whose opening quote is at `at`, and where it ends."""
    if line[at : at + 1] != '"':
        raise Fault("a quote is missing: " + repr(line))
    out = []
    at += 1
    while at < len(line) and line[at] != '"':
        if line[at] == "\\":
            if at + 1 >= len(line) or line[at + 1] not in '\\"n':
                raise Fault("no such escape: " + repr(line))
            out.append({"\\": "\\", '"': '"', "n": "\n"}[line[at + 1]])
            at += 2
        else:
            out.append(line[at])
            at += 1
    if at >= len(line):
        raise Fault("a quote is missing: " + repr(line))
    return "".join(out), at + 1


def sample(line):
    match = NAME.match(line)
    if not match:
        raise Fault("no name: " + repr(line))
    name, at, labels = match.group(), match.end(), {}
    if line[at : at + 1] == "{":
        at += 1
        while line[at : at + 1] != "}":
            match = LABEL.match(line, at)
            if not match or line[match.end() : match.end() + 1] != "=":
                raise Fault("no label: " + repr(line))
            text, at = quoted(line, match.end() + 1)
            if match.group() in labels:
                raise Fault("a label twice: " + repr(line))
            labels[match.group()] = text
            if line[at : at + 1] == ",":
                at += 1
            elif line[at : at + 1] != "}":
                raise Fault("no comma: " + repr(line))
        at += 1
    if line[at : at + 1] != " ":
        raise Fault("no blank before the value: " + repr(line))
    return name, labels, number(line[at + 1 :])


def family_of(name, types):
    for ending in ("_bucket", "_sum", "_count"):
        if name.endswith(ending) and types.get(name[: -len(ending)]) == "histogram":
            return name[: -len(ending)]
    return name


def check_histograms(samples, types):
    groups = {}
    for name, labels, value in samples:
        base = family_of(name, types)
        if types.get(base) == "histogram":
            rest = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
            groups.setdefault((base, rest), []).append((name, labels.get("le"), value))
    for (base, _), rows in groups.items():
        buckets = [(number(le), v) for n, le, v in rows if n == base + "_bucket"]
        counts = [v for n, _, v in rows if n == base + "_count"]
        sums = [v for n, _, v in rows if n == base + "_sum"]
        if not buckets or len(counts) != 1 or len(sums) != 1:
            raise Fault("a histogram lacks a line: " + base)
        if buckets != sorted(buckets) or not math.isinf(buckets[-1][0]):
            raise Fault("buckets do not rise to +Inf: " + base)
        if any(a[1] > b[1] for a, b in zip(buckets, buckets[1:])) or buckets[-1][1] != counts[0]:
            raise Fault("buckets are not cumulative: " + base)


def read(text):
    types, helps, samples, seen, closed, current = {}, {}, [], set(), set(), None
    if text and not text.endswith("\n"):
        raise Fault("the last line does not end")
    for line in text.split("\n")[:-1]:
        words = line.split(" ", 3)
        if line.startswith("# HELP ") or line.startswith("# TYPE "):
            known = helps if words[1] == "HELP" else types
            if words[2] in known or not NAME.fullmatch(words[2]):
                raise Fault("twice, or no name: " + repr(line))
            known[words[2]] = words[3] if len(words) > 3 else ""
            family = words[2]
        elif line.startswith("#") or not line:
            continue
        else:
            name, labels, value = sample(line)
            family = family_of(name, types)
            key = (name, tuple(sorted(labels.items())))
            if key in seen:
                raise Fault("a sample twice: " + repr(line))
            if family not in types:
                raise Fault("a sample without a type: " + repr(line))
            seen.add(key)
            samples.append((name, labels, value))
        if family != current and family in closed:
            raise Fault("a family in two pieces: " + family)
        closed.add(family)
        current = family
    for kind in types.values():
        if kind not in ("counter", "gauge", "histogram", "summary", "untyped"):
            raise Fault("no such type: " + kind)
    check_histograms(samples, types)
    return samples


def main():
    try:
        samples = read(sys.stdin.buffer.read().decode("utf-8", "strict"))
    except (Fault, UnicodeDecodeError) as fault:
        sys.stderr.write("prometheus.py: %s\n" % fault)
        return 1
    rows = []
    for name, labels, value in samples:
        pairs = ",".join(k + "=" + v.encode().hex() for k, v in sorted(labels.items()))
        rows.append("%s %s %s" % (name, pairs, value.hex()))
    sys.stdout.write("".join(row + "\n" for row in sorted(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
