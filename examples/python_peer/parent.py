#!/usr/bin/env python3
"""parent.py - a Python program that has python_peer as its child.

    python3 parent.py ./python_peer

It is written against upstream's tractor and NOT run by our tests: that cannot be installed where they
run. tests/interop/peer.py starts a C child in the same way, and that is run.
"""
import os
import sys

import tractor
import trio


async def main(program):
    async with tractor.open_nursery() as nursery:
        # What is run is PROGRAM -m tractor._child ...: tractor_child_main() understands that. Do not name
        # the C modules in enable_modules: Python would try to import them. They are all served.
        portal = await nursery.start_actor('cstats', proc_kwargs={'executable': os.path.abspath(program)})
        with trio.fail_after(5):  # a child that dies would not end the call here
            print(await portal.run_from_ns('cstats', 'mean', numbers=[1, 2, 6]))
        await portal.cancel_actor()


if __name__ == '__main__':
    trio.run(main, sys.argv[1])
