# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What was measured: rows, the goals they are held against, and whether the machine stood still meanwhile."""
import json
import operator

# How far a base may move between the beginning and the end, and two runs of one measure may lie apart.
STEADY = 0.002


class Result:
    def __init__(self, path, kernel, backend):
        self.path = path
        self.content = {"version": 1, "kernel": kernel, "backend": backend, "rows": [], "steady": [], "rejected": False,
                        "failed": "it ended in the middle; its log says why", "details": {}}

    def row(self, measure, what, figure, unit, goal=None, at_least=False, **rivals):
        """A figure of ours, the most that it may be, or the least, and what others need for the same."""
        self.content["rows"].append({
            "measure": measure, "what": what, "figure": round(figure, 4), "unit": unit,
            "goal": None if goal is None else round(goal, 4), "at_least": at_least,
            "met": None if goal is None else (operator.ge if at_least else operator.le)(figure, goal),
            "rivals": {name.replace("_", " "): round(rival, 4) for name, rival in rivals.items() if rival is not None}})

    def steady(self, what, first, second):
        """The same measured twice; too far apart, and nothing between the two can be believed."""
        moved = abs(second - first) / first
        self.content["steady"].append({"what": what, "first": first, "second": second, "moved": round(moved, 6)})
        if moved > STEADY:
            self.content["rejected"] = True

    def detail(self, name, value):
        self.content["details"][name] = value

    def write(self):
        with open(self.path, "w", encoding="utf-8") as stream:
            json.dump(self.content, stream, indent=1)
            stream.write("\n")
