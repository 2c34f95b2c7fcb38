/* test-schedules.c - cancel against wakeup, in every order.
 *
 * Some tasks try to get something, one provides it bit by bit, and one cancels half of them, each
 * step in an order drawn from a seed. Whatever the order, nothing is lost and nothing is there twice:
 * a task that was told CANCELLED has nothing, and one that was not has what it wanted.
 *
 * The clock is a number that the one who provides counts up, so deadlines race too.
 *
 * Two thousand seeds for each primitive, and a quarter of them where a sanitizer looks at each; TRACTOR_SCHEDULES=1000000 in the environment tries more, with
 * TRACTOR_TEST_SECONDS=1000 so that the harness waits for it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "tractor-cache.h"
#include "tractor-channel.h"
#include "tractor-sync.h"

#define N_RACERS 6

typedef struct _Race Race;

/* One primitive: how to get it and how to provide it. */
typedef struct {
  void (*begin) (Race *race);
  gboolean (*get) (Race *race, guint mine, GError **error); /* TRUE, or FALSE with CANCELLED */
  void (*provide) (Race *race, guint n);                    /* called N_RACERS times, */
  gboolean goes_on;                                         /* or until all have ended */
  void (*end) (Race *race); /* checks what is left, with got[] and n_got */
} Primitive;

struct _Race {
  const Primitive *primitive;
  guint64 seed;
  guint64 random; /* drawn from the seed */
  gint64 now;
  gboolean is_scheduled;
  gboolean is_done;
  TractorCancelScope *scopes[N_RACERS];
  gboolean got[N_RACERS];
  guint n_got;
  guint n_cancelled;
  guint next;
  guint n_inside;

  TractorSender *sender;
  TractorReceiver *receiver;
  TractorEvent *event;
  TractorLock *lock;
  TractorSemaphore *semaphore;
  TractorLimiter *limiter;
  TractorNursery *nursery;
  TractorCache *cache;
  guint n_ready;
  guint n_ended;
  gint64 began;
  int fds[N_RACERS][2];
};

/* --- what they race for ------------------------------------------------------------------------------ */

static void
channel_begin (Race *race)
{
  tractor_channel_open (N_RACERS, NULL, &race->sender, &race->receiver);
}

static gboolean
channel_get (Race *race, G_GNUC_UNUSED guint mine, GError **error)
{
  gpointer item;

  return tractor_receiver_receive (race->receiver, &item, error);
}

static void
channel_provide (Race *race, G_GNUC_UNUSED guint n)
{
  g_assert_true (tractor_sender_send_nowait (race->sender, NULL, NULL));
  race->n_inside++; /* items on their way */
}

static void
channel_end (Race *race)
{
  gpointer item;

  race->n_inside -= race->n_got;
  while (tractor_receiver_receive_nowait (race->receiver, &item, NULL))
    race->n_inside--;
  g_assert_cmpuint (race->n_inside, ==, 0);
  tractor_sender_close (race->sender);
  tractor_receiver_close (race->receiver);
}

/* The same channel without room, from the other end: what was sent is received once. */
static void
rendezvous_begin (Race *race)
{
  tractor_channel_open (0, NULL, &race->sender, &race->receiver);
}

static gboolean
rendezvous_get (Race *race, guint mine, GError **error)
{
  return tractor_sender_send (race->sender, GUINT_TO_POINTER (mine + 1), error);
}

static void
rendezvous_provide (Race *race, G_GNUC_UNUSED guint n)
{
  gpointer item;

  if (tractor_receiver_receive_nowait (race->receiver, &item, NULL)) {
    race->n_inside++; /* items that came through */
    g_assert_false (race->got[GPOINTER_TO_UINT (item) - 1]);
  }
}

static void
rendezvous_end (Race *race)
{
  g_assert_cmpuint (race->n_inside, ==, race->n_got);
  tractor_sender_close (race->sender);
  tractor_receiver_close (race->receiver);
}

static void
event_begin (Race *race)
{
  race->event = tractor_event_new ();
}

static gboolean
event_get (Race *race, G_GNUC_UNUSED guint mine, GError **error)
{
  return tractor_event_wait (race->event, error);
}

static void
event_provide (Race *race, guint n)
{
  if (n == 1)
    tractor_event_set (race->event);
}

static void
event_end (Race *race)
{
  tractor_event_free (race->event); /* nobody is left in its line */
}

static void
lock_begin (Race *race)
{
  race->lock = tractor_lock_new ();
}

static gboolean
lock_get (Race *race, G_GNUC_UNUSED guint mine, GError **error)
{
  if (!tractor_lock_acquire (race->lock, error))
    return FALSE;
  g_assert_cmpuint (++race->n_inside, ==, 1);
  tractor_checkpoint (NULL);
  race->n_inside--;
  tractor_lock_release (race->lock);
  return TRUE;
}

static void
provide_nothing (G_GNUC_UNUSED Race *race, G_GNUC_UNUSED guint n)
{
}

static void
lock_end (Race *race)
{
  g_assert_cmpuint (race->n_inside, ==, 0);
  tractor_lock_free (race->lock); /* nobody holds it */
}

static void
semaphore_begin (Race *race)
{
  race->semaphore = tractor_semaphore_new (2, 2);
}

static gboolean
semaphore_get (Race *race, G_GNUC_UNUSED guint mine, GError **error)
{
  if (!tractor_semaphore_acquire (race->semaphore, error))
    return FALSE;
  g_assert_cmpuint (++race->n_inside, <=, 2);
  tractor_checkpoint (NULL);
  race->n_inside--;
  g_assert_true (tractor_semaphore_release (race->semaphore, NULL));
  return TRUE;
}

static void
semaphore_end (Race *race)
{
  g_assert_cmpuint (tractor_semaphore_get_value (race->semaphore), ==, 2);
  tractor_semaphore_free (race->semaphore);
}

static void
limiter_begin (Race *race)
{
  race->limiter = tractor_limiter_new (1);
}

static gboolean
limiter_get (Race *race, G_GNUC_UNUSED guint mine, GError **error)
{
  if (!tractor_limiter_acquire (race->limiter, NULL, error))
    return FALSE;
  g_assert_cmpuint (++race->n_inside, <=, 3);
  tractor_checkpoint (NULL);
  race->n_inside--;
  g_assert_true (tractor_limiter_release (race->limiter, NULL, NULL));
  return TRUE;
}

static void
limiter_provide (Race *race, guint n)
{
  tractor_limiter_set_total (race->limiter, 1 + n % 3);
}

static void
limiter_end (Race *race)
{
  TractorLimiterStatistics left;

  tractor_limiter_get_statistics (race->limiter, &left);
  g_assert_cmpuint (left.n_borrowed + left.n_waiting, ==, 0);
  tractor_limiter_free (race->limiter);
}

static void
begin_nothing (G_GNUC_UNUSED Race *race)
{
}

static gboolean
sleep_get (Race *race, guint mine, GError **error)
{
  gint64 until = race->began + mine / 2;

  if (!tractor_sleep_until (until, error))
    return FALSE;
  g_assert_cmpint (tractor_now (), >=, until);
  return TRUE;
}

static void
end_nothing (G_GNUC_UNUSED Race *race)
{
}

static void
fd_begin (Race *race)
{
  for (guint i = 0; i < N_RACERS; i++)
    g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, race->fds[i]), ==, 0);
}

static gboolean
fd_get (Race *race, guint mine, GError **error)
{
  GIOCondition ready;
  char byte;

  if (!tractor_wait_fd (race->fds[mine][0], G_IO_IN, &ready, error))
    return FALSE;
  g_assert_cmpint (recv (race->fds[mine][0], &byte, 1, 0), ==, 1);
  return TRUE;
}

static void
fd_provide (Race *race, guint n)
{
  g_assert_cmpint (send (race->fds[n][1], "x", 1, 0), ==, 1);
  race->n_inside = n + 1; /* that a byte was sent to */
}

static void
fd_end (Race *race)
{
  for (guint i = 0; i < N_RACERS; i++) {
    char byte;

    /* Whoever was cancelled has left the byte where it was, if one came. */
    if (race->got[i] || i >= race->n_inside)
      g_assert_cmpint (recv (race->fds[i][0], &byte, 1, 0), ==, -1);
    else
      g_assert_cmpint (recv (race->fds[i][0], &byte, 1, 0), ==, 1);
    close (race->fds[i][0]);
    close (race->fds[i][1]);
  }
}

static gboolean
be_started (TractorTaskStatus *status, gpointer data, GError **error)
{
  Race *race = data;
  gboolean ok = tractor_checkpoint (error) && tractor_task_started (status, NULL, error);

  race->n_ready += ok ? 1 : 0;
  ok = ok && tractor_checkpoint (error);
  race->n_ended++;
  return ok;
}

static gboolean
start_get (Race *race, G_GNUC_UNUSED guint mine, GError **error)
{
  guint n_ended = race->n_ended;

  if (tractor_nursery_start (race->nursery, "started", be_started, race, NULL, NULL, error))
    return TRUE;
  g_assert_cmpuint (race->n_ended, >, n_ended); /* the task is over too */
  return FALSE;
}

static void
start_end (Race *race)
{
  g_assert_cmpuint (race->n_ended, >=, race->n_got);
  g_assert_cmpuint (race->n_ready, >=, race->n_got);
}

static gboolean
serve_resource (TractorResource *resource, gpointer data, GError **error)
{
  Race *race = data;
  gboolean ok;

  g_assert_cmpuint (++race->n_inside, ==, 1);
  ok = tractor_checkpoint (error) && tractor_resource_share (resource, &race->n_inside, error);
  tractor_cancel_shielded_checkpoint (NULL);
  race->n_inside--;
  return ok;
}

static gboolean
cache_get (Race *race, G_GNUC_UNUSED guint mine, GError **error)
{
  g_autoptr (TractorLease) lease = NULL;

  if (race->cache == NULL)
    race->cache = tractor_cache_new (race->nursery);
  lease = tractor_cache_acquire (race->cache, "key", serve_resource, race, NULL, error);
  if (lease == NULL)
    return FALSE;
  tractor_checkpoint (NULL);
  g_assert_cmpuint (race->n_inside, ==, 1); /* nobody has closed it */
  g_assert_true (tractor_lease_get_value (lease) == &race->n_inside);
  g_assert_true (tractor_lease_release (lease, NULL));
  return TRUE;
}

static void
cache_end (Race *race)
{
  g_assert_cmpuint (race->n_inside, ==, 0);
  tractor_cache_free (race->cache); /* nothing is in it */
}

/* --- the race ---------------------------------------------------------------------------------------- */

static gboolean
run_racer (gpointer data, GError **error)
{
  Race *race = data;
  guint mine = race->next++;
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  GError *failure = NULL;

  race->scopes[mine] = scope;
  if (race->primitive->get (race, mine, &failure)) {
    race->got[mine] = TRUE;
    race->n_got++;
  } else {
    g_assert_true (tractor_cancel_scope_get_cancel_called (scope));
    race->n_cancelled++;
  }
  race->scopes[mine] = NULL;
  *error = failure;
  return tractor_cancel_scope_absorb (scope, error);
}

/* None, one, or a few turns of the others. */
static gboolean
wait_some_turns (Race *race, GError **error)
{
  race->random = race->random * G_GUINT64_CONSTANT (6364136223846793005) + 1442695040888963407u;
  for (guint n = (guint) (race->random >> 62); n > 0; n--)
    if (!tractor_checkpoint (error))
      return FALSE;
  return TRUE;
}

static gboolean
cancel_half (gpointer data, GError **error)
{
  Race *race = data;

  for (guint i = 0; i < N_RACERS; i += 2) {
    if (!wait_some_turns (race, error))
      return FALSE;
    if (race->scopes[i] != NULL)
      tractor_cancel_scope_cancel (race->scopes[i], NULL);
  }
  return TRUE;
}

static gboolean
provide_all (gpointer data, GError **error)
{
  Race *race = data;

  for (guint i = 0; i < N_RACERS || race->primitive->goes_on; i++) {
    if (race->n_got + race->n_cancelled == N_RACERS)
      return TRUE;
    race->now++;
    race->primitive->provide (race, i);
    if (!wait_some_turns (race, error) || !tractor_checkpoint (error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
run_race (gpointer data, GError **error)
{
  Race *race = data;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  race->began = tractor_now ();
  race->nursery = nursery;
  for (guint i = 0; i < N_RACERS; i++)
    tractor_nursery_spawn (nursery, "racer", run_racer, race, NULL, error);
  tractor_nursery_spawn (nursery, "canceller", cancel_half, race, NULL, error);
  tractor_nursery_spawn (nursery, "provider", provide_all, race, NULL, error);
  return tractor_nursery_join (nursery, error);
}

static void
schedule (gpointer data, G_GNUC_UNUSED gboolean yielded)
{
  ((Race *) data)->is_scheduled = TRUE;
}

static gint64
now (gpointer data)
{
  return ((Race *) data)->now;
}

static const TractorHostOps ops = { TRACTOR_HOST_VERSION, schedule, NULL, now };

static void
on_done (const GError *error, gpointer data)
{
  g_assert_no_error (error);
  ((Race *) data)->is_done = TRUE;
}

static void
run_to_end (Race *race)
{
  g_autoptr (TractorGuest) guest =
      tractor_guest_new (&ops, race, run_race, race, on_done, race, NULL);
  struct pollfd pollfd = { .fd = tractor_guest_get_fd (guest), .events = POLLIN };

  tractor_guest_set_shuffle (guest, race->seed);
  while (!race->is_done) {
    if (!race->is_scheduled && poll (&pollfd, 1, 0) == 0) {
      /* Everybody waits: for time, or for ever. */
      if (tractor_guest_get_deadline (guest) == TRACTOR_NO_DEADLINE)
        g_error ("seed %" G_GUINT64_FORMAT ": somebody waits for ever", race->seed);
      race->now = tractor_guest_get_deadline (guest);
    }
    race->is_scheduled = FALSE;
    tractor_guest_tick (guest);
  }
}

static void
race_all_seeds (const Primitive *primitive)
{
  const char *text = g_getenv ("TRACTOR_SCHEDULES");
  guint64 n_seeds = text != NULL ? strtoull (text, NULL, 10) : 2000 / harness_get_slowness ();
  guint64 n_got = 0;
  guint64 n_cancelled = 0;

  for (guint64 seed = 1; seed <= n_seeds; seed++) {
    Race race = { .primitive = primitive, .seed = seed, .random = seed };

    primitive->begin (&race);
    run_to_end (&race);
    g_assert_cmpuint (race.n_got + race.n_cancelled, ==, N_RACERS);
    n_got += race.n_got;
    n_cancelled += race.n_cancelled;
    primitive->end (&race);
  }
  g_test_message ("%" G_GUINT64_FORMAT " schedules: %" G_GUINT64_FORMAT
                  " got it, %" G_GUINT64_FORMAT " were cancelled",
                  n_seeds, n_got, n_cancelled);
  g_assert_cmpuint (n_got, >, 0);
  g_assert_cmpuint (n_cancelled, >, 0);
}

#define PRIMITIVE(name, begin, get, provide, goes_on, end)                                         \
  static void test_##name (void)                                                                   \
  {                                                                                                \
    static const Primitive primitive = { begin, get, provide, goes_on, end };                      \
                                                                                                   \
    race_all_seeds (&primitive);                                                                   \
  }

PRIMITIVE (channel, channel_begin, channel_get, channel_provide, FALSE, channel_end)
PRIMITIVE (rendezvous, rendezvous_begin, rendezvous_get, rendezvous_provide, TRUE, rendezvous_end)
PRIMITIVE (event, event_begin, event_get, event_provide, FALSE, event_end)
PRIMITIVE (lock, lock_begin, lock_get, provide_nothing, FALSE, lock_end)
PRIMITIVE (semaphore, semaphore_begin, semaphore_get, provide_nothing, FALSE, semaphore_end)
PRIMITIVE (limiter, limiter_begin, limiter_get, limiter_provide, FALSE, limiter_end)
PRIMITIVE (sleep, begin_nothing, sleep_get, provide_nothing, FALSE, end_nothing)
PRIMITIVE (fd, fd_begin, fd_get, fd_provide, FALSE, fd_end)
PRIMITIVE (start, begin_nothing, start_get, provide_nothing, FALSE, start_end)
PRIMITIVE (cache, begin_nothing, cache_get, provide_nothing, FALSE, cache_end)

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add ("/guest/schedules/C-04-channel", test_channel);
  harness_add ("/guest/schedules/C-04-channel-without-room", test_rendezvous);
  harness_add ("/guest/schedules/C-04-event", test_event);
  harness_add ("/guest/schedules/C-04-lock", test_lock);
  harness_add ("/guest/schedules/C-04-semaphore", test_semaphore);
  harness_add ("/guest/schedules/C-04-limiter", test_limiter);
  harness_add ("/guest/schedules/C-04-sleep", test_sleep);
  harness_add ("/guest/schedules/C-04-fd", test_fd);
  harness_add ("/guest/schedules/C-04-start", test_start);
  harness_add ("/guest/schedules/C-04-row-109-cache", test_cache);
  return harness_run ();
}
