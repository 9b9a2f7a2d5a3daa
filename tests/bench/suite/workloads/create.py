"""Making a branch: the operation inside the store and the whole command, over bases of several sizes, beside an idle
parent and one that pgbench writes to; and what the parent's clients notice of it."""

import collections
import os
import re
import statistics
import time

from system import Failed, Timer, run
from workload import EVERY_DIRECTORY, Figure, Workload

SIZES = {"100m": "100 MiB", "1g": "1 GiB", "8g": "8 GiB", "files": "100 MiB and 10,000 files more"}
LIVE = 10  # pgbench scale of the parent that is written to


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Create(Workload):
    name = "create"
    title = "making a branch"
    # Which transport the commands use is theirs to choose.
    sides = tuple(side for side in EVERY_DIRECTORY if side not in ("branchfs-own", "branchfs-uring"))
    figures = {
        "fork": Figure("a writable copy of 1 GiB, ready to start a server on", "s"),
        **{f"{kind}_{share}_{size}": Figure(f"{what}, {share}, base of {text}", "s",
                                            at_most={"store": 0.005, "command": 0.025}[kind] if share == "p50" else None)
           for size, text in SIZES.items()
           for kind, what in (("store", "create inside the store"), ("command", "`branchfs create`")) for share in ("p50", "p99")},
        "store_growth": Figure("create inside the store, p50: 8 GiB (largest measured) / 100 MiB", "x", at_most=1.20),
        "command_growth": Figure("`branchfs create`, p50: 8 GiB (largest measured) / 100 MiB", "x", at_most=1.20),
        "store_p50_live": Figure("create inside the store, p50, parent under pgbench", "s"),
        "command_p50_live": Figure("`branchfs create`, p50, parent under pgbench", "s"),
        "command_p99_live": Figure("`branchfs create`, p99, parent under pgbench", "s"),
        "pause_p50": Figure("longest transaction of the parent during a live create, p50", "s"),
        "pause_p99": Figure("longest transaction of the parent during a live create, p99", "s", at_most=0.030),
        "bare_p50": Figure("the same with `create --no-checkpoint`, p50", "s"),
        "bare_p99": Figure("the same with `create --no-checkpoint`, p99", "s"),
        "frozen": Figure("longest time in which the parent's mount let nobody write, by its own count", "s"),
        "without_p50": Figure("longest transaction in an equally long time without a create, p50", "s"),
        "without_p99": Figure("longest transaction in an equally long time without a create, p99", "s"),
    }

    def sizes(self, bench):
        return [size for size in SIZES if not (bench.quick and size == "8g")]

    def estimate(self, bench, side):
        if not side.name.startswith("branchfs"):
            return 3
        return 40 if bench.quick else 80

    def round(self, bench, sides, number):
        figures = {}
        for side in sides:
            side.base("1g")
            with Timer() as timer:
                side.fork("1g", f"create{number}")
            figures[side.name] = {"fork": timer.seconds}
            side.remove(f"create{number}")
            if side.name.startswith("branchfs"):
                figures[side.name].update(self._idle(bench, side))
                figures[side.name].update(self._live(bench, side, number))
        return figures

    def _idle(self, bench, side):
        # The bases take turns, so that what the disk does meanwhile concerns all of them.
        turns, repeats = 4 if bench.quick else 20, 10
        times = collections.defaultdict(list)
        for _ in range(turns):
            for size in self.sizes(bench):
                times["store", size] += store_creates(bench, side, side.base(size), repeats)
                times["command", size] += command_creates(bench, side, side.base(size), repeats)
        figures = {}
        for (kind, size), values in times.items():
            figures[f"{kind}_p50_{size}"] = statistics.median(values)
            figures[f"{kind}_p99_{size}"] = percentile(values, 0.99)
        largest = [size for size in self.sizes(bench) if size != "files"][-1]
        for kind in ("store", "command"):
            figures[f"{kind}_growth"] = figures[f"{kind}_p50_{largest}"] / figures[f"{kind}_p50_100m"]
        return figures

    def _live(self, bench, side, number):
        """Creates from a parent whose server commits without a break."""
        name, repeats, gap = f"live{number}", 20 if bench.quick else 50, 0.1
        bench.branches.append((side, name))
        side.command("create", name, "--from", side.base(LIVE), "--start")
        url = side.command("url", name).strip()
        log = bench.new_directory("log")
        clients = bench.start_process(bench.pgbin / "pgbench", "-n", "-c", "4", "-j", "2", "-T", "3600", "-l",
                                      "--log-prefix", log / "log", url)
        try:
            time.sleep(1)
            store = store_creates(bench, side, name, repeats, gap)
            during, beside, bare, command = [], [], [], []
            for count in range(repeats):
                time.sleep(gap)
                begin = time.time()
                time.sleep(command[-1] if command else gap)
                beside.append((begin, time.time()))
                begin = time.time()
                command.append(spawn(bench, side, "create", f"{name}-{count}", "--from", name))
                during.append((begin, time.time()))
                time.sleep(gap)
                begin = time.time()
                spawn(bench, side, "create", f"{name}-bare-{count}", "--from", name, "--no-checkpoint")
                bare.append((begin, time.time()))
        finally:
            bench.end_process(clients)
        transactions = read_log(log)
        frozen = re.search(r'"max_us": (\d+)', side.command("status", name, "--json"))
        side.command("delete", name, "--recursive")
        bench.branches.remove((side, name))
        pauses, others, bares = (longest(transactions, spans) for spans in (during, beside, bare))
        return {"store_p50_live": statistics.median(store), "command_p50_live": statistics.median(command),
                "command_p99_live": percentile(command, 0.99), "pause_p50": statistics.median(pauses),
                "pause_p99": percentile(pauses, 0.99), **({"frozen": int(frozen.group(1)) / 1e6} if frozen else {}), "without_p50": statistics.median(others),
                "without_p99": percentile(others, 0.99), "bare_p50": statistics.median(bares), "bare_p99": percentile(bares, 0.99)}


def store_creates(bench, side, parent, count, gap=0.0):
    """Seconds of each of `count` creates through the library, without a process start; the branches are deleted again."""
    out = run(bench.program("store-ops-bench"), side.store, "create", parent, "made", count, int(gap * 1000))
    run(bench.program("store-ops-bench"), side.store, "delete", "made", count)
    return [float(line) / 1e6 for line in out.split()]


def spawn(bench, side, *words):
    """Seconds of a whole command, its process included."""
    program = str(bench.programs / "branchfs")
    begin = time.perf_counter()
    child = os.posix_spawn(program, [program, *map(str, words)], side.environment,
                           file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    _, state = os.waitpid(child, 0)
    seconds = time.perf_counter() - begin
    if state != 0:
        raise Failed(f"branchfs {' '.join(map(str, words))}: exit code {os.waitstatus_to_exitcode(state)}")
    return seconds


def command_creates(bench, side, parent, count):
    times = [spawn(bench, side, "create", f"typed{number}", "--from", parent) for number in range(count)]
    run(bench.program("store-ops-bench"), side.store, "delete", "typed", count)
    return times


def read_log(directory):
    """(begin, end) of every transaction in pgbench's logs."""
    transactions = []
    for path in directory.iterdir():
        for line in path.read_text().splitlines():
            words = line.split()
            if len(words) >= 6 and re.fullmatch(r"\d+", words[2]):
                end = int(words[4]) + int(words[5]) / 1e6
                transactions.append((end - int(words[2]) / 1e6, end))
    if not transactions:
        raise Failed("pgbench wrote no log of its transactions")
    return transactions


def longest(transactions, windows):
    """For each window the longest transaction that was under way in it."""
    found = []
    for begin, end in windows:
        found.append(max((t[1] - t[0] for t in transactions if t[0] < end and t[1] > begin), default=0.0))
    return found


WORKLOAD = Create()
