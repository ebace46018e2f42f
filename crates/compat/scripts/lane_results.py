"""A pytest plugin: writes each test's outcome as one line of JSON into the file COMPAT_RESULTS names."""

import json
import os

MESSAGE_CHARACTERS_MAX = 3000


class Results:
    def __init__(self, path):
        self._file = open(path, "w", encoding="utf-8")
        self._outcomes = {}

    def pytest_runtest_logreport(self, report):
        # A test has three phases; the worst of them is its outcome.
        worse = {"passed": 0, "skipped": 1, "failed": 2}
        outcome, message = self._outcomes.get(report.nodeid, ("passed", ""))
        if worse[report.outcome] > worse[outcome]:
            outcome, message = report.outcome, report.longreprtext[-MESSAGE_CHARACTERS_MAX:]
        self._outcomes[report.nodeid] = (outcome, message)

    def pytest_sessionfinish(self):
        for test, (outcome, message) in self._outcomes.items():
            line = {"test": test, "outcome": outcome, "message": message}
            self._file.write(json.dumps(line) + "\n")
        self._file.close()


def pytest_configure(config):
    config.pluginmanager.register(Results(os.environ["COMPAT_RESULTS"]))
