#!/usr/bin/env python3
"""Times random_bench and PyTorch's in-place uniform_ and normal_, alternating, in one run.

Needs PyTorch (Debian's python3-torch), which nothing else here does:
bench/peers/torch_random.py build/release/bench/random_bench [rounds]
"""
import json
import statistics
import subprocess
import sys
import time

import torch

COUNT = 1000000
FILLS = {"uniform": lambda x: x.uniform_(), "normal": lambda x: x.normal_()}


def torch_ms(fill, threads):
    """The least time of some calls, as little disturbed as any; a tenth of them to warm up."""
    torch.set_num_threads(threads)
    out = torch.empty(COUNT)
    best = float("inf")
    for _ in range(40):
        begin = time.perf_counter()
        fill(out)
        best = min(best, time.perf_counter() - begin)
    return best * 1e3


def ours_ms(program, name, threads):
    """The least of repetitions that take about as long together."""
    output = subprocess.run(
        [program, f"--benchmark_filter=^op/{name}/threads:{threads}/", "--benchmark_format=json",
         "--benchmark_repetitions=8", "--benchmark_min_time=0.01"],
        check=True, capture_output=True, text=True).stdout
    runs = [r for r in json.loads(output)["benchmarks"] if r["run_type"] == "iteration"]
    return min(r["real_time"] for r in runs)


def main():
    program = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    for name, fill in FILLS.items():
        for threads in (1, 2):
            ours, theirs = [], []
            for _ in range(rounds):
                ours.append(ours_ms(program, name, threads))
                theirs.append(torch_ms(fill, threads))
            ratio = statistics.median(t / o for o, t in zip(ours, theirs))
            print(f"{name}, threads {threads}: {statistics.median(ours):.2f} ms, "
                  f"PyTorch {torch.__version__} {statistics.median(theirs):.2f} ms, "
                  f"{ratio:.1f} times")


if __name__ == "__main__":
    main()
