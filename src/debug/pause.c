/* pause.c - stopping on purpose, in a task or anywhere else.
 *
 * A task waits for its turn as for anything; whoever is no task, or may not suspend where it is, blocks its thread. Then
 * the thread is stopped in either case (debug-lock.c), and the debugger finishes these functions before it shows
 * anything, so that one stands where the call was: they are not inlined, and have nothing to do that takes long after
 * the stop. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-debugger.h"

#include <string.h>
#include <unistd.h>

#include "actor-trace.h"
#include "debug-lock.h"
#include "tractor-sync.h"

static void
say_that_it_is_off (void)
{
  static gsize is_said;
  const char *asked = g_getenv ("TRACTOR_DEBUG");

  if (!g_once_init_enter (&is_said))
    return;
  g_printerr (
      "tractor: tractor_pause() goes on at once: %s\n",
      asked != NULL && *asked != '\0' && strcmp (asked, "0") != 0 &&
              tractor__debug_get_prefix () == NULL
          ? "debug mode begins with the runtime of actors, and none is open: tractor_runtime_open()"
          : "debug mode is off. TRACTOR_DEBUG=1 in the environment of the program turns it on");
  g_once_init_leave (&is_said, 1);
}

/* A task may suspend here. Returns: FALSE with CANCELLED, before it is its turn. */
static gboolean
wait_for_turn (int fd, gboolean is_shielded, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (scope, is_shielded);
  return tractor_wait_fd (fd, G_IO_IN, NULL, error);
}

static GError *
new_quit_error (void)
{
  return g_error_new_literal (TRACTOR_ERROR, TRACTOR_ERROR_DEBUG_QUIT, "Quit in the debugger");
}

/* For a debugger, which may make our call fail after it has returned: it takes this away then. */
static GError *quit_error;

static void
make_quit_error (void)
{
  GError *made;

  if (g_atomic_pointer_get (&quit_error) != NULL)
    return;
  made = new_quit_error ();
  if (!g_atomic_pointer_compare_and_exchange (&quit_error, NULL, made))
    g_error_free (made); /* another thread has */
}

/* Waits for its turn, on @fd, which is closed if it is cancelled meanwhile. Returns: FALSE with CANCELLED. */
static gboolean
wait_here (int fd, gboolean is_shielded, GError **error)
{
  if (!tractor_in_task () || wait_for_turn (fd, is_shielded, error))
    return TRUE;
  close (fd);
  g_prefix_error (
      error, "tractor_pause() in what is cancelled; tractor_pause_shielded() stops there too: ");
  return FALSE;
}

/* Returns: FALSE with CANCELLED. */
static gboolean
stop_in_turn (const TractorDebugStop *stop,
              gboolean is_shielded,
              TractorDebugVerdict *ret_verdict,
              GError **error)
{
  gboolean ok = TRUE;
  gboolean was_used;
  int fd;

  do {
    fd = tractor__debug_ask (TRACTOR_DEBUG_STOP_PAUSE, 0);
    if (fd < 0)
      return TRUE; /* pauses were not asked for; or the broker is going, and debug mode with it */
    trace_note (TRACTOR_TRACE_PAUSED, 0, NULL);
    ok = wait_here (fd, is_shielded, error);
    was_used = !ok || tractor__debug_stop (fd, stop, ret_verdict);
    trace_note (TRACTOR_TRACE_RESUMED, 0, NULL);
  } while (!was_used);
  return ok;
}

static TractorDebugVerdict
stop_at_trap (const TractorDebugStop *stop)
{
  TractorDebugVerdict verdict;

  trace_note (TRACTOR_TRACE_PAUSED, 0, NULL);
  verdict = tractor__debug_trap (stop);
  trace_note (TRACTOR_TRACE_RESUMED, 0, NULL);
  return verdict;
}

static gboolean
stop_here (gboolean is_shielded, GError **error)
{
  const TractorDebugStop stop = { .kind = TRACTOR_DEBUG_STOP_PAUSE,
                                  .error_at = error,
                                  .quit_error_at = &quit_error };
  TractorDebugVerdict verdict = TRACTOR_DEBUG_CONTINUE;
  gboolean ok = TRUE;

  if (!tractor__debug_is_on ()) {
    say_that_it_is_off ();
    return TRUE;
  }
  make_quit_error ();
  if (tractor__debug_has_lock ())
    verdict = stop_at_trap (&stop);
  else
    ok = stop_in_turn (&stop, is_shielded, &verdict, error);
  if (!ok || verdict == TRACTOR_DEBUG_CONTINUE)
    return ok;
  g_propagate_error (error, new_quit_error ());
  return FALSE;
}

/* A call that is the last thing in a function may leave nothing of that function on the stack. */
#define KEEP_OUR_FRAME() __asm__ volatile("" ::: "memory")

G_NO_INLINE gboolean
tractor_pause (GError **error)
{
  gboolean ok = stop_here (FALSE, error);

  KEEP_OUR_FRAME ();
  return ok;
}

G_NO_INLINE gboolean
tractor_pause_shielded (GError **error)
{
  gboolean ok = stop_here (TRUE, error);

  KEEP_OUR_FRAME ();
  return ok;
}

G_NO_INLINE void
tractor_post_mortem (const GError *failure)
{
  g_return_if_fail (failure != NULL);

  tractor__debug_stop_for_error (failure);
}

gboolean
tractor_debug_is_on (void)
{
  return tractor__debug_is_on ();
}
