/* tractor-actor.h - actors: processes whose lifetimes nest like tasks.
 *
 * Values are GVariants, keyword arguments are an a{sv}; on the wire they are msgpack. What comes
 * back from the wire has these types: b; x for integers, or t above G_MAXINT64; d; s; ay for
 * bytes; av for arrays; a{sv} or a{xv} for maps whose keys are all strings or all integers, a(vv)
 * for others; "(nay)", or what was registered, for extensions (tractor-value.h); mv, nothing, for
 * nil. Where a type is declared, that type comes back, or MSG_TYPE: any width of integer that the
 * value fits, d also for integers, typed arrays and dictionaries, tuples for arrays of their length,
 * m for nil or what is inside, v for all of the above.
 *
 * Everything here is called from inside a task. The calls that can suspend are checkpoints. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-process.h"
#include "tractor-task.h"

G_BEGIN_DECLS

typedef struct _TractorRuntime TractorRuntime;
typedef struct _TractorActorNursery TractorActorNursery;
typedef struct _TractorPortal TractorPortal;
typedef struct _TractorContext TractorContext;
typedef struct _TractorStream TractorStream;

/* --- what an actor serves ---------------------------------------------------------------------- */

/**
 * TractorCallFunc:
 * @kwargs: (transfer none): an a{sv}, never NULL; its integers are x, with whatever width they were sent
 * @ret_result: (out) (transfer full) (nullable): may be floating; left NULL, the caller gets NULL
 * @error: never NULL; its domain, code and message reach the caller
 *
 * Runs in a task of its own in the actor, cancelled when the caller is.
 */
typedef gboolean (*TractorCallFunc) (GVariant *kwargs, GVariant **ret_result, GError **error);

/**
 * TractorPackedCallFunc:
 * @kwargs: (transfer none): one msgpack map, never NULL: checked to be whole and within the limits, and no more:
 *   its keys may be anything
 * @ret_result: (out) (transfer full) (nullable): one msgpack value; left NULL, the caller gets nil
 * @error: never NULL; its domain, code and message reach the caller
 *
 * As TractorCallFunc, for programs that encode themselves: no GVariant is made. Descriptors cannot be passed; any
 * that came are closed. The caller sees no difference, and may use tractor_portal_call() or be in Python.
 */
typedef gboolean (*TractorPackedCallFunc) (GBytes *kwargs, GBytes **ret_result, GError **error);

/**
 * TractorContextFunc:
 * @context: (transfer none): the dialog; gone when this returns
 * @kwargs: (transfer none): an a{sv}, never NULL; its integers are x, with whatever width they were sent
 * @ret_result: (out) (transfer full) (nullable): may be floating; left NULL, the opener gets NULL
 * @error: never NULL; its domain, code and message reach the opener
 *
 * The other end of tractor_portal_open_context(), in a task of its own in the actor. It must say
 * tractor_context_started(); see tractor-context.h and tractor-stream.h. The BROKEN of a
 * tractor_stream_send() to an end that has been closed may be passed on: it counts as success.
 */
typedef gboolean (*TractorContextFunc) (TractorContext *context,
                                        GVariant *kwargs,
                                        GVariant **ret_result,
                                        GError **error);

/**
 * TractorStreamFunc:
 * @stream: (transfer none): where to send to; gone when this returns
 * @kwargs: (transfer none): an a{sv}, never NULL; its integers are x, with whatever width they were sent
 * @error: never NULL; its domain, code and message reach the receiver
 *
 * The other end of tractor_portal_open_stream(), in a task of its own in the actor. The stream ends
 * when it returns.
 */
typedef gboolean (*TractorStreamFunc) (TractorStream *stream, GVariant *kwargs, GError **error);

/**
 * TractorExportKind:
 * @TRACTOR_EXPORT_CALL: one result: tractor_portal_call(); the function is a call or a call_packed
 * @TRACTOR_EXPORT_STREAM: items, one way: tractor_portal_open_stream()
 * @TRACTOR_EXPORT_CONTEXT: a linked task, a stream both ways, and a result:
 *   tractor_portal_open_context()
 */
typedef enum {
  TRACTOR_EXPORT_CALL,
  TRACTOR_EXPORT_STREAM,
  TRACTOR_EXPORT_CONTEXT
} TractorExportKind;

/**
 * TractorExport:
 * @name: NULL ends the table
 * @kind: which of the functions below is set, and no other
 * @payload_spec: (nullable): a GVariant type string, such as "(si)" or "a{sv}", that everything which
 *   this function sends must match, and what it receives on a stream is converted to; NULL: anything.
 *   That is the result of a call; the items of a stream; and of a context the first value, the items and
 *   the result: where one of these is nothing, the spec has to have room for that, such as "m(si)"
 * @allow_overruns: of a context: what TractorDialogOptions.allow_overruns is for its opener
 * @call_packed: of a call, instead of @call; there is no @payload_spec then
 *
 * One function of a module.
 */
typedef struct {
  const char *name;
  TractorExportKind kind;
  TractorCallFunc call;
  TractorContextFunc context;
  TractorStreamFunc stream;
  const char *payload_spec;
  gboolean allow_overruns;
  TractorPackedCallFunc call_packed;
} TractorExport;

/**
 * TractorModule:
 * @name: without a colon, and in a list once; NULL ends the list
 *
 * A namespace of functions, as Python has modules: "module:function" names one. An actor serves
 * only the modules that it was spawned with.
 */
typedef struct {
  const char *name;
  const TractorExport *exports;
} TractorModule;

/**
 * TractorRunner:
 * @name: NULL ends the list; what TractorSpawnOptions.host says, such as "builtin"
 * @run: tractor_run(), tractor_glib_run() or tractor_uv_run()
 *
 * A loop that an actor of this program can run on.
 */
typedef struct {
  const char *name;
  TractorRunFunc run;
} TractorRunner;

/**
 * tractor_child_main:
 * @modules: (array zero-terminated=1): everything that actors of this program can serve
 * @runners: (array zero-terminated=1): the loops that they can run on; the first is the default
 * @ret_status: (out): what main() is to return
 *
 * The first thing in main(), before any thread is started. In a process that was spawned as an actor: serves until it is told to
 * stop or its parent is gone, then returns TRUE. In any other process: returns FALSE at once. If @modules has
 * a function that is not of the kind that its export says, or a payload_spec that is none, it says so on stderr
 * in every process and returns TRUE, so that the program ends with status 2 at its start. A Python
 * actor spawns one with start_actor (..., proc_kwargs={'executable': PROGRAM}); all modules are served
 * to it.
 *
 * An actor ignores SIGINT, so that Ctrl-C in a terminal leaves the order of ending to its parent,
 * and ends in good order on SIGTERM, and when its parent's process is gone; of a Python parent it hears that
 * by SIGURG. If it crashes, by SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP or SIGSYS, its
 * parent's ACTOR_FAILURE says in which task, whether that has overflowed its stack, and the frames; those of
 * a program that is stripped have names only if it is linked with -rdynamic. While it boots, and under a
 * Python parent, that is on stderr. Handlers of the program's own, or of a sanitizer, are left alone. It says
 * there, too, why the
 * actor has left if nobody had asked it to: "the connection to its parent broke (ECONNRESET)", or that it
 * was told to by SIGTERM.
 *
 * Suspends: no, it blocks. Thread: the main one.
 */
TRACTOR_API gboolean tractor_child_main (int argc,
                                         char **argv,
                                         const TractorModule *modules,
                                         const TractorRunner *runners,
                                         int *ret_status);

/* --- this process ------------------------------------------------------------------------------ */

/* What is said here of "this actor" can be asked in a task, and in a callback of its host if only one run on
 * the thread has a runtime. */

/**
 * TractorLimits:
 * @frame_bytes: one message, in msgpack; 0 is 16 MiB, 1 GiB at most. Sending a larger one fails with
 *   MSG_TYPE, as more than 262,080 elements, or 30 deep, always do; one that comes from a peer that does not
 *   know the limit is refused, and so is more than 262,144 elements, or 32 deep with the message around it:
 *   whoever waits for it gets MSG_TYPE, and nothing else happens. A peer that sends more than 256 MiB at once
 *   loses its connection
 * @stream_items: items of a stream that nobody has received yet, before the sender waits, or is told of an
 *   overrun if it does not count; 0 is 4096
 * @stream_bytes: the same in bytes; 0 is 4 MiB
 * @calls_per_peer: calls, streams and contexts that one peer may have running here; one more is refused with
 *   OVERRUN; 0 is 1024
 * @connections: connections to other actors, at which no more are accepted; 0 is three quarters of the
 *   descriptors that the process may have, 1024 at most. One process gets no more of them than are left
 *   for all others, so half at most; all that come over TCP together count as one process
 * @half_open: connections at one address that have not introduced themselves; 0 is 64. While there are so
 *   many, one that has had a second for it makes room for whoever comes; or less, down to 50 ms, if its
 *   process has several of them
 * @children: actors that one actor may have started; 0 is 256
 * @handshake_usec: for an introduction; 0 is ten seconds, a minute at most
 *
 * Bounds for what others do to an actor. Zero is the default. The children of an actor have the same.
 */
typedef struct {
  guint64 frame_bytes;
  guint64 stream_items;
  guint64 stream_bytes;
  guint64 calls_per_peer;
  guint64 connections;
  guint64 half_open;
  guint64 children;
  guint64 handshake_usec;
} TractorLimits;

/**
 * TractorDispatchFunc:
 * @function: "module:function", as it was asked for, but no more than 128 bytes, and none that do things to a
 *   terminal: then nobody is asked
 * @kwargs: (transfer none): an a{sv}, never NULL
 * @data: TractorRuntimeOptions.dispatch_data
 * @ret_result: (out) (transfer full) (nullable): what to return; a floating one is taken
 * @error: never NULL; NOT_EXPOSED says that there is no such function; any other is passed to the caller
 *
 * Serves calls by their names, for programs whose functions are in no table: a language binding, say. Runs
 * in a task of its own for each call, which is cancelled if the caller withdraws it.
 *
 * Returns: TRUE; or FALSE with @error set.
 */
typedef gboolean (*TractorDispatchFunc) (
    const char *function, GVariant *kwargs, gpointer data, GVariant **ret_result, GError **error);

/**
 * TractorDebugMode:
 * @TRACTOR_DEBUG_MODE_INHERIT: what is above it says: a root's environment (TRACTOR_DEBUG, see tractor-debugger.h), or an
 *   actor's parent
 * @TRACTOR_DEBUG_MODE_OFF: nobody stops for a debugger
 * @TRACTOR_DEBUG_MODE_ON: (of a root) they do; for what, the environment says, or if it says nothing: for all. (Of an
 *   actor) as INHERIT
 */
typedef enum {
  TRACTOR_DEBUG_MODE_INHERIT,
  TRACTOR_DEBUG_MODE_OFF,
  TRACTOR_DEBUG_MODE_ON
} TractorDebugMode;

/**
 * TractorRuntimeOptions:
 * @name: (nullable): the root actor's name, of 1 to 128 bytes of printable UTF-8 without '/'; NULL is
 *   "root"
 * @registry_addresses: (nullable) (array zero-terminated=1): where the registrar is that this tree is
 *   to belong to, such as "tcp://127.0.0.1:1616", the default of Python's; as for @listen_addresses.
 *   If nobody is there, this actor becomes the registrar, and listens there. NULL: the tree is its own,
 *   and this actor is its registrar
 * @must_be_registrar: fail if there is a registrar already
 * @listen_addresses: (nullable) (array zero-terminated=1): where else to listen: "tcp://HOST:PORT", with
 *   a numeric host of this machine, or localhost, and port 0 for any; "unix:/PATH"; or a multiaddr:
 *   "/ip4/HOST/tcp/PORT", "/ip6/HOST/tcp/PORT", "/unix/PATH". NULL: at one address that is chosen; a
 *   socket in a private directory, unless the registry is reached by TCP
 * @modules: (nullable) (array zero-terminated=1): what this actor serves to others; NULL: nothing
 * @limits: (nullable): NULL is all defaults
 * @transport: (nullable): "unix" or "tcp": what actors of this tree listen on that are told nothing else,
 *   and what parent and child talk over. TCP can be looked at with tcpdump; it is slower, and open to every
 *   user of this machine. NULL: what the environment variable TRACTOR_TRANSPORT says; without it Unix
 *   sockets, except that actors listen on TCP if the registry is reached by that
 * @dispatch: (nullable): serves calls to what @modules do not have
 * @dispatch_data: for @dispatch
 * @without_credit: streams of this actor are not counted, as those of Python actors are not: a full one
 *   holds up all that comes behind it, for a second; then an item is lost, which is an error (OVERRUN) at
 *   both ends
 * @without_address: this actor listens nowhere, so it leaves no socket anywhere, and is in no registry: for a program
 *   that only asks others, whose addresses it knows. It can have no actors of its own; and it is a MISUSE together
 *   with @registry_addresses, @listen_addresses or @must_be_registrar
 * @debug: whether actors stop for a debugger
 * @fork_server: actors that this one starts are copies of a process of this program that has come as far as
 *   tractor_child_main(), and waits there: they take less time and memory than new ones (docs/costs.md). It is started with the
 *   first actor, by exec, costs what an idle actor costs, and ends with the runtime. FALSE: what the environment variable
 *   TRACTOR_FORK_SERVER says, 1 for all actors of a tree; without it each is started by exec. By exec are also started
 *   those with a program, argv, env, cwd, limits or nice of their own, and one after this process has changed what it
 *   hands down (its environment, directory, umask, limits, priority, user, ignored signals, ...), for which there is another
 *   server then. A server that is killed is replaced. What a program does before tractor_child_main() is done once, in
 *   the server; if it starts a thread there, opens a descriptor that stays or maps memory that it could share, or has a
 *   thread from the start as with some sanitizers, there are no copies, and a message in the log says so. Nothing of it
 *   is there that a fork() does not hand on: locked memory, timers, locks of files. All copies of a server have the same
 *   layout in memory, so that who knows one's addresses knows those of all, and GLib's random numbers of each come from
 *   32 bits: nothing for actors that are to be shielded from each other. What cannot be seen from outside, as Landlock,
 *   a copy has as the server has: sandbox this process before its first actor, or each actor in what it does
 *
 * Zero what you do not set.
 */
typedef struct {
  const char *name;
  const char *const *registry_addresses;
  gboolean must_be_registrar;
  const char *const *listen_addresses;
  const TractorModule *modules;
  const TractorLimits *limits;
  gboolean without_credit;
  gboolean without_address;
  const char *transport;
  TractorDispatchFunc dispatch;
  gpointer dispatch_data;
  TractorDebugMode debug;
  gboolean fork_server;
  gpointer padding[5];
} TractorRuntimeOptions;

/**
 * tractor_runtime_open:
 * @options: (nullable): NULL is all defaults
 *
 * Makes this run the root actor of a tree. Needed only for its options: an actor nursery opened
 * without a runtime opens one for itself.
 *
 * Returns: (transfer full): to be closed by the same task; or NULL with @error set to CANCELLED; MISUSE
 *   if one is open, for a bad name, a bad address or bad @modules, or if this process was spawned as an actor, but did
 *   not call tractor_child_main(); REGISTRY if the registry's address is occupied by something else, or has a
 *   registrar and @must_be_registrar; AUTH for an address that other machines could reach, or a
 *   private directory for sockets that others could get at; or a G_FILE_ERROR.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API TractorRuntime *tractor_runtime_open (const TractorRuntimeOptions *options,
                                                  GError **error);

/**
 * tractor_runtime_close:
 * @runtime: (transfer full) (nullable)
 *
 * Calls what tractor_actor_at_exit() was given, takes this actor out of the registry, and closes every
 * connection. What the calling task has left open inside is closed first, as by
 * tractor_cancel_scope_absorb(); actor nurseries of other tasks fail with NO_RUNTIME, and are waited for.
 *
 * Suspends: yes, but is no cancel point. Thread: guest, the task that opened it.
 */
TRACTOR_API void tractor_runtime_close (TractorRuntime *runtime);

/**
 * tractor_actor_get_name:
 *
 * Returns: (transfer none) (nullable): this actor's name, NULL without a runtime.
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API const char *tractor_actor_get_name (void);

/**
 * tractor_actor_get_uuid:
 *
 * Returns: (transfer none) (nullable): this actor's uuid, NULL without a runtime.
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API const char *tractor_actor_get_uuid (void);

/**
 * TractorExitFunc:
 *
 * Must not suspend.
 */
typedef void (*TractorExitFunc) (gpointer data);

/**
 * tractor_actor_at_exit:
 *
 * Calls @func when this actor ends in order: it is cancelled, gets SIGTERM, stops or fails by a function of
 * this header, or loses its parent. That is after everything that it ran for others is over, and while it is
 * still in the registry. The last that was given is the first to be called. It is not called where the
 * process ends under the actor: by exit(), _exit() or abort(), by a crash, by another signal that kills,
 * or because it was stuck and its parent has killed it.
 *
 * Returns: TRUE; or FALSE with @error set to NO_RUNTIME.
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API gboolean tractor_actor_at_exit (TractorExitFunc func, gpointer data, GError **error);

/**
 * tractor_actor_stop:
 *
 * Ends this actor in good order, as if it had been told to from outside: for functions of a spawned actor
 * or of tractor_run_daemon(). What runs for others is cancelled; its parent hears that it wanted that.
 *
 * Returns: TRUE; or FALSE with @error set to NO_RUNTIME, or MISUSE in an actor that has a body of its own.
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API gboolean tractor_actor_stop (GError **error);

/**
 * tractor_actor_fail:
 * @failure: why; not a CANCELLED or CONTEXT_CANCELLED, which are none
 *
 * Ends this actor in good order, but as one that has failed: for functions of a spawned actor or of
 * tractor_run_daemon() that cannot be what the actor is for any more, as when a supervisor in it has come to the
 * limit of its restarts. What runs for others is cancelled. For its parent's nursery that is a death, which
 * TRACTOR_ON_DEATH_RESTART answers with a new start; its ACTOR_FAILURE carries @failure, so that
 * tractor_error_matches() finds it. A Python parent sees the exit status, 1, and what is on stderr;
 * tractor_run_daemon() returns @failure. If the actor is being ended already, that remains the reason.
 *
 * Returns: TRUE; or FALSE with @error set to NO_RUNTIME, or MISUSE in an actor that has a body of its own, or for
 *   a @failure that is none; then nothing happens.
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API gboolean tractor_actor_fail (const GError *failure, GError **error);

/**
 * tractor_actor_is_root:
 *
 * Returns: whether this actor is the root of its tree: FALSE also without a runtime.
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API gboolean tractor_actor_is_root (void);

/**
 * tractor_actor_is_registrar:
 *
 * Returns: whether this actor keeps the registry: FALSE also without a runtime.
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API gboolean tractor_actor_is_registrar (void);

/**
 * tractor_actor_dup_addresses:
 *
 * Returns: (transfer full) (array zero-terminated=1): where this actor listens, as for
 *   TractorRuntimeOptions.listen_addresses; empty without a runtime.
 * Suspends: no. Thread: guest, in a task or a callback of its host.
 */
TRACTOR_API char **tractor_actor_dup_addresses (void);

/**
 * tractor_run_daemon:
 * @options: (nullable): as for tractor_runtime_open(); its modules are what is served
 * @ret_signal: (out) (optional): SIGINT or SIGTERM if that ended it; 0 if another actor did
 *
 * Opens a runtime, serves until this actor is told to end, by SIGINT, SIGTERM or
 * tractor_portal_cancel_actor() from anywhere, and closes it. A shell expects a program that was ended
 * by a signal to exit with status 128 + its number. Where these signals are blocked they are let through
 * meanwhile, on this thread.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED, or as by tractor_runtime_open().
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_run_daemon (const TractorRuntimeOptions *options,
                                         int *ret_signal,
                                         GError **error);

/**
 * tractor_run_daemon_with:
 * @options: (nullable): as for tractor_run_daemon()
 * @body: (nullable): a task that runs meanwhile, with the runtime: it may open actor nurseries, and tell
 *   whoever started the daemon that it is ready. It is cancelled when the daemon is told to end, and what it
 *   has opened ends before the runtime does. If it returns TRUE, the daemon goes on without it; if it fails,
 *   the daemon ends with that
 * @data: (nullable): for @body
 * @ret_signal: (out) (optional): as for tractor_run_daemon()
 *
 * The same as tractor_run_daemon(), for a daemon that has actors of its own.
 *
 * Returns: TRUE; or FALSE with @error set as by tractor_run_daemon(), or to what @body failed with, in a
 *   GROUP.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_run_daemon_with (const TractorRuntimeOptions *options,
                                              TractorTaskFunc body,
                                              gpointer data,
                                              int *ret_signal,
                                              GError **error);

/* --- spawning ---------------------------------------------------------------------------------- */

/**
 * TractorOnDeath:
 * @TRACTOR_ON_DEATH_FAIL: it is a failure of the nursery, which ends all of it
 * @TRACTOR_ON_DEATH_IGNORE: it is told to the log, and to whoever waits for the actor; also if it falls
 *   together with the cancel of the nursery, or the actor crashes while it ends. An actor that does not end
 *   when it is asked to, and has to be killed, is a failure of the nursery all the same
 * @TRACTOR_ON_DEATH_RESTART: it is started again, as TractorRestartOptions says; portals to it stay, what
 *   was open fails, and what is asked of it meanwhile waits. It has another uuid then. Of a nursery that is
 *   cancelled it is not, and its death is no failure either, as above
 */
typedef enum {
  TRACTOR_ON_DEATH_FAIL,
  TRACTOR_ON_DEATH_IGNORE,
  TRACTOR_ON_DEATH_RESTART
} TractorOnDeath;

/**
 * TractorSpawnOptions:
 * @modules: (nullable) (array zero-terminated=1): names of the modules that the actor may serve;
 *   NULL is all that its program has
 * @host: (nullable): the name of a TractorRunner of its program; NULL is its first
 * @program: (nullable): the path of the program; NULL is this one. It must call
 *   tractor_child_main(). A relative one is a path from its working directory.
 * @argv: (nullable) (array zero-terminated=1): further arguments for its main(), which come after
 *   the program and the actor's name: the first is argv[2] there
 * @env: (nullable) (array zero-terminated=1): what differs from our environment: "NAME=value" sets,
 *   "NAME" alone unsets; of several for one name the last counts. Everybody who is allowed to look
 *   at the process can read it, and the arguments: no secrets.
 * @cwd: (nullable): its working directory; NULL is ours
 * @fds: (nullable) (array length=n_fds): descriptors for it; each @there once, and 0, 1 or from 5
 *   on: 2 to 4 are taken
 * @limits: (nullable) (array length=n_limits): limits for it
 *
 * @listen_addresses: (nullable) (array zero-terminated=1): where it listens, as for
 *   TractorRuntimeOptions; NULL: anywhere that suits the tree
 * @log_level: (nullable): the least important messages that it writes to its log: "error", "critical",
 *   "warning", "message", "info" or "debug"; of what the library tells, where nobody has named the part
 *   (tractor-log.h). It hands that down. NULL: ours, if we were given one. A
 *   Python actor gets the level that shows as much there: "critical", "error", "warning", "cancel",
 *   "info" or "debug". One of ours sets GLib's log writer for it, which can be set once: no program does that
 *   itself before tractor_child_main()
 * @nice: how much less important than we it is to the scheduler of the system, from 0 to 19, as by nice(1):
 *   for an actor that computes while a window is to keep its pace. It hands that down
 * @on_death: what happens if it ends without having been asked to
 * @debug: whether it stops for a debugger, and what it starts itself
 * @is_python: @program is a Python interpreter that has upstream's tractor: the actor is started as that
 *   starts its own, and connects to us; it is looked for in PATH, and keeps its stderr. Its modules are
 *   given as "module=/path/of/module.py"; NULL is none
 *
 * Zero what you do not set. All of it is needed only until the actor has been started.
 */
typedef struct {
  const char *const *modules;
  const char *host;
  const char *program;
  const char *const *argv;
  const char *const *env;
  const char *cwd;
  const TractorFdMapping *fds;
  gsize n_fds;
  const TractorResourceLimit *limits;
  gsize n_limits;
  const char *const *listen_addresses;
  const char *log_level;
  TractorOnDeath on_death;
  gboolean is_python;
  guint nice;
  TractorDebugMode debug;
  gpointer padding[7];
} TractorSpawnOptions;

/**
 * tractor_actor_nursery_open:
 *
 * Opens a place for actors to live in. What the calling task does from now on, until it joins or
 * closes the nursery, is its body. The first failure, of the body or of an actor, cancels the rest.
 *
 * Without a runtime it opens one, which it closes when it is closed itself. If it was joined, and nothing
 * had failed, that waits until the nurseries that other tasks have opened meanwhile are left too;
 * otherwise those fail with NO_RUNTIME. So a program whose tasks open nurseries on their own opens a
 * runtime before them.
 *
 * Returns: (transfer full): to be closed by the same task; or NULL with @error set as by
 *   tractor_runtime_open(), or to MISUSE if the runtime has no address.
 * Suspends: if it opens a runtime, or another task is opening or closing one; then a checkpoint.
 *   Thread: guest, in a task.
 */
TRACTOR_API TractorActorNursery *tractor_actor_nursery_open (GError **error);

/**
 * TractorRestartStrategy:
 * @TRACTOR_RESTART_ONE: the one that died
 * @TRACTOR_RESTART_ALL: all of the nursery; those that live are ended first
 * @TRACTOR_RESTART_REST: the one that died, and those that were started after it
 *
 * Erlang's strategies. Only actors that were started with TRACTOR_ON_DEATH_RESTART take part.
 */
typedef enum {
  TRACTOR_RESTART_ONE,
  TRACTOR_RESTART_ALL,
  TRACTOR_RESTART_REST
} TractorRestartStrategy;

/**
 * TractorRestartOptions:
 * @strategy: who is started again when one dies
 * @max_restarts: how many deaths in @period_usec are put up with; 0 is 3. One more is a failure of the
 *   nursery; and so are as many failed starts of one actor in a row, however long that takes: one that
 *   does not answer within ten seconds counts twice
 * @period_usec: 0 is five seconds
 *
 * Zero what you do not set.
 */
typedef struct {
  TractorRestartStrategy strategy;
  guint max_restarts;
  gint64 period_usec;
  gpointer padding[4];
} TractorRestartOptions;

/**
 * tractor_actor_nursery_open_with_restarts:
 * @options: (nullable): NULL is all defaults
 *
 * As tractor_actor_nursery_open(), for actors that are started again when they die.
 *
 * Returns: as tractor_actor_nursery_open(); or NULL with @error set to MISUSE if @options make no sense, such as a
 *   period below 0.
 * Suspends: if it opens a runtime, or another task is opening or closing one; then a checkpoint.
 *   Thread: guest, in a task.
 */
TRACTOR_API TractorActorNursery *
tractor_actor_nursery_open_with_restarts (const TractorRestartOptions *options, GError **error);

/**
 * tractor_actor_nursery_start:
 * @name: 1 to 128 bytes of printable UTF-8 without "/"; need not be unique
 * @options: (nullable): NULL is all defaults
 *
 * Starts an actor, and returns when it answers calls.
 *
 * Returns: (transfer full): the portal to it; or NULL with @error set to CANCELLED; CLOSED if the
 *   nursery is cancelled or closed; LIMIT; MISUSE for a bad name or bad options, before anything
 *   has run; ACTOR_FAILURE with the exit status and what the process last wrote to stderr if it
 *   died before, also because its program has no such module or host; ACTOR_TOO_SLOW if it took more
 *   than ten seconds; or a G_FILE_ERROR that names the program or the directory if it cannot be run.
 * Suspends: yes, a checkpoint. Thread: guest, in any task.
 */
TRACTOR_API TractorPortal *tractor_actor_nursery_start (TractorActorNursery *nursery,
                                                        const char *name,
                                                        const TractorSpawnOptions *options,
                                                        GError **error);

/**
 * tractor_actor_nursery_prepare:
 * @n: how many processes are to wait; 0: none any more
 * @options: (nullable): as for tractor_actor_nursery_start(); NULL is all defaults
 *
 * Starts @n processes that wait to be actors of this nursery, and sees to it that there are as many again later:
 * for work that comes now and then, and is not to wait for a process. The next start of an actor that one of them
 * could be takes it, and so does a restart; those that are missing are made in the background, from a few
 * milliseconds after an actor of the nursery has answered. A process waits within tractor_child_main(), and
 * nothing of an actor has happened in it; but what main() does before that has, and finds "spare" and spaces for
 * argv[1]. Later the actor's name is there.
 *
 * Of @options counts what a process is born with: program, argv, env, cwd, limits, nice, and whether debug is
 * TRACTOR_DEBUG_MODE_OFF. Those of an actor have to be the same, and so has all that it would inherit now:
 * environment, directory, umask, limits, priority, user, ignored signals, stdin, stdout, stderr and so on. All
 * else is the actor's own: name, modules, host, addresses, log level, on_death. Whoever cannot be one of them is
 * started as without; in particular one that is given fds, or is_python. When what all would inherit has changed,
 * others take the place of those that wait. What cannot be seen from outside, as Landlock, they have as it was
 * when they were started: sandbox this process before, or each actor in what it does. There is one kind at a time:
 * another call changes that, and the number.
 *
 * They are killed when the nursery is joined, cancelled, killed or closed, or fails. One that ends while it waits
 * is no failure, but a line of the log ("info"); it is replaced as one that has been taken. They are no actors:
 * they do not count as children, and are neither in the tree nor in the registry; ps shows "spare". Each costs
 * what a process costs that has begun, and wakes for nothing. With a fork server
 * (TractorRuntimeOptions.fork_server) they are copies.
 *
 * Returns: TRUE: they have been started, which does not say that they are ready; or FALSE with @error set to
 *   CANCELLED; CLOSED if the nursery is cancelled or closed; LIMIT if @n is above TractorLimits.children, or as
 *   for a start; MISUSE for bad options, fds and is_python among them; or a G_FILE_ERROR that names the program or
 *   the directory if it cannot be run, after which none wait; after any other, those that waited before do.
 * Suspends: yes, a checkpoint. Thread: guest, in any task.
 */
TRACTOR_API gboolean tractor_actor_nursery_prepare (TractorActorNursery *nursery,
                                                    guint n,
                                                    const TractorSpawnOptions *options,
                                                    GError **error);

/**
 * tractor_actor_nursery_cancel:
 *
 * Asks every actor of the nursery to end, and refuses further starts; join waits for them. An
 * actor that does not acknowledge within half a second gets SIGTERM, on which it has 1.2 s left before
 * its own timer ends it, and SIGKILL 1.6 s later; one that does, but is not gone after 3.1 s, gets
 * SIGKILL. The body goes on.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_actor_nursery_cancel (TractorActorNursery *nursery);

/**
 * tractor_actor_nursery_kill:
 *
 * Ends every actor of the nursery at once, by SIGKILL, and refuses further starts. Nothing of theirs is
 * cleaned up; what they have started themselves ends within two seconds. As asked for, their deaths are no
 * failures.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_actor_nursery_kill (TractorActorNursery *nursery);

/**
 * tractor_actor_nursery_get_cancel_called:
 *
 * Returns: whether all actors of the nursery were asked to end: by tractor_actor_nursery_cancel() or
 *   tractor_actor_nursery_kill(), or because the body or an actor failed. Also after it was joined.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API gboolean tractor_actor_nursery_get_cancel_called (TractorActorNursery *nursery);

/**
 * tractor_actor_nursery_join:
 * @error: (inout): the body's own failure if it has one, which cancels the actors; afterwards all
 *   that failed. Never NULL.
 *
 * Ends the body and waits for every actor; actors that nobody cancels are waited for without end.
 * One failure comes back as it is, several as a GROUP. An actor that ends without having been
 * asked to is a failure, whatever its exit status; and so is one that was asked to, but had to be killed,
 * ended by a signal, or left with a status other than 0.
 *
 * Returns: TRUE if nothing is left in *@error.
 * Suspends: yes, but is no cancel point. Thread: guest, the task that opened the nursery.
 */
TRACTOR_API gboolean tractor_actor_nursery_join (TractorActorNursery *nursery, GError **error);

/**
 * tractor_actor_nursery_close:
 * @nursery: (transfer full) (nullable)
 *
 * What g_autoptr does on an early return: cancels the actors that are left, waits until they are
 * gone, and frees the nursery. Failures that nobody joined are not lost: they come out of the
 * tractor_cancel_scope_absorb() or tractor_nursery_join() around it, or the calling task ends with
 * them.
 *
 * Suspends: if the nursery was not joined, or has opened a runtime; but is no cancel point. Thread:
 *   guest, the task that opened the nursery.
 */
TRACTOR_API void tractor_actor_nursery_close (TractorActorNursery *nursery);

/**
 * tractor_run_in_actor:
 * @name: as for tractor_actor_nursery_start()
 * @options: (nullable): as for tractor_actor_nursery_start()
 * @function: "module:function"
 * @kwargs: (nullable): an a{sv}; a floating one is consumed
 * @ret_result: (out) (optional) (transfer full) (nullable): what the function returned
 *
 * Spawns an actor, calls one function of it, and ends it: it is gone when this returns.
 *
 * Returns: TRUE; or FALSE with @error set as by the start, the call or the join.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_run_in_actor (const char *name,
                                           const TractorSpawnOptions *options,
                                           const char *function,
                                           GVariant *kwargs,
                                           GVariant **ret_result,
                                           GError **error);

/* --- talking ----------------------------------------------------------------------------------- */

/**
 * tractor_portal_call:
 * @function: "module:function"
 * @kwargs: (nullable): an a{sv}; a floating one is consumed
 * @ret_result: (out) (optional) (transfer full) (nullable): what the function returned
 *
 * Calls a function of the actor and waits for its result. If the calling task is cancelled, so is
 * the remote one, and this returns when it has ended, or after half a second.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED; REMOTE, around what the function failed
 *   with; NOT_EXPOSED, boxed likewise; CONTEXT_CANCELLED if the actor was cancelled meanwhile; MSG_TYPE if
 *   @kwargs cannot be sent, or the result is above the limits; REMOTE around a MSG_TYPE if the result is not
 *   of the export's type, and around an OVERRUN if we have as many calls running there as one peer may;
 *   MISUSE if @function is no name of a function, or a stream or a context; ACTOR_FAILURE if the process
 *   died, with its status or signal, and where it crashed; or TRANSPORT_CLOSED if it can no longer be reached.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_portal_call (TractorPortal *portal,
                                          const char *function,
                                          GVariant *kwargs,
                                          GVariant **ret_result,
                                          GError **error);

/**
 * tractor_portal_call_packed:
 * @function: "module:function"
 * @kwargs: (nullable): one msgpack map with text keys; NULL is an empty one
 * @ret_result: (out) (optional) (transfer full): what the function returned, as one msgpack value: nil for nothing;
 *   checked to be whole and within the limits, but against no payload spec
 *
 * As tractor_portal_call(), for bindings and programs that encode themselves: no GVariant is made. The function may
 * be of either kind, or Python's.
 *
 * Returns: as tractor_portal_call(); MSG_TYPE if @kwargs is not exactly one msgpack map, or has a descriptor.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_portal_call_packed (TractorPortal *portal,
                                                 const char *function,
                                                 GBytes *kwargs,
                                                 GBytes **ret_result,
                                                 GError **error);

/**
 * tractor_error_type_register:
 * @name: the name of a Python exception class, such as "OutOfPaper", without its module; copied
 * @domain: of the GError that it stands for
 * @code: of it
 *
 * Says what an error is called on the wire, and what an error of that name from a Python actor is here:
 * tractor_error_matches() finds it. Many of Python's own are known already: ValueError is
 * G_OPTION_ERROR_BAD_VALUE, FileNotFoundError is G_FILE_ERROR_NOENT, TimeoutError is TOO_SLOW, and so
 * on; what has no name is a RuntimeError there. Between actors of this library no names are needed.
 *
 * Suspends: no. Thread: any.
 */
TRACTOR_API void tractor_error_type_register (const char *name, GQuark domain, int code);

/**
 * tractor_portal_cancel_actor:
 * @deadline: in usec: how long to wait for its end; 0, or any time that has passed: it is asked, and not waited
 *   for
 *
 * Asks the actor to end, as tractor_actor_nursery_cancel() does, and waits until it is gone.
 *
 * Returns: TRUE, also if it was gone before; or FALSE with @error set to CANCELLED, or
 *   ACTOR_TOO_SLOW after @deadline: then its nursery still sees to its end.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_portal_cancel_actor (TractorPortal *portal,
                                                  gint64 deadline,
                                                  GError **error);

/**
 * tractor_portal_wait_until_gone:
 *
 * Waits until the actor has ended, and if it is started again when it dies, until it has ended for good. Of
 * an actor that is no child of ours, only its connection is seen: until that is lost.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_portal_wait_until_gone (TractorPortal *portal, GError **error);

/**
 * tractor_portal_wait_until_restarted:
 * @n_restarts: (inout): how many restarts the caller knows of, 0 to begin with; afterwards how many there were
 *
 * Waits until an actor that is started again when it dies is up after another restart: what it knew is
 * gone, and has to be told it anew.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED; to TRANSPORT_CLOSED if it has ended for good; or to
 *   MISUSE if it is no child of ours.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_portal_wait_until_restarted (TractorPortal *portal,
                                                          guint *n_restarts,
                                                          GError **error);

/**
 * tractor_portal_get_name:
 *
 * Returns: (transfer none): the actor's name.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API const char *tractor_portal_get_name (TractorPortal *portal);

/**
 * tractor_portal_get_uuid:
 *
 * Returns: (transfer none): the actor's uuid.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API const char *tractor_portal_get_uuid (TractorPortal *portal);

/**
 * tractor_portal_get_pid:
 *
 * Returns: the actor's process id, for messages; signals are better left to its nursery. -1 for an
 *   actor that is not a child of this one.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API gint tractor_portal_get_pid (TractorPortal *portal);

/**
 * tractor_portal_unref:
 * @portal: (transfer full) (nullable)
 *
 * Drops the portal. The actor lives on in its nursery.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_portal_unref (TractorPortal *portal);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorRuntime, tractor_runtime_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorActorNursery, tractor_actor_nursery_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorPortal, tractor_portal_unref)

G_END_DECLS
