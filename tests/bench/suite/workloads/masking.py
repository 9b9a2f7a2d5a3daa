"""An anonymized branch against a bare ALTER TABLE: tests/bench/masking.sh measures, its figures are taken in."""

import re

from system import ROOT, Failed, run
from workload import Figure, Workload

SCRIPT = ROOT / "tests/bench/masking.sh"


class Masking(Workload):
    name = "masking"
    title = "masking (one table, six masked columns, a primary key and two indexes)"
    reference = None
    sides = ("branchfs",)
    few_rounds = True
    figures = {
        "whole": Figure("`branchfs create --anonymized`", "s"),
        "rewriting": Figure("of which rewriting", "s"),
        "proving": Figure("of which proving", "s"),
        "bare": Figure("a bare ALTER TABLE of the same columns", "s"),
        "cpu": Figure("CPU of rewriting / bare ALTER TABLE, filesystem included", "x"),
        "scan": Figure("the proof's rate", "MB/s", True),
        "owned": Figure("what the branch owns / size of the table and its indexes", "x"),
    }

    def why_not(self, bench):
        return None if SCRIPT.exists() else f"{SCRIPT} is not there"

    def estimate(self, bench, side):
        return 15 if bench.quick else 40

    def round(self, bench, sides, number):
        rows = 100_000 if bench.quick else 500_000
        out = run(SCRIPT, bench.build, rows, 1, env=bench.environment())
        found = {words[0]: float(words[1]) for words in re.findall(r"^\s*(\w+)\s+([0-9.]+) s\b", out, re.MULTILINE)}
        if "whole" not in found:
            raise Failed(f"{SCRIPT.name} did not print its figures")
        for figure, pattern in (("cpu", r"both together ([0-9.]+) of it"), ("scan", r"proof scan: ([0-9.]+) MB/s"),
                                ("owned", r"the branch owns .* MiB, .*: ([0-9.]+)$")):
            if match := re.search(pattern, out, re.MULTILINE):
                found[figure] = float(match.group(1))
        return {"branchfs": {figure: found[figure] for figure in self.figures if figure in found}}


WORKLOAD = Masking()
