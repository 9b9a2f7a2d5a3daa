"""CHECKPOINT after random updates: many small writes, all of which must be on the disk at its end."""

from workload import EVERY_DIRECTORY, Figure, Step, Turns


class Checkpoint(Turns):
    name = "checkpoint"
    title = "CHECKPOINT"
    sides = EVERY_DIRECTORY
    writes = ("first", "again")
    figures = {
        "first": Figure("CHECKPOINT after 100,000 random updates, blocks shared before", "s", at_least=0.80),
        "first_update": Figure("the first 100,000 random updates", "s"),
        "again": Figure("CHECKPOINT after 100,000 more, most blocks own", "s", at_least=0.80),
        "again_update": Figure("the second 100,000 random updates", "s"),
    }

    def scale(self, bench):
        return 10 if bench.quick else 20

    def steps(self, bench):
        rows = 100_000 * self.scale(bench)
        update = (f"UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid IN "
                  f"(SELECT 1 + floor(random() * {rows})::int FROM generate_series(1, 100000))")

        def step(figure, seed):
            def measure(server, number):
                # In one turn: what the updates left in the page cache is the checkpoint's to write.
                updated = server.timed(update, before=[f"SELECT setseed(0.{seed}{number})"])
                return {f"{figure}_update": updated, figure: server.timed("CHECKPOINT")}

            return Step(figure, measure, before=lambda server, _: server.sql("CHECKPOINT"))

        return [step("first", 1), step("again", 2)]

    def estimate(self, bench, side):
        return 10 if bench.quick else 16


WORKLOAD = Checkpoint()
