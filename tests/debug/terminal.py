"""terminal.py - a terminal with a program on it, and somebody who reads and types: for tests of what needs one."""
# SPDX-License-Identifier: LGPL-2.1-or-later

import codecs
import os
import pty
import re
import select
import signal
import time


# Seconds, in which whatever is waited for comes, unless it never does.
PATIENCE = int(os.environ.get('TEST_PATIENCE', '60'))
# What a terminal sends.
KEYS = signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGHUP


class Failure(AssertionError):
    pass


class Terminal:
    """A program whose controlling terminal is ours: as the leader of its session, or below an interactive shell. @user: by number, if it is to be
    another one."""

    def __init__(self, command, env=None, patience=PATIENCE, user=None):
        self.patience = patience
        self.text = ''  # all that has been shown
        self.decoder = codecs.getincrementaldecoder('utf-8')('replace')  # a character may come in two pieces
        self.seen = 0  # up to where it has been looked at
        self.status = None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                for number in KEYS:  # whoever runs the tests may ignore them, as all do that a script starts with `&`
                    signal.signal(number, signal.SIG_DFL)
                if user is not None:
                    os.setgroups([])
                    os.setgid(user)
                    os.setuid(user)
                os.execvpe(command[0], command, {**os.environ, 'TERM': 'dumb', **(env or {})})
            finally:
                os._exit(127)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- what it shows -------------------------------------------------------------------------------------------

    def read_some(self, seconds):
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return False
        try:
            piece = os.read(self.fd, 65536)
        except OSError:  # nobody has the other end any more
            piece = b''
        self.text += self.decoder.decode(piece)
        return piece != b''

    def expect(self, pattern, seconds=None):
        """Waits until what has not been looked at yet has @pattern in it. Returns: the match."""
        give_up_at = time.monotonic() + (seconds or self.patience)
        while True:
            match = re.compile(pattern, re.MULTILINE).search(self.text, self.seen)
            if match:
                self.seen = match.end()
                return match
            left = give_up_at - time.monotonic()
            if left <= 0 or not self.read_some(left):
                match = re.compile(pattern, re.MULTILINE).search(self.text, self.seen)
                if match:
                    self.seen = match.end()
                    return match
                raise Failure(f'{pattern!r} did not come; what came instead:\n{self.text[self.seen:]}\n--- all:\n{self.text}')

    def expect_not(self, pattern):
        if re.compile(pattern, re.MULTILINE).search(self.text):
            raise Failure(f'{pattern!r} was not to come:\n{self.text}')

    # --- what is typed -------------------------------------------------------------------------------------------

    def type(self, text):
        os.write(self.fd, text.encode())

    def line(self, text):
        self.type(text + '\n')

    def ctrl(self, letter):
        self.type(chr(ord(letter.upper()) - 64))

    # --- what it is like -----------------------------------------------------------------------------------------

    def foreground(self):
        return os.tcgetpgrp(self.fd)

    def end(self, seconds=None):
        """Waits for the end of the program. Returns: its exit status, or minus the signal."""
        give_up_at = time.monotonic() + (seconds or self.patience)
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > give_up_at:
                raise Failure(f'process {self.pid} does not end:\n{self.text}')
            else:
                self.read_some(0.02)
        while self.read_some(0):
            pass
        return self.status

    def hang_up(self):
        """Nobody is there any more."""
        os.close(self.fd)
        self.fd = os.open('/dev/null', os.O_RDWR)

    def close(self):
        if self.status is None:
            for pid in descendants(self.pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            os.waitpid(self.pid, 0)
        os.close(self.fd)


# --- processes ---------------------------------------------------------------------------------------------------------

def list_processes():
    """(pid, parent, state, command line) of each."""
    found = []
    for name in os.listdir('/proc'):
        if not name.isdigit():
            continue
        try:
            with open(f'/proc/{name}/stat') as file:
                fields = file.read().rsplit(')', 1)[1].split()
            with open(f'/proc/{name}/cmdline') as file:
                command = file.read().replace('\0', ' ').strip()
        except OSError:
            continue
        found.append((int(name), int(fields[1]), fields[0], command))
    return found


def descendants(pid):
    """@pid and all below it."""
    found = {pid}
    processes = list_processes()
    while True:
        more = {one for one, parent, _, _ in processes if parent in found} - found
        if not more:
            return found
        found |= more
