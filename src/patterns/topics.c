/* topics.c - one publisher, and subscribers in other actors who get the topics they ask for.
 *
 * Each subscriber is a context, and here a feed: the topics that it wants, and a queue of items that it
 * has not been sent yet. Publishing puts an item into the queue of each feed that wants it, and never
 * waits. The feed's own task sends, and may be held up by its subscriber; then its queue fills, the
 * oldest items make room, and their number is sent in their place. A second task takes new lists of
 * topics, and notices that the subscriber has left.
 *
 * The publisher counts how many feeds want each topic. Its function, if it has one, runs in a task of
 * the publisher's nursery while there are feeds. The scope around it is cancelled when the last has
 * left; if another comes before the function has ended, it is called once more after that.
 *
 * A feed that is over has been taken from the publisher, and sends what it has left. So the
 * publisher may be gone by then, but for its memory, which each feed holds a reference to.
 *
 * Nothing is kept for those who subscribe later, and nothing is confirmed: a change of topics takes
 * effect when it arrives. All of it is public API. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-topics.h"

#include "tractor-sync.h"
#include "unwrap.h"
#include "value.h"

struct _TractorPublisher {
  guint n_refs; /* its opener's, its task's, and one for each feed */
  gboolean is_closed;
  guint capacity;
  GQueue feeds;
  GHashTable *wanted; /* topics, and how many feeds want each */
  TractorParkingLot *topics_changed;

  TractorNursery *nursery;
  TractorPublishFunc func; /* (nullable) */
  gpointer data;
  gboolean is_running;
  TractorCancelScope *scope; /* (nullable): around the function, while it runs */
};

/* What each feed that wants it has in its queue. Counted. */
typedef struct {
  guint n_refs;
  GVariant *value; /* (topic, value) */
  GError *refusal; /* (nullable): why it cannot be sent */
  gboolean is_sent;
} Item;

/* One subscriber. */
typedef struct {
  TractorPublisher *publisher;
  GList link;         /* in the publisher's feeds */
  GHashTable *topics; /* a set */
  GQueue items;       /* (element-type Item) */
  guint64 n_lost;     /* and not told yet */
  gboolean is_over;   /* nothing more will come: it is none of the publisher's feeds */
  GError *failure;    /* (nullable): why it is over */
  TractorParkingLot *news;
  TractorStream *stream;
  TractorCancelScope *scope; /* around its two tasks */
} Feed;

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
  publisher->wanted = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  publisher->topics_changed = tractor_parking_lot_new ();
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

  g_hash_table_unref (publisher->wanted);
  tractor_parking_lot_free (publisher->topics_changed);
  g_free (publisher);
}

static void
item_unref (gpointer data)
{
  Item *item = data;

  if (--item->n_refs > 0)
    return;

  if (item->is_sent)
    g_variant_unref (item->value);
  else
    tractor__refused_value_unref (item->value);
  g_clear_error (&item->refusal);
  g_free (item);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Item, item_unref)

/* @topics: (transfer full): a set */
static Feed *
feed_new (TractorPublisher *publisher, GHashTable *topics)
{
  Feed *feed = g_new0 (Feed, 1);

  feed->publisher = publisher_ref (publisher);
  feed->link.data = feed;
  feed->topics = topics;
  feed->news = tractor_parking_lot_new ();
  return feed;
}

static void
feed_free (Feed *feed)
{
  g_queue_clear_full (&feed->items, item_unref);
  g_hash_table_unref (feed->topics);
  g_clear_error (&feed->failure);
  tractor_parking_lot_free (feed->news);
  publisher_unref (feed->publisher);
  g_free (feed);
}

/* --- topics ------------------------------------------------------------------------------------ */

/* @by: 1 or -1, for each of @topics */
static void
count_topics (TractorPublisher *publisher, GHashTable *topics, int by)
{
  GHashTableIter iter;
  gpointer topic;

  g_hash_table_iter_init (&iter, topics);
  while (g_hash_table_iter_next (&iter, &topic, NULL)) {
    int n = GPOINTER_TO_INT (g_hash_table_lookup (publisher->wanted, topic)) + by;

    if (n > 0)
      g_hash_table_insert (publisher->wanted, g_strdup (topic), GINT_TO_POINTER (n));
    else
      g_hash_table_remove (publisher->wanted, topic);
  }
  tractor_parking_lot_unpark (publisher->topics_changed, G_MAXUINT);
}

/* @list: (nullable): as a subscriber has sent it. Returns: (transfer full): a set; or NULL with
 * MSG_TYPE. */
static GHashTable *
read_topics (GVariant *list, GError **error)
{
  g_autoptr (GHashTable) topics = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  gboolean ok = list != NULL && (g_variant_is_of_type (list, G_VARIANT_TYPE ("av")) ||
                                 g_variant_is_of_type (list, G_VARIANT_TYPE ("as")));

  for (gsize i = 0; ok && i < g_variant_n_children (list); i++) {
    g_autoptr (GVariant) child = g_variant_get_child_value (list, i);
    g_autoptr (GVariant) topic = g_variant_is_of_type (child, G_VARIANT_TYPE_VARIANT)
                                     ? g_variant_get_variant (child)
                                     : g_variant_ref (child);

    ok = g_variant_is_of_type (topic, G_VARIANT_TYPE_STRING);
    if (ok)
      g_hash_table_add (topics, g_variant_dup_string (topic, NULL));
  }
  if (ok)
    return g_steal_pointer (&topics);
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                       "A subscriber's \"topics\" are an array of strings");
  return NULL;
}

gboolean
tractor_publisher_is_wanted (TractorPublisher *publisher, const char *topic)
{
  g_return_val_if_fail (publisher != NULL && topic != NULL, FALSE);

  return g_hash_table_contains (publisher->wanted, topic);
}

static int
compare_strings (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (*(char *const *) a, *(char *const *) b);
}

/* Returns: (transfer full) */
static char **
list_wanted (TractorPublisher *publisher)
{
  GPtrArray *topics = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer topic;

  g_hash_table_iter_init (&iter, publisher->wanted);
  while (g_hash_table_iter_next (&iter, &topic, NULL))
    g_ptr_array_add (topics, g_strdup (topic));
  g_ptr_array_sort (topics, compare_strings);
  g_ptr_array_add (topics, NULL);
  return (char **) g_ptr_array_free (topics, FALSE);
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
  wanted = list_wanted (publisher);
  while (*topics != NULL &&
         g_strv_equal ((const char *const *) *topics, (const char *const *) wanted)) {
    if (!tractor_parking_lot_park (publisher->topics_changed, error))
      return FALSE;
    g_strfreev (wanted);
    wanted = list_wanted (publisher);
  }
  g_strfreev (*topics);
  *topics = g_steal_pointer (&wanted);
  return TRUE;
}

/* --- the publisher's function ------------------------------------------------------------------ */

/* Takes @feed from its publisher, if that has not been done: nothing more will come. */
static void
leave (Feed *feed)
{
  TractorPublisher *publisher = feed->publisher;

  if (feed->is_over)
    return;
  feed->is_over = TRUE;
  tractor_parking_lot_unpark (feed->news, G_MAXUINT);
  g_queue_unlink (&publisher->feeds, &feed->link);
  count_topics (publisher, feed->topics, -1);
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
    leave (feed);
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
  tractor_parking_lot_break (publisher->topics_changed);
  publisher_unref (publisher);
}

/* --- items ------------------------------------------------------------------------------------- */

static void
push (Feed *feed, Item *item)
{
  if (feed->items.length == feed->publisher->capacity) {
    item_unref (g_queue_pop_head (&feed->items));
    feed->n_lost++;
  }
  item->n_refs++;
  g_queue_push_tail (&feed->items, item);
  tractor_parking_lot_unpark (feed->news, G_MAXUINT);
}

/* It waits longer than the caller keeps what is in it. @value: (transfer full) */
static Item *
item_new (GVariant *value)
{
  Item *item = g_new0 (Item, 1);

  item->n_refs = 1;
  item->value = tractor_value_hold_fds (value, &item->refusal);
  if (item->value == NULL)
    item->value = g_variant_ref (value);
  tractor__refused_value_unref (value);
  return item;
}

void
tractor_publisher_send (TractorPublisher *publisher, const char *topic, GVariant *value)
{
  g_autoptr (RefusedValue) pair = NULL;
  g_autoptr (Item) item = NULL;

  g_return_if_fail (publisher != NULL && topic != NULL && g_utf8_validate (topic, -1, NULL));

  pair =
      value != NULL ? g_variant_new ("(sv)", topic, value) : g_variant_new ("(smv)", topic, NULL);
  g_variant_ref_sink (pair);
  if (!tractor_publisher_is_wanted (publisher, topic))
    return;
  item = item_new (g_steal_pointer (&pair));
  for (GList *link = publisher->feeds.head; link != NULL; link = link->next) {
    Feed *feed = link->data;

    if (g_hash_table_contains (feed->topics, topic))
      push (feed, item);
  }
}

/* Items of topics that are not wanted any more. */
static void
drop_unwanted (Feed *feed)
{
  GQueue items = feed->items;
  Item *item;

  g_queue_init (&feed->items);
  while ((item = g_queue_pop_head (&items)) != NULL) {
    const char *topic;

    g_variant_get_child (item->value, 0, "&s", &topic);
    if (g_hash_table_contains (feed->topics, topic))
      g_queue_push_tail (&feed->items, item);
    else
      item_unref (item);
  }
}

/* @topics: (transfer full) */
static void
set_topics (Feed *feed, GHashTable *topics)
{
  GHashTable *before = feed->topics;

  feed->topics = topics;
  if (!feed->is_over) {
    count_topics (feed->publisher, topics, 1);
    count_topics (feed->publisher, before, -1);
  }
  g_hash_table_unref (before);
  drop_unwanted (feed);
}

/* --- serving a subscriber ---------------------------------------------------------------------- */

/* Ends when the subscriber does. */
static gboolean
take_topics (gpointer data, GError **error)
{
  Feed *feed = data;
  GVariant *item;

  while (tractor_stream_receive (feed->stream, &item, error)) {
    GHashTable *topics = read_topics (item, error);

    g_clear_pointer (&item, g_variant_unref);
    if (topics == NULL)
      return FALSE;
    set_topics (feed, topics);
  }
  if (*error != NULL)
    return FALSE;
  tractor_cancel_scope_cancel (feed->scope, "the subscriber has left");
  return TRUE;
}

static gboolean
send_next (Feed *feed, GError **error)
{
  g_autoptr (Item) item = NULL;

  if (feed->n_lost > 0) { /* they are older than all that is left */
    guint64 n_lost = feed->n_lost;

    feed->n_lost = 0;
    return tractor_stream_send (feed->stream, g_variant_new_uint64 (n_lost), error);
  }
  item = g_queue_pop_head (&feed->items);
  if (item->refusal != NULL) {
    g_propagate_error (error, g_error_copy (item->refusal));
    return FALSE;
  }
  if (!tractor_stream_send (feed->stream, item->value, error))
    return FALSE;
  item->is_sent = TRUE;
  return TRUE;
}

static gboolean
send_all (Feed *feed, GError **error)
{
  for (;;) {
    if (feed->n_lost > 0 || feed->items.length > 0) {
      if (!send_next (feed, error))
        return FALSE;
    } else if (feed->is_over) {
      return TRUE;
    } else if (!tractor_parking_lot_park (feed->news, error)) {
      return FALSE;
    }
  }
}

/* Runs both tasks. */
static gboolean
run_feed (Feed *feed, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  GError *failure = NULL;

  feed->scope = tractor_nursery_get_scope (nursery);
  if (tractor_nursery_spawn (nursery, "topics", take_topics, feed, NULL, &failure) &&
      send_all (feed, &failure))
    tractor_cancel_scope_cancel (feed->scope, "nothing more to send");
  if (g_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN)) {
    g_clear_error (&failure); /* the subscriber has left */
    tractor_cancel_scope_cancel (feed->scope, "the subscriber has left");
  }
  if (!tractor_nursery_join (nursery, &failure)) {
    g_propagate_error (error, unwrap_group (failure));
    return FALSE;
  }
  if (feed->failure != NULL)
    g_propagate_error (error, g_steal_pointer (&feed->failure));
  return *error == NULL;
}

static gboolean
enter (Feed *feed, GError **error)
{
  TractorPublisher *publisher = feed->publisher;

  if (publisher->is_closed) {
    feed->is_over = TRUE;
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED, "The publisher is closed");
    return FALSE;
  }
  g_queue_push_tail_link (&publisher->feeds, &feed->link);
  count_topics (publisher, feed->topics, 1);
  return ensure_running (publisher, error);
}

gboolean
tractor_publisher_serve (TractorPublisher *publisher,
                         TractorContext *context,
                         GVariant *kwargs,
                         GError **error)
{
  g_autoptr (GVariant) list = NULL;
  GHashTable *topics;
  Feed *feed;
  gboolean ok;

  if (!tractor_error_check_given (publisher, "publisher", error) ||
      !tractor_error_check_given (context, "context", error) ||
      !tractor_error_check_given (kwargs, "arguments", error))
    return FALSE;

  list = g_variant_lookup_value (kwargs, "topics", NULL);
  topics = read_topics (list, error);
  if (topics == NULL)
    return FALSE;
  feed = feed_new (publisher, topics);
  /* What is sent from now on it gets: it is only then that the subscriber hears of the start. */
  ok = enter (feed, error) && tractor_context_started (context, NULL, error);
  if (ok)
    feed->stream = tractor_context_open_stream (context, error);
  ok = feed->stream != NULL && run_feed (feed, error);
  leave (feed);
  tractor_stream_close (feed->stream);
  feed_free (feed);
  return ok;
}

/* --- subscribing ------------------------------------------------------------------------------- */

static gboolean
check_topics (const char *const *topics, GError **error)
{
  for (; *topics != NULL; topics++)
    if (!g_utf8_validate (*topics, -1, NULL)) {
      g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE, "A topic is UTF-8");
      return FALSE;
    }
  return TRUE;
}

struct _TractorSubscription {
  TractorContext *context;
  TractorStream *stream;
  guint64 n_lost;
};

TractorSubscription *
tractor_subscription_open (TractorPortal *portal,
                           const char *function,
                           const char *const *topics,
                           GError **error)
{
  g_autoptr (TractorContext) context = NULL;
  TractorSubscription *subscription;
  TractorStream *stream;
  GError *failure = NULL;

  if (!tractor_error_check_given (portal, "portal", error) ||
      !tractor_error_check_given (function, "function", error) ||
      !tractor_error_check_given (topics, "list of topics", error) || !check_topics (topics, error))
    return NULL;

  context = tractor_portal_open_context (
      portal, function, g_variant_new_parsed ("{'topics': <%^as>}", topics), NULL, NULL, error);
  if (context == NULL)
    return NULL;
  stream = tractor_context_open_stream (context, &failure);
  if (stream == NULL) {
    tractor_context_join (context, NULL, &failure);
    g_propagate_error (error, failure);
    return NULL;
  }

  subscription = g_new0 (TractorSubscription, 1);
  subscription->context = g_steal_pointer (&context);
  subscription->stream = stream;
  return subscription;
}

static gboolean
set_lagged (TractorSubscription *subscription, guint64 n_lost, GError **error)
{
  subscription->n_lost += n_lost;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_LAGGED,
               "The subscriber was too slow and has lost %" G_GUINT64_FORMAT " items", n_lost);
  return FALSE;
}

/* @item: [topic, value] */
static gboolean
take_item (GVariant *item, char **ret_topic, GVariant **ret_value, GError **error)
{
  g_autoptr (GVariant) topic = NULL;
  g_autoptr (GVariant) value = NULL;

  if (item != NULL && g_variant_is_of_type (item, G_VARIANT_TYPE ("av")) &&
      g_variant_n_children (item) == 2)
    g_variant_get_child (item, 0, "v", &topic);
  if (topic == NULL || !g_variant_is_of_type (topic, G_VARIANT_TYPE_STRING)) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                         "A publisher sends pairs of a topic and a value");
    return FALSE;
  }
  g_variant_get_child (item, 1, "v", &value);
  if (ret_topic != NULL)
    *ret_topic = g_variant_dup_string (topic, NULL);
  /* A nil inside is a maybe of nothing. */
  *ret_value =
      g_variant_is_of_type (value, G_VARIANT_TYPE ("mv")) && g_variant_n_children (value) == 0
          ? NULL
          : g_steal_pointer (&value);
  return TRUE;
}

gboolean
tractor_subscription_receive (TractorSubscription *subscription,
                              char **ret_topic,
                              GVariant **ret_value,
                              GError **error)
{
  g_autoptr (GVariant) item = NULL;

  if (!tractor_error_check_given (subscription, "subscription", error) ||
      !tractor_error_check_given (ret_value, "place for the value", error))
    return FALSE;

  if (!tractor_stream_receive (subscription->stream, &item, error))
    return FALSE;
  if (item != NULL && g_variant_is_of_type (item, G_VARIANT_TYPE_INT64))
    return set_lagged (subscription, (guint64) g_variant_get_int64 (item), error);
  return take_item (item, ret_topic, ret_value, error);
}

gboolean
tractor_subscription_set_topics (TractorSubscription *subscription,
                                 const char *const *topics,
                                 GError **error)
{
  if (!tractor_error_check_given (subscription, "subscription", error) ||
      !tractor_error_check_given (topics, "list of topics", error) || !check_topics (topics, error))
    return FALSE;

  return tractor_stream_send (subscription->stream, g_variant_new_strv (topics, -1), error);
}

guint64
tractor_subscription_get_n_lost (TractorSubscription *subscription)
{
  g_return_val_if_fail (subscription != NULL, 0);

  return subscription->n_lost;
}

gboolean
tractor_subscription_join (TractorSubscription *subscription, GError **error)
{
  g_return_val_if_fail (error != NULL, FALSE);
  if (!tractor_error_check_given (subscription, "subscription", error))
    return FALSE;

  return tractor_context_join (subscription->context, NULL, error);
}

void
tractor_subscription_close (TractorSubscription *subscription)
{
  if (subscription == NULL)
    return;

  tractor_stream_close (subscription->stream);
  tractor_context_close (subscription->context);
  g_free (subscription);
}
