/* tractor-uv-await.h - what a task may wait for on its uv_loop_t.
 *
 * Each function starts something of libuv's on the loop that the task runs on, and waits for its
 * callback. What else reports by a callback is waited for in the same way by hand, with a TractorWaker: its
 * callback wakes. Timers are tractor_sleep_until().
 *
 * Where libuv can take something back, a cancelled task does so. Where it cannot, the header says what
 * happens. A handle on which a task waits is closed by tractor_uv_close(), which tells that task; of uv_close()
 * libuv tells it nothing, so before that the task's scope is to be cancelled. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-uv.h"

G_BEGIN_DECLS

/**
 * TractorUvFsFunc:
 * @callback: for the function of uv_fs_* that it calls
 *
 * Returns: what that has returned.
 */
typedef int (*TractorUvFsFunc) (uv_loop_t *loop,
                                uv_fs_t *request,
                                uv_fs_cb callback,
                                gpointer data);

/**
 * tractor_uv_fs:
 * @start: calls one of uv_fs_open(), uv_fs_read(), ...
 * @ret_request: (out caller-allocates): what came of it; on TRUE to be cleared by uv_fs_req_cleanup()
 *
 * A file operation, in a thread of libuv's pool. Its @data member is not the program's meanwhile. Cancelled
 * before a thread has taken it, it does not happen; after that the wait goes on until it has, and says so.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED, a G_FILE_ERROR, or MISUSE on another host.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_uv_fs (TractorUvFsFunc start,
                                    gpointer data,
                                    uv_fs_t *ret_request,
                                    GError **error);

/**
 * tractor_uv_getaddrinfo:
 * @node: (nullable)
 * @service: (nullable)
 * @hints: (nullable)
 * @ret_addresses: (out) (transfer full): to be freed by uv_freeaddrinfo()
 *
 * Looks up a name, as tractor_uv_fs() in a thread.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED, G_FILE_ERROR_FAILED if there is no such name, or
 *   MISUSE on another host.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_uv_getaddrinfo (const char *node,
                                             const char *service,
                                             const struct addrinfo *hints,
                                             struct addrinfo **ret_addresses,
                                             GError **error);

/**
 * tractor_uv_work:
 * @work: called in a thread of libuv's pool, where no function of this library may be called
 *
 * Work that blocks or computes. Cancelled before a thread has taken it, it does not happen; after that the
 * wait goes on until it has.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED, and then @work has not been called; or MISUSE on
 *   another host.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_uv_work (void (*work) (gpointer data), gpointer data, GError **error);

/**
 * tractor_uv_read:
 * @stream: that nobody else reads; its data member is not the program's meanwhile
 * @bytes: (out caller-allocates) (array length=size)
 * @ret_length: (out): 0 at the end of the stream
 *
 * Reads what comes next, at most @size bytes.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED, and then nothing has been read; CLOSED if @stream is
 *   closed; a G_FILE_ERROR; or MISUSE on another host.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_uv_read (
    uv_stream_t *stream, gpointer bytes, gsize size, gsize *ret_length, GError **error);

/**
 * tractor_uv_write:
 * @bytes: (array length=length): copied
 *
 * Writes all of it, after what was written before. libuv takes no write back: after CANCELLED it is still
 * written, unless the stream is closed, and nobody hears how that went.
 *
 * Returns: TRUE when it has been handed to the system; or FALSE with @error set to CANCELLED, CLOSED
 *   if @stream is closed, G_FILE_ERROR_PIPE if nobody reads there any more (without a SIGPIPE: tractor-uv.h), another
 *   G_FILE_ERROR, or MISUSE on another host.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_uv_write (uv_stream_t *stream,
                                       gconstpointer bytes,
                                       gsize length,
                                       GError **error);

/**
 * tractor_uv_listen:
 * @server: bound to an address; its data member is not the program's any more
 * @backlog: how many connections may wait for tractor_uv_accept() in the system
 *
 * Begins to listen.
 *
 * Returns: TRUE; or FALSE with a G_FILE_ERROR.
 * Suspends: no. Thread: the loop's.
 */
TRACTOR_API gboolean tractor_uv_listen (uv_stream_t *server, int backlog, GError **error);

/**
 * tractor_uv_accept:
 * @server: from tractor_uv_listen()
 * @client: initialised, and not connected
 *
 * Waits for a connection, and makes it that of @client. One task at a time.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED, and then none is lost; CLOSED if @server is closed;
 *   BUSY if another task accepts there; a G_FILE_ERROR; or MISUSE on another host.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_uv_accept (uv_stream_t *server, uv_stream_t *client, GError **error);

/**
 * tractor_uv_receive:
 * @udp: that nobody else receives from; its data member is not the program's meanwhile
 * @bytes: (out caller-allocates) (array length=size)
 * @ret_length: (out): of the datagram, which may be empty
 * @ret_from: (out) (optional): who has sent it
 *
 * Receives a datagram.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED, and then none is lost; CLOSED if @udp is closed;
 *   G_FILE_ERROR_FAILED for one that is longer than @size, which is lost; another G_FILE_ERROR; or MISUSE on
 *   another host.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_uv_receive (uv_udp_t *udp,
                                         gpointer bytes,
                                         gsize size,
                                         gsize *ret_length,
                                         struct sockaddr_storage *ret_from,
                                         GError **error);

/**
 * tractor_uv_send:
 * @bytes: (array length=length): copied
 * @to: (nullable): NULL if @udp is connected
 *
 * Sends a datagram. libuv takes none back: after CANCELLED it is still sent.
 *
 * Returns: TRUE when it has been handed to the system; or FALSE with @error set to CANCELLED, CLOSED if @udp
 *   is closed, a G_FILE_ERROR, or MISUSE on another host.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_uv_send (
    uv_udp_t *udp, gconstpointer bytes, gsize length, const struct sockaddr *to, GError **error);

/**
 * tractor_uv_connect:
 * @tcp: initialised, and not connected
 *
 * Connects. libuv takes that back only by closing @tcp, which is what is left to do with it after CANCELLED.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED, CLOSED if @tcp is closed, a G_FILE_ERROR, or MISUSE on
 *   another host.
 * Suspends: yes, a checkpoint. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_uv_connect (uv_tcp_t *tcp,
                                         const struct sockaddr *address,
                                         GError **error);

/**
 * tractor_uv_close:
 * @handle: its data member is not the program's any more
 *
 * Closes it, and waits until its memory is the program's again, which takes a turn of the loop. A task that
 * waits on it, for what comes of it or until something is done, gets CLOSED.
 *
 * Suspends: yes, but is no cancel point. Thread: guest, in a task.
 */
TRACTOR_API void tractor_uv_close (uv_handle_t *handle);

G_END_DECLS
