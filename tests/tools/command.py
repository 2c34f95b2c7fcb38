#!/usr/bin/env python3
"""command.py TRACTOR PROGRAM STATIC-PROGRAM SOURCE BUILD - the command `tractor`, on real trees of real processes; says TAP.

Each test has a runtime directory of its own, and is held to leaving nothing: no process, no socket. As root, programs
and command run as a user that nobody else is, so that no other tree is seen, and none is touched. "stacks" after these
is whether the build can tell what a suspended task has on its stack."""
# SPDX-License-Identifier: LGPL-2.1-or-later
import contextlib
import ctypes
import json
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
import time
import traceback

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), '../debug'))

import terminal
import timeline

TRACTOR, PROGRAM, STATIC_PROGRAM, SOURCE, BUILD = map(os.path.abspath, sys.argv[1:6])
HAS_STACKS = 'stacks' in sys.argv[6:]
IS_ROOT = os.geteuid() == 0
# Of nobody else, nor of another run at the same time.
UID = 200000 + os.getpid() % 100000 if IS_ROOT else os.geteuid()
# Only an upper bound: a busy machine.
PATIENCE = 60

libc = ctypes.CDLL(None)
libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: whatever is left comes to us


class Skip(Exception):
    pass


# --- trees and the command -------------------------------------------------------------------------------------------

def as_user(uid=None):
    """Arguments for subprocess: another user than root."""
    if not IS_ROOT:
        return {}
    uid = UID if uid is None else uid
    return {'user': uid, 'group': uid, 'extra_groups': []}


class Place:
    """A runtime directory, and what runs in it."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix='tools-')
        os.chmod(self.path, 0o700)
        if IS_ROOT:
            os.chown(self.path, UID, UID)
        self.env = {**os.environ, 'XDG_RUNTIME_DIR': self.path, 'LC_ALL': 'C.UTF-8', 'NO_COLOR': '',
                    'LD_LIBRARY_PATH': BUILD, 'TERM': 'xterm', 'PYTHONDONTWRITEBYTECODE': '1'}
        self.env.pop('TRACTOR_TRANSPORT', None)
        self.trees = []

    def sockets(self):
        try:
            return sorted(os.listdir(self.path + '/tractor'))
        except FileNotFoundError:
            return []

    def start(self, *arguments, program=PROGRAM, env={}, **options):
        """A tree that is all there. Returns: its root."""
        tree = subprocess.Popen([program, *arguments], env={**self.env, **env}, stdout=subprocess.PIPE, text=True, **as_user(),
                                **options)
        self.trees.append(tree)
        line = tree.stdout.readline()
        assert line == 'ready\n', line
        return tree

    def tractor(self, *arguments, status=0, env={}, **options):
        """Returns: what it writes to stdout, and to stderr."""
        run = subprocess.run([TRACTOR, *map(str, arguments)], env={**self.env, **env}, text=True, timeout=PATIENCE,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             **{**as_user(), **options})
        assert run.returncode == status, f'status {run.returncode}, not {status}: {run.stdout}{run.stderr}'
        return run.stdout, run.stderr

    def ask(self, *arguments, **options):
        """Returns: the objects that it writes with --json."""
        return [json.loads(line) for line in self.tractor(*arguments, '--json', **options)[0].splitlines()]

    def end(self):
        for tree in self.trees:
            if tree.poll() is None:
                tree.terminate()
                tree.send_signal(signal.SIGCONT)
            tree.wait(PATIENCE)
            tree.stdout.close()
        reap_orphans()
        left = self.sockets()
        # A program that was killed leaves its socket to the next root of its user.
        dead = [name for name in left if not is_listening(f'{self.path}/tractor/{name}')]
        shutil.rmtree(self.path)
        assert left == dead, f'sockets are left that somebody is behind: {left}'


def is_listening(path):
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(path) == 0


def reap_orphans():
    """Waits for all that has come to us: actors that have lost their parents end by themselves."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            assert time.monotonic() < deadline, 'processes are left: ' + subprocess.run(
                ['ps', '-o', 'pid,stat,args', '--ppid', str(os.getpid())], capture_output=True, text=True).stdout
            time.sleep(0.01)


def state(pid):
    with open(f'/proc/{pid}/stat') as f:
        return f.read().rpartition(')')[2].split()[0]


def is_running(pid):
    try:
        return state(pid) != 'Z'
    except (FileNotFoundError, ProcessLookupError):  # the second: it has ended since the file was opened
        return False


def is_gone(pid):
    return not is_running(pid)


def until(condition, *arguments):
    deadline = time.monotonic() + PATIENCE
    while not condition(*arguments):
        assert time.monotonic() < deadline, 'in vain'
        time.sleep(0.005)


def stop(pid):
    os.kill(pid, signal.SIGSTOP)
    until(lambda: state(pid) == 'T')


@contextlib.contextmanager
def stopped(pid):
    stop(pid)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def lines(text):
    return [line for line in text.splitlines() if line.strip()]


def check_text_is_json(text, actors):
    """Line by line, what is for people says what is for programs."""
    shown = lines(text)
    assert len(shown) == len(actors), text
    for line, actor in zip(shown, actors):
        assert line.split()[0] == str(actor['pid']), (line, actor)
        assert f' {actor["name"]} ' in line, (line, actor)
        assert ('does not answer' in line) == (actor['answers'] is False), (line, actor)


tests = []


def test(function):
    tests.append(function)
    return function


# --- how it is called ------------------------------------------------------------------------------------------------

def commands(place):
    help_text = place.tractor('--help')[0]
    return re.findall(r'^  (\w+) ', help_text, re.M)


def options_of(place, command):
    help_text = place.tractor(command, '--help')[0]
    return set(re.findall(r'(?<![\w-])--[a-z][a-z-]*', help_text.split('Application Options:')[1]))


@test
def help_of_each_command(place):
    assert commands(place) == ['tree', 'dump', 'top', 'attach', 'core', 'run', 'kill', 'reap', 'trace']
    for command in commands(place):
        text, complaints = place.tractor(command, '--help')
        assert f'tractor {command} [OPTION' in text and ('--json' in text or command in ('attach', 'core', 'run', 'trace')) and complaints == '', text
    assert place.tractor('-h')[0] == place.tractor('help')[0] == place.tractor('--help')[0]
    assert place.tractor('help', 'dump')[0] == place.tractor('dump', '--help')[0]
    assert "no command 'dance'" in place.tractor('help', 'dance', status=2)[1]


@test
def version(place):
    assert re.fullmatch(r'tractor \d+\.\d+\.\d+\n', place.tractor('--version')[0])


@test
def usage_errors(place):
    for arguments, said in (((), 'usage:'), (('dance',), "no command 'dance'"), (('\033[31m',), r"'\x1b[31m'"),
                            (('tree', '--wrong'), 'Unknown option --wrong'), (('tree', 'x'), "'x' is not the number"),
                            (('tree', '-1'), 'Unknown option'), (('tree', '0'), "'0' is not the number"),
                            (('attach',), 'missing, or --next'), (('attach', '--next', '1'), '--next a process'),
                            (('attach', '--mi', '--shell', '1'), 'exclude each other'),
                            (('tree', '1', '2'), "'2' is too much"), (('reap', '1'), "'1' is too much"),
                            (('dump',), 'is missing'), (('kill',), 'is missing'), (('run', '--debug'), 'is missing'), (('top',), 'Without a terminal'),
                            (('tree', '99999999999999999999'), 'is not the number')):
        text, complaints = place.tractor(*arguments, status=2)
        assert said in complaints and text == '' and '\033' not in complaints, (arguments, complaints)


@test
def a_full_disk_is_an_error(place):
    tree = place.start()
    with open('/dev/full', 'w') as full:
        run = subprocess.run([TRACTOR, 'tree', str(tree.pid)], env=place.env, stdout=full, stderr=subprocess.PIPE,
                             text=True, timeout=PATIENCE, **as_user())
    assert run.returncode == 1 and 'could not be written' in run.stderr, run


@test
def completion_knows_all(place):
    """Both shells: every command, and every option of each."""
    for shell, file in (('bash', 'tractor.bash'), ('zsh', '_tractor')):
        with open(f'{SOURCE}/tools/tractor/{file}') as f:
            script = f.read()
        for command in commands(place):
            assert re.search(rf'\b{command}\b', script), (shell, command)
            for option in options_of(place, command):
                assert option in script, (shell, command, option)
        assert 'help' in re.findall(r'\w+', script.replace('--help', '')), shell


def complete(words, env):
    """What bash offers for the last of @words."""
    script = (f'source {SOURCE}/tools/tractor/tractor.bash; COMP_WORDS=({" ".join(words)}); '
              f'COMP_CWORD={len(words) - 1}; PATH={os.path.dirname(TRACTOR)}:$PATH; _tractor; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    words = subprocess.run(['bash', '--norc', '-c', script], env=env, capture_output=True, text=True, timeout=PATIENCE,
                           **as_user())
    assert words.stderr == '', words.stderr
    return set(words.stdout.split())


@test
def completion_in_bash(place):
    assert complete(['tractor', "''"], place.env) >= set(commands(place))
    assert complete(['tractor', 'tr'], place.env) == {'tree', 'trace'}
    assert complete(['tractor', 'hel'], place.env) == {'help'}
    assert complete(['tractor', 'help', "''"], place.env) == set(commands(place))
    assert complete(['tractor', 'run', '--debug', '=', 'o'], place.env) == {'origins'}
    assert '1' in complete(['tractor', 'run', '--debug', '='], place.env)
    for letter, command in (('o', 'dump'), ('o', 'trace'), ('t', 'trace'), ('n', 'reap')):
        assert f'-{letter}' in complete(['tractor', command, '-'], place.env), command
    with open(place.path + '/some.ring', 'w'):
        pass
    for words in (['trace', '--merge'], ['trace', '-o'], ['dump', '-o'], ['run', '--trace'], ['core'], ['core', '--program', '=']):
        assert complete(['tractor', *words, place.path + '/so'], place.env) == {place.path + '/some.ring'}, words
    assert complete(['tractor', 'trace', '-t', "''"], place.env) == set()
    assert 'true' in complete(['tractor', 'trace', '-o', 'x', '--', 'tru'], place.env)
    for command in commands(place):
        assert complete(['tractor', command, '--'], place.env) == options_of(place, command) | {'--help'}, command
    tree = place.start()
    assert complete(['tractor', 'tree', "''"], place.env) >= {str(tree.pid)}
    assert complete(['tractor', 'reap', "''"], place.env) == set()


@test
def manual_knows_all(place):
    with open(f'{SOURCE}/tools/tractor/tractor.1') as f:
        manual = f.read()
    assert '.Ss tractor help' in manual and '.It Ev TRACTOR_DEBUGGER' in manual
    for command in commands(place):
        section = manual.split(f'.Ss tractor {command}')[1].split('.Ss')[0]
        for option in options_of(place, command) - {'--help'}:
            assert f'.It Fl -{option[2:]}' in section or f'Fl -{option[2:]}' in section, (command, option)
    if shutil.which('mandoc'):
        subprocess.run(['mandoc', '-Tlint', '-Wwarning', f'{SOURCE}/tools/tractor/tractor.1'], check=True, timeout=PATIENCE)
    elif shutil.which('groff'):
        run = subprocess.run(['groff', '-mandoc', '-Tutf8', '-ww', f'{SOURCE}/tools/tractor/tractor.1'],
                             capture_output=True, text=True, timeout=PATIENCE)
        assert run.returncode == 0 and run.stderr == '', run.stderr


# --- tree ------------------------------------------------------------------------------------------------------------

def check_three_levels(place, *arguments):
    tree = place.start('--levels', '2', '--width', '2', *arguments)
    before = place.sockets()
    actors = place.ask('tree', tree.pid)
    assert [(a['depth'], a['name']) for a in actors] == [
        (0, 'root'), (1, 'root.1'), (2, 'root.1.1'), (2, 'root.1.2'), (1, 'root.2'), (2, 'root.2.1'), (2, 'root.2.2')]
    by_pid = {a['pid']: a for a in actors}
    assert actors[0]['pid'] == tree.pid == actors[0]['tree'] and actors[0]['parent'] is None
    assert actors[0]['command'].startswith(PROGRAM)
    for actor in actors[1:]:
        assert by_pid[actor['parent']]['depth'] == actor['depth'] - 1
        with open(f'/proc/{actor["pid"]}/stat') as f:
            assert int(f.read().rpartition(')')[2].split()[1]) == actor['parent']
    assert all(a['state'] == 'running' and a['answers'] and not a['python'] for a in actors)
    assert len({a['uuid'] for a in actors}) == 7
    check_text_is_json(place.tractor('tree', tree.pid)[0], actors)
    # Whichever of its processes is named; and nobody is waited for in vain.
    times = []
    for actor in actors:
        started = time.monotonic()
        assert [a['pid'] for a in place.ask('tree', actor['pid'])] == list(by_pid)
        times.append(time.monotonic() - started)
    print(f'# a tree of 7 actors: {min(times):.3f} to {max(times):.3f} s')
    assert min(times) < 2, times
    assert place.sockets() == before  # nothing of the command's own, and nothing of theirs taken away
    return tree, actors


@test
def tree_of_three_levels(place):
    tree, actors = check_three_levels(place)
    text = place.tractor('tree', tree.pid)[0]
    assert [re.sub(r'^ *\d+  | +running.*', '', line) for line in lines(text)] == [
        'root', '├ root.1', '│ ├ root.1.1', '│ └ root.1.2', '└ root.2', '  ├ root.2.1', '  └ root.2.2'], text
    ascii_text = place.tractor('tree', tree.pid, env={'LC_ALL': 'C'})[0]
    assert ascii_text.isascii() and '| `-root.1.2' in ascii_text, ascii_text


@test
def tree_on_tcp(place):
    tree, actors = check_three_levels(place, '--tcp')
    assert place.sockets() == []
    assert actors[0]['address'].startswith('tcp://127.0.0.1:')


@test
def tree_of_a_daemon(place):
    check_three_levels(place, '--daemon')


@test
def all_trees_of_the_user(place):
    if not IS_ROOT:
        raise Skip('other trees of this user may come and go')
    trees = [place.start('--levels', '1'), place.start('--tcp'), place.start()]
    actors = place.ask('tree')
    assert {a['tree'] for a in actors} == {tree.pid for tree in trees}
    assert len(actors) == 4
    text = place.tractor('tree')[0]
    assert text.count('\n\n') == 2
    check_text_is_json(text, actors)


@test
def no_tree_at_all(place):
    place.tractor('tree', 1, status=3)
    place.tractor('tree', os.getpid(), status=3)
    place.tractor('kill', 2 ** 30, status=3)
    _, complaints = place.tractor('dump', 2 ** 30, status=3)
    assert 'There is no process' in complaints
    if IS_ROOT:
        text, complaints = place.tractor('tree', status=3)
        assert text == '' and 'There is no tree' in complaints
    place.tractor('reap')
    assert os.listdir(place.path) == []  # and the directory is not made


@test
def tree_of_two_hundred(place):
    tree = place.start('--levels', '1', '--width', '199')
    started = time.monotonic()
    actors = place.ask('tree', tree.pid)
    took = time.monotonic() - started
    print(f'# a tree of {len(actors)} actors: {took:.2f} s')
    assert len(actors) == 200 and all(a['answers'] for a in actors)
    assert took < 20, took


@test
def one_that_is_stopped(place):
    tree = place.start('--levels', '2', '--width', '2')
    pid = {a['name']: a['pid'] for a in place.ask('tree', tree.pid)}
    for name, below in (('root.1', ['root.1.1', 'root.1.2']), ('root.2.2', []),
                        ('root', ['root.1', 'root.1.1', 'root.1.2', 'root.2', 'root.2.1', 'root.2.2'])):
        with stopped(pid[name]):
            started = time.monotonic()
            actors = {a['name']: a for a in place.ask('tree', tree.pid)}
            took = time.monotonic() - started
            print(f'# with {name} stopped: {took:.2f} s')
            assert took < 5, took
            assert set(actors) == set(pid), actors  # also those below it, who answer
            assert {a for a in actors if actors[a]['answers'] is False} == {name}, actors
            assert actors[name]['process'] == 'T' and actors[name]['uuid'] is not None
            for child in below:
                assert actors[child]['answers'] is True, actors[child]
            text = place.tractor('tree', tree.pid)[0]
            check_text_is_json(text, list(actors.values()))
            assert f'{name} ' in next(line for line in lines(text) if 'does not answer (stopped)' in line), text
    assert all(a['answers'] for a in place.ask('tree', tree.pid))


@test
def all_are_stopped(place):
    tree = place.start('--levels', '2')
    pids = [a['pid'] for a in place.ask('tree', tree.pid)]
    with contextlib.ExitStack() as stack:
        for pid in pids:
            stack.enter_context(stopped(pid))
        actors = place.ask('tree', tree.pid)
        assert [a['pid'] for a in actors] == pids and not any(a['answers'] for a in actors), actors
        assert [a['name'] for a in actors] == ['root', 'root.1', 'root.1.1']


@test
def one_that_computes(place):
    tree = place.start('--levels', '1', 'spins')
    until(lambda: place.ask('tree', tree.pid)[1]['answers'] is False)
    text = place.tractor('tree', tree.pid)[0]
    assert 'does not answer (computes)' in text, text


@test
def a_python_actor(place):
    if subprocess.run(['/usr/bin/python3', '-c', 'import msgpack'], stderr=subprocess.DEVNULL).returncode != 0:
        raise Skip('/usr/bin/python3 has no msgpack')
    tree = place.start('--levels', '1', '--python', f'{SOURCE}/tests/interop/peer.py')
    actors = place.ask('tree', tree.pid)
    snake = actors[2]
    assert snake['name'] == 'snake' and snake['python'] and snake['answers'] is None, actors
    text = place.tractor('tree', tree.pid)[0]
    assert 'running, python: what is below is not seen' in text, text
    text = place.tractor('dump', tree.pid)[0]
    assert f'py-spy dump --pid {snake["pid"]}' in text, text
    assert [a['readable'] for a in place.ask('dump', tree.pid)] == [True, True, False]


@test
def colours_on_a_terminal_only(place):
    tree = place.start()

    def on_a_terminal(**env):
        leader, follower = pty.openpty()
        run = subprocess.run([TRACTOR, 'tree', str(tree.pid)], env={**place.env, **env}, stdin=follower, stdout=follower,
                             timeout=PATIENCE, **as_user())
        os.close(follower)
        text = b''
        with contextlib.suppress(OSError):
            while part := os.read(leader, 4096):
                text += part
        os.close(leader)
        assert run.returncode == 0
        return text

    assert b'\033[32mrunning\033[0m' in on_a_terminal()
    assert b'\033' not in on_a_terminal(NO_COLOR='1')
    assert b'\033' not in on_a_terminal(TERM='dumb')
    assert '\033' not in place.tractor('tree', tree.pid)[0]


@test
def of_another_user(place):
    if not IS_ROOT:
        raise Skip('only root can be somebody else')
    tree = place.start()
    other = as_user(UID + 100000)
    _, complaints = place.tractor('tree', tree.pid, status=4, **other)
    assert 'Permission denied' in complaints or 'another user' in complaints, complaints
    os.chmod(place.path, 0o755)
    _, complaints = place.tractor('tree', tree.pid, status=4, **other)
    place.tractor('reap', status=4, **other)
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o700)
        os.chown(directory, UID + 100000, UID + 100000)
        theirs = {'XDG_RUNTIME_DIR': directory}
        place.tractor('tree', tree.pid, status=3, env=theirs, **other)
        place.tractor('kill', tree.pid, status=3, env=theirs, **other)
        _, complaints = place.tractor('dump', tree.pid, status=4, env=theirs, **other)
        assert "another user's" in complaints, complaints
        place.tractor('reap', '--kill', env=theirs, **other)
    os.chmod(place.path, 0o700)
    assert tree.poll() is None and len(place.sockets()) == 1


@test
def directory_that_is_open_to_others(place):
    tree = place.start()
    os.chmod(place.path + '/tractor', 0o777)
    _, complaints = place.tractor('tree', tree.pid, status=4)
    assert 'is open to other users' in complaints, complaints
    os.chmod(place.path + '/tractor', 0o700)


@test
def a_pipe_in_the_place_of_a_file_holds_nobody(place):
    """Nobody writes to it."""
    tree = place.start()
    pipe = place.path + '/tractor/debug-of-nobody.page'
    os.mkfifo(pipe)
    os.chown(pipe, *[UID if IS_ROOT else -1] * 2)
    assert place.ask('tree', tree.pid)[0]['answers']
    assert "debug-of-nobody.page': " in place.tractor('trace', '--merge', pipe, '-o', place.path + '/out.json', status=1)[1]
    os.unlink(pipe)


@test
def the_command_leaves_nothing(place):
    """Not even where it is killed while it asks."""
    tree = place.start('--levels', '1')
    before = place.sockets()
    with stopped(tree.pid):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            run = subprocess.Popen([TRACTOR, 'tree', str(tree.pid)], env=place.env, stdout=subprocess.PIPE, **as_user())
            time.sleep(0.1)  # wherever it is then
            run.send_signal(number)
            run.communicate(timeout=PATIENCE)
            assert place.sockets() == before
    assert place.ask('tree', tree.pid)[0]['answers']


# --- reap ------------------------------------------------------------------------------------------------------------

def leave_sockets(place):
    """Kills a root and its child at once. Returns: what they leave."""
    tree = place.start('--levels', '1')
    pids = [a['pid'] for a in place.ask('tree', tree.pid)]
    left = place.sockets()
    for pid in pids:
        stop(pid)  # or the child sees its parent die, and cleans up
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    tree.wait(PATIENCE)
    reap_orphans()
    assert len(left) == 2 and place.sockets() == left
    return left


@test
def row_118_reaps_dead_sockets(place):
    left = leave_sockets(place)
    directory = place.path + '/tractor'
    with socket.socket(socket.AF_UNIX) as listener:
        # What is not an actor's, or is in use, or is no socket.
        for name in ('other.sock', 'snake@1.sock.bak'):
            with socket.socket(socket.AF_UNIX) as s:
                s.bind(f'{directory}/{name}')
        with open(f'{directory}/0123456789abcdef.sock', 'w'):
            pass
        listener.bind(f'{directory}/fedcba9876543210.sock')
        listener.listen()
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(f'{directory}/snake@{2 ** 30}.sock')
        if IS_ROOT:
            for name in os.listdir(directory):
                os.chown(f'{directory}/{name}', UID, UID)
        before = place.sockets()
        dead = sorted([*left, f'snake@{2 ** 30}.sock'])
        found = place.ask('reap', '--dry-run')
        sockets = [f for f in found if f['kind'] == 'socket']
        assert sorted(os.path.basename(f['path']) for f in sockets) == dead, found
        assert all(f['action'] == 'none' for f in sockets)
        assert place.sockets() == before
        text = place.tractor('reap', '-n')[0]
        assert text.count('nobody is behind it') == 3, text
        text = place.tractor('reap')[0]
        assert text.count('removed') == 3, text
        assert place.sockets() == sorted(set(before) - set(dead))
        assert [f for f in place.ask('reap') if f['kind'] == 'socket'] == []
    for name in place.sockets():
        os.unlink(f'{directory}/{name}')


@test
def reap_takes_away_dumps_and_files_of_debug_mode_of_dead_trees(place):
    tree = place.start()
    directory = place.path + '/tractor'
    page = struct.Struct('=60xi592x')  # DebugPage, of which this is the number of the broker: whoever changes it, comes here
    dead, living = 2 ** 30, tree.pid
    files = {f'tractor-dump-{dead}.log': b'a dump', f'tractor-dump-{living}.log': b'a dump', f'tractor-dump-{dead}.log.bak': b'',
             f'tractor-dump-{dead}x.log': b'', 'debug-dead.page': page.pack(dead), 'debug-living.page': page.pack(living),
             'debug-new.page': page.pack(0), 'debug-other.page': b'something else'}
    for name, content in files.items():
        with open(f'{directory}/{name}', 'wb') as file:
            file.write(content)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.bind(f'{directory}/debug-dead.sock')
    if IS_ROOT:
        for name in [*files, 'debug-dead.sock']:
            os.chown(f'{directory}/{name}', UID, UID)
        os.symlink('nowhere', f'{directory}/tractor-dump-{dead - 1}.log')
        with open(f'{directory}/tractor-dump-{dead - 2}.log', 'w'):
            pass  # root's
    before = place.sockets()
    found = [(f['kind'], os.path.basename(f['path']), f['action']) for f in place.ask('reap', '--dry-run')]
    wanted = [('dump', f'tractor-dump-{dead}.log'), ('page', 'debug-dead.page'), ('socket', 'debug-dead.sock')]
    assert sorted(found) == [(*one, 'none') for one in wanted], found
    assert place.sockets() == before
    text = place.tractor('reap')[0]
    assert sorted(line.split(' ')[0] for line in text.splitlines() if line.endswith(': nobody was behind it, removed')) == [
        'dump', 'page', 'socket'], text
    assert sorted(set(before) - set(place.sockets())) == sorted(name for _, name in wanted)
    assert place.tractor('reap')[0] == 'Nothing is left of dead trees\n'
    for name in set(before) - {name for _, name in wanted}:
        if not name.endswith('.sock'):
            os.unlink(f'{directory}/{name}')


@test
def reap_leaves_living_trees_alone(place):
    tree = place.start('--levels', '1')
    before = place.sockets()
    pids = [a['pid'] for a in place.ask('tree', tree.pid)]
    with stopped(pids[1]):  # who is stopped lives
        text = place.tractor('reap', '--dry-run')[0]
        assert str(pids[1]) not in text
        if IS_ROOT:
            text = place.tractor('reap', '--kill')[0]
            assert text == 'Nothing is left of dead trees\n', text
    assert place.sockets() == before
    assert [a['pid'] for a in place.ask('tree', tree.pid) if a['answers']] == pids


@test
def asking_takes_no_dead_sockets_away(place):
    """They are reap's, and may be looked at before."""
    left = leave_sockets(place)
    place.tractor('tree', 1, status=3)
    assert place.sockets() == left


@test
def row_118_reaps_strays(place):
    if not IS_ROOT:
        raise Skip('strays of other trees of this user may come and go')
    tree = place.start('--levels', '1', '--width', '2')
    actors = place.ask('tree', tree.pid)
    stray = actors[2]
    stop(stray['pid'])
    os.kill(tree.pid, signal.SIGKILL)
    tree.wait(PATIENCE)
    until(lambda: os.path.exists(f'/proc/{stray["pid"]}') and not is_running(actors[1]['pid']))
    found = [f for f in place.ask('reap', '-n') if f['kind'] == 'actor']
    assert [(f['pid'], f['name'], f['process'], f['action']) for f in found] == [
        (stray['pid'], 'root.2', 'T', 'none')], found
    text = place.tractor('reap', '--dry-run', '--kill')[0]
    assert 'its tree is gone' in text and state(stray['pid']) == 'T', text
    found = [f for f in place.ask('reap', '--kill') if f['kind'] == 'actor']
    assert [(f['pid'], f['action']) for f in found] == [(stray['pid'], 'ended')], found
    assert not is_running(stray['pid'])
    assert place.sockets() == []


# --- attach -----------------------------------------------------------------------------------------------------------

@test
def attach_is_gdb_with_the_commands(place):
    tree = place.start('--levels', '1')
    run = subprocess.run([TRACTOR, 'attach', str(tree.pid)], env=place.env, input='info tractor\nquit\n', capture_output=True,
                         text=True, timeout=PATIENCE, **as_user())
    assert run.returncode == 0 and re.search(r'actor root .*pid %d' % tree.pid, run.stdout), run
    assert '-gdb.py" auto-loading has been declined' not in run.stderr, run.stderr  # but perhaps a .gdbinit that is there
    run = subprocess.run([TRACTOR, 'attach', '--mi', str(tree.pid)], env=place.env, input='-gdb-exit\n', capture_output=True,
                         text=True, timeout=PATIENCE, **as_user())
    assert run.returncode == 0 and '^exit' in run.stdout, run
    assert tree.poll() is None  # it goes on


@test
def attach_needs_a_process_of_the_library(place):
    assert 'There is no process' in place.tractor('attach', 2 ** 30, status=3)[1]
    other = subprocess.Popen(['sleep', '1000'], **as_user())
    try:
        assert 'has not this library' in place.tractor('attach', other.pid, status=3)[1]
    finally:
        other.kill()
        other.wait()


@test
def attach_to_whoever_is_next_needs_a_terminal(place):
    place.start()
    assert 'no terminal here' in place.tractor('attach', '--next', status=1, start_new_session=True)[1]


@test
def attach_without_gdb_says_so_and_what_there_is(place):
    tree = place.start('--levels', '1')
    assert f'`tractor attach --shell {tree.pid}` needs none' in place.tractor('attach', tree.pid, status=1,
                                                                            env={'PATH': '/nonexistent'})[1]
    run = subprocess.run([TRACTOR, 'attach', '--shell', str(tree.pid)], env=place.env, input='tasks\nerror\ntree\nabandon\nq\n',
                         capture_output=True, text=True, timeout=PATIENCE, **as_user())
    assert run.returncode == 0 and run.stderr == '', run
    for said in ("'main' waiting for", 'Nobody waits in this process for a debugger', f'{tree.pid}  root  here', '`tractor kill`'):
        assert said in run.stdout, run
    assert tree.poll() is None  # it goes on


# --- core -------------------------------------------------------------------------------------------------------------

def look_at_core(place, *arguments):
    run = subprocess.run([TRACTOR, 'core', *arguments], env=place.env, input='info tractor\nquit\n', capture_output=True, text=True,
                         timeout=PATIENCE, **as_user())
    assert run.returncode == 0 and re.search(r'actor root \(', run.stdout), run
    return run.stdout


def cores_of_kernel(place, pid):
    """Where it writes them: elsewhere they are not ours to find."""
    return [path for path in (f'{place.path}/core', f'{place.path}/core.{pid}') if os.path.exists(path)]


@test
def core_is_gdb_with_the_program_and_the_commands(place):
    program = shutil.copy(PROGRAM, place.path + '/a program')
    os.chmod(program, 0o755)
    tree = place.start('-c', 'cd "$1" && ulimit -S -c hard && exec "$0"', program, place.path, program='/bin/bash')
    core = place.path + '/by gdb'
    subprocess.run(['gdb', '-q', '-nx', '-batch', '-p', str(tree.pid), '-ex', f'generate-core-file {core}'], check=True,
                   capture_output=True, timeout=PATIENCE, **as_user())
    tree.send_signal(signal.SIGSEGV)
    tree.wait(PATIENCE)
    look_at_core(place, core)  # in which there may be no stacks: see the script's own tests
    for path in cores_of_kernel(place, tree.pid):
        said = look_at_core(place, path)
        assert 'SIGSEGV' in said and re.search(r'1 +main +waiting', said), said
    os.unlink(program)
    complaint = place.tractor('core', core, status=1)[1]
    assert f'{program}, is not there: --program says where it is' in complaint, complaint
    look_at_core(place, '--program', PROGRAM, core)
    assert 'gdb cannot be started' in place.tractor('core', '--program', PROGRAM, core, status=1, env={'PATH': '/nonexistent'})[1]
    for length in (0, 10, 63, 64, 100, 1000, 3000):
        with open(core, 'rb') as whole, open(place.path + '/part', 'wb') as part:
            part.write(whole.read(length))
        os.chmod(place.path + '/part', 0o644)
        assert re.search('is no core|does not name', place.tractor('core', place.path + '/part', status=1)[1])


@test
def core_needs_one(place):
    assert 'is no core of this kind of machine' in place.tractor('core', PROGRAM, status=1)[1]
    assert 'No such file' in place.tractor('core', '/nonexistent', status=1)[1]
    assert 'The core is missing' in place.tractor('core', status=2)[1]
    assert 'One core at a time' in place.tractor('core', 'a', 'b', status=2)[1]


# --- kill ------------------------------------------------------------------------------------------------------------

@test
def kill_a_daemon(place):
    tree = place.start('--daemon', '--levels', '2')
    actors = place.ask('tree', tree.pid)
    ended = place.ask('kill', actors[2]['pid'])  # any process of it
    assert [(e['pid'], e['ended_by']) for e in ended] == [
        (a['pid'], 'parent' if a['parent'] else 'asked') for a in actors], ended
    assert tree.wait(PATIENCE) == 0
    assert place.sockets() == []


@test
def kill_a_program(place):
    """That does not end because somebody asks it to."""
    tree = place.start('--levels', '1')
    text = place.tractor('kill', tree.pid)[0]
    assert text.startswith("'root' was asked to end and does not (Actor 'root' is not cancelled from outside): it gets SIGTERM\n") and 'root: ended by SIGTERM' in text and 'root.1: ended with its parent' in text, text
    assert tree.wait(PATIENCE) == -signal.SIGTERM
    assert place.sockets() == []


@test
def kill_what_is_stopped(place):
    tree = place.start('--daemon', '--levels', '1')
    stop(tree.pid)
    text = place.tractor('kill', tree.pid)[0]
    assert 'does not answer' in text and 'root: ended by SIGTERM' in text, text  # which it has heard of
    tree = place.start('--daemon', '--levels', '1')
    actors = place.ask('tree', tree.pid)
    for actor in actors:
        stop(actor['pid'])
    text = place.tractor('kill', tree.pid)[0]
    assert 'does not answer' in text, text
    assert not any(is_running(a['pid']) for a in actors)


@test
def kill_now(place):
    tree = place.start('--daemon', '--levels', '1', '--width', '3')
    ended = place.ask('kill', '--now', tree.pid)
    assert [e['ended_by'] for e in ended] == ['SIGKILL'] * 4, ended
    assert tree.wait(PATIENCE) == -signal.SIGKILL


@test
def kill_leaves_other_trees_alone(place):
    one, other = place.start('--levels', '1'), place.start('--levels', '1')
    place.tractor('kill', one.pid)
    assert all(a['answers'] for a in place.ask('tree', other.pid))


# --- dump ------------------------------------------------------------------------------------------------------------

def functions(group):
    return [frame['function'] for frame in group['frames']]


def need_stacks():
    if not HAS_STACKS:
        raise Skip('this build cannot tell what a suspended task has on its stack')


@test
def dump_of_three_levels(place):
    tree = place.start('--levels', '2', '--tasks', '5')
    actors = place.ask('tree', tree.pid)
    dumped = place.ask('dump', tree.pid)
    assert [(d['pid'], d['name'], d['uuid'], d['depth']) for d in dumped] == [
        (a['pid'], a['name'], a['uuid'], a['depth']) for a in actors], dumped
    assert [d['parent'] for d in dumped] == [0, actors[0]['pid'], actors[1]['pid']]
    root = dumped[0]
    sleepers = [g for g in root['groups'] if g['name'].startswith('sleeper-')]
    assert sum(g['count'] for g in sleepers) == 5 and all(g['waits_for'] == 'sleep' for g in sleepers), sleepers
    assert root['tasks'] == sum(g['count'] for g in root['groups']) + root['left_out']
    main = next(g for g in root['groups'] if g['task'] == 1)
    assert main['state'] == 'waiting' and main['count'] == 1, main
    # Of the one that is named, and of those below it.
    assert [d['pid'] for d in place.ask('dump', actors[1]['pid'])] == [a['pid'] for a in actors[1:]]
    text = place.tractor('dump', tree.pid)[0]
    headings = re.findall(r"^actor '(.*)' \(process (\d+), .*\): ([\d,]+) tasks?, and (\d+) of the library's own$", text, re.M)
    assert [(name, int(pid)) for name, pid, _, _ in headings] == [(a['name'], a['pid']) for a in actors], text
    assert [int(n) + int(left_out) for _, _, n, left_out in headings] == [d['tasks'] for d in dumped]


@test
def dump_has_the_stacks(place):
    need_stacks()
    tree = place.start('--tasks', '3')
    for group in place.ask('dump', tree.pid)[0]['groups']:
        assert group['whole'], group
        if group['name'].startswith('sleeper'):
            assert group['count'] == 3 and 'sleep_for_ever' in functions(group), group
            assert 'tractor_sleep_until' not in functions(group)
    text = place.tractor('dump', tree.pid)[0]
    assert re.search(r"× 3 tasks, \d+ to \d+, 'sleeper-0', 'sleeper-1', 'sleeper-2' waiting for sleep\n", text), text
    assert re.search(r'^      sleep_for_ever\+0x[0-9a-f]+ \(tools_tree_program\)$', text, re.M), text


@test
def dump_of_a_static_program(place):
    tree = place.start('--levels', '1', '--tasks', '3', '--tcp', program=STATIC_PROGRAM)
    actors = place.ask('tree', tree.pid)  # on TCP it is found by what is in it
    dumped = place.ask('dump', tree.pid)
    assert [(d['pid'], d['name']) for d in dumped] == [(a['pid'], a['name']) for a in actors] and len(actors) == 2
    sleepers = [g for g in dumped[0]['groups'] if g['name'].startswith('sleeper-')]
    assert sum(g['count'] for g in sleepers) == 3, sleepers
    if HAS_STACKS:
        assert 'sleep_for_ever' in functions(sleepers[0]), sleepers


@test
def dump_of_a_stripped_program(place):
    stripped = place.path + '/stripped'
    subprocess.run(['strip', '-o', stripped, PROGRAM], check=True, timeout=PATIENCE)
    os.chmod(stripped, 0o755)
    tree = place.start('--tasks', '3', program=stripped)
    group = next(g for g in place.ask('dump', tree.pid)[0]['groups'] if g['name'].startswith('sleeper-'))
    if HAS_STACKS:
        assert group['frames'][-1] | {'function': None, 'file': 'stripped'} == group['frames'][-1], group


@test
def dump_after_an_update(place):
    """The file that the library was loaded from is not there any more."""
    library = place.path + '/libtractor-1.so.0'
    shutil.copy(f'{BUILD}/libtractor-1.so.0', library)
    os.chmod(library, 0o755)
    place.env['LD_LIBRARY_PATH'] = place.path
    tree = place.start()
    assert place.ask('dump', tree.pid)[0]['name'] == 'root'
    os.unlink(library)
    shutil.copy(f'{BUILD}/libtractor-1.so.0', library)
    os.chmod(library, 0o755)
    _, complaints = place.tractor('dump', tree.pid, status=1)
    assert 'has been replaced' in complaints, complaints


@test
def dump_all_and_each(place):
    """The library's own tasks and functions are left out, and counted, unless they are wanted."""
    tree = place.start('--tasks', '3')
    usual, = place.ask('dump', tree.pid)
    every, = place.ask('dump', '--all', '--each', tree.pid)
    assert all(g['count'] == 1 for g in every['groups']) and len(every['groups']) == every['tasks']
    names = {g['name'] for g in usual['groups']}
    assert any(n.startswith('sleeper') for n in names) and 'listener' not in names, names
    assert 'listener' in {g['name'] for g in every['groups']}
    assert usual['tasks'] == every['tasks'] and every['left_out'] == 0, (usual, every)
    assert usual['tasks'] - usual['left_out'] == sum(g['count'] for g in usual['groups']) == 4, usual
    assert not any(frame['file'].startswith('libtractor') for g in usual['groups'] for frame in g['frames'])
    text = place.tractor('dump', tree.pid)[0]
    assert f": 4 tasks, and {usual['left_out']} of the library's own\n" in text and 'listener' not in text, text
    text = place.tractor('dump', '--all', tree.pid)[0]
    assert f": {every['tasks']} tasks\n" in text and "'listener'" in text, text
    if HAS_STACKS:
        assert 'tractor_sleep_until+0x' in text, text


@test
def dump_of_one_that_is_stopped(place):
    tree = place.start('--levels', '2', '--tasks', '3')
    pids = [a['pid'] for a in place.ask('tree', tree.pid)]
    with contextlib.ExitStack() as stack:
        for pid in pids:
            stack.enter_context(stopped(pid))
        dumped = place.ask('dump', tree.pid)
        assert [d['pid'] for d in dumped] == pids
        assert all(state(pid) == 'T' for pid in pids)  # and it still is


@test
def dump_of_one_that_is_stuck(place):
    """Its task has its registers on the processor, or in the kernel."""
    for what, function, wanted in (('spins', 'spin', 'R'), ('blocks', 'block', 'S')):
        tree = place.start('--levels', '1', what)
        pid = place.ask('tree', tree.pid)[1]['pid']

        def running():
            return [g for g in place.ask('dump', pid)[0]['groups'] if g['state'] == 'running']

        until(lambda: running() and state(pid) == wanted)
        if HAS_STACKS:
            # What it is in, who has called that, and how it has come there.
            until(lambda: any(f.startswith(function) for g in running() for f in functions(g)))
            group = running()[0]
            assert what in functions(group), group
            assert group['whole'], group
        assert is_running(pid)
        if what == 'spins':
            before = open(f'/proc/{pid}/stat').read().split()[13]
            until(lambda: open(f'/proc/{pid}/stat').read().split()[13] != before)  # it computes on


@test
def dump_has_scopes(place):
    tree = place.start('cancelled')
    group = next(g for g in place.ask('dump', tree.pid)[0]['groups'] if g['name'] == 'printer')
    assert not group['cancelled']  # it is shielded
    assert [(s['shielded'], s['cancelled'], s['hidden'], s['cancelled_by']) for s in group['scopes']] == [
        (True, False, False, None), (False, True, True, 'call')], group
    text = place.tractor('dump', tree.pid)[0]
    assert re.search(r"'printer' waiting for sleep\n      scope, shielded\n      scope.*, cancelled beyond that", text), text


@test
def dump_says_who_holds_a_lock(place):
    tree = place.start('holds')
    holder, waiter = sorted((g for g in place.ask('dump', tree.pid)[0]['groups'] if g['name'] in ('first', 'second')),
                            key=lambda g: g['waits_for'] == 'lock')
    assert (holder['held_by'], waiter['waits_for'], waiter['held_by']) == (None, 'lock', holder['task']), (holder, waiter)
    text = place.tractor('dump', tree.pid)[0]
    line = f"  task {waiter['task']} '{waiter['name']}' waiting for lock, held by task {holder['task']} '{holder['name']}'\n"
    assert line in text, text


@test
def dump_escapes_names(place):
    tree = place.start('escapes')
    text = place.tractor('dump', tree.pid)[0]
    assert r"'\x1b[31mred" in text and '\033' not in text, text
    names = [g['name'] for g in place.ask('dump', '--each', tree.pid)[0]['groups']]
    assert any(n.startswith(r'\x1b[31mred"') for n in names), names


@test
def dump_into_a_file(place):
    tree = place.start()
    path = place.path + '/dump.txt'
    text, _ = place.tractor('dump', tree.pid, '-o', path)
    assert text == '' and os.stat(path).st_mode & 0o777 == 0o600
    with open(path) as f:
        assert f.read().startswith("actor 'root' ")
    # Also where there is one that others may read, and have open; a link leads to it.
    os.symlink('dump.txt', place.path + '/link')
    with open(path, 'w') as f:
        f.write('before\n')
    os.chmod(path, 0o644)
    with open(path) as f:
        place.tractor('dump', 2 ** 30, '-o', path, status=3)
        with open(path) as again:
            assert again.read() == 'before\n'
        place.tractor('dump', tree.pid, '-o', place.path + '/link')
        assert f.read() == 'before\n'
    assert os.stat(path).st_mode & 0o777 == 0o600 and os.path.islink(place.path + '/link')
    with open(path) as f:
        assert f.read().startswith("actor 'root' ")
    # What is no file is what it was.
    place.tractor('dump', tree.pid, '-o', '/dev/null')
    assert set(os.listdir(place.path)) == {'tractor', 'dump.txt', 'link'}
    _, complaints = place.tractor('dump', tree.pid, '--output', place.path + '/no/such', status=1)
    assert 'cannot be written' in complaints
    _, complaints = place.tractor('dump', tree.pid, '-o', '/dev/full', status=1)
    assert 'cannot be written' in complaints, complaints


@test
def dump_that_is_not_allowed(place):
    if not IS_ROOT:
        raise Skip('whether it is allowed depends on the kernel here')
    tree = place.start('undumpable')
    _, complaints = place.tractor('dump', tree.pid, status=4)
    assert len(lines(complaints)) == 1 and re.search('PR_SET_DUMPABLE|ptrace_scope', complaints), complaints
    actors = place.ask('tree', tree.pid)
    assert actors[0]['answers']  # it can still be asked


@test
def dump_of_what_is_no_actor(place):
    _, complaints = place.tractor('dump', os.getpid(), status=4 if IS_ROOT else 3)
    assert complaints.count('\n') == 1


@test
def dump_of_ten_thousand(place):
    tree = place.start('--tasks', '10000')
    started = time.monotonic()
    text = place.tractor('dump', tree.pid)[0]
    took = time.monotonic() - started
    print(f'# 10,000 tasks: {took:.2f} s, {len(text)} bytes')
    assert took < 10, took
    assert '× 10,000 tasks' in text and len(text) < 50000, text[:2000]
    started = time.monotonic()
    text = place.tractor('dump', '--each', tree.pid)[0]
    print(f'# and each by itself: {time.monotonic() - started:.2f} s, {len(text)} bytes')
    assert text.count("'sleeper-") == 10000


# --- SIGUSR1: more of it is in tests/debug ----------------------------------------------------------------------------

def dump_by_signal(place, tree):
    """Returns: what is in the log when it is all there."""
    log = f'{place.path}/tractor/tractor-dump-{tree.pid}.log'

    def read():
        with contextlib.suppress(FileNotFoundError), open(log) as file:
            return file.read()
        return ''
    os.kill(tree.pid, signal.SIGUSR1)
    until(lambda: re.search(r'^tractor: \d+ actors? .* shown.*\n\Z', read(), re.M))
    return read()


def start_for_signal(place, *arguments):
    return place.start(*arguments, env={'TRACTOR_DUMP': '1', 'TRACTOR_DEBUGGER': f'{BUILD}/tools/debugger/tractor-debugger'},
                       stderr=subprocess.DEVNULL)


@test
def signal_has_ten_thousand_shown(place):
    tree = start_for_signal(place, '--tasks', '10000')
    started = time.monotonic()
    text = dump_by_signal(place, tree)
    print(f'# 10,000 tasks by SIGUSR1: {time.monotonic() - started:.2f} s, {len(text)} bytes')
    assert '× 10,000 tasks' in text and len(text) < 50000, text[:2000]


def start_with_snake(place, handles_signal):
    """A tree with a Python actor. Returns: its root, and the file that the actor makes when it handles the signal."""
    if subprocess.run(['/usr/bin/python3', '-c', 'import msgpack'], stderr=subprocess.DEVNULL).returncode != 0:
        raise Skip('/usr/bin/python3 has no msgpack')
    script, told = f'{place.path}/snake.py', f'{place.path}/told'
    with open(script, 'w') as file:
        file.write('#!/usr/bin/python3\nimport runpy, signal\n')
        if handles_signal:
            file.write(f'signal.signal(signal.SIGUSR1, lambda *_: open({told!r}, "w").close())\n')
        file.write(f'runpy.run_path("{SOURCE}/tests/interop/peer.py", run_name="__main__")\n')
    os.chmod(script, 0o755)
    return start_for_signal(place, '--levels', '1', '--python', script), told


@test
def signal_is_passed_on_to_python_that_handles_it(place):
    tree, told = start_with_snake(place, True)
    text = dump_by_signal(place, tree)
    snake = place.ask('tree', tree.pid)[2]
    assert f"actor 'snake' (process {snake['pid']}) is not of this library: it has got SIGUSR1 too\n" in text, text
    assert text.endswith(f"tractor: 2 actors are shown; missing: 'snake' (process {snake['pid']})\n"), text
    until(os.path.exists, told)


@test
def signal_does_not_end_python_that_does_not(place):
    tree, _ = start_with_snake(place, False)
    text = dump_by_signal(place, tree)
    snake = place.ask('tree', tree.pid)[2]
    assert snake['name'] == 'snake' and snake['state'] == 'running', snake
    assert f'py-spy dump --pid {snake["pid"]}' in text, text


@test
def signal_says_who_may_not_be_read(place):
    if IS_ROOT and UID == os.geteuid():
        raise Skip('root may read all')
    tree = start_for_signal(place, '--levels', '1', 'undumpable')
    text = dump_by_signal(place, tree)
    assert text.endswith(f"tractor: 0 actors are shown; missing: '?' (process {tree.pid})\n"), text


# --- top -------------------------------------------------------------------------------------------------------------

@test
def top_once(place):
    tree = place.start('--levels', '1', '--width', '2', '--tasks', '7', 'spins')
    actors = place.ask('tree', tree.pid)
    loads = place.ask('top', tree.pid)
    assert [load['pid'] for load in loads] == [a['pid'] for a in actors], loads
    assert all(load['rss_bytes'] > 0 for load in loads)
    assert loads[2]['cpu_percent'] > 10, loads  # it spins
    assert loads[0]['tasks'] >= 8, loads
    text = place.tractor('top', '--once', tree.pid)[0]
    assert [int(line.split()[0]) for line in lines(text)[1:]] == [a['pid'] for a in actors], text
    place.tractor('top', '--once', 1, status=3)


@test
def top_counts_steps_and_bytes(place):
    tree = place.start('--levels', '1', '--width', '2', 'streams')
    root, idle, busy = place.ask('top', tree.pid)
    # What one sends the other receives; as the two are not looked at at the same time, not to the byte.
    assert busy['sent_bytes_per_sec'] > max(10 * busy['received_bytes_per_sec'], 100), busy
    assert root['received_bytes_per_sec'] > busy['sent_bytes_per_sec'] / 10, (root, busy)
    assert busy['steps_per_sec'] > 10 * idle['steps_per_sec'], (idle, busy)
    assert idle['sent_bytes_per_sec'] < busy['sent_bytes_per_sec'] / 10, (idle, busy)
    text = place.tractor('top', '--once', tree.pid)[0]
    assert re.search(r'STEPS/s +LINK kB/s', lines(text)[0]), text
    assert float(lines(text)[3].split()[4]) > 0 and float(lines(text)[3].split()[5]) > 0, text


@test
def top_on_a_terminal(place):
    import termios
    tree = place.start()
    leader, follower = pty.openpty()
    before = termios.tcgetattr(follower)
    run = subprocess.Popen([TRACTOR, 'top', str(tree.pid)], env=place.env, stdin=follower, stdout=follower, **as_user())
    text = b''

    def read_until(what):
        nonlocal text
        deadline = time.monotonic() + PATIENCE
        while what not in text:
            assert select.select([leader], [], [], deadline - time.monotonic())[0], text
            text += os.read(leader, 4096)

    read_until(b'\033[?1049h')
    read_until(str(tree.pid).encode())
    os.write(leader, b'q')
    read_until(b'\033[?1049l')  # the screen is as it was
    assert run.wait(PATIENCE) == 0
    assert termios.tcgetattr(follower) == before
    os.close(leader)
    os.close(follower)


@test
def top_leaves_the_terminal_as_it_was(place):
    """However it ends, and while it is stopped."""
    tree = place.start()
    with terminal.Terminal(['bash', '--norc', '-i'], {**place.env, 'PS1': 'SHELL> ', 'TERM': 'dumb'}, user=UID if IS_ROOT else None) as shell:
        def settings():
            shell.line('stty -g')
            return shell.expect(r'^([0-9a-f]+:[0-9a-f:]+)\r\n').group(1)

        def begin(command):
            shell.line(command)
            shell.expect(r'\x1b\[\?1049h')
            shell.expect(str(tree.pid))

        def check_is_left(status):
            shell.expect(r'\x1b\[\?1049l')
            shell.line('echo status=$?')
            shell.expect(f'^status={status}\r\n')
            assert settings() == before

        shell.expect('SHELL> ')
        before = settings()
        top = f'{TRACTOR} top {tree.pid}'
        begin(top)
        shell.ctrl('z')
        check_is_left(128 + signal.SIGTSTP)
        begin('fg')
        shell.type('q')
        check_is_left(0)
        for key, status in (('c', 0), ('\\', 128 + signal.SIGQUIT)):
            begin(top)
            shell.ctrl(key)
            check_is_left(status)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGALRM):
            begin(top)
            os.kill(next(pid for pid, _, _, command in terminal.list_processes() if command == top), number)
            check_is_left(128 + number)
        begin(top)
        pid = next(pid for pid, _, _, command in terminal.list_processes() if command == top)
        os.kill(pid, signal.SIGSTOP)
        shell.expect('Stopped')
        begin('fg')
        shell.type('q')
        check_is_left(0)
        shell.line('exit')
        shell.end()


# --- trace -----------------------------------------------------------------------------------------------------------

def rings_of(place):
    """Where the actors of what is started from now on leave what they note."""
    place.env['TRACTOR_TRACE'] = place.path + '/rings'
    return place.env['TRACTOR_TRACE']


def merge(place, *rings):
    out = place.path + '/merged.json'
    place.tractor('trace', '--merge', '-o', out, *rings)
    return timeline.Trace(out)


def end_tree(tree):
    tree.terminate()
    tree.wait(PATIENCE)
    reap_orphans()


def is_traced(pid):
    with open(f'/proc/{pid}/maps') as f:
        return 'memfd:tractor-trace' in f.read()


@contextlib.contextmanager
def tracing(place, pid, *traced):
    """`tractor trace` of a tree, in which @traced are traced meanwhile."""
    out = place.path + '/live.json'
    run = subprocess.Popen([TRACTOR, 'trace', '-o', out, str(pid)], env=place.env, stderr=subprocess.PIPE, text=True,
                           **as_user())
    run.out = out
    until(lambda: all(is_traced(pid) for pid in traced))
    yield run
    if run.poll() is None:
        run.send_signal(signal.SIGINT)
    run.complaints = run.communicate(timeout=PATIENCE)[1]


@test
def trace_from_the_beginning(place):
    """A tree of seven: who calls whom, and what comes back."""
    rings = rings_of(place)
    tree = place.start('--levels', '2', '--width', '2', 'streams', 'cancelled')
    actors = place.ask('tree', tree.pid)
    end_tree(tree)
    trace = merge(place, rings)
    assert set(trace.actors) == {a['pid'] for a in actors}
    root, last, below = (trace.pid_of(name) for name in ('root', 'root.2', 'root.2.1'))
    grows = [arrow for arrow in trace.arrows('Start', root, last) if arrow[0]['args']['function'] == 'tree:grow']
    assert len(grows) == 1 and trace.tasks[last, grows[0][1]['tid']] == 'grow', grows
    started = trace.arrows('Started', last, root)
    assert [trace.tasks[root, end['tid']] for _, end in started] == ['main'], started
    assert trace.arrows('Start', root, below) == []  # it has not called that one
    # Each item, in its order, from the task that sends it.
    yields = [arrow for arrow in trace.arrows('Yield', last, root) if trace.tasks[last, arrow[0]['tid']] == 'streams']
    assert len(yields) > 1
    assert [end['ts'] for _, end in yields] == sorted(end['ts'] for _, end in yields)
    assert len({end['ts'] for _, end in yields}) == len(yields)
    assert {a['pid'] for a in actors if a['depth'] == 1} == {
        int(event['name'].split()[-1][:-1]) for event in trace.instants(root, 'start actor')}
    assert [e['args']['detail'] for e in trace.instants(root, 'cancel') if trace.tasks[root, e['tid']] == 'printer'] == [
        'the paper is out']
    assert trace.instants(root, 'spawn printer') and trace.instants(last, 'exit')
    assert trace.tasks[root, 0] == 'loop' and trace.tasks[root, 1] == 'main'


@test
def trace_of_one_that_is_stuck(place):
    """Who does not answer is said, and what shows why."""
    tree = place.start('--levels', '1', '--width', '2', 'spins')
    pid = place.ask('tree', tree.pid)[2]['pid']
    _, complaints = place.tractor('trace', '-t', '3', '-o', place.path + '/out.json', tree.pid)
    assert complaints == (f'tractor: process {pid} is not traced: it does not answer, for it computes, is stuck or is stopped: '
                          f'`tractor dump {pid}` shows where\n'), complaints


@test
def trace_of_one_that_is_killed(place):
    """Its last step is there, in which it was killed, and so is what its parent says of that."""
    rings = rings_of(place)
    tree = place.start('--levels', '1', '--width', '2', 'spins')
    pid = [a['pid'] for a in place.ask('tree', tree.pid)][2]
    until(lambda: place.ask('tree', tree.pid)[2]['answers'] is False)
    os.kill(pid, signal.SIGKILL)
    tree.wait(PATIENCE)
    trace = merge(place, rings)
    last = [step for step in trace.steps if step['pid'] == pid][-1]
    assert last['name'] == 'spins', last
    calls = [(begin, end) for begin, end in trace.arrows('Start', tree.pid, pid) if end['tid'] == last['tid']]
    assert len(calls) == 1 and calls[0][0]['args']['function'] == 'tree:spins', calls
    assert trace.arrows('Return', pid, tree.pid) == []
    ends = [e['args']['detail'] for e in trace.instants(tree.pid, f'actor has ended (process {pid})')]
    assert len(ends) == 1 and 'killed by signal 9' in ends[0], ends


@test
def trace_of_a_program(place):
    out = place.path + '/program.json'
    text, complaints = place.tractor('trace', '-o', out, '--', PROGRAM, '--levels', '2', 'ends')
    assert (text, complaints) == ('ready\n', '')
    trace = timeline.Trace(out)
    assert len(trace.actors) == 3 and trace.arrows('Start', trace.pid_of('root'), trace.pid_of('root.1'))
    assert os.stat(out).st_mode & 0o777 == 0o600
    assert set(os.listdir(place.path)) == {'tractor', 'program.json'}  # and nothing else is left
    # What is no program, or no actor, and one that fails.
    _, complaints = place.tractor('trace', '-o', out, '--', '/no/program', status=1)
    assert '/no/program' in complaints
    _, complaints = place.tractor('trace', '-o', out, '--', 'true', status=1)
    assert 'No actor has left a trace' in complaints
    _, complaints = place.tractor('trace', '-o', out, PROGRAM, '--', '--wrong', status=1)
    assert 'exited with code 1' in complaints
    assert set(os.listdir(place.path)) == {'tractor', 'program.json'}


@test
def trace_of_a_program_with_a_terminal(place):
    """Or without one, where `tractor run` would become it: it ends as the program does."""
    import fcntl
    import termios
    out = place.path + '/run.json'
    arguments = ['run', '--trace', out, '--', PROGRAM, '--levels', '1', 'ends']
    place.tractor(*arguments, start_new_session=True)
    assert len(timeline.Trace(out).actors) == 2
    os.unlink(out)
    leader, follower = pty.openpty()
    run = subprocess.Popen([TRACTOR, *arguments], env=place.env, stdin=follower, stdout=follower, stderr=follower,
                           start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0), **as_user())
    os.close(follower)
    text = b''
    with contextlib.suppress(OSError):  # EIO: nobody has the terminal any more
        while more := os.read(leader, 4096):
            text += more
    os.close(leader)
    assert run.wait(PATIENCE) == 0 and b'ready' in text, text
    assert len(timeline.Trace(out).actors) == 2
    place.tractor('run', '--trace', out, '--', PROGRAM, '--wrong', status=1, start_new_session=True)
    place.tractor('run', '--trace', out, '--', '/no/program', status=127, start_new_session=True)
    place.tractor('run', '--trace', '/no/place', '--', PROGRAM, status=1, start_new_session=True)
    assert set(os.listdir(place.path)) == {'tractor', 'run.json'}


@test
def trace_of_a_program_that_is_told_to_end(place):
    """It gets the signal, what it has done is written, and nothing is left."""
    for command, status in (('run', -signal.SIGTERM), ('trace', 0)):
        out = f'{place.path}/{command}.json'
        arguments = [command, '--trace' if command == 'run' else '-o', out, '--', PROGRAM, '--levels', '1']
        run = subprocess.Popen([TRACTOR, *arguments], env=place.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                               start_new_session=True, **as_user())
        assert run.stdout.readline() == 'ready\n'
        actors = {actor['pid'] for actor in place.ask('tree')}
        run.terminate()
        assert run.wait(PATIENCE) == status, run.returncode
        run.stdout.close()
        until(lambda: all(is_gone(pid) for pid in actors))
        assert set(timeline.Trace(out).actors) == actors
    assert set(os.listdir(place.path)) - {'tractor'} == {'run.json', 'trace.json'}


@test
def trace_of_a_program_that_inherits_a_descriptor(place):
    for arguments in (['run', '--trace'], ['trace', '-o'], ['run']):
        out = [place.path + '/out.json'] if len(arguments) > 1 else []
        reader, writer = os.pipe()
        with os.fdopen(reader) as pipe:
            place.tractor(*arguments, *out, '--', 'sh', '-c', f'echo through >&{writer}; exec {PROGRAM} ends', pass_fds=[writer],
                          start_new_session=True)
            os.close(writer)
            assert pipe.read() == 'through\n'


@test
def trace_that_cannot_be_written_is_kept(place):
    os.mkdir(place.path + '/out')
    os.chmod(place.path + '/out', 0o777)
    for arguments, status in ((['run', '--trace'], 0), (['trace', '-o'], 1)):
        _, complaints = place.tractor(*arguments, place.path + '/out', '--', PROGRAM, '--levels', '1', 'ends', status=status,
                                      start_new_session=True)
        kept = re.search(r'is kept: `tractor trace --merge -o FILE (\S+)`', complaints).group(1)
        assert 'cannot be written: Is a directory' in complaints and len(merge(place, kept).actors) == 2, complaints
        shutil.rmtree(kept)


@test
def trace_where_the_user_has_named_a_directory(place):
    """What is there stays there, and is not of this tree; the command itself leaves nothing."""
    rings = rings_of(place)
    out = place.path + '/out.json'
    for n, arguments in enumerate((['run'], ['run', '--trace', out], ['trace', '-o', out]), 1):
        place.tractor(*arguments, '--', PROGRAM, '--levels', '1', 'ends', start_new_session=True)
        assert len(os.listdir(rings)) == 2 * n, arguments
        if out in arguments:
            assert len(timeline.Trace(out).actors) == 2
    assert set(os.listdir(place.path)) == {'tractor', 'rings', 'out.json'}
    tree = place.start()
    place.tractor('tree', tree.pid)
    place.tractor('top', '--once', tree.pid)
    assert len(os.listdir(rings)) == 7


@test
def trace_of_a_live_tree(place):
    """Also the items of a stream that was there before; and again, when one has ended."""
    tree = place.start('--levels', '2', '--width', '2', 'streams')
    pids = [a['pid'] for a in place.ask('tree', tree.pid)]
    out = place.path + '/live.json'
    for _ in range(2):
        text, complaints = place.tractor('trace', '-t', '0.5', '-o', out, pids[-1])
        assert (text, complaints) == ('', ''), complaints
        trace = timeline.Trace(out)
        assert sorted(trace.actors) == sorted(pids)
        root, last = trace.pid_of('root'), trace.pid_of('root.2')
        yields = trace.arrows('Yield', last, root)
        assert len([begin for begin, _ in yields if trace.tasks[last, begin['tid']] == 'streams']) > 1, yields
        assert not any(is_traced(pid) for pid in pids)
    assert all(a['answers'] for a in place.ask('tree', tree.pid))


@test
def trace_until_interrupted(place):
    """One is killed meanwhile, and what it has noted is there; one does not answer, and one is killed that traces."""
    tree = place.start('--levels', '2', '--width', '2', 'streams')
    pid = {a['name']: a['pid'] for a in place.ask('tree', tree.pid)}
    with tracing(place, tree.pid, *pid.values()) as run:
        run.kill()
    assert run.returncode == -signal.SIGKILL
    until(lambda: not any(is_traced(pid) for pid in pid.values()))
    with stopped(pid['root.1.1']), tracing(place, tree.pid, *(set(pid.values()) - {pid['root.1.1']})) as run:
        os.kill(pid['root.2'], signal.SIGKILL)
        until(is_gone, pid['root.2'])
    assert run.returncode == 0, run.complaints
    trace = timeline.Trace(run.out)
    assert trace.pid_of('root.2') == pid['root.2'] and pid['root.1.1'] not in trace.actors
    assert [step for step in trace.steps if step['pid'] == pid['root.2']]


@test
def trace_with_a_python_actor(place):
    if subprocess.run(['/usr/bin/python3', '-c', 'import msgpack'], stderr=subprocess.DEVNULL).returncode != 0:
        raise Skip('/usr/bin/python3 has no msgpack')
    rings = rings_of(place)
    tree = place.start('--levels', '1', '--python', f'{SOURCE}/tests/interop/peer.py')
    pid = {a['name']: a['pid'] for a in place.ask('tree', tree.pid)}
    snake = pid.pop('snake')
    _, complaints = place.tractor('trace', '-t', '0.3', '-o', place.path + '/live.json', tree.pid, status=1)
    assert 'It is traced already' in complaints, complaints
    assert state(snake) != 'Z' and place.ask('tree', tree.pid)[2]['state'] == 'running'
    end_tree(tree)
    trace = merge(place, rings)
    assert set(trace.actors) == set(pid.values())
    assert trace.instants(tree.pid, f'start actor (process {snake})')


def write_ring(path, pid, *records):
    """A trace as an actor leaves it (tractor-trace.h): of (point, id, ticks), or of a task's name. A tick is a nanosecond."""
    TEXT, CLOCK, TASK = 1, 2, 4
    packed = []
    for record in ((CLOCK, 10 ** 10, 1000), *records, (CLOCK, 10 ** 10 + 99000, 100000)):
        if isinstance(record, str):
            packed += [struct.pack('=IIQQ', TASK, 0, 1, 1000), struct.pack('=I20s', TEXT, record.encode())]
        else:
            packed.append(struct.pack('=IIQQ', record[0], 2, *record[1:]))
    header = struct.pack('=8sIIIIQ256s', b'TRTRACE', 1, 1024, pid, 0, len(packed), b'ring')
    with open(path, 'wb') as f:
        f.write(header.ljust(4096, b'\0') + b''.join(packed).ljust(1024 * 24, b'\0'))
    os.chmod(path, 0o644)


@test
def trace_whose_clocks_are_not_quite_the_same(place):
    """Of two processors; and of two machines, where a message comes before it was sent."""
    STEP, SENT, RECEIVED, TAKEN = 3, 64, 65, 66
    write_ring(place.path + '/one.ring', 11, 'main', (STEP, 1, 3000), (STEP, 0, 2100), (STEP, 1, 3500),
               *((SENT, message, 6000) for message in range(1, 7)), (STEP, 0, 9000))
    write_ring(place.path + '/other.ring', 12, 'main', (STEP, 1, 3000), (RECEIVED, 1, 5500), (TAKEN, 2, 5500),
               (RECEIVED, 3, 5500), (TAKEN, 3, 5600), (RECEIVED, 4, 5500), (TAKEN, 4, 7000), (RECEIVED, 5, 7000),
               (RECEIVED, 6, 7000), (TAKEN, 6, 7500), (STEP, 0, 9000))
    trace = merge(place, place.path + '/one.ring', place.path + '/other.ring')
    assert {int(number, 16): ''.join(event['ph'] for event in flow) for number, flow in trace.flows.items()} == {
        4: 'sf', 5: 'sf', 6: 'stf'}
    assert [step['dur'] for step in trace.steps if step['pid'] == 11] == [0, 5500]


@test
def trace_of_what_is_none(place):
    out = place.path + '/out.json'
    empty = place.path + '/empty'
    os.mkdir(empty, 0o755)
    for arguments, said in ((('1234',), 'missing (-o FILE)'), (('-o', out), 'number of a process is missing'),
                            *((('-o', out, '-t', time, '1234'), f"'{time}' is no time to trace for")
                              for time in ('0', '-1', '1e300', 'nan', 'inf', '1s', ''))):
        assert said in place.tractor('trace', *arguments, status=2)[1], arguments
    place.tractor('trace', '-o', out, 1, status=3)
    rings = rings_of(place)
    place.tractor('trace', '--merge', '-o', out, rings, status=1)
    tree = place.start()
    end_tree(tree)
    ring = f'{rings}/{os.listdir(rings)[0]}'
    for name, bytes_ in (('short', b'TRTRACE'), ('other', b'x' * 8192), ('cut', open(ring, 'rb').read()[:4120])):
        with open(f'{empty}/{name}', 'wb') as f:
            f.write(bytes_)
        os.chmod(f'{empty}/{name}', 0o644)
        _, complaints = place.tractor('trace', '--merge', '-o', out, f'{empty}/{name}', status=1)
        assert 'no trace of an actor' in complaints, complaints
    assert 'No actor has left' in place.tractor('trace', '--merge', '-o', out, empty, status=1)[1]
    # They are left out, and the others are not.
    for name, text in (('short', 'TRTRACE'), ('none', '')):
        with open(f'{rings}/{name}.ring', 'w') as f:
            f.write(text)
        os.chmod(f'{rings}/{name}.ring', 0o644)
    for arguments in ([rings], [ring, f'{empty}/short', f'{empty}/not there']):
        _, complaints = place.tractor('trace', '--merge', '-o', out, *arguments)
        assert complaints.count('it is left out') == 2 and list(timeline.Trace(out).actors) == [tree.pid], complaints
    assert 'cannot be written' in place.tractor('trace', '--merge', '-o', '/dev/full', ring, status=1)[1]
    # An actor that cannot leave one says so, and goes on.
    place.env['TRACTOR_TRACE'] = ring
    run = subprocess.run([PROGRAM, 'ends'], env=place.env, capture_output=True, text=True, timeout=PATIENCE, **as_user())
    assert run.returncode == 0 and "actor 'root' is not traced (TRACTOR_TRACE)" in run.stderr, run


# --- the guide -------------------------------------------------------------------------------------------------------

def plain(text):
    """Without what differs each time, and without what the guide calls otherwise."""
    text = text.replace(f'{PROGRAM} --levels 1 --width 2 spins', './shop').replace('tools_tree_program', 'shop')
    text = re.sub(r'\.isra\.\d+|\.constprop\.\d+', '', text)
    return re.sub(r'0x[0-9a-f]+|\d+', 'N', re.sub(r'^ +(?=\d)', '', text, flags=re.M))


@test
def the_guide_shows_what_is_printed(place):
    need_stacks()
    with open(f'{SOURCE}/docs/command.md') as f:
        blocks = dict(re.findall(r'^```\n\$ tractor (.*)\n((?:.*\n)*?)```$', f.read(), re.M))
    tree = place.start('--levels', '1', '--width', '2', 'spins')

    def shown(block, *arguments):
        return plain(place.tractor(*arguments)[0]) == plain(blocks[block])

    until(lambda: [a['answers'] for a in place.ask('tree', tree.pid)] == [True, True, False])
    pids = [a['pid'] for a in place.ask('tree', tree.pid)]
    assert shown('tree', 'tree', pids[0]), blocks['tree']
    until(shown, 'dump 103', 'dump', pids[2])
    assert shown('kill 102', 'kill', pids[1]), blocks['kill 102']
    assert len(blocks) == 4, blocks.keys()


# --- all -------------------------------------------------------------------------------------------------------------

def main():
    print(f'1..{len(tests)}')
    failed = False
    for number, function in enumerate(tests, 1):
        name = '/tools/tractor/' + function.__name__.replace('_', '-')
        place = Place()
        try:
            try:
                function(place)
            finally:
                place.end()
            print(f'ok {number} {name}', flush=True)
        except Skip as reason:
            print(f'ok {number} {name} # SKIP {reason}', flush=True)
        except BaseException:
            failed = True
            print(''.join(f'# {line}\n' for line in traceback.format_exc().splitlines()) + f'not ok {number} {name}',
                  flush=True)
    sys.exit(1 if failed else 0)


main()
