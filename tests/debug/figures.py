#!/usr/bin/env python3
"""figures.py TREE BROKER [REPEATS] - how long debug mode takes, in seconds: for the notes, by hand, on a machine that has nothing
else to do. TREE is the program of tree.c. What one machine says of another is in the ratio to `gdb -batch` on a process."""
# SPDX-License-Identifier: LGPL-2.1-or-later

import os
import signal
import statistics
import subprocess
import sys
import time

from program import Program
from terminal import descendants, list_processes

TREE, BROKER = sys.argv[1:3]
REPEATS = int(sys.argv[3]) if len(sys.argv) > 3 else 10
MANY = 64


class Tree(Program):
    def __init__(self, *arguments):
        self.began = time.monotonic()
        super().__init__([TREE, *arguments], {'TRACTOR_DEBUG': '1', 'TRACTOR_DEBUGGER': BROKER}, False)

    def since(self):
        return time.monotonic() - self.began

    def abandon(self):
        self.line('tractor abandon')
        self.end()

    def find_debugger(self):
        below = descendants(self.pid)
        return next(pid for pid, _, _, command in list_processes() if pid in below and command.startswith('gdb '))


def floor():
    """What gdb alone needs for a process."""
    process = subprocess.Popen(['sleep', '60'])
    began = time.monotonic()
    subprocess.run(['gdb', '-batch', '-nx', '-p', str(process.pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.monotonic() - began
    process.kill()
    process.wait()
    return seconds


def first_prompt():
    """From the start of the program to the prompt at the crash of an actor."""
    with Tree('crash') as tree:
        tree.prompt('── crashed')
        seconds = tree.since()
        tree.abandon()
    return seconds


def pause_to_next_pause():
    """From `c` to the next prompt."""
    with Tree('pause-twice') as tree:
        tree.prompt('── paused')
        tree.began = time.monotonic()
        tree.line('c')
        tree.prompt('── paused')
        seconds = tree.since()
        tree.abandon()
    return seconds


def after_death_of_holder():
    """From SIGKILL for who is looked at to the prompt of the next one."""
    with Tree('--actors', '2', 'pause') as tree:
        pid = int(tree.prompt(r'── paused: actor kid\d \(pid (\d+)\)').group(1))
        tree.began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        tree.prompt('── (paused|failed)')
        seconds = tree.since()
        tree.abandon()
    return seconds


def after_death_of_debugger():
    """From SIGKILL for gdb to the prompt of the next one."""
    with Tree('--actors', '2', 'pause') as tree:
        tree.prompt('── paused')
        tree.began = time.monotonic()
        os.kill(tree.find_debugger(), signal.SIGKILL)
        tree.prompt('── paused')
        seconds = tree.since()
        tree.abandon()
    return seconds


def many_crashes():
    """The prompts of 64 crashes at once, each left by `c`."""
    with Tree('--actors', str(MANY), 'crash-together') as tree:
        tree.prompt('── crashed')
        tree.began = time.monotonic()
        for _ in range(MANY):
            tree.line('c')
            tree.prompt('── (crashed|failed)')
        seconds = tree.since()
        tree.abandon()
    return seconds


def show(func, repeats):
    values = sorted(func() for _ in range(repeats))
    print(f'{func.__name__.replace("_", " "):26} median {statistics.median(values):.3f}  from {values[0]:.3f} to {values[-1]:.3f}  '
          f'({repeats} times): {func.__doc__}', flush=True)


for one in floor, first_prompt, pause_to_next_pause, after_death_of_holder, after_death_of_debugger:
    show(one, REPEATS)
show(many_crashes, max(1, REPEATS // 5))
