/* ask-registrars.c - what registrars are asked, and who they name is connected to.
 *
 * A question goes over the connection that this actor is registered by, if there is one; into our own
 * table, if we are one; else over a connection for just that. What is found is connected to, best address
 * first; an address where nobody is any more is reported back. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "ask-registrars.h"

#include "peer.h"
#include "portal.h"
#include "registry.h"

/* --- asking ------------------------------------------------------------------------------------ */

/* Nobody can bear another, and it cannot be asked for. */
static gboolean
check_name (const char *name, GError **error)
{
  if (g_utf8_validate (name, -1, NULL))
    return TRUE;
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE, "An actor's name is UTF-8");
  return FALSE;
}

gboolean
tractor__registrars_enter (RuntimeUse *use, const char *name, GError **error)
{
  return tractor__runtime_enter (use, error) != NULL && check_name (name, error);
}

guint
tractor__registrars_get (TractorRuntime *runtime, guint i, Registrar **ret_registrar)
{
  guint n_own = runtime->registry != NULL ? 1 : 0;

  *ret_registrar = i >= n_own && i - n_own < runtime->registrars->len
                       ? runtime->registrars->pdata[i - n_own]
                       : NULL;
  return n_own + runtime->registrars->len;
}

/* (transfer full): a link to ask over. *@ret_is_own: to be closed afterwards. */
static Link *
get_link (Registrar *registrar, gboolean *ret_is_own, GError **error)
{
  *ret_is_own = registrar->link == NULL;
  if (registrar->link != NULL)
    return tractor__link_ref (registrar->link);
  return tractor__peer_dial (registrar->runtime, &registrar->address, error);
}

gboolean
tractor__registrars_ask (TractorRuntime *runtime,
                         Registrar *registrar,
                         const char *function,
                         GVariant *kwargs,
                         GVariant **ret_result,
                         GError **error)
{
  g_autofree char *full_name = g_strconcat ("self:", function, NULL);
  g_autoptr (Link) link = NULL;
  gboolean is_own;
  gboolean ok;

  if (registrar == NULL)
    return tractor__registry_ask (runtime->registry, function, kwargs, ret_result, error);
  link = get_link (registrar, &is_own, error);
  if (link == NULL)
    return FALSE;
  ok = tractor__call (link, full_name, kwargs, ret_result, error);
  if (is_own)
    tractor__link_close (link);
  return ok;
}

gboolean
tractor__registrars_set_unreachable (GError **error, const GError *problem)
{
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_REGISTRY, "No registrar can be reached%s%s",
               problem != NULL ? ": " : "", problem != NULL ? problem->message : "");
  return FALSE;
}

/* --- connecting -------------------------------------------------------------------------------- */

static void
strike_off (TractorRuntime *runtime, Registrar *registrar, const Address *address)
{
  g_autoptr (GVariant) kwargs = NULL;
  g_autoptr (GVariant) struck = NULL;
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&builder, "{sv}", "addr", tractor__address_to_variant (address));
  kwargs = g_variant_ref_sink (g_variant_builder_end (&builder));
  tractor__registrars_ask (runtime, registrar, "delete_addr", kwargs, &struck, NULL);
}

TractorPortal *
tractor__registrars_connect (TractorRuntime *runtime,
                             Registrar *registrar,
                             GPtrArray *addresses,
                             GError **error)
{
  g_autoptr (GError) first_problem = NULL;
  const Address *address;

  while ((address = tractor__address_choose (addresses)) != NULL) {
    g_autoptr (GError) problem = NULL;
    Link *link = tractor__peer_dial (runtime, address, &problem);

    if (link != NULL)
      return tractor__portal_new_for_link (link, TRUE);
    if (error_is_cancelled (problem)) {
      g_propagate_error (error, g_steal_pointer (&problem));
      return NULL;
    }
    if (g_error_matches (problem, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED))
      strike_off (runtime, registrar, address);
    else if (first_problem == NULL)
      first_problem = g_steal_pointer (&problem);
    g_ptr_array_remove (addresses, (gpointer) address);
  }
  if (first_problem != NULL)
    g_propagate_error (error, g_steal_pointer (&first_problem));
  return NULL;
}
