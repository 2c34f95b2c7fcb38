#!/usr/bin/env python3
"""check-layers.py BUILD - the rooms and arrows of ARCHITECTURE.md, held: by what files include, by the symbols that
their objects want, by circles of files, and by what the built libraries need."""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# The drawing. Each layer from the bottom up: a room may use those before it, and the doors (public headers) that
# its layer may. A room with a list stands on the doors, of what is before it too, and on that list.
LAYERS = {
    'guest': (['libc', 'machine', 'task', 'sync', 'outside', 'debug', '.'], []),
    'src': (['log', 'trace', 'wire', 'shm', 'debug', 'link', 'dialog', 'process', 'tree', '.', ('patterns', ['wire'])], ['guest']),
    'hosts/builtin': (['.'], ['guest']),
    'hosts/virtual': (['.'], ['guest']),
    'hosts/glib': (['.'], ['guest']),
    'hosts/uv': (['.'], ['guest']),
    # On the doors of a host and of the actors, and on two headers by which everything foreign is called.
    'hosts/glib/objects': (['.'], ['guest', 'src', 'hosts/glib']),
    # A program, on doors only.
    'tools/tractor': (['.'], ['guest', 'src', 'hosts/builtin']),
}
# Inline functions on libc, for every layer.
FOR_ALL = 'guest/libc'
BRIDGE_MAY_INCLUDE = {'glib-call.h', 'host-stack.h'}
# What actors and the debugger's broker share, the page of memory in it, is for the command too.
COMMAND_MAY_INCLUDE = {'debug-protocol.h'}

# Files that call each other in a circle, each one idea in several files. ARCHITECTURE.md says why.
CIRCLES = [
    {'guest/task/nursery', 'guest/task/scope', 'guest/task/task'},
    {'src/dialog/context', 'src/dialog/stream', 'src/dialog/stream-share'},
    {'src/process/restart', 'src/process/spawn', 'src/process/supervise'},
]

# What a layer does not know. Of its files' includes and of its objects' symbols.
FOREIGN_HEADERS = {
    'guest': r'gio|glib-object|gobject|uv\.h|msgpack',
    'src': r'gio|glib-object|gobject|uv\.h|tractor-host\.h',
    'hosts/builtin': r'gio|uv\.h|msgpack',
    'hosts/virtual': r'gio|uv\.h|msgpack',
    'hosts/glib': r'uv\.h|msgpack',
    'hosts/uv': r'gio|msgpack',
    'hosts/glib/objects': r'uv\.h|msgpack',
    'tools/tractor': r'gio|glib-object|gobject|uv\.h|msgpack',
}
ONE_FILE = {'msgpack': 'src/wire/codec.c'}
LOOP_SYMBOLS = r'(g_main_|g_source_|g_object_|g_io_|g_task_|g_socket|uv_)'
# Calls that have no place in a library that lives in somebody else's process.
NOT_TO_BE_CALLED = (r'(signal|sleep|usleep|popen|system|strcpy|strcat|sprintf|gets|rand|time|gettimeofday|waitpid|fork'
                    r'|vfork)')
ARCHIVES = {
    'guest': 'guest/libtractor-guest.a',
    'src': 'src/libtractor-actors.a',
    'hosts/builtin': 'hosts/libtractor-builtin.a',
    'hosts/virtual': 'hosts/libtractor-virtual.a',
}
NOT_NEEDED = {
    'libtractor-1.so': 'gobject|gio|gmodule|libuv',
    'libtractor-glib-1.so': 'libuv',
    'libtractor-uv-1.so': 'gobject|gio',
}

complaints = []


def complain(text):
    complaints.append(text)
    print(f'layers: {text}')


def run(*command):
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


# --- where things are ------------------------------------------------------------------------------------------------

class Room:
    def __init__(self, layer, name, below, only):
        self.layer = layer
        self.name = layer if name == '.' else f'{layer}/{name}'
        self.folder = ROOT / self.name
        self.before = below
        self.below = below if only is None else [room for room in below if room.name in only]
        self.files = [path for path in sorted(self.folder.glob('*.[chS]')) if not path.name.startswith('tractor')]

    def may_use(self, other):
        return other is self or other in self.below

    def may_call(self, symbol, other):
        if self.may_use(other):
            return True
        if symbol.startswith('tractor__'):
            return False
        return other in self.before or (other.layer != self.layer and other.layer in LAYERS[self.layer][1])


def make_rooms():
    rooms = []
    for layer, (names, _) in LAYERS.items():
        below = []
        for entry in names:
            name, only = entry if isinstance(entry, tuple) else (entry, None)
            room = Room(layer, name, list(below), None if only is None else [f'{layer}/{one}' for one in only])
            below.append(room)
            rooms.append(room)
    return rooms


def check_all_have_a_room(rooms):
    known = {path for room in rooms for path in room.files}
    for layer in LAYERS:
        for path in sorted((ROOT / layer).rglob('*.[chS]')):
            if path not in known and not path.name.startswith('tractor'):
                complain(f'{path.relative_to(ROOT)} is in no room: the rooms of {layer}/ are in LAYERS, and in ARCHITECTURE.md')


def say_where(room, other):
    """Where a line belongs that wants both."""
    if room.layer != other.layer:
        return f'{room.layer}/ and {other.layer}/ meet in public headers only'
    if room not in other.before:
        return f'{room.name}/ stands on public headers: the line belongs above {other.name}/'
    return (f'{room.name}/ is below {other.name}/ and does not know it: the line belongs there or above; or what it wants '
            f'is handed down to {room.name}/, as a function or a table of them')


# --- includes --------------------------------------------------------------------------------------------------------

def check_includes(rooms):
    owners = {(room.layer, path.name): room for room in rooms for path in room.files if path.suffix == '.h'}
    anywhere = {name: room for (_, name), room in owners.items()}
    doors = {path.name: layer for layer in LAYERS for path in (ROOT / layer).glob('tractor*.h')}
    for room in rooms:
        may_enter = [room.layer, *LAYERS[room.layer][1]]
        for path in room.files + sorted(room.folder.glob('tractor*.h')):
            for number, line in enumerate(path.read_text().split('\n'), 1):
                found = re.match(r'#include [<"]([^">]+)[">]', line)
                if not found:
                    continue
                header = found[1]
                place = f'{path.relative_to(ROOT)}:{number} includes {header}'
                if re.search(rf'^({FOREIGN_HEADERS[room.layer]})', header):
                    complain(f'{place}: {room.layer}/ does not know that')
                for library, only in ONE_FILE.items():
                    if header.startswith(library) and str(path.relative_to(ROOT)) != only:
                        complain(f'{place}: only {only} does')
                if header in doors and doors[header] not in may_enter:
                    complain(f'{place}, a header of {doors[header]}/, which {room.layer}/ does not know')
                other = owners.get((room.layer, header), anywhere.get(header)) if '"' in line else None
                if other is None or room.may_use(other) or other.name == FOR_ALL:
                    continue
                if room.layer == 'hosts/glib/objects' and header in BRIDGE_MAY_INCLUDE:
                    continue
                if room.layer == 'tools/tractor' and header in COMMAND_MAY_INCLUDE:
                    continue
                complain(f'{place}, of {other.name}/: {say_where(room, other)}')


# --- symbols ---------------------------------------------------------------------------------------------------------

def read_objects(build, rooms):
    """Returns: which file defines a symbol, and which symbols a file wants."""
    by_object = {}
    for room in rooms:
        for path in room.files:
            if path.suffix in '.c.S':
                relative = path.relative_to(ROOT / room.layer)
                by_object[room.layer, str(relative).replace('/', '_') + '.o'] = path
    objects = {str(file): by_object[layer, file.name] for layer in ('guest', 'src')
               for file in sorted((build / layer).glob('*.a.p/*.o')) if (layer, file.name) in by_object}
    definer = {}
    wants = defaultdict(set)
    for line in run('nm', '-A', *objects).split('\n') if objects else []:
        file, _, rest = line.partition(':')
        fields = rest.split()
        if len(fields) == 3 and fields[1] in 'TDBRVWC':
            definer[fields[2]] = objects[file]
        elif len(fields) == 2 and fields[0] == 'U':
            wants[objects[file]].add(fields[1])
    return definer, wants


def check_symbols(rooms, definer, wants):
    room_of = {path: room for room in rooms for path in room.files}
    for path in sorted(wants):
        room = room_of[path]
        for symbol in sorted(wants[path]):
            other = room_of.get(definer.get(symbol))
            if other is None or room.may_call(symbol, other):
                continue
            complain(f'{path.relative_to(ROOT)} calls {symbol}() of {definer[symbol].relative_to(ROOT)}: {say_where(room, other)}')


def find_circles(graph):
    """Tarjan's strongly connected components of more than one."""
    index, low, on_stack, stack, circles = {}, {}, set(), [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        on_stack.add(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in on_stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            circle = set()
            while True:
                other = stack.pop()
                on_stack.discard(other)
                circle.add(other)
                if other == node:
                    break
            if len(circle) > 1:
                circles.append(circle)

    sys.setrecursionlimit(10000)
    for node in list(graph):
        if node not in index:
            visit(node)
    return circles


def check_circles(definer, wants):
    name = {path: str(path.relative_to(ROOT).with_suffix('')) for path in {*wants, *definer.values()}}
    graph = defaultdict(set)
    for path, symbols in wants.items():
        for symbol in symbols:
            other = definer.get(symbol)
            if other is not None and other != path:
                graph[name[path]].add(name[other])
        graph[name[path]] |= set()
    found = find_circles(graph)
    for circle in found:
        if circle not in CIRCLES:
            arrows = sorted(f'{a} -> {b}' for a in circle for b in graph[a] & circle)
            complain(f'a circle of files that is not in CIRCLES: {", ".join(arrows)}. One of these arrows is to be turned round')
    for circle in CIRCLES:
        if circle not in found:
            complain(f'{", ".join(sorted(circle))} are no circle any more: take them out of CIRCLES and ARCHITECTURE.md')


def undefined(archive):
    return {fields[1] for line in run('nm', '-u', str(archive)).split('\n') if len(fields := line.split()) == 2}


def check_archives(build):
    for layer, name in ARCHIVES.items():
        archive = build / name
        if not archive.exists():
            complain(f'{name} is not built')
            continue
        wanted = undefined(archive)
        for symbol in sorted(wanted):
            if re.match(LOOP_SYMBOLS, symbol):
                complain(f'{layer}/ calls {symbol}(), which is a loop\'s')
            if symbol.startswith('msgpack_') and layer != 'src':
                complain(f'{layer}/ calls {symbol}()')
            if layer in ('guest', 'src') and re.fullmatch(NOT_TO_BE_CALLED, symbol.split('@')[0]):
                complain(f'{layer}/ calls {symbol}(), which is not to be called in somebody else\'s process')


# --- libraries -------------------------------------------------------------------------------------------------------

def check_libraries(build):
    for name, pattern in NOT_NEEDED.items():
        needed = re.findall(r'NEEDED.*\[(.*)\]', run('readelf', '-d', str(build / name)))
        if not needed:
            complain(f'{name} is not built')
        for library in needed:
            if re.search(pattern, library):
                complain(f'{name} needs {library}')
        for line in run('nm', '-D', '--defined-only', str(build / name)).split('\n'):
            fields = line.split()
            if fields and not re.match(r'tractor_[a-z]', fields[-1]):
                complain(f'{name} exports {fields[-1]}')


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build = ROOT / sys.argv[1]
    rooms = make_rooms()
    check_all_have_a_room(rooms)
    check_includes(rooms)
    definer, wants = read_objects(build, rooms)
    if not wants:
        complain(f'{build} has no objects')
    check_symbols(rooms, definer, wants)
    check_circles(definer, wants)
    check_archives(build)
    check_libraries(build)
    sys.exit(1 if complaints else 0)


main()
