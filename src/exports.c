/* exports.c - the tables of what an actor serves, looked at before anybody calls what is in them. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "exports.h"

#include "tractor-error.h"

static const char *const kind_names[] = { "CALL", "STREAM", "CONTEXT" };

/* Returns: (nullable): what is wrong with it. */
static const char *
find_mistake (const TractorModule *module, const TractorExport *export)
{
  const gboolean has[] = { export->call != NULL, export->stream != NULL, export->context != NULL };

  if (!g_utf8_validate (module->name, -1, NULL) || !g_utf8_validate (export->name, -1, NULL))
    return "has a name that is not UTF-8: nobody could call it";
  if ((guint) export->kind >= G_N_ELEMENTS (has))
    return "is of no kind";
  if (!has[export->kind])
    return "has no function of its kind";
  if (has[TRACTOR_EXPORT_CALL] + has[TRACTOR_EXPORT_STREAM] + has[TRACTOR_EXPORT_CONTEXT] > 1)
    return "has a function of another kind too";
  if (export->payload_spec != NULL && !g_variant_type_string_is_valid (export->payload_spec))
    return "has a payload_spec that is no type of a GVariant";
  return NULL;
}

gboolean
tractor__modules_check (const TractorModule *modules, GError **error)
{
  for (const TractorModule *module = modules; module != NULL && module->name != NULL; module++) {
    for (const TractorExport *export = module->exports; export != NULL && export->name != NULL;
         export ++) {
      const char *mistake = find_mistake (module, export);
      g_autofree char *module_name = NULL;
      g_autofree char *name = NULL;

      if (mistake == NULL)
        continue;
      module_name = g_utf8_make_valid (module->name, -1);
      name = g_utf8_make_valid (export->name, -1);
      g_set_error (
          error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE, "The export '%s:%s' (%s) %s", module_name,
          name, (guint) export->kind < G_N_ELEMENTS (kind_names) ? kind_names[export->kind] : "?",
          mistake);
      return FALSE;
    }
  }
  return TRUE;
}
