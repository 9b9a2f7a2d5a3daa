"""Turns results into report.json and report.md: every figure, its spread, its ratio to the plain directory, the goal."""

import json

import plots
import workloads
from results import ratios, spread


def summary(results):
    """[{workload, figure, title, unit, higher_is_better, goal, sides: {side: {median, min, max, rounds, ratio…}}}]"""
    lines = []
    for name in workloads.ORDER:
        workload = workloads.load(name)
        for key, figure in workload.figures.items():
            sides = {}
            for side in dict.fromkeys(line["side"] for line in results.rounds if line["workload"] == name):
                values = results.values(name, side, key).values()
                of = spread(values)
                if of is None:
                    continue
                sides[side] = {"median": of[0], "min": of[1], "max": of[2], "rounds": len(values)}
                ratio = ratios(results, workload, side, key)
                if ratio:
                    sides[side]["ratio"] = dict(zip(("median", "min", "max"), ratio))
            if sides:
                lines.append({"workload": name, "figure": key, "title": figure.title, "unit": figure.unit,
                              "higher_is_better": figure.higher_is_better,
                              "goal": {"at_least": figure.at_least, "at_most": figure.at_most}, "sides": sides})
    return lines


# Shown in the first of these units in which the value is at least 1.
SCALES = {"s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")), "us": ((1e3, "ms"), (1, "µs")), "ns": ((1e6, "ms"), (1e3, "µs"), (1, "ns")),
          "bytes": ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))}


def scale_of(value, unit):
    """(divisor, name) for showing values like this one."""
    scales = SCALES.get(unit, ((1, unit),))
    return next((scale for scale in scales if abs(value) >= scale[0]), scales[-1])


def digits(value):
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def number(value, unit):
    divisor, name = scale_of(value, unit)
    return f"{digits(value / divisor)} {name}".strip()


def cell(line, side):
    of = line["sides"].get(side)
    if of is None:
        return "–"
    text = number(of["median"], line["unit"])
    if of["rounds"] > 1:
        divisor, _ = scale_of(of["median"], line["unit"])
        text += f" ({digits(of['min'] / divisor)}–{digits(of['max'] / divisor)})"
    if "ratio" in of:
        text += f"<br>**{of['ratio']['median']:.2f}**"
        if of["rounds"] > 1:
            text += f" ({of['ratio']['min']:.2f}–{of['ratio']['max']:.2f})"
    return text


def best(line, figure_of):
    """The side of ours that is best in a figure, and its value, or None: goals are reached by one of our transports."""
    workload = workloads.load(line["workload"])
    found = [(figure_of(line["sides"][side]), side) for side in workload.ours if side in line["sides"]]
    found = [pair for pair in found if pair[0] is not None]
    if not found:
        return None
    lower = line["goal"]["at_least"] is None
    value, side = min(found) if lower else max(found)
    return side, value


def ratio_of(side):
    return side["ratio"]["median"] if "ratio" in side else None


def judged(line):
    """(goal as text, what was measured as text, whether it is reached), or None without a goal or a measurement."""
    least, most = line["goal"]["at_least"], line["goal"]["at_most"]
    if least is not None and (found := best(line, ratio_of)):
        return f"≥ {least:.2f}", f"{found[1]:.2f} ({found[0]})", found[1] >= least
    if most is not None and (found := best(line, lambda side: side["median"])):
        return f"≤ {number(most, line['unit'])}", f"{number(found[1], line['unit'])} ({found[0]})", found[1] <= most
    return None


def sign(reached):
    return "✓" if reached else "✗"


def goals(lines):
    """The table of everything that has a goal, first."""
    out = ["## Goals", "", "| what | goal | measured | |", "|---|---|---|---|"]
    for line in lines:
        found = judged(line)
        if found:
            out.append(f"| {workloads.load(line['workload']).title}: {line['title']} | {found[0]} | {found[1]} | {sign(found[2])} |")
    for other in ("overlayfs", "fuse-overlayfs", "btrfs", "xfs"):
        against = [line for line in lines if line["figure"] in workloads.load(line["workload"]).writes and other in line["sides"]]
        out += ahead(f"ahead of {other} in every write workload", against, [other])
    out += ahead("first answer sooner than every copying way", [line for line in lines if (line["workload"], line["figure"]) == ("ready", "ready")],
                 ["cp", "pg_basebackup", "createdb"])
    return out + [""]


def ahead(what, lines, others):
    """A row: in how many of these figures ours is at least as fast as the others, and where it is not."""
    behind, compared = [], 0
    for line in lines:
        ours = [line["sides"][side]["median"] for side in workloads.load(line["workload"]).ours if side in line["sides"]]
        theirs = [line["sides"][side]["median"] for side in others if side in line["sides"]]
        if ours and theirs:
            compared += 1
            higher = line["higher_is_better"]
            first, second = (max(ours), max(theirs)) if higher else (min(ours), min(theirs))
            if (first < second) if higher else (first > second):
                behind.append(f"{line['title']} ({number(first, line['unit'])}, there {number(second, line['unit'])})")
    if not compared:
        return []
    return [f"| {what} | {compared} of {compared} | {compared - len(behind)}{'; behind in ' + ', '.join(behind) if behind else ''} "
            f"| {sign(not behind)} |"]


def markdown(results, lines, plotted=(), only=None):
    """The report, or the tables of some workloads alone."""
    out = [] if only else head(results) + goals(lines)
    for name in only or workloads.ORDER:
        of = [line for line in lines if line["workload"] == name]
        if not of:
            continue
        sides = list(dict.fromkeys(side for line in of for side in line["sides"]))
        known = workloads.load(name).sides
        sides.sort(key=lambda side: known.index(side) if side in known else -1)
        out += [f"## {workloads.load(name).title}", ""]
        out += ["| | " + " | ".join(sides) + " | goal |", "|---" * (len(sides) + 2) + "|"]
        for line in of:
            found = judged(line)
            out.append(f"| {line['title']} | " + " | ".join(cell(line, side) for side in sides)
                       + f" | {f'{found[0]} {sign(found[2])}' if found else ''} |")
        out += ["", f"![{workloads.load(name).title}]({name}.svg)", ""] if name in plotted else [""]
    if results.meta["skipped"] and not only:
        out += ["## Not measured", ""] + [f"- {what}: {why}" for what, why in results.meta["skipped"].items()] + [""]
    return "\n".join(out)


def head(results):
    facts = {**results.meta["machine"], **results.meta["settings"]}
    out = ["# Benchmark", "", "| | |", "|---|---|"] + [f"| {key.replace('_', ' ')} | {value} |" for key, value in facts.items()]
    return out + ["", "Median (least–greatest) of the counted rounds. **Bold**: speed relative to the reference side (the plain directory; "
                  "for imports `cp -a`; for depth a branch 1 deep), the median of the ratios of paired rounds, with least–greatest: 1 is as "
                  "fast, more is faster. Sizes: bytes on the disk.", ""]


def write(results, only):
    """Writes the files; returns the text of the workloads `only`."""
    lines = summary(results)
    plotted = plots.write(results, lines)
    report = {**results.meta, "figures": lines}
    (results.directory / "report.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    (results.directory / "report.md").write_text(markdown(results, lines, plotted))
    return markdown(results, lines, only=only)
