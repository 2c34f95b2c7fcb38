/* parts.c - where the files are that belong to the command. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "parts.h"

#include "beside.h"

#define SCRIPT  "tractor-gdb.py"
#define ORIGINS "libtractor-origins.so"

/* Of a folder beside ours as in a build, or where it is @installed. */
static char *
dup_path (const char *built, const char *installed)
{
  char path[PATH_MAX];

  return beside_find (built, installed, path) ? g_strdup (path) : NULL;
}

char *
parts_dup_debugger (void)
{
  const char *given = g_getenv ("TRACTOR_DEBUGGER"); /* as the library does */
  char *found =
      given == NULL ? dup_path ("../debugger/tractor-debugger", TRACTOR_DEBUGGER_PATH) : NULL;

  return found != NULL ? found : g_strdup (given != NULL ? given : TRACTOR_DEBUGGER_PATH);
}

char *
parts_dup_gdb_script (void)
{
  return dup_path ("../debugger/" SCRIPT, TRACTOR_SCRIPTS_DIR "/" SCRIPT);
}

char *
parts_dup_origins (void)
{
  return dup_path ("../origins/" ORIGINS, TRACTOR_ORIGINS_DIR "/" ORIGINS);
}
