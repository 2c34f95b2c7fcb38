#!/usr/bin/env python3
"""test_dump.py TREE BROKER [PATTERN] - SIGUSR1 to an actor shows all its tasks, and those of all actors below it. TREE is
the program of tree.c. Prints TAP. Only tests whose name has PATTERN in it, if that is given."""
# SPDX-License-Identifier: LGPL-2.1-or-later

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile

from tap import Tests, is_equal
from terminal import Failure, Terminal, descendants, list_processes

TREE, BROKER = sys.argv[1:3]
# With the ucontext switch there are none.
HAS_STACKS = os.environ.get('TEST_HAS_STACKS', '1') == '1'
HEADER = r"tractor: all tasks of process (\d+) and of the actors below it, .*\r?$"
LAST = r'tractor: (\d+) actors? (?:is|are) shown(.*?)\r?$'

test = Tests('/debug', ('builtin', 'glib', 'uv'))


class Tree(Terminal):
    """The program, in a directory of its own."""

    def __init__(self, host, *arguments, dump='1', debug=''):
        self.directory = tempfile.mkdtemp(prefix='tractor-dump-')
        env = {'XDG_RUNTIME_DIR': self.directory, 'TRACTOR_DEBUG': debug, 'TRACTOR_DUMP': dump, 'TRACTOR_DEBUGGER': BROKER}
        super().__init__([TREE, '--host', host, *arguments], env)

    def find(self, name):
        """The actor of that name."""
        below = descendants(self.pid)
        for pid, _, _, command in list_processes():
            if pid in below and command.split()[1:2] == [name]:
                return pid
        raise Failure(f'no actor "{name}" below {self.pid}')

    def find_broker(self):
        below = descendants(self.pid)
        return next(pid for pid, _, _, command in list_processes() if pid in below and command.startswith(BROKER))

    def ask(self, pid=None):
        """Returns: what is shown, and how many actors that says it is, and who is missing."""
        os.kill(pid or self.pid, signal.SIGUSR1)
        begin = self.expect(HEADER)
        is_equal(int(begin.group(1)), pid or self.pid)
        end = self.expect(LAST)
        return self.text[begin.end():end.start()].replace('\r', ''), int(end.group(1)), end.group(2)

    def tractor(self, *arguments):
        """Returns: what the command says."""
        command = os.path.join(os.path.dirname(BROKER), '../tractor/tractor')
        return subprocess.run([command, *arguments], env={**os.environ, 'XDG_RUNTIME_DIR': self.directory}, text=True,
                              stdout=subprocess.PIPE, check=True).stdout

    def log_path(self):
        return f'{self.directory}/tractor/tractor-dump-{self.pid}.log'

    def read_log(self):
        with open(self.log_path()) as file:
            return file.read()

    def close(self):
        super().close()
        shutil.rmtree(self.directory)


def has(text, pattern):
    match = re.search(pattern, text, re.M)
    if match is None:
        raise Failure(f'{pattern!r} is not in:\n{text}')
    return match


def actors(text):
    """Their names, in the order in which they are shown."""
    return re.findall(r"^actor '([^']+)' \(process \d+", text, re.M)


def section(text, name):
    """Of that actor."""
    return has(text, rf"(?s)^actor '{name}' .*?(?=^actor |\Z)").group(0)


@test
def row_117_parents_before_children(host):
    with Tree(host, '--depth', '2', 'stay') as tree:
        tree.expect('stays')
        text, n, missing = tree.ask()
        is_equal(actors(text), ['root', 'kid0', 'level1', 'level0'])
        is_equal((n, missing), (4, ''))
        tree.ask()
        log = tree.read_log()
        is_equal(actors(log), 2 * ['root', 'kid0', 'level1', 'level0'])  # the second one is appended
        is_equal(len(re.findall(HEADER, log, re.M)), 2)
        has(log, re.escape(text.strip().splitlines()[0]))
        is_equal(stat.S_IMODE(os.stat(tree.log_path()).st_mode), 0o600)


@test(hosts=('builtin',))
def tasks_have_stacks_waits_and_scopes(host):
    with Tree(host, 'stay') as tree:
        tree.expect('stays')
        kid = section(tree.ask()[0], 'kid0')
        task = has(kid, r"(?s)^  task \d+ 'work' waiting for sleep\n.*?(?=^  task|\Z)").group(0)
        has(task, r'^      scope, shielded$')
        has(task, r'^      scope, deadline in .*, cancelled beyond that: the story says so$')
        if HAS_STACKS:
            has(task, r'^      stay\+0x')


@test(hosts=('builtin',))
def scopes_of_the_library_are_left_out(host):
    """One that shields what it runs for others from its own end is around every call that is served."""
    for dump, shown in (('1', False), ('all', True)):
        with Tree(host, 'join', dump=dump) as tree:
            tree.expect('stays')
            kid = section(tree.ask()[0], 'kid0')
            task = has(kid, r"(?s)^  task \d+ 'work' waiting for nursery.*?\n.*?(?=^  task|\Z)").group(0)
            is_equal(re.search(r'^      scope of task \d+, shielded$', task, re.M) is not None, shown)


@test(hosts=('builtin',))
def tasks_of_the_library_are_counted(host):
    with Tree(host, 'stay') as tree:
        tree.expect('stays')
        kid = section(tree.ask()[0], 'kid0')
        has(kid, r"^actor 'kid0' .*: 2 tasks, and \d+ of the library's own$")
        if "'listener'" in kid or 'tractor_' in kid:
            raise Failure(f"the library's own is shown:\n{kid}")
    with Tree(host, 'stay', dump='all') as tree:
        tree.expect('stays')
        kid = section(tree.ask()[0], 'kid0')
        has(kid, r"^actor 'kid0' .*: \d+ tasks$")
        has(kid, "^  task \\d+ 'listener' ")
        if HAS_STACKS:
            has(kid, r'^      tractor_sleep_until\+0x')


@test
def links_are_shown_with_what_is_open_on_them(host):
    with Tree(host, '--actors', '2', 'stay') as tree:
        tree.expect('stays')
        tree.expect('stays')
        text = tree.ask()[0]
        for kid in ('kid0', 'kid1'):
            pid = tree.find(kid)
            has(section(text, 'root'), rf"^  waits for tree:work of '{kid}' \(process {pid}\)$")
            has(section(text, kid), rf"^  serves tree:work for 'root' \(process {tree.pid}\)$")


@test
def tasks_name_the_actors_that_they_are_about(host):
    """Calls of the same function of two actors are not the same, and who serves one says for whom."""
    with Tree(host, '--actors', '2', 'stay') as tree:
        tree.expect('stays')
        tree.expect('stays')
        text = tree.ask()[0]
        for kid in ('kid0', 'kid1'):
            pid = tree.find(kid)
            has(section(text, 'root'), rf"^  task \d+ '\S+' waiting for tree:work of '{kid}' \(process {pid}\)$")
            has(section(text, kid), rf"^  task \d+ 'work' waiting for sleep\n      serves tree:work for 'root' \(process {tree.pid}\)$")
        shown = [json.loads(line) for line in tree.tractor('dump', '--json', str(tree.pid)).splitlines()]
        waits = [(g['count'], [a['name'] for a in g['waits_for_actors']]) for g in shown[0]['groups'] if g['waits_for'] == 'tree:work']
        is_equal(sorted(waits), [(1, ['kid0']), (1, ['kid1'])])
        is_equal([(g['serves'], g['serves_actor']) for g in shown[1]['groups'] if g['name'] == 'work'],
                 [('tree:work', {'name': 'root', 'pid': tree.pid})])


@test(hosts=('builtin',))
def numbers_of_equal_tasks_are_those_and_no_others(host):
    """Eight tasks in a row, of which the third and the seventh are of another kind."""
    with Tree(host, 'mix') as tree:
        tree.expect('stays')
        kid = section(tree.ask()[0], 'kid0')
        third = int(has(kid, r"^  × 2 tasks, (\d+), \d+, 'other' waiting for event$").group(1))
        has(kid, rf"^  × 2 tasks, {third}, {third + 4}, 'other' waiting for event$")
        # With the one that every actor has here.
        has(kid, rf"^  × 7 tasks, .*\b{third - 1}, {third + 1} to {third + 3}, {third + 5}, 'sleeper', 'equal' waiting for sleep$")


@test
def waits_of_every_kind_name_the_actor(host):
    with Tree(host, 'ring') as tree:
        tree.expect('stays')
        kid = section(tree.ask()[0], 'kid0')
        has(kid, r"^  task \d+ 'work' waiting for ring read$")
        has(kid, r"^  task \d+ 'filler' waiting for ring write$")
    for story, wait in (('join', 'nursery'), ('dialog', 'tree:talk'), ('listen', 'stream receive')):
        with Tree(host, story) as tree:
            tree.expect('stays')
            pid = tree.find('below')
            has(section(tree.ask()[0], 'kid0'), rf"^  task \d+ 'work' waiting for {wait} of 'below' \(process {pid}\)$")


@test
def one_that_computes_is_shown_where_it_is(host):
    with Tree(host, '--depth', '1', 'compute') as tree:
        tree.expect('computes')
        text, n, missing = tree.ask()
        is_equal((n, missing), (3, ''))
        task = has(section(text, 'level0'), r"(?s)^  task \d+ 'work' running\n.*?(?=^  task|\Z)").group(0)
        if HAS_STACKS:
            has(task, r'^      go_round\+0x')


@test
def one_that_computes_has_its_own_shown_too(host):
    with Tree(host, 'compute') as tree:
        tree.expect('computes')
        text, n, _ = tree.ask(tree.find('kid0'))
        is_equal((actors(text), n), (['kid0'], 1))


@test(hosts=('builtin',))
def one_that_is_stopped_is_shown(host):
    with Tree(host, '--depth', '1', 'stay') as tree:
        tree.expect('stays')
        os.kill(tree.find('kid0'), signal.SIGSTOP)
        text, n, missing = tree.ask()
        is_equal((actors(text), n, missing), (['root', 'kid0', 'level0'], 3, ''))


@test
def one_that_the_debugger_holds_is_shown(host):
    with Tree(host, '--depth', '1', 'pause', debug='1', dump='') as tree:
        tree.expect(r'── paused: actor level0')
        tree.expect(r'^\(tractor\) ')
        text, n, missing = tree.ask()
        is_equal((actors(text), n, missing), (['root', 'kid0', 'level0'], 3, ''))
        has(section(text, 'level0'), r"^actor .* held by the debugger: pause, .*\): \d+ tasks")
        has(section(text, 'level0'), r"task \d+ 'work'")
        has(tree.tractor('tree', str(tree.pid)), r'level0 +held by the debugger \(pause, .*\)$')
        shown = [json.loads(line) for line in tree.tractor('tree', '--json', str(tree.pid)).splitlines()]
        is_equal([(one['name'], one['held'], one['held_usec'] is not None) for one in shown],
                 [('root', None, False), ('kid0', None, False), ('level0', 'pause', True)])
        tree.line('p local_answer')  # and the session goes on
        tree.expect('= 42')
        tree.line('c')
        tree.expect('kid0: result 43')
        is_equal(tree.end(), 0)


@test(hosts=('builtin',))
def without_debug_mode_nothing_stops(host):
    with Tree(host, 'is-on') as tree:
        tree.expect('debug mode is off')
        is_equal(tree.end(), 0)
    with Tree(host, 'pause') as tree:
        tree.expect('tractor_pause.. goes on at once')
        is_equal(tree.end(), 0)
        is_equal([name for name in os.listdir(f'{tree.directory}/tractor')], [])


@test(hosts=('builtin',))
def it_is_off_unless_it_was_asked_for(host):
    with Tree(host, 'stay', dump='0') as tree:
        tree.expect('stays')
        os.kill(tree.pid, signal.SIGUSR1)
        is_equal(tree.end(), -signal.SIGUSR1)
    with Tree(host, 'stay', dump='2') as tree:
        tree.expect('FAILED: The environment variable TRACTOR_DUMP is 0, 1 or all, not "2"')
        is_equal(tree.end(), 1)


def check_root_keeps_its_signal(tree):
    """What the root handles is shown to nobody; what its child does not is, by the same broker and after that."""
    os.kill(tree.pid, signal.SIGUSR1)
    tree.expect("the program's own")
    is_equal(actors(tree.ask(tree.find('kid0'))[0]), ['kid0'])
    is_equal(len(re.findall(HEADER, tree.read_log(), re.M)), 1)


@test
def a_handler_of_the_programs_own_is_left_alone(host):
    with Tree(host, '--handles', 'usr1', 'stay') as tree:
        tree.expect('stays')
        check_root_keeps_its_signal(tree)


@test
def a_receiver_of_the_programs_own_has_it_alone(host):
    with Tree(host, '--depth', '1', 'receive') as tree:
        tree.expect('stays')
        level = tree.find('level0')
        os.kill(level, signal.SIGUSR1)
        tree.expect("the program's own")
        is_equal(actors(tree.ask(tree.find('kid0'))[0]), ['kid0', 'level0'])
        is_equal(len(re.findall(HEADER, tree.read_log(), re.M)), 1)


@test(hosts=('builtin',))
def many_at_once_are_written_one_after_another(host):
    names = ['root', 'kid0', 'level1', 'level0']
    with Tree(host, '--depth', '2', 'stay') as tree:
        tree.expect('stays')
        for pid in (tree.pid, tree.find('level0'), tree.find('kid0'), tree.pid, tree.find('level1')):
            os.kill(pid, signal.SIGUSR1)
        n_each = []
        while set(n_each) != {1, 2, 3, 4}:  # the root may have been asked for twice in one go, or not
            begin = tree.expect(HEADER)
            end = tree.expect(LAST)
            text = tree.text[begin.end():end.start()]
            is_equal(len(re.findall(HEADER, text, re.M)), 0)
            n_each.append(int(end.group(1)))
            is_equal(actors(text), names[4 - n_each[-1]:])


@test(hosts=('builtin',))
def a_broker_that_has_ended_is_said(host):
    with Tree(host, 'stay') as tree:
        tree.expect('stays')
        os.kill(tree.find_broker(), signal.SIGKILL)
        tree.expect(r"The debugger's broker \(pid \d+\) has ended")
        os.kill(tree.pid, signal.SIGUSR1)
        tree.expect("SIGUSR1: nothing can be shown, for the debugger's broker has ended")


if __name__ == '__main__':
    sys.exit(test.run(*sys.argv[3:4]))
