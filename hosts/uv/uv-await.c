/* uv-await.c - tasks that wait for libuv.
 *
 * A wait is a TractorWaker that a callback of libuv's wakes. What tells the waits apart is what can be
 * taken back:
 *
 *    in a thread (fs, getaddrinfo, work)  uv_cancel() until a thread has it; the callback comes anyway,
 *                                         and is waited for, so the request may lie on the task's stack
 *    reading                              uv_read_stop(), and no callback comes any more
 *    writing, connecting                  nothing: the request lies on the heap, and is left behind */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-uv-await.h"

#include <string.h>

#include "tractor-sync.h"

typedef struct {
  TractorWaker *waker; /* (nullable): nobody waits any more */
  int status;
  void *request; /* (nullable): that uv_cancel() takes */
} Wait;

static gboolean
set_uv_error (GError **error, const char *what, int status)
{
  GFileError code = status <= UV_EAI_ADDRFAMILY && status >= UV_EAI_SOCKTYPE
                        ? G_FILE_ERROR_FAILED /* netdb's numbers, and not errno's */
                        : g_file_error_from_errno (-status);

  g_set_error (error, G_FILE_ERROR, code, "cannot %s: %s", what, uv_strerror (status));
  return FALSE;
}

/* (nullable): with MISUSE */
static uv_loop_t *
get_loop (GError **error)
{
  uv_loop_t *loop = tractor_uv_get_loop ();

  if (loop == NULL)
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "This task does not run on a libuv loop");
  return loop;
}

static void
wake (Wait *wait, int status)
{
  wait->status = status;
  tractor_waker_wake (wait->waker, NULL);
}

/* --- in a thread --------------------------------------------------------------------------------- */

static gboolean
try_to_cancel (gpointer data)
{
  Wait *wait = data;

  uv_cancel (wait->request); /* it says whether by the callback */
  return FALSE;
}

/* @status: of what was started with @wait. */
static gboolean
wait_for_thread (Wait *wait, int status, const char *what, GError **error)
{
  if (status == 0) {
    tractor_waker_wait (wait->waker, try_to_cancel, wait, NULL);
    status = wait->status;
  }
  g_clear_pointer (&wait->waker, tractor_waker_free);
  if (status == UV_ECANCELED && !tractor_checkpoint_if_cancelled (error))
    return FALSE;
  return status < 0 ? set_uv_error (error, what, status) : TRUE;
}

static void
on_fs (uv_fs_t *request)
{
  wake (request->data, request->result < 0 ? (int) request->result : 0);
}

gboolean
tractor_uv_fs (TractorUvFsFunc start, gpointer data, uv_fs_t *ret_request, GError **error)
{
  uv_loop_t *loop = get_loop (error);
  Wait wait = { .request = ret_request };

  g_return_val_if_fail (start != NULL && ret_request != NULL, FALSE);

  if (loop == NULL || !tractor_checkpoint_if_cancelled (error))
    return FALSE;
  wait.waker = tractor_waker_new ();
  ret_request->data = &wait;
  if (wait_for_thread (&wait, start (loop, ret_request, on_fs, data), "do what was asked of a file",
                       error))
    return TRUE;
  uv_fs_req_cleanup (ret_request);
  return FALSE;
}

static void
on_addresses (uv_getaddrinfo_t *request, int status, G_GNUC_UNUSED struct addrinfo *addresses)
{
  wake (request->data, status == UV_EAI_CANCELED ? UV_ECANCELED : status);
}

gboolean
tractor_uv_getaddrinfo (const char *node,
                        const char *service,
                        const struct addrinfo *hints,
                        struct addrinfo **ret_addresses,
                        GError **error)
{
  uv_loop_t *loop = get_loop (error);
  uv_getaddrinfo_t request;
  Wait wait = { .request = &request };

  g_return_val_if_fail (ret_addresses != NULL, FALSE);

  if (loop == NULL || !tractor_checkpoint_if_cancelled (error))
    return FALSE;
  wait.waker = tractor_waker_new ();
  request.data = &wait;
  if (!wait_for_thread (&wait, uv_getaddrinfo (loop, &request, on_addresses, node, service, hints),
                        "look up a name", error))
    return FALSE;
  *ret_addresses = request.addrinfo;
  return TRUE;
}

typedef struct {
  uv_work_t request;
  void (*work) (gpointer data);
  gpointer data;
} Work;

static void
run_work (uv_work_t *request)
{
  Work *work = (Work *) request;

  work->work (work->data);
}

static void
on_worked (uv_work_t *request, int status)
{
  wake (request->data, status);
}

gboolean
tractor_uv_work (void (*work) (gpointer data), gpointer data, GError **error)
{
  uv_loop_t *loop = get_loop (error);
  Work what = { .work = work, .data = data };
  Wait wait = { .request = &what.request };

  g_return_val_if_fail (work != NULL, FALSE);

  if (loop == NULL || !tractor_checkpoint_if_cancelled (error))
    return FALSE;
  wait.waker = tractor_waker_new ();
  what.request.data = &wait;
  return wait_for_thread (&wait, uv_queue_work (loop, &what.request, run_work, on_worked),
                          "have something worked on", error);
}

/* --- reading ------------------------------------------------------------------------------------- */

typedef struct {
  Wait wait; /* first */
  uv_stream_t *stream;
  gpointer data_before; /* of the stream */
  uv_buf_t room;
  gsize length;
} Read;

static void
stop_reading (Read *read)
{
  uv_read_stop (read->stream);
  read->stream->data = read->data_before;
}

static void
on_alloc (uv_handle_t *handle, G_GNUC_UNUSED size_t size, uv_buf_t *buffer)
{
  *buffer = ((Read *) handle->data)->room;
}

static void
on_read (uv_stream_t *stream, ssize_t n, G_GNUC_UNUSED const uv_buf_t *buffer)
{
  Read *read = stream->data;

  if (n == 0) /* not yet */
    return;
  stop_reading (read);
  read->length = n > 0 ? (gsize) n : 0;
  wake (&read->wait, n < 0 && n != UV_EOF ? (int) n : 0);
}

static gboolean
take_read_back (gpointer data)
{
  stop_reading (data);
  return TRUE;
}

gboolean
tractor_uv_read (uv_stream_t *stream, gpointer bytes, gsize size, gsize *ret_length, GError **error)
{
  Read read = { .stream = stream };
  gboolean ok;
  int status;

  g_return_val_if_fail (stream != NULL && bytes != NULL && size > 0 && ret_length != NULL, FALSE);

  if (get_loop (error) == NULL || !tractor_checkpoint_if_cancelled (error))
    return FALSE;
  read.room = uv_buf_init (bytes, (unsigned) MIN (size, G_MAXINT));
  read.data_before = stream->data;
  stream->data = &read;
  status = uv_read_start (stream, on_alloc, on_read);
  if (status != 0) {
    stream->data = read.data_before;
    return set_uv_error (error, "read", status);
  }
  read.wait.waker = tractor_waker_new ();
  ok = tractor_waker_wait (read.wait.waker, take_read_back, &read, error);
  tractor_waker_free (read.wait.waker);
  if (!ok)
    return FALSE;
  *ret_length = read.length;
  return read.wait.status == 0 ? TRUE : set_uv_error (error, "read", read.wait.status);
}

/* --- what cannot be taken back ------------------------------------------------------------------- */

typedef struct {
  Wait wait; /* first */
  union {
    uv_write_t write;
    uv_connect_t connect;
  };
  char bytes[];
} Errand;

static Errand *
errand_new (gconstpointer bytes, gsize length)
{
  Errand *errand = g_malloc (sizeof *errand + length);

  errand->wait = (Wait){ .waker = tractor_waker_new () };
  if (length > 0)
    memcpy (errand->bytes, bytes, length);
  return errand;
}

static void
errand_done (Errand *errand, int status)
{
  if (errand->wait.waker == NULL)
    g_free (errand);
  else
    wake (&errand->wait, status);
}

static void
on_written (uv_write_t *request, int status)
{
  errand_done (request->data, status);
}

static void
on_connected (uv_connect_t *request, int status)
{
  errand_done (request->data, status);
}

static gboolean
leave_behind (G_GNUC_UNUSED gpointer data)
{
  return TRUE;
}

/* @status: of its start. Frees it, now or when its callback comes. */
static gboolean
errand_wait (Errand *errand, int status, const char *what, GError **error)
{
  gboolean ok = TRUE;

  if (status == 0) {
    ok = tractor_waker_wait (errand->wait.waker, leave_behind, NULL, error);
    status = errand->wait.status;
  }
  g_clear_pointer (&errand->wait.waker, tractor_waker_free);
  if (!ok)
    return FALSE;
  g_free (errand);
  return status == 0 ? TRUE : set_uv_error (error, what, status);
}

gboolean
tractor_uv_write (uv_stream_t *stream, gconstpointer bytes, gsize length, GError **error)
{
  Errand *errand;
  uv_buf_t buffer;

  g_return_val_if_fail (stream != NULL && length <= G_MAXINT, FALSE);

  if (get_loop (error) == NULL || !tractor_checkpoint_if_cancelled (error))
    return FALSE;
  errand = errand_new (bytes, length);
  errand->write.data = errand;
  buffer = uv_buf_init (errand->bytes, (unsigned) length);
  return errand_wait (errand, uv_write (&errand->write, stream, &buffer, 1, on_written), "write",
                      error);
}

gboolean
tractor_uv_connect (uv_tcp_t *tcp, const struct sockaddr *address, GError **error)
{
  Errand *errand;

  g_return_val_if_fail (tcp != NULL && address != NULL, FALSE);

  if (get_loop (error) == NULL || !tractor_checkpoint_if_cancelled (error))
    return FALSE;
  errand = errand_new (NULL, 0);
  errand->connect.data = errand;
  return errand_wait (errand, uv_tcp_connect (&errand->connect, tcp, address, on_connected),
                      "connect", error);
}

static void
on_closed (uv_handle_t *handle)
{
  wake (handle->data, 0);
}

void
tractor_uv_close (uv_handle_t *handle)
{
  Wait wait = { 0 };

  g_return_if_fail (handle != NULL && !uv_is_closing (handle));

  wait.waker = tractor_waker_new ();
  handle->data = &wait;
  uv_close (handle, on_closed);
  tractor_waker_wait (wait.waker, NULL, NULL, NULL);
  tractor_waker_free (wait.waker);
}
