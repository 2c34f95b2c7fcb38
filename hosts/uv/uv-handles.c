/* uv-handles.c - tasks that wait for libuv's handles: streams, listeners, datagrams.
 *
 * A wait is a TractorWaker that libuv's callback wakes. What tells the waits apart is what can be taken
 * back:
 *
 *    reading, receiving, accepting        libuv is told to stop, and no callback comes any more
 *    writing, sending, connecting         nothing: the request lies on the heap, and is left behind
 *
 * The first kind uses the handle's data member, and is in a list of the loop's: so tractor_uv_close() finds
 * whoever waits on a handle, whom libuv would tell nothing. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "tractor-uv-await.h"
#include "uv-wait.h"

/* --- what comes of a handle ---------------------------------------------------------------------- */

typedef struct {
  UvWait wait; /* first */
  uv_handle_t *handle;
  void (*stop) (uv_handle_t *handle); /* (nullable) */
  gpointer data_before;               /* of the handle */
  GQueue *waits;                      /* of the loop, by its @link */
  GList link;
  uv_buf_t room;
  gsize length;
  struct sockaddr_storage *ret_from; /* (nullable) */
} Incoming;

/* Nobody waits on it any more. */
static void
incoming_end (Incoming *incoming)
{
  if (incoming->stop != NULL)
    incoming->stop (incoming->handle);
  incoming->handle->data = incoming->data_before;
  g_queue_unlink (incoming->waits, &incoming->link);
}

static void
incoming_done (Incoming *incoming, gssize n)
{
  incoming_end (incoming);
  incoming->length = n > 0 ? (gsize) n : 0;
  uv_wait_wake (&incoming->wait, n < 0 && n != UV_EOF ? (int) n : 0);
}

static gboolean
take_back (gpointer data)
{
  incoming_end (data);
  return TRUE;
}

static void
incoming_begin (Incoming *incoming)
{
  incoming->data_before = incoming->handle->data;
  incoming->handle->data = incoming;
  incoming->link.data = incoming;
  incoming->waits = tractor__uv_get_handle_waits ();
  g_queue_push_tail_link (incoming->waits, &incoming->link);
}

/* @status: of a wait. Returns: FALSE. */
static gboolean
set_wait_error (GError **error, const char *what, int status)
{
  if (status != UV_ECANCELED)
    return tractor__uv_set_error (error, what, status);
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED, "cannot %s: the handle is being closed",
               what);
  return FALSE;
}

/* @status: of what was started. */
static gboolean
incoming_wait (Incoming *incoming, int status, const char *what, GError **error)
{
  gboolean ok;

  if (status != 0) {
    incoming->stop = NULL;
    incoming_end (incoming);
    return tractor__uv_set_error (error, what, status);
  }
  incoming->wait.waker = tractor_waker_new ();
  ok = tractor_waker_wait (incoming->wait.waker, take_back, incoming, error);
  tractor_waker_free (incoming->wait.waker);
  if (!ok)
    return FALSE;
  return incoming->wait.status == 0 ? TRUE : set_wait_error (error, what, incoming->wait.status);
}

/* Returns: FALSE with @error set if nothing may be begun on the handle. */
static gboolean
check_handle (uv_handle_t *handle, GError **error)
{
  if (tractor__uv_get_loop (error) == NULL || !tractor_checkpoint_if_cancelled (error))
    return FALSE;
  if (!uv_is_closing (handle))
    return TRUE;
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED, "The handle is being closed");
  return FALSE;
}

static void
on_alloc (uv_handle_t *handle, G_GNUC_UNUSED size_t size, uv_buf_t *buffer)
{
  *buffer = ((Incoming *) handle->data)->room;
}

/* --- streams --------------------------------------------------------------------------------------- */

static void
stop_reading (uv_handle_t *handle)
{
  uv_read_stop ((uv_stream_t *) handle);
}

static void
on_read (uv_stream_t *stream, ssize_t n, G_GNUC_UNUSED const uv_buf_t *buffer)
{
  if (n != 0) /* 0: not yet */
    incoming_done (stream->data, n);
}

gboolean
tractor_uv_read (uv_stream_t *stream, gpointer bytes, gsize size, gsize *ret_length, GError **error)
{
  Incoming incoming = { .handle = (uv_handle_t *) stream, .stop = stop_reading };

  if (!tractor_error_check_given (stream, "stream", error) ||
      !tractor_error_check_given (size > 0 ? bytes : NULL, "room for bytes", error) ||
      !tractor_error_check_given (ret_length, "place for the length", error))
    return FALSE;
  if (!check_handle (incoming.handle, error))
    return FALSE;
  incoming.room = uv_buf_init (bytes, (unsigned) MIN (size, G_MAXINT));
  incoming_begin (&incoming);
  if (!incoming_wait (&incoming, uv_read_start (stream, on_alloc, on_read), "read", error))
    return FALSE;
  *ret_length = incoming.length;
  return TRUE;
}

/* --- listeners -------------------------------------------------------------------------------------- */

/* One that nobody waits for stays with libuv, which accepts no more until it is taken. */
static void
on_connection (uv_stream_t *server, int status)
{
  if (server->data != NULL)
    incoming_done (server->data, status);
}

gboolean
tractor_uv_listen (uv_stream_t *server, int backlog, GError **error)
{
  int status;

  if (!tractor_error_check_given (server, "server", error))
    return FALSE;

  server->data = NULL;
  status = uv_listen (server, backlog, on_connection);
  return status == 0 ? TRUE : tractor__uv_set_error (error, "listen", status);
}

gboolean
tractor_uv_accept (uv_stream_t *server, uv_stream_t *client, GError **error)
{
  Incoming incoming = { .handle = (uv_handle_t *) server };
  int status;

  if (!tractor_error_check_given (server, "server", error) ||
      !tractor_error_check_given (client, "client", error))
    return FALSE;
  if (!check_handle (incoming.handle, error))
    return FALSE;
  while ((status = uv_accept (server, client)) == UV_EAGAIN) {
    if (server->data != NULL) {
      g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_BUSY,
                           "Another task accepts there already");
      return FALSE;
    }
    incoming_begin (&incoming);
    if (!incoming_wait (&incoming, 0, "accept", error))
      return FALSE;
  }
  if (status != 0)
    return tractor__uv_set_error (error, "accept", status);
  tractor_cancel_shielded_checkpoint (
      NULL); /* who connect one after the other keep nobody waiting */
  return TRUE;
}

/* --- datagrams -------------------------------------------------------------------------------------- */

static void
stop_receiving (uv_handle_t *handle)
{
  uv_udp_recv_stop ((uv_udp_t *) handle);
}

static void
on_datagram (uv_udp_t *udp,
             ssize_t n,
             G_GNUC_UNUSED const uv_buf_t *buffer,
             const struct sockaddr *from,
             unsigned flags)
{
  Incoming *incoming = udp->data;

  if (n == 0 && from == NULL) /* not yet */
    return;
  if (from != NULL && incoming->ret_from != NULL)
    memcpy (incoming->ret_from, from,
            from->sa_family == AF_INET6 ? sizeof (struct sockaddr_in6)
                                        : sizeof (struct sockaddr_in));
  incoming_done (incoming, n >= 0 && (flags & UV_UDP_PARTIAL) != 0 ? UV_EMSGSIZE : n);
}

gboolean
tractor_uv_receive (uv_udp_t *udp,
                    gpointer bytes,
                    gsize size,
                    gsize *ret_length,
                    struct sockaddr_storage *ret_from,
                    GError **error)
{
  Incoming incoming = { .handle = (uv_handle_t *) udp,
                        .stop = stop_receiving,
                        .ret_from = ret_from };

  if (!tractor_error_check_given (udp, "udp", error) ||
      !tractor_error_check_given (size > 0 ? bytes : NULL, "room for bytes", error) ||
      !tractor_error_check_given (ret_length, "place for the length", error))
    return FALSE;
  if (!check_handle (incoming.handle, error))
    return FALSE;
  incoming.room = uv_buf_init (bytes, (unsigned) MIN (size, G_MAXINT));
  incoming_begin (&incoming);
  if (!incoming_wait (&incoming, uv_udp_recv_start (udp, on_alloc, on_datagram), "receive", error))
    return FALSE;
  *ret_length = incoming.length;
  return TRUE;
}

/* --- what cannot be taken back ------------------------------------------------------------------- */

typedef struct {
  UvWait wait; /* first */
  union {
    uv_write_t write;
    uv_connect_t connect;
    uv_udp_send_t send;
  };
  char bytes[];
} Errand;

static Errand *
errand_new (gconstpointer bytes, gsize length)
{
  Errand *errand = g_malloc (sizeof *errand + length);

  errand->wait = (UvWait){ .waker = tractor_waker_new () };
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
    uv_wait_wake (&errand->wait, status);
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

static void
on_sent (uv_udp_send_t *request, int status)
{
  errand_done (request->data, status);
}

/* From now on it is its callback's, which may come before the task runs again. */
static gboolean
leave_behind (gpointer data)
{
  Errand **errand = data;

  (*errand)->wait.waker = NULL;
  *errand = NULL;
  return TRUE;
}

/* @status: of its start. Frees it, now or when its callback comes. */
static gboolean
errand_wait (Errand *errand, int status, const char *what, GError **error)
{
  TractorWaker *waker = errand->wait.waker;
  gboolean ok = status != 0 || tractor_waker_wait (waker, leave_behind, &errand, error);

  tractor_waker_free (waker);
  if (!ok) {
    if (errand != NULL)
      leave_behind (&errand);
    return FALSE;
  }
  if (status == 0)
    status = errand->wait.status;
  g_free (errand);
  return status == 0 ? TRUE : set_wait_error (error, what, status);
}

static gboolean
check_length (gconstpointer bytes, gsize length, GError **error)
{
  if (length > 0 && !tractor_error_check_given (bytes, "bytes", error))
    return FALSE;
  if (length <= G_MAXINT)
    return TRUE;
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                       "That is more than can be written at once");
  return FALSE;
}

gboolean
tractor_uv_write (uv_stream_t *stream, gconstpointer bytes, gsize length, GError **error)
{
  Errand *errand;
  uv_buf_t buffer;

  if (!tractor_error_check_given (stream, "stream", error) || !check_length (bytes, length, error))
    return FALSE;
  if (!check_handle ((uv_handle_t *) stream, error))
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

  if (!tractor_error_check_given (tcp, "tcp", error) ||
      !tractor_error_check_given (address, "address", error))
    return FALSE;
  if (!check_handle ((uv_handle_t *) tcp, error))
    return FALSE;
  errand = errand_new (NULL, 0);
  errand->connect.data = errand;
  return errand_wait (errand, uv_tcp_connect (&errand->connect, tcp, address, on_connected),
                      "connect", error);
}

gboolean
tractor_uv_send (
    uv_udp_t *udp, gconstpointer bytes, gsize length, const struct sockaddr *to, GError **error)
{
  Errand *errand;
  uv_buf_t buffer;

  if (!tractor_error_check_given (udp, "udp", error) || !check_length (bytes, length, error))
    return FALSE;
  if (!check_handle ((uv_handle_t *) udp, error))
    return FALSE;
  errand = errand_new (bytes, length);
  errand->send.data = errand;
  buffer = uv_buf_init (errand->bytes, (unsigned) length);
  return errand_wait (errand, uv_udp_send (&errand->send, udp, &buffer, 1, to, on_sent), "send",
                      error);
}

/* --- closing ----------------------------------------------------------------------------------------- */

/* Tasks that wait for what comes of it get CLOSED. */
static void
end_waits (uv_handle_t *handle)
{
  GQueue *waits = tractor__uv_get_handle_waits ();
  GList *next;

  for (GList *link = waits->head; link != NULL; link = next) {
    Incoming *incoming = link->data;

    next = link->next;
    if (incoming->handle == handle)
      incoming_done (incoming, UV_ECANCELED);
  }
}

static void
on_closed (uv_handle_t *handle)
{
  uv_wait_wake (handle->data, 0);
}

void
tractor_uv_close (uv_handle_t *handle)
{
  UvWait wait = { 0 };

  g_return_if_fail (handle != NULL && !uv_is_closing (handle));
  g_return_if_fail (tractor__uv_get_loop (NULL) != NULL);

  end_waits (handle);
  wait.waker = tractor_waker_new ();
  handle->data = &wait;
  uv_close (handle, on_closed);
  tractor_waker_wait (wait.waker, NULL, NULL, NULL);
  tractor_waker_free (wait.waker);
}
