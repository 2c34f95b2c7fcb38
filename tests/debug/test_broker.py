#!/usr/bin/env python3
"""test_broker.py BROKER [PATTERN] - the debugger's broker by itself: who asks, who lends a terminal and who reads its words are
all played here, by the protocol (src/debug/debug-protocol.h). Prints TAP. Only tests whose name has PATTERN in it, if that is
given."""
# SPDX-License-Identifier: LGPL-2.1-or-later

import contextlib
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time

from tap import Tests, is_equal
from terminal import Failure, Terminal

BROKER = sys.argv[1]
PATIENCE = 60

MESSAGE = '=BBBBiQQ64s32s'
VERSION = 1
ASK, GO, READY, BYE, SERVING, ABANDON, DUMP, HOST, DONE, QUIT = range(10)
PAUSE, FOREIGN = 1, 4

PAGE = '=IIIIIIqqqiIIi'
PAGE_BYTES = struct.calcsize(PAGE) + 64 * 8 + 72
PAGE_FIELDS = ('version', 'sequence', 'is_held', 'is_off', 'kinds', 'n_waiting', 'held_usec', 'held_since', 'looked_at_since', 'looked_at',
               'looked_at_kind', 'n_quit', 'broker')

test = Tests('/broker')


def wait_until(is_so, what):
    give_up_at = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > give_up_at:
            raise Failure(f'{what}: not in {PATIENCE} s')
        time.sleep(0.005)  # another process sees to it


class Connection:
    """To the broker: of somebody who stops, or who lends a terminal."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(path)

    def tell(self, kind_of_message, kind=0, tid=0, actor=b'', task=b''):
        self.socket.send(struct.pack(MESSAGE, VERSION, kind_of_message, kind, 0, tid, 0, 0, actor, task))

    def hear(self, kind_of_message):
        """Returns: whom it is about."""
        packet = self.socket.recv(1000)
        values = struct.unpack(MESSAGE, packet) if packet else (None, None, None, None, None)
        is_equal(values[1], kind_of_message)
        return values[4]

    def has_heard(self):
        return bool(select.select([self.socket], [], [], 0)[0])

    def hear_end(self):
        with contextlib.suppress(ConnectionResetError):  # if it has not read what was said
            is_equal(self.socket.recv(1000), b'')

    def close(self):
        self.socket.close()


class Broker:
    """@stderr: where it says what it has to say. @terminal: it is on one, in the background. @limit: ulimit's words for how many
    descriptors it may have. @env: more of its environment."""

    def __init__(self, stderr=subprocess.DEVNULL, terminal=False, limit='', env=()):
        self.directory = tempfile.mkdtemp(prefix='tractor-broker-')
        self.prefix = os.path.join(self.directory, 'debug-0')
        with open(self.prefix + '.page', 'wb') as page:
            page.write(bytes(PAGE_BYTES))
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        os.set_inheritable(theirs.fileno(), True)
        script = f'{limit}\n{"" if terminal else "exec "}"$0" "$@" 3<&{theirs.fileno()} {theirs.fileno()}<&-'
        command = ['bash', '-c', script, BROKER, self.prefix, str(os.getpid()), '']
        self.terminal = Terminal(command) if terminal else None
        self.process = None if terminal else subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=stderr, start_new_session=True,
                                                              pass_fds=[theirs.fileno()], env={**os.environ, **dict(env)})
        theirs.close()
        self.control.settimeout(PATIENCE)
        is_equal(struct.unpack(MESSAGE, self.control.recv(1000))[1], SERVING)
        self.pid = self.see('broker')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.control.close()  # which ends it
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        if self.terminal:
            self.terminal.close()
        else:
            self.process.wait()
        shutil.rmtree(self.directory)

    def see(self, field):
        with open(self.prefix + '.page', 'rb') as page:
            return dict(zip(PAGE_FIELDS, struct.unpack_from(PAGE, page.read())))[field]

    def connect(self):
        return Connection(self.prefix + '.sock')

    def ask(self, actor=b'kid'):
        asker = self.connect()
        asker.tell(ASK, PAUSE, os.getpid(), actor)
        return asker

    def ask_and_be_ready(self):
        asker = self.ask()
        asker.hear(GO)
        asker.tell(READY)
        return asker

    def lend(self):
        host = self.connect()
        host.tell(HOST)
        host.hear(SERVING)
        return host

    def check_nobody_is_held(self):
        wait_until(lambda: not self.see('is_held'), 'nobody is held')

    def check_it_serves(self):
        """It is there, and does what it is to do."""
        asker = self.ask()
        asker.hear(GO)
        asker.close()
        self.check_nobody_is_held()


# --- what debuggers say --------------------------------------------------------------------------------------------------

@test
def words_of_the_script_are_those_of_the_protocol():
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
    with open(os.path.join(source, 'src', 'debug', 'debug-protocol.h')) as file:
        ours = dict(re.findall(r"DEBUG_(WORD_\w+) = '(\w)'", file.read()))
    with open(os.path.join(source, 'tools', 'debugger', 'session.py')) as file:
        names, values = re.search(r"^(WORD_\w+, .*) = (b'.*)$", file.read(), re.MULTILINE).groups()
    is_equal(dict(zip(names.split(', '), re.findall(r"b'(\w)'", values))), ours)


# --- its words ----------------------------------------------------------------------------------------------------------

def fill(fd):
    """Until nobody can write there without waiting."""
    os.set_blocking(fd, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(fd, b'.' * 4096)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(fd, b'.')
    os.set_blocking(fd, True)


@test(rows=({'which': 'full'}, {'which': 'closed'}))
def pipe_that_nobody_reads_holds_nobody(which):
    reads, writes = os.pipe()
    fcntl.fcntl(writes, fcntl.F_SETPIPE_SZ, 4096)
    with Broker(stderr=writes) as broker:
        if which == 'full':
            fill(writes)
        else:
            os.close(reads)
        asker = broker.ask_and_be_ready()  # and it says that there is no terminal
        wait_until(lambda: broker.see('looked_at'), 'it is looked at')
        asker.close()
        broker.check_nobody_is_held()
        broker.check_it_serves()
    os.close(writes)
    if which == 'full':
        os.close(reads)


@test
def socket_that_nobody_reads_holds_nobody():
    reads, writes = socket.socketpair()
    with Broker(stderr=writes) as broker:
        fill(writes.fileno())
        asker = broker.ask_and_be_ready()
        wait_until(lambda: broker.see('looked_at'), 'it is looked at')
        asker.close()
        broker.check_nobody_is_held()
        broker.check_it_serves()
    reads.close()
    writes.close()


@test
def words_that_were_not_to_be_written_come_when_they_can_be():
    reads, writes = os.pipe()
    with Broker(stderr=writes) as broker:
        fill(writes)
        asker = broker.ask_and_be_ready()
        wait_until(lambda: broker.see('looked_at'), 'it is looked at')
        text = b''
        while b'waits a minute' not in text:
            is_equal(bool(select.select([reads], [], [], PATIENCE)[0]), True)
            text += os.read(reads, 65536)
        asker.close()
    os.close(reads)
    os.close(writes)


@test
def stopped_terminal_holds_nobody():
    """As by Ctrl-S."""
    with Broker(terminal=True) as broker:
        theirs = os.open(f'/proc/{broker.terminal.pid}/fd/0', os.O_RDWR | os.O_NOCTTY)
        termios.tcflow(theirs, termios.TCOOFF)
        asker = broker.ask_and_be_ready()  # it waits for the terminal, and is to say so there
        wait_until(lambda: broker.see('looked_at'), 'it is looked at')
        asker.close()
        broker.check_nobody_is_held()
        broker.check_it_serves()
        asker = broker.ask_and_be_ready()
        termios.tcflow(theirs, termios.TCOON)
        broker.terminal.expect('has paused, and waits for the terminal')
        asker.close()
        os.close(theirs)


# --- many who ask -------------------------------------------------------------------------------------------------------

@test
def more_may_wait_than_descriptors_are_usual():
    with Broker(limit='ulimit -Sn 64') as broker:
        askers = [broker.ask() for _ in range(200)]
        askers[0].hear(GO)
        for asker in askers[:-1]:
            asker.close()
        askers[-1].hear(GO)
        askers[-1].close()
        broker.check_nobody_is_held()


@test
def who_does_not_fit_goes_on():
    with Broker(limit='ulimit -n 64') as broker:
        askers = []
        for _ in range(200):
            askers.append(broker.connect())
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has been refused already
                askers[-1].tell(ASK, PAUSE, os.getpid())
        askers[0].hear(GO)
        askers[-1].hear_end()
        refused = [asker for asker in askers[1:] if asker.has_heard()]
        is_equal(100 < len(refused) < 199, True)
        for asker in refused:
            asker.hear_end()
        for asker in askers[1:]:
            asker.close()
        askers[0].close()
        broker.check_nobody_is_held()
        broker.check_it_serves()


# --- terminals that are lent ----------------------------------------------------------------------------------------------

@test(rows=({'how': 'hanging-up'}, {'how': 'silence'}))
def who_has_lent_its_terminal_elsewhere_costs_no_stop(how):
    """It has heard of another tree's at the same time."""
    reads, writes = os.pipe()
    with Broker(stderr=writes) as broker:
        host = broker.lend()
        asker = broker.ask_and_be_ready()
        is_equal(host.hear(GO), os.getpid())
        is_equal(asker.hear(GO), os.getpid())  # may trace it: the process of whoever lends
        if how == 'hanging-up':
            host.close()
        is_equal(asker.hear(GO), broker.pid)  # and now the broker's again
        text = b''
        while b'waits a minute' not in text:
            is_equal(bool(select.select([reads], [], [], PATIENCE)[0]), True)
            text += os.read(reads, 65536)
        is_equal(b'on another terminal' in text, False)
        is_equal(asker.has_heard(), False)  # it is still held
        if how == 'silence':
            host.hear_end()
        asker.close()
    os.close(reads)
    os.close(writes)


@test
def who_lends_a_terminal_has_the_stop_until_it_says_so():
    with Broker() as broker:
        first, second = broker.lend(), broker.lend()
        asker = broker.ask_and_be_ready()
        wait_until(lambda: first.has_heard() or second.has_heard(), 'one of them is to look')
        host, other = (first, second) if first.has_heard() else (second, first)
        host.hear(GO)
        asker.hear(GO)
        host.close()
        other.hear(GO)  # the next one that there is
        is_equal(asker.hear(GO), broker.pid)
        asker.hear(GO)
        other.tell(READY)
        other.tell(DONE)
        asker.hear(BYE)


@test
def who_lends_a_terminal_for_whoever_is_next_still_does_when_a_python_actor_has_gone():
    """Whose process is not known: 0, as for whoever is next."""
    with Broker() as broker:
        host = broker.lend()
        python = broker.connect()
        python.tell(ASK, FOREIGN, 0)
        python.hear(GO)
        python.close()
        broker.check_nobody_is_held()
        asker = broker.ask_and_be_ready()
        host.hear(GO)
        asker.close()


# --- a terminal that is the debugger's alone ----------------------------------------------------------------------------

@test
def mark_that_was_not_to_be_written_comes_when_it_can_be():
    ours, theirs = pty.openpty()
    with Broker(env={'TRACTOR_DEBUG_TERMINAL': os.ttyname(theirs)}) as broker:
        for _ in range(50):  # the kernel passes it on by and by, as long as there is room behind
            fill(theirs)
            time.sleep(0.002)
        asker = broker.ask()
        asker.hear(GO)
        said = b''
        for mark in b'\x1c', b'\x1d':
            while mark not in said:
                is_equal(bool(select.select([ours], [], [], PATIENCE)[0]), True)
                said += os.read(ours, 65536)
            asker.close()
    os.close(ours)
    os.close(theirs)


if __name__ == '__main__':
    sys.exit(test.run(*sys.argv[2:3]))
