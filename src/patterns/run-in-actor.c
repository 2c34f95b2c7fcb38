/* run-in-actor.c - an actor for one call. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-actor.h"
#include "value.h"

gboolean
tractor_run_in_actor (const char *name,
                      const TractorSpawnOptions *options,
                      const char *function,
                      GVariant *kwargs,
                      GVariant **ret_result,
                      GError **error)
{
  g_autoptr (RefusedValue) owned = kwargs != NULL ? g_variant_ref_sink (kwargs) : NULL;
  g_autoptr (TractorActorNursery) nursery = NULL;
  g_autoptr (TractorPortal) portal = NULL;
  g_autoptr (GVariant) result = NULL;
  GError *failure = NULL;

  if (!tractor_error_check_given (name, "name", error) ||
      !tractor_error_check_given (function, "function", error))
    return FALSE;

  nursery = tractor_actor_nursery_open (error);
  if (nursery == NULL)
    return FALSE;

  portal = tractor_actor_nursery_start (nursery, name, options, &failure);
  if (portal != NULL && tractor_portal_call (portal, function, owned, &result, &failure))
    tractor_actor_nursery_cancel (nursery);
  if (!tractor_actor_nursery_join (nursery, &failure)) {
    g_propagate_error (error, failure);
    return FALSE;
  }
  if (ret_result != NULL)
    *ret_result = g_steal_pointer (&result);
  return TRUE;
}
