/* feed.c - what a publisher has for one subscriber.
 *
 * A feed is the topics that its subscriber wants, and a queue of items that it has not been sent yet.
 * Its own task sends, and may be held up by the subscriber; then the queue fills, the oldest items make
 * room, and their number is sent in their place. Behind such a number comes an item in any case, so that who
 * is slow gets something, and not only told of what is lost. A second task takes new lists of topics, and notices
 * that the subscriber has left. A change of topics takes effect when it arrives: what is in the queue
 * and not wanted any more is dropped.
 *
 * A feed that is over sends what it has left. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "feed.h"

#include "unwrap.h"
#include "value.h"

/* --- items ------------------------------------------------------------------------------------- */

FeedItem *
tractor__feed_item_new (GVariant *value)
{
  FeedItem *item = g_new0 (FeedItem, 1);

  item->n_refs = 1;
  item->value = tractor_value_hold_fds (value, &item->refusal);
  if (item->value == NULL)
    item->value = g_variant_ref (value);
  tractor__refused_value_unref (value);
  return item;
}

void
tractor__feed_item_unref (gpointer data)
{
  FeedItem *item = data;

  if (--item->n_refs > 0)
    return;

  if (item->is_sent)
    g_variant_unref (item->value);
  else
    tractor__refused_value_unref (item->value);
  g_clear_error (&item->refusal);
  g_free (item);
}

void
tractor__feed_push (Feed *feed, FeedItem *item)
{
  if (feed->items.length == feed->capacity) {
    feed->n_lost++;
    if (feed->keeps_head && feed->capacity == 1)
      return;
    tractor__feed_item_unref (g_queue_pop_nth (&feed->items, feed->keeps_head ? 1 : 0));
  }
  item->n_refs++;
  g_queue_push_tail (&feed->items, item);
  tractor_parking_lot_unpark (feed->news, G_MAXUINT);
}

/* Items of topics that are not wanted any more. */
static void
drop_unwanted (Feed *feed)
{
  GQueue items = feed->items;
  FeedItem *item;

  feed->keeps_head = FALSE;
  g_queue_init (&feed->items);
  while ((item = g_queue_pop_head (&items)) != NULL) {
    const char *topic;

    g_variant_get_child (item->value, 0, "&s", &topic);
    if (g_hash_table_contains (feed->topics, topic))
      g_queue_push_tail (&feed->items, item);
    else
      tractor__feed_item_unref (item);
  }
}

/* --- life -------------------------------------------------------------------------------------- */

Feed *
tractor__feed_new (WantedTopics *wanted, guint capacity, GHashTable *topics)
{
  Feed *feed = g_new0 (Feed, 1);

  feed->wanted = wanted;
  feed->capacity = capacity;
  feed->link.data = feed;
  feed->topics = topics;
  feed->news = tractor_parking_lot_new ();
  tractor_parking_lot_set_static_name (feed->news, "topic");
  return feed;
}

void
tractor__feed_free (Feed *feed)
{
  g_queue_clear_full (&feed->items, tractor__feed_item_unref);
  g_hash_table_unref (feed->topics);
  g_clear_error (&feed->failure);
  tractor_parking_lot_free (feed->news);
  g_free (feed);
}

void
tractor__feed_end (Feed *feed)
{
  feed->is_over = TRUE;
  tractor_parking_lot_unpark (feed->news, G_MAXUINT);
}

/* --- its topics -------------------------------------------------------------------------------- */

/* @topics: (transfer full) */
static void
set_topics (Feed *feed, GHashTable *topics)
{
  GHashTable *before = feed->topics;

  feed->topics = topics;
  if (!feed->is_over) {
    tractor__wanted_topics_count (feed->wanted, topics, 1);
    tractor__wanted_topics_count (feed->wanted, before, -1);
  }
  g_hash_table_unref (before);
  drop_unwanted (feed);
}

/* Ends when the subscriber does. */
static gboolean
take_topics (gpointer data, GError **error)
{
  Feed *feed = data;
  GVariant *item;

  while (tractor_stream_receive (feed->stream, &item, error)) {
    GHashTable *topics = tractor__topics_read (item, error);

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

/* --- sending ----------------------------------------------------------------------------------- */

#define ITEMS_A_TURN 64

/* As many as there is room for at once, up to a limit: a publisher that sends several in each of its turns is
 * to be kept up with. */
static gboolean
send (Feed *feed, GVariant *value, GError **error)
{
  GError *failure = NULL;

  if (++feed->n_in_turn < ITEMS_A_TURN) {
    if (tractor_stream_send_nowait (feed->stream, value, &failure))
      return TRUE;
    if (!g_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_WOULD_BLOCK)) {
      g_propagate_error (error, failure);
      return FALSE;
    }
    g_clear_error (&failure);
  }
  feed->n_in_turn = 0;
  return tractor_stream_send (feed->stream, value, error);
}

/* What was lost is older than all that is left, or than all but the head. */
static gboolean
tell_of_gap (Feed *feed, GError **error)
{
  g_autoptr (GVariant) n_lost = g_variant_ref_sink (g_variant_new_uint64 (feed->n_lost));

  feed->n_lost = 0;
  feed->keeps_head = TRUE;
  return send (feed, n_lost, error);
}

static gboolean
send_next (Feed *feed, GError **error)
{
  g_autoptr (FeedItem) item = NULL;

  if (feed->n_lost > 0 && (!feed->keeps_head || feed->items.length == 0))
    return tell_of_gap (feed, error);
  feed->keeps_head = FALSE;
  item = g_queue_pop_head (&feed->items);
  if (item->refusal != NULL) {
    g_propagate_error (error, g_error_copy (item->refusal));
    return FALSE;
  }
  if (!send (feed, item->value, error))
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
    } else {
      feed->n_in_turn = 0;
      if (!tractor_parking_lot_park (feed->news, error))
        return FALSE;
    }
  }
}

/* --- both -------------------------------------------------------------------------------------- */

gboolean
tractor__feed_run (Feed *feed, TractorStream *stream, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  GError *failure = NULL;

  feed->stream = stream;
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
