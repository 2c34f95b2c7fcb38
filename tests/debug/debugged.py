"""debugged.py TREE BROKER - the program of tree.c in debug mode: for tests whose first arguments these are."""
# SPDX-License-Identifier: LGPL-2.1-or-later

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time

from program import Program
from terminal import Failure

TREE, BROKER = sys.argv[1:3]
COMMAND = os.path.join(os.path.dirname(BROKER), '..', 'tractor', 'tractor')


def is_in_pause(pid):
    return 'tractor_pause' in subprocess.run([COMMAND, 'dump', '--all', str(pid)], capture_output=True, text=True).stdout


class Tree(Program):
    def __init__(self, arguments, host='builtin', debug='1', shell=False, command=None, in_background=False, user=None,
                 **env):
        super().__init__(command or [TREE, '--host', host] + arguments, {'TRACTOR_DEBUG': debug, 'TRACTOR_DEBUGGER': BROKER, **env},
                         shell, ' &' if in_background else '', user)

    def find_in_line(self, words):
        """The process below us whose command line has @words in it, once it is in tractor_pause()."""
        give_up_at = time.monotonic() + self.patience
        while time.monotonic() < give_up_at:
            with contextlib.suppress(Failure):  # it may not have been started yet
                pid = self.find(words)
                if is_in_pause(pid):
                    return pid
            time.sleep(0.01)
        raise Failure(f'no process "{words}" below {self.pid} pauses')

    def check_nothing_is_left(self, but=None):
        self.check_no_process_is_left()
        files = os.listdir(os.path.join(self.directory, 'tractor'))
        if but:
            files = [one for one in files if not one.endswith(but) or one.startswith('debug')]
        if files:
            raise Failure(f'files are left: {files}')


# What gdb does at the end of a session (tools/debugger/session.py), with a wait before it, in it, or behind it.
AT_THE_END = {
    'terminal': 'giving = give_terminal_back\ndef give_terminal_back(): wait(); giving()',
    'detach': 'giving = give_terminal_back\ndef give_terminal_back(): giving(); wait()',
    'quit': 'before = quiet\n@contextlib.contextmanager\ndef quiet():\n  with before(): yield\n  session.is_over and wait()',
}

# It is to be stopped by a SIGSTOP then, which a debugger takes away.
BEGIN_TO_TRACE = '''
import ctypes
libc, actor = ctypes.CDLL(None), int(os.environ["TRACTOR_SESSION_PID"])
libc.ptrace(16, actor, None, None)
'''
GIVE_UP = '''
os.waitpid(actor, 0x40000000)
libc.ptrace(17, actor, None, None)
'''


class SlowGdb:
    """A gdb that says that it starts, and waits until it is let go on: @when `exec`, before it is gdb; `scripts`, before it
    has read its scripts; `begin`, when it has; `ptrace`, when the kernel has begun to stop the actor for it; `attach`, while it
    looks at what that has mapped. Or that it ends: `terminal`, before it gives that back;
    `detach`, before it lets the actor go; `quit`, when it has."""

    def __init__(self, when):
        self.directory = tempfile.mkdtemp(prefix='tractor-gdb-')
        gate = os.path.join(self.directory, 'gate')
        os.mkfifo(gate)
        self.gate = os.open(gate, os.O_RDWR)
        said = 'ENDS' if when in AT_THE_END else 'STARTS'
        wait = f'import os; open("/dev/tty", "w").write("{said}\\n"); os.read(os.open({gate!r}, os.O_RDONLY), 1)'
        before_it_is_gdb = {'exec': wait, 'ptrace': BEGIN_TO_TRACE + wait + GIVE_UP}.get(when, '')
        at_the_end = f'def wait():\n  {wait}\n{AT_THE_END.get(when, "")}'
        words = {'exec': [], 'ptrace': [], 'scripts': ['-iex', f'python {wait}'], 'begin': ['-ex', f'python {wait}'],
                 'attach': ['-iex', f'python gdb.events.new_objfile.connect(lambda _, done=[]: done or done.append(1) or exec({wait!r}))']
                 }.get(when, ['-ex', f'python exec({at_the_end!r})'])
        at = '-x' if when in ('exec', 'ptrace', 'scripts', 'attach') else '-ex'
        with open(os.path.join(self.directory, 'gdb'), 'w') as file:
            file.write(f'#!{sys.executable}\nimport os, sys\nwords = sys.argv[1:]\nat = words.index({at!r})\n'
                       f'{before_it_is_gdb}\n'
                       f'os.execv({shutil.which("gdb")!r}, ["gdb"] + words[:at] + {words!r} + words[at:])\n')
        os.chmod(file.name, 0o755)
        self.env = {'PATH': self.directory + ':' + os.environ['PATH']}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.gate)
        shutil.rmtree(self.directory)

    def go_on(self, times=1):
        os.write(self.gate, b'.' * times)
