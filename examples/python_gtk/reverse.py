#!/usr/bin/python3
"""reverse.py CHILD - a GTK 4 window in Python whose work is done by actors in C.

CHILD is a program that serves "words:reverse", such as build/examples/cluster. The children turn words round, each in
its turn; the list shows the processes, as they come, die and come back. Children and other programs can call this
one: "window:set_title". Closing the window ends all of them.
"""
import sys

import gi

gi.require_version('Gtk', '4.0')
gi.require_version('TractorGlib', '1')
from gi.repository import Gio, GLib, Gtk, TractorGlib

N_WORKERS = 2


class Window(Gtk.ApplicationWindow):
    def __init__(self, application, runtime):
        super().__init__(application=application, title='Reverse', default_width=420, default_height=300)
        self.workers = []
        self.n_words = 0
        self.entry = Gtk.Entry(placeholder_text='a word', sensitive=False)
        self.entry.connect('activate', self.on_word)
        self.label = Gtk.Label(vexpand=True)
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        for widget in (self.entry, self.label, self.make_tree(runtime)):
            box.append(widget)
        self.set_child(box)

    # The live tree of processes: a list model of list models.
    def make_tree(self, runtime):
        rows = Gtk.TreeListModel.new(runtime.get_tree(), False, True, lambda node: node)
        factory = Gtk.SignalListItemFactory()
        factory.connect('setup', lambda factory, item: item.set_child(Gtk.Label(xalign=0)))
        factory.connect('bind', self.on_bind)
        factory.connect('unbind', lambda factory, item: item.node.disconnect(item.handler))
        return Gtk.ListView(model=Gtk.NoSelection(model=rows), factory=factory)

    def on_bind(self, factory, item):
        def show(node, spec=None):
            item.get_child().set_text(f'{node.props.name}, process {node.props.pid}, life {node.props.restarts + 1}')

        item.node = item.get_item().get_item()
        item.handler = item.node.connect('notify', show)
        show(item.node)

    def add_worker(self, worker):
        self.workers.append(worker)
        self.entry.set_sensitive(True)
        self.entry.grab_focus()

    def on_word(self, entry):
        worker = self.workers[self.n_words % len(self.workers)]
        self.n_words += 1
        kwargs = GLib.Variant('a{sv}', {'word': GLib.Variant('s', entry.get_text())})
        worker.call_async('words:reverse', kwargs, None, self.on_reversed)
        entry.set_text('')

    def on_reversed(self, worker, result):
        try:
            text = worker.call_finish(result).unpack()
        except GLib.Error as error:
            text = error.message
        self.label.set_text(text)
        print(text, flush=True)


class App(Gtk.Application):
    def __init__(self, child):
        super().__init__(flags=Gio.ApplicationFlags.NON_UNIQUE)
        self.launcher = TractorGlib.Launcher(program=child, max_restarts=3)

    def do_activate(self):
        self.hold()  # until everything has ended
        self.runtime = TractorGlib.Runtime(name='window')
        self.runtime.connect('closed', self.on_closed)
        self.runtime.export('window:set_title', self.set_title)
        self.window = Window(self, self.runtime)
        self.window.connect('close-request', lambda window: self.runtime.close_async(None, None))
        self.set_accels_for_action('window.close', ['<Control>w'])
        self.window.present()
        for i in range(N_WORKERS):
            self.runtime.launch_async(self.launcher, f'worker-{i + 1}', None, self.on_launched)

    def on_launched(self, runtime, result):
        try:
            self.window.add_worker(runtime.launch_finish(result))
        except GLib.Error as error:
            print(error.message, file=sys.stderr)

    def set_title(self, invocation):
        self.window.set_title(invocation.get_kwargs().unpack()['title'])
        invocation.return_value(None)

    def on_closed(self, runtime, error):
        if error:
            print(error.message, file=sys.stderr)
        print('all have ended', flush=True)
        self.release()


if len(sys.argv) != 2:
    sys.exit(__doc__)
sys.exit(App(sys.argv[1]).run())
