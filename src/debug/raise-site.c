/* raise-site.c - where an error was made, if that was noted.
 *
 * A library that is loaded before all others notes it (tools/origins): in the root if `tractor run` has started that, and
 * in actors if debug mode has put it into their environment. Nothing is noted otherwise, and asking costs a look at one
 * pointer.
 *
 * What is known goes up to the other actors in the text that an Error has for a traceback, below the function that has
 * failed; so a Python parent shows it, too, and no peer need know of it. In it are files, and where in them, and names
 * as far as the files have them: what else there is to know is in the debug information, which the debugger reads that
 * looks at an actor which the failure comes to. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "raise-site.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "origins-protocol.h"
#include "tractor-crash.h"
#include "tractor-error.h"

#define LIBRARY_VARIABLE "TRACTOR_ORIGINS"

/* What begins the text, and is looked for in one of another actor's. */
#define RAISED "raised in process "

/* Of a group, as many as somebody reads. */
#define MOST_SITES 4

static gboolean are_noted_in_children;

/* --- the library that knows ---------------------------------------------------------------------- */

/* Returns: (nullable): NULL if it was not loaded. */
static OriginsFind
get_find (void)
{
  static gsize found;

  if (g_once_init_enter (&found)) {
    void *symbol = dlsym (RTLD_DEFAULT, ORIGINS_FIND_1);

    g_once_init_leave (&found, symbol != NULL ? (gsize) symbol : 1);
  }
  return found != 1 ? (OriginsFind) found : NULL;
}

void
tractor__raise_site_note_in_children (void)
{
  are_noted_in_children = TRUE;
}

/* (transfer none) (nullable) */
static const char *
find_library (void)
{
  OriginsFind find = get_find ();
  const char *named = secure_getenv (LIBRARY_VARIABLE);
  Dl_info info;

  if (find != NULL && dladdr ((void *) find, &info) != 0)
    return info.dli_fname;
  if (!are_noted_in_children || dlsym (RTLD_DEFAULT, "__asan_init") != NULL)
    return NULL; /* AddressSanitizer insists on being the first */
  return named != NULL ? named : TRACTOR_ORIGINS_PATH;
}

char *
tractor__raise_site_make_variable (void)
{
  const char *library = find_library ();
  const char *others = g_getenv ("LD_PRELOAD");

  if (library == NULL)
    return NULL;
  return others != NULL && others[0] != '\0' ? g_strdup_printf ("LD_PRELOAD=%s:%s", library, others)
                                             : g_strdup_printf ("LD_PRELOAD=%s", library);
}

/* --- in words ------------------------------------------------------------------------------------ */

/* A return address is looked up one byte before it: the call may be the last thing in its function. */
static void
append_frame (GString *text, gsize pc)
{
  g_autofree char *name = tractor_dup_function_name ((gconstpointer) (pc - 1));
  g_autofree char *program = NULL;
  const struct link_map *module = NULL;
  Dl_info info;

  if (dladdr1 ((void *) (pc - 1), &info, (void **) &module, RTLD_DL_LINKMAP) == 0 || module == NULL)
    return;
  if (module->l_name[0] == '\0')
    program = g_file_read_link ("/proc/self/exe", NULL);
  g_string_append_printf (text, "\n  %s (%s+%#" G_GSIZE_MODIFIER "x)", name != NULL ? name : "?",
                          program != NULL ? program : info.dli_fname, pc - (gsize) info.dli_fbase);
}

char *
tractor__raise_site_describe (const GError *error)
{
  OriginsFind find = get_find ();
  void *pcs[ORIGINS_MOST_FRAMES];
  int n = find != NULL ? find (error, pcs, ORIGINS_MOST_FRAMES) : 0;
  GString *text;

  if (n == 0)
    return NULL;
  text = g_string_new (NULL);
  g_string_append_printf (text, RAISED "%d at", (int) getpid ());
  for (int i = 0; i < n; i++)
    append_frame (text, (gsize) pcs[i]);
  return g_string_free (text, FALSE);
}

/* --- for the debugger ---------------------------------------------------------------------------- */

/* Who has made it, and who has passed it on: "@NAME", a tab between them. */
static void
append_way (GString *list, const TractorRemoteError *remote)
{
  for (guint i = 0; remote->relays[i] != NULL; i++)
    g_string_append_printf (list, "%s%.*s", i > 0 ? "\t" : "",
                            (int) strcspn (remote->relays[i], "@"), remote->relays[i]);
}

static void
append_sites (GString *list, const GError *error, guint *n_left)
{
  const TractorRemoteError *remote = tractor_error_get_remote (error);
  const GPtrArray *members = remote != NULL ? remote->members : tractor_error_get_children (error);
  g_autofree char *own = NULL;
  const char *site;

  for (guint i = 0; members != NULL && i < members->len; i++)
    append_sites (list, members->pdata[i], n_left);
  if (members != NULL || *n_left == 0)
    return;
  if (remote == NULL)
    site = own = tractor__raise_site_describe (error);
  else
    site = remote->backtrace != NULL ? strstr (remote->backtrace, RAISED) : NULL;
  if (site == NULL)
    return;
  --*n_left;
  g_string_append_c (list, '@');
  if (remote != NULL)
    append_way (list, remote);
  g_string_append_printf (list, "\n%s\n", site);
}

char *
tractor__raise_site_list (const GError *failure)
{
  GString *list = g_string_new (NULL);
  guint n_left = MOST_SITES;

  append_sites (list, failure, &n_left);
  return g_string_free (list, list->len == 0);
}
