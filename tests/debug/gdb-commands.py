#!/usr/bin/python3
"""gdb-commands.py BUILD VICTIM OPTIMIZED-VICTIM assembly|ucontext - the commands of tools/gdb, in a real gdb, at real
processes: alive, in cores, stripped, behind gdbserver, on each host.

gdb finds the script by itself, beside the library or where it is installed. Where there is no gdb the tests are skipped,
but not in CI; where processes may not be traced they fail, and say so."""

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

BUILD, VICTIM, OPTIMIZED = (os.path.abspath(path) for path in sys.argv[1:4])
SWITCH = sys.argv[4]
HERE = os.path.dirname(os.path.abspath(__file__))
HOSTS = ('builtin', 'glib', 'uv')
PATIENCE = 120 # for what takes a second
LIBRARY = next(name for name in os.listdir(BUILD) if re.fullmatch(r'libtractor-1\.so\.\d+\.\d+\.\d+', name))
WORK = tempfile.mkdtemp(prefix='tractor-gdb-')
n_tests = n_failed = 0

# What each task of `victim HOST waits` waits for, and in which function of its own.
WAITS = {
    'event': ('event', 'wait_for_event'),
    'sleeper': ('sleep', 'sleep_long'),
    'eternal': ('sleep', 'sleep_for_ever'),
    'sender': ('channel send', 'send_to_full'),
    'receiver': ('channel receive', 'receive_from_empty'),
    'reader': ('fd in', 'read_pipe'),
    'writer': ('fd out', 'write_pipe'),
    'thread': ('thread', 'wait_for_thread'),
    'lock': ('lock', 'take_lock'),
    'condition': ('condition', 'wait_for_condition'),
    'semaphore': ('semaphore', 'take_semaphore'),
    'limiter': ('limiter', 'take_token'),
    'lot': ('a place', 'park'),
    'waker': ('waker', 'wait_for_waker'),
    'signal': ('signal', 'wait_for_signal'),
    'parent': ('nursery', 'wait_for_children'),
    'timed': ('sleep', 'sleep_in_time'),
    'shielded': ('permission to end', 'wait_shielded'),
    'doomed': ('nursery', 'be_cancelled'),
    'two words': ('sleep', 'sleep_for_ever'),
    'started': ('sleep', 'be_started'),
    'main': ('fd in', 'obey'),
    'caller': ('victim:nap', 'call_kid'),
}


# --- TAP -------------------------------------------------------------------------------------------------------------

class Skipped(Exception):
    pass


def check(name, func, *args):
    global n_tests, n_failed
    n_tests += 1
    try:
        func(*args)
        print(f'ok {n_tests} /debug/gdb/{name}', flush=True)
    except Skipped as why:
        print(f'ok {n_tests} /debug/gdb/{name} # SKIP {why}', flush=True)
    except Exception:
        n_failed += 1
        print(re.sub('^', '# ', traceback.format_exc(), flags=re.M))
        print(f'not ok {n_tests} /debug/gdb/{name}', flush=True)


def expect(text, *patterns):
    for pattern in patterns:
        assert re.search(pattern, text, re.M), f'no {pattern!r} in:\n{text}'


def expect_not(text, *patterns):
    for pattern in patterns:
        assert not re.search(pattern, text, re.M), f'{pattern!r} in:\n{text}'


# --- processes -------------------------------------------------------------------------------------------------------

class Victim:
    """A process that waits to be looked at. Left, it is told to end, and has to do so well."""

    def __init__(self, *args, program=VICTIM, env=None, may_die=False, preexec=None):
        self.may_die = may_die
        runtime_dir = tempfile.mkdtemp(dir=WORK)
        self.process = subprocess.Popen([program, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, 'XDG_RUNTIME_DIR': runtime_dir, **(env or {})}, cwd=WORK,
                                        preexec_fn=preexec)
        self.pid = self.process.pid
        try:
            assert self.process.stdout.readline() == 'ready\n', 'the victim has not come so far'
        except BaseException:
            self.process.kill()
            self.process.communicate()
            raise

    def tell(self, orders):
        self.process.stdin.write(orders)
        self.process.stdin.flush()

    def telling(self, orders):
        """The command by which gdb tells it so, when it is attached."""
        return f'shell printf {orders} >/proc/{self.pid}/fd/0'

    def get_kid(self):
        with open(f'/proc/{self.pid}/task/{self.pid}/children') as children:
            pids = children.read().split()
        assert len(pids) == 1, pids
        return int(pids[0])

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            self.process.communicate(None if self.may_die else 'e', timeout=PATIENCE)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            self.process.kill()
            self.process.communicate()
            assert kind, 'the victim has not ended'
        assert kind or self.may_die or self.process.returncode == 0, f'the victim ended with {self.process.returncode}'


def gdb(*commands, args=(), first=(), env=None):
    """What gdb says to each of the commands."""
    argv = ['gdb', '-q', '-nx', '-batch', '-iex', 'set debuginfod enabled off', '-iex', 'set width 0',
            '-iex', 'set height 0', '-iex', f'add-auto-load-safe-path {BUILD}']
    for command in first:
        argv += ['-iex', command]
    argv += args
    for i, command in enumerate(commands):
        argv += ['-ex', rf'echo \n@@{i}\n', '-ex', command]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors='replace', timeout=PATIENCE, env={**os.environ, 'LC_ALL': 'C.UTF-8', **(env or {})}, cwd=WORK)
    expect_not(done.stdout, 'Traceback|Python Exception|internal-error')
    said = re.split(r'^@@\d+\n', done.stdout, flags=re.M)
    assert len(said) == len(commands) + 1, done.stdout
    return [re.sub(r'^\[Inferior .* detached\]$', '', part, flags=re.M).rstrip('\n') for part in said[1:]]


def attach(victim, *commands, **kwargs):
    return gdb(*commands, args=('-p', str(victim.pid)), **kwargs)


def fetch_row(text, name):
    """The line of a task: (indent, rest)."""
    found = re.search(rf'^ *[\d.]+  ( *){re.escape(name)}  +(.*)$', text, re.M)
    assert found, f'no task {name} in:\n{text}'
    return len(found[1]), found[2]


# --- what is to be seen ----------------------------------------------------------------------------------------------

def check_info(text, name_and_pid=None):
    for name, (wait, func) in WAITS.items():
        indent, rest = fetch_row(text, name)
        if name == 'main':
            expect(rest, r'^(waiting +fd in|running) .*run_waits')
        elif wait is not None:
            expect(rest, rf'^waiting +{wait}(,.*)? +{func}\b')
        assert indent == (0 if name == 'main' else 2), text
    assert fetch_row(text, 'grandchild')[0] == fetch_row(text, 'cleaner')[0] == 4, text
    expect(text, r'^ *\d+    parent .*\n *\d+      grandchild ')
    expect(text, r'^ *\d+    doomed .*\[cancelled\]\n *\d+      cleaner .*\[shielded\]')
    expect(fetch_row(text, 'lock')[1], r'lock, held by [\d.]+ main ')
    expect(fetch_row(text, 'sleeper')[1], r'sleep, 1 h (29|30) min left')
    expect(fetch_row(text, 'timed')[1], r'\[deadline in (19|20) min')
    expect(fetch_row(text, 'shielded')[1], r'\[shielded\]  \[deadline in (9|10) min')
    expect_not(fetch_row(text, 'eternal')[1], r'\[|left')


def check_backtraces(text):
    """Each task with the call that it waits in, and nothing of what is in that."""
    for name, (_, func) in WAITS.items():
        if name != 'two words': # equal to another
            expect(text, rf'^ *[\d, -]+  {name}( and others  × [23])?  .*\n(#\d+ .*\n)*#\d+ .*\b{func} \(')
    expect(text, r'^#\d+ .*\btractor_event_wait .*\n#\d+ .*\bwait_for_event \(')
    expect_not(text, r'tractor__task_park|switch_away|task_main|\?\? \(\)')


class Live:
    """One session at a process on one host, for the tests that look at what was said in it."""

    def __init__(self, host):
        with Victim(host, 'waits') as victim:
            self.pid = victim.pid
            self.kid = victim.get_kid()
            self.core = f'{WORK}/core-{host}'
            keys = {
                'help': 'help tractor',
                'level': 'frame 1',
                'info': 'info tractor',
                'all': 'tractor bt',
                'own': 'tractor bt all -own',
                'full': 'tractor bt event -full',
                'quoted': 'tractor bt "two words"',
                'level again': 'frame',
                'task': 'tractor task event',
                'answer': 'print answer',
                'locals': 'info locals',
                'bt': 'backtrace',
                'other': 'tractor bt sleeper',
                'answer again': 'print answer',
                'call': 'print stand_here (4)',
                'answer after call': 'print answer',
                'down': 'down',
                'next task': 'tractor task lock',
                'bt of it': 'backtrace',
                'back': 'tractor task',
                'back twice': 'tractor task',
                'plain bt': 'backtrace',
                'scopes': 'tractor scopes',
                'scopes of one': 'tractor scopes timed',
                'tree': 'tractor tree',
                'core': f'generate-core-file {self.core}',
                'detach': 'detach',
            }
            self.said = dict(zip(keys, attach(victim, *keys.values())))
            self.of_kid = gdb('info tractor', 'tractor bt -full', args=('-p', str(self.kid)))

    def get(self, key):
        return self.said[key]


def test_run(host):
    """The script is loaded when the library is, in the middle of `run`, which stays with the program for all that."""
    said = gdb('break wait_for_event', f'run {host} waits', 'next', 'info tractor', 'kill', args=(VICTIM,),
               env={'XDG_RUNTIME_DIR': tempfile.mkdtemp(dir=WORK)})
    expect(said[1], r'^Breakpoint 1, .*\bwait_for_event \(')
    expect(said[2], r'tractor_event_wait \(it\.event, error\)')
    expect(said[3], r'^ *\d+ +event +running')


def test_lists(live):
    check_info(live.get('info'))
    expect(live.get('info'), rf'^actor \S+ \([0-9a-f-]{{36}}\), pid {live.pid}$', rf'^child kid \(pid {live.kid}\)$')
    expect(live.get('help'), r'tractor bt --', r'tractor break-task --', r'tractor scopes --', r'tractor task --',
           r'tractor tree --')


def test_stacks(live):
    check_backtraces(live.get('all'))
    expect(live.get('all'), r'^\d+ tasks? of the library itself')
    expect_not(live.get('all'), r'^ *\d+ .*\bread_link\b')
    expect(live.get('quoted'), r'two words .*\n#\d+ .*tractor_sleep_until .*\n#\d+ .*sleep_for_ever')
    expect(live.get('full'), r'^#\d+ .*wait_for_event \(.*\) at .*victim\.c:\d+\n +answer = 42$')


def test_own_stacks(live):
    text = live.get('own')
    expect(text, r'switch_away|tractor__task_park', r'task_main')
    expect_not(text, r'of the library itself')
    n_shown = len(re.findall(r'^ *\d[\d, -]*  .*(waiting|running|runnable)', text, re.M))
    assert n_shown > len(re.findall(r'^ *\d[\d, -]*  .*(waiting|running|runnable)', live.get('all'), re.M)), text


def test_looks_from_a_task(live):
    expect(live.get('task'), r'^ *\d+  event +waiting +event +wait_for_event',
           r'^#\d+ .*wait_for_event \(.*\) at .*victim\.c:\d+\n(warning: .*\n)?\d+\t.*tractor_event_wait')
    for key in ('answer', 'answer again', 'answer after call'):
        expect(live.get(key), r'^\$\d+ = 42$')
    expect(live.get('locals'), r'^answer = 42$')
    expect(live.get('call'), r'^\$\d+ = 8$')
    expect(live.get('other'), r'sleep_long')
    expect(live.get('down'), r'tractor_event_wait')
    expect(live.get('bt'), r'wait_for_event')
    expect_not(live.get('bt'), r'epoll|poll \(|\?\? \(\)')
    expect(live.get('bt of it'), r'take_lock')
    expect_not(live.get('bt of it'), r'wait_for_event')


def test_keeps_the_frame(live):
    place = re.search(r'^#1 .*', live.get('level'), re.M)[0]
    for key in ('level again', 'back'):
        assert re.search(r'^#\d+ .*', live.get(key), re.M)[0] == place, (key, live.get(key), place)
    expect(live.get('back twice'), r'No task is looked at')
    expect(live.get('plain bt'), r'^#0 ', r' main \(')
    expect_not(live.get('plain bt'), r'wait_for_event|take_lock')


def test_scopes(live):
    text = live.get('scopes')
    expect(text, r'^the outermost scope$', r'scope of task \d+ doomed  \[cancelled by a call: the user said so\]$',
           r'nursery of task \d+ doomed  \[cancelled, by what is around it\]  has task \d+$',
           r'scope of task \d+ cleaner  \[shielded\]  \[deadline in (9|10) min',
           r'^ *scope of task \d+ timed  \[deadline in (19|20) min .*\n *scope of task \d+ timed  \[deadline in (29|30) min .*has task')
    expect(live.get('scopes of one'), r'^task \d+ timed is in, from the inside:\n  scope .*(29|30) min.*\n  scope .*(19|20) min'
                                      r'(.*\n)+  the outermost scope')


def test_tree(live):
    expect(live.get('tree'), rf'^ *{live.pid}  \S+ \(.*← here\n *{live.kid}    kid$', 'attach PID')
    expect(live.of_kid[0], rf'^actor kid \([0-9a-f-]{{36}}\), pid {live.kid}, its parent is {live.pid}$')
    expect(live.of_kid[0], r'^ *\d+ +nap +waiting +sleep +nap$')
    expect(live.of_kid[1], r'^#\d+ .*\bnap \(.*\n +dream = 8$')


def check_dead(said):
    """info tractor, tractor bt, tractor task event, print answer, break-task: of a process that has ended."""
    check_info(said[0])
    expect(said[0], 'Times are as when the clock was looked at last')
    check_backtraces(said[1])
    expect(said[3], r'^\$\d+ = 42$')
    expect(said[4], r'A core does not go on')


IN_CORES = ('info tractor', 'tractor bt', 'tractor task event', 'print answer', 'tractor break-task event')


def test_core(live):
    said = gdb(*IN_CORES, args=(VICTIM, live.core))
    os.unlink(live.core)
    if re.search('Memory read failed for corefile section, [0-9]+ bytes at 0x[0-9a-f]{12}\\.', live.get('core')):
        # gdb does not copy what is behind a guard of stacks where the kernel has light ones.
        n_all = re.search(r'^(\d+) tasks$', live.get('info'), re.M)[1]
        expect(said[0], rf'^{n_all} tasks$', rf'^Of {n_all} tasks \d+ can be read: ')
        expect(said[1], rf'^Of {n_all} tasks \d+ can be read: ')
    else:
        check_dead(said)


def test_crash_core(host):
    with open('/proc/sys/kernel/core_pattern') as file:
        pattern = file.read().strip()
    if pattern.startswith('|') or '/' in pattern:
        raise Skipped(f'cores go to {pattern}')

    def allow_cores():
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    with Victim(host, 'waits', may_die=True, preexec=allow_cores) as victim:
        victim.tell('c')
        victim.process.wait(PATIENCE)
    cores = [name for name in os.listdir(WORK) if name in ('core', f'core.{victim.pid}')]
    if not cores:
        raise Skipped('the system has written no core')
    said = gdb('frame', *IN_CORES, 'tractor bt main', 'tractor task', args=(VICTIM, f'{WORK}/{cores[0]}'))
    os.unlink(f'{WORK}/{cores[0]}')
    expect(said[0], r'\bcrash \(nowhere=0x0\)')
    check_dead(said[1:])
    expect(fetch_row(said[1], 'main')[1], '← here$')
    expect(said[6], r'^#\d+ .*\bcrash \(nowhere=0x0\).*\n#\d+ .*\bobey \(')
    expect(said[7], r'\bcrash \(nowhere=0x0\)')


def test_running(host):
    with Victim(host, 'waits') as victim:
        said = attach(victim, 'break stand_here', victim.telling('s'), 'continue', 'tractor task reader', 'next',
                      'frame', 'info tractor', 'tractor bt main', 'tractor task reader',
                      'tractor task main', 'print argument', 'tractor task', 'print argument', 'delete', 'detach')
        # A step is of what runs, and not of what is looked at.
        expect(said[3], 'read_pipe')
        expect(said[5], r'^#0 +stand_here \(argument=21\)')
        said = said[6:]
        expect(fetch_row(said[0], 'main')[1], r'^running +run_waits +← here$')
        expect(said[1], r'^#\d+ .*stand_here \(argument=21\) at .*\n#\d+ .*obey ')
        expect_not(said[1], 'task_main')
        expect(said[2], 'read_pipe')
        expect(said[3], r'stand_here \(argument=21\)')
        for i in (4, 6):
            expect(said[i], r'^\$\d+ = 21$')
        assert victim.process.stdout.readline() == 'stood\n'


def test_break_task(host):
    with Victim(host, 'waits') as victim:
        said = attach(victim, 'tractor break-task event', victim.telling('w'), 'continue', 'print answer', 'frame', 'info breakpoints', 'detach')
        expect(said[3], r'^\$\d+ = 42$')
        expect(said[4], r'^#0 .*wait_for_event')
        expect(said[5], r'No breakpoints')
        said = attach(victim, 'tractor bt event -full')
        expect(said[0], r'answer = 43$')


def test_nested_loop():
    """Two tasks run: one in the tick of the loop that the other has on its stack."""
    with Victim('glib', 'nested') as victim:
        said = attach(victim, 'break stand_here', victim.telling('s'), 'continue', 'info tractor', 'tractor bt below', 'tractor task below',
                      'print depth', 'delete', 'tractor task', 'detach')
        said = said[1:]
        expect(fetch_row(said[2], 'main')[1], r'^running .*← here$')
        expect(fetch_row(said[2], 'below')[1], r'^running +run_loop$')
        expect(said[3], r'^#\d+ .*g_main_loop_run .*\n#\d+ .*run_loop ')
        expect(said[5], r'^\$\d+ = 1$')
        expect(said[7], r'stand_here')


def test_inlined(host):
    """Frames that are inlined into the thread's innermost one are not the task's, also not those that gdb numbers below."""
    with Victim(host, 'waits', program=OPTIMIZED) as victim:
        said = attach(victim, 'break add_inlined', victim.telling('s'), 'continue', 'bt 2', 'tractor bt event',
                      'tractor task event', 'backtrace', 'print answer', 'tractor task', 'tractor break-task event', 'delete',
                      'detach')
        expect(said[3], r'^#0 .*add_inlined .*\n#1 .*stand_here ')
        for i in (4, 6):
            expect(said[i], r'^#\d+ .*tractor_event_wait .*\n#\d+ .*wait_for_event ')
            expect_not(said[i], r'stand_here|add_inlined|obey')
        expect(said[7], r'^\$\d+ = 42$')
        expect(said[8], r'^#0 .*add_inlined ')
        expect(said[9], r'^Temporary breakpoint \d+ at .*victim\.c')


def test_two_guests():
    with Victim('builtin', 'guests') as victim:
        said = attach(victim, 'info tractor', 'tractor bt 2', 'tractor bt 2.2', 'tractor task there', 'print there',
                      'tractor scopes 2.2', 'tractor task')
        expect(said[0], r'^guest 1:\nno actor\n2 tasks\n *1\.1  main .*\n *1\.2    here .*\n'
                        r'guest 2:\nno actor\n2 tasks\n *2\.1  main .*\n *2\.2    there .*read_in_thread$')
        expect(said[1], r'There is a task 2 in each of several guests: say 1\.2 or 2\.2\.')
        expect(said[2], r'read_in_thread')
        expect(said[4], r'^\$\d+ = 99$')
        expect(said[5], r'^task 2\.2 there is in, from the inside:\n  nursery of task 2\.1 main  has task')


def strip_libraries():
    folder = f'{WORK}/stripped'
    if not os.path.isdir(folder):
        os.mkdir(folder)
        for name in os.listdir(BUILD):
            if re.fullmatch(r'libtractor(-glib|-uv)?-1\.so\.\d+\.\d+\.\d+', name):
                subprocess.run(['strip', '-o', f'{folder}/{name}', f'{BUILD}/{name}'], check=True)
                os.symlink(name, f'{folder}/{name.split(".so")[0]}.so.0')
        # As it is installed: DATADIR/gdb/auto-load/LIBDIR.
        auto_load = f'{WORK}/auto-load{os.path.realpath(folder)}'
        os.makedirs(auto_load)
        shutil.copy(f'{BUILD}/{LIBRARY}-gdb.py', auto_load)
    return folder


def test_stripped(host):
    folder = strip_libraries()
    first = (f'set auto-load scripts-directory {WORK}/auto-load', f'set auto-load safe-path {WORK}/auto-load')
    with Victim(host, 'waits', program=OPTIMIZED, env={'LD_LIBRARY_PATH': folder}) as victim:
        with open(f'/proc/{victim.pid}/maps') as maps:
            assert f'{folder}/{LIBRARY}' in maps.read()
        said = attach(victim, 'info tractor', 'tractor bt', 'tractor task event', 'print answer', 'tractor bt event -own',
                      'tractor task', first=first)
        check_info(said[0])
        check_backtraces(said[1])
        expect(said[3], r'^\$\d+ = 42$')
        expect(said[4], r'^#\d+ .*\?\? \(\)') # it is stripped
        assert '\n#' in said[4]


def test_gdbserver(host):
    if not shutil.which('gdbserver'):
        no_program('gdbserver')
    with Victim(host, 'waits') as victim:
        server = subprocess.Popen(['gdbserver', '--once', '--attach', 'localhost:0', str(victim.pid)], text=True,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            port = None
            while port is None:
                line = server.stderr.readline()
                assert line, 'gdbserver has ended'
                port = re.match(r'Listening on port (\d+)', line)
            said = gdb(f'target remote localhost:{port[1]}', 'info tractor', 'tractor bt', 'tractor task event', 'print answer',
                       'tractor task', 'detach', args=(VICTIM,), first=('set sysroot /',))
            server.wait(PATIENCE)
        finally:
            server.kill()
            server.communicate()
        check_info(said[1])
        check_backtraces(said[2])
        expect(said[4], r'^\$\d+ = 42$')


def test_ten_thousand():
    """Equal stacks are one, by what they are and not by their sizes, and soon."""
    with Victim('builtin', 'many', '10000') as victim:
        started = 'python import time; began = time.monotonic()'
        said = attach(victim, started, 'tractor bt', 'python print(time.monotonic() - began)', started, 'info tractor',
                      'python print(time.monotonic() - began)', 'tractor bt worker', 'tractor task worker')
        expect(said[1], r'^ *2-10001  worker  × 10,000  waiting +sleep +sleep_for_ever\b.*\n'
                        r'#\d+ .*tractor_sleep_until .*\n#\d+ .*sleep_for_ever ',
               r'roomy  × 8  .*use_large_room.*\n(#.*\n)*#\d+ .*sleep_in_room .*\n#\d+ .*use_large_room ',
               r'roomy  × 16  .*use_small_room.*\n(#.*\n)*#\d+ .*sleep_in_room .*\n#\d+ .*use_small_room ')
        assert len(re.findall('×', said[1])) == 3, said[1]
        expect(said[4], r'^ *2-10001 +worker  × 10,000 +waiting +sleep ', r'roomy  × 8 .*use_large_room', r'roomy  × 16 .*use_small_room')
        expect(said[6], r'× 10,000')
        expect(said[7], r'10000 tasks are called worker: say which by its id, of 2-10001')
        for i in (2, 5):
            assert float(said[i]) < 25, f'{said[i]} s'
        said = attach(victim, 'tractor bt', 'info tractor', env={'LC_ALL': 'C'})
        for text in said:
            expect(text, 'worker  x 10,000')


def test_layout():
    """What the library says of itself and the script reads, against the compiler's own word."""
    with Victim('builtin', 'many', '1') as victim:
        said = attach(victim, f'source {HERE}/layout-by-dwarf.py')
        expect(said[0], r'^\d+ fields agree$')


def test_wrong_arguments():
    rows = {
        'tractor bt 9999': r'There is no task 9999\. There are main, roomy, worker; ids are 1-\d+\.',
        'tractor bt nobody': r'There is no task nobody\.',
        'tractor bt -fill': r'There is no option -fill: tractor bt \[TASK\|all\] \[-full\] \[-own\]\.',
        'tractor bt two words': r'One task, or all:',
        'tractor task 0': r'There is no task 0\.',
        'tractor task 1 2': r'One task at a time: tractor task \[TASK\]',
        'tractor task': r'No task is looked at',
        'tractor scopes nobody': r'There is no task nobody\.',
        'tractor break-task': r'Which task\?',
        'tractor break-task nobody': r'There is no task nobody\.',
        'tractor tree 3': r'takes no arguments',
        'info tractor 3': r'takes no arguments',
        'tractor tree': r'No actor is in this process',
        'tractor': r'must be followed by the name of a subcommand',
        'tractor nothing': r'Undefined tractor command',
    }
    with Victim('builtin', 'many', '3') as victim:
        for (command, pattern), said in zip(rows.items(), attach(victim, *rows)):
            assert re.search(pattern, said), f'{command} says:\n{said}'


def test_without_tractor():
    script = f'source {BUILD}/{LIBRARY}-gdb.py'
    said = gdb(script, 'info tractor', 'tractor bt')
    for text in said[1:]:
        expect(text, r'^There is no process: "run" a program, "attach" to one')
    # Another script's commands of the same prefix stay.
    said = gdb('define-prefix tractor', r'python gdb.execute("define tractor other\necho of another\nend")', script,
               'tractor other', 'help tractor')
    expect(said[3], 'of another')
    expect(said[4], 'tractor other', 'tractor bt')
    other = subprocess.Popen(['sleep', '1000'])
    try:
        said = gdb(script, 'info tractor', args=('-p', str(other.pid)))
        expect(said[1], r'^There is no tractor in this process')
    finally:
        other.kill()
        other.wait()


def wait_until_it_polls(pid):
    """Its loop does that when no task can go on."""
    polls = {'x86_64': ('7', '232', '281', '441'), 'aarch64': ('22', '73', '441')}[os.uname().machine]
    end = time.monotonic() + PATIENCE
    while True:
        with open(f'/proc/{pid}/syscall') as file:
            if file.read().split()[0] in polls:
                return
        assert time.monotonic() < end, 'it does not come to rest'
        time.sleep(0.01)


def blur(text):
    """Without what differs from one run, compiler and line of the library to the next."""
    text = re.sub(r'^#\d+ +(?:0x\w+ in )?(\w+) \(.*\) at \.\./.*$', r'# \1 of the library', text, flags=re.M)
    text = re.sub(r'^#\d+ +(0x\w+ in )?', '# ', text, flags=re.M)
    return re.sub(r'0x[0-9a-f]+', '0x..', text).strip()


def test_page():
    """docs/debugging.md: its program is compiled, and gdb asked what the page asks, and says what the page shows."""
    with open(f'{HERE}/../../docs/debugging.md') as file:
        page = file.read()
    source = re.search(r'^```c hang\.c\n(.*?)^```$', page, re.M | re.S)[1]
    shown = ''.join(re.findall(r'^```console hang\.c\n(.*?)^```$', page, re.M | re.S))
    with open(f'{WORK}/hang.c', 'w') as file:
        file.write(source)
    flags = subprocess.run(['pkg-config', '--cflags', '--libs', 'glib-2.0'], text=True, check=True, stdout=subprocess.PIPE)
    subprocess.run(['cc', '-std=gnu11', '-g', '-I', f'{HERE}/../../guest', '-I', f'{HERE}/../../hosts/builtin', 'hang.c', '-o',
                    'hang', f'{BUILD}/libtractor-1.so', f'-Wl,-rpath,{BUILD}', *flags.stdout.split()], cwd=WORK, check=True)
    commands = re.findall(r'^\(gdb\) (.*)$', shown, re.M)
    process = subprocess.Popen(['./hang'], cwd=WORK)
    try:
        wait_until_it_polls(process.pid)
        said = gdb(*commands, args=('-p', str(process.pid)))
    finally:
        process.kill()
        process.wait()
    said = ''.join(f'(gdb) {command}\n{text}\n' for command, text in zip(commands, said))
    assert blur(said) == blur(shown), f'the page shows\n{shown}\nand gdb says\n{said}'


def test_ucontext(host):
    """The lists are the same, and instead of stacks it is said why there are none."""
    with Victim(host, 'waits') as victim:
        said = attach(victim, 'break stand_here', victim.telling('s'), 'continue', 'info tractor', 'tractor task event', 'tractor bt event',
                      'tractor bt main', 'tractor bt', 'delete', 'detach')
        said = said[1:]
        check_info(said[2])
        for i in (3, 4):
            expect(said[i], r'The stacks of tasks that do not run cannot be read')
        expect(said[5], r'^#\d+ .*stand_here \(argument=21\)')
        expect(said[6], r'stand_here \(argument=21\)', r'The stacks of tasks that do not run cannot be read')


# --- all of it -------------------------------------------------------------------------------------------------------

def no_program(name):
    if os.environ.get('CI'):
        raise AssertionError(f'there is no {name}, and in CI there has to be')
    raise Skipped(f'there is no {name}: NOTHING OF WHAT NEEDS IT HAS BEEN TESTED')


# As victims do, where the kernel asks for that (Yama): PR_SET_PTRACER, PR_SET_PTRACER_ANY.
LETS_TRACE = '''
import ctypes, signal
ctypes.CDLL(None).prctl(0x59616d61, ctypes.c_ulong(-1), 0, 0, 0)
print('.', flush=True)
signal.pause()
'''


def test_may_trace():
    """The rest says nothing, or little, without this."""
    other = subprocess.Popen([sys.executable, '-c', LETS_TRACE], stdout=subprocess.PIPE)
    try:
        other.stdout.read(1)
        said = gdb('info threads', args=('-p', str(other.pid)))[0]
        assert re.search(r'^\* 1 ', said, re.M), (
            'gdb may not look at a process of ours: ptrace is not allowed here (a container without CAP_SYS_PTRACE, '
            f'a seccomp profile, or /proc/sys/kernel/yama/ptrace_scope), and these tests need it. It said:\n{said}')
    finally:
        other.kill()
        other.wait()


def main():
    if not shutil.which('gdb'):
        if os.environ.get('CI'):
            print('Bail out! there is no gdb, and in CI there has to be')
            sys.exit(1)
        print('1..0 # SKIP there is no gdb: NOTHING OF THE DEBUGGER HAS BEEN TESTED')
        return
    check('may-trace', test_may_trace)
    if n_failed:
        print('Bail out! processes may not be traced here')
        sys.exit(1)
    for host in HOSTS:
        if SWITCH == 'ucontext':
            check(f'ucontext-says-so/{host}', test_ucontext, host)
            continue
        try:
            live = Live(host)
        except Exception:
            live = None
            check(f'session/{host}', lambda: Live(host))
        if live is not None:
            check(f'lists-every-wait/{host}', test_lists, live)
            check(f'stacks/{host}', test_stacks, live)
            check(f'own-stacks/{host}', test_own_stacks, live)
            check(f'looks-from-a-task/{host}', test_looks_from_a_task, live)
            check(f'keeps-the-frame/{host}', test_keeps_the_frame, live)
            check(f'scopes/{host}', test_scopes, live)
            check(f'tree/{host}', test_tree, live)
            check(f'core/{host}', test_core, live)
        check(f'run/{host}', test_run, host)
        check(f'crash-core/{host}', test_crash_core, host)
        check(f'running/{host}', test_running, host)
        check(f'break-task/{host}', test_break_task, host)
        check(f'inlined/{host}', test_inlined, host)
        check(f'stripped/{host}', test_stripped, host)
        check(f'gdbserver/{host}', test_gdbserver, host)
    if SWITCH == 'assembly':
        check('nested-loop', test_nested_loop)
        check('two-guests', test_two_guests)
        check('ten-thousand', test_ten_thousand)
        check('wrong-arguments', test_wrong_arguments)
        check('page', test_page)
    check('layout', test_layout)
    check('without-tractor', test_without_tractor)
    print(f'1..{n_tests}')


try:
    main()
finally:
    shutil.rmtree(WORK, ignore_errors=True)
sys.exit(1 if n_failed else 0)
