"""The directory of a run: meta.json says what was measured where, rounds.jsonl has one line per workload, side and round.

A line is appended when its round is complete, so a run that was interrupted goes on where it stopped. Ratios are formed
within a round of one run only: sides measured on different days are not compared.
"""

import json
import pathlib
import statistics

from system import Failed


class Results:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self._lines = self.directory / "rounds.jsonl"
        self.rounds = []
        self.meta = {}
        if self._lines.exists():
            # A line that a crash cut off has no newline: its round is measured again.
            text = self._lines.read_text()
            whole = text[: text.rfind("\n") + 1]
            if whole != text:
                self._lines.write_text(whole)
            self.rounds = [json.loads(line) for line in whole.splitlines()]
        if (self.directory / "meta.json").exists():
            self.meta = json.loads((self.directory / "meta.json").read_text())

    def begin(self, facts, settings):
        """Refuses to mix figures of different programs, machines or settings in one directory."""
        new = {"machine": facts, "settings": settings}
        if self.rounds:
            for group, values in new.items():
                for key, value in values.items():
                    # The programs are what counts: somebody may commit while they are measured.
                    if key == "commit":
                        continue
                    old = self.meta.get(group, {}).get(key)
                    if old != value:
                        raise Failed(f"cannot add to {self.directory}: it was measured with {key} {old}, this is {value} "
                                     f"(give another --out)")
        self.directory.mkdir(parents=True, exist_ok=True)
        self.meta = {**new, "skipped": {}, "runs": self.meta.get("runs", 0) + 1}
        self.save_meta()

    def save_meta(self):
        (self.directory / "meta.json").write_text(json.dumps(self.meta, indent=2) + "\n")

    def add(self, workload, side, number, counted, figures):
        line = {"workload": workload, "side": side, "round": number, "counted": counted, "run": self.meta["runs"],
                "figures": figures}
        with open(self._lines, "a") as file:
            file.write(json.dumps(line) + "\n")
        self.rounds.append(line)

    def has(self, workload, side, number):
        return any((line["workload"], line["side"], line["round"]) == (workload, side, number) for line in self.rounds)

    def values(self, workload, side, figure):
        """Counted values of one figure, by (run, round)."""
        return {(line["run"], line["round"]): line["figures"][figure] for line in self.rounds
                if (line["workload"], line["side"]) == (workload, side) and line["counted"] and figure in line["figures"]}


def spread(values):
    """Median, least and greatest, or None."""
    values = [value for value in values if value is not None]
    return (statistics.median(values), min(values), max(values)) if values else None


def ratios(results, workload, side, key):
    """The spread of the ratios of paired rounds to the workload's reference side, or None."""
    reference = workload.reference
    if reference in (None, side):
        return None
    of_side = results.values(workload.name, side, key)
    of_reference = results.values(workload.name, reference, key)
    return spread(workload.figures[key].ratio(of_side[at], of_reference[at]) for at in of_side if at in of_reference)
