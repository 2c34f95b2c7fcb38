/* victim.c - a program to be looked at from a debugger: tasks in each kind of wait, and an actor.
 *
 *   victim HOST waits          a task in each kind of wait, some cancelled, some shielded; an actor "kid"
 *   victim HOST many N         N tasks that sleep, and two dozen that do so in frames of different sizes
 *   victim HOST nested         a task below a loop that another one runs on its stack: GLib's only
 *   victim HOST guests         another guest in another thread
 *
 * It says "ready" once all wait. Then it does what it reads, a letter each: s: stands in stand_here() and says "stood";
 * w: wakes the task that waits for the event; c: crashes; e: ends.
 *
 * Functions that a debugger is to find are not inlined, and what it is to read is kept in memory. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <alloca.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tractor-builtin.h"
#include "tractor-channel.h"
#include "tractor-glib.h"
#include "tractor-signal.h"
#include "tractor-sync.h"
#include "tractor-thread.h"
#include "tractor-uv.h"
#include "tractor.h"

#define MINUTE G_GINT64_CONSTANT (60000000)

static struct {
  TractorEvent *event;
  TractorEvent *may_end;
  TractorLock *lock;
  TractorCondition *condition;
  TractorLock *condition_lock;
  TractorSemaphore *semaphore;
  TractorLimiter *limiter;
  TractorParkingLot *lot;
  TractorWaker *waker;
  TractorSender *sender;
  TractorReceiver *receiver;
  TractorSender *full_sender;
  TractorReceiver *full_receiver;
  int empty_pipe[2];
  int full_pipe[2];
  int thread_pipe[2];
  TractorPortal *kid;
  GMainLoop *loop;
  int n_many;
  int is_there; /* the other guest's task */
} it;

/* --- one task for each wait -------------------------------------------------------------------- */

static G_NO_INLINE gboolean
wait_for_event (G_GNUC_UNUSED gpointer data, GError **error)
{
  volatile int answer = 42;

  while (tractor_event_wait (it.event, error)) {
    tractor_event_free (it.event);
    it.event = tractor_event_new ();
    answer++;
  }
  return FALSE;
}

static gboolean
sleep_long (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_sleep_until (tractor_now () + 90 * MINUTE, error);
}

static gboolean
sleep_for_ever (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static gboolean
send_to_full (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_sender_send (it.full_sender, GINT_TO_POINTER (1), error);
}

static gboolean
receive_from_empty (G_GNUC_UNUSED gpointer data, GError **error)
{
  gpointer item;

  return tractor_receiver_receive (it.receiver, &item, error);
}

static gboolean
read_pipe (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_wait_fd (it.empty_pipe[0], G_IO_IN, NULL, error);
}

static gboolean
write_pipe (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_wait_fd (it.full_pipe[1], G_IO_OUT, NULL, error);
}

static gboolean
block_thread (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  char byte;

  return read (it.thread_pipe[0], &byte, 1) >= 0;
}

static gboolean
wait_for_thread (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_to_thread (block_thread, NULL, NULL, TRACTOR_THREAD_WAIT, NULL, error);
}

static gboolean
take_lock (G_GNUC_UNUSED gpointer data, GError **error)
{
  if (!tractor_lock_acquire (it.lock, error))
    return FALSE;
  tractor_lock_release (it.lock);
  return TRUE;
}

static gboolean
wait_for_condition (G_GNUC_UNUSED gpointer data, GError **error)
{
  gboolean ok;

  if (!tractor_lock_acquire (it.condition_lock, error))
    return FALSE;
  ok = tractor_condition_wait (it.condition, error);
  tractor_lock_release (it.condition_lock);
  return ok;
}

static gboolean
take_semaphore (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_semaphore_acquire (it.semaphore, error);
}

static gboolean
take_token (G_GNUC_UNUSED gpointer data, GError **error)
{
  if (!tractor_limiter_acquire (it.limiter, NULL, error))
    return FALSE;
  return tractor_limiter_release (it.limiter, NULL, error);
}

static gboolean
park (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_parking_lot_park (it.lot, error);
}

static gboolean
take_back (G_GNUC_UNUSED gpointer data)
{
  return TRUE;
}

static gboolean
wait_for_waker (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_waker_wait (it.waker, take_back, NULL, error);
}

static gboolean
wait_for_signal (G_GNUC_UNUSED gpointer data, GError **error)
{
  const int signals[] = { SIGUSR2 };
  g_autoptr (TractorSignalReceiver) receiver =
      tractor_signal_receiver_open (signals, G_N_ELEMENTS (signals), error);
  int number;

  return receiver != NULL && tractor_signal_receiver_receive (receiver, &number, error);
}

/* A child in its nursery, which is below it in the tree. */
static gboolean
wait_for_children (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  if (!tractor_nursery_spawn (nursery, "grandchild", sleep_for_ever, NULL, NULL, error))
    return FALSE;
  return tractor_nursery_join (nursery, error);
}

static gboolean
sleep_in_time (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) outer = tractor_cancel_scope_open (tractor_now () + 20 * MINUTE);
  g_autoptr (TractorCancelScope) inner = tractor_cancel_scope_open (tractor_now () + 30 * MINUTE);

  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static gboolean
wait_shielded (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (tractor_now () + 10 * MINUTE);

  tractor_cancel_scope_set_shield (shield, TRUE);
  tractor_event_wait (it.may_end, error);
  return tractor_cancel_scope_absorb (shield, error);
}

/* Is cancelled, and waits for a child that cleans up behind a shield. */
static gboolean
be_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  if (!tractor_nursery_spawn (nursery, "cleaner", wait_shielded, NULL, NULL, error))
    return FALSE;
  tractor_cancel_scope_cancel (scope, "the user said so");
  return tractor_nursery_join (nursery, error);
}

static gboolean
call_kid (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (GVariant) result = NULL;

  return tractor_portal_call (it.kid, "victim:nap", NULL, &result, error);
}

/* Runs in the kid. */
static gboolean
nap (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  volatile int dream = 7;

  dream++;
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static gboolean
be_started (TractorTaskStatus *status, G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_task_started (status, NULL, error) &&
         tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static const struct {
  const char *name;
  TractorTaskFunc func;
} waits[] = {
  { "event", wait_for_event },
  { "sleeper", sleep_long },
  { "eternal", sleep_for_ever },
  { "sender", send_to_full },
  { "receiver", receive_from_empty },
  { "reader", read_pipe },
  { "writer", write_pipe },
  { "thread", wait_for_thread },
  { "lock", take_lock },
  { "condition", wait_for_condition },
  { "semaphore", take_semaphore },
  { "limiter", take_token },
  { "lot", park },
  { "waker", wait_for_waker },
  { "signal", wait_for_signal },
  { "parent", wait_for_children },
  { "timed", sleep_in_time },
  { "shielded", wait_shielded },
  { "doomed", be_cancelled },
  { "caller", call_kid },
  { "two words", sleep_for_ever },
};

static void
fill (int fd)
{
  char bytes[4096] = { 0 };

  fcntl (fd, F_SETFL, O_NONBLOCK);
  while (write (fd, bytes, sizeof bytes) > 0)
    ;
}

static void
make_things (void)
{
  it.event = tractor_event_new ();
  it.may_end = tractor_event_new ();
  tractor_event_set_static_name (it.may_end, "permission to end");
  it.lock = tractor_lock_new ();
  it.condition_lock = tractor_lock_new ();
  it.condition = tractor_condition_new (it.condition_lock);
  it.semaphore = tractor_semaphore_new (0, 1);
  it.limiter = tractor_limiter_new (1);
  it.lot = tractor_parking_lot_new ();
  tractor_parking_lot_set_static_name (it.lot, "a place");
  it.waker = tractor_waker_new ();
  tractor_channel_open (1, NULL, &it.sender, &it.receiver);
  tractor_channel_open (1, NULL, &it.full_sender, &it.full_receiver);
  if (pipe (it.empty_pipe) != 0 || pipe (it.full_pipe) != 0 || pipe (it.thread_pipe) != 0)
    exit (EXIT_FAILURE);
  fill (it.full_pipe[1]);
}

/* --- what it is told to do --------------------------------------------------------------------- */

static G_NO_INLINE int
twice (volatile int number)
{
  return number * 2;
}

static inline __attribute__ ((always_inline)) int
add_inlined (int number)
{
  volatile int sum = number + 1;

  return sum; /* and here, in a function that has no frame of its own */
}

static G_NO_INLINE int
stand_here (int argument)
{
  volatile int local = twice (argument);

  local = add_inlined (local) - 1;

  return local; /* the debugger stops in here */
}

static G_NO_INLINE void
crash (volatile int *nowhere)
{
  *nowhere = 1;
}

static void
say (const char *text)
{
  puts (text);
  fflush (stdout);
}

static gboolean
obey (GError **error)
{
  char order;

  say ("ready");
  for (;;) {
    if (!tractor_wait_fd (0, G_IO_IN, NULL, error))
      return FALSE;
    if (read (0, &order, 1) != 1)
      return TRUE;
    switch (order) {
    case 's':
      stand_here (21);
      say ("stood");
      break;
    case 'w':
      tractor_event_set (it.event);
      break;
    case 'c':
      crash (NULL);
      break;
    case 'e':
      return TRUE;
    default:
      break;
    }
  }
}

/* --- modes ------------------------------------------------------------------------------------- */

static gboolean
run_waits (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = NULL;
  g_autoptr (TractorNursery) nursery = NULL;
  gboolean ok;

  make_things ();
  actors = tractor_actor_nursery_open (error);
  if (actors == NULL)
    return FALSE;
  it.kid = tractor_actor_nursery_start (actors, "kid", NULL, error);
  if (it.kid == NULL)
    return FALSE;

  nursery = tractor_nursery_open ();
  if (!tractor_lock_acquire (it.lock, error) ||
      !tractor_limiter_acquire (it.limiter, NULL, error) ||
      !tractor_sender_send (it.full_sender, NULL, error))
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (waits); i++)
    if (!tractor_nursery_spawn (nursery, waits[i].name, waits[i].func, NULL, NULL, error))
      return FALSE;
  if (!tractor_nursery_start (nursery, "started", be_started, NULL, NULL, NULL, error) ||
      !tractor_wait_all_tasks_blocked (0, error))
    return FALSE;

  ok = obey (error);
  tractor_lock_release (it.lock);
  tractor_limiter_release (it.limiter, NULL, NULL);
  tractor_event_set (it.may_end);
  close (it.thread_pipe[1]);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  ok = tractor_nursery_join (nursery, error) && ok;
  tractor_portal_unref (it.kid);
  tractor_actor_nursery_cancel (actors);
  return tractor_actor_nursery_join (actors, error) && ok;
}

static G_NO_INLINE gboolean
sleep_in_room (gsize bytes, GError **error)
{
  volatile char *room = alloca (bytes);
  gboolean ok;

  room[0] = 0;
  ok = tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
  return ok && room[0] == 0;
}

static G_NO_INLINE gboolean
use_small_room (gpointer data, GError **error)
{
  gboolean ok = sleep_in_room (64 + 32 * (gsize) GPOINTER_TO_UINT (data), error);

  return ok || *error != NULL; /* so that it is no tail call */
}

static G_NO_INLINE gboolean
use_large_room (gpointer data, GError **error)
{
  gboolean ok = sleep_in_room (4096 + 32 * (gsize) GPOINTER_TO_UINT (data), error);

  return ok || *error == NULL;
}

static gboolean
run_many (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  gboolean ok;

  for (int i = 0; i < it.n_many; i++)
    if (!tractor_nursery_spawn (nursery, "worker", sleep_for_ever, NULL, NULL, error))
      return FALSE;
  for (guint i = 0; i < 24; i++)
    if (!tractor_nursery_spawn (nursery, "roomy", i % 3 == 0 ? use_large_room : use_small_room,
                                GUINT_TO_POINTER (i), NULL, error))
      return FALSE;
  if (!tractor_wait_all_tasks_blocked (0, error))
    return FALSE;
  ok = obey (error);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  return tractor_nursery_join (nursery, error) && ok;
}

static G_NO_INLINE gboolean
run_loop (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  volatile int depth = 1;

  g_main_loop_run (it.loop);
  return depth == 1;
}

static gboolean
run_nested (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  gboolean ok;

  it.loop = g_main_loop_new (g_main_context_get_thread_default (), FALSE);
  if (!tractor_nursery_spawn (nursery, "below", run_loop, NULL, NULL, error))
    return FALSE;
  while (!g_main_loop_is_running (it.loop))
    if (!tractor_checkpoint (error))
      return FALSE;
  ok = obey (error);
  g_main_loop_quit (it.loop);
  return tractor_nursery_join (nursery, error) && ok;
}

static gboolean
read_in_thread (G_GNUC_UNUSED gpointer data, GError **error)
{
  volatile int there = 99;

  return tractor_wait_fd (it.thread_pipe[0], G_IO_IN, NULL, error) && there == 99;
}

static gboolean
run_in_thread (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  if (!tractor_nursery_spawn (nursery, "there", read_in_thread, NULL, NULL, error) ||
      !tractor_wait_all_tasks_blocked (0, error))
    return FALSE;
  g_atomic_int_set (&it.is_there, TRUE);
  return tractor_nursery_join (nursery, error);
}

static gboolean
run_guest (gpointer data, GError **error)
{
  return tractor_run (run_in_thread, data, error);
}

static gboolean
wait_for_guest (gpointer data, GError **error)
{
  return tractor_to_thread (run_guest, data, NULL, TRACTOR_THREAD_WAIT, NULL, error);
}

static gboolean
run_guests (gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  gboolean ok;

  if (pipe (it.thread_pipe) != 0 ||
      !tractor_nursery_spawn (nursery, "here", wait_for_guest, data, NULL, error))
    return FALSE;
  while (!g_atomic_int_get (&it.is_there))
    if (!tractor_checkpoint (error))
      return FALSE;
  ok = obey (error);
  close (it.thread_pipe[1]);
  return tractor_nursery_join (nursery, error) && ok;
}

int
main (int argc, char **argv)
{
  static const TractorExport exports[] = { { "nap", TRACTOR_EXPORT_CALL, .call = nap }, { 0 } };
  static const TractorModule modules[] = { { "victim", exports }, { 0 } };
  static const TractorRunner runners[] = {
    { "builtin", tractor_run }, { "glib", tractor_glib_run }, { "uv", tractor_uv_run }, { 0 }
  };
  const TractorRunner *runner = runners;
  g_autoptr (GError) error = NULL;
  TractorTaskFunc func;
  int status;

  prctl (PR_SET_PTRACER,
         PR_SET_PTRACER_ANY); /* gdb is none of its parents; where the kernel asks for that */
  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  while (argc > 2 && runner->name != NULL && strcmp (runner->name, argv[1]) != 0)
    runner++;
  if (argc < 3 || runner->name == NULL) {
    g_printerr ("Usage: victim builtin|glib|uv waits|many N|nested|guests\n");
    return 2;
  }
  func = strcmp (argv[2], "many") == 0     ? run_many
         : strcmp (argv[2], "nested") == 0 ? run_nested
         : strcmp (argv[2], "guests") == 0 ? run_guests
                                           : run_waits;
  it.n_many = argc > 3 ? atoi (argv[3]) : 0;
  if (!runner->run (func, NULL, &error)) {
    g_printerr ("%s\n", error->message);
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
