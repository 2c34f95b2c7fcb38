"""program.py - a program on a terminal, and the debugger's sessions there."""
# SPDX-License-Identifier: LGPL-2.1-or-later

import os
import shutil
import tempfile
import time

from tap import is_equal
from terminal import Failure, Terminal, descendants, list_processes

PROMPT = r'^\(tractor\) '
SHELL = 'SHELL> '


class Program(Terminal):
    """@command, with a runtime directory of its own: as the leader of a session; or below an interactive @shell, which reads
    it from a line, with @behind it. @user: by number, if it is to be another one."""

    def __init__(self, command, env, shell=False, behind='', user=None):
        self.directory = tempfile.mkdtemp(prefix='tractor-debug-')
        if user is not None:
            os.chown(self.directory, user, user)
        self.env = {'XDG_RUNTIME_DIR': self.directory, 'HOME': self.directory, **env}  # nobody's .gdbinit
        self.all_pids = set()  # that there ever were, as far as they have been noted
        if shell:
            super().__init__(['bash', '--norc', '-i'], {**self.env, 'PS1': SHELL})
            self.expect(SHELL)
            self.settings_before = self.ask_settings()
            self.line(' '.join(command) + behind)
        else:
            super().__init__(command, self.env, user=user)

    def prompt(self, pattern=None):
        """Waits for a session that begins with @pattern in its first line, and for its prompt."""
        match = self.expect(pattern) if pattern else None
        self.expect(PROMPT)
        self.note_processes()
        return match

    def note_processes(self):
        self.all_pids |= descendants(self.pid)

    def find(self, words):
        """The process below us whose command line has @words in it."""
        below = descendants(self.pid)
        for pid, _, _, command in list_processes():
            if pid in below and words in command:
                return pid
        raise Failure(f'no process "{words}" below {self.pid}')

    def ask_settings(self):
        """Of the terminal, as the shell's programs have it."""
        self.line('stty -g')
        settings = self.expect(r'^([0-9a-f]+:[0-9a-f:]+)\r\n').group(1)
        self.expect(SHELL)
        return settings

    def ask_status(self):
        self.line('echo "status=$?"')
        status = int(self.expect(r'^status=(\d+)').group(1))
        self.expect(SHELL)
        return status

    def check_shell_is_well(self, status=None):
        """It has its terminal back, as it was."""
        self.expect(SHELL)
        if status is not None:
            is_equal(self.ask_status(), status)
        is_equal(self.ask_settings(), self.settings_before)
        is_equal(self.foreground(), self.pid)

    def check_no_process_is_left(self):
        left = self.all_pids - {self.pid}
        give_up_at = time.monotonic() + self.patience
        while left and time.monotonic() < give_up_at:
            time.sleep(0.01)  # they are told by the death of their parents
            left = {one for one in left if os.path.exists(f'/proc/{one}')}
        if left:
            raise Failure(f'processes are left: {[one for one in list_processes() if one[0] in left]}')

    def close(self):
        super().close()
        shutil.rmtree(self.directory)
