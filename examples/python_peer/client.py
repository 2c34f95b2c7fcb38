#!/usr/bin/env python3
"""client.py - a Python program that calls python_peer, which is found by its name.

    ./python_peer &
    python3 client.py

It is written for upstream's tractor. Our tests run it, but with tests/interop/stand-ins in the place of
that, which cannot be installed where they run.
"""
import tractor
import trio


# Functions of another language cannot be imported: Python needs them for their names only. __module__ is
# the module in C, __name__ the function there. That a context has a parameter for itself is looked at, too.
async def squares(n):
    yield 0


@tractor.context
async def running_total(ctx: tractor.Context, start):
    ...


for stub in (squares, running_total):
    stub.__module__ = 'cstats'


async def main():
    # The registrar is the C program itself, at 127.0.0.1:1616.
    async with tractor.open_root_actor(), tractor.find_actor('cstats') as portal:
        assert portal is not None, 'python_peer does not run'

        # A call needs no stub.
        print(await portal.run_from_ns('cstats', 'mean', numbers=[1, 2, 6]))
        try:
            await portal.run_from_ns('cstats', 'mean', numbers=[])
        except tractor.RemoteActorError as error:
            print(error.boxed_type)  # ValueError: C's G_OPTION_ERROR_BAD_VALUE
            print(error)  # which begins with the domain, the code and the message in C

        # C sends to Python as fast as it can: more than 64 items that nobody has received are lost.
        async with portal.open_stream_from(squares, n=5) as stream:
            async for square in stream:
                print(square)

        async with portal.open_context(running_total, start=100) as (ctx, first):
            async with ctx.open_stream() as stream:
                for n in range(3):
                    await stream.send(n)
                    print(await stream.receive())
            print('in the end', await ctx.wait_for_result())


if __name__ == '__main__':
    trio.run(main)
