"""tap.py - tests that print TAP: one for each function, and for each of the rows and hosts that it is for."""
# SPDX-License-Identifier: LGPL-2.1-or-later

import os
import traceback

from terminal import Failure


class Skip(Exception):
    """What cannot be shown here."""


class Tests:
    """A decorator, which collects them under @prefix. @hosts: what those are on that do not say it, if they are on any."""

    def __init__(self, prefix, hosts=None):
        self.prefix = prefix
        self.hosts = hosts
        self.all = []

    def __call__(self, func=None, rows=({},), hosts=None):
        """@func is called with the values of a row, and `host`."""
        if func is None:
            return lambda one: self(one, rows, hosts)
        for row in rows:
            for host in hosts or self.hosts or (None,):
                values = {**row, **({'host': host} if host else {})}
                self.all.append(('/'.join([self.prefix, func.__name__.replace('_', '-'), *map(str, values.values())]), func, values))
        return func

    def run(self, pattern=''):
        """Those whose name has @pattern in it; with TEST_PART=2/3 the second of them, the fifth, and so on. Returns: an exit
        status."""
        part, n_parts = map(int, os.environ.get('TEST_PART', '1/1').split('/'))
        wanted = [one for one in self.all if pattern in one[0]][part - 1::n_parts]
        if not wanted:
            print(f'Bail out! no test has "{pattern}" in its name')
            return 1
        print(f'1..{len(wanted)}')
        return 0 if all([run_one(i, *one) for i, one in enumerate(wanted, 1)]) else 1


def run_one(number, name, func, values):
    try:
        func(**values)
        print(f'ok {number} {name}', flush=True)
    except Skip as why:
        print(f'ok {number} {name} # SKIP {why}', flush=True)
    except Exception:
        for line in traceback.format_exc().splitlines():
            print(f'# {line}')
        print(f'not ok {number} {name}', flush=True)
        return False
    return True


def is_equal(what, expected):
    if what != expected:
        raise Failure(f'{what!r} is not {expected!r}')
