# tractor-gdb.py - gdb commands that show the tasks of a process: "help tractor" lists them.
#
# Everything is read from one variable, tractor_debug_1, which the library exports: where the guests of the process are,
# and where in a guest, a scope, a task the fields are that matter (tractor-debug-layout.h). So no debug information of
# the library is needed, nothing is called in the process, and nothing written: a live process, a core, a stripped
# library and a process behind gdbserver look the same. Nothing is kept from one command to the next either, for the
# process may have gone on in between.
#
# A task that does not run has its registers on its own stack, where the switch has pushed them. To gdb there is only the
# thread. So an unwinder tells it, while a task is looked at, that the frame which called the thread's innermost one is
# the task's: then `up`, `info locals`, `print` work as in any stack. Three things are to be minded:
#
# - gdb keeps nothing but a frame's number while frames are made anew, so the selected one is put back (TractorKept).
# - Functions that are inlined into the thread's innermost one come before the task's frames, so those begin where
#   program counter and stack pointer are the task's, and not at a number (TractorView.get_frames()).
# - The identity that our frame is given has a stack pointer below the task's: gdb stops where frames do not go upwards.
#
# It makes the thread's innermost frame a lie as long as it lasts. What is true at the next stop is not known, so it ends
# as soon as anything runs; and before a step, which would count from the lie.
#
# Ten thousand stacks are more than gdb unwinds in a time that one likes to wait, and most of them are equal. What a frame's
# size is, gdb is asked once for each place in the code; a stack all of whose places are known is added up
# (TractorWalks). A place where frames differ in size, by alloca(), is left to gdb for ever.
#
# Names that are global here are so for everybody who uses Python in gdb, so each has "tractor" in it.
#
# SPDX-License-Identifier: LGPL-2.1-or-later

import codecs
import os
import re
import struct
import time

import gdb
import gdb.unwinder
from gdb.FrameDecorator import FrameDecorator

TRACTOR_NO_DEADLINE = (1 << 63) - 1


# --- memory ----------------------------------------------------------------------------------------------------------

def tractor_read(address, n_bytes):
    return bytes(gdb.selected_inferior().read_memory(address, n_bytes))


def tractor_read_u64(address):
    return struct.unpack('<Q', tractor_read(address, 8))[0]


def tractor_decode(raw):
    """Text of the process, fit for a terminal."""
    text = raw.split(b'\0')[0].decode('utf8', 'backslashreplace')
    return ''.join(c if c.isprintable() else c.encode('unicode_escape').decode() for c in text)


def tractor_read_text(address, most=256):
    """Up to where it can be read: what is behind may be another mapping."""
    raw = b''
    while address != 0 and len(raw) < most and b'\0' not in raw:
        try:
            raw += tractor_read(address + len(raw), min(32, most - len(raw)))
        except gdb.MemoryError:
            try:
                raw += tractor_read(address + len(raw), 1)
            except gdb.MemoryError:
                return tractor_decode(raw) if raw else '?'
    return tractor_decode(raw)


# --- the layout ------------------------------------------------------------------------------------------------------

class TractorLayout:
    """tractor_debug_1, field by field, in the order of TractorDebugLayout."""

    HEAD = '<8sII'
    FIELDS = '''
        guests:Q switch_kind
        guest_next guest_actor guest_current guest_root guest_n_tasks
        scope_parent scope_first_child scope_next_sibling scope_first_task scope_owner scope_deadline scope_is_nursery
        scope_shield scope_cancel_called scope_effective scope_reason scope_reason_bytes
        task_sp task_scope task_state task_waiting_for task_wait task_next_in_scope task_nursery task_func task_stack
        task_id task_name task_name_bytes
        stack_low stack_size
        sleep_until
        guest_tick guest_looked_at guest_ops ops_now tick_outer tick_interrupted tick_sp scope_source
        '''.split()
    # Behind what is of the moment. A library that is older has less of it.
    LATER_AT = 292
    LATER = 'wait_lot lot_holder'.split()

    def __init__(self):
        if gdb.selected_thread() is None:
            raise gdb.GdbError('There is no process: "run" a program, "attach" to one, or load a core ("core FILE").')
        self.at = self.find()
        magic, version, n_bytes = struct.unpack(self.HEAD, self.read(self.at, struct.calcsize(self.HEAD)))
        if magic != b'TRACTOR\0' or version != 1:
            raise gdb.GdbError('What tractor_debug_1 is in this process is not known here: it is another version of '
                               'libtractor-1, or memory was overwritten. Load the script of that version.')
        codes = [field.partition(':')[2] or 'I' for field in self.FIELDS]
        fields = '<' + ''.join(codes)
        if n_bytes < struct.calcsize(self.HEAD) + struct.calcsize(fields):
            raise gdb.GdbError('The library in this process is older than this script. Load the script of that version.')
        values = struct.unpack(fields, self.read(self.at + struct.calcsize(self.HEAD), struct.calcsize(fields)))
        for field, value in zip(self.FIELDS, values):
            setattr(self, field.partition(':')[0], value)
        later = struct.Struct(f'<{len(self.LATER)}I')
        has_later = n_bytes >= self.LATER_AT + later.size
        self.later = dict(zip(self.LATER, later.unpack(self.read(self.at + self.LATER_AT, later.size)) if has_later else
                              [0] * len(self.LATER)))

    @staticmethod
    def find():
        try:
            return int(gdb.execute('with language c -- output (unsigned long) &tractor_debug_1', to_string=True), 0)
        except (gdb.error, ValueError):
            raise gdb.GdbError('There is no tractor in this process: libtractor-1 is not loaded (yet), or is too old, or '
                               'its file is not found ("info sharedlibrary").') from None

    @staticmethod
    def read(address, n_bytes):
        try:
            return tractor_read(address, n_bytes)
        except gdb.MemoryError:
            raise gdb.GdbError('tractor_debug_1 cannot be read: this core is not whole, or the library\'s file is another '
                               'one than the process had.') from None


class TractorRecord:
    """A struct of the library's, of which the fields up to the last that is known are read in one piece."""

    def __init__(self, layout, kind, at):
        self.layout = layout
        self.kind = kind
        self.at = at
        self.raw = tractor_read(at, self.get_size(layout, kind))

    @staticmethod
    def get_size(layout, kind):
        sizes = layout.__dict__.setdefault('sizes', {})
        if kind not in sizes:
            fields = {name: offset for name, offset in vars(layout).items() if name.startswith(kind + '_')}
            sizes[kind] = max(offset + fields.get(name + '_bytes', 8) for name, offset in fields.items()
                              if not name.endswith('_bytes'))
        return sizes[kind]

    def get(self, field, code='Q'):
        offset = getattr(self.layout, f'{self.kind}_{field}')
        return struct.unpack_from('<' + code, self.raw, offset)[0]

    def get_text(self, field):
        offset = getattr(self.layout, f'{self.kind}_{field}')
        return tractor_decode(self.raw[offset:offset + getattr(self.layout, f'{self.kind}_{field}_bytes')])


# --- what is in a process --------------------------------------------------------------------------------------------

class TractorScope:
    def __init__(self, layout, at, parent):
        record = TractorRecord(layout, 'scope', at)
        self.at = at
        self.parent = parent
        self.depth = 0 if parent is None else parent.depth + 1
        self.first_child = record.get('first_child')
        self.next_sibling = record.get('next_sibling')
        self.first_task = record.get('first_task')
        self.owner_at = record.get('owner')
        self.owner = None
        self.deadline = record.get('deadline', 'q')
        self.is_nursery = record.get('is_nursery', 'I') != 0
        self.shield = record.get('shield', 'I') != 0
        self.cancel_called = record.get('cancel_called', 'I') != 0
        self.effective = record.get('effective', 'I') != 0
        self.source = record.get('source', 'I')
        self.reason = record.get_text('reason') if self.cancel_called else ''
        self.tasks = []

    def is_sane(self):
        return self.parent is None or self.owner_at != 0 # zeros are where a core has nothing


class TractorTask:
    STATES = ('runnable', 'running', 'waiting', 'ended')

    def __init__(self, guest, at, scope):
        record = TractorRecord(guest.layout, 'task', at)
        self.guest = guest
        self.at = at
        self.scope = scope
        self.sp = record.get('sp')
        self.state = self.STATES[min(record.get('state', 'B'), 3)]
        self.waiting_for_at = record.get('waiting_for') if self.state == 'waiting' else 0
        self.wait_at = record.get('wait')
        self.next_in_scope = record.get('next_in_scope')
        self.nursery_at = record.get('nursery')
        self.func = record.get('func')
        self.stack_at = record.get('stack')
        self.id = record.get('id')
        self.name = record.get_text('name')
        self.children = []

    def is_sane(self):
        return self.id != 0 and self.func != 0

    def get_full_id(self):
        return f'{self.guest.number}.{self.id}' if self.guest.has_others else str(self.id)

    def get_stack(self):
        """The lowest usable address, and how many bytes from there are usable."""
        stack = TractorRecord(self.guest.layout, 'stack', self.stack_at)
        return stack.get('low'), stack.get('size')

    def has_on_stack(self, address):
        try:
            low, size = self.get_stack()
        except gdb.MemoryError:
            return False
        return low <= address < low + size

    def get_wait(self):
        if self.waiting_for_at == 0:
            return ''
        texts = self.guest.texts
        if self.waiting_for_at not in texts:
            texts[self.waiting_for_at] = tractor_read_text(self.waiting_for_at)
        return texts[self.waiting_for_at]

    def get_holder(self):
        """The task that has the lock that it waits for, or None."""
        later = self.guest.layout.later
        if later['lot_holder'] == 0 or self.wait_at == 0 or self.get_wait() not in ('lock', 'condition'):
            return None
        try:
            at = tractor_read_u64(tractor_read_u64(self.wait_at + later['wait_lot']) + later['lot_holder'])
        except gdb.MemoryError:
            return None
        return self.guest.tasks_at.get(at)

    def get_sleep_end(self):
        """When it wakes up, if it sleeps with an end."""
        if self.get_wait() != 'sleep' or self.wait_at == 0:
            return None
        try:
            end = struct.unpack('<q', tractor_read(self.wait_at + self.guest.layout.sleep_until, 8))[0]
        except gdb.MemoryError:
            return None
        return end if 0 < end < TRACTOR_NO_DEADLINE else None

    def get_scopes(self):
        """Those that it has opened, or was born in; the innermost first."""
        scope = self.scope
        while scope is not None:
            yield scope
            if scope.at == self.nursery_at:
                return
            scope = scope.parent

    def get_deadline(self):
        """When it will be cancelled at the latest."""
        earliest = TRACTOR_NO_DEADLINE
        scope = self.scope
        while scope is not None:
            if not scope.cancel_called:
                earliest = min(earliest, scope.deadline)
            scope = None if scope.shield else scope.parent
        return earliest


class TractorActor:
    """What a guest is, if it is an actor: struct TractorDebugActor."""

    def __init__(self, at):
        name, uuid, self.parent_pid, child_name, child_pid, children = struct.unpack('<QQqIIQ', tractor_read(at, 40))
        self.name = tractor_read_text(name)
        self.uuid = tractor_read_text(uuid)
        self.children = []
        if children != 0:
            pointers, n = struct.unpack('<QI', tractor_read(children, 12))
            for i in range(min(n, 100000)):
                child = tractor_read_u64(pointers + 8 * i)
                pid = struct.unpack('<i', tractor_read(child + child_pid, 4))[0]
                self.children.append((tractor_read_text(tractor_read_u64(child + child_name)), pid))


class TractorGuest:
    def __init__(self, layout, at):
        self.layout = layout
        self.at = at
        self.texts = {}
        self.is_whole = True
        record = TractorRecord(layout, 'guest', at)
        self.next = record.get('next')
        self.current = record.get('current')
        self.n_tasks = record.get('n_tasks', 'I')
        self.tick = record.get('tick')
        self.looked_at = record.get('looked_at', 'q')
        self.has_own_clock = TractorRecord(layout, 'ops', record.get('ops')).get('now') != 0
        try:
            self.actor = TractorActor(record.get('actor')) if record.get('actor') != 0 else None
        except gdb.MemoryError:
            self.actor = None
            self.is_whole = False
        self.scopes = []
        self.tasks = []
        self.read_scopes()
        self.is_whole = self.is_whole and len(self.tasks) == self.n_tasks
        self.make_tree()

    def read_scopes(self):
        """All scopes and tasks; those that a pointer which leads nowhere keeps from us are missing."""
        seen = set()
        todo = self.read_list(self.at + self.layout.guest_root, 'next_sibling', seen, TractorScope, self.layout, None)
        while todo:
            scope = todo.pop()
            self.scopes.append(scope)
            scope.tasks = self.read_list(scope.first_task, 'next_in_scope', seen, TractorTask, self, scope)
            self.tasks += scope.tasks
            todo += self.read_list(scope.first_child, 'next_sibling', seen, TractorScope, self.layout, scope)

    def read_list(self, at, link, seen, kind, home, scope):
        found = []
        try:
            while at != 0 and at not in seen:
                seen.add(at)
                item = kind(home, at, scope)
                if not item.is_sane():
                    break
                found.append(item)
                at = getattr(item, link)
        except gdb.MemoryError:
            pass
        return found

    def make_tree(self):
        """A task is below the one that opened the nursery it lives in."""
        self.tasks.sort(key=lambda task: task.id)
        tasks = self.tasks_at = {task.at: task for task in self.tasks}
        nurseries = {scope.at: scope for scope in self.scopes}
        for scope in self.scopes:
            scope.owner = tasks.get(scope.owner_at)
        self.top_tasks = []
        for task in self.tasks:
            nursery = nurseries.get(task.nursery_at)
            parent = nursery.owner if nursery is not None else None
            (self.top_tasks if parent is None or parent is task else parent.children).append(task)

    def find_suspended_sp(self, task):
        """Where a stack was left. A task that runs, but not on a thread, has a loop of the host on its stack, and in that
        a tick, which has left it for the tasks that the tick runs."""
        at = self.tick if task.state == 'running' else 0
        seen = set()
        while at != 0 and at not in seen:
            seen.add(at)
            tick = TractorRecord(self.layout, 'tick', at)
            if tick.get('interrupted') == task.at:
                return tick.get('sp')
            at = tick.get('outer')
        return task.sp

    def walk(self, many):
        """The tree: each task with its depth in it; and MANY or more that are equal and have none below, at once."""
        todo = [(tasks, 0) for tasks in reversed(self.fold(self.top_tasks, many))]
        while todo:
            tasks, depth = todo.pop()
            yield tasks, depth
            if len(tasks) == 1:
                todo += [(below, depth + 1) for below in reversed(self.fold(tasks[0].children, many))]

    @staticmethod
    def fold(tasks, many):
        groups = {}
        for task in tasks:
            key = task.at if task.children else (task.name, task.state, task.get_wait(), task.get_holder(), task.func,
                                                 task.scope.effective)
            groups.setdefault(key, []).append(task)
        folded = [group for group in groups.values() if len(group) >= many]
        folded += [[task] for group in groups.values() if len(group) < many for task in group]
        return sorted(folded, key=lambda group: group[0].id)


class TractorProcess:
    """All that is read of a process, for one command."""

    def __init__(self):
        self.layout = TractorLayout()
        self.guests = []
        self.symbols = {}
        self.libraries = {}
        self.is_whole = True
        connection = gdb.selected_inferior().connection
        self.is_here = connection is not None and connection.type == 'native'
        self.is_core = connection is not None and connection.type == 'core'
        self.is_static = gdb.solib_name(self.layout.at) is None
        at = self.layout.guests
        seen = set()
        try:
            while at != 0 and at not in seen:
                seen.add(at)
                guest = TractorGuest(self.layout, at)
                self.guests.insert(0, guest)
                at = guest.next
        except gdb.MemoryError:
            self.is_whole = False
        for number, guest in enumerate(self.guests, 1):
            guest.number = number
            guest.has_others = len(self.guests) > 1
            self.is_whole = self.is_whole and guest.is_whole
        self.tasks = [task for guest in self.guests for task in guest.tasks]

    def say_what_is_missing(self):
        if not self.guests:
            tractor_say('No guest is in this process: nothing of tractor has been started, or all has ended.')
        if not self.is_whole:
            n_all = sum(guest.n_tasks for guest in self.guests)
            why = ('the core is not whole, or memory was overwritten. A core that gdb has written lacks the stacks, on a kernel '
                   'with light guards (Linux 6.13); the kernel\'s own has them.') if self.is_core else (
                       'memory was overwritten, or the process stands where it was changing it.')
            tractor_say(f'Of {tractor_count(n_all, "task")} {len(self.tasks):,} can be read: {why}')

    def find(self, word):
        """The tasks that WORD means: an id, GUEST.ID, or a name."""
        found = [task for task in self.tasks if word in (str(task.id), f'{task.guest.number}.{task.id}')]
        if len(found) > 1:
            raise gdb.GdbError(f'There is a task {word} in each of several guests: say '
                               f'{" or ".join(task.get_full_id() for task in found)}.')
        found = found or [task for task in self.tasks if task.name == word]
        if not found:
            raise gdb.GdbError(f'There is no task {word}. {self.describe_tasks()}')
        return found

    def find_one(self, word):
        found = self.find(word)
        if len(found) > 1:
            raise gdb.GdbError(f'{len(found)} tasks are called {word}: say which by its id, of '
                               f'{tractor_name_ids(found)}.')
        return found[0]

    def describe_tasks(self):
        names = sorted({task.name for task in self.tasks})
        if not names:
            return 'There are no tasks in this process.'
        more = f' and {len(names) - 12} names more' if len(names) > 12 else ''
        return f'There are {", ".join(names[:12])}{more}; ids are {tractor_name_ids(self.tasks)}.'

    # Symbols and files are asked for again and again.

    def get_symbol(self, address):
        if address not in self.symbols:
            text = gdb.execute(f'info symbol {address}', to_string=True)
            self.symbols[address] = text.split(' in section')[0] if ' in section' in text else hex(address)
        return self.symbols[address]

    def get_library(self, address):
        if address not in self.libraries:
            self.libraries[address] = os.path.basename(gdb.solib_name(address) or '')
        return self.libraries[address]

    def is_own(self, address):
        """Whether code is the library's. In a program that it is linked into, only its names tell."""
        if self.is_static:
            return re.match(r'tractor_', self.get_symbol(address)) is not None
        return re.match(r'libtractor(-glib|-uv)?-1\.so', self.get_library(address)) is not None

    def is_of_user(self, address):
        return not self.is_own(address) and re.match(
            r'(libc|libpthread|libglib-2\.0|libgobject-2\.0|libgio-2\.0|libuv)\.so|ld-linux', self.get_library(address)) is None


# --- saying it -------------------------------------------------------------------------------------------------------

def tractor_say(text=''):
    """A line, in what the terminal has of letters."""
    charset = gdb.host_charset()
    try:
        codecs.lookup(charset)
    except LookupError:
        charset = 'ascii'
    for fine, plain in (('×', 'x'), ('←', '<-')):
        if fine.encode(charset, 'ignore') == b'':
            text = text.replace(fine, plain)
    gdb.write(text.encode(charset, 'backslashreplace').decode(charset).rstrip() + '\n')


def tractor_count(n, what):
    return f'{n:,} {what}' if n == 1 else f'{n:,} {what}s'


def tractor_name_ids(tasks):
    """1, 3-5: of one guest; of several with their numbers."""
    ranges = []
    for task in sorted(tasks, key=lambda task: (task.guest.number, task.id)):
        if ranges and ranges[-1][1].guest is task.guest and ranges[-1][1].id + 1 == task.id:
            ranges[-1][1] = task
        else:
            ranges.append([task, task])
    texts = [first.get_full_id() if first is last else f'{first.get_full_id()}-{last.id}' for first, last in ranges]
    return ', '.join(texts if len(texts) <= 8 else texts[:8] + ['…' if 'utf' in gdb.host_charset().lower() else '...'])


def tractor_name_span(usec):
    seconds = abs(usec) / 1e6
    if seconds < 60:
        return f'{seconds:.1f} s'
    minutes, seconds = divmod(int(seconds), 60)
    if minutes < 60:
        return f'{minutes} min {seconds} s'
    hours, minutes = divmod(minutes, 60)
    return f'{hours} h {minutes} min' if hours < 48 else f'{hours // 24} days'


class TractorClock:
    """What is left until a deadline. A core's clock has stopped, and another machine's is not known here: there it is as
    it was when the guest looked at it last. A host with a clock of its own, one for tests, is not asked for it."""

    def __init__(self, process):
        self.here = time.monotonic_ns() // 1000 if process.is_here else None

    def get_left(self, guest, deadline):
        """In usec; or None."""
        if guest.has_own_clock:
            return None
        return deadline - (self.here if self.here is not None else guest.looked_at)

    def name_sleep(self, guest, end):
        left = self.get_left(guest, end)
        if left is None:
            return f'until {end / 1e6:.1f} s'
        return ('{} left' if left > 0 else 'over for {}').format(tractor_name_span(left))

    def name_deadline(self, guest, deadline):
        left = self.get_left(guest, deadline)
        if left is None:
            return f'deadline at {deadline / 1e6:.1f} s'
        return ('deadline in {}' if left > 0 else 'deadline {} ago').format(tractor_name_span(left))


class TractorLines:
    """Tasks, a line each, in columns."""

    def __init__(self, process):
        self.process = process
        self.clock = TractorClock(process)
        try:
            self.sp = tractor_read_thread()[1]
        except gdb.error:
            self.sp = 0

    def get_flags(self, tasks):
        flags = []
        first = min(tasks, key=lambda task: task.get_deadline())
        if first.scope.effective:
            flags.append('[cancelled]')
        elif first.get_deadline() < TRACTOR_NO_DEADLINE:
            flags.append(f'[{self.name_first(tasks)}{self.clock.name_deadline(first.guest, first.get_deadline())}]')
        if all(any(scope.shield for scope in task.get_scopes()) for task in tasks):
            flags.insert(0, '[shielded]')
        if any(task.state == 'running' and task.has_on_stack(self.sp) for task in tasks):
            flags.append('← here')
        return '  '.join(flags)

    @staticmethod
    def name_first(tasks):
        return 'first ' if len(tasks) > 1 else ''

    def get_row(self, tasks, depth=0):
        """Of several that are equal but for their names, and how long they wait."""
        task = tasks[0]
        name = task.name
        if len(tasks) > 1:
            others = ' and others' if any(other.name != name for other in tasks) else ''
            name = f'{name}{others}  × {len(tasks):,}'
        wait = task.get_wait()
        holder = task.get_holder()
        if holder is not None:
            wait += f', held by {holder.get_full_id()} {holder.name}'
        ends = [end for end in (task.get_sleep_end() for task in tasks) if end is not None]
        if ends:
            wait += f', {self.name_first(tasks)}{self.clock.name_sleep(task.guest, min(ends))}'
        return [tractor_name_ids(tasks), '  ' * depth + name, task.state, wait, self.process.get_symbol(task.func),
                self.get_flags(tasks)]

    @staticmethod
    def say(rows):
        if not rows:
            return
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        for row in rows:
            tractor_say(f'{row[0]:>{max(widths[0], 4)}}  ' + '  '.join(
                f'{cell:<{width}}' for cell, width in zip(row[1:5], widths[1:])) + '  ' + row[5])


# --- looking from a task ---------------------------------------------------------------------------------------------

class TractorSwitch:
    """What the switch leaves on a stack that is left: its registers, from the saved stack pointer upwards."""

    def __init__(self, sp_name, n_bytes, pc_name, registers):
        self.sp_name = sp_name
        self.n_bytes = n_bytes
        self.pc_name = pc_name
        self.registers = registers # name: where

TRACTOR_SWITCHES = {
    1: TractorSwitch('rsp', 64, 'rip', {'r12': 8, 'r13': 16, 'r14': 24, 'r15': 32, 'rbx': 40, 'rbp': 48, 'rip': 56}),
    2: TractorSwitch('sp', 176, 'pc', {**{f'x{19 + i}': 8 * i for i in range(11)}, 'pc': 88}),
}


def tractor_read_thread():
    """Program counter and stack pointer of the selected thread itself."""
    frame = gdb.newest_frame()
    return frame.pc(), int(frame.read_register('sp'))


class TractorUnknownSwitch(gdb.GdbError):
    def __init__(self):
        super().__init__('The stacks of tasks that do not run cannot be read: this library switches in a way that is not known '
                         'here (ucontext). Those of one that is built with -Dswitch=assembly can.')


class TractorView:
    """A task that is looked at in place of the frames above a thread's innermost one."""

    current = None

    def __init__(self, task):
        switch = TRACTOR_SWITCHES.get(task.guest.layout.switch_kind)
        if switch is None:
            raise TractorUnknownSwitch()
        self.task_sp = task.guest.find_suspended_sp(task)
        saved = tractor_read(self.task_sp, switch.n_bytes)
        self.switch = switch
        self.registers = {name: struct.unpack_from('<Q', saved, offset)[0] for name, offset in switch.registers.items()}
        self.pc = self.registers[switch.pc_name]
        self.sp = self.task_sp + switch.n_bytes
        self.has_begun = self.sp != task.at # else its stack is as it was prepared
        self.thread = gdb.selected_thread().ptid
        self.real_pc, self.real_sp = tractor_read_thread()

    def is_of(self, pending):
        return (gdb.selected_thread().ptid == self.thread and
                int(pending.read_register('sp')) == self.real_sp and
                int(pending.read_register('pc')) == self.real_pc)

    def unwind(self, pending):
        info = pending.create_unwind_info(TractorFrameId(gdb.Value(self.task_sp - 16), gdb.Value(self.real_pc)))
        word = pending.architecture().integer_type(64, False)
        for name, value in {**self.registers, self.switch.sp_name: self.sp}.items():
            info.add_saved_register(name, gdb.Value(value).cast(word))
        return info

    def is_first_frame(self, frame):
        return frame.pc() == self.pc and int(frame.read_register('sp')) == self.sp

    def get_frames(self):
        """The task's frames, as gdb sees them while this is looked at."""
        frame = gdb.newest_frame()
        while frame is not None and not self.is_first_frame(frame):
            frame = frame.older()
        return tractor_walk(frame)

    @classmethod
    def set(cls, view):
        cls.current = view
        TractorFilter.the_one.enabled = view is not None
        gdb.invalidate_cached_frames()


class TractorFrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class TractorUnwinder(gdb.unwinder.Unwinder):
    def __init__(self):
        super().__init__('tractor')

    def __call__(self, pending):
        view = TractorView.current
        return view.unwind(pending) if view is not None and view.is_of(pending) else None


class TractorNamedFrame(FrameDecorator):
    """Where there is no name, as `backtrace` without filters has it."""

    def function(self):
        return super().function() if self.inferior_frame().name() is not None else '??'


class TractorFilter:
    """Has `backtrace` begin with the task's frames."""

    the_one = None

    def __init__(self):
        self.name = 'tractor'
        self.priority = 100
        self.enabled = False
        gdb.frame_filters[self.name] = self

    def filter(self, frames):
        view = TractorView.current
        has_begun = False
        for frame in frames:
            inferior_frame = frame.inferior_frame()
            has_begun = has_begun or view is None or view.is_first_frame(inferior_frame)
            if has_begun and inferior_frame.pc() != 0:
                yield TractorNamedFrame(frame)


def tractor_walk(frame):
    """From a frame outwards. What begins a task has no caller, and gdb shows that as a frame at 0."""
    while frame is not None and frame.pc() != 0:
        yield frame
        try:
            frame = frame.older()
        except gdb.error:
            return


def tractor_select_level(level):
    frame = gdb.newest_frame()
    while frame.level() < level and frame.older() is not None:
        frame = frame.older()
    frame.select()


class TractorKept:
    """Whatever is looked at inside, the user's thread and frame are selected again after it."""

    def __enter__(self):
        self.thread = gdb.selected_thread()
        self.view = TractorView.current
        self.level = gdb.selected_frame().level()

    def __exit__(self, *_):
        if gdb.selected_thread() is None or gdb.selected_thread().num != self.thread.num:
            self.thread.switch()
        TractorView.set(self.view)
        tractor_select_level(self.level)


def tractor_find_thread(task):
    """(thread, frame) of the thread that is on the task's stack; or below a signal handler that has a stack of its own."""
    selected = gdb.selected_thread()
    handlers = []
    for thread in gdb.selected_inferior().threads():
        try:
            thread.switch()
            frame = gdb.newest_frame()
            if task.has_on_stack(int(frame.read_register('sp'))):
                return thread, frame
        except gdb.error:
            continue # it runs, or is gone
        handlers.append(thread)
    for thread in handlers:
        thread.switch()
        for frame in tractor_walk(gdb.newest_frame()):
            if frame.level() > 64:
                break
            if frame.type() == gdb.SIGTRAMP_FRAME and frame.older() is not None and task.has_on_stack(
                    int(frame.older().read_register('sp'))):
                return thread, gdb.newest_frame()
    selected.switch()
    return None, None


def tractor_enter(task):
    """Selects what the task's frames are seen in, and returns them; for a task that has not begun, none."""
    if task.state == 'running':
        TractorView.set(None)
        thread, frame = tractor_find_thread(task)
        if thread is not None:
            return list(tractor_walk(frame))
    view = TractorView(task)
    if not view.has_begun:
        return []
    TractorView.set(view)
    return list(view.get_frames())


# --- equal stacks ----------------------------------------------------------------------------------------------------

class TractorWalks:
    """Which places in the code a stack goes through. gdb is asked, and each place remembered with the size of its frame,
    until all those of a stack are known. Only where the address of the caller is at the end of a frame: x86-64."""

    OUTERMOST = -1
    DIFFERS = -2

    def __init__(self, process):
        self.process = process
        self.is_simple = process.layout.switch_kind == 1
        self.sizes = {} # of the frames at a program counter
        self.end = None # where the outermost frame is, below the task itself: a sum that misses it was wrong
        self.n_asked = 0

    def get_places(self, task):
        return self.add_up(task) or self.ask(task)

    def add_up(self, task):
        switch = TRACTOR_SWITCHES.get(self.process.layout.switch_kind)
        if not self.is_simple or task.state == 'running':
            return None
        raw = tractor_read(task.sp, min(1024, task.at - task.sp))
        pc = struct.unpack_from('<Q', raw, switch.registers['rip'])[0]
        at = switch.n_bytes
        places = []
        while True:
            size = self.sizes.get(pc)
            places.append(pc)
            if size is None or size == self.DIFFERS:
                return None
            if size == self.OUTERMOST:
                return tuple(places) if task.at - task.sp - at == self.end else None
            at += size
            if at > len(raw):
                if task.sp + at > task.at:
                    return None
                raw = tractor_read(task.sp, min(2 * at, task.at - task.sp))
            pc = struct.unpack_from('<Q', raw, at - 8)[0]

    def ask(self, task):
        self.n_asked += 1
        frames = tractor_enter(task)
        if not frames:
            return (task.func,)
        if task.state != 'running':
            self.learn(task, frames)
        return tuple(frame.pc() for frame in frames if frame.type() != gdb.INLINE_FRAME)

    def learn(self, task, frames):
        if any(frame.type() not in (gdb.NORMAL_FRAME, gdb.INLINE_FRAME) for frame in frames):
            return
        # Inlined functions have their caller's stack pointer: the outermost of them is the one that has a frame.
        frames = [frame for frame in frames if frame.type() == gdb.NORMAL_FRAME]
        sps = [int(frame.read_register('sp')) for frame in frames]
        for frame, sp, outer in zip(frames, sps, sps[1:]):
            size = self.sizes.setdefault(frame.pc(), outer - sp)
            if size != outer - sp:
                self.sizes[frame.pc()] = self.DIFFERS
        if frames[-1].unwind_stop_reason() in (gdb.FRAME_UNWIND_OUTERMOST, gdb.FRAME_UNWIND_NO_REASON):
            self.sizes.setdefault(frames[-1].pc(), self.OUTERMOST)
            self.end = task.at - sps[-1]


# --- frames as text --------------------------------------------------------------------------------------------------

class TractorStacks:
    """Prints frames as gdb does, without those that only the library's developers want to see: of the library's, what
    the user's function has called is left."""

    def __init__(self, process, full, own):
        self.process = process
        self.full = full
        self.own = own

    def choose(self, frames):
        if self.own:
            return frames
        users = next((i for i, frame in enumerate(frames) if frame.type() != gdb.SIGTRAMP_FRAME and
                      self.process.is_of_user(frame.pc())), 0)
        # What that has called, and not what is in it: how a crash came to be handled, and how it is waited.
        frames = frames[max(users - 1, 0):]
        if frames and frames[0].type() == gdb.SIGTRAMP_FRAME:
            frames = frames[1:]
        is_own = [self.process.is_own(frame.pc()) for frame in frames]
        return [frame for i, frame in enumerate(frames) if not is_own[i] or (i + 1 < len(frames) and not is_own[i + 1])]

    def say(self, frames):
        chosen = self.choose(frames)
        for frame in chosen or frames:
            frame.select()
            gdb.write(gdb.execute('with print frame-info location -- frame', to_string=True))
            if self.full:
                for line in gdb.execute('info locals', to_string=True).splitlines():
                    gdb.write(f'        {line}\n')
        last = frames[-1] if frames else None
        if last is not None and last.unwind_stop_reason() >= gdb.FRAME_UNWIND_UNAVAILABLE:
            tractor_say(f'The stack goes on, but cannot be read: {gdb.frame_stop_reason_string(last.unwind_stop_reason())}.')


def tractor_select_users(process, frames):
    """The innermost frame of the program's own, or else of the library's that it would have called."""
    for frame in frames:
        if frame.type() in (gdb.NORMAL_FRAME, gdb.INLINE_FRAME) and process.is_of_user(frame.pc()):
            break
    else:
        frame = frames[0]
    frame.select()


# --- the commands ----------------------------------------------------------------------------------------------------

def tractor_split(arg):
    """Words as a shell has them: a name may have spaces."""
    return gdb.string_to_argv(arg)


def tractor_take_one(arg, usage):
    words = tractor_split(arg)
    if len(words) > 1:
        raise gdb.GdbError(f'One task at a time: {usage}. A name that has spaces is put in quotes.')
    return words[0] if words else None


class TractorInfo(gdb.Command):
    """The actor that this process is, and its tasks.

    Each line: id, name (below the task that has started it), state, what it waits for and how long that may last at most,
    its function; and whether it is cancelled, or shielded from that, and its deadline."""

    MANY = 8 # equal tasks below one are one line from here on

    def __init__(self):
        super().__init__('info tractor', gdb.COMMAND_STATUS)

    def invoke(self, arg, from_tty):
        if arg:
            raise gdb.GdbError('"info tractor" shows all tasks, and takes no arguments: "tractor bt TASK" shows one.')
        process = TractorProcess()
        lines = TractorLines(process)
        for guest in process.guests:
            if guest.has_others:
                tractor_say(f'guest {guest.number}:')
            self.say_actor(guest.actor)
            tractor_say(tractor_count(guest.n_tasks, 'task'))
            lines.say([lines.get_row(tasks, depth) for tasks, depth in guest.walk(self.MANY)])
        if not process.is_here and process.guests:
            tractor_say('Times are as when the clock was looked at last.')
        process.say_what_is_missing()

    @staticmethod
    def say_actor(actor):
        if actor is None:
            tractor_say('no actor')
            return
        tractor_say(f'actor {actor.name} ({actor.uuid}), pid {gdb.selected_inferior().pid}' +
                    (f', its parent is {actor.parent_pid}' if actor.parent_pid > 0 else ''))
        for name, pid in actor.children:
            tractor_say(f'child {name} ' + (f'(pid {pid})' if pid > 0 else '(not running)'))



class TractorPrefix(gdb.Command):
    """Tasks and actors of a process that uses tractor.

    TASK is the id of a task or its name, as "info tractor" shows them; of several guests in one process, GUEST.ID."""

    def __init__(self):
        super().__init__('tractor', gdb.COMMAND_USER, prefix=True)


class TractorBacktrace(gdb.Command):
    """The stacks of tasks: tractor bt [TASK|all] [-full] [-own]

    Equal stacks are shown once, with the number of tasks that have them.
    -full shows the values of variables as well; -own shows the tasks and the frames that are the library's own, too."""

    USAGE = 'tractor bt [TASK|all] [-full] [-own]'

    def __init__(self):
        super().__init__('tractor bt', gdb.COMMAND_STACK)

    def invoke(self, arg, from_tty):
        words = tractor_split(arg)
        options = [word for word in words if word.startswith('-')]
        names = [word for word in words if not word.startswith('-')]
        for option in options:
            if option not in ('-full', '-own'):
                raise gdb.GdbError(f'There is no option {option}: {self.USAGE}.')
        if len(names) > 1:
            raise gdb.GdbError(f'One task, or all: {self.USAGE}. A name that has spaces is put in quotes.')
        process = TractorProcess()
        is_all = names in ([], ['all'])
        tasks = process.tasks if is_all else process.find(names[0])
        with TractorKept():
            self.show(process, tasks, TractorStacks(process, '-full' in options, '-own' in options),
                      is_all and '-own' not in options)
        process.say_what_is_missing()

    def show(self, process, tasks, stacks, hides_own_tasks):
        lines = TractorLines(process)
        walks = TractorWalks(process)
        groups = {}
        unreadable = []
        n_own = 0
        why = 'Memory was overwritten, or the core is not whole.'
        for task in tasks:
            try:
                places = walks.get_places(task)
            except (gdb.MemoryError, TractorUnknownSwitch) as error:
                unreadable.append(task)
                places = (task.func,)
                if isinstance(error, TractorUnknownSwitch):
                    why = str(error)
            if hides_own_tasks and not any(process.is_of_user(place) for place in (task.func, *places)):
                n_own += 1
                continue
            key = (places, task.state, task.get_wait(), task.get_holder(), task.scope.effective)
            groups.setdefault(key, []).append(task)
        for i, members in enumerate(groups.values()):
            if i > 0:
                tractor_say()
            lines.say([lines.get_row(members)])
            if members[0] not in unreadable:
                self.show_stack(process, stacks, members[0])
        if n_own > 0:
            tractor_say()
            tractor_say(f'{tractor_count(n_own, "task")} of the library itself: "tractor bt all -own" shows them too.')
        if unreadable:
            tractor_say(f'{tractor_count(len(unreadable), "stack")} cannot be read. {why}')

    @staticmethod
    def show_stack(process, stacks, task):
        frames = tractor_enter(task)
        if frames:
            stacks.say(frames)
        else:
            tractor_say(f'     has not begun: {process.get_symbol(task.func)}() will be called')


class TractorSelect(gdb.Command):
    """Look from a task: tractor task TASK; and back: tractor task

    After it `up`, `down`, `frame`, `info locals`, `print` and `backtrace` are about that task, in this thread, until
    anything runs or another task or thread is selected. Without an argument: back to where the thread itself stands."""

    USAGE = 'tractor task [TASK]'
    left = None # (thread, level): the user's frame before the first task

    def __init__(self):
        super().__init__('tractor task', gdb.COMMAND_STACK)

    def invoke(self, arg, from_tty):
        word = tractor_take_one(arg, self.USAGE)
        if word is None:
            self.go_back()
            return
        process = TractorProcess()
        task = process.find_one(word)
        before = (gdb.selected_thread(), gdb.selected_frame().level(), TractorView.current)
        try:
            frames = tractor_enter(task)
        except (gdb.MemoryError, gdb.GdbError) as error:
            self.put_back(before)
            raise gdb.GdbError(str(error) if isinstance(error, gdb.GdbError) else
                               f'The stack of task {task.get_full_id()} cannot be read.') from None
        if not frames:
            self.put_back(before)
            raise gdb.GdbError(f'Task {task.get_full_id()} has not begun: {process.get_symbol(task.func)}() will be called.')
        if TractorSelect.left is None:
            TractorSelect.left = before[:2]
        tractor_select_users(process, frames)
        TractorLines.say([TractorLines(process).get_row([task])])
        gdb.execute('frame')

    @staticmethod
    def put_back(before):
        before[0].switch()
        TractorView.set(before[2])
        tractor_select_level(before[1])

    @classmethod
    def go_back(cls):
        if cls.left is None:
            raise gdb.GdbError(f'No task is looked at: {cls.USAGE}. "info tractor" shows which there are.')
        thread, level = cls.left
        cls.forget()
        if thread.is_valid():
            thread.switch()
            tractor_select_level(level)
        gdb.execute('frame')

    @classmethod
    def forget(cls):
        if cls.left is None and TractorView.current is None:
            return # the frame that the user has selected stays selected
        cls.left = None
        TractorView.set(None)


class TractorScopes(gdb.Command):
    """Scopes, with deadlines, shields and who was cancelled why: tractor scopes [TASK]

    Without an argument the whole tree of them; of a task those that it is in, the innermost first."""

    USAGE = 'tractor scopes [TASK]'
    SOURCES = {
        1: 'cancelled by a call',
        2: 'cancelled by its deadline',
        3: 'cancelled by a failure in the nursery',
        4: 'cancelled by the end of the loop',
    } # TractorCancelSource

    def __init__(self):
        super().__init__('tractor scopes', gdb.COMMAND_STATUS)

    def invoke(self, arg, from_tty):
        word = tractor_take_one(arg, self.USAGE)
        process = TractorProcess()
        clock = TractorClock(process)
        if word is None:
            for guest in process.guests:
                if guest.has_others:
                    tractor_say(f'guest {guest.number}:')
                for scope in guest.scopes:
                    self.say(guest, clock, scope, scope.depth)
            process.say_what_is_missing()
            return
        task = process.find_one(word)
        tractor_say(f'task {task.get_full_id()} {task.name} is in, from the inside:')
        scope = task.scope
        while scope is not None:
            self.say(task.guest, clock, scope, 1)
            scope = scope.parent

    @staticmethod
    def say(guest, clock, scope, depth):
        if scope.parent is None:
            text = 'the outermost scope'
        else:
            owner = f'task {scope.owner.get_full_id()} {scope.owner.name}' if scope.owner is not None else 'a task that is gone'
            text = f'{"nursery" if scope.is_nursery else "scope"} of {owner}'
        if scope.shield:
            text += '  [shielded]'
        if scope.cancel_called:
            text += f'  [{TractorScopes.SOURCES.get(scope.source, "cancelled")}' + (f': {scope.reason}]' if scope.reason else ']')
        elif scope.effective:
            text += '  [cancelled, by what is around it]'
        if scope.deadline < TRACTOR_NO_DEADLINE and not scope.cancel_called:
            text += f'  [{clock.name_deadline(guest, scope.deadline)}]'
        if scope.tasks:
            text += f'  has task{"s" if len(scope.tasks) > 1 else ""} {tractor_name_ids(scope.tasks)}'
        tractor_say('  ' * depth + text)


class TractorTree(gdb.Command):
    """The actors that this one knows: its parent, itself, and its children, with what to attach to."""

    def __init__(self):
        super().__init__('tractor tree', gdb.COMMAND_STATUS)

    def invoke(self, arg, from_tty):
        if arg:
            raise gdb.GdbError('"tractor tree" takes no arguments.')
        process = TractorProcess()
        actors = [guest.actor for guest in process.guests if guest.actor is not None]
        for actor in actors:
            depth = 0
            if actor.parent_pid > 0:
                tractor_say(f'{actor.parent_pid:>7}  its parent')
                depth = 1
            tractor_say(f'{gdb.selected_inferior().pid:>7}  {"  " * depth}{actor.name} ({actor.uuid})  ← here')
            for name, pid in actor.children:
                tractor_say(f'{pid if pid > 0 else "-":>7}  {"  " * (depth + 1)}{name}')
        if not actors:
            raise gdb.GdbError('No actor is in this process: tasks only, or its runtime is not open (yet).')
        tractor_say('Each is a process of its own: "attach PID", or "gdb -p PID" elsewhere, looks at it.')


class TractorStopAt(gdb.Breakpoint):
    """Where a task goes on, once it does: others may come by."""

    def __init__(self, address, name, group):
        super().__init__(f'*{address}', temporary=True)
        self.task_name = name
        self.group = group
        group.append(self)

    def stop(self):
        sp = tractor_read_thread()[1]
        layout = TractorLayout()
        at = layout.guests
        while at != 0:
            guest = TractorRecord(layout, 'guest', at)
            at = guest.get('next')
            if guest.get('current') == 0:
                continue
            task = TractorRecord(layout, 'task', guest.get('current'))
            stack = TractorRecord(layout, 'stack', task.get('stack'))
            if task.get_text('name') == self.task_name and 0 <= sp - stack.get('low') < stack.get('size'):
                return True
        return False

    @staticmethod
    def on_stop(event):
        """The first that is reached makes the others of its command needless."""
        for reached in getattr(event, 'breakpoints', []):
            for other in getattr(reached, 'group', []):
                if other is not reached and other.is_valid():
                    other.delete()


class TractorBreakTask(gdb.Command):
    """Stop when a task next goes on: tractor break-task TASK

    It stops in the program's own function, behind the call that the task waits in. Of several tasks of one name, at the
    first."""

    USAGE = 'tractor break-task TASK'

    def __init__(self):
        super().__init__('tractor break-task', gdb.COMMAND_BREAKPOINTS)

    def invoke(self, arg, from_tty):
        word = tractor_take_one(arg, self.USAGE)
        if word is None:
            raise gdb.GdbError(f'Which task? {self.USAGE}. "info tractor" shows which there are.')
        process = TractorProcess()
        if process.is_core:
            raise gdb.GdbError('A core does not go on: this is for a process.')
        tasks = process.find(word)
        addresses = set()
        with TractorKept():
            for task in tasks:
                addresses.add(self.find_place(process, task))
        group = []
        for address in sorted(addresses):
            TractorStopAt(address, tasks[0].name, group)

    @staticmethod
    def find_place(process, task):
        frames = tractor_enter(task)
        for frame in frames:
            if process.is_of_user(frame.pc()):
                return frame.pc()
        return frames[0].pc() if frames else task.func


# --- when anything runs ----------------------------------------------------------------------------------------------

class TractorEvents:
    is_calling = False

    @classmethod
    def on_call(cls, event):
        """gdb runs a function of the process for `print f()`: what is looked at stays, for all is as before after it."""
        cls.is_calling = isinstance(event, gdb.InferiorCallPreEvent)

    @classmethod
    def on_run(cls, event):
        if not cls.is_calling and (TractorView.current is not None or TractorSelect.left is not None):
            TractorSelect.forget()


def tractor_has_command(name):
    """Asked so that nothing fails: we may be loaded in the middle of `run`, and of a command that fails there gdb takes its
    prompt back, with the program still running (13.1)."""
    return name in gdb.execute(f'complete {name}', to_string=True).split('\n')


def tractor_hook_steps():
    """gdb counts a step from the frame that it believes to be the innermost one's caller, so it must be the true one. A
    hook of the user's own stays."""
    for command in ('next', 'step', 'nexti', 'stepi', 'until'):
        if not tractor_has_command(f'hook-{command}'):
            gdb.execute(f'define hook-{command}\npython TractorSelect.forget()\nend')


def tractor_load():
    TractorFilter.the_one = TractorFilter()
    gdb.unwinder.register_unwinder(None, TractorUnwinder(), replace=True)
    if not tractor_has_command('tractor'): # another script's commands are below it, and would be lost
        TractorPrefix()
    for command in (TractorInfo, TractorBacktrace, TractorSelect, TractorScopes, TractorTree, TractorBreakTask):
        command()
    tractor_hook_steps()
    gdb.events.cont.connect(TractorEvents.on_run)
    gdb.events.exited.connect(TractorEvents.on_run)
    gdb.events.inferior_call.connect(TractorEvents.on_call)
    gdb.events.stop.connect(TractorStopAt.on_stop)


tractor_load()
