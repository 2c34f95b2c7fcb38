// objects.js CHILD - the GObject classes from JavaScript. GJS looks at its stack: a callback on that of a task
// would be "too much recursion", so this is also a test of where callbacks are called.
imports.gi.versions.TractorGlib = '1';
const {Gio, GLib, TractorGlib} = imports.gi;

const childProgram = ARGV[0];
const loop = new GLib.MainLoop(null, false);
let n = 0;

Gio._promisify(TractorGlib.Runtime.prototype, 'spawn_async', 'spawn_finish');
Gio._promisify(TractorGlib.Runtime.prototype, 'find_async', 'find_finish');
Gio._promisify(TractorGlib.Runtime.prototype, 'close_async', 'close_finish');
Gio._promisify(TractorGlib.Actor.prototype, 'call_async', 'call_finish');
Gio._promisify(TractorGlib.Actor.prototype, 'cancel_async', 'cancel_finish');
Gio._promisify(TractorGlib.Actor.prototype, 'open_context_async', 'open_context_finish');
Gio._promisify(TractorGlib.Actor.prototype, 'open_stream_async', 'open_stream_finish');
Gio._promisify(TractorGlib.Context.prototype, 'open_stream_async', 'open_stream_finish');
Gio._promisify(TractorGlib.Context.prototype, 'wait_async', 'wait_finish');
Gio._promisify(TractorGlib.Stream.prototype, 'send_async', 'send_finish');
Gio._promisify(TractorGlib.Stream.prototype, 'receive_async', 'receive_finish');

function ok(name) {
    print(`ok ${++n} /gjs/${name}`);
}

function assert(condition, ...what) {
    if (!condition)
        throw new Error(`assertion failed: ${what}`);
}

async function failsWith(domain, code, promise) {
    try {
        await promise;
    } catch (error) {
        assert(error.matches && error.matches(domain, code), error);
        return error;
    }
    throw new Error('it succeeded');
}

function ints(values) {
    const kwargs = {};
    for (const key in values)
        kwargs[key] = new GLib.Variant('x', values[key]);
    return new GLib.Variant('a{sv}', kwargs);
}

function isThere(pid) {
    return GLib.file_test(`/proc/${pid}`, GLib.FileTest.EXISTS);
}

const plain = variant => variant.recursiveUnpack();
const once = (object, signal) => new Promise(resolve => {
    const id = object.connect(signal, (_object, value) => {
        object.disconnect(id);
        resolve(value);
    });
});

async function main() {
    const runtime = new TractorGlib.Runtime({name: 'gjs'});
    const actor = await runtime.spawn_async('worker', null, childProgram, null);
    assert(runtime.state === TractorGlib.State.OPEN && actor.alive && isThere(actor.pid));
    assert(runtime.get_n_items() === 1 && runtime.get_item(0) === actor);
    ok('spawn');

    const tree = runtime.get_tree();
    while (tree.get_n_items() === 0)
        await once(tree, 'items-changed');
    assert(tree.name === 'gjs' && tree.get_item(0).name === 'worker' && tree.get_item(0).pid === actor.pid);
    ok('tree');

    assert(plain(await actor.call_async('test:add', ints({a: 17, b: 25}), null)) === 42);
    ok('call');

    runtime.export('window:double', invocation => {
        const {n: factor} = plain(invocation.get_kwargs());
        invocation.return_value(new GLib.Variant('x', 2 * factor));
    });
    const askUs = new GLib.Variant('a{sv}', {
        function: new GLib.Variant('s', 'window:double'),
        n: new GLib.Variant('x', 4),
    });
    assert(plain(await actor.call_async('test:ask_parent', askUs, null)) === 8);
    ok('serve-a-child');

    let error = await failsWith(TractorGlib.Error, TractorGlib.Error.REMOTE,
        actor.call_async('test:fail', null, null));
    assert(error.message.includes('no such paper'), error.message);
    ok('call-fails');

    const remote = TractorGlib.get_remote_error(error);
    assert(remote.get_domain() === 'g-file-error-quark' && remote.get_code() === GLib.FileError.NOENT);
    assert(remote.get_origin() === `worker@${actor.uuid}` && remote.describe().includes('in fail()'));
    ok('remote-error');

    const cancellable = new Gio.Cancellable();
    const call = actor.call_async('test:wait', null, cancellable);
    GLib.idle_add(GLib.PRIORITY_DEFAULT_IDLE, () => {
        cancellable.cancel();
        return GLib.SOURCE_REMOVE;
    });
    await failsWith(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED, call);
    ok('call-cancelled');

    const sums = await Promise.all([1, 2, 3].map(i => actor.call_async('test:add', ints({a: i, b: i}), null)));
    assert(sums.map(plain).join() === '2,4,6');
    ok('calls-at-the-same-time');

    let context = await actor.open_context_async('test:double', ints({hello: 7}), null);
    assert(plain(context.started) === 7);
    let stream = await context.open_stream_async(null);
    for (let i = 0; i < 3; i++)
        await stream.send_async(new GLib.Variant('x', i), null);
    for (let i = 0; i < 3; i++) {
        const [item] = await stream.receive_async(null); // _promisify() takes the TRUE away
        assert(plain(item) === 2 * i);
    }
    stream.close();
    assert(plain(await context.wait_async(null)) === 3);
    ok('context-with-a-stream');

    context = await actor.open_context_async('test:count', ints({n: 100}), null);
    stream = await context.open_stream_async(null);
    const items = [];
    stream.connect('message', (_stream, item) => items.push(plain(item)));
    const finished = once(stream, 'finished');
    stream.flowing = true;
    assert(await finished === null && items.length === 100 && items[99] === 99);
    assert(plain(await context.wait_async(null)) === 'counted');
    ok('flowing-stream');

    stream = await actor.open_stream_async('test:generate', ints({n: 2}), null);
    for (let i = 0; i < 2; i++)
        assert(plain((await stream.receive_async(null))[0]) === i);
    assert((await stream.receive_async(null))[0] === false);
    ok('one-way-stream');

    const victim = await runtime.spawn_async('victim', null, childProgram, null);
    const ended = once(victim, 'ended');
    GLib.spawn_command_line_sync(`kill -KILL ${victim.pid}`);
    error = await ended;
    assert(error.matches(TractorGlib.Error, TractorGlib.Error.ACTOR_FAILURE), error);
    assert(!victim.alive && runtime.get_n_items() === 1);
    ok('child-killed');

    const end = once(actor, 'ended');
    assert(await actor.cancel_async(null));
    assert(await end === null && runtime.get_n_items() === 0);
    ok('cancel');

    const last = await runtime.spawn_async('last', null, childProgram, null);
    const closed = once(runtime, 'closed');
    assert(await runtime.close_async(null));
    assert(await closed === null && !isThere(last.pid));
    assert(runtime.state === TractorGlib.State.CLOSED);
    ok('close-leaves-nothing');
}

let failure = null;
main().catch(error => (failure = error)).finally(() => loop.quit());
loop.run();
if (failure !== null) {
    printerr(failure.message, failure.stack);
    imports.system.exit(1);
}
print(`1..${n}`);
