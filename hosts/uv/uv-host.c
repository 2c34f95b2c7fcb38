/* uv-host.c - a guest as four libuv handles.
 *
 * A poll handle watches the guest's descriptor. An idle handle runs while the guest has asked for
 * a tick: as long as it is active the loop does not block, but goes on to serve timers and
 * descriptors in each turn, so tasks that are always runnable starve nobody.
 *
 * A tick inside a tick is put off, so in a loop that a task runs on its own stack no other task goes on. If it
 * waits for one, nothing would show it. So a prepare handle, which has its turn before each wait, tells the guest when
 * tasks are held up by that. Meanwhile the guest's descriptor, of which nothing is read, would make that loop spin:
 * so it is not looked at, but for a timer by which the guest comes to say how long that has been.
 *
 * libuv closes handles asynchronously, so the end takes one more turn of the loop: the guest is
 * done, the handles are closed, and only then does the program hear of it.
 *
 * libuv writes without MSG_NOSIGNAL, some of it when the guest is long gone: so SIGPIPE is held back in the
 * loop's thread for good.
 *
 * A program may close the handles, with all others, as it ends. Then no tick comes any more, nothing here touches
 * them, and the guest is ended by tractor_guest_shutdown(), for which no loop is needed. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-uv.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sigpipe.h"
#include "uv-wait.h"

/* How often, in a loop that a task runs, and that holds others up. */
#define LOOK_NESTED_MSEC 250

typedef struct {
  uv_poll_t poll;
  uv_idle_t idle;
  uv_prepare_t prepare;
  uv_timer_t timer;    /* while @is_deaf */
  gboolean is_deaf;    /* @poll is stopped */
  guint n_open;        /* handles */
  GQueue handle_waits; /* of its tasks, for handles of the program's */
  TractorGuest *guest;
  TractorDoneFunc done; /* NULL: attaching failed */
  gpointer done_data;
  GError *error;
} UvHost;

/* --- broken pipes -------------------------------------------------------------------------------- */

static _Thread_local gboolean holds_sigpipe;

static void
hold_sigpipe (void)
{
  holds_sigpipe = holds_sigpipe || sigpipe_hold_back ();
}

static void
release_sigpipe (void)
{
  if (holds_sigpipe)
    sigpipe_release ();
  holds_sigpipe = FALSE;
}

/* --- ticks ----------------------------------------------------------------------------------------- */

static void
on_idle (uv_idle_t *idle)
{
  UvHost *host = idle->data;

  uv_idle_stop (idle);
  tractor_guest_tick (host->guest);
}

/* Whether the loop is being run by a task. */
static gboolean
is_nested (UvHost *host)
{
  return tractor_guest_get_current () == host->guest;
}

static void
on_timer (uv_timer_t *timer)
{
  UvHost *host = timer->data;

  tractor_guest_tick (host->guest); /* it is put off, but not what it says of that */
}

static void
on_readable (uv_poll_t *poll, G_GNUC_UNUSED int status, G_GNUC_UNUSED int events)
{
  UvHost *host = poll->data;

  if (G_UNLIKELY (is_nested (host))) {
    tractor_guest_note_held_up (host->guest);
    host->is_deaf = TRUE;
    uv_poll_stop (poll);
    uv_timer_start (&host->timer, on_timer, LOOK_NESTED_MSEC, LOOK_NESTED_MSEC);
  }
  tractor_guest_tick (
      host->guest); /* if it is put off, it asks for another, which keeps the loop alive */
}

static void
on_prepare (uv_prepare_t *prepare)
{
  UvHost *host = prepare->data;

  if (G_UNLIKELY (is_nested (host))) {
    if (tractor_guest_is_due (host->guest))
      tractor_guest_note_held_up (host->guest);
  } else if (G_UNLIKELY (host->is_deaf)) {
    host->is_deaf = FALSE;
    uv_timer_stop (&host->timer);
    uv_poll_start (&host->poll, UV_READABLE, on_readable); /* as the first time, which it was */
  }
}

static void
schedule (gpointer data, G_GNUC_UNUSED gboolean yielded)
{
  UvHost *host = data;

  if (!uv_is_closing ((uv_handle_t *) &host->idle))
    uv_idle_start (&host->idle, on_idle); /* cannot fail; starting it twice is harmless */
}

static const TractorHostOps ops = {
  .version = TRACTOR_HOST_VERSION,
  .schedule = schedule,
};

static void
handle_is_closed (UvHost *host)
{
  if (--host->n_open > 0)
    return;
  tractor_guest_free (host->guest);
  if (host->done != NULL)
    host->done (host->error, host->done_data);
  g_clear_error (&host->error);
  g_free (host);
}

static void
on_closed (uv_handle_t *handle)
{
  handle_is_closed (handle->data);
}

/* The program may have closed it: then its callback was called, and not ours. */
static void
close_handle (UvHost *host, uv_handle_t *handle)
{
  if (uv_is_closing (handle))
    handle_is_closed (host);
  else
    uv_close (handle, on_closed);
}

static void
close_handles (UvHost *host)
{
  close_handle (host, (uv_handle_t *) &host->idle);
  close_handle (host, (uv_handle_t *) &host->prepare);
  close_handle (host, (uv_handle_t *) &host->timer);
  close_handle (host, (uv_handle_t *) &host->poll);
}

static void
on_done (const GError *error, gpointer data)
{
  UvHost *host = data;

  host->error = error != NULL ? g_error_copy (error) : NULL;
  close_handles (host);
}

static gboolean
set_uv_error (GError **error, int result)
{
  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (-result),
               "cannot attach to the libuv loop: %s", uv_strerror (result));
  return FALSE;
}

TractorGuest *
tractor_uv_attach (uv_loop_t *loop,
                   TractorTaskFunc main,
                   gpointer data,
                   TractorDoneFunc done,
                   gpointer done_data,
                   GError **error)
{
  UvHost *host;
  int result;

  if (!tractor_error_check_given (loop, "loop", error))
    return NULL;

  host = g_new0 (UvHost, 1);
  uv_idle_init (loop, &host->idle); /* never fails; needed at once, for schedule() */
  host->idle.data = host;
  host->n_open = 1;
  host->guest = tractor_guest_new (&ops, host, main, data, on_done, host, error);
  if (host->guest == NULL) {
    uv_close ((uv_handle_t *) &host->idle, on_closed);
    return NULL;
  }

  uv_prepare_init (loop, &host->prepare); /* neither fails */
  uv_prepare_start (&host->prepare, on_prepare);
  uv_unref ((uv_handle_t *) &host->prepare); /* it keeps no loop alive */
  host->prepare.data = host;
  uv_timer_init (loop, &host->timer);
  uv_unref ((uv_handle_t *) &host->timer);
  host->timer.data = host;
  host->n_open = 3;
  result = uv_poll_init (loop, &host->poll, tractor_guest_get_fd (host->guest));
  if (result == 0) {
    host->poll.data = host;
    host->n_open = 4;
    result = uv_poll_start (&host->poll, UV_READABLE, on_readable);
  }
  if (result != 0) {
    set_uv_error (error, result);
    uv_close ((uv_handle_t *) &host->idle, on_closed);
    uv_close ((uv_handle_t *) &host->prepare, on_closed);
    uv_close ((uv_handle_t *) &host->timer, on_closed);
    if (host->n_open == 4)
      uv_close ((uv_handle_t *) &host->poll, on_closed);
    return NULL;
  }
  hold_sigpipe ();

  host->done = done;
  host->done_data = done_data;
  return host->guest;
}

static UvHost *
get_host (TractorGuest *guest)
{
  return guest != NULL ? tractor_guest_get_host (guest, &ops) : NULL;
}

void
tractor_uv_set_ref (TractorGuest *guest, gboolean ref)
{
  UvHost *host = get_host (guest);

  g_return_if_fail (host != NULL);

  /* The idle handle is active only while there is something to do: that keeps its claim. */
  if (ref)
    uv_ref ((uv_handle_t *) &host->poll);
  else
    uv_unref ((uv_handle_t *) &host->poll);
}

gboolean
tractor_uv_owns_handle (TractorGuest *guest, const uv_handle_t *handle)
{
  UvHost *host = get_host (guest);

  g_return_val_if_fail (host != NULL, FALSE);

  return handle == (const uv_handle_t *) &host->poll ||
         handle == (const uv_handle_t *) &host->idle ||
         handle == (const uv_handle_t *) &host->prepare ||
         handle == (const uv_handle_t *) &host->timer;
}

uv_loop_t *
tractor_uv_get_loop (void)
{
  UvHost *host = get_host (tractor_guest_get_current ());

  return host != NULL ? host->poll.loop : NULL;
}

GQueue *
tractor__uv_get_handle_waits (void)
{
  return &get_host (tractor_guest_get_current ())->handle_waits;
}

/* libuv makes sure with an assertion that it never closes one of the first three descriptors, also if the program has
 * none there and the loop's own have landed there. So these places are taken for as long as there is a loop of ours, in whatever thread. */
static pthread_mutex_t stdio_lock =
    PTHREAD_MUTEX_INITIALIZER; /* which ThreadSanitizer knows, unlike GLib's */
static guint n_loops;
static gboolean is_taken[STDERR_FILENO + 1];

/* Returns: 0, or a negative errno. */
static int
take_stdio_places (void)
{
  int problem = 0;
  int fd;

  pthread_mutex_lock (&stdio_lock);
  n_loops++;
  while ((fd = open ("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && fd <= STDERR_FILENO)
    is_taken[fd] = TRUE;
  if (fd >= 0)
    close (fd);
  else
    problem = -errno;
  pthread_mutex_unlock (&stdio_lock);
  return problem;
}

/* But not what the program has put in the place of one meanwhile, such as by dup2(). */
static gboolean
is_placeholder (int fd)
{
  struct stat null;
  struct stat here;

  return (fcntl (fd, F_GETFD) & FD_CLOEXEC) != 0 && stat ("/dev/null", &null) == 0 &&
         fstat (fd, &here) == 0 && S_ISCHR (here.st_mode) && here.st_rdev == null.st_rdev;
}

static void
leave_stdio_places (void)
{
  pthread_mutex_lock (&stdio_lock);
  n_loops--;
  for (int fd = 0; n_loops == 0 && fd <= STDERR_FILENO; fd++) {
    if (is_taken[fd] && is_placeholder (fd))
      close (fd);
    is_taken[fd] = FALSE;
  }
  pthread_mutex_unlock (&stdio_lock);
}

typedef struct {
  GError *error;
} Run;

static void
on_run_done (const GError *error, gpointer data)
{
  Run *run = data;

  run->error = error != NULL ? g_error_copy (error) : NULL;
}

static gboolean
run_loop (TractorTaskFunc main, gpointer data, GError **error)
{
  Run run = { 0 };
  uv_loop_t loop;
  gboolean held_sigpipe = holds_sigpipe;
  int result = uv_loop_init (&loop);
  gboolean attached;

  if (result != 0)
    return set_uv_error (error, result);

  attached = tractor_uv_attach (&loop, main, data, on_run_done, &run, error) != NULL;
  uv_run (&loop, UV_RUN_DEFAULT); /* also closes what a failed attempt left */
  result = uv_loop_close (&loop);
  g_assert (result == 0);
  if (!held_sigpipe) /* nothing of the loop is left that could write */
    release_sigpipe ();

  if (attached && run.error != NULL)
    g_propagate_error (error, run.error);
  return attached && run.error == NULL;
}

gboolean
tractor_uv_run (TractorTaskFunc main, gpointer data, GError **error)
{
  int result = take_stdio_places ();
  gboolean ok = result == 0 ? run_loop (main, data, error) : set_uv_error (error, result);

  leave_stdio_places ();
  return ok;
}
