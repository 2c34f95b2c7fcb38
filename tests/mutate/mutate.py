#!/usr/bin/env python3
# mutate.py - plants small faults one at a time, and lists those that no test notices.
#
# All of it happens in build-mutate/: a copy of the sources, built with AddressSanitizer, so that a call of a free function
# left out is noticed too. A fault whose libraries do not build, or come out the same, does not count. The tests of the
# file's part are run, on the host builtin unless the file is another host's, until one fails: again alone, and not without
# the fault. They run in namespaces of their own, for a fault in what kills processes may kill any.
# SPDX-License-Identifier: LGPL-2.1-or-later

import argparse
import fcntl
import filecmp
import fnmatch
import functools
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
import faults  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / 'build-mutate'
TREE = WORK / 'tree'      # the copy
BUILD = WORK / 'build'    # what is built of it, with a fault
CLEAN = WORK / 'clean'    # and without
HARMLESS = ROOT / 'tests/mutate/harmless.txt'
UNNOTICED = WORK / 'unnoticed.txt'

HOSTS = 'builtin', 'glib', 'uv', 'virtual'
LIBRARIES = 'libtractor-1.so.0.1.0', 'libtractor-glib-1.so.0.1.0', 'libtractor-uv-1.so.0.1.0'
PROGRAM_SECONDS = 300  # for all tests of one program: a test that hangs ends much sooner
MOST_PROCESSES = 500  # more than any test starts, and few enough that a fault does not take the machine

# Which test programs hold which files: the first line that fits. Those of the same name come first.
STRANGERS = 'e2e_test_strangers e2e_test_bad_bytes e2e_test_foreign_*'
CALLS = ('e2e_test_call e2e_test_contexts e2e_test_streams e2e_test_not_given e2e_test_payloads e2e_test_left_open '
         f'e2e_test_failures e2e_test_load {STRANGERS} e2e_test_descriptors e2e_test_end e2e_test_grandchildren '
         'e2e_test_checkpoints')
PROCESSES = ('e2e_test_start e2e_test_end e2e_test_process e2e_test_given e2e_test_restart e2e_test_crash '
             'e2e_test_failures e2e_test_surroundings e2e_test_tree e2e_test_grandchildren e2e_test_left_open e2e_test_lifetimes')
FINDING = 'e2e_test_registrar e2e_test_discovery e2e_test_relatives e2e_test_daemon'
BYTES = f'src_test_* e2e_test_payloads e2e_test_descriptors {STRANGERS} e2e_test_contexts e2e_test_python'
PARTS = [
    ('guest/outside/host-*', 'hosts_test_host_link hosts_test_turns hosts_conformance guest_test_*'),
    ('guest/*', 'guest_test_* hosts_conformance hosts_test_turns'),
    ('hosts/glib/objects/*', 'hosts_test_glib_objects hosts_test_guest_actor'),
    ('hosts/glib/*', 'hosts_test_glib hosts_test_glib_waits hosts_conformance hosts_test_turns hosts_test_host_link '
                     'hosts_test_guest_actor hosts_test_glib_objects'),
    ('hosts/uv/*', 'hosts_conformance hosts_test_turns hosts_test_uv'),
    ('hosts/virtual/*', 'hosts_conformance guest_test_time guest_test_schedules guest_test_run'),
    ('hosts/*', 'hosts_conformance hosts_test_turns guest_test_run guest_test_time'),
    ('src/patterns/cluster.c', 'e2e_test_cluster'),
    ('src/*/remote-error.[ch]', 'src_test_error_types e2e_test_contexts e2e_test_call e2e_test_grandchildren e2e_test_failures '
                              f'e2e_test_python {STRANGERS}'),
    *((f'src/patterns/{name}.[ch]', 'e2e_test_topics') for name in ('publisher', 'feed', 'wanted-topics', 'subscription')),
    # What needs a terminal and gdb (tests/debug) is not tried here.
    ('src/debug/*', 'src_test_debug_lock src_test_patience e2e_test_end e2e_test_grandchildren'),
    ('src/process/broker.[ch]', 'e2e_test_end'),
    ('src/log/*', 'src_test_log_spec e2e_test_logging'),
    ('src/shm/*', 'src_test_ring e2e_test_shm'),
    ('src/process/log-level*', 'src_test_log_level e2e_test_surroundings e2e_test_logging'),
    ('src/tree/tree.[ch]', f'e2e_test_tree {STRANGERS}'),
    ('src/*/stream*', f'e2e_test_streams e2e_test_contexts e2e_test_payloads {STRANGERS} e2e_test_load e2e_test_failures '
                      'e2e_test_python'),
    ('src/*/python-*', 'src_test_python_* e2e_test_python'),
    *((f'src/*/{name}*', BYTES) for name in (
        'wire', 'frame', 'msg', 'protocol', 'codec', 'value', 'address', 'cid-table', 'error-types', 'escape', 'serial')),
    *((f'src/*/{name}*', f'src_test_{name.replace("-", "_")} {STRANGERS} {FINDING} e2e_test_failures '
                         'e2e_test_descriptors')
      for name in ('runtime-dir', 'socket', 'handshake', 'peer-limits')),
    ('src/link/unix-name*', f'src_test_socket src_test_runtime_dir {STRANGERS} {FINDING} e2e_test_lifetimes'),
    ('src/*/passed-fds*', f'e2e_test_descriptors {STRANGERS}'),
    *((f'src/*/{name}*', CALLS) for name in ('link', 'request', 'exports', 'portal', 'context', 'rpc')),
    *((f'src/*/{name}*', f'{FINDING} e2e_test_identity {STRANGERS} e2e_test_cluster e2e_test_lifetimes e2e_test_crowd')
      for name in ('listener', 'peer', 'registry', 'registration', 'ask-registrars', 'discovery', 'list-actors', 'identity',
                   'origin', 'runtime', 'tractor-discovery')),
    ('src/actor.[ch]', CALLS + ' ' + PROCESSES),
    ('src/root.c', CALLS + ' ' + PROCESSES),
    ('src/daemon.c', f'e2e_test_daemon {FINDING} e2e_test_identity e2e_test_lifetimes'),
    ('src/child*', f'{PROCESSES} {FINDING}'),
    *((f'src/*/{name}*', PROCESSES) for name in (
        'process', 'clone', 'exec', 'child-portal', 'spawn', 'supervise', 'death', 'restart', 'actor-nursery',
        'crash', 'run-process', 'program-output', 'last-words')),
    ('src/*', 'src_test_* e2e_test_*'),
]


# --- the copy -------------------------------------------------------------------------------------------------------

def call(*command, **options):
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)


def ninja(*targets):
    return call('ninja', '-C', str(BUILD), *targets)


def copy_tree():
    """Only what has changed is touched, so that only that is built."""
    names = call('git', '-C', str(ROOT), 'ls-files', '-co', '--exclude-standard').stdout.split('\n')
    names = {name for name in names if name and (ROOT / name).is_file()}
    for name in names:
        copy = TREE / name
        if not copy.exists() or not filecmp.cmp(ROOT / name, copy, shallow=False):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy)
            shutil.copymode(ROOT / name, copy)
    for path in [path for path in TREE.rglob('*') if path.is_file()]:
        if str(path.relative_to(TREE)) not in names:
            path.unlink()


def build_clean():
    if not (BUILD / 'build.ninja').exists():
        # Without debug information, which would tell the lines of a fault that changes nothing.
        made = call('meson', 'setup', str(BUILD), str(TREE), '-Db_sanitize=address', '-Ddebug=false')
        if made.returncode != 0:
            sys.exit(made.stdout)
    made = ninja(*LIBRARIES)
    if made.returncode != 0:
        sys.exit(made.stdout)
    CLEAN.mkdir(exist_ok=True)
    for name in LIBRARIES:
        shutil.copyfile(BUILD / name, CLEAN / name)
        soname = CLEAN / name.removesuffix('.1.0')
        soname.unlink(missing_ok=True)
        soname.symlink_to(name)


def is_same_as_clean():
    return all(filecmp.cmp(BUILD / name, CLEAN / name, shallow=False) for name in LIBRARIES)


# --- the tests ------------------------------------------------------------------------------------------------------

@functools.cache
def find_isolation():
    # Whatever is started ends with the first process in there; /tmp is its own, if the copy is not in it.
    mount = 'exec "$@"' if WORK.is_relative_to('/tmp') else 'mount -t tmpfs -o size=1g tmpfs /tmp && exec "$@"'
    for user in [], ['--user', '--map-root-user']:
        command = ['unshare', *user, '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', mount, 'sh']
        if call(*command, 'true').returncode == 0:
            return command
    print('mutate: unshare(1) cannot make namespaces here: what a fault leaves running stays', file=sys.stderr)
    return []


def count_processes():
    return sum(name.isdigit() for name in os.listdir('/proc'))


def watch(process):
    """As communicate(), until it has taken too long, or a fault makes processes without end."""
    give_up_at = time.monotonic() + PROGRAM_SECONDS
    most = count_processes() + MOST_PROCESSES
    while True:
        try:
            return process.communicate(timeout=0.5)
        except subprocess.TimeoutExpired:
            if time.monotonic() > give_up_at or count_processes() > most:
                raise


def run_program(path, arguments, libraries=BUILD):
    """Returns: its status, what it wrote, and whether something hung."""
    environment = dict(os.environ, LD_LIBRARY_PATH=str(libraries), TRACTOR_TEST_SECONDS='4',
                       G_SLICE='always-malloc',
                       ASAN_OPTIONS='detect_stack_use_after_return=1:mmap_limit_mb=10000')
    process = subprocess.Popen([*find_isolation(), str(path), *arguments], env=environment, cwd=TREE,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               start_new_session=True)
    try:
        output, errors = watch(process)
        hung = b'# no end after' in errors
    except BaseException as interruption:
        os.killpg(process.pid, signal.SIGKILL)
        output, errors = process.communicate()
        hung = True
        if not isinstance(interruption, subprocess.TimeoutExpired):
            raise
    return process.returncode, output.decode(errors='replace'), hung


class Program:
    """A test program. It is made while there is no fault."""

    def __init__(self, name):
        self.name = name
        self.path = BUILD / 'tests' / name
        made = ninja(f'tests/{name}', 'tests/objects_child')
        if made.returncode != 0:
            sys.exit(made.stdout)
        # Those of what is private have it linked in.
        self.clean = CLEAN / name
        shutil.copy(self.path, self.clean)
        self.tests = [line for line in run_program(self.path, ['-l'])[1].split('\n') if line.startswith('/')]

    def select(self, host):
        others = tuple(f'/{other}' for other in HOSTS if other != host)
        return [test for test in self.tests if not test.endswith(others)]

    def first_failure(self, tests, is_clean=False):
        """Returns: the first test that fails, if any, and whether it hung."""
        path, libraries = (self.clean, CLEAN) if is_clean else (self.path, BUILD)
        status, output, hung = run_program(path, ['--tap', *(f'-p={test}' for test in tests)], libraries)
        if status == 0:
            return None, False
        failed = re.search(r'^not ok \d+ (\S+)', output, re.M)
        passed = len(re.findall(r'^ok ', output, re.M))
        return failed.group(1) if failed else tests[min(passed, len(tests) - 1)], hung

    @functools.cache
    def passes_without(self, test):
        if self.first_failure([test], is_clean=True)[0] is None:
            return True
        print(f'mutate: {test} fails without a fault too, and is left out', file=sys.stderr)
        self.tests.remove(test)
        return False

    def notices(self, host):
        """Returns: the test that notices the fault that is planted, if any."""
        tests = self.select(host)
        while tests:
            test, hung = self.first_failure(tests)
            if test is None:
                return None
            if (hung or self.first_failure([test])[0]) and self.passes_without(test):
                return test
            tests = tests[tests.index(test) + 1:]
        return None


@functools.cache
def get_program(name):
    return Program(name)


@functools.cache
def list_programs():
    names = re.findall(r"^  '(e2e|guest|hosts|src)/(?:\w+/)?([\w-]+)',", (ROOT / 'tests/meson.build').read_text(), re.M)
    return [re.sub(r'\W', '_', f'{suite}_{name}') for suite, name in names]


def find_programs(file):
    """Returns: the names of the test programs of its part, the likeliest first."""
    patterns = next(programs for pattern, programs in PARTS if fnmatch.fnmatch(file, pattern)).split()
    stem = Path(file).stem.replace('-', '_')
    names = [name for pattern in patterns for name in list_programs() if fnmatch.fnmatch(name, pattern)]
    names = list(dict.fromkeys(names))
    # One is slow, and its tests can do without for what another notices.
    return sorted(names, key=lambda name: (name.split('_test_')[-1] != stem, name == 'guest_test_schedules'))


def find_host(file):
    return next((host for host in HOSTS if file.startswith(f'hosts/{host}/')), 'builtin')


# --- the faults -----------------------------------------------------------------------------------------------------

def try_fault(fault, give_up_at):
    """Returns: what became of it: 'no fault', the test that noticed, None, or 'out of time'."""
    path = TREE / fault.file
    source = path.read_text()
    programs = []
    for name in find_programs(fault.file):  # built before it is planted
        if time.monotonic() > give_up_at:
            return 'out of time'
        programs.append(get_program(name))
    path.write_text(fault.plant(source))
    try:
        if ninja(*LIBRARIES).returncode != 0 or is_same_as_clean():
            return 'no fault'
        for program in programs:
            if time.monotonic() > give_up_at:
                return 'out of time'
            if ninja(f'tests/{program.name}').returncode != 0:
                return 'no fault'
            test = program.notices(find_host(fault.file))
            if test is not None:
                return test
        return None
    finally:
        path.write_text(source)
        ninja(*LIBRARIES)


def list_sources():
    return [*sorted(ROOT.glob('guest/**/*.[ch]')), *sorted(ROOT.glob('src/**/*.[ch]')), *sorted(ROOT.glob('hosts/**/*.[ch]'))]


def choose(arguments):
    paths = [Path(file).resolve() for file in arguments.files] or list_sources()
    found = [fault for path in paths for fault in faults.find_faults(str(path.relative_to(ROOT)), path.read_text())]
    if arguments.listed:
        wanted = set(faults.read_list(arguments.listed))
        return [fault for fault in found if fault.key in wanted]
    harmless = set(faults.read_list(HARMLESS))
    found = [fault for fault in found if fault.key not in harmless]
    random.Random(arguments.seed).shuffle(found)
    return found


def read_arguments():
    parser = argparse.ArgumentParser(prog='./dev mutate', description='Plants small faults, and lists what no test notices.')
    parser.add_argument('files', nargs='*', metavar='FILE', help='where to plant them; else anywhere in guest/, src/, hosts/')
    parser.add_argument('--count', type=int, default=sys.maxsize, metavar='N', help='no more than so many that count')
    parser.add_argument('--seconds', type=float, default=float('inf'), metavar='N',
                        help='none is begun after so long, and after twice that what is being tried is left')
    parser.add_argument('--seed', metavar='TEXT', help='what their order comes of; else the hash of the commit')
    parser.add_argument('--listed', type=Path, metavar='LIST',
                        help=f'those of a list such as {UNNOTICED.relative_to(ROOT)}, known to be harmless or not')
    arguments = parser.parse_args()
    arguments.seed = arguments.seed or call('git', '-C', str(ROOT), 'rev-parse', 'HEAD').stdout.strip()
    return arguments


def main():
    arguments = read_arguments()
    chosen = choose(arguments)
    WORK.mkdir(exist_ok=True)
    lock = open(WORK / 'lock', 'w')
    fcntl.flock(lock, fcntl.LOCK_EX)  # there is only one copy
    copy_tree()
    build_clean()
    find_isolation()
    started = time.monotonic()
    unnoticed = []
    n_tried = 0
    for fault in chosen:
        if n_tried >= arguments.count or time.monotonic() - started > arguments.seconds:
            break
        before = time.monotonic()
        noticed = try_fault(fault, started + 2 * arguments.seconds)
        n_tried += noticed not in ('no fault', 'out of time')
        if noticed is None:
            unnoticed.append(fault)
            UNNOTICED.write_text('\n\n'.join(map(str, unnoticed)) + '\n')
        print(f'{fault}\n  {noticed or "UNNOTICED"} ({fault.kind}, {time.monotonic() - before:.0f} s)\n', flush=True)
    print('\n\n'.join(['== noticed by nobody:', *map(str, unnoticed)]) if unnoticed else '== each was noticed')
    n_noticed = n_tried - len(unnoticed)
    print(f'== {n_noticed} of {n_tried} noticed, {100 * n_noticed / max(n_tried, 1):.1f} %')
    # Of fresh faults a fifth is noticed by nobody (CONTRIBUTING.md): a small sample of them has more than half, and
    # more than four, once in some hundred times. Then it is the suite that does not notice any more.
    return 1 if len(unnoticed) > max(4, n_tried / 2) else 0


sys.exit(main())
