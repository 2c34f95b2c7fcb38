/* exports.c - what peers may call here: one table.
 *
 * It is looked up by the two halves of a name as they stand in a Start, without a copy. A module that is served has
 * an entry without a function, for Python tells apart whether it is the module or the function that is not there.
 * What a program gives is looked at before anybody calls what is in it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "exports.h"

#include <string.h>

#include "tractor-error.h"

typedef struct {
  ExportName key; /* first: what is looked for is only this */
  Served served;
} Row;

static guint
hash_bytes (guint hash, const char *bytes, gsize length)
{
  for (gsize i = 0; i < length; i++)
    hash = hash * 33 + (guchar) bytes[i];
  return hash;
}

static guint
name_hash (gconstpointer key)
{
  const ExportName *name = key;

  return hash_bytes (hash_bytes (5381, name->ns, name->ns_length), name->name, name->name_length);
}

static gboolean
name_equal (gconstpointer a, gconstpointer b)
{
  const ExportName *one = a;
  const ExportName *other = b;

  return one->ns_length == other->ns_length && one->name_length == other->name_length &&
         (one->name == NULL) == (other->name == NULL) &&
         memcmp (one->ns, other->ns, one->ns_length) == 0 &&
         (one->name == NULL || memcmp (one->name, other->name, one->name_length) == 0);
}

GHashTable *
tractor__exports_new (void)
{
  return g_hash_table_new_full (name_hash, name_equal, g_free, NULL);
}

/* @name: (nullable) */
static ExportName
make_name (const char *ns, const char *name)
{
  return (ExportName){ .ns = ns,
                       .ns_length = strlen (ns),
                       .name = name,
                       .name_length = name != NULL ? strlen (name) : 0 };
}

ExportName
tractor__export_name_read (const Msg *start)
{
  ExportName name;

  name.ns = tractor__msg_get_string (start, FIELD_NS, &name.ns_length);
  name.name = tractor__msg_get_string (start, FIELD_FUNC, &name.name_length);
  return name;
}

char *
tractor__export_name_to_string (const ExportName *name)
{
  return g_strdup_printf ("%.*s:%.*s", (int) name->ns_length, name->ns, (int) name->name_length,
                          name->name);
}

static void
add (GHashTable *exports, const Row *row)
{
  if (!g_hash_table_contains (exports, row))
    g_hash_table_add (exports, g_memdup2 (row, sizeof *row));
}

void
tractor__exports_add (GHashTable *exports, const char *ns, const Served *served)
{
  Row row = { make_name (ns, served->entry->name), *served };
  g_autofree char *full_name = tractor__export_name_to_string (&row.key);

  row.served.full_name = g_intern_string (full_name); /* there are as many as a program has */
  add (exports, &row);
}

void
tractor__exports_remove (GHashTable *exports, const char *ns, const char *name)
{
  ExportName key = make_name (ns, name);

  g_hash_table_remove (exports, &key);
}

void
tractor__exports_add_modules (GHashTable *exports,
                              const TractorModule *modules,
                              const char *const *enabled)
{
  for (const TractorModule *module = modules; module != NULL && module->name != NULL; module++) {
    if (strcmp (module->name, NAMESPACE_SELF) == 0 ||
        (enabled != NULL && !g_strv_contains (enabled, module->name)))
      continue;
    add (exports, &(Row){ .key = make_name (module->name, NULL) });
    for (const TractorExport *entry = module->exports; entry != NULL && entry->name != NULL;
         entry++)
      tractor__exports_add (exports, module->name, &(Served){ .entry = entry });
  }
}

const Served *
tractor__exports_find (GHashTable *exports, const ExportName *name, gboolean *ret_has_module)
{
  const Row *found = g_hash_table_lookup (exports, name);
  ExportName module = { .ns = name->ns, .ns_length = name->ns_length };

  *ret_has_module = found == NULL && g_hash_table_contains (exports, &module);
  return found != NULL ? &found->served : NULL;
}

/* --- what a program gives ---------------------------------------------------------------------------- */

static const char *const kind_names[] = { "CALL", "STREAM", "CONTEXT" };

/* Returns: whether an export before @export in the table of @module is called the same. */
static gboolean
is_second_export (const TractorModule *module, const TractorExport *export)
{
  for (const TractorExport *before = module->exports; before < export; before++)
    if (strcmp (before->name, export->name) == 0)
      return TRUE;
  return FALSE;
}

/* Returns: (nullable): what is wrong with it. */
static const char *
find_mistake (const TractorModule *module, const TractorExport *export)
{
  const gboolean has[] = { export->call != NULL || export->call_packed != NULL,
                           export->stream != NULL, export->context != NULL };

  if (!g_utf8_validate (module->name, -1, NULL) || !g_utf8_validate (export->name, -1, NULL))
    return "has a name that is not UTF-8: nobody could call it";
  if ((guint) export->kind >= G_N_ELEMENTS (has))
    return "is of no kind";
  if (!has[export->kind])
    return "has no function of its kind";
  if (has[TRACTOR_EXPORT_CALL] + has[TRACTOR_EXPORT_STREAM] + has[TRACTOR_EXPORT_CONTEXT] > 1)
    return "has a function of another kind too";
  if (export->call != NULL && export->call_packed != NULL)
    return "has both a call and a call_packed";
  if (export->call_packed != NULL && export->payload_spec != NULL)
    return "has a payload_spec, which nothing of a packed call is checked against";
  if (export->payload_spec != NULL && !g_variant_type_string_is_valid (export->payload_spec))
    return "has a payload_spec that is no type of a GVariant";
  return is_second_export (module, export) ? "is listed twice" : NULL;
}

/* The second of two would never be found. */
static gboolean
check_module (const TractorModule *modules, const TractorModule *module, GError **error)
{
  const char *mistake =
      strchr (module->name, ':') != NULL ? "has a colon in its name: nobody could call it" : NULL;
  g_autofree char *name = NULL;

  for (const TractorModule *before = modules; before < module && mistake == NULL; before++)
    if (strcmp (before->name, module->name) == 0)
      mistake = "is listed twice";
  if (mistake == NULL)
    return TRUE;
  name = g_utf8_make_valid (module->name, -1);
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE, "The module '%s' %s", name, mistake);
  return FALSE;
}

gboolean
tractor__modules_check (const TractorModule *modules, GError **error)
{
  for (const TractorModule *module = modules; module != NULL && module->name != NULL; module++) {
    if (!check_module (modules, module, error))
      return FALSE;
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
