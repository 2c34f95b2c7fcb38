/* tractor-glib-objects.h - actors as GObjects: for programs in Python, JavaScript, Vala and C that live in
 * callbacks.
 *
 * Begin with TractorGlibRuntime: what it says of threads and errors goes for all of this.
 *
 * What a child serves is written in C, in a program that calls tractor_child_main() (tractor-actor.h). This
 * process serves what tractor_glib_runtime_export() says: to its children, and to whoever finds it.
 *
 * From these comments the documentation for other languages is made: each name has one of its own. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#ifndef TRACTOR_API
#if defined(__GNUC__) && defined(TRACTOR_BUILD)
#define TRACTOR_API __attribute__ ((visibility ("default"))) extern
#else
#define TRACTOR_API extern
#endif
#endif

/* --- errors ------------------------------------------------------------------------------------------ */

#define TRACTOR_GLIB_ERROR (tractor_glib_error_quark ())

/**
 * TractorGlibError:
 * @TRACTOR_GLIB_ERROR_CANCELLED: not seen here: it comes as G_IO_ERROR_CANCELLED
 * @TRACTOR_GLIB_ERROR_TOO_SLOW: ran out of time
 * @TRACTOR_GLIB_ERROR_GROUP: several failures
 * @TRACTOR_GLIB_ERROR_CLOSED: this end was closed: the runtime, the actor, the context or the stream
 * @TRACTOR_GLIB_ERROR_BROKEN: the other end of a stream is closed
 * @TRACTOR_GLIB_ERROR_WOULD_BLOCK: not seen here
 * @TRACTOR_GLIB_ERROR_BUSY: somebody waits for that already
 * @TRACTOR_GLIB_ERROR_LAGGED: not seen here
 * @TRACTOR_GLIB_ERROR_NESTED_HOST_LOOP: not seen here
 * @TRACTOR_GLIB_ERROR_WRONG_THREAD: used from another thread
 * @TRACTOR_GLIB_ERROR_FORKED: used in a forked copy of the process
 * @TRACTOR_GLIB_ERROR_RUN_FINISHED: the runtime has ended
 * @TRACTOR_GLIB_ERROR_MISUSE: a mistake of the caller's, such as a bad name
 * @TRACTOR_GLIB_ERROR_NO_RUNTIME: the runtime has ended
 * @TRACTOR_GLIB_ERROR_REMOTE: the function has failed in the actor; the message says with what
 * @TRACTOR_GLIB_ERROR_CONTEXT_CANCELLED: the function was cancelled, and not from here
 * @TRACTOR_GLIB_ERROR_ACTOR_FAILURE: the process died: exit status or signal, and its last words
 * @TRACTOR_GLIB_ERROR_ACTOR_TOO_SLOW: no answer in time
 * @TRACTOR_GLIB_ERROR_TRANSPORT_CLOSED: the connection to the actor is gone
 * @TRACTOR_GLIB_ERROR_NOT_EXPOSED: the actor does not serve that function
 * @TRACTOR_GLIB_ERROR_MSG_TYPE: a value cannot be sent, or is not what was declared
 * @TRACTOR_GLIB_ERROR_OVERRUN: a receiver's buffer overflowed
 * @TRACTOR_GLIB_ERROR_PROTOCOL: the peer broke the protocol
 * @TRACTOR_GLIB_ERROR_AUTH: the peer is not allowed in
 * @TRACTOR_GLIB_ERROR_LIMIT: a limit was reached
 * @TRACTOR_GLIB_ERROR_REGISTRY: no registrar can be reached
 * @TRACTOR_GLIB_ERROR_HOST_CANCELLED: the function's link with its own loop has been cancelled there
 * @TRACTOR_GLIB_ERROR_DEBUG_QUIT: it paused for a debugger, and whoever looked has quit
 *
 * The codes of TractorError.
 */
typedef enum {
  TRACTOR_GLIB_ERROR_CANCELLED,
  TRACTOR_GLIB_ERROR_TOO_SLOW,
  TRACTOR_GLIB_ERROR_GROUP,
  TRACTOR_GLIB_ERROR_CLOSED,
  TRACTOR_GLIB_ERROR_BROKEN,
  TRACTOR_GLIB_ERROR_WOULD_BLOCK,
  TRACTOR_GLIB_ERROR_BUSY,
  TRACTOR_GLIB_ERROR_LAGGED,
  TRACTOR_GLIB_ERROR_NESTED_HOST_LOOP,
  TRACTOR_GLIB_ERROR_WRONG_THREAD,
  TRACTOR_GLIB_ERROR_FORKED,
  TRACTOR_GLIB_ERROR_RUN_FINISHED,
  TRACTOR_GLIB_ERROR_MISUSE,
  TRACTOR_GLIB_ERROR_NO_RUNTIME,
  TRACTOR_GLIB_ERROR_REMOTE,
  TRACTOR_GLIB_ERROR_CONTEXT_CANCELLED,
  TRACTOR_GLIB_ERROR_ACTOR_FAILURE,
  TRACTOR_GLIB_ERROR_ACTOR_TOO_SLOW,
  TRACTOR_GLIB_ERROR_TRANSPORT_CLOSED,
  TRACTOR_GLIB_ERROR_NOT_EXPOSED,
  TRACTOR_GLIB_ERROR_MSG_TYPE,
  TRACTOR_GLIB_ERROR_OVERRUN,
  TRACTOR_GLIB_ERROR_PROTOCOL,
  TRACTOR_GLIB_ERROR_AUTH,
  TRACTOR_GLIB_ERROR_LIMIT,
  TRACTOR_GLIB_ERROR_REGISTRY,
  TRACTOR_GLIB_ERROR_HOST_CANCELLED,
  TRACTOR_GLIB_ERROR_DEBUG_QUIT
} TractorGlibError;

/**
 * tractor_glib_error_quark:
 *
 * The domain of TractorGlibError.
 *
 * Returns: TRACTOR_ERROR.
 */
TRACTOR_API GQuark tractor_glib_error_quark (void);

#define TRACTOR_GLIB_TYPE_REMOTE_ERROR (tractor_glib_remote_error_get_type ())
/**
 * TractorGlibRemoteError:
 *
 * What is known of an error that came from another actor: what it was there, and who was first to fail.
 */
typedef struct _TractorGlibRemoteError TractorGlibRemoteError;

/**
 * tractor_glib_remote_error_get_type: (skip)
 *
 * Returns: the boxed type.
 */
TRACTOR_API GType tractor_glib_remote_error_get_type (void);

/**
 * tractor_glib_get_remote_error:
 * @error: what an operation has failed with
 *
 * Asks an error what it was in the actor that it came from. In Python it does not know, since there an exception has
 * nothing of an error but its domain, code and message: tractor_glib_get_remote_error_of_result().
 *
 * Returns: (transfer full) (nullable): that; NULL if it did not come from another actor.
 */
TRACTOR_API TractorGlibRemoteError *tractor_glib_get_remote_error (const GError *error);

/**
 * tractor_glib_get_remote_error_of_result:
 * @result: what the callback of an operation here has been given
 *
 * The same of the error that the operation's _finish() has set.
 *
 * Returns: (transfer full) (nullable): that; NULL if there was none from another actor, or before _finish().
 */
TRACTOR_API TractorGlibRemoteError *tractor_glib_get_remote_error_of_result (GAsyncResult *result);

/**
 * tractor_glib_remote_error_copy:
 *
 * Copies it.
 *
 * Returns: (transfer full): the same again.
 */
TRACTOR_API TractorGlibRemoteError *
tractor_glib_remote_error_copy (const TractorGlibRemoteError *self);

/**
 * tractor_glib_remote_error_free:
 * @self: (transfer full) (nullable): what is not needed any more
 *
 * Frees it.
 */
TRACTOR_API void tractor_glib_remote_error_free (TractorGlibRemoteError *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorGlibRemoteError, tractor_glib_remote_error_free)

/**
 * tractor_glib_remote_error_get_domain:
 *
 * Tells what kind of error it was there.
 *
 * Returns: (transfer none) (nullable): the name of its domain, such as "g-file-error-quark" for G_FILE_ERROR; NULL if
 *   it was an exception of a Python actor that stands for no error known here.
 */
TRACTOR_API const char *tractor_glib_remote_error_get_domain (const TractorGlibRemoteError *self);

/**
 * tractor_glib_remote_error_get_code:
 *
 * Tells which error of its domain it was there.
 *
 * Returns: the code; meaningless without a domain.
 */
TRACTOR_API int tractor_glib_remote_error_get_code (const TractorGlibRemoteError *self);

/**
 * tractor_glib_remote_error_get_exception:
 *
 * Tells what it is called in Python.
 *
 * Returns: (transfer none): the name of the exception, such as "ValueError" if it came from a Python actor.
 */
TRACTOR_API const char *
tractor_glib_remote_error_get_exception (const TractorGlibRemoteError *self);

/**
 * tractor_glib_remote_error_get_origin:
 *
 * Tells where it began.
 *
 * Returns: (transfer none): "name@uuid" of the actor that failed first.
 */
TRACTOR_API const char *tractor_glib_remote_error_get_origin (const TractorGlibRemoteError *self);

/**
 * tractor_glib_remote_error_get_relays:
 *
 * Tells by which way it came.
 *
 * Returns: (transfer none) (array zero-terminated=1): "name@uuid" of every actor that passed it on, oldest first.
 */
TRACTOR_API const char *const *
tractor_glib_remote_error_get_relays (const TractorGlibRemoteError *self);

/**
 * tractor_glib_remote_error_describe:
 *
 * Puts all that is known into words, for who looks for the reason: with the way it came, and the backtrace.
 *
 * Returns: (transfer full): text of several lines.
 */
TRACTOR_API char *tractor_glib_remote_error_describe (const TractorGlibRemoteError *self);

/* --- the runtime --------------------------------------------------------------------------------------- */

/**
 * TractorGlibState:
 * @TRACTOR_GLIB_STATE_OPENING: operations can be started, and wait for it to be open
 * @TRACTOR_GLIB_STATE_OPEN: it works
 * @TRACTOR_GLIB_STATE_CLOSING: its actors are being ended
 * @TRACTOR_GLIB_STATE_CLOSED: nothing is left of it
 *
 * How far a runtime is.
 */
typedef enum {
  TRACTOR_GLIB_STATE_OPENING,
  TRACTOR_GLIB_STATE_OPEN,
  TRACTOR_GLIB_STATE_CLOSING,
  TRACTOR_GLIB_STATE_CLOSED
} TractorGlibState;

#define TRACTOR_GLIB_TYPE_STATE (tractor_glib_state_get_type ())
TRACTOR_API GType tractor_glib_state_get_type (void);

#define TRACTOR_GLIB_TYPE_ACTOR (tractor_glib_actor_get_type ())
/**
 * TractorGlibActor:
 *
 * A process that serves functions: a child from tractor_glib_runtime_spawn_async(), or one of somebody else's
 * from tractor_glib_runtime_find_async().
 *
 * Dropping a child does nothing: it lives until it is cancelled or its runtime closed, and the runtime
 * holds it for that long. Dropping one that was found closes the connection to it.
 */
TRACTOR_API
G_DECLARE_FINAL_TYPE (TractorGlibActor, tractor_glib_actor, TRACTOR_GLIB, ACTOR, GObject)

#define TRACTOR_GLIB_TYPE_RUNTIME (tractor_glib_runtime_get_type ())
/**
 * TractorGlibRuntime:
 *
 * This process as the root of a tree of actors. Also a GListModel: of its children that are alive.
 *
 * It runs on the GMainContext that is the thread-default one when it is made; it, and all objects that come of
 * it, belong to the thread of that context. Nothing blocks, and nothing has to be called from inside a task.
 * Operations are pairs of _async() and _finish(). Their callbacks, and all signals, come from the main context,
 * never on the stack of a task and never from inside a call of this library; but for "notify::flowing", which
 * comes of setting it.
 *
 * Errors are of the domain TRACTOR_GLIB_ERROR, G_IO_ERROR or G_FILE_ERROR. G_IO_ERROR_CANCELLED is what every
 * operation fails with that its GCancellable has cancelled, or the end of the runtime.
 *
 * Descriptors in what is given to a function here, of tractor_value_new_fd(), have to be open until it has returned:
 * what is sent later has duplicates of its own. If there is no free number for one, the operation fails with a
 * G_FILE_ERROR, and a call that was to be answered with it does.
 *
 * Dropping it closes it, and nobody is told of the end. If the main context is not run any more, its actors end
 * when this process does.
 */
TRACTOR_API
G_DECLARE_FINAL_TYPE (TractorGlibRuntime, tractor_glib_runtime, TRACTOR_GLIB, RUNTIME, GObject)

#define TRACTOR_GLIB_TYPE_ACTOR_STATE (tractor_glib_actor_state_get_type ())
/**
 * TractorGlibActorState:
 * @TRACTOR_GLIB_ACTOR_STATE_BOOTING: its process has been started, and does not answer yet
 * @TRACTOR_GLIB_ACTOR_STATE_RUNNING: it answers
 * @TRACTOR_GLIB_ACTOR_STATE_RESTARTING: it has died, and is to be started again
 * @TRACTOR_GLIB_ACTOR_STATE_ENDING: it has been asked to end
 *
 * How far an actor is, as its parent sees it.
 */
typedef enum {
  TRACTOR_GLIB_ACTOR_STATE_BOOTING,
  TRACTOR_GLIB_ACTOR_STATE_RUNNING,
  TRACTOR_GLIB_ACTOR_STATE_RESTARTING,
  TRACTOR_GLIB_ACTOR_STATE_ENDING
} TractorGlibActorState;

TRACTOR_API GType tractor_glib_actor_state_get_type (void);

#define TRACTOR_GLIB_TYPE_NODE (tractor_glib_node_get_type ())
/**
 * TractorGlibNode:
 *
 * An actor as it is seen in the live tree, and a GListModel of those below it: what a GtkTreeListModel
 * shows. Its properties and the list change as the tree does. One that has left the tree stays as it was, with
 * nothing below it.
 */
TRACTOR_API
G_DECLARE_FINAL_TYPE (TractorGlibNode, tractor_glib_node, TRACTOR_GLIB, NODE, GObject)

/**
 * TractorGlibRuntime:name:
 *
 * What this actor is called; to be set when it is made, and "root" otherwise.
 */

/**
 * TractorGlibRuntime:state:
 *
 * How far it is.
 */

/**
 * TractorGlibRuntime:registry-addresses:
 *
 * Where the registrar is, such as "tcp://127.0.0.1:1616" or "unix:/PATH": it joins the other programs there, or
 * becomes their registrar if nobody is; NULL: the tree is its own. To be set when it is made.
 */

/**
 * TractorGlibRuntime:listen-addresses:
 *
 * Where else it listens: "tcp://HOST:PORT", with a numeric host of this machine and port 0 for any, or "unix:/PATH";
 * NULL: at one address that is chosen. To be set when it is made.
 */

/**
 * TractorGlibRuntime:transport:
 *
 * "unix" or "tcp": what the actors of this tree listen on that are told nothing else, and what parent and child talk
 * over; NULL: what the environment variable TRACTOR_TRANSPORT says, or else Unix sockets. To be set when it is made.
 */

/**
 * TractorGlibRuntime::closed:
 * @self: the runtime
 * @error: (nullable): what it failed with, such as that it could not be opened
 *
 * Everything has ended, and no operation is left that has not been answered.
 */

/**
 * tractor_glib_runtime_new:
 * @name: (nullable): the name of this actor; NULL is "root"
 *
 * Makes a runtime and begins to open it. A process may have several side by side: each is the root of a tree of
 * its own, and they know of each other only as other programs do.
 *
 * Returns: (transfer full): the runtime; should it not be possible to open it, its operations and its signal
 *   "closed" say why.
 */
TRACTOR_API TractorGlibRuntime *tractor_glib_runtime_new (const char *name);

/**
 * tractor_glib_runtime_get_name:
 *
 * What this actor is called.
 *
 * Returns: (transfer none): the property "name", as long as the runtime is there.
 */
TRACTOR_API const char *tractor_glib_runtime_get_name (TractorGlibRuntime *self);

/**
 * tractor_glib_runtime_get_state:
 *
 * How far it is; "notify::state" tells of changes.
 *
 * Returns: the property "state".
 */
TRACTOR_API TractorGlibState tractor_glib_runtime_get_state (TractorGlibRuntime *self);

/**
 * tractor_glib_runtime_spawn_async:
 * @name: 1 to 128 bytes of printable UTF-8 without "/"; need not be unique
 * @modules: (nullable) (array zero-terminated=1): names of the modules that it may serve; NULL is all that
 *   its program has
 * @program: (nullable): the path of a program that calls tractor_child_main(); NULL is this one, which then
 *   must do so itself
 * @cancellable: (nullable): ends the child if it has not come up yet
 * @callback: called from the main context when that is over
 * @user_data: for @callback
 *
 * Starts a child, which is up when @callback is called.
 */
TRACTOR_API void tractor_glib_runtime_spawn_async (TractorGlibRuntime *self,
                                                   const char *name,
                                                   const char *const *modules,
                                                   const char *program,
                                                   GCancellable *cancellable,
                                                   GAsyncReadyCallback callback,
                                                   gpointer user_data);

/**
 * tractor_glib_runtime_spawn_finish:
 * @result: what the callback has been given
 *
 * Ends tractor_glib_runtime_spawn_async().
 *
 * Returns: (transfer full): the child; or NULL with @error set to CLOSED, LIMIT, MISUSE, ACTOR_FAILURE if it
 *   died before it was up, ACTOR_TOO_SLOW, or a G_FILE_ERROR that names what cannot be run.
 */
TRACTOR_API TractorGlibActor *
tractor_glib_runtime_spawn_finish (TractorGlibRuntime *self, GAsyncResult *result, GError **error);

/**
 * tractor_glib_runtime_dup_addresses:
 *
 * Where it can be reached, as "listen-addresses" said or left open.
 *
 * Returns: (transfer full) (array zero-terminated=1): addresses such as "tcp://127.0.0.1:4004"; none unless it is
 *   open.
 */
TRACTOR_API char **tractor_glib_runtime_dup_addresses (TractorGlibRuntime *self);

#define TRACTOR_GLIB_TYPE_INVOCATION (tractor_glib_invocation_get_type ())
/**
 * TractorGlibInvocation:
 *
 * A call of another actor's that this program serves. It is to be answered once, by
 * tractor_glib_invocation_return_value() or _return_error(), in the callback or later. What is dropped
 * without an answer fails, with MISUSE.
 */
TRACTOR_API
G_DECLARE_FINAL_TYPE (
    TractorGlibInvocation, tractor_glib_invocation, TRACTOR_GLIB, INVOCATION, GObject)

/**
 * TractorGlibServeFunc:
 * @invocation: what is asked; to be held if it is answered later
 * @user_data: as it was given
 *
 * Serves a call. It may do what any callback of the program may.
 */
typedef void (*TractorGlibServeFunc) (TractorGlibInvocation *invocation, gpointer user_data);

/**
 * tractor_glib_runtime_export:
 * @function: "module:function", as callers say
 * @func: (nullable) (scope notified) (closure user_data) (destroy destroy): what serves it from now on;
 *   NULL: it is not served any more
 * @user_data: for @func
 * @destroy: (nullable): frees @user_data when @func is not called any more
 *
 * Serves calls to @function: of children, to the actor that started them; and of other programs, to the one
 * that they have found by its name or address.
 *
 * In Python @func has to catch what it may raise, and to answer with tractor_glib_invocation_return_error(). An
 * exception that leaves it is printed and kept (sys.last_traceback), with its frame and the invocation in that, so
 * the invocation is not dropped, and its caller waits.
 */
TRACTOR_API void tractor_glib_runtime_export (TractorGlibRuntime *self,
                                              const char *function,
                                              TractorGlibServeFunc func,
                                              gpointer user_data,
                                              GDestroyNotify destroy);

/**
 * tractor_glib_invocation_get_function:
 *
 * What is called: one function may serve several names.
 *
 * Returns: (transfer none): "module:function"; as long as the invocation is there.
 */
TRACTOR_API const char *tractor_glib_invocation_get_function (TractorGlibInvocation *self);

/**
 * tractor_glib_invocation_get_kwargs:
 *
 * What it is called with.
 *
 * Returns: (transfer none): its arguments by name, an a{sv}; as long as the invocation is there.
 */
TRACTOR_API GVariant *tractor_glib_invocation_get_kwargs (TractorGlibInvocation *self);

/**
 * tractor_glib_invocation_get_cancellable:
 *
 * For what is done to answer it: a call that its caller has withdrawn need not go on. An answer is thrown away then.
 *
 * Returns: (transfer none): is cancelled when the caller has withdrawn the call, or is gone.
 */
TRACTOR_API GCancellable *tractor_glib_invocation_get_cancellable (TractorGlibInvocation *self);

/**
 * tractor_glib_invocation_return_value:
 * @value: (nullable): the result; a floating one is consumed
 *
 * Answers the call. A second answer is thrown away.
 */
TRACTOR_API void tractor_glib_invocation_return_value (TractorGlibInvocation *self,
                                                       GVariant *value);

/**
 * tractor_glib_invocation_return_error:
 * @error: its domain, code and message reach the caller
 *
 * Fails the call. A second answer is thrown away.
 */
TRACTOR_API void tractor_glib_invocation_return_error (TractorGlibInvocation *self,
                                                       const GError *error);

#define TRACTOR_GLIB_TYPE_LAUNCHER (tractor_glib_launcher_get_type ())
/**
 * TractorGlibLauncher:
 *
 * What children are started with, for tractor_glib_runtime_launch_async(). All its properties can be set at
 * any time; each child is started with what they are then.
 */
TRACTOR_API
G_DECLARE_FINAL_TYPE (TractorGlibLauncher, tractor_glib_launcher, TRACTOR_GLIB, LAUNCHER, GObject)

/**
 * TractorGlibLauncher:program:
 *
 * The path of a program that calls tractor_child_main(); NULL is this one, which then must do so itself.
 */

/**
 * TractorGlibLauncher:modules:
 *
 * Names of the modules that a child may serve; NULL is all that its program has.
 */

/**
 * TractorGlibLauncher:host:
 *
 * The loop that it runs on, one of those that its program has, such as "glib" or "builtin"; NULL is its
 * first.
 */

/**
 * TractorGlibLauncher:argv:
 *
 * Further arguments for its main(), after the program and its name; NULL: none.
 */

/**
 * TractorGlibLauncher:env:
 *
 * What differs from our environment: "NAME=value" sets, "NAME" alone unsets. Who may look at the process can read
 * it: no secrets. NULL: nothing.
 */

/**
 * TractorGlibLauncher:cwd:
 *
 * Its working directory; NULL is ours.
 */

/**
 * TractorGlibLauncher:listen-addresses:
 *
 * Where it listens, as for the property of TractorGlibRuntime; NULL: anywhere that suits the tree.
 */

/**
 * TractorGlibLauncher:log-level:
 *
 * The least important messages that it logs: "error", "critical", "warning", "message", "info" or "debug";
 * NULL: ours.
 */

/**
 * TractorGlibLauncher:nice:
 *
 * How much less important than we it is to the scheduler of the system, from 0 to 19.
 */

/**
 * TractorGlibLauncher:python:
 *
 * Whether the program is a Python interpreter with upstream's tractor; then its modules are given as
 * "module=/path/of/module.py".
 */

/**
 * TractorGlibLauncher:max-restarts:
 *
 * If it dies it is started again, as long as that does not happen more often than this in five seconds; 0: it is
 * not. The object of such a child stays: TractorGlibActor::restarted.
 */

/**
 * tractor_glib_launcher_new:
 *
 * Makes one with nothing set.
 *
 * Returns: (transfer full): a launcher; its children are as those of tractor_glib_runtime_spawn_async().
 */
TRACTOR_API TractorGlibLauncher *tractor_glib_launcher_new (void);

/**
 * tractor_glib_launcher_take_fd:
 * @source_fd: a descriptor of ours, which is the launcher's from now on
 * @target_fd: what it is called in the child: 0, 1 or from 5 on
 *
 * Gives children a descriptor.
 */
TRACTOR_API void
tractor_glib_launcher_take_fd (TractorGlibLauncher *self, int source_fd, int target_fd);

/**
 * tractor_glib_launcher_set_limit:
 * @resource: one of RLIMIT_*, as for setrlimit()
 * @soft: the limit that counts, in the unit of @resource; G_MAXUINT64 is none
 * @hard: what the child may raise it to
 *
 * Gives children a limit.
 */
TRACTOR_API void tractor_glib_launcher_set_limit (TractorGlibLauncher *self,
                                                  int resource,
                                                  guint64 soft,
                                                  guint64 hard);

/**
 * tractor_glib_runtime_launch_async:
 * @launcher: what it is started with
 * @name: 1 to 128 bytes of printable UTF-8 without "/"; need not be unique
 * @cancellable: (nullable): ends the child if it has not come up yet
 * @callback: called from the main context when that is over
 * @user_data: for @callback
 *
 * Starts a child, as tractor_glib_runtime_spawn_async() does.
 */
TRACTOR_API void tractor_glib_runtime_launch_async (TractorGlibRuntime *self,
                                                    TractorGlibLauncher *launcher,
                                                    const char *name,
                                                    GCancellable *cancellable,
                                                    GAsyncReadyCallback callback,
                                                    gpointer user_data);

/**
 * tractor_glib_runtime_launch_finish:
 * @result: what the callback has been given
 *
 * Ends tractor_glib_runtime_launch_async().
 *
 * Returns: (transfer full): the child; or NULL with @error set as by tractor_glib_runtime_spawn_finish().
 */
TRACTOR_API TractorGlibActor *
tractor_glib_runtime_launch_finish (TractorGlibRuntime *self, GAsyncResult *result, GError **error);

/**
 * tractor_glib_runtime_find_async:
 * @name: a name or a uuid
 * @cancellable: (nullable): stops looking
 * @callback: called from the main context when that is over
 * @user_data: for @callback
 *
 * Connects to an actor that the registrar of the tree knows, wherever in the tree it is.
 */
TRACTOR_API void tractor_glib_runtime_find_async (TractorGlibRuntime *self,
                                                  const char *name,
                                                  GCancellable *cancellable,
                                                  GAsyncReadyCallback callback,
                                                  gpointer user_data);

/**
 * tractor_glib_runtime_find_finish:
 * @result: what the callback has been given
 *
 * Ends tractor_glib_runtime_find_async().
 *
 * Returns: (transfer full) (nullable): the actor; NULL if there is none of that name; or NULL with @error set to
 *   CLOSED or MISUSE.
 */
TRACTOR_API TractorGlibActor *
tractor_glib_runtime_find_finish (TractorGlibRuntime *self, GAsyncResult *result, GError **error);

/**
 * tractor_glib_runtime_close_async:
 * @cancellable: (nullable): stops waiting; the end is not taken back
 * @callback: called from the main context when that is over
 * @user_data: for @callback
 *
 * Ends the whole tree in order: what is running is cancelled, each actor is asked to end, killed if it does
 * not, and waited for. @callback is called when nothing is left. Closing twice is harmless.
 */
TRACTOR_API void tractor_glib_runtime_close_async (TractorGlibRuntime *self,
                                                   GCancellable *cancellable,
                                                   GAsyncReadyCallback callback,
                                                   gpointer user_data);

/**
 * tractor_glib_runtime_close_finish:
 * @result: what the callback has been given
 *
 * Ends tractor_glib_runtime_close_async().
 *
 * Returns: TRUE; or FALSE with @error set to what the runtime has failed with.
 */
TRACTOR_API gboolean tractor_glib_runtime_close_finish (TractorGlibRuntime *self,
                                                        GAsyncResult *result,
                                                        GError **error);

/**
 * tractor_glib_runtime_get_tree:
 *
 * The live tree: this process, and below it all actors that it has started, and what they have started,
 * in whatever process. From the first call on it is watched until the runtime closes; it changes at most
 * 20 times a second.
 *
 * Returns: (transfer none): the node of this process.
 */
TRACTOR_API TractorGlibNode *tractor_glib_runtime_get_tree (TractorGlibRuntime *self);

/* --- the tree --------------------------------------------------------------------------------------------- */

/**
 * TractorGlibNode:name:
 *
 * What the actor is called; empty until that is known.
 */

/**
 * TractorGlibNode:uuid:
 *
 * Which one it is; another one after a restart.
 */

/**
 * TractorGlibNode:pid:
 *
 * Its process id; another one after a restart.
 */

/**
 * TractorGlibNode:state:
 *
 * How far it is.
 */

/**
 * TractorGlibNode:restarts:
 *
 * How often it has been started again.
 */

/**
 * tractor_glib_node_get_name:
 *
 * What the actor is called.
 *
 * Returns: (transfer none): the property "name", until it changes.
 */
TRACTOR_API const char *tractor_glib_node_get_name (TractorGlibNode *self);

/**
 * tractor_glib_node_get_uuid:
 *
 * Which actor it is.
 *
 * Returns: (transfer none): the property "uuid", until it changes.
 */
TRACTOR_API const char *tractor_glib_node_get_uuid (TractorGlibNode *self);

/**
 * tractor_glib_node_get_pid:
 *
 * Which process it is.
 *
 * Returns: the property "pid".
 */
TRACTOR_API int tractor_glib_node_get_pid (TractorGlibNode *self);

/**
 * tractor_glib_node_get_state:
 *
 * How far it is, as its parent sees it.
 *
 * Returns: the property "state".
 */
TRACTOR_API TractorGlibActorState tractor_glib_node_get_state (TractorGlibNode *self);

/**
 * tractor_glib_node_get_restarts:
 *
 * How often it has died and been started again, by its parent.
 *
 * Returns: the property "restarts".
 */
TRACTOR_API guint tractor_glib_node_get_restarts (TractorGlibNode *self);

/* --- actors ---------------------------------------------------------------------------------------------- */

#define TRACTOR_GLIB_TYPE_CONTEXT (tractor_glib_context_get_type ())
/**
 * TractorGlibContext:
 *
 * A function that runs in an actor, is linked to this object, and talks with it.
 *
 * Dropping it cancels the function.
 */
TRACTOR_API
G_DECLARE_FINAL_TYPE (TractorGlibContext, tractor_glib_context, TRACTOR_GLIB, CONTEXT, GObject)

/**
 * TractorGlibActor:name:
 *
 * What it is called.
 */

/**
 * TractorGlibActor:uuid:
 *
 * Which one it is; another one after a restart.
 */

/**
 * TractorGlibActor:pid:
 *
 * Its process id, another one after a restart; -1 if it is not a child.
 */

/**
 * TractorGlibActor:alive:
 *
 * Whether it has not ended, as far as is known.
 */

#define TRACTOR_GLIB_TYPE_STREAM (tractor_glib_stream_get_type ())
/**
 * TractorGlibStream:
 *
 * This end of a context's stream, which goes both ways, and holds its context; or of one that comes one way, from
 * tractor_glib_actor_open_stream_async().
 *
 * Dropping it closes this end.
 */
TRACTOR_API
G_DECLARE_FINAL_TYPE (TractorGlibStream, tractor_glib_stream, TRACTOR_GLIB, STREAM, GObject)

/**
 * TractorGlibActor::ended:
 * @self: the actor
 * @error: (nullable): how it died, ACTOR_FAILURE; NULL if it ended because it was asked to
 *
 * The actor is gone, and what was running in it has failed. Of one that was found only the connection is
 * seen: its end is always TRANSPORT_CLOSED.
 */

/**
 * TractorGlibActor::restarted:
 * @self: the actor
 *
 * A child of a launcher with "max-restarts" has died, and is up again, with another uuid and process id. What
 * it knew is gone; what was running in it has failed.
 */

/**
 * tractor_glib_actor_get_name:
 *
 * What the actor is called.
 *
 * Returns: (transfer none): the property "name", as long as the object is there.
 */
TRACTOR_API const char *tractor_glib_actor_get_name (TractorGlibActor *self);

/**
 * tractor_glib_actor_get_uuid:
 *
 * Which actor it is.
 *
 * Returns: (transfer none): the property "uuid", until it changes.
 */
TRACTOR_API const char *tractor_glib_actor_get_uuid (TractorGlibActor *self);

/**
 * tractor_glib_actor_get_pid:
 *
 * Which process it is.
 *
 * Returns: the property "pid".
 */
TRACTOR_API int tractor_glib_actor_get_pid (TractorGlibActor *self);

/**
 * tractor_glib_actor_get_alive:
 *
 * Whether something can be asked of it. It may have ended by the time that is done.
 *
 * Returns: the property "alive".
 */
TRACTOR_API gboolean tractor_glib_actor_get_alive (TractorGlibActor *self);

/**
 * tractor_glib_actor_call_async:
 * @function: "module:function"
 * @kwargs: (nullable): its arguments by name, an a{sv}; a floating one is consumed; NULL: none
 * @cancellable: (nullable): cancels the function in the actor
 * @callback: called from the main context when that is over
 * @user_data: for @callback
 *
 * Calls a function of the actor.
 */
TRACTOR_API void tractor_glib_actor_call_async (TractorGlibActor *self,
                                                const char *function,
                                                GVariant *kwargs,
                                                GCancellable *cancellable,
                                                GAsyncReadyCallback callback,
                                                gpointer user_data);

/**
 * tractor_glib_actor_call_finish:
 * @result: what the callback has been given
 *
 * Ends tractor_glib_actor_call_async().
 *
 * Returns: (transfer full) (nullable): what the function returned, which may be nothing; or NULL with @error
 *   set to REMOTE, around what it failed with; NOT_EXPOSED; CONTEXT_CANCELLED; MSG_TYPE; MISUSE; ACTOR_FAILURE or
 *   TRANSPORT_CLOSED if it has died, before or meanwhile; CLOSED if it had been asked to end.
 */
TRACTOR_API GVariant *
tractor_glib_actor_call_finish (TractorGlibActor *self, GAsyncResult *result, GError **error);

/**
 * tractor_glib_actor_open_context_async:
 * @function: "module:function", exported as a context
 * @kwargs: (nullable): its arguments by name, an a{sv}; a floating one is consumed; NULL: none
 * @cancellable: (nullable): cancels the function if it has not started yet
 * @callback: called from the main context when that is over
 * @user_data: for @callback
 *
 * Starts a function of the actor that talks back. It has said that it has started when @callback is called.
 */
TRACTOR_API void tractor_glib_actor_open_context_async (TractorGlibActor *self,
                                                        const char *function,
                                                        GVariant *kwargs,
                                                        GCancellable *cancellable,
                                                        GAsyncReadyCallback callback,
                                                        gpointer user_data);

/**
 * tractor_glib_actor_open_context_finish:
 * @result: what the callback has been given
 *
 * Ends tractor_glib_actor_open_context_async().
 *
 * Returns: (transfer full): the context; or NULL with @error set as by tractor_glib_actor_call_finish().
 */
TRACTOR_API TractorGlibContext *tractor_glib_actor_open_context_finish (TractorGlibActor *self,
                                                                        GAsyncResult *result,
                                                                        GError **error);

/**
 * tractor_glib_actor_open_stream_async:
 * @function: "module:function", exported as a stream; a generator of a Python actor
 * @kwargs: (nullable): its arguments by name, an a{sv}; a floating one is consumed; NULL: none
 * @cancellable: (nullable): cancels the function if it has not started yet
 * @callback: called from the main context when that is over
 * @user_data: for @callback
 *
 * Starts a function of the actor that sends items one way.
 */
TRACTOR_API void tractor_glib_actor_open_stream_async (TractorGlibActor *self,
                                                       const char *function,
                                                       GVariant *kwargs,
                                                       GCancellable *cancellable,
                                                       GAsyncReadyCallback callback,
                                                       gpointer user_data);

/**
 * tractor_glib_actor_open_stream_finish:
 * @result: what the callback has been given
 *
 * Ends tractor_glib_actor_open_stream_async().
 *
 * Returns: (transfer full): the stream, whose closing cancels the function; or NULL with @error set as by
 *   tractor_glib_actor_call_finish().
 */
TRACTOR_API TractorGlibStream *tractor_glib_actor_open_stream_finish (TractorGlibActor *self,
                                                                      GAsyncResult *result,
                                                                      GError **error);

/**
 * tractor_glib_actor_cancel_async:
 * @cancellable: (nullable): stops waiting; the actor ends all the same
 * @callback: called from the main context when that is over
 * @user_data: for @callback
 *
 * Asks the actor to end. @callback is called when it is gone.
 */
TRACTOR_API void tractor_glib_actor_cancel_async (TractorGlibActor *self,
                                                  GCancellable *cancellable,
                                                  GAsyncReadyCallback callback,
                                                  gpointer user_data);

/**
 * tractor_glib_actor_cancel_finish:
 * @result: what the callback has been given
 *
 * Ends tractor_glib_actor_cancel_async().
 *
 * Returns: TRUE, also if it had ended before; or FALSE with @error set to G_IO_ERROR_CANCELLED.
 */
TRACTOR_API gboolean tractor_glib_actor_cancel_finish (TractorGlibActor *self,
                                                       GAsyncResult *result,
                                                       GError **error);

/* --- contexts --------------------------------------------------------------------------------------------- */

/**
 * TractorGlibContext:started:
 *
 * What the function said when it had started; NULL is a nil.
 */

/**
 * tractor_glib_context_get_started:
 *
 * What the function said when it had started.
 *
 * Returns: (transfer none) (nullable): the property "started", as long as the object is there.
 */
TRACTOR_API GVariant *tractor_glib_context_get_started (TractorGlibContext *self);

/**
 * tractor_glib_context_open_stream_async:
 * @cancellable: (nullable): gives it up
 * @callback: called from the main context when that is over
 * @user_data: for @callback
 *
 * Opens this end of the stream. Once for each context.
 */
TRACTOR_API void tractor_glib_context_open_stream_async (TractorGlibContext *self,
                                                         GCancellable *cancellable,
                                                         GAsyncReadyCallback callback,
                                                         gpointer user_data);

/**
 * tractor_glib_context_open_stream_finish:
 * @result: what the callback has been given
 *
 * Ends tractor_glib_context_open_stream_async().
 *
 * Returns: (transfer full): the stream; or NULL with @error set to how the function has failed, if it has; or to
 *   CLOSED if it has been opened before, or the context has been left or cancelled.
 */
TRACTOR_API TractorGlibStream *tractor_glib_context_open_stream_finish (TractorGlibContext *self,
                                                                        GAsyncResult *result,
                                                                        GError **error);

/**
 * tractor_glib_context_wait_async:
 * @cancellable: (nullable): stops waiting; one can wait again
 * @callback: called from the main context when that is over
 * @user_data: for @callback
 *
 * Leaves the context, and waits for the function to end. Sends and receives that have begun come to their end
 * first, and so does a flowing stream; then the stream is closed. No others can be begun.
 */
TRACTOR_API void tractor_glib_context_wait_async (TractorGlibContext *self,
                                                  GCancellable *cancellable,
                                                  GAsyncReadyCallback callback,
                                                  gpointer user_data);

/**
 * tractor_glib_context_wait_finish:
 * @result: what the callback has been given
 *
 * Ends tractor_glib_context_wait_async().
 *
 * Returns: (transfer full) (nullable): what the function returned, which may be nothing, and is nothing after
 *   tractor_glib_context_cancel(); or NULL with @error set to REMOTE, around what it failed with;
 *   CONTEXT_CANCELLED if somebody else has cancelled it; MSG_TYPE; ACTOR_FAILURE or TRANSPORT_CLOSED.
 */
TRACTOR_API GVariant *
tractor_glib_context_wait_finish (TractorGlibContext *self, GAsyncResult *result, GError **error);

/**
 * tractor_glib_context_cancel:
 *
 * Cancels the function, and with it what is being sent and received. tractor_glib_context_wait_async() tells
 * when it has ended.
 */
TRACTOR_API void tractor_glib_context_cancel (TractorGlibContext *self);

/* --- streams ---------------------------------------------------------------------------------------------- */

/**
 * TractorGlibStream:flowing:
 *
 * Whether items come as signals "message", and the end has not come yet.
 */

/**
 * TractorGlibStream::message:
 * @self: the stream
 * @item: (nullable): what has come; NULL is a nil
 *
 * Emitted for each item while the stream is flowing. The next one is received only when all handlers have
 * returned.
 */

/**
 * TractorGlibStream::finished:
 * @self: the stream
 * @error: (nullable): NULL if the other end has closed its stream or ended well; G_IO_ERROR_CANCELLED after
 *   tractor_glib_stream_close() here
 *
 * Nothing more comes of a stream that was flowing.
 */

/**
 * tractor_glib_stream_send_async:
 * @item: (nullable): a floating one is consumed; NULL is a nil
 * @cancellable: (nullable): gives it up, if it waits for room
 * @callback: called from the main context when that is over
 * @user_data: for @callback
 *
 * Sends an item. Items arrive in the order of these calls, also if nobody waits for the callbacks.
 */
TRACTOR_API void tractor_glib_stream_send_async (TractorGlibStream *self,
                                                 GVariant *item,
                                                 GCancellable *cancellable,
                                                 GAsyncReadyCallback callback,
                                                 gpointer user_data);

/**
 * tractor_glib_stream_send_finish:
 * @result: what the callback has been given
 *
 * Ends tractor_glib_stream_send_async().
 *
 * Returns: TRUE; or FALSE with @error set to BROKEN if the other end has closed its stream; CLOSED if this one
 *   is; MSG_TYPE; MISUSE if the stream goes one way; or to how the function has failed.
 */
TRACTOR_API gboolean tractor_glib_stream_send_finish (TractorGlibStream *self,
                                                      GAsyncResult *result,
                                                      GError **error);

/**
 * tractor_glib_stream_receive_async:
 * @cancellable: (nullable): stops waiting; no item is lost
 * @callback: called from the main context when that is over
 * @user_data: for @callback
 *
 * Waits for the next item.
 */
TRACTOR_API void tractor_glib_stream_receive_async (TractorGlibStream *self,
                                                    GCancellable *cancellable,
                                                    GAsyncReadyCallback callback,
                                                    gpointer user_data);

/**
 * tractor_glib_stream_receive_finish:
 * @result: what the callback has been given
 * @ret_item: (out) (transfer full) (nullable): the item; NULL is a nil
 *
 * Ends tractor_glib_stream_receive_async().
 *
 * Returns: TRUE with an item; FALSE at the end of the stream; or FALSE with @error set to CLOSED, MSG_TYPE, or
 *   how the function has failed, after all items that came before that.
 */
TRACTOR_API gboolean tractor_glib_stream_receive_finish (TractorGlibStream *self,
                                                         GAsyncResult *result,
                                                         GVariant **ret_item,
                                                         GError **error);

/**
 * tractor_glib_stream_set_flowing:
 * @flowing: whether items come as signals "message"
 *
 * Lets items come by themselves, or stops that. A stream that flows is held, so it need not be kept. What is received
 * by tractor_glib_stream_receive_async() meanwhile is not emitted. One whose context is over
 * tells that, too, by "finished"; if the function has failed, after the items that came before.
 */
TRACTOR_API void tractor_glib_stream_set_flowing (TractorGlibStream *self, gboolean flowing);

/**
 * tractor_glib_stream_get_flowing:
 *
 * Whether items come by themselves.
 *
 * Returns: the property "flowing".
 */
TRACTOR_API gboolean tractor_glib_stream_get_flowing (TractorGlibStream *self);

/**
 * tractor_glib_stream_close:
 *
 * Closes this end: the function gets what has been sent, then the end of its stream. What still comes from
 * there is thrown away. The function of a stream that goes one way is cancelled, and so is what is being received.
 */
TRACTOR_API void tractor_glib_stream_close (TractorGlibStream *self);

G_END_DECLS
