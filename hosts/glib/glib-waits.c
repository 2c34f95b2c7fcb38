/* glib-waits.c - the common operations of GIO, each as one call of a task.
 *
 * Each is a start, an await and a finish (glib-await.c), and adds nothing to what GIO does. They have
 * no timeouts: a deadline is a scope.
 *
 * But one thing: GIO writes to pipes without more ado, from the loop, and where nobody reads that is a SIGPIPE. It
 * is held back in the thread while one of its tasks has GIO write. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-glib-waits.h"

#include "sigpipe.h"

static _Thread_local guint n_writing;
static _Thread_local gboolean holds_sigpipe;

/* As tractor_glib_await(). */
static GAsyncResult *
await_written (TractorGlibStart start, gpointer data, GError **error)
{
  GAsyncResult *result;

  if (n_writing++ == 0)
    holds_sigpipe = sigpipe_hold_back ();
  result = tractor_glib_await (start, data, error);
  if (--n_writing == 0 && holds_sigpipe)
    sigpipe_release ();
  return result;
}

/* --- streams ------------------------------------------------------------------------------------- */

typedef struct {
  GInputStream *stream;
  gsize count;
} Read;

static void
start_read (GCancellable *cancellable,
            GAsyncReadyCallback callback,
            gpointer callback_data,
            gpointer data)
{
  Read *read = data;

  g_input_stream_read_bytes_async (read->stream, read->count, G_PRIORITY_DEFAULT, cancellable,
                                   callback, callback_data);
}

GBytes *
tractor_glib_read_bytes (GInputStream *stream, gsize count, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  GBytes *bytes;

  if (!tractor_error_check_given (stream, "stream", error))
    return NULL;
  g_return_val_if_fail (G_IS_INPUT_STREAM (stream), NULL);

  result = tractor_glib_await (start_read, &(Read){ stream, count }, error);
  if (result == NULL)
    return NULL;
  bytes = g_input_stream_read_bytes_finish (stream, result, error);
  tractor_glib_await_finish (bytes != NULL, error);
  return bytes;
}

typedef struct {
  GOutputStream *stream;
  gconstpointer buffer;
  gsize count;
} Write;

static void
start_write (GCancellable *cancellable,
             GAsyncReadyCallback callback,
             gpointer callback_data,
             gpointer data)
{
  Write *write = data;

  g_output_stream_write_all_async (write->stream, write->buffer, write->count, G_PRIORITY_DEFAULT,
                                   cancellable, callback, callback_data);
}

gboolean
tractor_glib_write_all (
    GOutputStream *stream, gconstpointer buffer, gsize count, gsize *ret_written, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  if (!tractor_error_check_given (stream, "stream", error))
    return FALSE;
  g_return_val_if_fail (G_IS_OUTPUT_STREAM (stream), FALSE);

  if (ret_written != NULL)
    *ret_written = 0;
  result = await_written (start_write, &(Write){ stream, buffer, count }, error);
  return result != NULL &&
         tractor_glib_await_finish (
             g_output_stream_write_all_finish (stream, result, ret_written, error), error);
}

/* --- files --------------------------------------------------------------------------------------- */

static void
start_load (GCancellable *cancellable,
            GAsyncReadyCallback callback,
            gpointer callback_data,
            gpointer file)
{
  g_file_load_contents_async (file, cancellable, callback, callback_data);
}

gboolean
tractor_glib_load_contents (GFile *file, char **ret_contents, gsize *ret_length, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  if (!tractor_error_check_given (file, "file", error) ||
      !tractor_error_check_given (ret_contents, "place for the contents", error))
    return FALSE;
  g_return_val_if_fail (G_IS_FILE (file), FALSE);

  result = tractor_glib_await (start_load, file, error);
  return result != NULL &&
         tractor_glib_await_finish (
             g_file_load_contents_finish (file, result, ret_contents, ret_length, NULL, error),
             error);
}

typedef struct {
  GFile *file;
  GBytes *contents;
  GFileCreateFlags flags;
} Replace;

/* Without the cancellable: GIO, when it is cancelled after it has opened the new file and before it has
 * written it, puts the empty one in the place of the old (seen with GLib 2.74). */
static void
start_replace (G_GNUC_UNUSED GCancellable *cancellable,
               GAsyncReadyCallback callback,
               gpointer callback_data,
               gpointer data)
{
  Replace *replace = data;

  g_file_replace_contents_bytes_async (replace->file, replace->contents, NULL, FALSE,
                                       replace->flags, NULL, callback, callback_data);
}

gboolean
tractor_glib_replace_contents (
    GFile *file, gconstpointer contents, gsize length, GFileCreateFlags flags, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GAsyncResult) result = NULL;

  if (!tractor_error_check_given (file, "file", error))
    return FALSE;
  g_return_val_if_fail (G_IS_FILE (file), FALSE);

  bytes = g_bytes_new (contents, length);
  result = tractor_glib_await (start_replace, &(Replace){ file, bytes, flags }, error);
  return result != NULL && tractor_glib_await_finish (
                               g_file_replace_contents_finish (file, result, NULL, error), error);
}

/* --- subprocesses --------------------------------------------------------------------------------- */

static void
start_subprocess_wait (GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer callback_data,
                       gpointer subprocess)
{
  g_subprocess_wait_async (subprocess, cancellable, callback, callback_data);
}

gboolean
tractor_glib_subprocess_wait (GSubprocess *subprocess, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  if (!tractor_error_check_given (subprocess, "subprocess", error))
    return FALSE;
  g_return_val_if_fail (G_IS_SUBPROCESS (subprocess), FALSE);

  result = tractor_glib_await (start_subprocess_wait, subprocess, error);
  return result != NULL &&
         tractor_glib_await_finish (g_subprocess_wait_finish (subprocess, result, error), error);
}

typedef struct {
  GSubprocess *subprocess;
  GBytes *input;
} Communicate;

static void
start_communicate (GCancellable *cancellable,
                   GAsyncReadyCallback callback,
                   gpointer callback_data,
                   gpointer data)
{
  Communicate *communicate = data;

  g_subprocess_communicate_async (communicate->subprocess, communicate->input, cancellable,
                                  callback, callback_data);
}

gboolean
tractor_glib_subprocess_communicate (GSubprocess *subprocess,
                                     GBytes *input,
                                     GBytes **ret_output,
                                     GBytes **ret_errors,
                                     GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  if (!tractor_error_check_given (subprocess, "subprocess", error))
    return FALSE;
  g_return_val_if_fail (G_IS_SUBPROCESS (subprocess), FALSE);

  result = await_written (start_communicate, &(Communicate){ subprocess, input }, error);
  return result != NULL &&
         tractor_glib_await_finish (
             g_subprocess_communicate_finish (subprocess, result, ret_output, ret_errors, error),
             error);
}

/* --- D-Bus --------------------------------------------------------------------------------------- */

typedef struct {
  GDBusConnection *connection;
  const char *bus_name;
  const char *path;
  const char *interface;
  const char *method;
  GVariant *parameters;
  const GVariantType *reply_type;
} BusCall;

static void
start_bus_call (GCancellable *cancellable,
                GAsyncReadyCallback callback,
                gpointer callback_data,
                gpointer data)
{
  BusCall *call = data;

  g_dbus_connection_call (call->connection, call->bus_name, call->path, call->interface,
                          call->method, call->parameters, call->reply_type, G_DBUS_CALL_FLAGS_NONE,
                          G_MAXINT /* a deadline is a scope */, cancellable, callback,
                          callback_data);
}

GVariant *
tractor_glib_dbus_call (GDBusConnection *connection,
                        const char *bus_name,
                        const char *path,
                        const char *interface,
                        const char *method,
                        GVariant *parameters,
                        const GVariantType *reply_type,
                        GError **error)
{
  g_autoptr (GVariant) owned = parameters != NULL ? g_variant_ref_sink (parameters) : NULL;
  g_autoptr (GAsyncResult) result = NULL;
  GVariant *reply;

  if (!tractor_error_check_given (connection, "connection", error))
    return NULL;
  g_return_val_if_fail (G_IS_DBUS_CONNECTION (connection), NULL);

  result = tractor_glib_await (
      start_bus_call,
      &(BusCall){ connection, bus_name, path, interface, method, owned, reply_type }, error);
  if (result == NULL)
    return NULL;
  reply = g_dbus_connection_call_finish (connection, result, error);
  tractor_glib_await_finish (reply != NULL, error);
  return reply;
}
