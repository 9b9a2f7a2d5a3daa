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


def verdict(line, sides):
    """The goal, and whether branchfs (its fastest transport) reaches it."""
    goal = line["goal"]
    ours = [line["sides"][side] for side in sides if side.startswith("branchfs") and side in line["sides"]]
    if goal["at_least"] is not None:
        reached = [of["ratio"]["median"] for of in ours if "ratio" in of]
        sign = "" if not reached else (" ✓" if max(reached) >= goal["at_least"] else " ✗")
        return f"≥ {goal['at_least']:.2f}{sign}"
    if goal["at_most"] is not None:
        reached = [of["median"] for of in ours]
        sign = "" if not reached else (" ✓" if min(reached) <= goal["at_most"] else " ✗")
        return f"≤ {number(goal['at_most'], line['unit'])}{sign}"
    return ""


def markdown(results, lines, plotted=(), only=None):
    """The report, or the tables of some workloads alone."""
    machine, settings = results.meta["machine"], results.meta["settings"]
    out = ["# Benchmark", "", "| | |", "|---|---|"]
    out += [f"| {key.replace('_', ' ')} | {value} |" for key, value in {**machine, **settings}.items()]
    out += ["", "Median (least – greatest) of the counted rounds; **bold**: speed relative to the plain directory, the median "
            "of the ratios of paired rounds (1 = as fast, above = faster), with least–greatest.", ""]
    if only:
        out = []
    for name in only or workloads.ORDER:
        of = [line for line in lines if line["workload"] == name]
        if not of:
            continue
        sides = list(dict.fromkeys(side for line in of for side in line["sides"]))
        known = workloads.load(name).sides
        sides.sort(key=lambda side: known.index(side) if side in known else -1)
        goals = any(verdict(line, sides) for line in of)
        out += [f"## {workloads.load(name).title}", ""]
        out += ["| | " + " | ".join(sides + (["goal"] if goals else [])) + " |", "|---" * (len(sides) + 1 + goals) + "|"]
        out += [f"| {line['title']} | " + " | ".join([cell(line, side) for side in sides] + ([verdict(line, sides)] if goals else []))
                + " |" for line in of]
        out += ["", f"![{workloads.load(name).title}]({name}.svg)", ""] if name in plotted else [""]
    if results.meta["skipped"] and not only:
        out += ["## Not measured", ""] + [f"- {what}: {why}" for what, why in results.meta["skipped"].items()] + [""]
    return "\n".join(out)


def write(results, only):
    """Writes the files; returns the text of the workloads `only`."""
    lines = summary(results)
    plotted = plots.write(results, lines)
    report = {**results.meta, "figures": lines}
    (results.directory / "report.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    (results.directory / "report.md").write_text(markdown(results, lines, plotted))
    return markdown(results, lines, only=only)
