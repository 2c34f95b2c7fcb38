#!/usr/bin/env python3
"""check-cost.py BUILD [--record]: what an operation costs is not more than it was.

Three things are counted of a row of the benchmarks: system calls, requests for memory (bench --counts), and, under
Valgrind's callgrind, instructions, each in all processes of the row. The first two do not depend on how busy the machine
is. Instructions are the difference of two runs, of few operations and of many, so starting and ending is in neither; some
are spent when time has passed, so on a busy machine they are up to 2 % more, never less: what is too much is counted
again, and the least counts.

They are held to cost-baseline.json, with room of 3 %. Another compiler or another GLib makes other code, so there is a
baseline for each pair of them; where there is none that is a failure and no reason to skip, for then nothing has been
checked. --record writes what has been counted now as the baseline of this pair."""

import concurrent.futures
import json
import os
import pathlib
import platform
import queue
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BASELINE = HERE / "cost-baseline.json"
ROOM = 1.03
FEW = 200
# The library has patience with the start and the end of an actor for some seconds of the clock, and callgrind takes some
# of its own. Who was not waited for has not been counted, and is counted again.
N_TRIES = 10
# Below these a difference is what happens once in a run, not in each operation.
LEAST = {"system calls": 0.05, "allocations": 0.05, "instructions": 10}
# How many operations are many: a run's start is not quite the same each time, by some ten thousand instructions.
# One operation at a time: where messages are gathered on the way the counts depend on who runs when.
ROWS = {
    "checkpoint, 2 tasks": 40000,
    "spawn and join, one": 20000,
    "spawn and join, one that fails": 10000,
    "channel, there and back": 20000,
    "deadline scope, entered and left": 40000,
    "call, there and back, builtin": 4000,
    "call, there and back, uv": 4000,
    "call, there and back, glib": 4000,
    "call, an int64 there and back, builtin": 2000,
    "call, four values there and back, builtin": 1500,
    "call, packed, there and back, builtin": 4000,
    "call that fails, builtin": 2000,
    "stream, there and back": 4000,
    "stream, there and back, packed": 4000,
}


def run(command, **environment):
    return subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", timeout=300)


def count_by_bench(bench):
    """{row: {"system calls": n, "allocations": n}}"""
    result = run([bench, "--counts", *ROWS])
    counts = {}
    for line in result.stdout.splitlines():
        row, *numbers = line.split("\t")
        if row in ROWS and len(numbers) == 2:
            counts[row] = dict(zip(("system calls", "allocations"), map(float, numbers)))
    bad = [row for row in ROWS if row not in counts or min(counts[row].values()) < 0]
    if result.returncode != 0 or bad:
        sys.exit(f"bench --counts does not count {', '.join(bad) or 'any more'}:\n{result.stdout[-2000:]}")
    return counts


free_cores = queue.SimpleQueue()  # all processes of a row share one, as where they are timed
for core in os.sched_getaffinity(0):
    free_cores.put(core)


def run_under_callgrind(bench, row, n, folder):
    core = free_cores.get()
    try:
        return run(["taskset", "-c", str(core), "valgrind", "--tool=callgrind", "--trace-children=yes",
                    f"--callgrind-out-file={folder}/%p", bench, "--once", row],
                   TRACTOR_BENCH_N=str(n), LD_PRELOAD=str(bench.parent / "libbench-old-valgrind.so"))
    finally:
        free_cores.put(core)


def n_processes(row):
    return 2 if row.startswith(("call", "stream")) else 1


def read_totals(folder):
    """Of each process; None where one had no time to write its own."""
    found = [re.search(r"^(?:totals|summary): (\d+)", path.read_text(), re.M) for path in pathlib.Path(folder).iterdir()]
    return [int(match.group(1)) for match in found] if all(found) else None


def count_all_instructions(bench, row, n):
    """Of a run of n operations: that of each process, none of which is missing."""
    for _ in range(N_TRIES):
        with tempfile.TemporaryDirectory() as folder:
            result = run_under_callgrind(bench, row, n, folder)
            totals = read_totals(folder)
        if result.returncode == 0 and totals and len(totals) == n_processes(row):
            return sum(totals)
        if result.returncode != 0 and "did not boot in" not in result.stdout:
            break
    sys.exit(f"'{row}' does not run under callgrind:\n{result.stdout[-3000:]}")


def count_instructions(bench, row):
    many = ROWS[row]
    difference = count_all_instructions(bench, row, many) - count_all_instructions(bench, row, FEW)
    return difference / (many - FEW)


def count_least_instructions(bench, row, limit):
    """So often as it is above the limit, three times at most."""
    least = count_instructions(bench, row)
    for _ in range(2):
        if least > limit:
            least = min(least, count_instructions(bench, row))
    return least


def limit_of(what, before):
    return before * ROOM + LEAST[what]


def count(build, baseline):
    """Without a baseline everything is too much, and counted three times."""
    bench = build / "tests/bench/bench"
    counts = count_by_bench(bench)

    def count_one(row):
        limit = limit_of("instructions", baseline[row]["instructions"]) if baseline else 0
        return count_least_instructions(bench, row, limit)

    with concurrent.futures.ThreadPoolExecutor(free_cores.qsize()) as pool:
        for row, n in zip(ROWS, pool.map(count_one, ROWS)):
            counts[row]["instructions"] = n
    return counts


def key_of(build):
    """What the code depends on."""
    return run([build / "tests/bench/bench", "--made-by"]).stdout.strip() + ", " + platform.machine()


def compare(row, what, now, before):
    """Says it, and whether it is well."""
    if now > limit_of(what, before):
        verdict = "MORE"
    elif now < before / ROOM - LEAST[what]:
        verdict = "less: record it"
    else:
        verdict = ""
    print(f"{row:44} {what:13} {now:10.2f} {before:10.2f}  {verdict}")
    return verdict != "MORE"


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    baselines = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    key = key_of(build)
    how = f"tests/bench/check-cost.py {sys.argv[1]} --record"
    if "--record" not in sys.argv and key not in baselines:
        sys.exit(f"there is no baseline for {key}: on a commit that is known to be well, record one, and commit it:\n"
                 f"    {how}\nthere are those for: {'; '.join(baselines) or 'none'}")
    if "--record" in sys.argv:
        counts = count(build, None)
        baselines[key] = {row: {what: round(n, 2) for what, n in counts[row].items()} for row in ROWS}
        BASELINE.write_text(json.dumps(baselines, indent=1) + "\n")
        print(f"recorded for {key}")
        return
    bad = [row for row in ROWS if row not in baselines[key]]
    if bad:
        sys.exit(f"the baseline of {key} has no {', '.join(bad)}: record it with\n    {how}")
    counts = count(build, baselines[key])
    print(f"{'row':44} {'what':13} {'now':>10} {'baseline':>10}")
    results = [compare(row, what, n, baselines[key][row][what]) for row in ROWS for what, n in counts[row].items()]
    if not all(results):
        sys.exit(f"{results.count(False)} cost more than in the baseline of {key}. If they are to, say why in the commit, "
                 f"and record it:\n    {how}")


main()
