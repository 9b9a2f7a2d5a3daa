"""Statements that write a table's worth: what a migration, a restore or a nightly job does to a branch."""

from system import give_to_server_user
from workload import EVERY_DIRECTORY, Figure, Step, Turns


class Bulk(Turns):
    name = "bulk"
    title = "bulk writes"
    sides = EVERY_DIRECTORY
    writes = ("update", "copy", "index", "vacuum_full", "sort")
    figures = {
        "update": Figure("UPDATE of every row", "s", at_least=0.85),
        "copy": Figure("COPY in", "s", at_least=0.85),
        "index": Figure("CREATE INDEX", "s", at_least=0.85),
        "vacuum_full": Figure("VACUUM FULL", "s", at_least=0.85),
        "sort": Figure("sort that spills to disk", "s"),
    }

    def __init__(self):
        self._rows_file = None

    def scale(self, bench):
        return 4 if bench.quick else 10

    def steps(self, bench):
        rows = 100_000 * self.scale(bench)
        if self._rows_file is None:
            self._rows_file = bench.new_directory("rows") / "rows"
            self._rows_file.parent.chmod(0o755)
            with open(self._rows_file, "w") as file:
                file.writelines(f"{row}\t{row % 97}\t{row * 7919 % rows}\t{row:084d}\n" for row in range(rows))
            give_to_server_user(self._rows_file)
        copy = f"COPY loaded FROM '{self._rows_file}'"

        def statement(text):
            return lambda server, _: server.timed(text)

        def settle(*statements):
            return lambda server, _: server.sql(*statements, "CHECKPOINT")

        return [
            Step("update", statement("UPDATE pgbench_accounts SET abalance = abalance + 1"), before=settle()),
            Step("copy", statement(copy), before=settle("CREATE TABLE loaded (aid int, bid int, abalance int, filler char(84))")),
            Step("index", statement("CREATE INDEX ON loaded (abalance, filler)"), before=settle()),
            Step("vacuum_full", statement("VACUUM FULL pgbench_accounts"), before=settle()),
            Step("sort", statement(f"SELECT aid FROM (SELECT * FROM pgbench_accounts ORDER BY aid::bigint * 7919 % {rows}, filler "
                                   f"OFFSET {rows - 1}) AS last"), before=settle()),
        ]

    def estimate(self, bench, side):
        return 14 if bench.quick else 25


WORKLOAD = Bulk()
