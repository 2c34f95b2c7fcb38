#!/usr/bin/env python3
"""check-not-given.py - a function that can set an error sets one where NULL is given for what it needs.

Every public function with an error, whose first argument is a pointer that may not be NULL, is called with NULL in
tests/e2e/test-not-given.c. And no function with an error refuses what it was given by g_return_val_if_fail(), which sets
none; but for the error itself, and for an object of another class, which is no mistake that a program goes on with."""
# SPDX-License-Identifier: LGPL-2.1-or-later
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROOMS = ('guest', 'src', 'hosts')
ALLOWED = re.compile(r'g_return_val_if_fail \((error != NULL|[A-Z_]*_?IS_\w+ \(\w+\)|g_task_is_valid \(result, \w+\)|'
                     r'g_async_result_is_tagged \()')
# What is told of an error, or of a value, which may be NULL.
NULL_IS_A_VALUE = {'tractor_error_check_given', 'tractor_error_set_not_given', 'tractor_log_set_spec',
                   'tractor_value_take_fd',
                   'tractor_value_get_timestamp', 'tractor_task_started', 'tractor_watch_tree'}


def find(pattern):
    return sorted(path for room in ROOMS for path in (ROOT / room).rglob(pattern))


def check_headers(tests):
    n = 0
    for path in find('tractor-*.h'):
        text = path.read_text()
        for comment, name, arguments in re.findall(
                r'/\*\*((?:[^*]|\*(?!/))*)\*/\s*TRACTOR_API [^;{}()]*?\b(tractor_\w+) \(([^;{}]*?GError \*\*error)\)', text):
            first = re.split(r',(?![^()]*\))', arguments)[0]
            parameter = re.search(r'(\w+)\)?(?: \([^()]*\))?$', first.strip())[1]
            if '*' not in first and 'Func' not in first and 'Start' not in first or parameter == 'error':
                continue
            if re.search(rf'@{parameter}:(?:[^@\n]|\n(?! \*\n))*?\(nullable\)', comment) or name in NULL_IS_A_VALUE:
                continue
            n += 1
            if not re.search(rf'\b{name} \(\s*NULL\b', tests):
                yield f'{path.relative_to(ROOT)}: {name}() is not called with NULL in tests/e2e/test-not-given.c'
    if n < 70:
        yield f'only {n} functions found: does this script still read the headers?'


def check_sources():
    for path in find('*.c'):
        for head, body in re.findall(r'^(\w+ \((?:[^{};]|\n)*?)\)\n\{\n(.*?)^\}', path.read_text(), re.M | re.S):
            if 'GError **error' not in head:
                continue
            for line in re.findall(r'g_return_val_if_fail \(.*', body):
                if not ALLOWED.match(line):
                    yield f'{path.relative_to(ROOT)}: {head.split(" ")[0]}() sets no error: {line}'


faults = [*check_headers((ROOT / 'tests/e2e/test-not-given.c').read_text()), *check_sources()]
print('\n'.join(faults))
sys.exit(1 if faults else 0)
