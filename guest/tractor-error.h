/* tractor-error.h - the one error domain of every layer. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#ifndef TRACTOR_API
#if defined(__GNUC__) && defined(TRACTOR_BUILD)
#define TRACTOR_API __attribute__ ((visibility ("default"))) extern
#else
#define TRACTOR_API extern
#endif
#endif

/* Flags are put together in C++ as in C: A | B is of their type there too. */
#ifdef __cplusplus
#define TRACTOR_DEFINE_FLAG_OPERATORS(Type)                                                        \
  extern "C++" {                                                                                   \
  constexpr Type operator| (Type a, Type b)                                                        \
  {                                                                                                \
    return static_cast<Type> (static_cast<unsigned> (a) | static_cast<unsigned> (b));              \
  }                                                                                                \
  constexpr Type operator& (Type a, Type b)                                                        \
  {                                                                                                \
    return static_cast<Type> (static_cast<unsigned> (a) & static_cast<unsigned> (b));              \
  }                                                                                                \
  inline Type &operator|= (Type &a, Type b)                                                        \
  {                                                                                                \
    return a = a | b;                                                                              \
  }                                                                                                \
  inline Type &operator&= (Type &a, Type b)                                                        \
  {                                                                                                \
    return a = a & b;                                                                              \
  }                                                                                                \
  }
#else
#define TRACTOR_DEFINE_FLAG_OPERATORS(Type)
#endif

#define TRACTOR_ERROR (tractor_error_quark ())

/**
 * TractorError:
 *
 * Codes of the domain TRACTOR_ERROR. Failures of the operating system keep their own domain,
 * G_FILE_ERROR, which also names them in words.
 */
typedef enum {
  /* tasks */
  TRACTOR_ERROR_CANCELLED,        /* an enclosing scope was cancelled: unwind, do not report */
  TRACTOR_ERROR_TOO_SLOW,         /* ran out of time */
  TRACTOR_ERROR_GROUP,            /* several failures: tractor_error_get_children() */
  TRACTOR_ERROR_CLOSED,           /* this end was closed */
  TRACTOR_ERROR_BROKEN,           /* the other end is gone */
  TRACTOR_ERROR_WOULD_BLOCK,      /* a _nowait call could not finish at once */
  TRACTOR_ERROR_BUSY,             /* the fd or resource already has a waiter */
  TRACTOR_ERROR_LAGGED,           /* a broadcast receiver fell behind and lost items */
  TRACTOR_ERROR_NESTED_HOST_LOOP, /* a checkpoint inside a host callback that a task's own call ran */
  TRACTOR_ERROR_WRONG_THREAD,     /* a guest was used from a thread other than its own */
  TRACTOR_ERROR_FORKED,           /* used in a forked copy of the process */
  TRACTOR_ERROR_RUN_FINISHED,     /* the guest has already ended */
  TRACTOR_ERROR_MISUSE, /* outside a task, closed out of order, ...: a bug in the caller */
  /* actors */
  TRACTOR_ERROR_NO_RUNTIME,        /* no runtime is open in this process */
  TRACTOR_ERROR_REMOTE,            /* an error boxed by another actor: tractor_error_get_remote() */
  TRACTOR_ERROR_CONTEXT_CANCELLED, /* a remote task was cancelled by request; says by whom */
  TRACTOR_ERROR_ACTOR_FAILURE,     /* the process died: exit status or signal, last words */
  TRACTOR_ERROR_ACTOR_TOO_SLOW,    /* no answer in time */
  TRACTOR_ERROR_TRANSPORT_CLOSED,  /* the connection to the actor is gone */
  TRACTOR_ERROR_NOT_EXPOSED,       /* the actor does not serve that function */
  TRACTOR_ERROR_MSG_TYPE,          /* a payload cannot be sent, or broke the declared spec */
  TRACTOR_ERROR_OVERRUN,           /* a receiver's buffer overflowed */
  TRACTOR_ERROR_PROTOCOL,          /* the peer broke the protocol: its connection is closed */
  TRACTOR_ERROR_AUTH,              /* the peer is not allowed in */
  TRACTOR_ERROR_LIMIT,             /* a configured limit was reached */
  TRACTOR_ERROR_REGISTRY,          /* no registrar, or the address is held by something else */
  /* tasks and callbacks of their host */
  TRACTOR_ERROR_HOST_CANCELLED, /* the host's side of a link has cancelled itself */
  /* debug mode */
  TRACTOR_ERROR_DEBUG_QUIT, /* tractor_pause(): whoever looked has quit */
} TractorError;

TRACTOR_API GQuark tractor_error_quark (void);

/**
 * tractor_error_get_children:
 *
 * What stands behind a GROUP. A member may itself be a GROUP.
 *
 * Returns: (transfer none) (nullable) (element-type GError): the failures in order of arrival,
 *   borrowed from @error; NULL if @error is no GROUP.
 * Suspends: no. Thread: any.
 */
TRACTOR_API const GPtrArray *tractor_error_get_children (const GError *error);

/**
 * TractorRemoteError:
 * @domain: (nullable): its GError domain there, NULL if it was no GError
 * @code: its GError code there, meaningful only with a domain
 * @type_name: the exception name on the wire, such as "ValueError" from a Python actor
 * @origin: "name@uuid" of the actor that failed first
 * @relays: (array zero-terminated=1): every actor that passed the error on, oldest first
 * @backtrace: (nullable): text written by the actor that failed
 * @members: (nullable) (element-type GError): if it was a GROUP there, what stands behind it, each with
 *   its own origin and way; from a Python actor only the text comes
 *
 * What is known of an error that came from another actor; borrowed from that error.
 */
typedef struct {
  const char *domain;
  int code;
  const char *type_name;
  const char *origin;
  const char *const *relays;
  const char *backtrace;
  const GPtrArray *members;
} TractorRemoteError;

/**
 * tractor_error_get_remote:
 *
 * Returns: (transfer none) (nullable): NULL unless @error came from another actor.
 * Suspends: no. Thread: any.
 */
TRACTOR_API const TractorRemoteError *tractor_error_get_remote (const GError *error);

/**
 * tractor_error_get_canceller:
 *
 * Returns: (transfer none) (nullable): "name@uuid" of the actor that asked for the cancel that
 *   @error reports, if another actor did.
 * Suspends: no. Thread: any.
 */
TRACTOR_API const char *tractor_error_get_canceller (const GError *error);

/**
 * tractor_error_new_group:
 * @failures: (transfer full) (element-type GError): at least one
 *
 * Groups may be in groups. One that is 64 deep already is taken apart: then the new one has what failed
 * in its place, each for itself. The message says how many failures there are in all, and what the first
 * says: "2 failures, the first: No such file".
 *
 * Returns: (transfer full): one GROUP that stands for all of them.
 * Suspends: no. Thread: any.
 */
TRACTOR_API GError *tractor_error_new_group (GPtrArray *failures);

/**
 * tractor_error_new_remote:
 * @code: a TractorError, usually REMOTE or CONTEXT_CANCELLED
 * @remote: copied; a NULL as its @type_name or @origin is taken for an empty text, and as its @relays for no actor
 * @canceller: (nullable): "name@uuid" of the actor that asked for a cancel
 * @message: for a person
 *
 * Returns: (transfer full): an error as if it had come from another actor.
 * Suspends: no. Thread: any.
 */
TRACTOR_API GError *tractor_error_new_remote (TractorError code,
                                              const TractorRemoteError *remote,
                                              const char *canceller,
                                              const char *message);

/**
 * tractor_error_new_traced:
 * @code: a TractorError
 * @backtrace: (nullable): text of several lines
 * @message: for a person, so without it
 *
 * Returns: (transfer full): an error of this process, about something that has left a backtrace.
 * Suspends: no. Thread: any.
 */
TRACTOR_API GError *
tractor_error_new_traced (TractorError code, const char *backtrace, const char *message);

/**
 * tractor_error_get_backtrace:
 *
 * Where it failed: of an error from another actor, text that it wrote; of an ACTOR_FAILURE, what is left of an actor that
 * has crashed, or could not boot. A message has none in it.
 *
 * Returns: (transfer none) (nullable): borrowed from @error; NULL if there is none.
 * Suspends: no. Thread: any.
 */
TRACTOR_API const char *tractor_error_get_backtrace (const GError *error);

/**
 * tractor_error_matches:
 * @error: (nullable): may be NULL, which matches nothing
 *
 * Like g_error_matches(), but looks through the box of a REMOTE error and into every member of a
 * GROUP, here or there: tractor_error_matches (e, G_FILE_ERROR, G_FILE_ERROR_NOENT) finds a missing file three
 * processes away.
 *
 * Suspends: no. Thread: any.
 */
TRACTOR_API gboolean tractor_error_matches (const GError *error, GQuark domain, int code);

/**
 * tractor_error_set_not_given:
 *
 * The rare half of tractor_error_check_given().
 *
 * Suspends: no. Thread: any.
 */
TRACTOR_API void tractor_error_set_not_given (const char *what, GError **error);

/**
 * tractor_error_check_given: (skip)
 * @object: (nullable): what a caller has passed, and must not be NULL
 * @what: what it should be, such as "portal"
 *
 * How a function begins that needs an object which the caller may not have, because the call that was to
 * open it has failed: so that a failure is there, whatever the caller has looked at.
 *
 * Returns: TRUE if it is there; or FALSE with @error set to MISUSE. An @error that is set already is left
 *   as it is: it says why there is no object. Without one it is told with g_critical().
 * Suspends: no. Thread: any.
 */
static inline gboolean
tractor_error_check_given (gconstpointer object, const char *what, GError **error)
{
  if (G_LIKELY (object != NULL))
    return TRUE;
  tractor_error_set_not_given (what, error);
  return FALSE;
}

/**
 * tractor_error_describe:
 *
 * The whole error for a person: every member of a GROUP on lines of its own below it, and for an error from
 * another actor its origin and the way it came; and backtraces.
 *
 * Returns: (transfer full): text of one or more lines, without a newline at the end.
 * Suspends: no. Thread: any.
 */
TRACTOR_API char *tractor_error_describe (const GError *error);

G_END_DECLS
