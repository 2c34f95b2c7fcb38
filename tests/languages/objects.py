# objects.py CHILD - the GObject classes from Python: each way an operation can end, and what is left then.
import os
import signal
import sys

import gi

gi.require_version('TractorGlib', '1')
from gi.repository import Gio, GLib, TractorGlib

child_program = os.path.abspath(sys.argv[1])
loop = GLib.MainLoop()
n = 0


def ok(name):
    global n
    n += 1
    print(f'ok {n} /python/{name}')


def wait(start, finish, *args, cancellable=None, when_started=None):
    '''What PyGObject 3.50 does by itself: an operation, and its result.'''
    results = []

    def on_done(source, result):
        results.append(result)
        loop.quit()

    start(*args, cancellable, on_done)
    if when_started:
        when_started()
    while not results:
        loop.run()
    return finish(results[0])


def fails_with(domain, code, func, *args, **kwargs):
    try:
        func(*args, **kwargs)
    except GLib.Error as error:
        assert error.matches(domain, code), (error.domain, error.code, error.message)
        return error
    assert False, 'it succeeded'


def spawn(runtime, name):
    return wait(runtime.spawn_async, runtime.spawn_finish, name, None, child_program)


def call(actor, function, kwargs=None, **rest):
    return wait(actor.call_async, actor.call_finish, function, kwargs, **rest)


def ints(**kwargs):
    return GLib.Variant('a{sv}', {key: GLib.Variant('x', value) for key, value in kwargs.items()})


ERROR = TractorGlib.error_quark()
GIO_ERROR = Gio.io_error_quark()

if len(sys.argv) > 2:  # another program, which finds us at an address
    runtime = TractorGlib.Runtime(name='client', registry_addresses=[sys.argv[2]])
    server = wait(runtime.find_async, runtime.find_finish, 'python')
    print(call(server, 'window:double', ints(n=21)).unpack())
    assert wait(runtime.close_async, runtime.close_finish)
    sys.exit()

runtime = TractorGlib.Runtime(name='python')
assert runtime.get_property('state') == TractorGlib.State.OPENING
changes = []
runtime.connect('items-changed', lambda *args: changes.append(args[1:]))

actor = spawn(runtime, 'worker')
assert runtime.get_state() == TractorGlib.State.OPEN
assert actor.get_property('name') == 'worker' and actor.get_property('alive')
assert os.path.exists(f'/proc/{actor.get_property("pid")}')
assert list(runtime) == [actor] and changes == [(0, 0, 1)]
ok('spawn')

fails_with(GLib.file_error_quark(), GLib.FileError.NOENT,
           wait, runtime.spawn_async, runtime.spawn_finish, 'nobody', None, '/no/such/program')
ok('spawn-fails')

assert call(actor, 'test:add', ints(a=17, b=25)).unpack() == 42
ok('call')

tree = runtime.get_tree()
while [node.props.name for node in tree] != ['worker']:
    GLib.MainContext.default().iteration(True)
assert tree.props.name == 'python' and tree.props.pid == os.getpid() and len(tree[0]) == 0
assert tree[0].props.state == TractorGlib.ActorState.RUNNING and tree[0].get_pid() == actor.get_pid()
ok('tree')

error = fails_with(ERROR, TractorGlib.Error.REMOTE, call, actor, 'test:fail')
assert 'no such paper' in error.message
ok('call-fails')


def fail_and_ask(actor, result):
    fails_with(ERROR, TractorGlib.Error.REMOTE, actor.call_finish, result)
    remotes.append(TractorGlib.get_remote_error_of_result(result))
    loop.quit()


remotes = []
actor.call_async('test:fail', None, None, fail_and_ask)
loop.run()
assert remotes[0].get_domain() == 'g-file-error-quark' and remotes[0].get_code() == GLib.FileError.NOENT
assert remotes[0].get_origin() == f'worker@{actor.get_uuid()}' == remotes[0].get_relays()[0]
assert 'in fail()' in remotes[0].describe()
ok('remote-error')

cancellable = Gio.Cancellable()
fails_with(GIO_ERROR, Gio.IOErrorEnum.CANCELLED, call, actor, 'test:wait', cancellable=cancellable,
           when_started=lambda: GLib.idle_add(cancellable.cancel))
assert call(actor, 'test:add', ints(a=1, b=1)).unpack() == 2
ok('call-cancelled')

def double(invocation):
    assert invocation.get_function() == 'window:double'
    invocation.return_value(GLib.Variant('x', 2 * invocation.get_kwargs().unpack()['n']))


def refuse(invocation):
    invocation.return_error(GLib.Error.new_literal(GLib.file_error_quark(), 'no paper', GLib.FileError.NOSPC))


runtime.export('window:double', double)
runtime.export('window:refuse', refuse)
runtime.export('window:forget', lambda invocation: None)


def ask_us(function):
    return call(actor, 'test:ask_parent',
                GLib.Variant('a{sv}', {'function': GLib.Variant('s', function), 'n': GLib.Variant('x', 4)}))


assert ask_us('window:double').unpack() == 8
for function, what in (('window:refuse', 'no paper'), ('window:forget', 'without an answer'),
                       ('window:other', 'does not serve')):
    assert what in fails_with(ERROR, TractorGlib.Error.REMOTE, ask_us, function).message
ok('serve-a-child')

client = Gio.Subprocess.new([sys.executable, *sys.argv[:2], runtime.dup_addresses()[0]],
                            Gio.SubprocessFlags.STDOUT_PIPE)
is_ok, out, err = wait(lambda *rest: client.communicate_utf8_async(None, *rest), client.communicate_utf8_finish)
assert out == '42\n' and client.get_successful(), out
ok('serve-another-program')

launcher = TractorGlib.Launcher(program=child_program, env=['COLOUR=blue'], cwd='/usr', argv=['a', 'b'])
here, there = os.pipe()
launcher.take_fd(there, 7)
launched = wait(lambda *rest: runtime.launch_async(launcher, 'launched', *rest), runtime.launch_finish)
assert call(launched, 'test:surroundings').unpack().startswith('/usr blue b ')
assert os.read(here, 3) == b'hi'
assert wait(launched.cancel_async, launched.cancel_finish)
ok('launch')

found = wait(runtime.find_async, runtime.find_finish, 'worker')
assert found.get_property('uuid') == actor.get_property('uuid') and found.get_pid() == -1
assert call(found, 'test:add', ints(a=1, b=2)).unpack() == 3
assert wait(runtime.find_async, runtime.find_finish, 'nobody') is None
ok('find')

context = wait(actor.open_context_async, actor.open_context_finish, 'test:double', ints(hello=7))
assert context.get_started().unpack() == 7
stream = wait(context.open_stream_async, context.open_stream_finish)
for i in range(3):
    stream.send_async(GLib.Variant('x', i), None, None)
for i in range(3):
    is_item, item = wait(stream.receive_async, stream.receive_finish)
    assert is_item and item.unpack() == 2 * i
stream.close()
assert wait(context.wait_async, context.wait_finish).unpack() == 3
ok('context-with-a-stream')

stream = wait(actor.open_stream_async, actor.open_stream_finish, 'test:generate', ints(n=3))
items, ends = [], []
stream.connect('message', lambda stream, item: items.append(item.unpack()))
stream.connect('finished', lambda stream, error: (ends.append(error), loop.quit()))
stream.set_flowing(True)
while not ends:
    loop.run()
assert items == [0, 1, 2] and ends == [None]
ok('one-way-stream')

context = wait(actor.open_context_async, actor.open_context_finish, 'test:count', ints(n=100))
stream = wait(context.open_stream_async, context.open_stream_finish)
items, ends = [], []
stream.connect('message', lambda stream, item: items.append(item.unpack()))
stream.connect('finished', lambda stream, error: ends.append(error))
stream.set_property('flowing', True)
assert wait(context.wait_async, context.wait_finish).unpack() == 'counted'
assert items == list(range(100)) and ends == [None] and not stream.get_flowing()
ok('flowing-stream')

context = wait(actor.open_context_async, actor.open_context_finish, 'test:double', ints(hello=7))
context.cancel()
assert wait(context.wait_async, context.wait_finish) is None
ok('context-cancelled')

victim = spawn(runtime, 'victim')
endings = []
victim.connect('ended', lambda actor, error: (endings.append(error), loop.quit()))
os.kill(victim.get_pid(), signal.SIGKILL)
while not endings:
    loop.run()
assert endings[0].matches(ERROR, TractorGlib.Error.ACTOR_FAILURE) and 'signal 9' in endings[0].message
assert not victim.get_alive() and list(runtime) == [actor]
fails_with(ERROR, TractorGlib.Error.ACTOR_FAILURE, call, victim, 'test:add')
assert call(actor, 'test:add', ints(a=1, b=1)).unpack() == 2
ok('child-killed')

endings.clear()
actor.connect('ended', lambda actor, error: endings.append(error))
assert wait(actor.cancel_async, actor.cancel_finish)
while not endings:
    GLib.MainContext.default().iteration(True)
assert endings == [None] and list(runtime) == []
ok('cancel')

for i in range(3):
    actor = spawn(runtime, f'last-{i}')
pids = [a.get_pid() for a in runtime]
closings, answers = [], []
runtime.connect('closed', lambda runtime, error: closings.append(error))
actor.call_async('test:wait', None, None, lambda actor, result: answers.append(
    fails_with(GIO_ERROR, Gio.IOErrorEnum.CANCELLED, actor.call_finish, result)))
assert wait(runtime.close_async, runtime.close_finish)
assert closings == [None] and len(answers) == 1
assert runtime.get_state() == TractorGlib.State.CLOSED and len(runtime) == 0
assert not any(os.path.exists(f'/proc/{pid}') for pid in pids)
assert wait(runtime.close_async, runtime.close_finish)
fails_with(ERROR, TractorGlib.Error.CLOSED, spawn, runtime, 'late')
ok('close-leaves-nothing')
print(f'1..{n}')
