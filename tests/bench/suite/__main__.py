"""Runs the suite: plans, says how long it takes, measures what is not yet in the results, reports. See scripts/bench.sh."""

import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import clusters
import postgres
import report
import workloads
from results import Results
from sides import SIDES
from system import Failed, Scratch, facts, give_to_server_user, is_mounted, run, why_no_cold_cache


class Bench:
    """What workloads and sides share: the scratch directory, the programs under test, and everything that runs."""

    def __init__(self, arguments, scratch):
        self.quick = arguments.quick
        self.scratch = scratch
        self.build = pathlib.Path(arguments.build).resolve()
        self.pgbin = postgres.programs()
        # What must be ended: servers, mounts by directory with what unmounts them, (side, branch) with a server, processes.
        self.servers, self.mounts, self.branches, self.processes = [], {}, [], []
        self._clusters, self._sources, self._once = {}, {}, {}
        self._made = 0
        self.programs = self.new_directory("bin")
        # Copies: a build that goes on next door must not change halfway what is measured.
        for program in ("tools/branchfs", "fs/mount.branchfs"):
            if not (self.build / program).exists():
                raise Failed(f"cannot measure {self.build}: it has no {program} (leave out --build, or build it)")
            shutil.copy2(self.build / program, self.programs)
        scratch.at_end(self.stop_all)

    def new_directory(self, prefix):
        self._made += 1
        directory = self.scratch.path / f"{prefix}{self._made}"
        directory.mkdir(mode=0o755)
        return directory

    def remove_directory(self, directory):
        shutil.rmtree(directory)

    def program(self, name, may_lack=False):
        """A program of tests/bench, or None when it may lack and does."""
        path = self.build / "tests/bench" / name
        if path.exists():
            return path
        if may_lack:
            return None
        raise Failed(f"{path} is not built (target bench-programs)")

    def environment(self):
        return dict(os.environ, PATH=f"{self.programs}:{self.pgbin}:{os.environ['PATH']}", TMPDIR=str(self.scratch.path))

    def cluster(self, key):
        """A stopped cluster that nobody writes to."""
        if key not in self._clusters:
            print(f"bench: making a cluster: {f'pgbench scale {key}' if isinstance(key, int) else key}", flush=True)
            self._clusters[key] = clusters.make(self, key)
        return self._clusters[key]

    def source(self, key):
        """A copy of it whose server may run."""
        if key not in self._sources:
            directory = self.new_directory("source")
            give_to_server_user(directory)
            run("cp", "-a", self.cluster(key), directory / "data")
            self._sources[key] = directory / "data"
        return self._sources[key]

    def once(self, key, make):
        """What a workload prepares for all its rounds."""
        if key not in self._once:
            self._once[key] = make()
        return self._once[key]

    def start_process(self, *command):
        words = [str(word) for word in command]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        self.processes.append(process)
        return process

    def end_process(self, process):
        process.terminate()
        process.wait()
        self.processes.remove(process)

    def stop_all(self):
        """Everything that the suite started and that still runs, each by its own handle."""
        undo = [(self.end_process, process) for process in self.processes]
        undo += [(server.stop, "immediate") for server in self.servers if server.may_run()]
        undo += [(side.command, "stop", name) for side, name in self.branches]
        undo += [(umount,) for directory, umount in reversed(self.mounts.items()) if is_mounted(directory)]
        for action, *arguments in undo:
            try:
                action(*arguments)
            except (Failed, OSError) as failure:
                print(f"bench: at the end: {failure}", flush=True)


def parse(words):
    parser = argparse.ArgumentParser(prog="scripts/bench.sh", description="Measures branchfs side by side with what it competes with.")
    parser.add_argument("--quick", action="store_true", help="small data and few rounds: minutes, for a direction")
    parser.add_argument("--only", metavar="NAME", action="append", choices=workloads.ORDER,
                        help=f"only this workload (may be repeated): {', '.join(workloads.ORDER)}")
    parser.add_argument("--side", metavar="SIDE", action="append", help="only this side (may be repeated); the plain directory is always one")
    parser.add_argument("--rounds", type=int, help="counted rounds (default: 5, with --quick 2; fewer where little varies)")
    parser.add_argument("--out", metavar="DIR", required=True, help="where results go; what is there already is not measured again")
    parser.add_argument("--build", metavar="DIR", required=True, help="the build to measure")
    parser.add_argument("--scratch", metavar="DIR", default="/var/tmp", help="where the data lies (default: %(default)s)")
    arguments = parser.parse_args(words)
    names = [side.name for side in SIDES]
    for side in arguments.side or ():
        if side not in names:
            parser.error(f"no side {side} (there are {', '.join(names)})")
    return arguments


def plan(bench, arguments, results, sides):
    """[(workload, round, sides to measure)] of what is not in the results."""
    todo = []
    for name in workloads.ORDER:
        if arguments.only and name not in arguments.only:
            continue
        workload = workloads.load(name)
        reason = workload.why_not(bench)
        if reason:
            results.meta["skipped"][name] = reason
            continue
        of = [side for side in sides if side.name in workload.sides and wanted(side, workload, arguments)]
        if not of:
            continue
        fewer, usual = (1, 2) if arguments.quick else (3, 5)
        counted = arguments.rounds or (fewer if workload.few_rounds else usual)
        warm_up = not (arguments.quick or workload.few_rounds)
        for number in range(0 if warm_up else 1, counted + 1):
            missing = [side for side in of if not results.has(name, side.name, number)]
            if missing:
                # A side alone has nothing to be compared with.
                todo.append((workload, number, [side for side in of if side in missing or side.name == workload.reference]))
    return todo


def wanted(side, workload, arguments):
    if side.name == workload.reference:
        return True
    if arguments.side:
        return side.name in arguments.side
    return not side.asked_for_only and (side.in_quick or not arguments.quick or workload.all_in_quick)


def available(bench, results, arguments):
    """The sides that are wanted by some workload and that this machine has; the others' reasons are noted."""
    sides = []
    chosen = [workloads.load(name) for name in arguments.only or workloads.ORDER]
    for kind in SIDES:
        side = kind(bench)
        if not any(side.name in workload.sides and wanted(side, workload, arguments) for workload in chosen):
            continue
        reason = side.why_not()
        if reason:
            results.meta["skipped"][side.name] = reason
            print(f"bench: {side.name} is skipped: {reason}", flush=True)
        else:
            sides.append(side)
    return sides


def measure(bench, arguments, results):
    reason = why_no_cold_cache()
    if reason:
        results.meta["skipped"]["everything from a cold cache"] = reason
    todo = plan(bench, arguments, results, available(bench, results, arguments))
    results.save_meta()
    seconds = sum(workload.estimate(bench, side) for workload, _, of in todo for side in of)
    print(f"bench: {len(todo)} rounds to measure, about {max(1, round(seconds / 60))} minutes; results go to {results.directory}", flush=True)
    for workload, number, of in todo:
        kind = "warm-up" if number == 0 else f"round {number}"
        began = time.monotonic()
        figures = workload.round(bench, of, number)
        # A workload may measure variants of a side under names of their own.
        for name, found in figures.items():
            results.add(workload.name, name, number, number > 0, found)
        for side in of:
            if side.name not in figures:
                results.add(workload.name, side.name, number, number > 0, {})
        print(f"bench: {workload.name}, {kind}: {time.monotonic() - began:.0f} s", flush=True)
    return report.write(results, arguments.only)


def check_scratch(arguments):
    """Memory is no disk; and a run that fills the disk measures nothing."""
    kind = run("findmnt", "-no", "FSTYPE", "--target", arguments.scratch).strip()
    if kind in ("tmpfs", "ramfs"):
        raise Failed(f"cannot measure in {arguments.scratch}: it is {kind} (give --scratch a directory on a disk)")
    free, wanted_gib = shutil.disk_usage(arguments.scratch).free >> 30, 12 if arguments.quick else 60
    if free < wanted_gib and not arguments.only:
        raise Failed(f"cannot measure in {arguments.scratch}: {free} GiB are free, a run needs up to {wanted_gib} (give another --scratch)")


def main():
    arguments = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell started it in the background
    scratch = None
    try:
        check_scratch(arguments)
        scratch = Scratch(arguments.scratch)
        bench = Bench(arguments, scratch)
        results = Results(arguments.out)
        results.begin(facts(scratch.path, bench.programs, bench.pgbin), {"quick": arguments.quick})
        print(measure(bench, arguments, results))
        return 0
    except Failed as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if scratch:
            scratch.close()


sys.exit(main())
