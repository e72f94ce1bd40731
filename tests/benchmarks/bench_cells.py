"""What recording costs a notebook: a cell `pass` in process and as a round trip, with and without the extension.

python -m tests.benchmarks.bench_cells
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jupyter_client.manager import KernelManager

PAIRS = 9
IN_PROCESS = """
import sys, statistics, time, timeit
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
if sys.argv[1] == "with":
    shell.run_line_magic("load_ext", "tablevault_ext")
    assert shell.events.callbacks["pre_run_cell"], "the extension records"
time.sleep(2)  # the vault's keeper has started
run = lambda: shell.run_cell("pass", store_history=False)
for _ in range(200): run()
print(statistics.median(timeit.repeat(run, number=300, repeat=7)) / 300)
"""
LOADING = """
import time
began = time.perf_counter()
get_ipython().run_line_magic("load_ext", "tablevault_ext")
middle = time.perf_counter()
import duckdb
print((middle - began) / (time.perf_counter() - middle))
"""


def in_process(which: str) -> float:
    # As installed: with compiled files, whatever the developer's shell says.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", IN_PROCESS, which]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout.split()[-1])


class Client:
    def __init__(self, folder: str, extension: bool) -> None:
        self.manager = KernelManager(kernel_name="python3")
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        self.manager.start_kernel(cwd=folder, stderr=subprocess.DEVNULL, env=environment)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        if extension:
            texts: list[str] = []
            self.client.execute_interactive(
                LOADING, output_hook=lambda message: texts.append(message["content"].get("text", ""))
            )
            self.loading = float("".join(texts))
        self.round(200)

    def round(self, number: int) -> float:
        times = []
        for _ in range(number):
            began = time.perf_counter()
            self.client.execute_interactive("pass", output_hook=lambda message: None)
            times.append(time.perf_counter() - began)
        return statistics.median(times)

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TABLEVAULT_HOME"] = str(Path(folder) / "vault")
        in_process("with"), in_process("without")
        pairs = [(in_process("with"), in_process("without")) for _ in range(5)]
        cells = statistics.median(ours / bare for ours, bare in pairs)
        print(f"run_cell('pass') in process, with / without: {cells:.2f} x (goal 2.5)")
        loading = []
        for _ in range(5):
            fresh = Client(folder, True)
            loading.append(fresh.loading)
            fresh.close()
        print(f"%load_ext / import duckdb, in a kernel: {statistics.median(loading):.2f} x (goal: below 1)")
        recorded, bare = Client(folder, True), Client(folder, False)
        try:
            ratios = [recorded.round(150) / bare.round(150) for _ in range(PAIRS)]
        finally:
            recorded.close()
            bare.close()
        print(f"a cell 'pass', round trip, with / without: {statistics.median(ratios):.3f} x (goal 1.05)")


if __name__ == "__main__":
    main()
