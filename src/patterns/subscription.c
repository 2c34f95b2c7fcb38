/* subscription.c - who gets what a publisher in another actor sends.
 *
 * It is a context with a function that serves a publisher (publisher.c), and the stream of that: what
 * comes on it is a pair of a topic and a value, or a number of items that were lost. What is sent on it
 * is the list of topics that are wanted from then on. All of it is public API. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-topics.h"

struct _TractorSubscription {
  TractorContext *context;
  TractorStream *stream;
  guint64 n_lost;
};

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
