"""Stands in for upstream's tractor where it cannot be installed: what the examples use of it, said by the
independent actor of peer.py. It is as strict as upstream where the examples could be wrong, and shows of an
error what upstream shows. REGISTRY in the environment is in the place of upstream's default address."""
import asyncio, builtins, contextlib, inspect, os, pathlib, sys, time, uuid

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
import peer

REGISTRY = peer.parse_address(os.environ['REGISTRY'])


class Context:
    def __init__(self, channel, cid, inbox):
        self.channel, self.cid, self.inbox = channel, cid, inbox

    async def next(self, kind):
        """The pld of the next message of that kind; None at the end of a stream."""
        while True:
            message = await asyncio.to_thread(self.inbox.get, timeout=peer.PATIENCE)
            if message['msg_type'] == 'Error':
                raise RemoteActorError(message)
            if message['msg_type'] == kind:
                return message['pld']
            if message['msg_type'] in ('Stop', 'Return') and kind == 'Yield':
                return None

    @contextlib.asynccontextmanager
    async def open_stream(self):
        yield Stream(self)
        self.channel.send(msg_type='Stop', cid=self.cid)

    async def wait_for_result(self):
        return await self.next('Return')


class Stream:
    def __init__(self, context):
        self.context = context

    async def send(self, item):
        self.context.channel.send(msg_type='Yield', cid=self.context.cid, pld=item)

    async def receive(self):
        return await self.context.next('Yield')

    async def __aiter__(self):
        while (item := await self.receive()) is not None:
            yield item


class RemoteActorError(Exception):
    def __init__(self, message):
        super().__init__(message['tb_str'])
        self.boxed_type = getattr(builtins, message['boxed_type_str'], None)


def context(func):
    """As upstream: one parameter is annotated with the class."""
    if not any(p.annotation is Context for p in inspect.signature(func).parameters.values()):
        raise TypeError(f'The first argument to the context function {func.__name__} must be of type Context')
    func.is_context = True
    return func


class Portal:
    def __init__(self, channel):
        self.channel = channel

    async def run_from_ns(self, ns, func, **kwargs):
        answer = await asyncio.to_thread(self.channel.call, ns, func, **kwargs)
        if answer['msg_type'] == 'Error':
            raise RemoteActorError(answer)
        return answer['pld']

    async def start(self, func, kwargs, functype):
        cid, inbox, ack = await asyncio.to_thread(self.channel.start, func.__module__, func.__name__, **kwargs)
        peer.expect(ack, msg_type='StartAck', functype=functype)
        return Context(self.channel, cid, inbox)

    @contextlib.asynccontextmanager
    async def open_stream_from(self, func, **kwargs):
        if not inspect.isasyncgenfunction(func):
            raise TypeError(f'{func} must be an async generator function')
        yield Stream(await self.start(func, kwargs, 'asyncgen'))

    @contextlib.asynccontextmanager
    async def open_context(self, func, **kwargs):
        if not hasattr(func, 'is_context'):
            raise TypeError(f'{func} must be an async generator function')
        opened = await self.start(func, kwargs, 'context')
        yield opened, await opened.next('Started')

    async def cancel_actor(self):
        peer.expect(await asyncio.to_thread(self.channel.call, 'self', 'cancel'), msg_type='CancelAck', pld=True)


@contextlib.asynccontextmanager
async def open_root_actor():
    yield


async def connect(me, deadline):
    """A program that has just been started may not be there yet."""
    while True:
        try:
            return await asyncio.to_thread(me.connect, REGISTRY)
        except OSError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def find_actor(name):
    me = peer.Actor('root')
    registrar = await connect(me, time.monotonic() + peer.PATIENCE)
    found = await Portal(registrar).run_from_ns('self', 'find_actor', name=name)
    yield found and Portal(me.connect(found[-1]))


class Nursery:
    def __init__(self, is_debugged):
        self.is_debugged = is_debugged
        self.me = peer.Actor('root', is_registrar=True)
        if is_debugged:
            self.me.serve_turns()
        self.me.registry[self.me.uid] = [self.me.listen(REGISTRY)]
        self.children = []

    async def start_actor(self, name, proc_kwargs):
        child, channel, end_thread = await asyncio.to_thread(
            peer.spawn, self.me, (name, str(uuid.uuid4())), proc_kwargs['executable'], self.is_debugged)
        self.children.append((child, end_thread))
        return Portal(channel)


@contextlib.asynccontextmanager
async def open_nursery(debug_mode=False):
    nursery = Nursery(debug_mode)
    yield nursery
    for child, end_thread in nursery.children:
        assert await asyncio.to_thread(child.wait, peer.PATIENCE) == 0
        end_thread()
    nursery.me.stop_listening()
