#!/usr/bin/env python3
"""test_run.py TRACTOR TREE RAISER RAISER-WITHOUT-LINES RAISER-STRIPPED [PATTERN] - `tractor run`, as one sees it on a terminal:
with real shells, and real gdb. TREE is the program of tree.c, the others are that of raiser.c. Prints TAP. Only tests whose name
has PATTERN in it, if that is given."""
# SPDX-License-Identifier: LGPL-2.1-or-later

import fcntl
import json
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

from program import PROMPT, Program
from tap import Skip, Tests, is_equal
from terminal import Failure, Terminal, descendants, list_processes

TRACTOR, TREE, RAISER, RAISER_WITHOUT_LINES, RAISER_STRIPPED = sys.argv[1:6]
BUILT = os.path.dirname(os.path.dirname(os.path.realpath(TRACTOR)))
BROKER = f'{BUILT}/debugger/tractor-debugger'
ORIGINS = f'{BUILT}/origins/libtractor-origins.so'
PEER = os.path.join(os.path.dirname(os.path.realpath(__file__)), '../interop/peer.py')
PDB = r'\(Pdb\+\) '

test = Tests('/debug/run')


class Run(Program):
    """`tractor run` with @arguments."""

    def __init__(self, *arguments, shell=False, behind='', **env):
        super().__init__([TRACTOR, 'run', *arguments], {'TRACTOR_DEBUG': '0', **env}, shell, behind)

    def find_root(self):
        """Of the tree: what is started by the leader of its session, which is started by us."""
        of = {pid: parent for pid, parent, _, _ in list_processes()}
        return next(pid for pid in of if of.get(of[pid]) == self.pid and pid in descendants(self.pid))


def until(condition, patience=60):
    give_up_at = time.monotonic() + patience
    while not condition():
        if time.monotonic() > give_up_at:
            raise Failure('in vain')
        time.sleep(0.01)


# --- whose input it is ------------------------------------------------------------------------------------------------

@test
def root_that_reads_its_input_takes_nothing_from_the_debugger():
    with Run('--debug', TREE, '--reads', 'lines', 'pause', shell=True) as run:
        run.line('one')
        run.expect('root has read: one')
        run.prompt('── paused: actor kid0')  # and another read is under way
        run.line('p local_answer')
        run.expect('= 42')
        run.prompt()
        for _ in range(2):
            run.ctrl('c')
            run.expect('Quit')
            run.prompt()
        run.line('c')
        run.expect('kid0: result 43')
        run.line('two')
        run.expect('root has read: two')
        run.check_shell_is_well(status=0)
        run.check_no_process_is_left()


@test
def what_is_typed_ahead_is_for_the_next_session():
    with Run('--debug', TREE, '--reads', 'lines', '--actors', '2', 'pause') as run:
        run.line('one')
        run.prompt('── paused: actor kid')
        run.line('c\nc')
        run.expect('── paused: actor kid')
        run.expect(r'kid\d: result 43')
        run.expect(r'kid\d: result 43')
        run.line('two')
        run.expect('root has read: two')
        is_equal(run.end(), 0)
        run.check_no_process_is_left()


@test
def what_the_tree_says_meanwhile_is_shown_after():
    with Run('--debug', TREE, '--reads', 'lines', 'pause') as run:
        run.line('one')
        run.prompt('── paused: actor kid0')
        os.kill(run.find_root(), signal.SIGUSR1)
        for _ in range(3):
            run.line('p local_answer')
            run.expect('= 42')
            run.prompt()
        run.expect_not('root was told')
        run.line('c')
        run.expect('root was told')
        run.expect('kid0: result 43')
        run.line('two')
        is_equal(run.end(), 0)


@test
def tree_shows_who_waits_for_the_debugger():
    with Run('--debug', TREE, '--actors', '2', 'crash-together') as run:
        run.prompt('── crashed: actor kid')
        root = run.find_root()

        def look():
            command = [TRACTOR, 'tree', '--json', str(root)]
            out = subprocess.run(command, env={**os.environ, **run.env}, stdout=subprocess.PIPE, text=True, timeout=60).stdout
            return {(actor['held'], actor['waits_for_debugger']) for actor in map(json.loads, out.splitlines())}

        until(lambda: look() == {(None, False), ('crash', False), (None, True)})
        text = subprocess.run([TRACTOR, 'tree', str(root)], env={**os.environ, **run.env}, stdout=subprocess.PIPE, text=True, timeout=60)
        is_equal(['waits for the debugger' in text.stdout, 'does not answer' in text.stdout], [True, False])
        for _ in range(2):
            run.line('c')
            run.prompt()
        run.line('q')
        is_equal(run.end(), 1)


@test
def second_tree_has_the_programs_terminal():
    """The debugger's is the first one's."""
    with Run('--debug', 'sh', '-c', f'{TREE} pause & {TREE} pause; wait') as run:
        for _ in range(2):
            run.prompt('── paused: actor kid0')
            run.line('p local_answer')
            run.expect('= 42')
            run.prompt()
            run.line('c')
        is_equal(run.end(), 0)
        is_equal(run.text.count('kid0: result 43'), 2)
        run.check_no_process_is_left()


@test
def broker_that_is_killed_leaves_the_terminal_to_the_program():
    with Run('--debug', TREE, '--reads', 'lines', 'pause') as run:
        run.line('one')
        run.prompt('── paused: actor kid0')
        os.kill(run.find('tractor-debugger'), signal.SIGKILL)
        run.expect('kid0: result 43')
        run.line('two')
        run.expect('root has read: two')
        is_equal(run.end(), 0)
        run.check_no_process_is_left()


@test
def gdb_that_is_killed_leaves_the_terminal_to_the_program():
    with Run('--debug', TREE, '--reads', 'lines', 'pause') as run:
        run.line('one')
        run.prompt('── paused: actor kid0')
        os.kill(run.find('gdb -q'), signal.SIGKILL)
        run.expect('kid0: result 43')
        run.line('two')
        run.expect('root has read: two')
        is_equal(run.end(), 0)
        run.check_no_process_is_left()


@test
def root_that_crashes_is_shown_and_its_signal_is_ours():
    with Run('--debug', TREE, 'root-crash', shell=True) as run:
        run.prompt(r"── crashed: actor root \(pid \d+\), task 1 'main' · SIGSEGV")
        run.line('c')
        run.check_shell_is_well(status=128 + signal.SIGSEGV)
        run.check_no_process_is_left()


@test
def input_and_output_may_be_elsewhere():
    with Run('--debug', TREE, 'pause', '< /dev/null | sed s/kid0/piped/', shell=True) as run:
        run.prompt('── paused: actor kid0')
        run.line('c')
        run.expect('piped: result 43')
        run.check_shell_is_well()
        run.check_no_process_is_left()


@test
def without_a_terminal_it_becomes_the_program():
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.execv(TRACTOR, [TRACTOR, 'run', 'sh', '-c', '[ -z "$TRACTOR_DEBUG_TERMINAL" ] && exit 5'])
    is_equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 5)


@test
def what_others_say_on_the_terminal_looks_as_ever():
    """Of a pipe that its output goes through; while it still has the terminal."""
    with Run('sh', '-c', "'echo one; echo two; read line; exit 3'", '| cat', shell=True) as run:
        run.expect('one\r\ntwo\r\n')
        run.line('')
        run.check_shell_is_well()


@test
def what_is_typed_while_the_input_is_elsewhere_is_the_shells():
    with tempfile.TemporaryDirectory(prefix='tractor-run-') as directory:
        os.mkfifo(f'{directory}/go')
        with Run('sh', '-c', f"'cat; read line < {directory}/go'", shell=True, behind=' <<< begun') as run:
            run.expect('^begun')
            run.line('echo typed=$((1 + 1))')
            run.expect('typed=')  # the terminal shows it
            with open(f'{directory}/go', 'w') as go:
                go.write('\n')
            run.expect('^typed=2')
            run.check_shell_is_well()


@test
def program_whose_input_is_elsewhere_may_ask_for_a_password():
    script = "import getpass; print('it is', getpass.getpass('Say it: '))"
    with Run(sys.executable, '-c', f'"{script}"', shell=True, behind=' < /dev/null') as run:
        run.expect('^Say it: ')
        run.line('sesame')
        run.expect('it is sesame')
        is_equal(run.text.count('sesame'), 1)
        run.check_shell_is_well(status=0)


@test
def ctrl_c_reaches_all_of_a_program_whose_input_is_elsewhere():
    with Run('sh', '-c', "'cat; sh -c \"echo ready; sleep 1000; true\"; true'", shell=True, behind=' < /dev/null') as run:
        run.expect('^ready')
        run.note_processes()
        run.ctrl('c')
        run.check_shell_is_well(status=128 + signal.SIGINT)
        run.check_no_process_is_left()


# --- a job like any other ---------------------------------------------------------------------------------------------

@test
def its_end_is_the_programs():
    for script, status in (('exit 7', 7), ('exit 2', 2), ('kill -TERM $$', -signal.SIGTERM), ('kill -SEGV $$', -signal.SIGSEGV)):
        with Run('sh', '-c', script) as run:
            is_equal(run.end(), status)
    with Run('/nonexistent/program') as run:
        is_equal(run.end(), 127)
        run.expect('tractor: /nonexistent/program: No such file or directory')
    with Run('/etc/passwd') as run:
        is_equal(run.end(), 126)


@test
def options_may_be_in_any_order():
    with tempfile.TemporaryDirectory(prefix='tractor-run-') as directory:
        for options in (['--debug'], ['--debug', '--trace', f'{directory}/file'], ['--trace', f'{directory}/file', '--debug'],
                        [f'--trace={directory}/file', '--debug=pause'], ['--trace', f'{directory}/file', '--debug', '--']):
            with Run(*options, 'sh', '-c', 'exit 7') as run:
                is_equal(run.end(), 7)


@test
def all_that_was_said_is_shown_also_if_somebody_keeps_the_terminal_open():
    with Run('sh', '-c', "seq 1 20000; trap '' HUP; sleep 1000 & echo sleeper $!; echo over") as run:
        is_equal(run.end(), 0)
        os.kill(int(run.expect(r'^sleeper (\d+)').group(1)), signal.SIGKILL)
        run.expect(r'over\r\n\Z')
        is_equal([line for line in run.text.split('\r\n') if line.isdigit()], [str(i) for i in range(1, 20001)])


@test
def ctrl_c_reaches_the_program():
    with Run('cat', shell=True) as run:
        run.line('hello')
        run.expect('hello\r\nhello')
        run.ctrl('c')
        run.check_shell_is_well(status=128 + signal.SIGINT)


@test
def ctrl_z_stops_the_job_and_fg_goes_on():
    with Run('cat', shell=True) as run:
        run.line('hello')
        run.expect('hello\r\nhello')
        for _ in range(2):
            run.ctrl('z')
            run.expect('Stopped')
            run.check_shell_is_well()
            run.line('fg')
            run.expect(r'run cat\r\n')
            run.line('again')
            run.expect('again\r\nagain')
        run.ctrl('d')
        run.check_shell_is_well(status=0)


@test
def ctrl_z_where_nobody_would_wake_it_up_stops_nothing():
    with Run('cat') as run:
        run.line('hello')
        run.expect('hello\r\nhello')
        run.ctrl('z')
        run.line('again')
        run.expect('again\r\nagain')
        run.ctrl('d')
        is_equal(run.end(), 0)


@test
def job_in_the_background_asks_for_the_foreground():
    with Run('--debug', TREE, 'pause', '&', shell=True) as run:
        run.expect('a debugger waits for the terminal: bring the job to the foreground')
        run.line('fg')
        run.prompt('── paused: actor kid0')
        run.line('c')
        run.expect('kid0: result 43')
        run.check_shell_is_well()


@test
def signals_are_sent_on():
    script = "import signal; signal.signal(signal.SIGTERM, lambda *_: exit(9)); print('ready', flush=True); signal.pause()"
    with Run(sys.executable, '-c', script) as run:
        run.expect('ready')
        os.kill(run.pid, signal.SIGTERM)
        is_equal(run.end(), 9)


@test
def signal_that_comes_before_the_program_has_begun_is_sent_on_too():
    """It waits for the command before that has begun: as it is blocked, it goes through its exec, as the mask does."""
    begin = ('import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); '
             'os.kill(os.getpid(), signal.SIGTERM); os.execv(sys.argv[1], sys.argv[1:])')
    script = 'import signal; signal.sigwait([signal.SIGTERM]); exit(9)'
    with Program([sys.executable, '-c', begin, TRACTOR, 'run', sys.executable, '-c', script], {}) as run:
        is_equal(run.end(), 9)


@test
def what_it_leaves_running_goes_on_and_is_heard():
    """As below a shell."""
    script = ('( trap "echo has heard SIGHUP" HUP; echo > "$1/ready"; read line < "$1/go"; echo still here ) &\n'
              'read line < "$1/ready"\n')
    with tempfile.TemporaryDirectory(prefix='tractor-run-') as directory:
        for name in ('ready', 'go'):
            os.mkfifo(f'{directory}/{name}')
        with open(f'{directory}/script', 'w') as file:
            file.write(script)
        with Run('sh', f'{directory}/script', directory, shell=True) as run:
            run.check_shell_is_well(status=0)
            with open(f'{directory}/go', 'w') as go:
                go.write('\n')
            run.expect('still here\r\n')
            run.expect_not('SIGHUP')
            until(lambda: not any(directory in command for _, _, _, command in list_processes()))


@test(rows=[{'number': number} for number in (1, 5)])
def descriptors_are_the_programs_and_nobody_elses(number):
    """So who reads the other end of one sees its end when the program has closed it."""
    with tempfile.TemporaryDirectory(prefix='tractor-run-') as directory:
        os.mkfifo(f'{directory}/pipe')
        script = f"'echo through >&{number}; exec {number}>&-; read line'"
        with Run('sh', '-c', script, f'{number}> {directory}/pipe', shell=True) as run:
            with open(f'{directory}/pipe', 'rb') as pipe:
                text = b''
                while not text.endswith(b'through\n') or more:
                    if not select.select([pipe], [], [], run.patience)[0]:
                        raise Failure('its end does not come')
                    more = os.read(pipe.fileno(), 4096)
                    text += more
            is_equal(text, b'through\n')
            run.line('')
            run.check_shell_is_well(status=0)


@test
def its_death_is_heard_by_the_program():
    with Run('sleep', '1000', shell=True) as run:
        until(lambda: any(command == 'sleep 1000' for pid, _, _, command in list_processes() if pid in descendants(run.pid)))
        run.note_processes()
        os.kill(run.find('run sleep'), signal.SIGKILL)
        run.check_shell_is_well()
        run.check_no_process_is_left()


@test
def window_size_is_handed_on():
    script = ("import os, signal\n"
              "def tell(*_): os.write(1, b'size %d %d\\n' % os.get_terminal_size())\n"
              "tell()\n"
              "signal.signal(signal.SIGWINCH, tell)\n"
              "print('ready', flush=True)\n"
              "input()\n")
    with Run(sys.executable, '-c', script) as run:
        run.expect('ready')
        fcntl.ioctl(run.fd, termios.TIOCSWINSZ, struct.pack('HHHH', 31, 99, 0, 0))
        run.expect('size 99 31')
        run.line('')
        is_equal(run.end(), 0)


@test
def debuggers_terminal_has_the_size_too():
    with Run('--debug', TREE, '--reads', 'lines', 'pause') as run:
        fcntl.ioctl(run.fd, termios.TIOCSWINSZ, struct.pack('HHHH', 31, 99, 0, 0))
        run.line('one')
        run.prompt('── paused: actor kid0')
        run.line('python import os; print(os.get_terminal_size(0))')
        run.expect('columns=99, lines=31')
        run.prompt()
        run.line('c')
        run.expect('kid0: result 43')
        run.line('two')
        is_equal(run.end(), 0)


@test
def session_on_another_terminal_leaves_this_one_to_the_program():
    with Run('--debug', TREE, '--reads', 'lines', 'pause-twice') as run:
        run.line('one')
        run.prompt('── paused: actor kid0')
        with Terminal([TRACTOR, 'attach', '--next'], {'XDG_RUNTIME_DIR': run.directory, 'TRACTOR_DEBUGGER': BROKER}) as other:
            other.expect('Whoever stops next')
            run.line('c')
            other.expect('── paused: actor kid0')
            other.expect(PROMPT)
            run.line('two')
            run.expect('root has read: two')
            other.line('c')
            is_equal(other.end(), 0)
        run.expect('kid0: result 44')
        is_equal(run.end(), 0)


@test
def its_death_is_the_end_of_the_terminal():
    with Run('--debug', TREE, 'pause', shell=True) as run:
        run.prompt('── paused: actor kid0')
        os.kill(run.find('run --debug'), signal.SIGKILL)
        run.check_shell_is_well()
        run.check_no_process_is_left()


@test
def one_that_has_lost_its_stack_can_be_looked_at():
    if os.uname().machine != 'x86_64':
        raise Skip('the story is for another machine')
    with Run('--debug', TREE, 'crash-without-stack') as run:
        run.prompt('── crashed: actor kid0')
        pid = re.search(r'actor kid0 \(pid (\d+)\)', run.text).group(1)
        dump = subprocess.run([TRACTOR, 'dump', pid], env={**os.environ, **run.env}, stdout=subprocess.PIPE, text=True, timeout=60)
        is_equal(dump.returncode, 0)
        is_equal('crash_without_stack+' in dump.stdout, True)
        run.line('q')
        is_equal(run.end(), 1)


# --- where an error was made ------------------------------------------------------------------------------------------

def find_line(text):
    """In raiser.c: the number of the line that says @text."""
    with open(os.path.join(os.path.dirname(os.path.realpath(__file__)), 'raiser.c')) as file:
        return next(i for i, line in enumerate(file, 1) if text in line)


def find_function(offset):
    """Of RAISER."""
    for line in subprocess.run(['nm', '-S', RAISER], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines():
        fields = line.split()
        if len(fields) == 4 and int(fields[0], 16) < offset <= int(fields[0], 16) + int(fields[1], 16):
            return fields[3]
    return None


FAILED = r'── failed: actor {} .*──\r\n'


@test
def place_is_shown_of_a_program_whose_file_is_mapped_once_more():
    with Run('--debug', RAISER, 'mapped') as run:
        run.prompt(FAILED.format('level0') + rf'raised at make_here \(\S*raiser.c:{find_line("LINE make_here")}\)\r\n')
        run.line('kill')
        run.prompt(FAILED.format('root'))
        run.line('c')
        is_equal(run.end(), 1)


@test
def place_where_an_error_was_made_is_shown_all_the_way_up():
    made = rf'raised at make_here \(\S*raiser.c:{find_line("LINE make_here")}\)'
    with Run('--debug', RAISER, '--depth', '1', 'here') as run:
        run.prompt(FAILED.format('level0') + made + '\r\n')
        pid = re.search(r'level0 \(pid (\d+)\)', run.text).group(1)
        run.line('tractor origin')
        run.expect(rf'raised here:\r\n#0  make_here \(\S*raiser.c:\d+\)\r\n#1  fail \(\S*raiser.c:\d+\)\r\n#2  call_function \(\S*rpc.c:\d+\)')
        run.prompt()
        run.line('c')
        run.prompt(FAILED.format('level1') + made + rf' in level0 \(pid {pid}\)\r\n')
        run.line('c')
        run.prompt(FAILED.format('root') + made + rf' in level0 \(pid {pid}\), by way of level1\r\n')
        run.line('c')
        run.expect(rf'in work\(\), process {pid}\r\n +raised in process {pid} at\r\n')  # what anybody sees of the error
        is_equal(run.end(), 1)


@test(rows=[{'story': story, 'function': function} for story, function in (
    ('literal', 'make_literal'), ('formatted', 'make_formatted'), ('set-literal', 'make_set_literal'),
    ('library', 'read_what_is_not_there'), ('thread', 'make_here'), ('prefixed', 'make_here'), ('copied', 'make_here'),
    ('before-many', 'make_here'), ('after-many', 'make_here'))])
def place_is_found(story, function):
    """In what anybody sees of the error: the innermost function of the program."""
    with tempfile.TemporaryDirectory(prefix='tractor-run-') as directory:
        env = {**os.environ, 'XDG_RUNTIME_DIR': directory, 'LD_PRELOAD': ORIGINS}
        run = subprocess.run([RAISER, story], env=env, stdout=subprocess.PIPE, text=True, timeout=60)
    is_equal(run.returncode, 1)
    program = re.escape(os.path.realpath(RAISER))
    site = re.search(rf'raised in process \d+ at\n(?: +\S+ \(\S*/lib\S+\)\n)* +(\S+) \({program}\+0x([0-9a-f]+)\)', run.stdout)
    is_equal((site.group(1), find_function(int(site.group(2), 16))), (function, function))


@test
def places_of_several_errors_are_shown():
    with Run('--debug', RAISER, 'twice') as run:
        run.prompt(FAILED.format('level0') + r'raised at make_here .*\r\nraised at make_set_literal .*\r\n')
        run.line('c')
        run.prompt(FAILED.format('root') + r'raised at make_here .* in level0 .*\r\nraised at make_set_literal .* in level0 .*\r\n')
        run.line('c')
        is_equal(run.end(), 1)


@test
def place_of_another_error_at_the_same_address_is_not_taken_for_it():
    with Run('--debug', RAISER, 'reused') as run:
        run.prompt(FAILED.format('level0'))
        run.line('tractor origin')
        run.prompt('It is not known where')
        run.line('q')
        is_equal(run.end(), 1)
        run.expect_not('raised')


@test
def death_has_no_place():
    with Run('--debug', TREE, 'crash') as run:
        run.prompt('── crashed: actor kid0')
        run.line('c')
        run.prompt(FAILED.format('root') + 'The function that failed')
        run.line('c')
        is_equal(run.end(), 1)


@test
def root_has_its_errors_noted_too_also_if_a_script_starts_it():
    with Run('--debug', 'sh', '-c', f'{RAISER} root') as run:
        run.prompt(FAILED.format('root') + r'raised at make_here \(\S*raiser.c:\d+\)\r\n')
        run.line('q')
        is_equal(run.end(), 1)


@test
def list_of_what_stops_that_is_taken_for_the_program_is_said_to_be_one():
    done = subprocess.run([TRACTOR, 'run', '--debug', 'pause,crash', TREE, 'fail'], stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=60)
    is_equal((done.returncode, done.stderr.splitlines()[-1]),
             (127, 'tractor: What is to stop is said with "=": tractor run --debug=pause,crash PROGRAM'))
    done = subprocess.run([TRACTOR, 'run', 'pause', TREE], stdin=subprocess.DEVNULL, text=True, capture_output=True, timeout=60)
    is_equal((done.returncode, len(done.stderr.splitlines())), (127, 1))


@test
def without_debug_information_there_are_function_and_file():
    with Run('--debug', RAISER_WITHOUT_LINES, 'here') as run:
        run.prompt(FAILED.format('level0') + r'raised at make_here \(raiser-without-lines\)\r\n')
        run.line('q')
        is_equal(run.end(), 1)
    with Run('--debug', RAISER_STRIPPED, 'here') as run:
        run.prompt(FAILED.format('level0') + r'raised at \?\? \(raiser-stripped\+0x[0-9a-f]+\)\r\n')
        run.line('q')
        is_equal(run.end(), 1)


@test
def actors_have_their_errors_noted_without_tractor_run():
    directory = tempfile.mkdtemp(prefix='tractor-run-')
    env = {'XDG_RUNTIME_DIR': directory, 'TRACTOR_DEBUG': 'error,origins', 'TRACTOR_DEBUGGER': BROKER, 'TRACTOR_ORIGINS': ORIGINS}
    with Terminal([RAISER, '--depth', '1', 'here'], env) as terminal:
        for actor in ('level0', 'level1', 'root'):
            terminal.expect(FAILED.format(actor) + 'raised at make_here')
            terminal.expect(PROMPT)
            terminal.line('c')
        is_equal(terminal.end(), 1)
    shutil.rmtree(directory)


@test
def what_is_loaded_for_it_goes_to_actors_only():
    with Run('--debug=error', RAISER, 'preload') as run:
        run.expect('LD_PRELOAD is not set')
        is_equal(run.end(), 0)
    with Run('--debug=error', RAISER, 'preload', LD_PRELOAD='libgmodule-2.0.so.0') as run:
        run.expect('LD_PRELOAD is libgmodule-2.0.so.0')
        is_equal(run.end(), 0)
    with Run('--debug=crash,pause', RAISER, 'here') as run:
        run.expect('FAILED: .*no room for 42')
        is_equal(run.end(), 1)
        run.expect_not('raised in process')


# --- Python actors -----------------------------------------------------------------------------------------------------

@test
def python_actor_hears_what_is_typed():
    """Its debugger reads the program's terminal, and not the other one."""
    with Run('--debug', TREE, '--python', PEER, 'pause', PEER_IS_DEBUGGED='1') as run:
        run.expect('Opening a pdb REPL in paused actor: kid0')
        run.expect(PDB)
        run.line('p answer')
        run.expect('^42')
        run.expect(PDB)
        run.line('c')
        run.expect('kid0: result 42')
        is_equal(run.end(), 0)


if __name__ == '__main__':
    sys.exit(test.run(*sys.argv[6:7]))
