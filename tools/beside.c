/* beside.c - where the other files are that a program of tools/ is installed with: in a build they are in folders beside its
 * own. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "beside.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool
beside_find (const char *built, const char *installed, char path[PATH_MAX])
{
  ssize_t n = readlink ("/proc/self/exe", path, PATH_MAX - 1);
  char *slash;

  path[n > 0 ? n : 0] = '\0';
  slash = strrchr (path, '/');
  if (slash != NULL && (size_t) (slash - path) + strlen (built) + 2 < PATH_MAX) {
    strcpy (slash + 1, built);
    if (access (path, R_OK) == 0)
      return true;
  }
  snprintf (path, PATH_MAX, "%s", installed);
  return access (path, R_OK) == 0;
}
