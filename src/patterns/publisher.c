/* publisher.c - one publisher, and subscribers in other actors who get the topics they ask for.
 *
 * Each subscriber is a context, and here a feed (feed.c). Publishing puts an item into the queue of each
 * feed that wants it, and never waits.
 *
 * The publisher counts how many feeds want each topic. Its function, if it has one, runs in a task of
 * the publisher's nursery while there are feeds. The scope around it is cancelled when the last has
 * left; if another comes before the function has ended, it is called once more after that.
 *
 * A feed that is over has been taken from the publisher, and sends what it has left. So the
 * publisher may be gone by then, but for its memory, which the task of each feed holds a reference to.
 *
 * Nothing is kept for those who subscribe later, and nothing is confirmed. All of it is public API. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-topics.h"

#include "feed.h"
#include "tractor-sync.h"
#include "value.h"

struct _TractorPublisher {
  guint n_refs; /* its opener's, its task's, and one for each feed */
  gboolean is_closed;
  guint capacity;
  GQueue feeds;
  WantedTopics wanted;

  TractorNursery *nursery;
  TractorPublishFunc func; /* (nullable) */
  gpointer data;
  gboolean is_running;
  TractorCancelScope *scope; /* (nullable): around the function, while it runs */
};

/* --- life -------------------------------------------------------------------------------------- */

TractorPublisher *
tractor_publisher_open (guint capacity,
                        TractorNursery *nursery,
                        TractorPublishFunc func,
                        gpointer data)
{
  TractorPublisher *publisher;

  g_return_val_if_fail (capacity > 0 && (func == NULL || nursery != NULL), NULL);

  publisher = g_new0 (TractorPublisher, 1);
  publisher->n_refs = 1;
  publisher->capacity = capacity;
  tractor__wanted_topics_init (&publisher->wanted);
  publisher->nursery = nursery;
  publisher->func = func;
  publisher->data = data;
  return publisher;
}

static TractorPublisher *
publisher_ref (TractorPublisher *publisher)
{
  publisher->n_refs++;
  return publisher;
}

static void
publisher_unref (gpointer data)
{
  TractorPublisher *publisher = data;

  if (--publisher->n_refs > 0)
    return;

  tractor__wanted_topics_clear (&publisher->wanted);
  g_free (publisher);
}

/* --- topics ------------------------------------------------------------------------------------ */

gboolean
tractor_publisher_is_wanted (TractorPublisher *publisher, const char *topic)
{
  g_return_val_if_fail (publisher != NULL && topic != NULL, FALSE);

  return g_hash_table_contains (publisher->wanted.counts, topic);
}

gboolean
tractor_publisher_wait_topics (TractorPublisher *publisher, char ***topics, GError **error)
{
  g_auto (GStrv) wanted = NULL;

  if (!tractor_error_check_given (publisher, "publisher", error) ||
      !tractor_error_check_given (topics, "place for the topics", error))
    return FALSE;

  if (!tractor_checkpoint (error))
    return FALSE;
  wanted = tractor__wanted_topics_list (&publisher->wanted);
  while (*topics != NULL &&
         g_strv_equal ((const char *const *) *topics, (const char *const *) wanted)) {
    if (!tractor_parking_lot_park (publisher->wanted.changed, error))
      return FALSE;
    g_strfreev (wanted);
    wanted = tractor__wanted_topics_list (&publisher->wanted);
  }
  g_strfreev (*topics);
  *topics = g_steal_pointer (&wanted);
  return TRUE;
}

/* --- the publisher's function ------------------------------------------------------------------ */

/* Takes @feed from @publisher, if that has not been done: nothing more will come. */
static void
leave (TractorPublisher *publisher, Feed *feed)
{
  if (feed->is_over)
    return;
  tractor__feed_end (feed);
  g_queue_unlink (&publisher->feeds, &feed->link);
  tractor__wanted_topics_count (&publisher->wanted, feed->topics, -1);
  if (publisher->feeds.length == 0 && publisher->scope != NULL)
    tractor_cancel_scope_cancel (publisher->scope, "no subscriber is left");
}

/* @failure: (nullable) */
static void
end_all (TractorPublisher *publisher, const GError *failure)
{
  while (publisher->feeds.length > 0) {
    Feed *feed = publisher->feeds.head->data;

    feed->failure = failure != NULL ? g_error_copy (failure) : NULL;
    leave (publisher, feed);
  }
}

/* Calls the function once. */
static void
publish (TractorPublisher *publisher, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  publisher->scope = scope;
  if (!publisher->func (publisher, publisher->data, error) && *error == NULL)
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE,
                         "A publisher's function returned FALSE without an error");
  publisher->scope = NULL;
  tractor_cancel_scope_absorb (scope, error);
  if (g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED))
    end_all (publisher, NULL); /* its nursery's, which means nothing elsewhere */
  else if (*error != NULL || !tractor_cancel_scope_get_cancel_called (scope))
    end_all (publisher, *error);
}

static gboolean
run_publisher (gpointer data, GError **error)
{
  TractorPublisher *publisher = data;

  while (publisher->feeds.length > 0 && *error == NULL)
    publish (publisher, error);
  publisher->is_running = FALSE;
  return *error == NULL;
}

static gboolean
ensure_running (TractorPublisher *publisher, GError **error)
{
  if (publisher->func == NULL || publisher->is_running)
    return TRUE;
  publisher->is_running = tractor_nursery_spawn (publisher->nursery, "publisher", run_publisher,
                                                 publisher_ref (publisher), publisher_unref, error);
  return publisher->is_running;
}

void
tractor_publisher_close (TractorPublisher *publisher)
{
  if (publisher == NULL)
    return;

  publisher->is_closed = TRUE;
  end_all (publisher, NULL); /* which cancels the function */
  tractor_parking_lot_break (publisher->wanted.changed);
  publisher_unref (publisher);
}

/* --- publishing -------------------------------------------------------------------------------- */

void
tractor_publisher_send (TractorPublisher *publisher, const char *topic, GVariant *value)
{
  g_autoptr (RefusedValue) pair = NULL;
  g_autoptr (FeedItem) item = NULL;

  g_return_if_fail (publisher != NULL && topic != NULL && g_utf8_validate (topic, -1, NULL));

  pair =
      value != NULL ? g_variant_new ("(sv)", topic, value) : g_variant_new ("(smv)", topic, NULL);
  g_variant_ref_sink (pair);
  if (!tractor_publisher_is_wanted (publisher, topic))
    return;
  item = tractor__feed_item_new (g_steal_pointer (&pair));
  for (GList *link = publisher->feeds.head; link != NULL; link = link->next) {
    Feed *feed = link->data;

    if (g_hash_table_contains (feed->topics, topic))
      tractor__feed_push (feed, item);
  }
}

/* --- serving a subscriber ---------------------------------------------------------------------- */

static gboolean
enter (TractorPublisher *publisher, Feed *feed, GError **error)
{
  if (publisher->is_closed) {
    feed->is_over = TRUE;
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED, "The publisher is closed");
    return FALSE;
  }
  g_queue_push_tail_link (&publisher->feeds, &feed->link);
  tractor__wanted_topics_count (&publisher->wanted, feed->topics, 1);
  return ensure_running (publisher, error);
}

gboolean
tractor_publisher_serve (TractorPublisher *publisher,
                         TractorContext *context,
                         GVariant *kwargs,
                         GError **error)
{
  g_autoptr (GVariant) list = NULL;
  TractorStream *stream = NULL;
  GHashTable *topics;
  Feed *feed;
  gboolean ok;

  if (!tractor_error_check_given (publisher, "publisher", error) ||
      !tractor_error_check_given (context, "context", error) ||
      !tractor_error_check_given (kwargs, "arguments", error))
    return FALSE;

  list = g_variant_lookup_value (kwargs, "topics", NULL);
  topics = tractor__topics_read (list, error);
  if (topics == NULL)
    return FALSE;
  publisher_ref (publisher); /* it may be closed meanwhile */
  feed = tractor__feed_new (&publisher->wanted, publisher->capacity, topics);
  /* What is sent from now on it gets: it is only then that the subscriber hears of the start. */
  ok = enter (publisher, feed, error) && tractor_context_started (context, NULL, error);
  if (ok)
    stream = tractor_context_open_stream (context, error);
  ok = stream != NULL && tractor__feed_run (feed, stream, error);
  leave (publisher, feed);
  tractor_stream_close (stream);
  tractor__feed_free (feed);
  publisher_unref (publisher);
  return ok;
}
