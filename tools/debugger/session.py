"""session.py - what gdb does when tractor-debugger starts it for an actor that waits to be looked at.

It attaches, says in one line who it is and why, and stands in the user's code: of a pause, in the function that has
called tractor_pause(), which has been left by then, so that `next` works; of a crash, where the signal came; of a failed
task, which has no stack any more that could say more, in whatever called the function that failed.

All that it knows of the process is in tractor_debug_1 (guest/tractor-debug-layout.h), so that a stripped library does.

What is to happen then is written into the process; and what concerns the broker is said to that (debug-protocol.h)."""
# SPDX-License-Identifier: LGPL-2.1-or-later

import contextlib
import os
import re
import signal
import struct
import termios
import threading
import time
import traceback

import gdb
from gdb.FrameDecorator import FrameDecorator

STOP_AT = 192  # in TractorDebugLayout, version 1: layout.c holds it there
STOP = '=IiQiiQQIIQQ'
TRAP_AT = STOP_AT + struct.calcsize(STOP)
ORIGINS_AT = TRAP_AT + 24
FIELDS = ('kind', 'tid', 'task_id', 'signal_number', 'signal_code', 'address', 'text', 'verdict', 'go', 'error_at',
          'quit_error_at')
PAUSE, CRASH, ERROR = 1, 2, 3
CONTINUE, QUIT, ABANDON = 0, 1, 2
# DebugWord, of src/debug/debug-protocol.h.
WORD_BEGUN, WORD_ABANDON, WORD_QUIT, WORD_NO_ATTACH, WORD_NO_LIBRARY, WORD_LEAVES = b'b', b'a', b'q', b'n', b'l', b't'

N_WAITING_AT = 20  # in DebugPage, of the same: session.c holds it there

KEYS = {signal.SIGINT, signal.SIGQUIT}  # which session.c keeps back

# Variables of the environment that the broker sets begin so (session.c).
TOLD = 'TRACTOR_SESSION_'

# Whose frames are not the user's.
OURS = ('libtractor', 'libc.so', 'libpthread', 'ld-linux', 'libglib-2', 'libgobject-2', 'libgio-2', 'libuv.so',
        'libasan', 'libubsan', 'libtsan', 'vdso')
STEPS = 'next', 'step', 'nexti', 'stepi', 'finish', 'until', 'advance', 'jump', 'signal'
# What would end the actor, to have another process, or none.
OF_ANOTHER = 'attach', 'run', 'start', 'starti', 'core-file', 'disconnect', 'checkpoint'
TARGETS = 'core', 'exec', 'extended-remote', 'native', 'record-core', 'remote'
PAUSES = ('tractor_pause', 'tractor_pause_shielded')
PROMPT = '(tractor) '
LOOK_SECONDS = 0.02  # how often it is looked what gdb does, when it has the terminal again; and whether it may attach
ATTACH_SECONDS = 2  # how long somebody else may have the process before we give up
# The system calls that readline waits in, with what is their first argument then: read() and pselect6().
WAITING_FOR_A_KEY = {'x86_64': (['0', '0x0'], ['270', '0x1']), 'aarch64': (['63', '0x0'], ['72', '0x1'])}
STACK_GUARD_BYTES = 64 * 1024
MOST_OF_OURS = 20  # frames of ours, between where a thread waits and the function that has called us


def plain(text):
    return ''.join(c if c.isprintable() else '?' for c in text)


class Stop:
    """Who waits for us, and why, as the process has it."""

    def __init__(self, layout):
        values = struct.unpack(STOP, read(layout + STOP_AT, struct.calcsize(STOP)))
        for name, value in zip(FIELDS, values):
            setattr(self, name, value)
        self.layout = layout
        self.words = read_text(self.text) if self.text else ''
        self.is_at_trap = False  # the process runs under us, and is in the library

    def write(self, name, value):
        at = self.layout + STOP_AT + struct.calcsize('=' + STOP[1:1 + FIELDS.index(name)])
        gdb.selected_inferior().write_memory(at, struct.pack('=I', value))


def read(at, n_bytes):
    return bytes(gdb.selected_inferior().read_memory(at, n_bytes))


def read_text(at, limit=400):
    text = b''
    while len(text) < limit:
        byte = read(at + len(text), 1)
        if byte == b'\0':
            break
        text += byte
    return plain(text.decode('utf-8', 'replace'))


def read_lines(at, limit=65536):
    text = b''
    while b'\0' not in text and len(text) < limit:
        try:
            text += read(at + len(text), 4096 - (at + len(text)) % 4096)  # a page is there whole, or not
        except gdb.MemoryError:
            break
    return [plain(line) for line in text.split(b'\0')[0].decode('utf-8', 'replace').replace('\t', ' > ').split('\n')]


def find_layout():
    return int(gdb.parse_and_eval('(unsigned long) &tractor_debug_1'))


def has_layout():
    try:
        return bool(find_layout())
    except gdb.error:
        return False


@contextlib.contextmanager
def quiet():
    """What gdb says of a stop goes past to_string: to the terminal itself."""
    terminal = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    gdb.flush()
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        gdb.flush()
        os.dup2(terminal, 1)
        os.close(terminal)
        os.close(nowhere)


# --- where one stands -------------------------------------------------------------------------------------------------

def is_ours(frame):
    if frame.type() not in (gdb.NORMAL_FRAME, gdb.INLINE_FRAME):
        return True
    library = os.path.basename(gdb.solib_name(frame.pc()) or '')
    name = frame.name() or ''
    return library.startswith(OURS) or name.startswith('tractor_')


def find_pause(frame):
    """In a program that the library is linked into, names are all that tells whose a frame is."""
    for _ in range(MOST_OF_OURS):
        if frame is None or frame.name() in PAUSES:
            return frame
        frame = frame.older()
    return None


def find_users_frame(frame):
    pause = find_pause(frame)
    if pause is not None:
        return pause.older()
    while frame is not None and is_ours(frame):
        frame = frame.older()
    return frame if frame is not None and frame.pc() else None


def find_frame_of_signal():
    frame = gdb.newest_frame()
    while frame is not None and frame.type() != gdb.SIGTRAMP_FRAME:
        frame = frame.older()
    return frame.older() if frame is not None else None


def select_thread(tid):
    for thread in gdb.selected_inferior().threads():
        if thread.ptid[1] == tid:
            thread.switch()


def find_first_of_backtrace():
    """What the user's function has called last, and if that is no more than a signal, that function. None: all that there is,
    for the thread is not where it has stopped."""
    thread = gdb.selected_thread()
    view = globals().get('TractorView')  # of the other script
    if session.stop is None or thread is None or thread.ptid[1] != session.stop.tid or (view is not None and view.current):
        return None
    if session.stop.kind == PAUSE:
        return find_pause(gdb.newest_frame())
    users = find_frame_of_signal_of_user() if session.stop.kind == CRASH else find_users_frame(gdb.newest_frame())
    called = users.newer() if users is not None else None
    return called if called is not None and called.type() != gdb.SIGTRAMP_FRAME else users


class NamedFrame(FrameDecorator):
    """Where there is no name, as `backtrace` without filters has it."""

    def function(self):
        return super().function() if self.inferior_frame().name() is not None else '??'


class Filter:
    """Has `backtrace` begin where the user's code is, and not with how it has come from there to us."""

    name = 'tractor-session'
    priority = 50
    enabled = True

    def filter(self, frames):
        first = find_first_of_backtrace()
        level = first.level() if first is not None else 0
        return (NamedFrame(frame) for frame in frames
                if frame.inferior_frame().level() >= level and frame.inferior_frame().pc() != 0)


def show(frame):
    if frame is None:
        return
    frame.select()
    gdb.execute('frame')


def finish_out_of_ours():
    """The thread goes on until it is back in the user's function."""
    users = find_users_frame(gdb.newest_frame())
    if users is None:
        return
    users.newer().select()
    with quiet():
        gdb.execute('finish', to_string=True)


# --- where an error was made --------------------------------------------------------------------------------------------

class Origin:
    """Of an error: the functions that were under way, and the actors that it came by (src/debug/raise-site.c)."""

    def __init__(self, way):
        self.actors = way.split(' > ') if way else []
        self.pid = None
        self.frames = []

    def describe_way(self):
        if not self.actors:
            return ''
        text = f' in {self.actors[0]}' + (f' (pid {self.pid})' if self.pid else '')
        return text + (f', by way of {", ".join(self.actors[1:])}' if self.actors[1:] else '')

    def users_frame(self):
        return next((one for one in self.frames if not os.path.basename(one[1]).startswith(OURS)
                     and not one[0].startswith('tractor_')), None)


def read_origins(layout):
    at = struct.unpack('=Q', read(layout + ORIGINS_AT, 8))[0]
    origins = []
    for line in read_lines(at) if at else ():
        frame = re.fullmatch(r'  (\S+) \((.*)\+0x([0-9a-f]+)\)', line)
        if line.startswith('@'):
            origins.append(Origin(line[1:]))
        elif origins and line.startswith('raised in process '):
            origins[-1].pid = line.split()[3]
        elif origins and frame:
            origins[-1].frames.append((frame.group(1), frame.group(2), int(frame.group(3), 16)))
    return [one for one in origins if one.frames]


def find_module(path):
    """Where the process that is looked at has that file, which may not be the process that the error is of. Of a file that is
    mapped elsewhere too, by what reads symbols, it is the beginning before its code."""
    real = os.path.realpath(path)
    start = None
    with open(f'/proc/{gdb.selected_inferior().pid}/maps') as maps:
        for line in maps:
            where, mode, offset, _, _, name = (line.rstrip('\n').split(maxsplit=5) + [''])[:6]
            if name not in (path, real):
                continue
            if start is None or int(offset, 16) == 0:
                start = int(where.split('-')[0], 16)
            if 'x' in mode:
                break
    return start


def find_function(pc):
    block = gdb.block_for_pc(pc)
    while block is not None and block.function is None:
        block = block.superblock
    if block is not None:
        return block.function.name
    symbol = re.match(r'(\S+?)(?:@\S+)?(?: \+ \d+)? in section', gdb.execute(f'info symbol {pc:#x}', to_string=True))
    return symbol.group(1) if symbol else None


def describe_frame(frame):
    """Its function and line; without debug information, its function and file."""
    name, path, offset = frame
    base = find_module(path)
    line = None
    if base is not None:
        pc = base + offset - 1  # in the call, and not behind it
        name = find_function(pc) or name
        line = gdb.find_pc_line(pc)
    if line is not None and line.symtab is not None:
        return f'{name} ({line.symtab.filename}:{line.line})'
    if name == '?':
        return f'?? ({os.path.basename(path)}+{offset:#x})'
    return f'{name} ({os.path.basename(path)})'


def say_where_it_was_made():
    said = []
    for origin in read_origins(session.stop.layout):
        frame = origin.users_frame()  # none: of what the library has found out by itself, as a death
        line = frame and f'raised at {describe_frame(frame)}{origin.describe_way()}'
        if line and line not in said:
            print(line)
            said.append(line)


def show_origins():
    origins = read_origins(session.stop.layout)
    if not origins:
        print('It is not known where: "tractor run --debug" has that noted, but for errors that GLib makes inside itself.')
    for origin in origins:
        print(f'raised{origin.describe_way() or " here"}:')
        for i, frame in enumerate(origin.frames):
            print(f'#{i:<2} {describe_frame(frame)}')


# --- a session --------------------------------------------------------------------------------------------------------

def take_what_is_told():
    """By the broker, to us: programs that are started from the prompt are not in this session."""
    found = {}
    for name in [name for name in os.environ if name.startswith(TOLD)]:
        found[name[len(TOLD):]] = os.environ.pop(name)
    if 'WORD_FD' in found:
        os.set_inheritable(int(found['WORD_FD']), False)
    return found


told = take_what_is_told()


class Session:
    stop = None
    quit_pc = None  # while it stands there, tractor_pause() can still fail
    trap = None
    has_begun = False
    is_over = False
    is_asked = False  # whether gdb is at its prompt:
    is_at_prompt = False


session = Session()


def count_behind():
    """How many wait, now."""
    with contextlib.suppress(KeyError, OSError, struct.error), open(told['PAGE'], 'rb') as page:
        return struct.unpack_from('=I', page.read(), N_WAITING_AT)[0] - 1
    return 0


def describe(stop):
    actor = plain(told.get('ACTOR', '?'))
    task = plain(told.get('TASK', ''))
    what = {PAUSE: 'paused', CRASH: 'crashed', ERROR: 'failed'}.get(stop.kind, 'stopped')
    line = f'── {what}: actor {actor} (pid {gdb.selected_inferior().pid})'
    if stop.task_id:
        line += f", task {stop.task_id} '{task}'" if task else f', task {stop.task_id}'
    else:
        line += ', in no task'
    if stop.kind == CRASH:
        line += ' · ' + describe_signal(stop)
    if stop.words:
        line += ' · ' + stop.words
    behind = count_behind()
    if behind > 0:
        line += f' · {behind} wait{"s" if behind == 1 else ""} behind'
    return line + ' ──'


def find_overflown_bytes(stop):
    """What is usable of its stack, if the fault was in the guard below that; or 0. (guest/debug/overflow.c)"""
    process = globals().get('TractorProcess')  # of the other script
    with contextlib.suppress(gdb.MemoryError):
        for task in process().tasks if process is not None else ():
            low, n_bytes = task.get_stack()
            if task.id == stop.task_id and 0 < low - stop.address <= STACK_GUARD_BYTES:
                return n_bytes
    return 0


def describe_signal(stop):
    try:
        name = signal.Signals(stop.signal_number).name
    except ValueError:
        name = f'signal {stop.signal_number}'
    if stop.signal_code <= 0:
        return name
    if name == 'SIGSEGV':
        overflown = find_overflown_bytes(stop)
        if overflown:
            return f'{name}: it has overflowed its stack of {-(-overflown // 4096) * 4} KiB'
        why = {1: 'is not mapped', 2: 'may not be accessed so'}.get(stop.signal_code, 'faults')
        return f'{name}, address {stop.address:#x} {why}'
    return f'{name} at {stop.address:#x}' if stop.address else name


def attach(pid):
    try:
        with quiet():
            gdb.execute(f'attach {pid}', to_string=True)
        return gdb.selected_inferior().pid == pid
    except gdb.error:
        return False


def attach_in_the_end(pid):
    """Who reads its stacks (`tractor dump`) has it too, for a moment."""
    give_up_at = time.monotonic() + ATTACH_SECONDS
    while not attach(pid):
        if time.monotonic() > give_up_at:
            return False
        time.sleep(LOOK_SECONDS)
    return True


def tell_broker(word):
    os.write(int(told['WORD_FD']), word)


def give_terminal_back():
    """Whoever goes on may read it at once. (terminal.h)"""
    group, *flags = map(int, told.get('TERMINAL', '0').split())
    if group <= 1:
        return
    tell_broker(WORD_LEAVES)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])  # from now on we are in the background
    with contextlib.suppress(OSError, termios.error):  # it is gone, or the group is: the broker sees to it
        if os.tcgetpgrp(0) != os.getpgrp():
            return  # somebody has taken it
        settings = termios.tcgetattr(0)
        settings[0], settings[1], settings[3] = flags
        termios.tcsetattr(0, termios.TCSANOW, settings)
        os.tcsetpgrp(0, group)


def say_again_who_it_is(prompt=''):
    os.write(1, f'\n{describe(session.stop)}\n{prompt}'.encode())


def show_prompt_again():
    """In gdb's loop, where nothing else is done now."""
    thread = gdb.selected_thread()
    is_at_prompt = not session.is_over and thread is not None and not thread.is_running()
    if session.is_asked and is_at_prompt:
        say_again_who_it_is()
    session.is_asked = False
    session.is_at_prompt = is_at_prompt


def is_reading(thread):
    """Whether it waits for a key, and not in gdb's loop: somebody else has had that for which it left it."""
    with contextlib.suppress(OSError), open(f'/proc/self/task/{thread.native_id}/syscall') as file:
        return file.read().split()[:2] in WAITING_FOR_A_KEY.get(os.uname().machine, ())
    return False


class Back(threading.Thread):
    """Hears that somebody has had the terminal, and that it is ours again: whoever gives it to us wakes us up (session.c). gdb
    shows its prompt, and sets the terminal for that, when it hears of a Ctrl-C. In the middle of a line it would hear of
    that too late: readline sets the terminal again after a SIGALRM, and has its prompt from us."""

    def __init__(self):
        super().__init__(daemon=True)
        self.news, ends = os.pipe()
        os.set_blocking(ends, False)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are gdb's
        self.start()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        signal.set_wakeup_fd(ends, warn_on_full_buffer=False)
        for number in signal.SIGCONT, signal.SIGALRM:
            signal.signal(number, lambda *_: None)

    def run(self):
        while True:
            self.wait_for(signal.SIGCONT)
            session.is_asked = True
            gdb.post_event(show_prompt_again)
            while session.is_asked:
                if is_reading(threading.main_thread()):
                    self.show_line_again()
                time.sleep(LOOK_SECONDS)
            if session.is_at_prompt:
                self.send(signal.SIGINT)
                session.is_at_prompt = False

    def show_line_again(self):
        session.is_asked = False
        self.send(signal.SIGALRM)
        self.wait_for(signal.SIGALRM)
        say_again_who_it_is(PROMPT)

    def wait_for(self, number):
        while number not in os.read(self.news, 64):
            pass

    def send(self, number):
        signal.pthread_kill(threading.main_thread().ident, number)


def leave():
    """Lets the process go, and ends gdb."""
    session.is_over = True
    give_terminal_back()
    try:
        with quiet():
            gdb.execute('detach', to_string=True)
    except gdb.error:
        pass  # it is gone
    gdb.execute('quit')


def hear_keys():
    """From now on. Those that came while gdb started are for nobody."""
    while signal.sigtimedwait(KEYS, 0):
        pass
    signal.pthread_sigmask(signal.SIG_UNBLOCK, KEYS)


def begin():
    """Nobody is to stand at a prompt that is at nothing: if that comes to nothing, there is the shell of `tractor`."""
    try:
        begin_to_look()
    except Exception:
        traceback.print_exc()
        if not session.has_begun:
            session.is_over = True
            gdb.execute('quit')
    hear_keys()


def begin_to_look():
    pid = int(told['PID'])
    gdb.prompt_hook = lambda _: PROMPT
    gdb.execute('handle SIGUSR1 SIGUSR2 SIGURG SIGALRM SIGTERM SIGCHLD SIGPIPE nostop noprint pass', to_string=True)
    if not attach_in_the_end(pid):
        session.is_over = True
        tell_broker(WORD_NO_ATTACH)
        gdb.execute('quit')
    if not has_layout():
        tell_broker(WORD_NO_LIBRARY)
        leave()
    look()
    Back()
    gdb.events.stop.connect(on_stop)
    gdb.events.exited.connect(on_exited)


def look():
    """Says who it is, and stands where the user's code is."""
    layout = find_layout()
    session.stop = stop = Stop(layout)
    select_thread(stop.tid)
    print(describe(stop))
    session.has_begun = True
    tell_broker(WORD_BEGUN)
    if stop.kind == PAUSE:
        stop.write('go', 1)
        finish_out_of_ours()
        session.quit_pc = gdb.newest_frame().pc()
        show(find_users_frame(gdb.newest_frame()))
    elif stop.kind == CRASH:
        show(find_frame_of_signal_of_user())
    else:
        say_stack_is_gone()


def say_stack_is_gone():
    say_where_it_was_made()
    print('The function that failed has returned, and its stack is gone: "info tractor" lists what is there.')


def find_frame_of_signal_of_user():
    frame = find_frame_of_signal()
    if has_called_what_is_no_code(frame):
        frame = frame.older() or frame
    return find_users_frame(frame) or frame


def has_called_what_is_no_code(frame):
    """By a pointer to a function that is NULL, or wild: what is to be seen is who has."""
    return frame is not None and session.stop.signal_number in (signal.SIGSEGV, signal.SIGBUS) and session.stop.address == frame.pc()


def on_exited(event):
    if not session.is_over:
        leave()


def on_stop(event):
    """It runs under us, and has come to another pause."""
    if isinstance(event, gdb.BreakpointEvent) and session.trap is not None and session.trap in event.breakpoints:
        look_at_trap()


def look_at_trap():
    session.stop = Stop(find_layout())
    session.stop.is_at_trap = True
    session.quit_pc = None
    print(describe(session.stop))
    if session.stop.kind == PAUSE:
        show(find_users_frame(gdb.newest_frame()))
    else:
        say_stack_is_gone()


def set_trap():
    at = struct.unpack('=Q', read(session.stop.layout + TRAP_AT, 8))[0]
    if session.trap is None and at:
        session.trap = gdb.Breakpoint(f'*{at:#x}', internal=True)
        session.trap.silent = True


def has_breakpoints():
    return any(one.number > 0 and one.is_valid() and one.enabled for one in gdb.breakpoints() or ())


# --- words at the prompt ----------------------------------------------------------------------------------------------

# gdb's own words stay gdb's: what is to happen before or after them is in hooks.

def before_continue():
    if session.is_over:
        return
    forget_selected_task()
    if session.stop.kind == PAUSE and has_breakpoints():
        set_trap()
    else:
        leave()


def refuse_after_the_end():
    if session.stop.kind != PAUSE:
        raise gdb.GdbError('The task cannot go on from here: it has ' +
                           ('crashed' if session.stop.kind == CRASH else 'failed') + '.')


def before_step():
    refuse_after_the_end()
    forget_selected_task()


def before_another_process():
    """gdb would kill this one for it, without a question."""
    if session.stop is not None:
        raise gdb.GdbError('This session is for one actor. On another terminal, "tractor attach PID" looks at another '
                           'process, and gdb starts programs.')


def forget_selected_task():
    """Of the other script: what goes on is the thread, and not a task that one has looked at."""
    select = globals().get('TractorSelect')
    if select is not None:
        select.forget()


def before_quit():
    if not session.is_over:
        quit_stop(QUIT)


def before_detach():
    if not session.is_over:
        give_terminal_back()


def after_detach():
    if not session.is_over:
        leave()


def before_detach_of_number():
    raise gdb.GdbError('This session is for one actor: "detach" and "kill" are for that')


def before_kill():
    session.is_over = True
    give_terminal_back()
    os.kill(gdb.selected_inferior().pid, signal.SIGKILL)
    leave()


def fail_pause():
    """tractor_pause() has just returned TRUE: as if it had returned FALSE, with its error. Returns: whether that can be."""
    stop = session.stop
    if session.quit_pc is None or gdb.newest_frame().pc() != session.quit_pc:
        return False
    if stop.error_at:
        error = read(stop.quit_error_at, 8)
        gdb.selected_inferior().write_memory(stop.error_at, error)
        gdb.selected_inferior().write_memory(stop.quit_error_at, bytes(8))
    register = 'x0' if 'aarch64' in gdb.newest_frame().architecture().name() else 'rax'
    gdb.newest_frame().select()
    gdb.execute(f'set var ${register} = 0', to_string=True)
    return True


def quit_stop(verdict):
    if session.stop.kind != PAUSE or session.stop.is_at_trap:
        session.stop.write('verdict', verdict)
    elif not fail_pause():
        print('The task has gone on since its pause, and is not cancelled: "kill" ends its process.')
    tell_broker(WORD_ABANDON if verdict == ABANDON else WORD_QUIT)
    leave()


class Word(gdb.Command):
    def __init__(self, name, help_text, func):
        self.__doc__ = help_text
        self.func = func
        super().__init__(name, gdb.COMMAND_RUNNING)

    def invoke(self, argument, from_tty):
        self.dont_repeat()
        self.func()


class BeforeOrAfter(gdb.Command):
    """A refusal is one line then, as of any command of gdb's; in "python" it would be a traceback."""

    def __init__(self, func):
        self.func = func
        self.name = '_tractor-' + func.__name__.replace('_', '-')
        super().__init__(self.name, gdb.COMMAND_NONE)

    def invoke(self, argument, from_tty):
        self.func()


class Begin(gdb.Command):
    """By which session.c knows that all of this has been read: without it that word is another one's."""

    def __init__(self):
        super().__init__('_tractor-begin', gdb.COMMAND_NONE)

    def invoke(self, argument, from_tty):
        begin()


def define_hooks(func, *names):
    command = BeforeOrAfter(func)
    for name in names:
        gdb.execute(f'define {name}\n{command.name}\nend', to_string=True)


def define_words():
    define_hooks(before_continue, 'hook-continue')
    define_hooks(before_step, *(f'hook-{name}' for name in STEPS))
    define_hooks(refuse_after_the_end, 'hook-return')
    define_hooks(before_another_process, *(f'hook-{name}' for name in OF_ANOTHER), *(f'target hook-{name}' for name in TARGETS))
    define_hooks(before_quit, 'hook-quit')
    define_hooks(before_kill, 'hook-kill')
    define_hooks(before_detach, 'hook-detach')
    define_hooks(after_detach, 'hookpost-detach')
    define_hooks(before_detach_of_number, 'detach hook-inferiors', 'kill hook-inferiors')
    try:
        gdb.execute('help tractor', to_string=True)
    except gdb.error:  # without the other script
        gdb.execute('define-prefix tractor')
    Word('tractor continue', 'Let the actor go on alone, also if there are breakpoints.', leave)
    Word('tractor origin', 'Where the error was made: the functions that were under way.', show_origins)
    Word('tractor abandon', 'As quit; and end the whole tree, in which nobody stops any more.',
         lambda: quit_stop(ABANDON))


define_words()
gdb.frame_filters[Filter.name] = Filter()
Begin()
