#!/usr/bin/env python3
"""parent.py - a Python program that has python_peer as its child.

    python3 parent.py ./python_peer

It is written for upstream's tractor. Our tests run it, but with tests/interop/stand-ins in the place of
that, which cannot be installed where they run.
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
