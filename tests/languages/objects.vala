// objects.vala CHILD - the GObject classes from Vala: its async methods.

int n = 0;

void ok (string name) {
    print ("ok %d /vala/%s\n", ++n, name);
}

Variant ints (int64 a, int64 b) {
    var kwargs = new VariantBuilder (new VariantType ("a{sv}"));
    kwargs.add ("{sv}", "a", new Variant.int64 (a));
    kwargs.add ("{sv}", "b", new Variant.int64 (b));
    return kwargs.end ();
}

async void play (string program) throws Error {
    var runtime = new TractorGlib.Runtime ("vala");
    var actor = yield runtime.spawn_async ("worker", null, program, null);
    assert (actor.alive && runtime.state == TractorGlib.State.OPEN && runtime.get_n_items () == 1);
    ok ("spawn");

    unowned var tree = runtime.get_tree ();
    if (tree.get_n_items () == 0) {
        var handler = tree.items_changed.connect (() => { play.callback (); });
        yield;
        tree.disconnect (handler);
    }
    assert (((TractorGlib.Node) tree.get_item (0)).pid == actor.pid);
    ok ("tree");

    var sum = yield actor.call_async ("test:add", ints (17, 25), null);
    assert (sum.get_int64 () == 42);
    ok ("call");

    runtime.export ("window:double", (invocation) => {
        var n = invocation.get_kwargs ().lookup_value ("n", VariantType.INT64).get_int64 ();
        invocation.return_value (new Variant.int64 (2 * n));
    });
    var ask = new VariantBuilder (new VariantType ("a{sv}"));
    ask.add ("{sv}", "function", new Variant.string ("window:double"));
    ask.add ("{sv}", "n", new Variant.int64 (4));
    assert ((yield actor.call_async ("test:ask_parent", ask.end (), null)).get_int64 () == 8);
    ok ("serve-a-child");

    try {
        yield actor.call_async ("test:fail", null, null);
        assert_not_reached ();
    } catch (TractorGlib.Error.REMOTE e) {
        assert (e.message.contains ("no such paper"));
        var remote = TractorGlib.get_remote_error (e);
        assert (remote.get_domain () == "g-file-error-quark" && remote.get_code () == FileError.NOENT);
        assert (remote.get_origin () == "worker@" + actor.uuid);
    }
    ok ("call-fails");

    var cancellable = new Cancellable ();
    Idle.add (() => { cancellable.cancel (); return Source.REMOVE; });
    try {
        yield actor.call_async ("test:wait", null, cancellable);
        assert_not_reached ();
    } catch (IOError.CANCELLED e) {
    }
    ok ("call-cancelled");

    var context = yield actor.open_context_async ("test:double", null, null);
    var stream = yield context.open_stream_async (null);
    yield stream.send_async (new Variant.int64 (21), null);
    Variant? item;
    assert (yield stream.receive_async (null, out item));
    assert (item.get_int64 () == 42);
    stream.close ();
    assert ((yield context.wait_async (null)).get_int64 () == 1);
    ok ("context-with-a-stream");

    var kwargs = new VariantBuilder (new VariantType ("a{sv}"));
    kwargs.add ("{sv}", "n", new Variant.int64 (1));
    stream = yield actor.open_stream_async ("test:generate", kwargs.end (), null);
    assert (yield stream.receive_async (null, out item));
    assert (item.get_int64 () == 0 && !(yield stream.receive_async (null, out item)));
    ok ("one-way-stream");

    var victim = yield runtime.spawn_async ("victim", null, program, null);
    Error? how = null;
    victim.ended.connect ((error) => { how = error; play.callback (); });
    Posix.kill ((Posix.pid_t) victim.pid, Posix.Signal.KILL);
    yield;
    assert (how is TractorGlib.Error.ACTOR_FAILURE && !victim.alive);
    ok ("child-killed");

    yield actor.cancel_async (null);
    yield runtime.close_async (null);
    assert (runtime.get_n_items () == 0 && runtime.state == TractorGlib.State.CLOSED);
    ok ("close-leaves-nothing");
}

int main (string[] args) {
    var loop = new MainLoop ();
    int status = 0;

    play.begin (args[1], (source, result) => {
        try {
            play.end (result);
        } catch (Error e) {
            printerr ("%s\n", e.message);
            status = 1;
        }
        loop.quit ();
    });
    loop.run ();
    print ("1..%d\n", n);
    return status;
}
