/* topics.c - one publisher, and subscribers who get what they have asked for.
 *
 * The exchange publishes prices, only of what somebody wants to know. The bank wants gold and wheat, the
 * baker wheat; later both want rye instead. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-builtin.h>
#include <tractor.h>

static TractorPublisher *prices; /* in the exchange */

static gboolean
publish (TractorPublisher *publisher, G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char *const goods[] = { "gold", "rye", "wheat" };

  for (gint64 price = 100;; price++) {
    for (guint i = 0; i < G_N_ELEMENTS (goods); i++)
      if (tractor_publisher_is_wanted (publisher, goods[i])) /* it may be dear to find out */
        tractor_publisher_send (publisher, goods[i], g_variant_new_int64 (price));
    if (!tractor_sleep_until (tractor_now () + 10000, error))
      return FALSE;
  }
}

/* The publisher's life: a context that is open for as long as there is an exchange. */
static gboolean
trade (TractorContext *context, GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();

  (void) kwargs, (void) ret_result;
  prices = tractor_publisher_open (64, tasks, publish, NULL);
  if (tractor_context_started (context, NULL, error))
    tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
  g_clear_pointer (&prices, tractor_publisher_close);
  return tractor_nursery_join (tasks, error);
}

static gboolean
feed (TractorContext *context, GVariant *kwargs, GVariant **ret_result, GError **error)
{
  (void) ret_result;
  return tractor_publisher_serve (prices, context, kwargs, error);
}

/* Here: one of the subscribers. */
typedef struct {
  TractorPortal *portal;
  const char *topics[3];
} Wishes;

static gboolean
subscribe (gpointer data, GError **error)
{
  static const char *const later[] = { "rye", NULL };
  Wishes *wishes = data;
  int n = 0;
  g_autoptr (TractorSubscription) subscription =
      tractor_subscription_open (wishes->portal, "exchange:feed", wishes->topics, error);

  while (subscription != NULL && n < 6) {
    g_autofree char *topic = NULL;
    g_autoptr (GVariant) price = NULL;

    if (!tractor_subscription_receive (subscription, &topic, &price, error))
      break;
    g_print ("%s: %s is at %d\n", tractor_task_get_name (), topic,
             (int) g_variant_get_int64 (price));
    /* What was on its way when the topics change is received before. */
    if (g_str_equal (topic, n < 3 ? "wheat" : "rye") && ++n == 3 &&
        !tractor_subscription_set_topics (subscription, later, error))
      break;
  }
  return subscription != NULL && tractor_subscription_join (subscription, error);
}

static gboolean
run (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = NULL;
  g_autoptr (TractorContext) exchange = NULL;

  if (actors == NULL)
    return FALSE;
  portal = tractor_actor_nursery_start (actors, "exchange", NULL, error);
  if (portal != NULL)
    exchange = tractor_portal_open_context (portal, "exchange:trade", NULL, NULL, NULL, error);
  if (exchange != NULL) {
    Wishes bank = { portal, { "gold", "wheat" } };
    Wishes baker = { portal, { "wheat" } };
    g_autoptr (TractorNursery) tasks = tractor_nursery_open ();

    if (tractor_nursery_spawn (tasks, "bank", subscribe, &bank, NULL, error))
      tractor_nursery_spawn (tasks, "baker", subscribe, &baker, NULL, error);
    tractor_nursery_join (tasks, error);
    tractor_context_cancel (exchange); /* it would trade for ever */
    if (tractor_context_join (exchange, NULL, error))
      tractor_actor_nursery_cancel (actors);
  }
  return tractor_actor_nursery_join (actors, error);
}

int
main (int argc, char **argv)
{
  static const TractorExport exports[] = { { "trade", TRACTOR_EXPORT_CONTEXT, .context = trade },
                                           { "feed", TRACTOR_EXPORT_CONTEXT, .context = feed },
                                           { 0 } };
  static const TractorModule modules[] = { { "exchange", exports }, { 0 } };
  static const TractorRunner runners[] = { { "builtin", tractor_run }, { 0 } };
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  return tractor_run (run, NULL, NULL) ? 0 : 1;
}
