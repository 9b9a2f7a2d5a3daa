"""Many of everything: a thousand branches in a store, fifty mounts, ten servers, two hundred throw-away branches."""

import pathlib
import re
import shutil
import statistics
import time

from sides import BranchFs
from system import Timer, run
from workload import Figure, Workload
from workloads.create import percentile, spawn


class Scale(Workload):
    name = "scale"
    title = "many branches"
    reference = None
    sides = ("branchfs", "branchfs-uring")
    few_rounds = True
    figures = {
        "create_store": Figure("1,000 branches created, by one process", "s", at_most=10.0),
        "create_command": Figure("1,000 × `branchfs create`, beside 1,000", "s", at_most=10.0),
        "list": Figure("`branchfs list` of 1,000", "s", at_most=0.100),
        "gc": Figure("`branchfs gc` beside 1,000", "s"),
        "delete_command": Figure("`branchfs delete` among 1,000 and more, p50", "s"),
        "delete_store": Figure("delete inside the store among 1,000 and more, p50", "s"),
        "mount": Figure("`branchfs mount`, median of 50", "s"),
        "mount_memory": Figure("private memory of an idle mount, median of 50", "bytes", at_most=8 << 20),
        "mount_memory_most": Figure("private memory of an idle mount, the largest of 50", "bytes", at_most=8 << 20),
        "servers": Figure("10 × `branchfs create --start`", "s"),
        "servers_memory": Figure("proportional memory of 10 mounts with a server on each, servers not counted", "bytes"),
        "run_p50": Figure("`branchfs run -- true`, p50", "s"),
        "run_p99": Figure("`branchfs run -- true`, p99", "s"),
        "runs_rate": Figure("`branchfs run -- true`, one after another", "per s", True),
    }

    def estimate(self, bench, side):
        if side.name != "branchfs":
            return 2 if bench.quick else 10
        return 40 if bench.quick else 150

    def round(self, bench, sides, number):
        return {side.name: self._measure(bench, side, number) for side in sides}

    def _measure(self, bench, side, number):
        base = side.base(1)
        mounts = self._mounts(bench, side, number)
        if side.name != "branchfs":
            # The rest does not depend on the transport, or the commands choose it themselves.
            return mounts
        return {**self._branches(bench), **mounts, **self._servers(bench, side, base, number), **self._runs(bench, side, base)}

    def _branches(self, bench):
        """In a store of its own, which is thrown away as a whole."""
        # With --quick fewer are made, and the time is that of a thousand at this rate.
        count = 200 if bench.quick else 1000
        crowd = Crowd(bench)
        store_ops, figures = bench.program("store-ops-bench"), {}
        with Timer() as timer:
            run(store_ops, crowd.store, "create", "base", "many", count, 0)
        figures["create_store"] = timer.seconds * 1000 / count
        if count < 1000:
            run(store_ops, crowd.store, "create", "base", "rest", 1000 - count, 0)
        figures["list"] = statistics.median(spawn(bench, crowd, "list") for _ in range(5))
        figures["gc"] = spawn(bench, crowd, "gc")
        with Timer() as timer:
            for i in range(count):
                spawn(bench, crowd, "create", f"more{i}", "--from", "base")
        figures["create_command"] = timer.seconds * 1000 / count
        figures["delete_command"] = statistics.median(spawn(bench, crowd, "delete", f"more{i}") for i in range(50))
        deleted = run(store_ops, crowd.store, "delete", "many", 50)
        figures["delete_store"] = statistics.median(float(line) for line in deleted.split()) / 1e6
        shutil.rmtree(crowd.home)
        return figures

    def _mounts(self, bench, side, number):
        names = [f"mounted{number}-{i}" for i in range(10 if bench.quick else 50)]
        times = []
        for name in names:
            side.create(1, name)
            with Timer() as timer:
                side.mount(name)
            times.append(timer.seconds)
        memory = [private_memory(daemon(side, name)) for name in names]
        for name in names:
            side.remove(name)
        return {"mount": statistics.median(times), "mount_memory": statistics.median(memory), "mount_memory_most": max(memory)}

    def _servers(self, bench, side, base, number):
        names = [f"running{number}-{i}" for i in range(3 if bench.quick else 10)]
        bench.branches += [(side, name) for name in names]
        with Timer() as timer:
            for name in names:
                side.command("create", name, "--from", base, "--start")
        memory = sum(smaps(daemon(side, name), "Pss") for name in names)
        for name in names:
            side.command("delete", name)
            bench.branches.remove((side, name))
        return {"servers": timer.seconds * 10 / len(names), "servers_memory": memory * 10 / len(names)}

    def _runs(self, bench, side, base):
        count = 20 if bench.quick else 200
        begin = time.perf_counter()
        times = [spawn(bench, side, "run", "--from", base, "--", "true") for _ in range(count)]
        return {"run_p50": statistics.median(times), "run_p99": percentile(times, 0.99),
                "runs_rate": count / (time.perf_counter() - begin)}


class Crowd(BranchFs):
    """A store with one base in it, apart from the side's."""

    def __init__(self, bench):
        super().__init__(bench)
        self.home = bench.new_directory("crowd")
        self.store = self.home / "store"
        self.environment["BRANCHFS_STORE"] = str(self.store)
        self.command("init")
        self.command("import", "base", "--pgdata", bench.cluster(1), "--quiet")


def daemon(side, name):
    """The process id of the mount."""
    return int(re.search(r'"mount_pid": (\d+)', side.command("status", name, "--json")).group(1))


def smaps(pid, *fields):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE).group(1)) for field in fields) * 1024


def private_memory(pid):
    return smaps(pid, "Private_Clean", "Private_Dirty")


WORKLOAD = Scale()
