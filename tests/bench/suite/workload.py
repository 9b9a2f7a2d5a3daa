"""What a workload is, and the kind most are: the same steps on a server of each side, the sides taking turns."""

import collections
import dataclasses
import os
import typing

from postgres import Server
from system import drop_caches, read_whole, why_no_cold_cache

# Sides that give a data directory to start a server on.
EVERY_DIRECTORY = ("plain", "branchfs", "branchfs-uring", "branchfs-own", "overlayfs", "fuse-overlayfs", "btrfs", "xfs")


@dataclasses.dataclass(frozen=True)
class Figure:
    """One line of the report. `at_least`: the ratio to the plain directory that is asked for (1 = as fast, 2 = twice as
    fast); `at_most`: the same for an absolute value in `unit`."""

    title: str
    unit: str
    higher_is_better: bool = False
    at_least: float | None = None
    at_most: float | None = None

    def ratio(self, value, reference):
        """Relative speed; None where there is none: sizes and quotients are compared by themselves."""
        if not value or not reference or self.unit in ("bytes", "x"):
            return None
        return value / reference if self.higher_is_better else reference / value


class Workload:
    """`round` measures every given side once and returns {side name: {figure: value}}. A figure that a side does not
    have is left out."""

    name: str
    title: str
    figures: dict
    sides: tuple
    reference: str | None = "plain"  # the side that ratios are formed with
    all_in_quick = False            # --quick leaves out no side
    few_rounds = False              # long, or what hardly varies: 3 counted rounds, with --quick 1
    ours = ("branchfs", "branchfs-uring")  # goals are judged by the better of these
    writes: tuple = ()              # figures in which no other filesystem is to be ahead

    def why_not(self, bench):
        return None

    def estimate(self, bench, side):
        """Seconds that one round of a side takes on a small machine."""
        raise NotImplementedError

    def round(self, bench, sides, number):
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Step:
    """`run(server, round)` returns the figure, or a dictionary of several. `repeats`: how often each side has its turn (the figure is their mean):
    short turns next to each other see the same neighbours on a shared machine. `cold`: server and caches start empty."""

    figure: str
    run: typing.Callable
    repeats: int = 1
    cold: bool = False
    before: typing.Callable | None = None


class Turns(Workload):
    """Forks the same cluster on every side, starts all servers and gives each its turn, step by step."""

    settings: dict = {}

    def scale(self, bench):
        raise NotImplementedError

    def steps(self, bench):
        raise NotImplementedError

    def round(self, bench, sides, number):
        servers, figures = {}, {side.name: {} for side in sides}
        for side in sides:
            data = side.fork(self.scale(bench), f"{self.name}{number}")
            servers[side.name] = Server(bench, data, settings={**self.settings, **side.settings})
        for server in servers.values():
            read_whole(server.data)
            server.start()
        turn = number
        for step in self.steps(bench):
            if step.cold and why_no_cold_cache():
                continue
            samples = {side.name: collections.defaultdict(list) for side in sides}
            for _ in range(step.repeats):
                turn += 1
                for side in sides if turn % 2 else sides[::-1]:
                    measured = self._turn(step, side, servers[side.name], number)
                    for figure, value in (measured if isinstance(measured, dict) else {step.figure: measured}).items():
                        samples[side.name][figure].append(value)
            for name, several in samples.items():
                figures[name].update((figure, sum(values) / len(values)) for figure, values in several.items())
        for side in sides:
            servers[side.name].stop("immediate")
            side.remove(f"{self.name}{number}")
        return figures

    def _turn(self, step, side, server, number):
        if step.before:
            step.before(server, number)
        if step.cold:
            server.stop()
            side.cool(f"{self.name}{number}")
            drop_caches()
            server.start()
        # What an earlier turn left to write back must not be paid by this one.
        os.sync()
        return step.run(server, number)
