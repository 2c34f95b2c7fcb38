#!/usr/bin/env python3
"""test_debugger.py TREE BROKER EXAMPLE PAGE [PATTERN] - debug mode, as one sees it on a terminal: with gdb, a real terminal,
and a real shell. TREE is the program of tree.c; EXAMPLE is what PAGE, of the guide, has a transcript of. Prints TAP. Only tests whose name has PATTERN in it, if that is given."""
# SPDX-License-Identifier: LGPL-2.1-or-later

import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

from debugged import BROKER, COMMAND, TREE, SlowGdb, Tree
from program import PROMPT, SHELL, Program
from tap import Skip, Tests, is_equal
from terminal import Failure, Terminal, descendants, list_processes

EXAMPLE, PAGE = sys.argv[3:5]
INTEROP = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'interop')
PEER = os.path.join(INTEROP, 'peer.py')
PDB = r'^\(Pdb\+\) '
NO_GDB = {'PATH': '/nonexistent'}

test = Tests('/debug', ('builtin', 'glib', 'uv'))


# --- stops ------------------------------------------------------------------------------------------------------------

@test
def pause_stands_in_the_users_function(host):
    with Tree(['pause'], host) as tree:
        tree.prompt(r"── paused: actor kid0 \(pid \d+\), task \d+ 'work' ──\r\n.*pause_once")
        tree.line('p local_answer')
        tree.expect('= 42')
        tree.prompt()
        tree.line('set var local_answer = 100')
        tree.prompt()
        tree.line('next')
        tree.prompt()
        tree.line('c')
        tree.expect('kid0: result 101')
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


@test(hosts=('builtin',), rows=[{'word': word, 'shell': shell} for word in ('c', 'quit', 'detach', 'kill', 'tractor continue')
                                for shell in ('leader', 'bash')])
def who_goes_on_may_read_the_terminal_at_once(host, word, shell):
    with Tree([], shell=shell == 'bash', command=[TREE, '--host', host, '--reads', 'end', 'pause']) as tree:
        tree.prompt('── paused')
        tree.line(word)
        tree.line('for the root')
        tree.expect('root has read: for the root')


@test(hosts=('builtin',))
def what_is_started_from_the_prompt_is_as_without_us(host):
    """It has the limit that the tree has, and not the broker's; and none of the session's own matters."""
    with Tree([], command=['bash', '-c', f'ulimit -Sn 200; exec "$0" "$@"', TREE, '--host', host, 'pause']) as tree:
        tree.prompt('── paused')
        tree.line('shell echo limit $(ulimit -Sn)')
        tree.expect(r'^limit 200\r\n')
        tree.prompt()
        tree.line('shell echo variables: $(env | grep -c TRACTOR_SESSION)')
        tree.expect(r'^variables: 0\r\n')
        tree.prompt()
        tree.line('shell echo descriptors: $(ls /proc/self/fd | sort -n)')  # of ls: 3 is the directory
        tree.expect(r'^descriptors: 0 1 2 3\r\n')
        tree.prompt()
        tree.line('c')
        is_equal(tree.end(), 0)


@test(hosts=('builtin',))
def debugger_has_the_memory_that_its_tree_has_not(host):
    with Tree([], command=['bash', '-c', f'ulimit -Sv 3000000; exec "$0" "$@"', TREE, '--host', host, 'pause']) as tree:
        tree.prompt('── paused')
        tree.line('shell echo limit $(ulimit -Sv)')
        tree.expect(r'^limit unlimited\r\n')
        tree.prompt()
        tree.line('c')
        is_equal(tree.end(), 0)


@test(hosts=('builtin',), rows=[{'word': word} for word in ('attach 1', 'run', 'start', 'disconnect', 'target native', 'checkpoint',
                                                                 'target core /etc/passwd', 'kill inferiors 1', 'detach inferiors 1')])
def no_word_ends_the_actor_for_another(host, word):
    with Tree(['pause'], host) as tree:
        tree.prompt('── paused')
        tree.line(word)
        tree.expect('This session is for one actor')
        tree.prompt()
        tree.line('c')
        is_equal(tree.end(), 0)


@test(hosts=('builtin',), rows=[{'word': word} for word in ('next', 'signal 0', 'return')])
def a_refusal_is_one_line(host, word):
    with Tree(['crash'], host) as tree:
        tree.prompt('── crashed')
        tree.line(word)
        tree.expect('The task cannot go on from here: it has crashed')
        tree.prompt()
        tree.expect_not('Traceback|Python')
        tree.line('kill')


def ask_for_backtrace(tree, word):
    """Returns: the functions, the innermost first."""
    begin = tree.seen
    tree.line(word)
    tree.expect(r'^#\d+ .*\bwork\b')
    tree.prompt()
    return re.findall(r'^#\d+ +(?:0x\w+ in )?(\w+|<.*>)', tree.text[begin:], re.M)


@test(hosts=('builtin',), rows=({'story': 'crash', 'first': ['crash', 'tell', 'work']},
                                {'story': 'abort', 'first': ['__GI_abort', 'tell', 'work']},
                                {'story': 'pause', 'first': ['pause_once', 'tell', 'work']}))
def backtrace_begins_in_the_users_code(host, story, first):
    with Tree([story], host) as tree:
        tree.prompt(r'── (crashed|paused)')
        for word in 'bt', 'tractor bt work':
            shown = ask_for_backtrace(tree, word)
            is_equal([name.replace('__GI_', '') for name in shown[:3]], [name.replace('__GI_', '') for name in first])
        if story != 'pause':
            is_equal('<signal handler called>' in ask_for_backtrace(tree, 'bt -no-filters'), True)
        tree.line('kill')
        tree.prompt('── failed')
        tree.line('c')
        is_equal(tree.end(), 1)


@test
def crash_in_a_child_is_shown_there_and_then_in_the_root(host):
    with Tree(['crash'], host) as tree:
        tree.prompt(r"── crashed: actor kid0 \(pid \d+\), task \d+ 'work' · SIGSEGV, address 0x10 is not mapped ──\r\n#\d+ .*crash")
        tree.line('next')
        tree.expect('cannot go on from here: it has crashed')
        tree.prompt()
        tree.line('c')
        tree.prompt(r'── failed: actor root .* was killed by signal 11')
        tree.line('c')
        tree.expect('FAILED: .*killed by signal 11')
        is_equal(tree.end(), 1)
        tree.check_nothing_is_left()


@test(rows=({'story': 'abort', 'said': 'SIGABRT', 'function': 'tell'},
            {'story': 'overflow', 'said': 'it has overflowed its stack of 256 KiB', 'function': 'dig'},
            {'story': 'thread-crash', 'said': 'SIGSEGV', 'function': 'crash'},
            {'story': 'call-null', 'said': 'SIGSEGV, address 0x0 is not mapped', 'function': 'call_what_is_no_code'},
            {'story': 'call-data', 'said': 'SIGSEGV, address 0x[0-9a-f]+ may not be accessed so', 'function': 'call_what_is_no_code'},
            {'story': 'fatal', 'said': 'SIGTRAP(?! at)', 'function': 'say_fatal'},
            {'story': 'truncated', 'said': 'SIGBUS at 0x[0-9a-f]+', 'function': 'read_truncated'}))
def crash_stands_in_the_users_function(host, story, said, function):
    with Tree([story], host) as tree:
        tree.prompt(rf'── crashed: actor kid0 .*{said}.*──\r\n#\d+ .*\b{function} \(')
        tree.line('c')
        tree.prompt('── failed: actor root')
        tree.line('c')
        is_equal(tree.end(), 1)
        tree.check_nothing_is_left()


@test(rows=({'story': 'threads-crash'}, {'story': 'timer-crash'}, {'story': 'smash'}))
def crash_is_shown_whatever_comes_between(host, story):
    """Other threads that crash, alarms of the program's own, and a stack of which nothing can be read any more."""
    with Tree([story], host) as tree:
        tree.prompt(r"── crashed: actor kid0 .* · SIGSEGV")
        tree.line('c')
        tree.prompt('── failed: actor root .* was killed by signal 11')
        tree.line('c')
        is_equal(tree.end(), 1)
        tree.check_nothing_is_left()


@test
def failure_that_the_program_sees_to_is_shown_by_hand(host):
    with Tree(['post-mortem'], host) as tree:
        tree.prompt('── failed: actor kid0 .*no room for 42')
        tree.line('c')
        tree.expect('kid0: result 42')
        is_equal(tree.end(), 0)
        is_equal(tree.text.count('── failed'), 1)
        tree.check_nothing_is_left()


@test
def row_114_failure_climbs_from_actor_to_actor(host):
    with Tree(['--depth', '2', 'fail'], host) as tree:
        for actor in ('level0', 'level1', 'kid0', 'root'):
            tree.prompt(f'── failed: actor {actor} .*no room for 42')
            tree.line('c')
        is_equal(tree.end(), 1)
        is_equal(tree.text.count('── failed'), 4)
        tree.check_nothing_is_left()


@test
def root_stops_too(host):
    with Tree(['root-pause'], host) as tree:
        tree.prompt(r"── paused: actor root \(pid \d+\), task 1 'main' ──")
        tree.line('c')
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


@test
def root_that_crashes_is_shown_and_leaves_nothing(host):
    with Tree(['root-crash'], host) as tree:
        tree.prompt(r"── crashed: actor root \(pid \d+\), task 1 'main' · SIGSEGV")
        tree.line('c')
        is_equal(tree.end(), -signal.SIGSEGV)


@test
def commands_for_tasks_are_there(host):
    with Tree(['pause'], host) as tree:
        tree.prompt('── paused: actor kid0')
        tree.line('info tractor')
        tree.expect('sleeper')
        tree.prompt()
        tree.line('tractor task sleeper')
        tree.prompt()
        tree.line('backtrace')
        tree.expect('sleep_forever')
        tree.prompt()
        tree.line('next')  # of what paused
        tree.expect('local_answer')
        tree.prompt()
        tree.line('c')
        tree.expect('kid0: result 43')
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


@test
def row_113_thread_pauses(host):
    with Tree(['thread-pause'], host) as tree:
        tree.prompt(r'── paused: actor kid0 \(pid \d+\), in no task ──\r\n.*pause_in_thread')
        tree.line('p in_thread')
        tree.expect('= 5')
        tree.prompt()
        tree.line('c')
        tree.expect('thread goes on 5')
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


@test
def row_112_pause_in_what_is_cancelled_fails_and_a_shielded_one_does_not(host):
    with Tree(['cancelled-pause'], host) as tree:
        tree.expect(r'paused: tractor_pause\(\) in what is cancelled; tractor_pause_shielded\(\) stops there too: Cancelled')
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()
    with Tree(['shielded-pause'], host) as tree:
        tree.prompt('── paused: actor kid0')
        tree.line('c')
        tree.expect('paused: yes')
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


@test
def quit_makes_the_pause_fail_and_nobody_above_stops(host):
    with Tree(['pause'], host) as tree:
        tree.prompt('── paused: actor kid0')
        tree.line('q')
        tree.expect('FAILED: .*Quit in the debugger')
        is_equal(tree.end(), 1)
        is_equal(tree.text.count('──\r\n'), 1)
        tree.check_nothing_is_left()


@test
def quit_of_a_failure_is_not_shown_above(host):
    with Tree(['--depth', '1', 'fail'], host) as tree:
        tree.prompt('── failed: actor level0')
        tree.line('q')
        tree.expect('FAILED: .*no room for 42')
        is_equal(tree.end(), 1)
        is_equal(tree.text.count('── failed'), 1)
        tree.check_nothing_is_left()


@test(rows=({'depth': '0'}, {'depth': '2'}))
def quit_of_a_crash_is_not_shown_above(host, depth):
    with Tree(['--depth', depth, 'crash'], host) as tree:
        tree.prompt('── crashed: actor ')
        tree.line('q')
        tree.expect('FAILED: .*was killed by signal 11')
        is_equal(tree.end(), 1)
        is_equal(len(re.findall('── (?:failed|crashed)', tree.text)), 1)
        tree.check_nothing_is_left()


@test
def breakpoints_keep_gdb_and_a_second_pause_is_another_stop(host):
    with Tree(['pause-twice'], host) as tree:
        tree.prompt('── paused: actor kid0')
        tree.line('break pause_once')
        tree.prompt()
        tree.line('c')
        tree.prompt(r'Breakpoint 1, (.|\r\n)*?pause_once')
        tree.line('delete')
        tree.prompt()
        tree.line('break fflush')  # something that keeps it under gdb
        tree.prompt()
        tree.line('c')
        tree.prompt(r'── paused: actor kid0 .*──\r\n.*pause_once')
        tree.line('tractor continue')
        tree.expect('kid0: result 44')
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


@test
def pause_right_after_another_is_another_stop(host):
    """gdb has let it go, and has perhaps not ended yet."""
    with Tree(['pause-twice'], host) as tree:
        for _ in range(2):
            tree.prompt('── paused: actor kid0')
            tree.line('c')
        tree.expect('kid0: result 44')
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


@test
def abandon_ends_the_tree_without_another_stop(host):
    with Tree(['--actors', '3', 'pause'], host) as tree:
        tree.prompt('── paused: actor kid')
        tree.line('tractor abandon')
        tree.end()
        is_equal(tree.text.count('── paused'), 1)
        tree.check_nothing_is_left()


# --- one at a time ------------------------------------------------------------------------------------------------------

@test
def row_111_two_pauses_are_shown_one_after_the_other(host):
    with Tree(['--actors', '2', 'pause'], host) as tree:
        first = tree.prompt(r'── paused: actor (kid\d)').group(1)
        tree.line('c')
        second = tree.prompt(r'── paused: actor (kid\d)').group(1)
        is_equal({first, second}, {'kid0', 'kid1'})
        tree.line('c')
        is_equal(tree.end(), 0)
        is_equal(tree.text.count('── paused'), 2)
        tree.check_nothing_is_left()


@test(hosts=('builtin',))
def header_says_how_many_wait_now(host):
    """And not how many did when the session began."""
    with Tree(['--actors', '2', 'pause-twice'], host) as tree:
        first = tree.prompt(r'── paused: actor (kid\d)').group(1)
        tree.find_in_line({'kid0': 'kid1', 'kid1': 'kid0'}[first])
        tree.line('break fflush')  # something that keeps it under gdb
        tree.prompt()
        tree.line('c')
        tree.prompt(rf'── paused: actor {first} .* · 1 waits behind ──')
        tree.line('tractor continue')
        for _ in range(2):
            tree.prompt(r'── paused: actor kid\d .*[^d] ──')
            tree.line('c')
        is_equal(tree.end(), 0)


@test(hosts=('builtin',))
def G_02_many_crashes_at_once_are_shown_in_the_order_in_which_they_came(host):
    n = 64
    with Tree(['--actors', str(n), 'crash-together'], host) as tree:
        behind = []
        for i in range(n):
            match = tree.prompt(r'── crashed: actor (kid\d+) .*?(?:· (\d+) waits? behind )?──')
            behind.append(int(match.group(2) or 0))
            tree.line('c')
        tree.prompt(f'── failed: actor root .* {n} failures')
        tree.line('c')
        is_equal(tree.end(), 1)
        is_equal(len(set(re.findall(r'── crashed: actor (kid\d+)', tree.text))), n)
        is_equal(behind[-1], 0)
        tree.check_nothing_is_left()


@test
def row_115_ctrl_c_reaches_nobody_but_gdb(host):
    with Tree(['pause'], host, shell=True) as tree:
        tree.prompt('── paused: actor kid0')
        for _ in range(2):
            tree.ctrl('c')
            tree.expect('Quit')
            tree.prompt()
        tree.line('c')
        tree.expect('kid0: result 43')
        tree.check_shell_is_well()


@test
def row_116_G_03_end_of_the_root_waits_for_who_looks(host):
    """It is cancelled while a child is held: nobody is killed, and it goes on when nobody is any more."""
    with Tree(['--until', 'signal', '--depth', '1', 'pause'], host) as tree:
        tree.prompt('── paused: actor level0')
        os.kill(tree.pid, signal.SIGUSR2)
        time.sleep(5)  # longer than every patience with a child
        tree.line('p local_answer')
        tree.expect('= 42')
        tree.prompt()
        tree.line('c')
        is_equal(tree.end(), 0)
        tree.expect_not('killed')
        tree.check_nothing_is_left()


# --- Python actors, which have a debugger of their own -----------------------------------------------------------------

class MixedTree(Tree):
    """One whose first actor, or the last below that, is a Python one."""

    def __init__(self, arguments, host='builtin', python=PEER, **more):
        super().__init__(['--python', python] + arguments, host, PEER_IS_DEBUGGED='1', **more)

    def pdb(self, pattern=None):
        match = self.expect(pattern) if pattern else None
        self.expect(PDB)
        self.note_processes()
        return match


@test
def python_actor_has_its_turn(host, transport='unix', actor='kid0', depth='0'):
    with MixedTree(['--depth', depth, 'pause'], host, shell=True, TRACTOR_TRANSPORT=transport) as tree:
        tree.pdb(f'Opening a pdb REPL in paused actor: {actor}')
        tree.line('p answer')
        tree.expect('^42')
        tree.pdb()
        for _ in range(2):
            tree.ctrl('c')  # which would end the root
            tree.ctrl('z')
        tree.line('')
        tree.pdb()
        tree.line('answer = 100')
        tree.pdb()
        tree.line('c')
        tree.expect('kid0: result 42')
        tree.check_shell_is_well()


@test(hosts=('builtin',))
def python_actor_below_another_has_its_turn(host):
    python_actor_has_its_turn(host, actor='level0', depth='1')


@test(hosts=('builtin',))
def python_actor_over_tcp_has_its_turn(host):
    python_actor_has_its_turn(host, transport='tcp')


@test(hosts=('builtin',))
def python_failure_is_shown_there_and_then_in_each_actor_above(host):
    with MixedTree(['--depth', '1', 'fail'], host) as tree:
        tree.pdb('Opening a pdb REPL in crashed actor: level0')
        tree.line('c')
        for actor in ('kid0', 'root'):
            tree.prompt(f'── failed: actor {actor} .*no room for 42')
            tree.line('c')
        is_equal(tree.end(), 1)
        is_equal(tree.text.count('── failed'), 2)
        tree.check_nothing_is_left()


@test(hosts=('builtin',))
def python_actor_that_is_quit_is_not_shown_above(host):
    with MixedTree(['pause'], host) as tree:
        tree.pdb('paused actor: kid0')
        tree.line('q')
        tree.expect('FAILED: .*BdbQuit')
        is_equal(tree.end(), 1)
        tree.expect_not('──')
        tree.check_nothing_is_left()


@test
def python_actor_waits_in_the_same_line(host):
    """Whoever comes first, the others are shown only when it is through."""
    with MixedTree(['--actors', '3', 'pause'], host) as tree:
        shown = set()
        for _ in range(3):
            match = tree.expect(r'paused actor: (kid0)|── paused: actor (kid\d)')
            shown.add(match.group(1) or match.group(2))
            tree.expect(PDB if match.group(1) else PROMPT)
            tree.note_processes()
            is_equal(len(re.findall(PDB + '|' + PROMPT, tree.text, re.MULTILINE)), len(shown))
            tree.line('c')
        is_equal(shown, {'kid0', 'kid1', 'kid2'})
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


@test(hosts=('builtin',))
def python_actor_that_is_killed_gives_its_turn_to_the_next(host):
    with MixedTree(['fail'], host) as tree:
        tree.pdb('crashed actor: kid0')
        os.kill(tree.find('tractor._child'), signal.SIGKILL)
        tree.prompt('── failed: actor root .*killed by signal 9')
        tree.line('c')
        is_equal(tree.end(), 1)
        tree.check_nothing_is_left(but='.sock')  # its own


@test(hosts=('builtin',))
def python_actor_at_its_prompt_is_waited_for(host):
    with MixedTree(['--until', 'signal', 'pause'], host) as tree:
        tree.pdb('paused actor: kid0')
        os.kill(tree.pid, signal.SIGUSR2)
        time.sleep(5)  # longer than every patience with a child
        tree.line('p answer')
        tree.expect('^42')
        tree.pdb()
        tree.line('c')
        is_equal(tree.end(), 0)
        tree.expect_not('killed')
        tree.check_nothing_is_left()


@test(hosts=('builtin',))
def root_that_crashes_waits_for_the_python_actor_at_its_prompt(host):
    """Though it cannot hear any more what that says."""
    with MixedTree(['pause'], host) as tree:
        tree.pdb('paused actor: kid0')
        os.kill(tree.pid, signal.SIGFPE)
        tree.line('p answer')
        tree.expect('^42')
        tree.pdb()
        tree.line('c')
        tree.prompt('── crashed: actor root')
        tree.line('c')
        is_equal(tree.end(), -signal.SIGFPE)


@test(hosts=('builtin',))
def stranger_is_given_no_turn(host):
    with MixedTree(['pause'], host) as tree:
        tree.pdb('paused actor: kid0')
        directory = os.path.join(tree.directory, 'tractor')
        root = next(one for one in os.listdir(directory) if re.fullmatch(r'[0-9a-f]+\.sock', one))
        stranger = subprocess.run([PEER, 'stranger', os.path.join(directory, root)], stdout=subprocess.PIPE, text=True)
        is_equal(stranger.stdout, 'no turn for a stranger\n')
        tree.line('c')
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


@test(hosts=('builtin',))
def broker_that_is_killed_leaves_the_python_actor_its_prompt(host):
    with MixedTree(['pause'], host) as tree:
        tree.pdb('paused actor: kid0')
        os.kill(tree.find('tractor-debugger'), signal.SIGKILL)
        tree.expect('debug mode is off')
        tree.line('c')
        tree.expect('kid0: result 42')
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


@test(hosts=('builtin',))
def python_actor_that_breaks_the_protocol_of_the_lock_has_broken_its_own_turn(host):
    with MixedTree(['break-lock'], host) as tree:
        tree.expect('its turn in spite of all')
        tree.expect('kid0: result 42')
        is_equal(tree.end(), 0)
        tree.expect_not('──')
        tree.check_nothing_is_left()


@test(rows=({'debug': '0', 'children': 'inherit'}, {'debug': 'crash', 'children': 'inherit'},
            {'debug': '1', 'children': 'off'}), hosts=('builtin',))
def python_actor_is_not_debugged_if_nobody_asks_for_that(host, debug, children):
    with Tree(['--python', PEER, '--children', children, 'is-on'], host, debug=debug) as tree:
        tree.expect('debug mode is off')
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


# --- actors below a Python root, which has the lock ----------------------------------------------------------------------

class PythonTree(Tree):
    def __init__(self, story, depth=0, also='nothing', **more):
        super().__init__([], command=[PEER, 'debugger', TREE, story, str(depth), also], debug='', **more)

    pdb = MixedTree.pdb


@test(rows=({'depth': 0, 'also': 'nothing'}, {'depth': 1, 'also': 'nothing'}, {'depth': 0, 'also': 'tcp'}), hosts=('builtin',))
def pause_below_a_python_root_has_its_turn_from_that(host, depth, also):
    with PythonTree('pause', depth, also, shell=True) as tree:
        tree.prompt(r"── paused: actor %s \(pid \d+\), task \d+ 'work' ──\r\n.*pause_once" % ('level0' if depth else 'cchild'))
        for _ in range(2):
            tree.ctrl('c')
            tree.expect('Quit')
            tree.prompt()
        tree.line('set var local_answer = 16')
        tree.prompt()
        tree.line('c')
        tree.expect('answer: 17')
        tree.expect('status: 0')
        tree.check_shell_is_well()
        is_equal(tree.text.count('released by cchild'), 1)
        tree.all_pids.discard(tree.pid)
        tree.check_nothing_is_left()


@test(hosts=('builtin',))
def crash_below_a_python_root_has_its_turn_from_that(host):
    with PythonTree('crash', shell=True) as tree:
        tree.prompt(r"── crashed: actor cchild \(pid \d+\), task \d+ 'work' · SIGSEGV, address 0x10 is not mapped ──\r\n#\d+ .*crash")
        tree.ctrl('c')
        tree.expect('Quit')
        tree.prompt()
        tree.line('c')
        tree.expect('answer: none')
        tree.expect('status: -11')
        tree.check_shell_is_well()
        is_equal(tree.text.count('released by cchild'), 1)
        tree.all_pids.discard(tree.pid)
        tree.check_nothing_is_left(but='.sock')  # its own, which a Python parent does not take away


@test(hosts=('builtin',))
def failure_below_a_python_root_climbs_to_it(host):
    with PythonTree('fail', depth=1) as tree:
        for actor in ('level0', 'cchild'):
            tree.prompt(f'── failed: actor {actor} .*no room for 42')
            tree.line('c')
        tree.expect('answer: ')
        is_equal(tree.end(), 0)
        is_equal(tree.text.count('released by cchild'), 2)
        tree.check_nothing_is_left()


@test(hosts=('builtin',))
def python_root_waits_in_the_same_line(host):
    with PythonTree('pause', also='pause') as tree:
        shown = set()
        for _ in range(2):
            match = tree.expect(r'paused actor: (pyroot)|── paused: actor (cchild)')
            shown.add(match.group(1) or match.group(2))
            tree.expect(PDB if match.group(1) else PROMPT)
            tree.note_processes()
            is_equal(len(re.findall(PDB + '|' + PROMPT, tree.text, re.MULTILINE)), len(shown))
            tree.line('c')
        is_equal(shown, {'pyroot', 'cchild'})
        tree.expect('answer: 43')
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


@test(rows=[{'by': by} for by in ('an-error', 'hanging-up', 'a-broken-frame', 'a-frame-without-end')], hosts=('builtin',))
def python_root_that_gives_no_turn_is_told_of(host, by):
    with PythonTree('pause', PEER_REFUSES_BY=by) as tree:
        tree.expect(r'actor cchild \(pid \d+\) has paused, and the Python root of the tree gives it no turn')
        tree.expect('answer: 43')
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


# --- the same with upstream's own, where it is installed -----------------------------------------------------------------

def find_upstream():
    """A Python that has it: that which TRACTOR_UPSTREAM_PYTHON says, or the usual one."""
    python = os.environ.get('TRACTOR_UPSTREAM_PYTHON', 'python3')
    if subprocess.run([python, '-c', 'import trio, tractor; tractor.pause'], stderr=subprocess.DEVNULL).returncode != 0:
        raise Skip(f'{python} has no tractor of upstream: NOT SHOWN (TRACTOR_UPSTREAM_PYTHON says where there is one)')
    return python


@test(rows=({'of': 'stand-in'}, {'of': 'upstream'}), hosts=('builtin',))
def pause_below_an_upstream_root(host, of):
    python = '/usr/bin/python3' if of == 'stand-in' else find_upstream()
    script = os.path.join(INTEROP, 'upstream_root.py')
    directory = tempfile.mkdtemp(prefix='tractor-debug-')
    more = {'PYTHONPATH': os.path.join(INTEROP, 'stand-ins'), 'REGISTRY': os.path.join(directory, 'root@1.sock'),
            'PYTHONDONTWRITEBYTECODE': '1'} if of == 'stand-in' else {}
    try:
        with Tree([], command=[python, script, TREE, 'pause'], debug='', shell=True, **more) as tree:
            tree.prompt(r"── paused: actor cchild \(pid \d+\), task \d+ 'work' ──\r\n.*pause_once")
            for _ in range(2):
                tree.ctrl('c')
                tree.expect('Quit')
                tree.prompt()
            tree.line('set var local_answer = 16')
            tree.prompt()
            tree.line('c')
            tree.expect('answer: 17')
            tree.check_shell_is_well()
            tree.all_pids.discard(tree.pid)
            tree.check_nothing_is_left()
    finally:
        shutil.rmtree(directory)


@test(rows=({'story': 'pause'}, {'story': 'fail'}), hosts=('builtin',))
def upstream_actor_has_its_turn(host, story):
    with MixedTree([story], host, python=find_upstream()) as tree:
        tree.expect(r'\(Pdb\+\) ')
        tree.line('p answer')
        tree.expect('^42')
        tree.line('c')
        if story == 'pause':
            tree.expect('kid0: result 42')
        else:
            tree.prompt('── failed: actor root .*no room for 42')
            tree.line('c')
        is_equal(tree.end(), 0 if story == 'pause' else 1)


@test(hosts=('builtin',))
def python_root_that_is_killed_leaves_the_terminal_to_the_shell(host):
    with PythonTree('pause', shell=True) as tree:
        tree.prompt('── paused: actor cchild')
        os.kill(tree.find('peer.py debugger'), signal.SIGKILL)
        tree.check_shell_is_well()
        tree.all_pids.discard(tree.pid)
        tree.check_nothing_is_left(but='.sock')  # the root's own


@test(hosts=('builtin',))
def abandoned_below_a_python_root_ends_the_actor(host):
    with PythonTree('pause') as tree:
        tree.prompt('── paused: actor cchild')
        tree.line('tractor abandon')
        tree.expect('answer: ')
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


# --- faults -------------------------------------------------------------------------------------------------------------

@test
def G_01_holder_that_is_killed_gives_the_lock_to_the_next(host):
    with Tree(['--actors', '2', 'pause'], host) as tree:
        pid = int(tree.prompt(r'── paused: actor kid\d \(pid (\d+)\)').group(1))
        os.kill(pid, signal.SIGKILL)
        actor = None
        while actor != 'root':  # the other one may have been cancelled before it asked
            actor = tree.prompt(r'── (?:paused|failed): actor (\w+)').group(1)
            tree.line('c')
        is_equal(tree.end(), 1)
        is_equal(tree.text.count('was killed by signal 9'), 2)  # at the prompt, and what the program says
        tree.check_nothing_is_left()


@test
def gdb_that_is_killed_lets_the_actor_go_on(host):
    with Tree(['pause'], host, shell=True) as tree:
        tree.prompt('── paused: actor kid0')
        os.kill(tree.find('gdb -q'), signal.SIGKILL)
        tree.expect('kid0: result 43')
        tree.check_shell_is_well()


@test(hosts=('builtin',))
def gdb_that_is_killed_may_leave_breakpoints_which_is_said(host):
    with Tree(['pause'], host) as tree:
        kid = int(tree.prompt(r'── paused: actor kid0 \(pid (\d+)\)').group(1))
        os.kill(kid, signal.SIGSTOP)  # or it might be gone before it is seen that gdb is
        os.kill(tree.find('gdb -q'), signal.SIGKILL)
        tree.expect('has paused, and gdb was killed: if it has set breakpoints, they are still in the program')
        is_equal(tree.end(), 0)
        is_equal(tree.text.count('kid0: result 43'), 1)  # it may have been let go on before that was said


# --- while gdb starts ------------------------------------------------------------------------------------------------------

@test(hosts=('builtin',), rows=[{'when': when, 'story': story} for when in ('exec', 'scripts', 'begin', 'attach') for story in ('pause', 'crash')])
def keys_while_gdb_starts_cost_no_stop(host, when, story):
    with SlowGdb(when) as gdb, Tree([story], host, **gdb.env) as tree:
        tree.expect('^STARTS')
        for letter, echo in ('c', r'\^C'), ('\\', r'\^\\'):
            tree.ctrl(letter)
            tree.expect(echo)
        gdb.go_on()
        tree.prompt('── (paused|crashed): actor kid0')
        tree.expect_not('Traceback|KeyboardInterrupt|Error ')
        tree.ctrl('c')  # now it is gdb's own
        tree.expect('Quit')
        tree.prompt()
        tree.line('kill')
        gdb.go_on()
        tree.prompt('── failed')
        tree.line('c')
        is_equal(tree.end(), 1)
        tree.check_nothing_is_left()


@test(hosts=('builtin',))
def gdb_that_hangs_is_said_to(host):
    with SlowGdb('begin') as gdb, Tree(['pause-twice'], host, **gdb.env) as tree:
        tree.expect('^STARTS')
        pid = tree.expect(r'actor kid0 \(pid \d+\) has paused, and the debugger has not begun to look at it in 10 seconds: wait, or '
                          r'let it go on by kill -9 (\d+)').group(1)
        tree.note_processes()
        os.kill(int(pid), signal.SIGKILL)
        tree.expect(PROMPT)  # the shell's, in its place
        with Lent(tree, [COMMAND, 'attach', '--next'], **gdb.env) as lent:
            lent.expect('Whoever stops next')
            tree.line('c')
            lent.expect('^STARTS')
            pid = lent.expect(r'has not begun to look in 10 seconds: wait, or let process \d+ go on by kill -9 (\d+)').group(1)
            gdb.go_on()
            lent.prompt('── paused: actor kid0')
            lent.line('c')
            is_equal(tree.end(), 0)
            is_equal((tree.text + lent.text).count('has not begun'), 2)
            tree.check_nothing_is_left()


@test
def broker_that_is_killed_is_no_more_than_the_end_of_debug_mode(host):
    with Tree(['pause'], host) as tree:
        tree.prompt('── paused: actor kid0')
        os.kill(tree.find('tractor-debugger'), signal.SIGKILL)
        tree.expect('kid0: result 43')
        is_equal(tree.end(), 0)
        is_equal(tree.text.count('debug mode is off'), 1)
        tree.check_nothing_is_left()


@test(hosts=('builtin',), rows=({'with_': 'gdb'}, {'with_': 'shell'}))
def broker_that_is_killed_leaves_the_terminal_to_the_program(host, with_):
    with Tree(['--until', 'signal', 'pause'], host, **(NO_GDB if with_ == 'shell' else {})) as tree:
        settings = termios.tcgetattr(tree.fd)
        tree.prompt('── paused: actor kid0')
        os.kill(tree.find('tractor-debugger'), signal.SIGKILL)
        tree.expect('debug mode is off')
        is_equal(tree.foreground(), tree.pid)
        is_equal(termios.tcgetattr(tree.fd), settings)
        os.kill(tree.pid, signal.SIGUSR2)
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


@test(hosts=('builtin',), rows=({'story': 'pause'}, {'story': 'root-pause'}))
def broker_that_is_killed_leaves_the_terminal_to_the_shell(host, story):
    with Tree([story], host, shell=True) as tree:
        tree.prompt('── paused: actor')
        os.kill(tree.find('tractor-debugger'), signal.SIGKILL)
        tree.check_shell_is_well(0)
        tree.all_pids.discard(tree.pid)
        tree.check_nothing_is_left()


@test(hosts=('builtin',), rows=({'story': 'pause'}, {'story': 'crash'}))
def terminal_that_is_closed_ends_a_debugger_that_does_not_see_it(host, story):
    """It prints on and on, and reads nothing. No shell is there to end the tree."""
    with Tree([], command=['sh', '-c', f'{TREE} --host {host} {story}; true']) as tree:
        tree.prompt(f'── (paused|crashed): actor kid0')
        for text in ('while 1', 'print 5', 'end'):
            tree.line(text)
        tree.expect(' = 5')
        tree.hang_up()
        tree.check_no_process_is_left()


@test
def G_04_root_that_is_killed_leaves_the_terminal_to_the_shell(host):
    with Tree(['pause'], host, shell=True) as tree:
        tree.prompt('── paused: actor kid0')
        os.kill(tree.find('pause'), signal.SIGKILL)
        tree.check_shell_is_well()
        tree.all_pids.discard(tree.pid)
        tree.check_nothing_is_left(but='.sock')  # the root's own: the next tree takes it away


# --- without gdb: the shell of the command --------------------------------------------------------------------------------

def find_program_in_memory(pid):
    """Where the file of its program begins, in hex."""
    with open(f'/proc/{pid}/maps') as file:
        return next(line for line in file if TREE in line).split('-')[0]


@test(hosts=('builtin',))
def without_gdb_there_is_a_shell(host):
    with Tree(['pause'], host, **NO_GDB) as tree:
        kid = int(tree.prompt(r"── paused: actor kid0 \(pid (\d+)\), task \d+ 'work' ──\r\nin pause_once\+\S+ \(debug-tree\)\r\n"
                              r'gdb cannot be started \(No such file or directory\)').group(1))
        for typed, said in (('tasks', rf"'work' running\r\n +serves tree:work for 'root' \(process {tree.pid}\)\r\n"
                                      r" +task \d+ 'sleeper' waiting for sleep"),
                            ('bt', r"'work' running\r\n(.*\r\n)* +pause_once\S+ \(debug-tree\)\r\n +tell\S+ .*\r\n +work\+"),
                            ('bt sleeper', r"'sleeper' waiting for sleep\r\n(.*\r\n)* +sleep_forever\+"),
                            ('bt all', r"'work'(.*\r\n)*  task \d+ 'sleeper'"),
                            ('tractor bt all -own', "'link to parent' waiting"),
                            ('scopes', r"'work' running\r\n +serves .*\r\n +scope of task \d+, shielded"),
                            ('scopes main', r"'main' waiting for end of actor\r\n +no deadline"),
                            ('tree', rf'{tree.pid}  its parent\r\n +{kid}    kid0  here'),
                            ('error', 'It has paused'),
                            ('x ' + find_program_in_memory(kid) + ' 4', r'7f 45 4c 46 +\.ELF'),
                            ('x 0x10', '000010  cannot be read'),
                            ('x ten', 'x ADDRESS'),
                            ('bt nobody', 'There is no task nobody'),
                            ('print local_answer', 'There is no word "print" without gdb'),
                            ('help', r'bt \[TASK(.*\r\n)*  kill ')):
            tree.line(typed)
            tree.expect(said)
            tree.prompt()
        tree.line('c')
        tree.expect('kid0: result 43')
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


@test(hosts=('builtin',))
def library_whose_file_is_mapped_once_more_is_found(host):
    with Tree(['mapped-pause'], host, **NO_GDB) as tree:
        tree.prompt(r'── paused: actor kid0 .* ──\r\nin pause_once\+\S+ \(debug-tree\)')
        tree.line('bt sleeper')
        tree.expect(r'\r\n +sleep_forever\+')
        tree.prompt()
        tree.line('c')
        is_equal(tree.end(), 0)


@test(hosts=('builtin',), rows=({'story': 'crash', 'said': r"task \d+ 'work' · SIGSEGV, address 0x10 is not mapped", 'function': 'crash'},
                                {'story': 'abort', 'said': r"task \d+ 'work' · SIGABRT", 'function': 'tell'},
                                {'story': 'thread-crash', 'said': 'in no task · SIGSEGV', 'function': 'crash'}))
def shell_shows_where_a_crash_came(host, story, said, function):
    with Tree([story], host, **NO_GDB) as tree:
        tree.prompt(rf'── crashed: actor kid0 \(pid \d+\), {said}.* ──\r\nin {function}\+')
        tree.line('bt')
        tree.expect(rf'\r\n      {function}\+\S+ \(debug-tree\)')
        tree.line('error')
        tree.prompt('It has crashed: SIG')
        tree.line('c')
        tree.prompt('── failed: actor root .*was killed by signal')
        tree.line('error')
        tree.prompt('It has failed: .*was killed by signal')
        tree.line('c')
        is_equal(tree.end(), 1)
        tree.check_nothing_is_left()


@test(hosts=('builtin',), rows=({'story': 'pause', 'typed': 'q', 'said': 'FAILED: .*Quit in the debugger'},
                                {'story': 'fail', 'typed': 'q', 'said': 'FAILED: .*no room for 42'},
                                {'story': 'pause', 'typed': '\x04', 'said': 'FAILED: .*Quit in the debugger'},
                                {'story': 'fail', 'typed': 'abandon', 'said': ''}))
def shell_quits_and_nobody_above_stops(host, story, typed, said):
    with Tree(['--depth', '1', story], host, **NO_GDB) as tree:
        tree.prompt('── (paused|failed): actor level0')
        tree.type(typed + ('' if typed == '\x04' else '\n'))
        tree.expect(said)
        is_equal(tree.end(), 1)
        is_equal(len(re.findall('── (?:paused|failed)', tree.text)), 1)
        tree.check_nothing_is_left()


@test(hosts=('builtin',))
def shell_kills(host):
    with Tree(['pause'], host, **NO_GDB) as tree:
        tree.prompt('── paused: actor kid0')
        tree.line('kill')
        tree.prompt('── failed: actor root .*killed by signal 9')
        tree.line('c')
        is_equal(tree.end(), 1)
        tree.check_nothing_is_left()


@test(hosts=('builtin',))
def shell_has_the_terminal_to_itself(host):
    """As gdb: no key reaches anybody else, and the terminal goes back, also if it is killed."""
    with Tree([], shell=True, command=['env', 'PATH=/nonexistent', TREE, '--host', host, 'pause-twice']) as tree:
        tree.prompt('── paused: actor kid0')
        tree.type('half a line')
        tree.ctrl('c')
        tree.prompt('Quit')
        tree.ctrl('z')
        tree.line('dance')
        tree.prompt('There is no word "dance"')
        tree.line('c')
        tree.prompt('── paused: actor kid0')
        os.kill(tree.find('attach --shell'), signal.SIGKILL)
        tree.expect('kid0: result 44')
        tree.check_shell_is_well()
        tree.expect_not('was killed')


# --- a gdb that does not do ------------------------------------------------------------------------------------------------

BROKEN = {  # by what it does with its words
    'no-python': '[re.sub("^python.*", "no-such-word", word) for word in words if not word.endswith(".py") and word != "-x"]',
    'script-is-missing': '[word.replace("session.py", "nothing.py") for word in words]',
    'script-does-not-load': '[*words[:words.index("-x")], "-iex", "python del gdb.Command", *words[words.index("-x"):]]',
    'script-fails': '[*words[:-2], "-ex", "python find_layout = None", *words[-2:]]',
    'ends-at-once': 'sys.exit(1)',
    'is-killed': 'os.kill(os.getpid(), 9)',
}


@contextlib.contextmanager
def broken_gdb(how):
    """Yields: the variables of the environment by which it is found."""
    with tempfile.TemporaryDirectory(prefix='tractor-gdb-') as directory:
        with open(os.path.join(directory, 'gdb'), 'w') as file:
            file.write(f'#!{sys.executable}\nimport os, re, sys\nwords = sys.argv[1:]\nwords = {BROKEN[how]}\n'
                       f'os.execv({shutil.which("gdb")!r}, ["gdb"] + words)\n')
        os.chmod(file.name, 0o755)
        yield {'PATH': directory + ':' + os.environ['PATH']}


@test(hosts=('builtin',), rows=[{'how': how, 'story': story} for how in BROKEN for story in ('pause', 'crash')])
def gdb_that_does_not_do_is_as_good_as_none(host, how, story):
    with broken_gdb(how) as env, Tree([story], host, shell=True, **env) as tree:
        tree.expect(r'── (paused|crashed): actor kid0')
        tree.prompt(r'^gdb cannot look(.*): "help" lists what there is without it')
        tree.expect_not(r'\(gdb\)')
        tree.line('tasks')
        tree.prompt("'work' running")
        tree.ctrl('c')
        tree.prompt('Quit')
        tree.line('q')
        tree.expect('FAILED')
        tree.check_shell_is_well(1)
        is_equal(len(re.findall('── (?:paused|crashed|failed)', tree.text)), 1)
        tree.all_pids.discard(tree.pid)
        tree.check_nothing_is_left()


@test(hosts=('builtin',))
def lent_terminal_whose_gdb_does_not_do_has_the_shell(host):
    with broken_gdb('no-python') as env, Tree(['--depth', '1', 'pause-twice'], host) as tree:
        tree.prompt('── paused: actor level0')
        with Lent(tree, [COMMAND, 'attach', '--next'], **env) as lent:
            lent.expect('Whoever stops next')
            tree.line('c')
            lent.prompt(r'── paused: actor level0 (.*\r\n)+gdb cannot look')
            tree.note_processes()
            lent.line('q')
            is_equal(lent.end(), 0)
        tree.expect('FAILED: .*Quit in the debugger')
        is_equal(tree.end(), 1)
        tree.check_nothing_is_left()


# --- the guide ----------------------------------------------------------------------------------------------------------

def make_comparable(text):
    """Without what differs from one time to the next: numbers of processes and frames, addresses, where lines are folded."""
    for pattern, instead in ((r'0x[0-9a-f]+', 'ADDRESS'), (r'(pid|process) \d+', 'PID'), (r'^#\d+ ', '#N '), (r'at \S*/examples/', 'at '),
                             (r'task \d+', 'TASK')):
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    return ' '.join(text.split())


@test(hosts=('builtin',), rows=({'which': 'gdb'}, {'which': 'shell'}))
def transcript_of_the_guide_is_real(host, which):
    with open(PAGE) as file:
        all_shown = re.findall(r'^```console\n\$ [^\n]*\n(.*?)^```', file.read(), re.MULTILINE | re.DOTALL)
    shown = all_shown[('gdb', 'shell').index(which)]
    with Tree([], host, command=[EXAMPLE], **(NO_GDB if which == 'shell' else {})) as tree:
        for typed in re.findall(r'^\(tractor\) (.*)$', shown, re.MULTILINE):
            tree.prompt()
            tree.line(typed)
        is_equal(tree.end(), 1)
        is_equal(make_comparable(tree.text), make_comparable(shown))
        tree.check_nothing_is_left()


# --- who is in it -------------------------------------------------------------------------------------------------------

@test(rows=({'debug': '1', 'root': 'inherit', 'children': 'inherit', 'said': 'on'},
            {'debug': '0', 'root': 'on', 'children': 'inherit', 'said': 'on'},
            {'debug': '1', 'root': 'off', 'children': 'inherit', 'said': 'off'},
            {'debug': '1', 'root': 'inherit', 'children': 'off', 'said': 'off'}))
def options_say_who(host, debug, root, children, said):
    with Tree(['--root', root, '--children', children, 'is-on'], host, debug=debug) as tree:
        tree.expect(f'debug mode is {said}')
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


# --- where there is no terminal -----------------------------------------------------------------------------------------

@test
def job_in_the_background_waits_for_the_foreground(host):
    with Tree(['pause'], host, shell=True, in_background=True) as tree:
        tree.expect(r'actor kid0 \(pid \d+\) has paused, and waits for the terminal: bring the job to the foreground')
        tree.line('fg')
        tree.prompt('── paused: actor kid0')
        tree.line('c')
        tree.expect('kid0: result 43')
        tree.check_shell_is_well()


@test(hosts=('builtin',))
def without_a_terminal_one_attaches_by_hand(host):
    directory = tempfile.mkdtemp(prefix='tractor-debug-')
    env = {**os.environ, 'XDG_RUNTIME_DIR': directory, 'TRACTOR_DEBUG': '1', 'TRACTOR_DEBUGGER': BROKER}
    tree = subprocess.Popen([TREE, '--host', host, 'pause'], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        pid = re.search(r'has paused, and waits a minute for a debugger: tractor attach (\d+), or gdb -p \1', tree.stderr.readline()).group(1)
        gdb = subprocess.Popen(['gdb', '-q', '-nx', '-p', pid], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
        gdb.stdin.write('set confirm off\necho is there\\n\n')
        gdb.stdin.flush()
        while 'is there' not in gdb.stdout.readline():
            pass
        tree_is_over = False
        try:
            tree.wait(65)  # longer than the minute: who is looked at does not go on by itself
            tree_is_over = True
        except subprocess.TimeoutExpired:
            pass
        is_equal(tree_is_over, False)
        gdb.communicate('quit\n', timeout=60)
        is_equal(tree.wait(60), 0)
        is_equal(tree.stdout.read(), 'kid0: result 43\n')
    finally:
        tree.kill()
        tree.communicate()
        shutil.rmtree(directory)


# --- another terminal ---------------------------------------------------------------------------------------------------

class Lent(Terminal):
    """Where `tractor attach`, or what a command was given, looks at somebody of @tree."""

    def __init__(self, tree, command, **env):
        super().__init__(command, {**tree.env, **env})

    def prompt(self, pattern):
        match = self.expect(pattern)
        self.expect(PROMPT)
        return match


@test(hosts=('builtin',), rows=({'program': 'gdb'}, {'program': 'shell'}))
def terminal_is_lent_for_the_next_stop(host, program):
    with Tree(['--depth', '1', 'pause-twice'], host) as tree:
        tree.prompt('── paused: actor level0')
        with Lent(tree, [COMMAND, 'attach', '--next'], **(NO_GDB if program == 'shell' else {})) as lent:
            lent.expect('Whoever stops next')
            tree.line('c')
            lent.prompt(r'── paused: actor level0 .*──\r\n.*pause_once')
            lent.ctrl('c')
            lent.prompt('Quit')
            tree.note_processes()
            lent.line('q')
            is_equal(lent.end(), 0)
        tree.expect('is looked at on another terminal')
        tree.expect('FAILED: .*Quit in the debugger')
        is_equal(tree.end(), 1)
        is_equal(tree.text.count('── paused'), 1)
        tree.check_nothing_is_left()


@test(hosts=('builtin',))
def terminal_is_lent_to_trees_that_are_started_later(host):
    with Program(['true'], {'TRACTOR_DEBUGGER': BROKER}) as nobody, Lent(nobody, [COMMAND, 'attach', '--next']) as lent:
        lent.expect('No tree is in debug mode yet')
        with Tree(['--until', 'signal', 'stay'], host, debug='pause', XDG_RUNTIME_DIR=nobody.directory) as one:
            lent.expect('Whoever stops next')
            one.expect('stays')
            os.kill(one.pid, signal.SIGUSR2)
            one.end()
        with Tree(['pause-twice'], host, XDG_RUNTIME_DIR=nobody.directory) as tree:
            if '(tractor)' in tree.expect(r'^\(tractor\) |is looked at on another terminal').group(0):
                lent.expect('Whoever stops next')  # it stopped before it was seen: but the next time it has been
                tree.line('c')
            lent.prompt('── paused: actor kid0')
            lent.line('q')
            is_equal(lent.end(), 0)
            is_equal(tree.end(), 1)


def find_time_of_stop(tree):
    """When whoever is looked at came to it, as the broker of @tree has it (DebugPage); None: nobody is."""
    directory = os.path.join(tree.env['XDG_RUNTIME_DIR'], 'tractor')
    for name in os.listdir(directory):
        if name.endswith('.page'):
            with open(os.path.join(directory, name), 'rb') as page:
                since, pid, _, _, broker = struct.unpack_from('=qiIIi', page.read(), 40)
            if pid and broker in descendants(tree.pid):
                return since
    return None


@test(hosts=('builtin',))
def terminal_that_two_trees_are_lent_is_one_of_theirs_and_the_other_has_its_own(host):
    with Tree(['pause-twice'], host) as one, Tree(['pause-twice'], host, XDG_RUNTIME_DIR=one.directory) as two:
        for tree in one, two:
            tree.prompt('── paused: actor kid0')
        with Lent(one, [COMMAND, 'attach', '--next']) as lent:
            lent.expect('Whoever stops next')
            helper = next(pid for pid, _, _, words in list_processes() if pid in descendants(lent.pid) and '--next' in words)
            os.kill(helper, signal.SIGSTOP)  # both stop before it hears of either
            for tree in one, two:
                before = find_time_of_stop(tree)
                tree.line('c')
                give_up_at = time.monotonic() + 60
                while find_time_of_stop(tree) in (None, before):
                    is_equal(time.monotonic() < give_up_at, True)
                    time.sleep(0.005)  # another process makes it
            os.kill(helper, signal.SIGCONT)
            pid = int(lent.prompt(r'── paused: actor kid0 \(pid (\d+)\)').group(1))
            first, other = (one, two) if pid in descendants(one.pid) else (two, one)
            other.prompt('── paused: actor kid0')
            first.expect('is looked at on another terminal')
            for terminal in lent, other:
                terminal.line('c')
                is_equal(terminal.end(), 0)
        for tree in one, two:
            is_equal(tree.end(), 0)
            is_equal(tree.text.count('result 44'), 1)
        other.expect_not('is looked at on another terminal')


@test(hosts=('builtin',))
def terminal_is_lent_to_one_that_is_named(host):
    with Tree(['--actors', '2', 'pause'], host) as tree:
        first = tree.prompt(r'── paused: actor (kid\d)').group(1)
        other = tree.find_in_line({'kid0': 'kid1', 'kid1': 'kid0'}[first])
        with Lent(tree, [COMMAND, 'attach', str(other)]) as lent:
            lent.expect(f'Process {other} waits for its turn')
            tree.line('c')
            lent.prompt(rf'── paused: actor kid\d \(pid {other}\)')
            lent.line('c')
            is_equal(lent.end(), 0)
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


@test(hosts=('builtin',))
def attach_is_gdb_for_one_that_does_not_stop_and_no_longer_waits_for_one_that_has_gone_on(host):
    with Tree(['pause'], host) as tree:
        kid = tree.prompt(r'── paused: actor kid0 \(pid (\d+)\)').group(1)
        with Lent(tree, [COMMAND, 'attach', str(tree.pid)]) as lent:
            lent.expect(r'\(gdb\) ')
            lent.line('info tractor')
            lent.expect('actor root')
            lent.line('quit')
            lent.expect('Quit anyway')
            lent.line('y')
            is_equal(lent.end(), 0)
        with Lent(tree, [COMMAND, 'attach', kid]) as lent:
            lent.expect(f'Process {kid} waits for its turn')
            tree.line('c')
            lent.expect(f'Process {kid} has gone on')
            is_equal(lent.end(), 1)
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


@test(hosts=('builtin',), rows=({'who': 'who-looks'}, {'who': 'who-is-looked-at'}))
def session_on_a_lent_terminal_ends_with_either(host, who):
    with Tree(['pause-twice'], host) as tree:
        kid = int(tree.prompt(r'── paused: actor kid0 \(pid (\d+)\)').group(1))
        with Lent(tree, [COMMAND, 'attach', '--next']) as lent:
            lent.expect('Whoever stops next')
            tree.line('c')
            lent.prompt('── paused: actor kid0')
            below = descendants(lent.pid) - {lent.pid}
            helper = next(pid for pid, _, _, words in list_processes() if pid in below and '--next' in words)
            os.kill(helper if who == 'who-looks' else kid, signal.SIGKILL)
            if who == 'who-looks':
                tree.expect('kid0: result 44')
            else:
                tree.prompt('── failed: actor root .*killed by signal 9')
                lent.expect('The actor is gone')
                tree.line('c')
            is_equal(lent.end(), 1 if who == 'who-looks' else 0)
            if who == 'who-looks':
                lent.expect('What has lent this terminal was killed by signal 9')
        tree.end()
        tree.check_nothing_is_left()


@test(hosts=('builtin',))
def without_a_terminal_one_that_nobody_looks_at_says_that_it_goes_on(host):
    with Tree([], command=['setsid', '-w', TREE, '--host', host, 'pause']) as tree:
        tree.expect(r'has paused, and waits a minute for a debugger')
        tree.patience = max(tree.patience, 120)
        tree.expect(r'has paused, and goes on: nobody has attached for a minute')
        tree.expect('kid0: result 43')
        is_equal(tree.end(), 0)


@test(hosts=('builtin',), rows=({'story': 'pause', 'what': 'paused', 'said': 'Quit in the debugger'},
                                {'story': 'fail', 'what': 'failed', 'said': 'no room for 42'}))
def attach_is_the_session_of_who_waits_without_a_terminal(host, story, what, said):
    """Its words come to the broker."""
    with Tree([], command=['setsid', '-w', TREE, '--host', host, '--depth', '1', story]) as tree:
        pid = tree.expect(rf'has {what}, and waits a minute for a debugger: tractor attach (\d+)').group(1)
        with Lent(tree, [COMMAND, 'attach', pid]) as lent:
            lent.prompt(f'── {what}: actor level0')
            lent.line('q')
            is_equal(lent.end(), 0)
        tree.expect(f'FAILED: .*{said}')
        is_equal(tree.end(), 1)
        is_equal(tree.text.count('waits a minute'), 1)
        tree.check_nothing_is_left()


@test(hosts=('builtin',), rows=({'whom': 'one'}, {'whom': '--next'}))
def attach_without_the_broker_says_what_is_missing(host, whom):
    with Tree(['pause'], host) as tree:
        kid = tree.prompt(r'── paused: actor kid0 \(pid (\d+)\)').group(1)
        with Lent(tree, [COMMAND, 'attach', kid if whom == 'one' else whom], TRACTOR_DEBUGGER='/nonexistent/it') as lent:
            lent.expect('install tractor-debugger, or set TRACTOR_DEBUGGER to where it is.*/nonexistent/it.*No such file')
            is_equal(lent.end(), 1)
        tree.line('c')
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


class LentByShell(Program):
    """The same, of an interactive shell's terminal."""

    def __init__(self, tree, *arguments, behind=''):
        super().__init__([COMMAND, 'attach', *arguments], tree.env, shell=True, behind=behind)

    def check_shell_has_its_terminal(self):
        self.line('echo alive')
        self.expect('^alive')
        self.expect(SHELL)
        is_equal(self.foreground(), self.pid)


@test(hosts=('builtin',))
def terminal_that_is_lent_from_the_background_is_left_to_the_shell(host):
    with Tree([], command=['setsid', '-w', TREE, '--host', host, 'pause']) as tree:
        pid = tree.expect(r'has paused, and waits a minute for a debugger: tractor attach (\d+)').group(1)
        with LentByShell(tree, pid, behind=' &') as lent:
            lent.expect('The debugger waits for the terminal: bring the job to the foreground')
            lent.check_shell_has_its_terminal()
            lent.line('fg')
            lent.prompt('── paused: actor kid0')
            lent.line('c')
            lent.check_shell_is_well(status=0)
        tree.expect('kid0: result 43')
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


@test(hosts=('builtin',))
def whoever_is_next_is_not_looked_at_in_the_background(host):
    with Tree(['pause-twice'], host) as tree:
        tree.prompt('── paused: actor kid0')
        with LentByShell(tree, '--next', behind=' &') as lent:
            lent.expect('The debugger waits for the terminal: bring the job to the foreground')
            tree.line('c')
            tree.prompt('── paused: actor kid0')
            lent.check_shell_has_its_terminal()
            lent.line('fg')
            lent.expect('Whoever stops next')
            lent.ctrl('c')
            lent.check_shell_is_well(status=128 + signal.SIGINT)
        tree.line('c')
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


@test(hosts=('builtin',), rows=({'how': 'stopped'}, {'how': 'in-the-background'}))
def who_waits_for_one_that_is_named_and_gives_the_terminal_to_the_shell_holds_nobody(host, how):
    with Tree(['--actors', '2', 'pause'], host) as tree:
        first = tree.prompt(r'── paused: actor (kid\d)').group(1)
        other = tree.find_in_line({'kid0': 'kid1', 'kid1': 'kid0'}[first])
        with LentByShell(tree, str(other)) as lent:
            lent.expect(f'Process {other} waits for its turn')
            lent.ctrl('z')
            lent.expect('Stopped')
            if how == 'in-the-background':
                lent.line('bg')
                lent.expect(r'attach \d+ &\r\n')
            lent.expect(SHELL)
            tree.line('c')
            tree.prompt(rf'── paused: actor kid\d \(pid {other}\)')
            lent.check_shell_has_its_terminal()
            lent.line('fg')
            lent.expect(f'Process {other} waits for its turn')
            tree.line('c')
            lent.expect(f'Process {other} has gone on')
            lent.check_shell_is_well(status=1)
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


@test(hosts=('builtin',))
def attach_that_is_killed_leaves_nobody_who_takes_the_terminal(host):
    with Tree(['pause-twice'], host) as tree:
        tree.prompt('── paused: actor kid0')
        with LentByShell(tree, '--next') as lent:
            lent.expect('Whoever stops next')
            lent.note_processes()
            os.kill(lent.find('tractor attach'), signal.SIGKILL)
            lent.expect('Killed')
            lent.check_no_process_is_left()
            tree.line('c')
            tree.prompt('── paused: actor kid0')
            lent.check_shell_is_well()
        tree.line('c')
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


@test(hosts=('builtin',), rows=[{'whom': whom} for whom in ('attach', 'host', 'gdb')])
def attach_that_is_killed_as_it_begins_leaves_nobody_stopped(host, whom):
    with SlowGdb('ptrace') as gdb, Tree(['pause-twice'], host) as tree:
        tree.prompt('── paused: actor kid0')
        with Lent(tree, [COMMAND, 'attach', '--next'], **gdb.env) as lent:
            lent.expect('Whoever stops next')
            tree.line('c')
            lent.expect('STARTS')
            tree.note_processes()
            tree.all_pids |= descendants(lent.pid) - {lent.pid}
            of = {parent: pid for pid, parent, _, _ in list_processes()}
            os.kill({'attach': lent.pid, 'host': of[lent.pid], 'gdb': of[of[lent.pid]]}[whom], signal.SIGKILL)
            if whom == 'gdb':  # the shell comes in its place
                lent.expect(PROMPT)
                lent.line('c')
            is_equal(tree.end(), 0)
            tree.check_nothing_is_left()


OPENS_TERMINAL = "import json, os, sys; open(sys.argv[1] + '~', 'w').write(json.dumps(sys.argv[2:])); os.rename(sys.argv[1] + '~', sys.argv[1])"


@test(hosts=('builtin',), rows=({'before': ''}, {'before': 'pause,'}))
def command_opens_a_terminal(host, before):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, 'arguments')
        with Tree(['pause'], host, debug=f'{before}terminal={sys.executable} -c "{OPENS_TERMINAL}" {path}') as tree:
            give_up_at = time.monotonic() + 60
            while not os.path.exists(path):
                is_equal(time.monotonic() < give_up_at, True)
                time.sleep(0.01)  # another process makes it
            with open(path) as file:
                arguments = json.load(file)
            with Lent(tree, arguments) as lent:
                lent.prompt('── paused: actor kid0')
                lent.line('c')
                is_equal(lent.end(), 0)
            tree.expect('kid0: result 43')
            is_equal(tree.end(), 0)
            tree.check_nothing_is_left()


@test(hosts=('builtin',))
def command_that_opens_no_terminal_is_told_of_and_the_usual_one_is_taken(host):
    with Tree(['pause'], host, debug='terminal=false') as tree:
        tree.expect('no terminal comes of "false": it has failed')
        tree.prompt('── paused: actor kid0')
        tree.line('c')
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


# --- who has the terminal meanwhile -------------------------------------------------------------------------------------

def wait_until(is_so):
    give_up_at = time.monotonic() + 60
    while not is_so():
        is_equal(time.monotonic() < give_up_at, True)
        time.sleep(0.01)  # another process sees to it


def wait_until_it_stands(pid):
    wait_until(lambda: (pid, 'T') in [(one, state) for one, _, state, _ in list_processes()])


@test(hosts=('builtin',), rows=({'program': 'gdb', 'by': 'fg'}, {'program': 'gdb', 'by': 'key'}, {'program': 'shell', 'by': 'fg'}))
def prompt_comes_back_with_the_job(host, program, by):
    """The shell has taken the terminal, since the root was stopped."""
    path = ['env', 'PATH=/nonexistent'] if program == 'shell' else []
    with Tree([], shell=True, command=path + [TREE, '--host', host, 'pause']) as tree:
        tree.prompt('── paused: actor kid0')
        for _ in range(2):
            os.kill(tree.find(f'{host} pause'), signal.SIGTSTP)
            if by == 'key':  # which gdb hears too
                tree.expect('Stopped(.*\r\n)+.*' + SHELL)
            else:
                tree.expect('waits for the terminal: bring the job to the foreground')
                wait_until_it_stands(tree.find('gdb -q' if program == 'gdb' else 'attach --shell'))
            is_equal(tree.foreground(), tree.pid)
            tree.line('echo alive')
            tree.expect('^alive')
            tree.line('fg')
            tree.prompt('── paused: actor kid0' if program == 'gdb' else 'Quit')
        tree.line('p local_answer' if program == 'gdb' else 'bt')
        tree.prompt('= 42' if program == 'gdb' else 'pause_once')
        tree.line('c')
        tree.expect('kid0: result 43')
        tree.check_shell_is_well(status=0)


@test(hosts=('builtin',))
def prompt_on_a_lent_terminal_comes_back_with_the_job(host):
    with Tree([], command=['setsid', '-w', TREE, '--host', host, 'pause']) as tree:
        pid = tree.expect(r'has paused, and waits a minute for a debugger: tractor attach (\d+)').group(1)
        with LentByShell(tree, pid) as lent:
            lent.prompt('── paused: actor kid0')
            os.kill(lent.find('tractor attach'), signal.SIGTSTP)
            lent.expect('waits for the terminal: bring the job to the foreground')
            lent.check_shell_has_its_terminal()
            lent.line('fg')
            lent.prompt('── paused: actor kid0')
            lent.line('c')
            lent.check_shell_is_well(status=0)
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


@test(hosts=('builtin',))
def shell_that_is_started_from_the_prompt_has_the_terminal(host):
    with Tree(['pause'], host) as tree:
        tree.prompt('── paused: actor kid0')
        tree.line('shell PS1="IN""NER> " bash --norc -i')
        tree.expect('INNER> ')
        inner = tree.foreground()
        tree.line('sleep 1; echo slept')  # a group of its own, for longer than it takes the broker to look
        tree.expect('^slept')
        is_equal(tree.foreground(), inner)
        tree.line('exit')
        tree.prompt()
        tree.expect_not('waits for the terminal')
        tree.line('c')
        is_equal(tree.end(), 0)


def type_until_root_reads(tree, pattern):
    """It is stopped when it reads on, and @pattern comes."""
    while True:
        tree.line('p local_answer')
        match = tree.expect(rf'= 42|{pattern}')
        if match.group(0) != '= 42':
            return match
        tree.expect(PROMPT)  # gdb has been quicker


@test(hosts=('builtin',))
def root_that_reads_what_is_for_the_debugger_holds_nobody_in_silence(host):
    with Tree(['--reads', 'for-ever', 'pause'], host, shell=True) as tree:
        tree.prompt('── paused: actor kid0')
        gdb = tree.find('gdb -q')
        type_until_root_reads(tree, 'waits for the terminal: bring the job to the foreground')
        tree.line('fg')
        tree.prompt('── paused: actor kid0')
        number = type_until_root_reads(tree, r'If the program reads the terminal too.*kill -9 (\d+)').group(1)
        is_equal(int(number), gdb)
        tree.line(f'kill -9 {number}')
        tree.line('fg')
        tree.expect('kid0: result 43')


@test(hosts=('builtin',))
def debugger_that_is_stopped_and_has_the_terminal_goes_on(host):
    """As if the other tree of a job gave it back."""
    with Tree(['pause'], host) as tree:
        tree.prompt('── paused: actor kid0')
        os.kill(tree.find('gdb -q'), signal.SIGSTOP)
        tree.prompt('── paused: actor kid0')
        tree.line('c')
        is_equal(tree.end(), 0)
        tree.check_nothing_is_left()


@test(hosts=('builtin',), rows=[{'n': str(n)} for n in range(3)])
def two_trees_in_one_job_are_shown_one_after_the_other(host, n):
    one = f'{TREE} --host {host} root-pause'
    with Tree([], shell=True, command=[f"sh -c '{one} & {one} & wait'"]) as tree:
        first = tree.prompt(r'── paused: actor root \(pid (\d+)\)').group(1)
        tree.line('c')
        second = tree.prompt(r'── paused: actor root \(pid (\d+)\)').group(1)
        is_equal(first != second, True)
        if 'waits for the terminal' in tree.text:  # it came while the other one was looked at
            said = re.search(r'waits for the terminal, which the debugger of another tree has, that of process (\d+)', tree.text)
            is_equal(said and said.group(1), first)
        tree.line('c')
        tree.check_shell_is_well()


# --- without ------------------------------------------------------------------------------------------------------------

@test
def without_debug_mode_a_pause_goes_on_and_says_so_once(host):
    with Tree(['pause-twice'], host, debug='0') as tree:
        tree.expect('debug mode is off. TRACTOR_DEBUG=1')
        is_equal(tree.end(), 0)
        is_equal(tree.text.count('TRACTOR_DEBUG=1'), 1)
        tree.check_nothing_is_left()


@test
def with_no_debugger_at_all_it_says_so_and_goes_on(host):
    with tempfile.TemporaryDirectory() as elsewhere:  # where no `tractor` is beside it
        broker = shutil.copy(BROKER, elsewhere)
        with Tree(['pause'], host, TRACTOR_DEBUGGER=broker, **NO_GDB) as tree:
            tree.expect(r'actor kid0 \(pid \d+\) has paused, and neither gdb \(No such file or directory\) nor `tractor` can be')
            is_equal(tree.end(), 0)
            tree.check_nothing_is_left()


# Of nobody else: root may debug everything.
PLAIN_USER = 200000 + os.getpid() % 100000 if os.geteuid() == 0 else None


@test
def who_may_not_be_debugged_goes_on_and_it_is_said_why(host):
    with Tree(['--actors', '2', 'undumpable-pause'], host, user=PLAIN_USER) as tree:
        for _ in range(2):  # the line goes on
            tree.expect(r'actor kid\d \(pid \d+\) has paused, and gdb may not attach: it is not dumpable \(PR_SET_DUMPABLE.* It goes on')
        is_equal(tree.end(), 0)
        is_equal(tree.text.count('result 43'), 2)
        tree.expect_not(PROMPT)
        tree.check_nothing_is_left()


LIBRARY = os.path.join(os.path.dirname(TREE), '..', '..', 'libtractor-1.so.0')


@test(hosts=('builtin',), rows=[{'with_': with_, 'on': on} for with_ in ('gdb', 'shell') for on in ('its-own', 'a-lent-one')])
def library_that_was_removed_is_said_to_be_that(host, with_, on):
    """As by an upgrade, while the tree runs."""
    more = NO_GDB if with_ == 'shell' else {}
    why = 'its library has been replaced or removed since it was started.*'
    with tempfile.TemporaryDirectory() as elsewhere:
        library = shutil.copy(LIBRARY, elsewhere)
        with Tree(['pause-twice'], host, LD_LIBRARY_PATH=elsewhere, **more) as tree:
            tree.prompt('── paused: actor kid0')
            os.unlink(library)
            with contextlib.ExitStack() as stack:
                if on == 'a-lent-one':
                    lent = stack.enter_context(Lent(tree, [COMMAND, 'attach', '--next'], **more))
                    lent.expect('Whoever stops next')
                tree.line('c')
                if on == 'a-lent-one':
                    lent.expect(why)
                    is_equal(lent.end(), 1)
            tree.expect(rf'actor kid0 \(pid \d+\) has paused, and {why} It goes on')
            is_equal(tree.end(), 0)
            tree.expect_not('may not attach')
            tree.expect('kid0: result 44')
            tree.check_nothing_is_left()


def sleeps(tree, words, but):
    """Whether the process with these @words sleeps, which is not @but: to try again then."""
    with contextlib.suppress(OSError, Failure):
        pid = tree.find(words)
        if pid != but:
            with open(f'/proc/{pid}/wchan') as file:
                return 'nanosleep' in file.read()
    return False


PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000


@test(hosts=('builtin',))
def who_is_traced_by_another_is_looked_at_without_gdb(host):
    libc = ctypes.CDLL(None, use_errno=True)
    with Tree(['--actors', '2', 'pause'], host) as tree:
        first = tree.prompt(r'── paused: actor (kid\d)').group(1)
        other = tree.find_in_line({'kid0': 'kid1', 'kid1': 'kid0'}[first])
        is_equal(libc.ptrace(PTRACE_SEIZE, other, None, None), 0)
        tree.line('c')
        tree.prompt(rf'── paused: actor kid\d \(pid {other}\)(.*\r\n)+gdb may not attach, for another debugger')
        libc.ptrace(PTRACE_INTERRUPT, other, None, None)
        os.waitpid(other, WALL)
        is_equal(libc.ptrace(PTRACE_DETACH, other, None, None), 0)
        tree.line('c')
        is_equal(tree.end(), 0)
        is_equal(tree.text.count('result 43'), 2)
        tree.check_nothing_is_left()


@test(hosts=('builtin',))
def who_is_traced_for_a_moment_is_looked_at_then(host):
    """As by `tractor dump`."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Tree(['--actors', '2', 'pause'], host) as tree:
        first, gdb = tree.prompt(r'── paused: actor (kid\d)').group(1), tree.find('gdb -q')
        other = tree.find_in_line({'kid0': 'kid1', 'kid1': 'kid0'}[first])
        is_equal(libc.ptrace(PTRACE_SEIZE, other, None, None), 0)
        tree.line('c')
        wait_until(lambda: sleeps(tree, 'gdb -q', gdb))
        libc.ptrace(PTRACE_INTERRUPT, other, None, None)
        os.waitpid(other, WALL)
        is_equal(libc.ptrace(PTRACE_DETACH, other, None, None), 0)
        tree.prompt(rf'── paused: actor kid\d \(pid {other}\).*──\r\n.*pause_once')
        tree.line('c')
        is_equal(tree.end(), 0)
        tree.expect_not('may not attach')
        tree.check_nothing_is_left()


@test(rows=({'text': 'crash,nonsense'}, {'text': '2'}))
def what_cannot_be_understood_is_an_error(host, text):
    with Tree(['pause'], host, debug=text) as tree:
        tree.expect(f'FAILED: The environment variable TRACTOR_DEBUG is 0, 1, or some of pause, crash and error.*not "{text}"')
        is_equal(tree.end(), 1)


@test
def only_what_was_asked_for_stops(host):
    with Tree(['fail'], host, debug='pause,crash') as tree:
        is_equal(tree.end(), 1)
        tree.expect_not('──')
        tree.check_nothing_is_left()


@test
def broker_that_is_not_there_is_an_error(host):
    with Tree(['pause'], host, TRACTOR_DEBUGGER='/nonexistent') as tree:
        tree.expect(r'FAILED: .*TRACTOR_DEBUG.*/nonexistent')
        is_equal(tree.end(), 1)


PR_SET_PTRACER, PR_SET_PTRACER_ANY = 0x59616d61, 2 ** (8 * ctypes.sizeof(ctypes.c_long)) - 1


def can_trace():
    """Whether gdb may attach to a process of ours at all, which lets it, as actors do (Yama)."""
    news, ends = os.pipe()
    pid = os.fork()
    if pid == 0:
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(PR_SET_PTRACER_ANY), 0, 0, 0)
        os.write(ends, b'.')
        while True:
            signal.pause()
    os.read(news, 1)
    os.close(news)
    os.close(ends)
    try:
        return os.system(f'gdb -q -nx -batch -p {pid} >/dev/null 2>&1') == 0 and True
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def main():
    if shutil.which('gdb') is None or not can_trace():
        print('Bail out! gdb is not there, or may not attach (ptrace): what debug mode does cannot be shown')
        return 1
    return test.run(*sys.argv[5:6])


if __name__ == '__main__':
    sys.exit(main())
