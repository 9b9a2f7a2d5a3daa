"""The suite's bookkeeping, without servers: what is paired, what is resumed, what is refused, how goals are judged."""

import pathlib
import tempfile
import unittest

import report
import workloads
from results import Results, ratios
from system import Failed
from workload import Figure

FACTS, SETTINGS = {"programs": "a"}, {"quick": False}


class Bookkeeping(unittest.TestCase):
    def setUp(self):
        self._place = tempfile.TemporaryDirectory()
        self.directory = pathlib.Path(self._place.name) / "out"
        self.results = Results(self.directory)
        self.results.begin(FACTS, SETTINGS)

    def tearDown(self):
        self._place.cleanup()

    def test_ratios_pair_rounds_of_one_run_and_leave_out_warm_ups(self):
        scan = workloads.load("scan")
        for number, plain, ours in ((0, 1.0, 9.0), (1, 2.0, 1.0), (2, 1.0, 2.0), (3, 1.0, 1.0)):
            self.results.add("scan", "plain", number, number > 0, {"cold": plain})
            self.results.add("scan", "branchfs", number, number > 0, {"cold": ours})
        self.assertEqual(ratios(self.results, scan, "branchfs", "cold"), (1.0, 0.5, 2.0))
        again = Results(self.directory)
        again.begin(FACTS, SETTINGS)
        again.add("scan", "branchfs", 4, True, {"cold": 0.01})
        self.assertEqual(ratios(again, scan, "branchfs", "cold"), (1.0, 0.5, 2.0), "a round without its reference has no ratio")

    def test_a_finished_round_is_known_and_a_torn_line_is_not(self):
        self.results.add("scan", "plain", 1, True, {"cold": 1.0})
        lines = self.directory / "rounds.jsonl"
        lines.write_text(lines.read_text() + '{"workload": "scan", "side": "branchfs", "rou')
        again = Results(self.directory)
        self.assertTrue(again.has("scan", "plain", 1))
        self.assertFalse(again.has("scan", "branchfs", 1))
        self.assertTrue(lines.read_text().endswith("\n"))

    def test_other_programs_are_not_mixed_in(self):
        self.results.add("scan", "plain", 1, True, {"cold": 1.0})
        with self.assertRaisesRegex(Failed, "programs"):
            Results(self.directory).begin({"programs": "b"}, SETTINGS)

    def test_sizes_have_no_speed_and_tps_and_seconds_point_the_same_way(self):
        self.assertIsNone(Figure("", "bytes").ratio(1, 2))
        self.assertEqual(Figure("", "s").ratio(1, 2), 2)
        self.assertEqual(Figure("", "tps", True).ratio(2, 1), 2)

    def test_goals_are_judged_by_the_better_transport(self):
        for side, seconds in (("plain", 1.0), ("branchfs", 4.0), ("branchfs-uring", 1.0), ("overlayfs", 2.0)):
            self.results.add("bulk", side, 1, True, {"copy": seconds})
        lines = report.summary(self.results)
        self.assertEqual(report.judged(lines[0]), ("≥ 0.85", "1.00 (branchfs-uring)", True))
        rows = [row for row in report.goals(lines) if "overlayfs" in row]
        self.assertEqual(rows, ["| ahead of overlayfs in every write workload | 1 of 1 | 1 | ✓ |"])

    def test_every_workload_loads_and_its_lists_fit_together(self):
        for name in workloads.ORDER:
            workload = workloads.load(name)
            self.assertEqual(workload.name, name)
            self.assertLessEqual(set(workload.writes), set(workload.figures))


if __name__ == "__main__":
    unittest.main()
