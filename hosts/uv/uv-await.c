/* uv-await.c - tasks that wait for what libuv does in a thread: files, names, work.
 *
 * A wait is a TractorWaker that libuv's callback wakes. uv_cancel() takes a request back until a thread has
 * it; its callback comes anyway, and is waited for, so the request may lie on the task's stack. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-uv-await.h"

#include "uv-wait.h"

gboolean
tractor__uv_set_error (GError **error, const char *what, int status)
{
  GFileError code = status <= UV_EAI_ADDRFAMILY && status >= UV_EAI_SOCKTYPE
                        ? G_FILE_ERROR_FAILED /* netdb's numbers, and not errno's */
                        : g_file_error_from_errno (-status);

  g_set_error (error, G_FILE_ERROR, code, "cannot %s: %s", what, uv_strerror (status));
  return FALSE;
}

uv_loop_t *
tractor__uv_get_loop (GError **error)
{
  uv_loop_t *loop = tractor_uv_get_loop ();

  if (loop == NULL)
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "This task does not run on a libuv loop");
  return loop;
}

/* --- in a thread --------------------------------------------------------------------------------- */

static gboolean
try_to_cancel (gpointer data)
{
  UvWait *wait = data;

  uv_cancel (wait->request); /* it says whether by the callback */
  return FALSE;
}

/* @status: of what was started with @wait. */
static gboolean
wait_for_thread (UvWait *wait, int status, const char *what, GError **error)
{
  if (status == 0) {
    tractor_waker_wait (wait->waker, try_to_cancel, wait, NULL);
    status = wait->status;
  }
  g_clear_pointer (&wait->waker, tractor_waker_free);
  if (status == UV_ECANCELED && !tractor_checkpoint_if_cancelled (error))
    return FALSE;
  return status < 0 ? tractor__uv_set_error (error, what, status) : TRUE;
}

static void
on_fs (uv_fs_t *request)
{
  uv_wait_wake (request->data, request->result < 0 ? (int) request->result : 0);
}

gboolean
tractor_uv_fs (TractorUvFsFunc start, gpointer data, uv_fs_t *ret_request, GError **error)
{
  uv_loop_t *loop = tractor__uv_get_loop (error);
  UvWait wait = { .request = ret_request };

  if (!tractor_error_check_given ((gconstpointer) start, "function", error) ||
      !tractor_error_check_given (ret_request, "request", error))
    return FALSE;
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
  uv_wait_wake (request->data, status == UV_EAI_CANCELED ? UV_ECANCELED : status);
}

gboolean
tractor_uv_getaddrinfo (const char *node,
                        const char *service,
                        const struct addrinfo *hints,
                        struct addrinfo **ret_addresses,
                        GError **error)
{
  uv_loop_t *loop = tractor__uv_get_loop (error);
  uv_getaddrinfo_t request;
  UvWait wait = { .request = &request };

  if (!tractor_error_check_given (ret_addresses, "place for the addresses", error))
    return FALSE;
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
  uv_wait_wake (request->data, status);
}

gboolean
tractor_uv_work (void (*work) (gpointer data), gpointer data, GError **error)
{
  uv_loop_t *loop = tractor__uv_get_loop (error);
  Work what = { .work = work, .data = data };
  UvWait wait = { .request = &what.request };

  if (!tractor_error_check_given ((gconstpointer) work, "function", error))
    return FALSE;
  if (loop == NULL || !tractor_checkpoint_if_cancelled (error))
    return FALSE;
  wait.waker = tractor_waker_new ();
  what.request.data = &wait;
  return wait_for_thread (&wait, uv_queue_work (loop, &what.request, run_work, on_worked),
                          "have something worked on", error);
}
