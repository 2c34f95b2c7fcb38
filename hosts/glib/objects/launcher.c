/* launcher.c - TractorGlibLauncher: what children are started with, as GSubprocessLauncher has it for programs.
 *
 * A bag of properties, each a member of TractorSpawnOptions. Who is to be started has a copy: what is changed
 * after that is for those that come later. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "launcher.h"

#include <unistd.h>

struct _TractorGlibLauncher {
  GObject parent_instance;
  char **modules;
  char *program;
  char *host;
  char **argv;
  char **env;
  char *cwd;
  char **listen_addresses;
  char *log_level;
  gboolean is_python;
  guint nice;
  guint max_restarts;
  GArray *fds;                 /* (element-type TractorFdMapping): ours, unless this is a copy */
  GArray *limits;              /* (element-type TractorResourceLimit) */
  TractorGlibLauncher *origin; /* (nullable): of a copy */
};

enum {
  PROP_MODULES = 1,
  PROP_PROGRAM,
  PROP_HOST,
  PROP_ARGV,
  PROP_ENV,
  PROP_CWD,
  PROP_LISTEN_ADDRESSES,
  PROP_LOG_LEVEL,
  PROP_PYTHON,
  PROP_NICE,
  PROP_MAX_RESTARTS,
  N_PROPS
};

G_DEFINE_TYPE (TractorGlibLauncher, tractor_glib_launcher, G_TYPE_OBJECT)

/* --- starting -------------------------------------------------------------------------------------------- */

TractorGlibLauncher *
tractor__launcher_copy (TractorGlibLauncher *self)
{
  TractorGlibLauncher *copy = tractor_glib_launcher_new ();

  g_object_set (copy, "modules", self->modules, "program", self->program, "host", self->host,
                "argv", self->argv, "env", self->env, "cwd", self->cwd, "listen-addresses",
                self->listen_addresses, "log-level", self->log_level, "python", self->is_python,
                "nice", self->nice, "max-restarts", self->max_restarts, NULL);
  copy->origin = g_object_ref (self); /* whose descriptors they are */
  g_array_set_clear_func (copy->fds, NULL);
  g_array_append_vals (copy->fds, self->fds->data, self->fds->len);
  g_array_append_vals (copy->limits, self->limits->data, self->limits->len);
  return copy;
}

TractorActorNursery *
tractor__launcher_open_nursery (TractorGlibLauncher *self, GError **error)
{
  const TractorRestartOptions options = { .max_restarts = self->max_restarts };

  return tractor_actor_nursery_open_with_restarts (&options, error);
}

TractorPortal *
tractor__launcher_start (TractorGlibLauncher *self,
                         TractorActorNursery *nursery,
                         const char *name,
                         GError **error)
{
  const TractorSpawnOptions options = {
    .modules = (const char *const *) self->modules,
    .program = self->program,
    .host = self->host,
    .argv = (const char *const *) self->argv,
    .env = (const char *const *) self->env,
    .cwd = self->cwd,
    .fds = (const TractorFdMapping *) (gpointer) self->fds->data,
    .n_fds = self->fds->len,
    .limits = (const TractorResourceLimit *) (gpointer) self->limits->data,
    .n_limits = self->limits->len,
    .listen_addresses = (const char *const *) self->listen_addresses,
    .log_level = self->log_level,
    .is_python = self->is_python,
    .nice = self->nice,
    .on_death = self->max_restarts > 0 ? TRACTOR_ON_DEATH_RESTART : TRACTOR_ON_DEATH_FAIL,
  };

  return tractor_actor_nursery_start (nursery, name, &options, error);
}

/* --- the class ------------------------------------------------------------------------------------------- */

static void
close_mapped (gpointer data)
{
  close (((TractorFdMapping *) data)->here);
}

static void
tractor_glib_launcher_init (TractorGlibLauncher *self)
{
  self->fds = g_array_new (FALSE, FALSE, sizeof (TractorFdMapping));
  g_array_set_clear_func (self->fds, close_mapped);
  self->limits = g_array_new (FALSE, FALSE, sizeof (TractorResourceLimit));
}

static void
finalize (GObject *object)
{
  TractorGlibLauncher *self = TRACTOR_GLIB_LAUNCHER (object);

  g_strfreev (self->modules);
  g_free (self->program);
  g_free (self->host);
  g_strfreev (self->argv);
  g_strfreev (self->env);
  g_free (self->cwd);
  g_strfreev (self->listen_addresses);
  g_free (self->log_level);
  g_array_unref (self->fds);
  g_array_unref (self->limits);
  g_clear_object (&self->origin);
  G_OBJECT_CLASS (tractor_glib_launcher_parent_class)->finalize (object);
}

/* Where the value of a property of that type is; NULL: of another. */
static char **
get_string (TractorGlibLauncher *self, guint id)
{
  switch (id) {
  case PROP_PROGRAM:
    return &self->program;
  case PROP_HOST:
    return &self->host;
  case PROP_CWD:
    return &self->cwd;
  case PROP_LOG_LEVEL:
    return &self->log_level;
  default:
    return NULL;
  }
}

static char ***
get_strings (TractorGlibLauncher *self, guint id)
{
  switch (id) {
  case PROP_MODULES:
    return &self->modules;
  case PROP_ARGV:
    return &self->argv;
  case PROP_ENV:
    return &self->env;
  case PROP_LISTEN_ADDRESSES:
    return &self->listen_addresses;
  default:
    return NULL;
  }
}

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  TractorGlibLauncher *self = TRACTOR_GLIB_LAUNCHER (object);

  if (get_string (self, id) != NULL) {
    g_free (*get_string (self, id));
    *get_string (self, id) = g_value_dup_string (value);
  } else if (get_strings (self, id) != NULL) {
    g_strfreev (*get_strings (self, id));
    *get_strings (self, id) = g_value_dup_boxed (value);
  } else if (id == PROP_PYTHON) {
    self->is_python = g_value_get_boolean (value);
  } else if (id == PROP_NICE) {
    self->nice = g_value_get_uint (value);
  } else if (id == PROP_MAX_RESTARTS) {
    self->max_restarts = g_value_get_uint (value);
  } else {
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
  }
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  TractorGlibLauncher *self = TRACTOR_GLIB_LAUNCHER (object);

  if (get_string (self, id) != NULL)
    g_value_set_string (value, *get_string (self, id));
  else if (get_strings (self, id) != NULL)
    g_value_set_boxed (value, *get_strings (self, id));
  else if (id == PROP_PYTHON)
    g_value_set_boolean (value, self->is_python);
  else if (id == PROP_NICE)
    g_value_set_uint (value, self->nice);
  else if (id == PROP_MAX_RESTARTS)
    g_value_set_uint (value, self->max_restarts);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
}

static void
tractor_glib_launcher_class_init (TractorGlibLauncherClass *class)
{
  static const struct {
    guint id;
    const char *name;
  } strings[] = { { PROP_PROGRAM, "program" },
                  { PROP_HOST, "host" },
                  { PROP_CWD, "cwd" },
                  { PROP_LOG_LEVEL, "log-level" } },
    lists[] = { { PROP_MODULES, "modules" },
                { PROP_ARGV, "argv" },
                { PROP_ENV, "env" },
                { PROP_LISTEN_ADDRESSES, "listen-addresses" } };
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;
  GObjectClass *object_class = G_OBJECT_CLASS (class);

  object_class->finalize = finalize;
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  for (guint i = 0; i < G_N_ELEMENTS (strings); i++)
    g_object_class_install_property (
        object_class, strings[i].id,
        g_param_spec_string (strings[i].name, NULL, NULL, NULL, flags));
  for (guint i = 0; i < G_N_ELEMENTS (lists); i++)
    g_object_class_install_property (
        object_class, lists[i].id,
        g_param_spec_boxed (lists[i].name, NULL, NULL, G_TYPE_STRV, flags));
  g_object_class_install_property (object_class, PROP_PYTHON,
                                   g_param_spec_boolean ("python", NULL, NULL, FALSE, flags));
  g_object_class_install_property (object_class, PROP_NICE,
                                   g_param_spec_uint ("nice", NULL, NULL, 0, 19, 0, flags));
  g_object_class_install_property (
      object_class, PROP_MAX_RESTARTS,
      g_param_spec_uint ("max-restarts", NULL, NULL, 0, G_MAXUINT, 0, flags));
}

/* --- public ---------------------------------------------------------------------------------------------- */

TractorGlibLauncher *
tractor_glib_launcher_new (void)
{
  return g_object_new (TRACTOR_GLIB_TYPE_LAUNCHER, NULL);
}

void
tractor_glib_launcher_take_fd (TractorGlibLauncher *self, int source_fd, int target_fd)
{
  TractorFdMapping mapping = { source_fd, target_fd };

  g_return_if_fail (TRACTOR_GLIB_IS_LAUNCHER (self) && source_fd >= 0 && target_fd >= 0);

  g_array_append_val (self->fds, mapping);
}

void
tractor_glib_launcher_set_limit (TractorGlibLauncher *self,
                                 int resource,
                                 guint64 soft,
                                 guint64 hard)
{
  TractorResourceLimit limit = { resource, soft, hard };

  g_return_if_fail (TRACTOR_GLIB_IS_LAUNCHER (self));

  g_array_append_val (self->limits, limit);
}
