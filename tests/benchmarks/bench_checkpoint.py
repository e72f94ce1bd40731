"""What a checkpoint costs, against one look at mapped memory; and a step of vault.track, against tqdm.

python -m tests.benchmarks.bench_checkpoint
"""

from __future__ import annotations

import mmap
import os
import statistics
import time
import timeit

from tests.benchmarks.temporary_vault import use_temporary_vault

ROUNDS = 9


def main() -> None:
    use_temporary_vault()
    from tqdm import tqdm

    from tablevault_ext import Vault

    vault = Vault(process_name="bench")
    memory = mmap.mmap(-1, 4096)
    number = 500_000
    ratios = []
    for _ in range(ROUNDS):
        ours = timeit.timeit("vault.checkpoint_execution()", globals={"vault": vault}, number=number)
        reference = timeit.timeit("memory[0]", globals={"memory": memory}, number=number)
        ratios.append(ours / reference)
    print(f"checkpoint_execution / mmap[0]: {statistics.median(ratios):.2f} x (goal 7)")

    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        ratios = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            for _ in vault.track(range(number)):
                pass
            middle = time.perf_counter()
            for _ in tqdm(range(number), file=nowhere):
                pass
            ratios.append((middle - began) / (time.perf_counter() - middle))
    print(f"vault.track step / tqdm step: {statistics.median(ratios):.2f} x (goal 1)")


if __name__ == "__main__":
    main()
