"""A cluster's way into the store, against the ways to copy one; and the same cluster again, a little changed."""

import os
import shutil

from postgres import Server
from system import (Timer, drop_caches, give_to_server_user, read_whole, run, stored_bytes,
                    why_no_cold_cache)
from workload import Figure, Workload


class Import(Workload):
    name = "import"
    title = "import"
    reference = "cp"
    sides = ("cp", "pg_basebackup", "branchfs", "branchfs-url")
    all_in_quick = True
    figures = {
        "time": Figure("time, source in the page cache", "s", at_least=1.00),
        "durable": Figure("time until it is on the disk as well (sync)", "s"),
        "cpu": Figure("CPU time of the command", "s"),
        "stored": Figure("bytes stored", "bytes"),
        "share": Figure("bytes stored / size of the source", "x", at_most=0.50),
        "cold": Figure("time, source on the disk", "s"),
        "again": Figure("time, the same cluster after 1 % of its rows, next to each other, changed", "s"),
        "again_stored": Figure("bytes that this adds", "bytes"),
    }

    def scale(self, bench):
        return 20 if bench.quick else 50

    def estimate(self, bench, side):
        return 8 if bench.quick else 12

    def round(self, bench, sides, number):
        source = bench.new_directory("source")
        give_to_server_user(source)
        run("cp", "-a", bench.cluster(self.scale(bench)), source / "data")
        figures = {side.name: {} for side in sides}
        order = sides if number % 2 else sides[::-1]
        ways = {side.name: WAYS[side.name](bench, source / "data") for side in sides}
        if not why_no_cold_cache():
            for side in order:
                drop_caches()
                figures[side.name]["cold"] = ways[side.name].take("cold")[0]
        size = stored_bytes(source / "data")
        for side in order:
            way = ways[side.name]
            read_whole(source / "data")
            os.sync()
            before = way.used()
            seconds, cpu = way.take("first")
            with Timer() as rest:
                os.sync()
            stored = way.used() - before
            figures[side.name].update({"time": seconds, "durable": seconds + rest.seconds, "cpu": cpu, "stored": stored,
                                       "share": stored / size})
        self._change(bench, source / "data")
        for side in order:
            way = ways[side.name]
            read_whole(source / "data")
            os.sync()
            before = way.used()
            figures[side.name].update({"again": way.take("again")[0], "again_stored": way.used() - before})
        for way in ways.values():
            way.close()
        shutil.rmtree(source)
        return figures

    def _change(self, bench, data):
        server = Server(bench, data, settings={"fsync": "off"})
        server.start()
        rows = 100_000 * self.scale(bench)
        server.sql(f"UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid <= {rows // 100}")
        server.stop()


class Way:
    """take(name) copies the cluster once more and returns (seconds, CPU seconds); used() is what all copies take."""

    def __init__(self, bench, source):
        self._bench, self._source = bench, source
        self._home = bench.new_directory("way")

    def take(self, name):
        target = self._home / name
        with Timer() as timer:
            run("cp", "-a", self._source, target)
        if name == "cold":
            shutil.rmtree(target)
        return timer.seconds, timer.cpu

    def used(self):
        return stored_bytes(self._home)

    def close(self):
        shutil.rmtree(self._home)


class FromServer(Way):
    """The source runs while it is taken."""

    def take(self, name):
        server = Server(self._bench, self._source, settings={"wal_level": "replica", "max_wal_senders": "4"})
        server.start()
        try:
            if name == "cold":
                drop_caches()
            return self._take(name, server)
        finally:
            server.stop()


class BaseBackup(FromServer):
    def _take(self, name, server):
        target = self._home / name
        target.mkdir(mode=0o700)
        give_to_server_user(target)
        with Timer() as timer:
            server.base_backup(target)
        if name == "cold":
            shutil.rmtree(target)
        return timer.seconds, timer.cpu


class Stored(Way):
    """A store for the cold import, which is removed with it, and one for the others."""

    def __init__(self, bench, source):
        super().__init__(bench, source)
        for store in ("cold", "store"):
            self._branchfs(store, "init")

    def _branchfs(self, store, *words):
        environment = dict(os.environ, BRANCHFS_STORE=str(self._home / store),
                           PATH=f"{self._bench.programs}:{self._bench.pgbin}:{os.environ['PATH']}")
        return run(self._bench.programs / "branchfs", *words, env=environment)

    def take(self, name):
        return self._import(name, "--pgdata", self._source)

    def _import(self, name, *source):
        store = "cold" if name == "cold" else "store"
        with Timer() as timer:
            self._branchfs(store, "import", name, *source, "--quiet")
        if store == "cold":
            shutil.rmtree(self._home / store)
        return timer.seconds, timer.cpu


class StoredFromServer(Stored, FromServer):
    def take(self, name):
        return FromServer.take(self, name)

    def _take(self, name, server):
        return self._import(name, "--url", f"postgresql://postgres@/postgres?host={server.sockets}")


WAYS = {"cp": Way, "pg_basebackup": BaseBackup, "branchfs": Stored, "branchfs-url": StoredFromServer}
WORKLOAD = Import()
