/* main.c - tractor: what there is of actors on this machine, from outside.
 *
 * Here is the table of commands, and what they have in common: options, a process, help, and what the program ends
 * with. A command says what it has failed with in a GError, and which kind of failure that is by its status. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "text.h"

static const Command *const commands[] = {
  &command_tree, &command_dump, &command_top,  &command_attach, &command_core,
  &command_run,  &command_kill, &command_reap, &command_trace,
};

/* --- help ---------------------------------------------------------------------------------------- */

static void
print_usage (FILE *out)
{
  fputs ("usage: tractor COMMAND [OPTION...] [PID | PROGRAM...]\n\n", out);
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    fprintf (out, "  %-6s %s\n", commands[i]->name, commands[i]->summary);
  fputs ("\n`tractor COMMAND --help` tells more of one, `man tractor` all of it.\n", out);
}

static gboolean
is_help (const char *word)
{
  return strcmp (word, "help") == 0 || strcmp (word, "--help") == 0 || strcmp (word, "-h") == 0;
}

static const Command *
find_command (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    if (strcmp (commands[i]->name, name) == 0)
      return commands[i];
  return NULL;
}

/* --- what is given ------------------------------------------------------------------------------- */

static const char *
get_parameter (const Command *command)
{
  switch (command->takes_pid) {
  case MAY_TAKE_PID:
    return "[PID]";
  case NEEDS_PID:
    return "PID";
  case TAKES_PROGRAM:
    return "[--] PROGRAM [ARGUMENT...]";
  case TAKES_NO_PID:
  default:
    return NULL;
  }
}

static gboolean
parse_pid (const char *text, gint *ret_pid, GError **error)
{
  guint64 number;

  if (g_ascii_string_to_unsigned (text, 10, 1, G_MAXINT, &number, NULL)) {
    *ret_pid = (gint) number;
    return TRUE;
  }
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               "'%s' is not the number of a process", text);
  return FALSE;
}

/* @arguments: what is left after the options. */
static gboolean
take_pid (const Command *command, int argc, char **arguments, gint *ret_pid, GError **error)
{
  *ret_pid = 0;
  if (argc == 1 && (command->takes_pid == MAY_TAKE_PID || command->takes_pid == NEEDS_PID))
    return parse_pid (arguments[0], ret_pid, error);
  if (argc == 0 && command->takes_pid != NEEDS_PID)
    return TRUE;
  if (argc == 0)
    g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                         "The number of a process is missing");
  else
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "'%s' is too much",
                 arguments[command->takes_pid == TAKES_NO_PID ? 0 : 1]);
  return FALSE;
}

/* (nullable): the option that @argument is, if its value is not in there, too. */
static const GOptionEntry *
find_option (const Command *command, const char *argument)
{
  for (const GOptionEntry *entry = command->options; entry->long_name != NULL; entry++) {
    const char short_name[] = { '-', entry->short_name, '\0' };
    gboolean is_long = *entry->long_name != '\0' && g_str_has_prefix (argument, "--");

    if (is_long ? strcmp (argument + 2, entry->long_name) == 0
                : entry->short_name != '\0' && strcmp (argument, short_name) == 0)
      return entry;
  }
  return NULL;
}

static gboolean
has_optional_value (const GOptionEntry *entry)
{
  return (entry->flags & G_OPTION_FLAG_OPTIONAL_ARG) != 0;
}

static gboolean
needs_value (const GOptionEntry *entry)
{
  return entry->arg != G_OPTION_ARG_NONE && !has_optional_value (entry);
}

/* A value that may be missing stands behind '=': the next argument is never taken for one, as GOption would. */
static void
mark_missing_values (const Command *command, int argc, char **argv)
{
  for (int i = 1; i < argc && argv[i][0] == '-' && strcmp (argv[i], "--") != 0; i++) {
    const GOptionEntry *entry = find_option (command, argv[i]);

    if (entry != NULL && has_optional_value (entry)) {
      g_autofree char *marked = g_strconcat (argv[i], "=", NULL);

      argv[i] = (char *) g_intern_string (marked);
    } else if (entry != NULL && needs_value (entry)) {
      i++;
    }
  }
}

static gboolean
parse (const Command *command, int *argc, char ***argv, gint *ret_pid, GError **error)
{
  g_autoptr (GOptionContext) context = g_option_context_new (get_parameter (command));
  g_autofree char *called = g_strdup_printf ("tractor %s", command->name);

  g_set_prgname (called); /* as it is to stand in the help */
  g_option_context_add_main_entries (context, command->options, NULL);
  g_option_context_set_strict_posix (context, command->takes_pid == TAKES_PROGRAM);
  mark_missing_values (command, *argc, *argv);
  g_option_context_set_summary (context, command->summary);
  g_option_context_set_description (context, command->description);
  return g_option_context_parse (context, argc, argv, error) &&
         take_pid (command, *argc - 1, *argv + 1, ret_pid, error);
}

/* --- the whole ----------------------------------------------------------------------------------- */

/* What was said to somebody else may be from an actor. */
static void
complain (const GError *error)
{
  g_autofree char *text = text_escape (error->message);

  fprintf (stderr, "tractor: %s\n", text);
}

static Status
run_command (const Command *command, int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  Status status = STATUS_USAGE;
  gint pid;

  if (parse (command, &argc, &argv, &pid, &error))
    status = command->run (pid, &error);
  if (error != NULL)
    complain (error);
  if (status == STATUS_USAGE)
    fprintf (stderr, "`tractor %s --help` says how it is called.\n", command->name);
  return status;
}

/* A list that is cut off is none: on a full disk, for example. Who reads only its beginning has what they wanted, and is told
 * nothing; but a script still sees that it was not all. */
static Status
finish (Status status)
{
  errno = 0;
  if (fflush (stdout) == 0 && !ferror (stdout))
    return status;
  if (errno != EPIPE)
    fputs ("tractor: What was to be said could not be written\n", stderr);
  return status == STATUS_OK ? STATUS_FAILED : status;
}

int
main (int argc, char **argv)
{
  const Command *command;

  setlocale (LC_CTYPE, "");
  if (argc < 2) {
    print_usage (stderr);
    return STATUS_USAGE;
  }
  if (argc == 2 && is_help (argv[1])) {
    print_usage (stdout);
    return (int) finish (STATUS_OK);
  }
  if (strcmp (argv[1], "--version") == 0) {
    puts ("tractor " TRACTOR_VERSION);
    return (int) finish (STATUS_OK);
  }
  if (argc == 3 && is_help (argv[1])) { /* "help COMMAND" is "COMMAND --help" */
    argv[1] = argv[2];
    argv[2] = (char *) "--help";
  }
  command = find_command (argv[1]);
  if (command == NULL) {
    g_autofree char *name = text_escape (argv[1]);

    fprintf (stderr, "tractor: There is no command '%s'\n", name);
    print_usage (stderr);
    return STATUS_USAGE;
  }
  return (int) finish (run_command (command, argc - 1, argv + 1));
}
