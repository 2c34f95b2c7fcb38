"""timeline.py - whether a file is a trace that Perfetto shows as it is meant: Chrome's "Trace Event Format", as far as
`tractor trace` uses it (docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU), and what holds of actors
besides: each has one processor, and a message comes after it was sent."""
# SPDX-License-Identifier: LGPL-2.1-or-later
import collections
import json
from decimal import Decimal

FIELDS = {
    'M': {'name', 'pid', 'tid', 'args'},
    'X': {'name', 'cat', 'pid', 'tid', 'ts', 'dur'},
    'i': {'name', 'cat', 'pid', 'tid', 'ts', 's'},
    's': {'name', 'cat', 'pid', 'tid', 'ts', 'id'},
    't': {'name', 'cat', 'pid', 'tid', 'ts', 'id'},
    'f': {'name', 'cat', 'pid', 'tid', 'ts', 'id', 'bp'},
}
METADATA = {'process_name': 'name', 'process_sort_index': 'sort_index', 'thread_name': 'name'}
MESSAGES = {'Start', 'StartAck', 'Started', 'Yield', 'Stop', 'Return', 'CancelAck', 'Error'}


def to_nsec(number):
    """Times are in microseconds, with three digits behind the point."""
    nsec = Decimal(number) * 1000
    assert nsec == nsec.to_integral_value() and nsec >= 0, number
    return int(nsec)


def check_fields(event):
    phase = event.get('ph')
    assert phase in FIELDS, event
    assert FIELDS[phase] <= set(event) <= FIELDS[phase] | {'ph', 'args'}, event
    assert isinstance(event['pid'], int) and 0 < event['pid'] < 2 ** 31, event
    assert isinstance(event['tid'], int) and 0 <= event['tid'] < 2 ** 31, event
    assert isinstance(event['name'], str) and event['name'], event
    if phase == 'M':
        assert set(event['args']) == {METADATA[event['name']]}, event
        return
    event['ts'] = to_nsec(event['ts'])
    if phase == 'X':
        event['dur'] = to_nsec(event['dur'])
        assert event['cat'] == 'step', event
    elif phase == 'i':
        assert event['s'] in ('t', 'p') and event['cat'] == 'event', event
    else:
        assert event['cat'] == 'message' and event['name'] in MESSAGES and int(event['id'], 16) >= 0, event
        assert event.get('bp', 'e') == 'e', event


def check_steps(steps):
    """A step is over before the next one of its process begins: they are all on one thread."""
    end = collections.Counter()
    for step in steps:
        assert step['ts'] >= end[step['pid']], step
        end[step['pid']] = step['ts'] + step['dur']


class Trace:
    def __init__(self, path):
        with open(path) as f:
            whole = json.load(f, parse_float=Decimal)
        assert set(whole) == {'displayTimeUnit', 'traceEvents'} and whole['displayTimeUnit'] == 'ns'
        self.all = whole['traceEvents']
        for event in self.all:
            check_fields(event)
        self.actors = self.names('process_name', lambda event: event['pid'])
        self.tasks = self.names('thread_name', lambda event: (event['pid'], event['tid']))
        self.events = [event for event in self.all if event['ph'] != 'M']
        self.steps = self.of('X')
        self.check_order()
        check_steps(self.steps)
        self.check_flows()

    def names(self, kind, get_key):
        named = [event for event in self.all if event['ph'] == 'M' and event['name'] == kind]
        names = {get_key(event): event['args']['name'] for event in named}
        assert len(names) == len(named), f'named twice: {kind}'
        return names

    def of(self, phase):
        return [event for event in self.events if event['ph'] == phase]

    def check_order(self):
        times = [event['ts'] for event in self.events]
        assert times == sorted(times)
        for event in self.events:
            assert event['pid'] in self.actors and (event['pid'], event['tid']) in self.tasks, event
        for step in self.steps:
            assert step['tid'] > 0 and step['name'] == self.tasks[step['pid'], step['tid']], step

    def check_flows(self):
        """Each begins and ends once, in this order, and each of its ends is in a step."""
        self.flows = collections.defaultdict(list)
        current = {}
        for event in self.events:
            place = event['pid'], event['tid']
            if event['ph'] == 'X':
                current[place] = event
            elif event['ph'] in 'stf':
                step = current.get(place)
                assert step and step['ts'] <= event['ts'] <= step['ts'] + step['dur'], event
                self.flows[event['id']].append(event)
        for flow in self.flows.values():
            assert ''.join(event['ph'] for event in flow) in ('sf', 'stf'), flow
            assert len({event['name'] for event in flow}) == 1, flow

    # --- what is looked for ---

    def pid_of(self, name):
        found = [pid for pid, title in self.actors.items() if title.startswith(name + ' (')]
        assert len(found) == 1, (name, self.actors)
        return found[0]

    def arrows(self, name, sender, receiver):
        """Of messages of that name from one actor to another: their ends."""
        return [(flow[0], flow[-1]) for flow in self.flows.values()
                if flow[0]['name'] == name and flow[0]['pid'] == sender and flow[-1]['pid'] == receiver]

    def instants(self, pid, name):
        return [event for event in self.of('i') if event['pid'] == pid and event['name'].startswith(name)]
