#!/usr/bin/env python3
"""test_kills.py TREE BROKER [PATTERN] - kill -9 of each that has to do with a session of debug mode, in each state that one can
be in. TREE is the program of tree.c.

Two actors stop, each with a parent below the root: one is looked at, the other waits behind it. How a state is come to, the
story and the moment are drawn by lot. Prints TAP, and of each case the seed, by which it can be had again. By hand:

    KILLS_REPEATS=20            each case so many times, on all hosts (KILLS_HOSTS='glib uv': on those)
    KILLS_SEED=7 ... PATTERN    with that seed; each further repeat has the next one"""
# SPDX-License-Identifier: LGPL-2.1-or-later

import contextlib
import ctypes
import dataclasses
import os
import random
import re
import signal
import struct
import sys
import termios
import time

from debugged import BROKER, TREE, SlowGdb, Tree, is_in_pause
from program import PROMPT, SHELL
from tap import Tests, is_equal
from terminal import Failure, descendants, list_processes

REPEATS = int(os.environ.get('KILLS_REPEATS', '0'))
# In CI always the same: what it finds is to be the fault of what has changed.
SEED = int(os.environ.get('KILLS_SEED') or (1 if 'CI' in os.environ else random.randrange(1000000)))
HOSTS = os.environ.get('KILLS_HOSTS', 'builtin glib uv' if REPEATS else 'builtin').split()

HEADER = r'── (paused|crashed|failed): actor (\w+) \(pid (\d+)\)'
# A leader of a session that is no interactive shell: the tree is of its group. It reads a line when that is over, and does not
# take the terminal for that: from a root that is killed it comes back a moment later.
LEADER = '"$0" "$@"; echo "ENDED $?"; until read -r status; do sleep 0.02; done; exit $status'
ENDED = r'^ENDED (\d+)\r\n'
MOST_SESSIONS = 20

PAGE = '=6I3qi'  # of DebugPage, its first fields
N_WAITING, LOOKED_AT = 5, 9

test = Tests('/kills', HOSTS)


class KilledTree(Tree):
    """Root, kid0 and kid1 below it, and below each of these level0, which does what the story says."""

    def __init__(self, story, host, under, **env):
        command = [TREE, '--host', host, '--actors', '2', '--depth', '1', story]
        self.is_under_shell = under == 'shell'
        super().__init__([], host, shell=self.is_under_shell, command=command if self.is_under_shell else ['bash', '-c', LEADER, *command],
                         **env)
        self.settings = termios.tcgetattr(self.fd)

    # --- who is who

    def processes(self):
        mine = descendants(self.pid)
        return [one for one in list_processes() if one[0] in mine]

    def find_broker(self):
        """Returns: it, the root, and how its files begin."""
        for pid, _, _, command in self.processes():
            if command.startswith(BROKER + ' '):
                _, prefix, root, *_ = command.split()
                return pid, int(root), prefix
        raise Failure(f'no broker below {self.pid}:\n{self.text}')

    def find_debugger(self):
        broker = self.find_broker()[0]
        return next(pid for pid, parent, state, _ in self.processes() if parent == broker and state != 'Z')

    def find_parent(self, pid):
        return next(parent for one, parent, _, _ in self.processes() if one == pid)

    def find_other(self, pid):
        return next(one for one, _, _, command in self.processes() if command.split()[1:2] == ['level0'] and one != pid)

    # --- what is waited for

    def wait_until(self, is_so, what):
        give_up_at = time.monotonic() + self.patience
        while not is_so():
            if time.monotonic() > give_up_at:
                raise Failure(f'{what}: not in {self.patience} s; {self.processes()}:\n{self.text}')
            self.read_some(0.005)

    def see(self, field):
        with open(self.find_broker()[2] + '.page', 'rb') as page:
            return struct.unpack_from(PAGE, page.read())[field]

    def wait_in_line(self, n):
        self.wait_until(lambda: self.see(N_WAITING) == n, f'{n} in the line')

    def find_first(self):
        """Once both have asked. Returns: who is looked at, and who waits."""
        self.wait_in_line(2)
        self.wait_until(lambda: self.see(LOOKED_AT), 'somebody is looked at')
        self.note_processes()
        first = self.see(LOOKED_AT)
        return first, self.find_other(first)

    def find_first_at_prompt(self):
        self.prompt(HEADER)
        return self.find_first()

    def stop(self, pid):
        os.kill(pid, signal.SIGSTOP)
        self.wait_until(lambda: (pid, 'T') in [(one, state) for one, _, state, _ in self.processes()], f'{pid} stands')

    # --- what is to hold

    def let_work_end(self):
        with open(os.path.join(self.directory, 'enough'), 'w'):
            pass

    def go_through(self, has_root=True):
        """Lets each go on who comes to the prompt, until the tree is over. Without the root nobody is to hear what is typed."""
        over = f'^{SHELL}' if self.is_under_shell else ENDED
        while True:
            match = self.expect(f'{PROMPT}|{over}' if has_root else over)
            if not match.group(0).startswith('(tractor)'):
                self.seen = match.start()
                return
            self.note_processes()
            self.line('c')

    def end_well(self):
        """Whoever has had the terminal before has it as it was, and can read it. Returns: the status of the tree."""
        if self.is_under_shell:
            self.expect(SHELL)
            status = self.ask_status()
            is_equal(self.ask_settings(), self.settings_before)
        else:
            status = int(self.expect(ENDED).group(1))
            self.wait_until(lambda: self.foreground() == self.pid and termios.tcgetattr(self.fd) == self.settings, 'the terminal is back')
        is_equal(self.foreground(), self.pid)
        self.line('exit 7' if self.is_under_shell else '7')
        is_equal(self.end(), 7)
        return status

    def check_each_stop_has_one_header(self, n_stops):
        headers = re.findall(HEADER, self.text)
        if any(headers.count(one) > (n_stops if one[1] == 'level0' else 1) for one in headers):
            raise Failure(f'a header came more than once:\n{self.text}')

    def check_it_has_stopped(self, pid):
        if str(pid) not in [one for _, _, one in re.findall(HEADER, self.text)]:
            raise Failure(f'{pid} was not looked at:\n{self.text}')


# --- the states ---------------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Moment:
    """@holder: who is in that state. @waits: who is to be looked at next. @is_at_prompt: somebody who is not killed, with @holder or
    its parent. @stands: whom the test has stopped."""
    holder: int
    waits: int = None
    is_at_prompt: bool = False
    stands: int = None


@dataclasses.dataclass
class Way:
    """To a state. @come: with the tree, a SlowGdb that waits at @gate, and the lot."""
    come: callable
    stories: tuple = ('pause', 'crash', 'fail')
    gate: str = None
    word: str = 'c'
    victims: tuple = ('holder', 'root', 'parent', 'gdb', 'broker')
    n_stops: int = 1  # of each
    name: str = ''


WITHOUT_GDB = 'holder', 'root', 'parent', 'broker'


def wait_in_line(tree, way, gdb, lot):
    first, other = tree.find_first_at_prompt()
    return Moment(other, waits=other, is_at_prompt=True)


def ask_unheard(tree, way, gdb, lot):
    """The broker does not run, and knows nothing of it."""
    first, other = tree.find_first_at_prompt()
    broker = tree.find_broker()[0]
    tree.stop(broker)
    tree.line('c')
    tree.wait_until(lambda: is_in_pause(first), 'it pauses again')
    return Moment(first, waits=other, stands=broker)


def be_granted_and_not_ready(tree, way, gdb, lot):
    first, other = tree.find_first_at_prompt()
    tree.stop(other)
    tree.line('c')
    tree.wait_until(lambda: tree.see(LOOKED_AT) != first, 'it is the turn of the next')
    return Moment(other, stands=other)


def have_gdb_start(tree, way, gdb, lot):
    tree.expect('^STARTS')
    return Moment(*tree.find_first())


def have_gdb_on_the_way(tree, way, gdb, lot):
    moment = have_gdb_start(tree, way, gdb, lot)
    gdb.go_on()
    time.sleep(lot.random() * 0.3)  # to anywhere between there and the prompt
    return moment


def be_at_prompt(tree, way, gdb, lot):
    moment = Moment(*tree.find_first_at_prompt(), is_at_prompt=True)
    if way.word == 'ctrl-c':
        tree.ctrl('c')
        tree.prompt('Quit')
    elif way.word:
        tree.line(way.word)
        tree.prompt()
    return moment


RUNNING = {'continue': ('break look_back', 'c'), 'next': ('next', 'next'), 'finish': ('finish',),
           'breakpoint': ('break do_a_bit', 'ignore 1 1000000', 'c')}


def run_under_gdb(tree, way, gdb, lot):
    moment = Moment(*tree.find_first_at_prompt())
    *before, last = RUNNING[way.word]
    for line in before:
        tree.line(line)
        tree.prompt()
    tree.line(last)
    tree.expect('^works')
    return moment


def leave(tree, way, gdb, lot):
    moment = Moment(*tree.find_first_at_prompt())
    tree.line(way.word)
    tree.expect('^ENDS')
    return moment


STATES = {
    'in-line': [Way(wait_in_line), Way(wait_in_line, name='again'), Way(ask_unheard, ('pause-twice',), victims=WITHOUT_GDB, n_stops=2)],
    'granted': [Way(be_granted_and_not_ready, ('pause',), victims=WITHOUT_GDB), Way(have_gdb_on_the_way, gate='begin'),
                *(Way(have_gdb_start, gate=gate) for gate in ('exec', 'scripts', 'begin', 'ptrace', 'attach'))],
    'at-prompt': [Way(be_at_prompt, word=word) for word in ('', 'ctrl-c', 'up')] + [Way(be_at_prompt, ('pause',), word='next')],
    'running': [Way(run_under_gdb, ('pause-and-work',), word=word) for word in RUNNING],
    'leaving': [Way(leave, ('pause-and-work',), gate=gate, word=word) for gate in ('terminal', 'detach') for word in ('c', 'quit')] +
               [Way(leave, ('pause-and-work',), gate='quit')] +
               [Way(leave, ('crash', 'fail'), gate=gate) for gate in ('terminal', 'detach')],
}


# --- the table ----------------------------------------------------------------------------------------------------------

def draw_way(state, victim, lot):
    way = lot.choice([way for way in STATES[state] if victim in way.victims])
    return way, lot.choice(way.stories), lot.choice(('shell', 'leader'))


def find_victim(tree, victim, moment):
    return {'holder': lambda: moment.holder, 'root': lambda: tree.find_broker()[1], 'parent': lambda: tree.find_parent(moment.holder),
            'gdb': tree.find_debugger, 'broker': lambda: tree.find_broker()[0]}[victim]()


def kill(tree, victim, moment):
    root = tree.find_broker()[1]
    pid = find_victim(tree, victim, moment)
    tree.note_processes()
    os.kill(pid, signal.SIGKILL)
    if moment.stands:
        with contextlib.suppress(ProcessLookupError):
            os.kill(moment.stands, signal.SIGCONT)
    return root


def check_broker_is_missed(tree, root):
    tree.expect('debug mode is off')
    is_equal(tree.foreground(), os.getpgid(root))


def check_status(status, tree, victim, way, story):
    if victim == 'root':
        is_equal(status, 128 + signal.SIGKILL)
    elif victim in ('holder', 'parent') or story in ('crash', 'fail') or way.word == 'quit':
        is_equal(status, 1)
    elif status != 0 and (victim, status) not in (('gdb', 1), ('broker', 1)) or status and 'signal 5' not in tree.text:
        raise Failure(f'status {status}:\n{tree.text}')  # by a breakpoint that is left


def check_who_has_stopped(tree, victim, way, moment):
    if victim in ('holder', 'gdb') and moment.waits and moment.waits != moment.holder and way.word != 'quit':
        tree.check_it_has_stopped(moment.waits)
    if victim in ('holder', 'parent') and way.word != 'quit':
        tree.check_it_has_stopped(re.search(r'failed: actor root \(pid (\d+)', tree.text).group(1))


def check_case(host, victim, way, story, under, lot):
    with SlowGdb(way.gate) if way.gate else contextlib.nullcontext() as gdb, \
            KilledTree(story, host, under, **(gdb.env if gdb else {})) as tree:
        moment = way.come(tree, way, gdb, lot)
        time.sleep(lot.choice((0, lot.random() * 0.05)))
        root = kill(tree, victim, moment)
        if gdb:
            gdb.go_on(MOST_SESSIONS)
        if victim == 'broker' and story == 'pause-and-work':  # else it may be over before that is seen
            check_broker_is_missed(tree, root)
        tree.let_work_end()
        if moment.is_at_prompt and victim in (('parent',) if moment.holder != moment.waits else ('holder', 'parent')):
            tree.line('p 6 * 7')
            tree.prompt('= 42')
            tree.line('c')
        tree.go_through(has_root=victim != 'root')
        status = tree.end_well()
        check_status(status, tree, victim, way, story)
        check_who_has_stopped(tree, victim, way, moment)
        tree.check_each_stop_has_one_header(way.n_stops)
        tree.expect_not('Traceback|internal-error')
        tree.check_nothing_is_left(but='.sock' if victim in ('root', 'parent') else None)


@test(rows=[{'victim': victim, 'state': state, 'seed': SEED + i} for i in range(REPEATS or 1)
            for victim in ('holder', 'root', 'parent', 'gdb', 'broker') for state in STATES])
def kill_9(host, victim, state, seed):
    lot = random.Random(f'{seed} {victim} {state} {host}')
    way, story, under = draw_way(state, victim, lot)
    print(f'# KILLS_SEED={seed} {victim}/{state}/{host}: {way.come.__name__} {way.gate or ""} {way.word} {story} {under}', flush=True)
    check_case(host, victim, way, story, under, lot)


@test(rows=[{'victim': victim, 'story': story} for victim in ('root', 'gdb', 'broker') for story in ('pause', 'crash')])
def kill_9_leaves_nobody_stopped_for_a_debugger(host, victim, story):
    """That is killed before it has taken away what the actor was to be stopped by."""
    check_case(host, victim, Way(have_gdb_start, gate='ptrace'), story, 'shell', random.Random(SEED))


@test
def orphan_that_has_crashed_is_looked_at_all_the_same(host):
    with SlowGdb('begin') as gdb, KilledTree('crash', host, 'shell', **gdb.env) as tree:
        tree.expect('^STARTS')
        first, _ = tree.find_first()
        os.kill(tree.find_parent(first), signal.SIGKILL)
        time.sleep(2)  # longer than an orphan has to end
        gdb.go_on(MOST_SESSIONS)
        tree.prompt(rf'── crashed: actor level0 \(pid {first}\)')
        tree.line('p *where')
        tree.prompt('Cannot access memory at address 0x10')
        tree.line('c')
        tree.go_through()
        is_equal(tree.end_well(), 1)
        tree.check_nothing_is_left(but='.sock')


PTRACE_CONT, PTRACE_DETACH, PTRACE_SEIZE, PTRACE_GETEVENTMSG = 7, 17, 0x4206, 0x4201
PTRACE_O_TRACEFORK, PTRACE_EVENT_FORK, WALL = 2, 1, 0x40000000


def wait_for_fork(pid):
    """Of a process that we trace. Returns: its child, which has not begun yet."""
    libc = ctypes.CDLL(None)
    child = ctypes.c_ulong()
    while True:
        _, status = os.waitpid(pid, WALL)
        if status >> 8 == signal.SIGTRAP | PTRACE_EVENT_FORK << 8:
            break
        libc.ptrace(PTRACE_CONT, pid, None, ctypes.c_void_p(os.WSTOPSIG(status) if status >> 16 == 0 else 0))
    libc.ptrace(PTRACE_GETEVENTMSG, pid, None, ctypes.byref(child))
    os.waitpid(child.value, WALL)
    return child.value


@test
def debugger_does_not_begin_whose_broker_has_just_been_killed(host):
    libc = ctypes.CDLL(None)
    with KilledTree('pause-and-work', host, 'shell') as tree:
        tree.find_first_at_prompt()
        broker, root, _ = tree.find_broker()
        is_equal(libc.ptrace(PTRACE_SEIZE, broker, None, ctypes.c_void_p(PTRACE_O_TRACEFORK)), 0)
        tree.line('c')
        debugger = wait_for_fork(broker)
        tree.all_pids.add(debugger)
        os.kill(broker, signal.SIGKILL)
        os.waitpid(broker, WALL)
        libc.ptrace(PTRACE_DETACH, debugger, None, None)
        tree.expect('debug mode is off')
        tree.wait_until(lambda: debugger not in [pid for pid, *_ in list_processes()], 'the debugger has gone')
        is_equal(tree.foreground(), os.getpgid(root))
        tree.let_work_end()
        is_equal(tree.end_well(), 0)
        tree.check_nothing_is_left()


if __name__ == '__main__':
    sys.exit(test.run(*sys.argv[3:4]))
