#!/usr/bin/env python3
"""test_builds.py TREE BROKER SANITIZERS SWITCH [PATTERN] - a session of debug mode in whatever build this is, and in a stripped copy
of it: what docs/debugging.md says of each. SANITIZERS: as meson has them, or `none`. SWITCH: `assembly` or `ucontext`. Prints
TAP. Only tests whose name has PATTERN in it, if that is given."""
# SPDX-License-Identifier: LGPL-2.1-or-later

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile

from debugged import TREE, Tree
from tap import Tests, is_equal

SANITIZERS, SWITCH = sys.argv[3:5]
HAS_ASAN = 'address' in SANITIZERS
LIBRARIES = [f'libtractor-{name}1.so.0' for name in ('', 'glib-', 'uv-')]

test = Tests('/builds')

# What the header says, and where one stands.
STOPS = {'pause': ("paused: actor kid0 .*, task \\d+ 'work'", 'pause_once'),
         'crash': ("crashed: actor kid0 .*, task \\d+ 'work' · " +
                   ('SIGABRT' if HAS_ASAN else 'SIGSEGV, address 0x10 is not mapped'), 'crash'),
         'fail': ("failed: actor kid0 .*, task \\d+ 'work' · no room for 42", None)}


def asan_options(more):
    return {'ASAN_OPTIONS': ':'.join(filter(None, (os.environ.get('ASAN_OPTIONS'), more)))} if HAS_ASAN else {}


@contextlib.contextmanager
def as_built():
    yield TREE, {}


@contextlib.contextmanager
def stripped():
    """Of program and libraries nothing is left but what the loader needs."""
    with tempfile.TemporaryDirectory(prefix='tractor-stripped-') as folder:
        build = os.path.join(os.path.dirname(os.path.abspath(TREE)), '..', '..')
        for path in [TREE] + [os.path.join(build, name) for name in LIBRARIES]:
            subprocess.run(['strip', '-o', os.path.join(folder, os.path.basename(path)), path], check=True)
        yield os.path.join(folder, os.path.basename(TREE)), {'LD_LIBRARY_PATH': folder}


COPIES = {'as-built': as_built, 'stripped': stripped}


def check_stacks(tree, story, function, copy):
    tree.line('bt')
    # Of a task that has failed nothing is left but what has called its function.
    tree.expect(r'^#\d+ .*\?\? \(\)' if copy == 'stripped' else rf'^#\d+ .*\b{function or "task_main"}\s+\(')
    tree.prompt()
    tree.line('info tractor')
    tree.expect(r'^ +\d+ +work +running .*\r\n')
    tree.prompt()
    if story != 'pause':  # there is no other that has begun
        return
    tree.line('tractor bt sleeper')
    if SWITCH == 'ucontext':
        tree.expect('The stacks of tasks that do not run cannot be read')
    else:
        tree.expect(r'^#\d+ .*\?\? \(\)' if copy == 'stripped' else r'^#\d+ .*\bsleep_forever\s+\(')
    tree.prompt()


@test(rows=[{'story': story, 'word': word, 'copy': copy} for story in STOPS for word in ('c', 'quit') for copy in COPIES])
def session_is_as_in_any_build(story, word, copy):
    header, function = STOPS[story]
    where = '' if function is None else r'\r\n#\d+ .*\?\? \(\)' if copy == 'stripped' else rf'\r\n#\d+ .*\b{function} \('
    with COPIES[copy]() as (program, env), Tree([], command=[program, story], **env, **asan_options('abort_on_error=1')) as tree:
        tree.prompt(f'── {header}.* ──{where}')
        check_stacks(tree, story, function, copy)
        tree.line(word)
        if word == 'c' and story != 'pause':
            tree.prompt('── failed: actor root')
            tree.line('c')
        elif word == 'c':
            tree.expect('kid0: result 43')
        is_equal(tree.end(), 0 if (story, word) == ('pause', 'c') else 1)
        is_equal(tree.text.count(' ──\r\n'), 2 if word == 'c' and story != 'pause' else 1)
        tree.check_nothing_is_left()


@test(rows=({'copy': 'as-built'}, {'copy': 'stripped'}))
def without_gdb_there_is_the_shell(copy):
    """Of a crash that ASan has reported it finds no frames behind ASan's."""
    where = '' if HAS_ASAN else r'in \?\+\S+ .*\r\n' if copy == 'stripped' else r'in crash\+.*\r\n'
    with COPIES[copy]() as (program, env), \
            Tree([], command=[program, 'crash'], PATH='/nonexistent', **env, **asan_options('abort_on_error=1')) as tree:
        tree.prompt(f'── {STOPS["crash"][0]}.* ──\r\n{where}gdb cannot be started')
        tree.line('tasks -own')
        tree.prompt("'work' running")
        tree.line('q')
        is_equal(tree.end(), 1)


if HAS_ASAN:
    @test
    def crash_is_not_seen_that_asan_ends_by_itself():
        with Tree(['crash'], **asan_options('abort_on_error=0')) as tree:
            tree.expect('ERROR: AddressSanitizer: SEGV')
            tree.prompt('── failed: actor root .*exited with status 1')
            tree.line('c')
            is_equal(tree.end(), 1)
            tree.expect_not('── crashed')
            tree.check_nothing_is_left()


def main():
    if shutil.which('gdb') is None or shutil.which('strip') is None:
        print('Bail out! gdb and strip are needed')
        return 1
    return test.run(*sys.argv[5:6])


if __name__ == '__main__':
    sys.exit(main())
