#!/usr/bin/env python3
"""test_rights.py TREE BROKER [PATTERN] - debug mode where it is not a matter of course that one process may look at another:
on a kernel with Yama, in containers, and in what these are made of. TREE is the program of tree.c. Prints TAP. Only tests
whose name has PATTERN in it, if that is given.

Either one stands at a prompt, or one line says what to do and all goes on: nobody is held in silence. Those whose names
begin with "here" are for the machine as it is, whatever it allows: vm.sh runs them on kernels that allow less and less."""
# SPDX-License-Identifier: LGPL-2.1-or-later

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from program import PROMPT, Program
from tap import Skip, Tests, is_equal
from terminal import Terminal

TREE, BROKER = sys.argv[1:3]
COMMAND = os.path.join(os.path.dirname(BROKER), '..', 'tractor', 'tractor')
LIBRARIES = os.path.realpath(os.path.join(os.path.dirname(TREE), '..', '..'))
DENY = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'deny.py')
NOBODY = 65534
SYS_PTRACE = 19

# Of Linux on x86_64, and on all that came later.
PTRACE, READV, WRITEV, KCMP = ('101', '310', '311', '312') if os.uname().machine == 'x86_64' else ('117', '270', '271', '272')
MADVISE, GETFD = '440', '438'

test = Tests('/debug/rights')


class Tree(Program):
    """@within: a command that runs it, in whatever it is to be in."""

    def __init__(self, *arguments, within=(), user=None, **env):
        super().__init__([*within, TREE, '--host', 'builtin', *arguments],
                         {'TRACTOR_DEBUG': '1', 'TRACTOR_DEBUGGER': BROKER, 'LD_LIBRARY_PATH': LIBRARIES, **env}, user=user)

    def tractor(self, *arguments):
        return subprocess.run([COMMAND, *map(str, arguments)], env={**os.environ, **self.env}, text=True, capture_output=True)


# --- what is expected ---------------------------------------------------------------------------------------------------

def pause_is_at_a_prompt(**more):
    with Tree('pause', **more) as tree:
        tree.prompt(r'── paused: actor kid0 .*──\r\n.*pause_once')
        tree.line('p local_answer')
        tree.expect('= 42')
        tree.prompt()
        tree.line('c')
        tree.expect('kid0: result 43')
        is_equal(tree.end(), 0)


def crash_is_at_a_prompt(**more):
    with Tree('crash', **more) as tree:
        tree.prompt(r'── crashed: actor kid0 .* SIGSEGV, address 0x10 is not mapped ──\r\n#\d+ .*\bcrash \(')
        tree.line('c')
        tree.prompt('── failed: actor root .* was killed by signal 11')
        tree.line('c')
        is_equal(tree.end(), 1)


def failure_is_at_a_prompt(**more):
    with Tree('fail', **more) as tree:
        for actor in 'kid0', 'root':
            tree.prompt(f'── failed: actor {actor} .*no room for 42')
            tree.line('c')
        is_equal(tree.end(), 1)


def all_are_at_a_prompt(**more):
    pause_is_at_a_prompt(**more)
    crash_is_at_a_prompt(**more)


def all_go_on(why, **more):
    """And a line says @why."""
    with Tree('pause', **more) as tree:
        tree.expect(rf'^tractor: actor kid0 \(pid \d+\) has paused, and {why}.* It goes on')
        tree.expect('kid0: result 43')
        is_equal(tree.end(), 0)
        tree.expect_not(PROMPT)
    with Tree('crash', **more) as tree:
        tree.expect(rf'^tractor: actor kid0 \(pid \d+\) has crashed, and {why}.* It goes on')
        tree.expect(rf'^tractor: actor root \(pid \d+\) has failed, and {why}.* It goes on')
        tree.expect('FAILED: .*was killed by signal 11')
        is_equal(tree.end(), 1)
        tree.expect_not(PROMPT)


def all_are_seen_without_gdb(why, **more):
    with Tree('pause', **more) as tree:
        tree.prompt(rf'── paused: actor kid0 .*──\r\n(.*\r\n)*?gdb may not attach: {why}')
        tree.line('bt')
        tree.expect('pause_once')
        tree.prompt()
        tree.line('c')
        tree.expect('kid0: result 43')
        is_equal(tree.end(), 0)
    with Tree('crash', **more) as tree:
        tree.prompt(rf'── crashed: actor kid0 .* SIGSEGV.*──\r\n(.*\r\n)*?gdb may not attach: {why}')
        tree.line('c')
        tree.prompt(rf'── failed: actor root .*──\r\n(.*\r\n)*?gdb may not attach: {why}')
        tree.line('q')
        tree.expect('killed by signal 11')
        is_equal(tree.end(), 1)


# --- the machine as it is -----------------------------------------------------------------------------------------------

def read_number(path, key='', base=10):
    with contextlib.suppress(OSError), open(path) as file:
        return int(re.search(rf'^{key}\s*(\w+)', file.read(), re.M).group(1), base)
    return 0


SCOPE = read_number('/proc/sys/kernel/yama/ptrace_scope')
MAY_TRACE_ALL = read_number('/proc/self/status', 'CapEff:', 16) >> SYS_PTRACE & 1 == 1
WHY = {2: r'/proc/sys/kernel/yama/ptrace_scope is 2: set it to 1 \(sysctl kernel.yama.ptrace_scope=1\), or do this as root '
          r'\(in a container: --cap-add=SYS_PTRACE\)',
       3: '/proc/sys/kernel/yama/ptrace_scope is 3: nobody may look at a process until the machine is booted anew'}


def why_the_broker_may_not():
    return None if SCOPE < 2 or (SCOPE == 2 and MAY_TRACE_ALL) else WHY[SCOPE]


def why_others_may_not():
    if SCOPE == 3:
        return WHY[3]
    return None if SCOPE == 0 or MAY_TRACE_ALL else f'ptrace_scope is {SCOPE}: set it to 0'


@test(rows=({'story': 'pause'}, {'story': 'crash'}, {'story': 'fail'}))
def here_one_stands_at_a_prompt_or_is_told_why_not(story):
    why = why_the_broker_may_not()
    if why is None:
        {'pause': pause_is_at_a_prompt, 'crash': crash_is_at_a_prompt, 'fail': failure_is_at_a_prompt}[story]()
    elif story == 'pause':
        all_go_on(f'gdb may not attach: {why}')


@test
def here_the_command_shows_the_tree_and_says_why_if_not_its_tasks():
    with Tree('--until', 'signal', 'stay', TRACTOR_DEBUG='0') as tree:
        tree.expect('stays')
        seen = tree.tractor('tree', tree.pid)
        is_equal((seen.returncode, 'kid0' in seen.stdout), (0, True))
        seen, why = tree.tractor('dump', tree.pid), why_others_may_not()
        is_equal(seen.returncode, 4 if why else 0)
        is_equal(re.search(why or "(?m)^actor 'root'", seen.stderr if why else seen.stdout) is not None, True)


@test
def here_a_signal_shows_all_tasks_or_why_not():
    with Tree('--until', 'signal', 'stay') as tree:
        tree.expect('stays')
        os.kill(tree.pid, signal.SIGUSR1)
        why = why_the_broker_may_not()
        tree.expect(why.replace('set it to 1', 'set it to 0').replace('scope=1', 'scope=0') if why else "(?m)^actor 'kid0'")
        tree.expect('tractor: .* (is|are) shown')


@test
def here_one_attaches_from_another_terminal_or_is_told_why_not():
    with Tree('pause', within=['setsid', '-w']) as tree:
        pid = tree.expect(r'waits a minute for a debugger: tractor attach (\d+)').group(1)
        with Terminal([COMMAND, 'attach', pid], tree.env) as lent:
            if why_the_broker_may_not() is None:
                lent.expect(r'── paused: actor kid0 .*──\r\n.*pause_once')
                lent.expect(PROMPT)
                lent.line('c')
                is_equal(lent.end(), 0)
            else:
                lent.expect(why_the_broker_may_not())
                is_equal(lent.end(), 1)
        tree.expect('kid0: result 43')
        is_equal(tree.end(), 0)


# --- what containers are made of ----------------------------------------------------------------------------------------

def within(*command):
    """Skips where that cannot be had."""
    if shutil.which(command[0]) is None or subprocess.run([*command, 'true'], capture_output=True).returncode != 0:
        raise Skip(f'"{" ".join(command)}" does not work here')
    if SCOPE > 1:
        raise Skip('Yama says no to everybody')
    return {'within': command}


def as_nobody(command):
    return f'{command} && exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups "$@"'


@test
def plain_user():
    if os.geteuid() != 0:
        raise Skip('whoever runs this is one')
    within('true')
    all_are_at_a_prompt(user=NOBODY)


@test
def root_without_the_capability():
    all_are_at_a_prompt(**within('setpriv', '--inh-caps=-sys_ptrace', '--bounding-set=-sys_ptrace'))


@test
def no_new_privileges():
    all_are_at_a_prompt(**within('setpriv', '--no-new-privs'))


@test
def profile_of_containers_as_it_is():
    """Since Linux 4.8 the profiles of Docker and podman let ptrace through."""
    all_are_at_a_prompt(**within(sys.executable, DENY, KCMP, MADVISE, GETFD, '--'))


@test(rows=({'error': '-1'}, {'error': '-38'}))
def profile_of_containers_that_denies_ptrace(error):
    """As they did before that; what has no entry at all ends with ENOSYS in podman's."""
    all_are_seen_without_gdb(r'a seccomp filter denies ptrace: a container needs --cap-add=SYS_PTRACE',
                             **within(sys.executable, DENY, error, PTRACE, READV, WRITEV, '--'))


@test
def lent_terminal_where_ptrace_is_denied():
    with Tree('pause', **within('setsid', '-w', sys.executable, DENY, PTRACE, '--')) as tree:
        pid = tree.expect(r'waits a minute for a debugger: tractor attach (\d+)').group(1)
        with Terminal([sys.executable, DENY, PTRACE, '--', COMMAND, 'attach', pid], tree.env) as lent:
            lent.expect(r'── paused: actor kid0 .*──\r\n(.*\r\n)*?gdb may not attach: a seccomp filter denies ptrace')
            lent.expect(PROMPT)
            lent.line('c')
            is_equal(lent.end(), 0)
        tree.expect('kid0: result 43')
        is_equal(tree.end(), 0)


@test
def filter_that_kills():
    """As systemd's do, if they are not told otherwise."""
    with Tree('pause', **within(sys.executable, DENY, 'kill', PTRACE, '--')) as tree:
        tree.prompt(r'── paused: actor kid0 .*──\r\n(.*\r\n)*?gdb cannot look')
        tree.line('c')
        is_equal(tree.end(), 0)


@test
def no_gdb_where_ptrace_is_denied():
    with Tree('pause', PATH='/nonexistent', **within(sys.executable, DENY, PTRACE, '--')) as tree:
        tree.prompt(r'── paused: actor kid0 .*──\r\n(.*\r\n)*?gdb cannot be started')
        tree.line('c')
        is_equal(tree.end(), 0)


@test
def user_namespace():
    all_are_at_a_prompt(**within('unshare', '--user', '--map-root-user'))


@test
def pid_namespace_with_its_proc():
    all_are_at_a_prompt(**within('unshare', '--user', '--map-root-user', '--pid', '--fork', '--mount-proc'))


@test
def pid_namespace_without_its_proc():
    all_go_on('cannot be looked at: /proc is that of another pid namespace.* unshare: --mount-proc',
              **within('unshare', '--user', '--map-root-user', '--pid', '--fork'))


@test(rows=({'where': 'inside'}, {'where': 'outside'}))
def terminal_in_another_pid_namespace_is_not_taken(where):
    """What it would attach to has the same number, and is another process."""
    namespace = within('unshare', '--user', '--map-root-user', '--pid', '--fork', '--mount-proc')['within']
    with Tree('pause', within=[*(() if where == 'inside' else namespace), 'setsid', '-w']) as tree:
        tree.expect('waits a minute for a debugger')
        with Terminal([*(namespace if where == 'inside' else ()), COMMAND, 'attach', '--next'], tree.env) as lent:
            lent.expect('There is a tree in debug mode in another pid namespace: attach from inside that')
            is_equal(lent.end(), 3)
        tree.expect_not('It goes on')


@test
def no_proc_at_all():
    all_go_on('cannot be looked at: /proc is that of another pid namespace, or is not there',
              **within('unshare', '--user', '--map-root-user', '--mount', 'sh', '-c', 'mount -t tmpfs none /proc && exec "$@"', 'sh'))


@test
def processes_of_others_are_hidden():
    if os.geteuid() != 0:
        raise Skip('only root can hide them')
    command = within('unshare', '--mount', 'sh', '-c', as_nobody('mount -t proc -o hidepid=2 proc /proc'), 'sh')
    with tempfile.TemporaryDirectory() as directory:
        os.chown(directory, NOBODY, NOBODY)
        more = {'XDG_RUNTIME_DIR': directory, 'HOME': directory, **command}
        all_are_at_a_prompt(**more)
        with Tree('undumpable-pause', **more) as tree:
            tree.expect(r'has paused, and gdb may not attach: it is not dumpable \(PR_SET_DUMPABLE.*do this as root. It goes on')
            is_equal(tree.end(), 0)


if __name__ == '__main__':
    sys.exit(test.run(*sys.argv[3:4]))
