"""SVG plots of a report, by gnuplot: one per workload whose figures can be compared. Without gnuplot there are none."""

import shutil
import textwrap

import workloads
from system import Failed, run

# What each plot shows: relative speed of every side, or absolute values of some figures (on a logarithmic scale).
ABSOLUTE = {"growth": ("bytes added (MiB)", 1 << 20), "ready": ("seconds", 1), "create": ("milliseconds", 1e-3), "import": ("seconds", 1)}
UNITS = {"growth": "bytes", "ready": "s", "create": "s", "import": "s"}

HEAD = """set terminal svg size {width},420 dynamic background '#ffffff' font 'sans-serif,11'
set output '{output}'
set title '{title}' noenhanced
set style data histograms
set style histogram errorbars gap 1 lw 1
set style fill solid 0.8 border lt -1
set boxwidth 0.9
set bars small
set grid ytics
set key outside right top noenhanced
set xtics noenhanced scale 0 font ',9'
set linetype 9 lc rgb '#a0a0a0'
set datafile missing '?'
set ylabel '{ylabel}'
"""


def quoted(text):
    """A label in lines that fit below its bars."""
    return '"' + "\\n".join(textwrap.wrap(text.replace('"', "").replace("`", ""), 20)) + '"'


def table(lines, sides, values):
    """Rows of gnuplot's data: the figure's name, then median, least and greatest of each side, ? where there is none."""
    rows = []
    for line in lines:
        row = [quoted(line["title"])]
        for side in sides:
            found = values(line["sides"][side]) if side in line["sides"] else None
            row += [f"{value:.6g}" for value in found] if found else ["?"] * 3
        rows.append(" ".join(row))
    return "\n".join(rows)


def relative(side):
    ratio = side.get("ratio")
    return (ratio["median"], ratio["min"], ratio["max"]) if ratio else None


def plot(directory, name, lines):
    """Writes DIRECTORY/NAME.svg; returns whether there was something to show."""
    if name in ABSOLUTE:
        ylabel, divisor = ABSOLUTE[name]
        lines = [line for line in lines if line["unit"] == UNITS[name]]
        log = "set logscale y\n"

        def values(side):
            return tuple(max(side[of] / divisor, 1e-3) for of in ("median", "min", "max"))
    else:
        ylabel, values = "speed relative to the reference (1 = as fast)", relative
        lines = [line for line in lines if any(relative(side) for side in line["sides"].values())]
        log = "set yrange [0:1.1<*]\nset arrow from graph 0,first 1 to graph 1,first 1 nohead lw 2 dt 2 lc '#606060' front\n"
    sides = [side for side in dict.fromkeys(side for line in lines for side in line["sides"])
             if any(side in line["sides"] and values(line["sides"][side]) for line in lines)]
    if not sides:
        return False
    script = HEAD.format(width=300 + max(400, 140 * len(lines)), output=directory / f"{name}.svg",
                         title=workloads.load(name).title.replace("'", "’"), ylabel=ylabel) + log
    script += f"$data << EOD\n{table(lines, sides, values)}\nEOD\n"
    script += "plot " + ", ".join(f"$data using {3 * i + 2}:{3 * i + 3}:{3 * i + 4}:xtic(1) title '{side}'"
                                  for i, side in enumerate(sides)) + "\n"
    run("gnuplot", input=script)
    return True


def write(results, lines):
    """Names of the workloads that have a plot now."""
    if not shutil.which("gnuplot"):
        results.meta["skipped"]["plots"] = "gnuplot is not installed (scripts/setup.sh --bench)"
        return []
    made = []
    for name in workloads.ORDER:
        of = [line for line in lines if line["workload"] == name]
        try:
            if of and plot(results.directory, name, of):
                made.append(name)
        except Failed as failure:
            results.meta["skipped"][f"plot of {name}"] = str(failure)
    return made
