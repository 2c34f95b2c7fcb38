/* kept-types.c - the types that calls are made of, which GLib is not to forget.
 *
 * GLib has, of each container type, what it has found out about it for as long as there is a value of it, and finds it out
 * anew at the next one (2.74; later ones forget it after a while). A program that makes a call at a time has no value in
 * between: its arguments, made and read, were 31,200 instructions, of which 7,800 were that. So there is one value, without
 * an element, of each type that arguments, results and items usually have. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kept-types.h"

/* Of their elements. Those of programs live as long as the program has one of its own. */
static const char *const elements[] = { "{sv}", "{xv}", "(vv)", "v", "s", "x", "d", "y", "as" };

static GVariant *kept[G_N_ELEMENTS (elements)];

void
tractor__keep_types (void)
{
  static gsize are_kept;

  if (!g_once_init_enter (&are_kept))
    return;
  for (guint i = 0; i < G_N_ELEMENTS (elements); i++)
    kept[i] = g_variant_ref_sink (g_variant_new_array (G_VARIANT_TYPE (elements[i]), NULL, 0));
  g_once_init_leave (&are_kept, 1);
}

GVariant *
tractor__ref_no_kwargs (void)
{
  tractor__keep_types ();
  return g_variant_ref (kept[0]);
}
