/* test-topics.c - one publisher, and subscribers who get the topics they ask for. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "actors.h"
#include "tractor-value.h"

/* Small, so that it is soon too little. */
#define CAPACITY 8

/* --- the actor that publishes -------------------------------------------------------------------- */

static TractorPublisher *the_publisher;
static gint64 n_began;
static gint64 n_ended;
static TractorEvent *ended; /* set when the function has ended, anew for each time */

/* Whenever other topics are wanted: one item for each there is, wanted or not. */
static gboolean
publish_at_each_change (TractorPublisher *publisher, G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char *const all[] = { "a", "b", "c" };
  g_auto (GStrv) topics = NULL;
  gint64 n = 0;

  n_began++;
  while (tractor_publisher_wait_topics (publisher, &topics, error)) {
    n++;
    for (guint i = 0; i < G_N_ELEMENTS (all); i++) {
      g_assert_cmpint (tractor_publisher_is_wanted (publisher, all[i]), ==,
                       g_strv_contains ((const char *const *) topics, all[i]));
      tractor_publisher_send (publisher, all[i], g_variant_new_int64 (n));
    }
  }
  n_ended++;
  tractor_event_set (ended);
  return FALSE;
}

/* Sends one item and a nil, and returns; or, if it is to fail, does so when "fail" is wanted. */
static gboolean
publish_once (TractorPublisher *publisher, gpointer fails, GError **error)
{
  g_auto (GStrv) topics = NULL;

  tractor_publisher_send (publisher, "a", g_variant_new_string ("only"));
  tractor_publisher_send (publisher, "a", NULL);
  if (fails == NULL)
    return TRUE;
  while (!tractor_publisher_is_wanted (publisher, "fail"))
    if (!tractor_publisher_wait_topics (publisher, &topics, error))
      return FALSE;
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space for that");
  return FALSE;
}

static TractorPublisher *
open_publisher (TractorNursery *nursery, const char *mode)
{
  if (strcmp (mode, "passive") == 0)
    return tractor_publisher_open (CAPACITY, NULL, NULL, NULL);
  if (strcmp (mode, "change") == 0)
    return tractor_publisher_open (CAPACITY, nursery, publish_at_each_change, NULL);
  return tractor_publisher_open (CAPACITY, nursery, publish_once,
                                 strcmp (mode, "fail") == 0 ? nursery : NULL);
}

/* Keeps a publisher for as long as the opener keeps its stream. */
static gboolean
host (TractorContext *context,
      GVariant *kwargs,
      G_GNUC_UNUSED GVariant **ret_result,
      GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorStream) stream = NULL;
  GVariant *item;
  const char *mode = "";

  g_variant_lookup (kwargs, "mode", "&s", &mode);
  ended = tractor_event_new ();
  the_publisher = open_publisher (nursery, mode);
  g_assert_true (tractor_context_started (context, NULL, error));
  stream = tractor_context_open_stream (context, error);
  if (stream != NULL)
    tractor_stream_receive (stream, &item, error); /* nothing: the end */
  g_clear_pointer (&the_publisher, tractor_publisher_close);
  tractor_nursery_join (nursery, error);
  g_clear_pointer (&ended, tractor_event_free);
  return *error == NULL;
}

static gboolean
feed (TractorContext *context,
      GVariant *kwargs,
      G_GNUC_UNUSED GVariant **ret_result,
      GError **error)
{
  return tractor_publisher_serve (the_publisher, context, kwargs, error);
}

/* "n" items of topic "a" and as many of "b", from "first" on, each sent when the last has gone; or so many
 * in a row as "burst". */
static gboolean
publish (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  gint64 first = 0;
  gint64 burst = 1;
  gint64 n = 0;

  g_variant_lookup (kwargs, "first", "x", &first);
  g_variant_lookup (kwargs, "burst", "x", &burst);
  g_variant_lookup (kwargs, "n", "x", &n);
  for (gint64 i = first; i < first + n; i++) {
    tractor_publisher_send (the_publisher, "a", g_variant_new_int64 (i));
    tractor_publisher_send (the_publisher, "b", g_variant_new_int64 (i));
    if ((i - first + 1) % burst == 0 && !tractor_checkpoint (error))
      return FALSE;
  }
  return TRUE;
}

/* "n" items of topic "deep", each of which is nested deeper than a stack is. */
static gboolean
publish_deep (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  gint64 n = 0;

  g_variant_lookup (kwargs, "n", "x", &n);
  for (gint64 i = 0; i < n; i++) {
    GVariant *value = g_variant_new_int64 (i);

    for (int level = 0; level < 100000; level++)
      value = g_variant_new_variant (value);
    tractor_publisher_send (the_publisher, "deep", value);
  }
  return TRUE;
}

/* A file in memory, with @text in it. */
static int
make_file (const char *text)
{
  int fd = memfd_create ("test", MFD_CLOEXEC);

  g_assert_cmpint (write (fd, text, strlen (text)), ==, (gssize) strlen (text));
  return fd;
}

/* From here on no number is free. Returns: what it was before. */
static struct rlimit
allow_no_more_fds (void)
{
  struct rlimit before;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &(struct rlimit){ 4, before.rlim_max }), ==, 0);
  return before;
}

/* "n" files of topic "file", each of which is closed at once, and its number another file's when they
 * are sent. "none_free": there is no room for another one while it is published. */
static gboolean
publish_files (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_autofree int *others = NULL;
  gboolean none_free = FALSE;
  gint64 n = 0;
  gboolean ok;

  g_variant_lookup (kwargs, "n", "x", &n);
  g_variant_lookup (kwargs, "none_free", "b", &none_free);
  others = g_new (int, (gsize) n);
  for (gint64 i = 0; i < n; i++) {
    g_autofree char *text = g_strdup_printf ("file %" G_GINT64_FORMAT, i);
    int fd = make_file (text);
    struct rlimit before = { 0 };

    if (none_free)
      before = allow_no_more_fds ();
    tractor_publisher_send (the_publisher, "file", tractor_value_new_fd (fd));
    if (none_free)
      g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
    close (fd);
    others[i] = make_file ("another's");
  }
  ok = tractor_checkpoint (error); /* now it is sent */
  for (gint64 i = 0; i < n; i++)
    close (others[i]);
  return ok;
}

static gboolean
say_n_fds (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_new_uint32 (count_fds ());
  return TRUE;
}

/* Waits until the function has ended, and says how often it began and ended. */
static gboolean
wait_ended (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, GError **error)
{
  if (!tractor_event_wait (ended, error))
    return FALSE;
  tractor_event_free (ended);
  ended = tractor_event_new ();
  *ret_result = g_variant_new_parsed ("[<%x>, <%x>]", n_began, n_ended);
  return TRUE;
}

/* Waits until just "topic" is wanted. */
static gboolean
wait_topic (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_auto (GStrv) topics = NULL;
  const char *topic = "";

  g_variant_lookup (kwargs, "topic", "&s", &topic);
  while (tractor_publisher_wait_topics (the_publisher, &topics, error))
    if (g_strv_length (topics) == 1 && strcmp (topics[0], topic) == 0)
      return TRUE;
  return FALSE;
}

/* No publisher at all. */
static gboolean
no_feed (TractorContext *context,
         G_GNUC_UNUSED GVariant *kwargs,
         G_GNUC_UNUSED GVariant **ret_result,
         GError **error)
{
  g_autoptr (TractorStream) stream = NULL;

  g_assert_true (tractor_context_started (context, NULL, error));
  stream = tractor_context_open_stream (context, error);
  return tractor_stream_send (stream, g_variant_new_string ("hello"), error);
}

static const TractorExport exports[] = {
  { "host", TRACTOR_EXPORT_CONTEXT, .context = host },
  { "feed", TRACTOR_EXPORT_CONTEXT, .context = feed },
  { "no_feed", TRACTOR_EXPORT_CONTEXT, .context = no_feed },
  { "publish", TRACTOR_EXPORT_CALL, publish },
  { "publish_deep", TRACTOR_EXPORT_CALL, publish_deep },
  { "publish_files", TRACTOR_EXPORT_CALL, publish_files },
  { "say_n_fds", TRACTOR_EXPORT_CALL, say_n_fds },
  { "wait_ended", TRACTOR_EXPORT_CALL, wait_ended },
  { "wait_topic", TRACTOR_EXPORT_CALL, wait_topic },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- helpers ------------------------------------------------------------------------------------- */

/* An actor with a publisher. */
typedef struct {
  TractorActorNursery *nursery;
  TractorPortal *portal;
  TractorContext *host;
  TractorStream *stream;
} Served;

static Served
start_served (const char *mode, GError **error)
{
  Served served = { tractor_actor_nursery_open (error) };

  g_assert_no_error (*error);
  served.portal = tractor_actor_nursery_start (
      served.nursery, "publisher", &(TractorSpawnOptions){ .host = harness_get_host ()->name },
      error);
  g_assert_no_error (*error);
  served.host = tractor_portal_open_context (
      served.portal, "test:host", g_variant_new_parsed ("{'mode': <%s>}", mode), NULL, NULL, error);
  g_assert_no_error (*error);
  served.stream = tractor_context_open_stream (served.host, error);
  g_assert_no_error (*error);
  return served;
}

static gboolean
end_served (Served *served, GError **error)
{
  g_clear_pointer (&served->stream, tractor_stream_close);
  tractor_context_join (served->host, NULL, error);
  tractor_context_close (served->host);
  tractor_portal_unref (served->portal);
  tractor_actor_nursery_cancel (served->nursery);
  tractor_actor_nursery_join (served->nursery, error);
  tractor_actor_nursery_close (served->nursery);
  return *error == NULL;
}

static TractorSubscription *
subscribe (Served *served, const char *topic, const char *other, GError **error)
{
  const char *const topics[] = { topic, other, NULL };
  TractorSubscription *subscription =
      tractor_subscription_open (served->portal, "test:feed", topics, error);

  g_assert_no_error (*error);
  return subscription;
}

static gint64
receive_number (TractorSubscription *subscription, const char *topic, GError **error)
{
  g_autofree char *got_topic = NULL;
  g_autoptr (GVariant) value = NULL;

  g_assert_true (tractor_subscription_receive (subscription, &got_topic, &value, error));
  g_assert_cmpstr (got_topic, ==, topic);
  return g_variant_get_int64 (value);
}

static void
assert_end (TractorSubscription *subscription, GError **error)
{
  GVariant *value;

  g_assert_false (tractor_subscription_receive (subscription, NULL, &value, error));
  g_assert_no_error (*error);
}

static void
unsubscribe (TractorSubscription **subscription, GError **error)
{
  g_assert_true (tractor_subscription_join (*subscription, error));
  g_clear_pointer (subscription, tractor_subscription_close);
}

/* --- topics -------------------------------------------------------------------------------------- */

static gboolean
test_each_gets_its_topics (G_GNUC_UNUSED gpointer data, GError **error)
{
  Served served = start_served ("change", error);
  TractorSubscription *one = subscribe (&served, "a", NULL, error);
  TractorSubscription *two;
  TractorSubscription *three;

  g_assert_cmpint (receive_number (one, "a", error), ==, 1);
  two = subscribe (&served, "b", NULL, error);
  g_assert_cmpint (receive_number (one, "a", error), ==, 2);
  g_assert_cmpint (receive_number (two, "b", error), ==, 2);
  three = subscribe (&served, "c", "a", error);
  g_assert_cmpint (receive_number (one, "a", error), ==, 3);
  g_assert_cmpint (receive_number (two, "b", error), ==, 3);
  g_assert_cmpint (receive_number (three, "a", error), ==, 3);
  g_assert_cmpint (receive_number (three, "c", error), ==, 3);
  unsubscribe (&three, error);
  g_assert_cmpint (receive_number (one, "a", error), ==, 4);
  g_assert_cmpint (receive_number (two, "b", error), ==, 4);
  unsubscribe (&two, error);
  g_assert_cmpint (receive_number (one, "a", error), ==, 5);
  unsubscribe (&one, error);
  return end_served (&served, error);
}

static void
assert_began_and_ended (Served *served, gint64 began, gint64 end, GError **error)
{
  g_autoptr (GVariant) counts = NULL;
  g_autoptr (GVariant) n_begun = NULL;
  g_autoptr (GVariant) n_over = NULL;

  g_assert_true (tractor_portal_call (served->portal, "test:wait_ended", NULL, &counts, error));
  g_variant_get_child (counts, 0, "v", &n_begun);
  g_variant_get_child (counts, 1, "v", &n_over);
  g_assert_cmpint (g_variant_get_int64 (n_begun), ==, began);
  g_assert_cmpint (g_variant_get_int64 (n_over), ==, end);
}

static gboolean
test_stops_after_the_last (G_GNUC_UNUSED gpointer data, GError **error)
{
  Served served = start_served ("change", error);
  TractorSubscription *one = subscribe (&served, "a", NULL, error);
  TractorSubscription *two = subscribe (&served, "a", NULL, error);

  unsubscribe (&two, error);
  unsubscribe (&one, error);
  assert_began_and_ended (&served, 1, 1, error);
  one = subscribe (&served, "b", NULL, error);
  g_assert_cmpint (receive_number (one, "b", error), ==, 1); /* afresh */
  tractor_subscription_close (one);                          /* without a join */
  assert_began_and_ended (&served, 2, 2, error);
  return end_served (&served, error);
}

static gboolean
test_other_topics (G_GNUC_UNUSED gpointer data, GError **error)
{
  const char *const b[] = { "b", NULL };
  Served served = start_served ("passive", error);
  TractorSubscription *subscription = subscribe (&served, "a", NULL, error);

  g_assert_true (tractor_portal_call (served.portal, "test:publish",
                                      g_variant_new_parsed ("{'n': <int64 1>}"), NULL, error));
  g_assert_cmpint (receive_number (subscription, "a", error), ==, 0);
  g_assert_true (tractor_subscription_set_topics (subscription, b, error));
  g_assert_true (tractor_portal_call (served.portal, "test:wait_topic",
                                      g_variant_new_parsed ("{'topic': <'b'>}"), NULL, error));
  g_assert_true (tractor_portal_call (served.portal, "test:publish",
                                      g_variant_new_parsed ("{'n': <int64 1>}"), NULL, error));
  g_assert_cmpint (receive_number (subscription, "b", error), ==, 0);
  unsubscribe (&subscription, error);
  return end_served (&served, error);
}

/* --- too slow ------------------------------------------------------------------------------------ */

static gboolean
test_a_slow_one_loses_the_oldest (G_GNUC_UNUSED gpointer data, GError **error)
{
  const gint64 n_items = 6000;
  const gint64 n_at_once = 6; /* never too much for whoever receives */
  Served served = start_served ("passive", error);
  TractorSubscription *fast = subscribe (&served, "a", NULL, error);
  TractorSubscription *slow = subscribe (&served, "a", NULL, error);
  g_autoptr (GVariant) value = NULL;
  gint64 next = 0;

  for (gint64 i = 0; i < n_items; i += n_at_once) {
    g_assert_true (tractor_portal_call (
        served.portal, "test:publish",
        g_variant_new_parsed ("{'first': <%x>, 'n': <%x>}", i, n_at_once), NULL, error));
    for (gint64 j = i; j < i + n_at_once; j++)
      g_assert_cmpint (receive_number (fast, "a", error), ==, j);
  }

  g_clear_pointer (&served.stream, tractor_stream_close); /* closes the publisher */
  while (tractor_subscription_receive (slow, NULL, &value, error)) {
    g_assert_cmpint (g_variant_get_int64 (value), ==, next);
    next++;
    g_clear_pointer (&value, g_variant_unref);
  }
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_LAGGED);
  g_assert_cmpint (next, >, CAPACITY);
  g_assert_cmpuint (tractor_subscription_get_n_lost (slow), ==,
                    (guint64) (n_items - CAPACITY - next));
  for (gint64 i = n_items - CAPACITY; i < n_items; i++)
    g_assert_cmpint (receive_number (slow, "a", error), ==, i);
  assert_end (slow, error);
  assert_end (fast, error);
  g_assert_cmpuint (tractor_subscription_get_n_lost (fast), ==, 0);
  unsubscribe (&slow, error);
  unsubscribe (&fast, error);
  return end_served (&served, error);
}

#define N_BURSTS 300

static TractorSubscription *
subscribe_to_bursts (Served *served, gint64 burst, GError **error)
{
  TractorSubscription *subscription = subscribe (served, "a", NULL, error);

  g_assert_true (tractor_portal_call (
      served->portal, "test:publish",
      g_variant_new_parsed ("{'n': <%x>, 'burst': <%x>}", burst * N_BURSTS, burst), NULL, error));
  g_clear_pointer (&served->stream, tractor_stream_close); /* closes the publisher */
  return subscription;
}

/* A publisher may send as many as that in each of its turns: the stream has room for them all. */
static gboolean
test_bursts_within_the_capacity (G_GNUC_UNUSED gpointer data, GError **error)
{
  Served served = start_served ("passive", error);
  TractorSubscription *subscription = subscribe_to_bursts (&served, CAPACITY, error);

  for (gint64 i = 0; i < CAPACITY * N_BURSTS; i++)
    g_assert_cmpint (receive_number (subscription, "a", error), ==, i);
  assert_end (subscription, error);
  unsubscribe (&subscription, error);
  return end_served (&served, error);
}

/* Behind each gap comes an item, and the number of a gap is what is missing before that. */
static gboolean
test_bursts_above_the_capacity (G_GNUC_UNUSED gpointer data, GError **error)
{
  const gint64 burst = 3 * CAPACITY;
  Served served = start_served ("passive", error);
  TractorSubscription *subscription = subscribe_to_bursts (&served, burst, error);
  guint64 n_lost = 0;
  gint64 next = 0;

  while (next < burst * N_BURSTS) {
    g_autoptr (GVariant) value = NULL;

    if (!tractor_subscription_receive (subscription, NULL, &value, error)) {
      harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_LAGGED);
      *error = NULL;
      g_assert_cmpuint (tractor_subscription_get_n_lost (subscription), >, n_lost);
      next += (gint64) (tractor_subscription_get_n_lost (subscription) - n_lost);
      n_lost = tractor_subscription_get_n_lost (subscription);
      g_assert_true (tractor_subscription_receive (subscription, NULL, &value, error));
    }
    g_assert_cmpint (g_variant_get_int64 (value), ==, next);
    next++;
  }
  g_assert_cmpuint (n_lost, ==, N_BURSTS * (burst - CAPACITY));
  assert_end (subscription, error);
  unsubscribe (&subscription, error);
  return end_served (&served, error);
}

/* --- how it ends --------------------------------------------------------------------------------- */

static void
receive_only (TractorSubscription *subscription, GError **error)
{
  g_autofree char *topic = NULL;
  g_autoptr (GVariant) value = NULL;

  g_assert_true (tractor_subscription_receive (subscription, &topic, &value, error));
  g_assert_cmpstr (topic, ==, "a");
  g_assert_cmpstr (g_variant_get_string (value, NULL), ==, "only");
  g_clear_pointer (&value, g_variant_unref);
  g_assert_true (tractor_subscription_receive (subscription, NULL, &value, error));
  g_assert_null (value); /* a nil */
}

static gboolean
test_publisher_returns (G_GNUC_UNUSED gpointer data, GError **error)
{
  Served served = start_served ("once", error);

  for (guint i = 0; i < 2; i++) { /* each time afresh */
    TractorSubscription *subscription = subscribe (&served, "a", NULL, error);

    receive_only (subscription, error);
    assert_end (subscription, error);
    unsubscribe (&subscription, error);
  }
  return end_served (&served, error);
}

static gboolean
test_publisher_fails (G_GNUC_UNUSED gpointer data, GError **error)
{
  Served served = start_served ("fail", error);
  TractorSubscription *subscription = subscribe (&served, "a", NULL, error);
  const char *const fail[] = { "fail", NULL };
  GVariant *value;

  receive_only (subscription, error);
  g_assert_true (tractor_subscription_set_topics (subscription, fail, error));
  /* By this subscription's end, or interrupted by that of whoever keeps the publisher. */
  g_assert_false (tractor_subscription_receive (subscription, NULL, &value, error));
  g_assert_false (tractor_subscription_join (subscription, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE);
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_clear_error (error);
  tractor_subscription_close (subscription);

  g_assert_false (end_served (&served, error)); /* whoever keeps the publisher hears of it too */
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE); /* and of nothing else */
  return TRUE;
}

/* More than there is room for on the way: the publisher's feed waits for the subscriber. */
static void
fill (Served *served, GError **error)
{
  g_assert_true (tractor_portal_call (served->portal, "test:publish",
                                      g_variant_new_parsed ("{'n': <int64 5000>}"), NULL, error));
}

/* What it has not been sent is dropped with it. */
static gboolean
test_leaves_unsent (G_GNUC_UNUSED gpointer data, GError **error)
{
  Served served = start_served ("passive", error);
  TractorSubscription *subscription = subscribe (&served, "a", NULL, error);

  fill (&served, error);
  tractor_subscription_close (subscription);
  return end_served (&served, error);
}

/* The publisher has failed while its feed waits, and the subscriber gives up before it hears of that. */
static gboolean
test_gives_up_untold (G_GNUC_UNUSED gpointer data, GError **error)
{
  Served served = start_served ("fail", error);
  TractorContext *context = tractor_portal_open_context (
      served.portal, "test:feed", g_variant_new_parsed ("{'topics': <['a']>}"), NULL, NULL, error);
  TractorStream *stream = tractor_context_open_stream (context, error);
  GVariant *value;

  fill (&served, error);
  g_assert_true (tractor_stream_send (stream, g_variant_new_parsed ("['fail']"), error));
  g_assert_false (tractor_stream_receive (served.stream, &value, error));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_clear_error (error);
  tractor_context_cancel (context);
  tractor_context_join (context, NULL, error);
  tractor_context_close (context);
  g_assert_false (end_served (&served, error));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE); /* and of nothing else */
  return TRUE;
}

/* --- what is none -------------------------------------------------------------------------------- */

static gboolean
test_bad_subscribers (G_GNUC_UNUSED gpointer data, GError **error)
{
  Served served = start_served ("passive", error);
  const char *const topics[] = { "a", NULL };
  TractorSubscription *subscription;
  GVariant *value;

  g_assert_null (tractor_portal_open_context (served.portal, "test:feed", NULL, NULL, NULL, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE));
  g_clear_error (error);
  g_assert_null (tractor_portal_open_context (served.portal, "test:feed",
                                              g_variant_new_parsed ("{'topics': <[1, 2]>}"), NULL,
                                              NULL, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE));
  g_clear_error (error);

  subscription = tractor_subscription_open (served.portal, "test:no_feed", topics, error);
  g_assert_no_error (*error);
  g_assert_false (tractor_subscription_receive (subscription, NULL, &value, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  g_assert_false (tractor_subscription_join (subscription, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  tractor_subscription_close (subscription);
  return end_served (&served, error);
}

/* Neither when nobody wants them, nor when one makes room for another, is refused, or is left over. */
static gboolean
test_items_too_deep_to_free (G_GNUC_UNUSED gpointer data, GError **error)
{
  Served served = start_served ("passive", error);
  TractorSubscription *subscription;
  GVariant *value;

  g_assert_true (tractor_portal_call (served.portal, "test:publish_deep",
                                      g_variant_new_parsed ("{'n': <int64 1>}"), NULL, error));
  subscription = subscribe (&served, "deep", NULL, error);
  g_assert_true (tractor_portal_call (served.portal, "test:publish_deep",
                                      g_variant_new_parsed ("{'n': <%x>}", (gint64) CAPACITY + 2),
                                      NULL, error));
  g_assert_false (tractor_subscription_receive (subscription, NULL, &value, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_LAGGED);
  g_assert_false (tractor_subscription_receive (subscription, NULL, &value, error));
  g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE));
  g_clear_error (error);
  g_assert_false (tractor_subscription_join (subscription, error));
  g_clear_error (error);
  tractor_subscription_close (subscription);
  return end_served (&served, error);
}

/* --- descriptors --------------------------------------------------------------------------------- */

static gint64
ask_n_fds (Served *served, GError **error)
{
  g_autoptr (GVariant) n = NULL;

  g_assert_true (tractor_portal_call (served->portal, "test:say_n_fds", NULL, &n, error));
  return g_variant_get_int64 (n);
}

static void
publish_some_files (Served *served, gint64 n, gboolean none_free, GError **error)
{
  g_assert_true (tractor_portal_call (
      served->portal, "test:publish_files",
      g_variant_new_parsed ("{'n': <%x>, 'none_free': <%b>}", n, none_free), NULL, error));
}

static void
receive_file (TractorSubscription *subscription, gint64 i, GError **error)
{
  g_autofree char *expected = g_strdup_printf ("file %" G_GINT64_FORMAT, i);
  g_autoptr (GVariant) value = NULL;
  char text[64] = "";
  int fd;

  g_assert_true (tractor_subscription_receive (subscription, NULL, &value, error));
  fd = tractor_value_take_fd (value, error);
  g_assert_no_error (*error);
  g_assert_cmpint (pread (fd, text, sizeof text - 1, 0), >=, 0);
  close (fd);
  g_assert_cmpstr (text, ==, expected);
}

/* What is published is what the descriptor meant then; the oldest make room, and what is left over is closed. */
static gboolean
test_files_that_are_closed_at_once (G_GNUC_UNUSED gpointer data, GError **error)
{
  Served served = start_served ("passive", error);
  gint64 before = ask_n_fds (&served, error);
  TractorSubscription *one = subscribe (&served, "file", NULL, error);
  TractorSubscription *two = subscribe (&served, "file", NULL, error);
  GVariant *value;

  publish_some_files (&served, CAPACITY + 2, FALSE, error);
  g_assert_false (tractor_subscription_receive (one, NULL, &value, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_LAGGED);
  for (gint64 i = 2; i < CAPACITY + 2; i++)
    receive_file (one, i, error);
  tractor_subscription_close (two);
  g_assert_cmpint (ask_n_fds (&served, error), ==, before);
  unsubscribe (&one, error);
  return end_served (&served, error);
}

/* It is told, to those alone who would have got it. */
static gboolean
test_a_file_that_cannot_be_kept (G_GNUC_UNUSED gpointer data, GError **error)
{
  Served served = start_served ("passive", error);
  gint64 before = ask_n_fds (&served, error);
  TractorSubscription *two = subscribe (&served, "a", NULL, error);
  TractorSubscription *one = subscribe (&served, "file", NULL, error);
  GVariant *value;

  publish_some_files (&served, 1, FALSE, error);
  publish_some_files (&served, 1, TRUE, error);
  receive_file (one, 0, error);
  g_assert_false (tractor_subscription_receive (one, NULL, &value, error));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_MFILE));
  g_clear_error (error);
  g_assert_false (tractor_subscription_join (one, error));
  g_clear_error (error);
  tractor_subscription_close (one);
  g_assert_true (tractor_portal_call (served.portal, "test:publish",
                                      g_variant_new_parsed ("{'n': <int64 1>}"), NULL, error));
  g_assert_cmpint (receive_number (two, "a", error), ==, 0);
  g_assert_cmpint (ask_n_fds (&served, error), ==, before);
  unsubscribe (&two, error);
  return end_served (&served, error);
}

static gboolean
test_topics_that_are_not_utf8 (G_GNUC_UNUSED gpointer data, GError **error)
{
  Served served = start_served ("passive", error);
  TractorSubscription *subscription = subscribe (&served, "a", NULL, error);
  const char *topics[] = { "a", "\xff", NULL };

  g_assert_null (tractor_subscription_open (served.portal, "test:feed", topics, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_false (tractor_subscription_set_topics (subscription, topics, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  tractor_subscription_close (subscription);
  return end_served (&served, error);
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);

  harness_add_real_task ("/e2e/topics/row-77-each-gets-its-topics", test_each_gets_its_topics);
  harness_add_real_task ("/e2e/topics/row-77-stops-after-the-last", test_stops_after_the_last);
  harness_add_real_task ("/e2e/topics/row-77-other-topics", test_other_topics);
  harness_add_real_task ("/e2e/topics/a-slow-one-loses-the-oldest",
                         test_a_slow_one_loses_the_oldest);
  harness_add_real_task ("/e2e/topics/bursts-within-the-capacity", test_bursts_within_the_capacity);
  harness_add_real_task ("/e2e/topics/bursts-above-the-capacity", test_bursts_above_the_capacity);
  harness_add_real_task ("/e2e/topics/publisher-returns", test_publisher_returns);
  harness_add_real_task ("/e2e/topics/publisher-fails", test_publisher_fails);
  harness_add_real_task ("/e2e/topics/subscriber-leaves-unsent", test_leaves_unsent);
  harness_add_real_task ("/e2e/topics/subscriber-gives-up-untold", test_gives_up_untold);
  harness_add_real_task ("/e2e/topics/bad-subscribers", test_bad_subscribers);
  harness_add_real_task ("/e2e/topics/items-too-deep-to-free", test_items_too_deep_to_free);
  harness_add_real_task ("/e2e/topics/files-that-are-closed-at-once",
                         test_files_that_are_closed_at_once);
  harness_add_real_task ("/e2e/topics/a-file-that-cannot-be-kept", test_a_file_that_cannot_be_kept);
  harness_add_real_task ("/e2e/topics/topics-that-are-not-utf8", test_topics_that_are_not_utf8);
  return harness_run ();
}
