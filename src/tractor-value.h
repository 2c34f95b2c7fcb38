/* tractor-value.h - values that GVariant has no type for: msgpack's extensions, and points in time.
 *
 * An extension is a code, -128 to 127, and some bytes. Codes from 0 are for programs; those below
 * are msgpack's, which has used one: -1, a timestamp. In a payload an extension is a "(nay)", its
 * code and its bytes, in both directions: a "(nay)" whose code is one of these is sent as an
 * extension, and an extension arrives as a "(nay)". A program that means a tuple takes another type,
 * such as "(iay)".
 *
 * A program that registers a code is given something better than bytes: its function makes a
 * GVariant of any type of them, wherever they arrive. Sending is asked for, as no GVariant shows
 * that it wants to be an extension: tractor_value_new_ext() packs it. Both ends have to know a code;
 * at one that does not, the "(nay)" arrives. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-error.h"

G_BEGIN_DECLS

/* --- extensions -------------------------------------------------------------------------------- */

/**
 * TractorExtPackFunc:
 * @content: (transfer none): of the type that was registered
 * @data: what was registered
 * @error: never NULL
 *
 * Makes the bytes of an extension. Runs inside tractor_value_new_ext().
 *
 * Returns: (transfer full): the bytes; or NULL with @error set.
 */
typedef GBytes *(*TractorExtPackFunc) (GVariant *content, gpointer data, GError **error);

/**
 * TractorExtUnpackFunc:
 * @bytes: (array length=length): as a peer sent them: nothing is known of them but their length
 * @data: what was registered
 * @error: never NULL; its text reaches the receiver of the message in a MSG_TYPE
 *
 * Makes a value of an extension's bytes. Runs while a message is read, on any thread that has
 * actors: it must not suspend.
 *
 * Returns: (transfer full): of the type that was registered, may be floating; or NULL with @error
 *   set.
 */
typedef GVariant *(*TractorExtUnpackFunc) (const guint8 *bytes,
                                           gsize length,
                                           gpointer data,
                                           GError **error);

/**
 * tractor_ext_type_register:
 * @code: 0 to 127
 * @type_string: what @pack takes and @unpack returns; may be indefinite, such as "*"
 * @data: for both functions; kept until the process ends
 *
 * Gives an extension type a GVariant type, in this process, from now on and for good. Register
 * before actors run, in the parent and in its children: first thing in main(), before
 * tractor_child_main(). Messages that are read meanwhile may or may not see it.
 *
 * Returns: TRUE; or FALSE with @error set to MISUSE if @code is msgpack's or has been registered,
 *   @type_string is no type, or a function is missing.
 * Suspends: no. Thread: any.
 */
TRACTOR_API gboolean tractor_ext_type_register (gint8 code,
                                                const char *type_string,
                                                TractorExtPackFunc pack,
                                                TractorExtUnpackFunc unpack,
                                                gpointer data,
                                                GError **error);

/**
 * tractor_value_new_ext:
 * @code: one that was registered
 * @content: if it is floating, it is taken
 *
 * Packs @content by the function registered for @code. Without one, an extension is simply
 * g_variant_new ("(n@ay)", code, bytes).
 *
 * Returns: (transfer none): a floating "(nay)", to be sent as a value or inside one; or NULL with
 *   @error set to MISUSE if @code is not registered, MSG_TYPE if @content is not of its type, or
 *   what its function says.
 * Suspends: no. Thread: any.
 */
TRACTOR_API GVariant *tractor_value_new_ext (gint8 code, GVariant *content, GError **error);

/* --- descriptors ------------------------------------------------------------------------------- */

/**
 * tractor_value_new_fd:
 * @fd: stays the caller's, and has to be open until what this is in has been sent: until the call, or
 *   the send, has returned. The result of a function is sent after it has returned: there the descriptor has
 *   to be one that the program keeps. One that is opened for the caller alone is given by
 *   tractor_context_started(), or as an item, and closed after that
 *
 * A descriptor, to be sent as a value or inside one, but not in a packed item: to an actor of this library,
 * over a Unix socket, and at most 16 in a message; else what sends it fails with MSG_TYPE. The other end
 * gets one of its own, for the same open file, as by dup().
 *
 * Returns: (transfer none): a floating "(nay)", good for nothing else.
 * Suspends: no. Thread: any.
 */
TRACTOR_API GVariant *tractor_value_new_fd (int fd);

/**
 * tractor_value_hold_fds:
 * @value: a value that is to be sent later; if it is floating, it is taken
 *
 * For a program that keeps values of others before it sends them, such as in a channel: theirs have to be open only
 * until this has returned.
 *
 * Returns: (transfer full): @value itself if no descriptor of tractor_value_new_fd() is in it; else a copy with a
 *   duplicate of each, which are closed with it. NULL with @error set to MSG_TYPE if there are more than can be
 *   sent, or to a G_FILE_ERROR if one is not open, or no number is free for its duplicate.
 * Suspends: no. Thread: any.
 */
TRACTOR_API GVariant *tractor_value_hold_fds (GVariant *value, GError **error);

/**
 * tractor_value_take_fd:
 * @value: (nullable): as it arrived
 *
 * What came with @value, once: whoever takes it closes it. What nobody takes is closed with the value it
 * came in: when the last reference to the arguments, result or item is gone, and to all that was taken out
 * of them.
 *
 * A process holds as many that have not been taken as a fourth of RLIMIT_NOFILE, at least 16 and at most
 * 4096. A message with one that is beyond that, or that the kernel finds no free number for, fails with
 * LIMIT, and nothing else does: a call at its caller, an item where it is received. In the room that a
 * stream's receiver gives, a descriptor counts as 64 KiB.
 *
 * Returns: the descriptor, which is closed on exec; or -1 with @error set to MSG_TYPE if @value is no
 *   descriptor; CLOSED if it has been taken, or none came with it.
 * Suspends: no. Thread: any.
 */
TRACTOR_API int tractor_value_take_fd (GVariant *value, GError **error);

/* --- points in time ---------------------------------------------------------------------------- */

/**
 * tractor_value_new_timestamp:
 * @unix_seconds: since 1970, may be negative
 * @nanoseconds: added to them: below 1000000000
 *
 * A point in time, as every msgpack knows it: Python's datetime with a time zone.
 *
 * Returns: (transfer none): a floating "(nay)".
 * Suspends: no. Thread: any.
 */
TRACTOR_API GVariant *tractor_value_new_timestamp (gint64 unix_seconds, guint32 nanoseconds);

/**
 * tractor_value_get_timestamp:
 * @value: (nullable): as it arrived
 * @ret_seconds: (out) (optional): since 1970
 * @ret_nanoseconds: (out) (optional): below 1000000000
 *
 * Returns: TRUE; or FALSE with @error set to MSG_TYPE if @value is not a timestamp.
 * Suspends: no. Thread: any.
 */
TRACTOR_API gboolean tractor_value_get_timestamp (GVariant *value,
                                                  gint64 *ret_seconds,
                                                  guint32 *ret_nanoseconds,
                                                  GError **error);

G_END_DECLS
