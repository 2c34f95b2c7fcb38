/* tractor-glib-waits.h - from a task: the common operations of GIO, each as one call.
 *
 * They are for tasks of a guest on a GMainContext, and made of tractor_glib_await(), by which any other
 * operation is had as well. A cancelled task asks GIO to stop and waits until it has; a deadline is a
 * scope around the call. Errors are those of the operation, in G_IO_ERROR for the most part, and:
 * TRACTOR_ERROR_CANCELLED if the task was cancelled, NESTED_HOST_LOOP, and MISUSE outside a task or on
 * another host. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-glib.h"

G_BEGIN_DECLS

/**
 * tractor_glib_read_bytes:
 * @count: how many at most
 *
 * Waits for something to read.
 *
 * Returns: (transfer full): what came; empty at the end of @stream. NULL with @error set, also to
 *   G_IO_ERROR_PENDING if another task reads.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API GBytes *tractor_glib_read_bytes (GInputStream *stream, gsize count, GError **error);

/**
 * tractor_glib_write_all:
 * @ret_written: (out) (optional): how much of it, set also on failure: after a CANCELLED a part may have
 *   been written
 *
 * To a pipe that nobody reads any more it raises no SIGPIPE, whatever the program does about it. Only if @stream is
 * one that GIO writes in a thread, as a buffered one is, that is left to the program.
 *
 * Returns: TRUE once all is written; or FALSE with @error set, also to G_IO_ERROR_PENDING if another
 *   task writes, and to G_IO_ERROR_BROKEN_PIPE.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_glib_write_all (
    GOutputStream *stream, gconstpointer buffer, gsize count, gsize *ret_written, GError **error);

/**
 * tractor_glib_load_contents:
 * @ret_contents: (out) (transfer full): all of it, with a NUL behind
 * @ret_length: (out) (optional): without that NUL
 *
 * Returns: TRUE; or FALSE with @error set.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_glib_load_contents (GFile *file,
                                                 char **ret_contents,
                                                 gsize *ret_length,
                                                 GError **error);

/**
 * tractor_glib_replace_contents:
 * @contents: copied
 *
 * Writes a file anew. On local disks the old one is there until the new one is whole. Once begun it is
 * carried through, for GIO may leave an empty file if it is cancelled.
 *
 * Returns: TRUE; or FALSE with @error set; CANCELLED only if nothing has been touched.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_glib_replace_contents (
    GFile *file, gconstpointer contents, gsize length, GFileCreateFlags flags, GError **error);

/**
 * tractor_glib_subprocess_wait:
 *
 * Waits for the end of a process, however it ends: g_subprocess_get_successful() and its like tell. It
 * stays the caller's: after a CANCELLED it runs on, so who has started it ends it, with
 * g_subprocess_force_exit(). tractor_run_process() does all of that by itself.
 *
 * Returns: TRUE; or FALSE with @error set.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_glib_subprocess_wait (GSubprocess *subprocess, GError **error);

/**
 * tractor_glib_subprocess_communicate:
 * @input: (nullable): for its stdin, which is closed then; needs G_SUBPROCESS_FLAGS_STDIN_PIPE
 * @ret_output: (out) (optional) (transfer full) (nullable): its stdout, if that is a pipe
 * @ret_errors: (out) (optional) (transfer full) (nullable): its stderr, if that is a pipe
 *
 * Writes all that a process is to read, reads all that it writes, and waits for its end. Of one that does not
 * read all of @input GIO says G_IO_ERROR_BROKEN_PIPE; it raises no SIGPIPE. For whose it
 * is see tractor_glib_subprocess_wait().
 *
 * Returns: TRUE; or FALSE with @error set.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_glib_subprocess_communicate (GSubprocess *subprocess,
                                                          GBytes *input,
                                                          GBytes **ret_output,
                                                          GBytes **ret_errors,
                                                          GError **error);

/**
 * tractor_glib_dbus_call:
 * @bus_name: (nullable): NULL on a connection without a bus
 * @parameters: (nullable): a tuple; a floating one is consumed
 * @reply_type: (nullable): what the reply must be
 *
 * Calls a method and waits for its reply, without a timeout. D-Bus cannot take a call back: after a
 * CANCELLED the method may have run, or run still.
 *
 * Returns: (transfer full): the reply, a tuple; or NULL with @error set, to what the method failed with
 *   too.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API GVariant *tractor_glib_dbus_call (GDBusConnection *connection,
                                              const char *bus_name,
                                              const char *path,
                                              const char *interface,
                                              const char *method,
                                              GVariant *parameters,
                                              const GVariantType *reply_type,
                                              GError **error);

/**
 * tractor_glib_wait_signal:
 * @instance: (type GObject): held until this returns
 * @detailed_signal: such as "clicked", or "notify::title"
 * @ret_values: (out) (optional) (transfer full) (element-type GValue): what came with it, without the
 *   object itself
 *
 * Waits until a signal is emitted the next time, by whoever it is on the guest's thread: emissions while
 * nobody waits are missed. A signal that wants an answer gets FALSE, 0 or NULL.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED, NESTED_HOST_LOOP, or MISUSE outside a task or if
 *   there is no such signal. On every host.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_glib_wait_signal (gpointer instance,
                                               const char *detailed_signal,
                                               GArray **ret_values,
                                               GError **error);

G_END_DECLS
