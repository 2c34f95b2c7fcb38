/* shell.c - a debugger of few words, for an actor that waits to be looked at where there is no gdb.
 *
 * The debugger's broker (tools/debugger) starts it in place of gdb, with the same terminal and the same environment, and
 * it ends in the same way: what concerns the broker is written to a pipe before the process is let go (debug-protocol.h),
 * and what is to become of who waits is written into the process. It can be had for any process by hand, too, and then
 * there is nobody to tell.
 *
 * All that is shown is read from the memory of the process, anew for each word, and nothing runs in it: so there are
 * stacks, and what tasks wait for, but no variables, no lines, and no steps. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "shell.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "debug-protocol.h"
#include "proc.h"
#include "tasks.h"
#include "text.h"

#define PROMPT            "(tractor) "
#define MAX_BYTES_SHOWN   4096
#define USUAL_BYTES_SHOWN 64

typedef struct {
  gint pid;
  Peek *peek;
  PeekActor *actor; /* (nullable) */
  gboolean has_stop;
  TractorDebugStop stop;
  GString *out;
} Shell;

/* Returns: whether another word is to be read. */
typedef gboolean (*WordFunc) (Shell *shell, char **arguments);

/* --- the process --------------------------------------------------------------------------------- */

static void
shell_forget (Shell *shell)
{
  g_clear_pointer (&shell->actor, peek_actor_free);
  g_clear_pointer (&shell->peek, peek_free);
}

static gboolean
shell_look (Shell *shell, GError **error)
{
  shell_forget (shell);
  shell->peek = peek_open (shell->pid, error);
  if (shell->peek == NULL)
    return FALSE;
  shell->actor = peek_get_actor (shell->peek);
  shell->has_stop = peek_get_stop (shell->peek, &shell->stop);
  return TRUE;
}

static gboolean
is_session (void)
{
  return g_getenv ("TRACTOR_SESSION_WORD_FD") != NULL;
}

static void
tell_broker (DebugWord word)
{
  char byte = (char) word;
  const char *fd = g_getenv ("TRACTOR_SESSION_WORD_FD");

  if (fd != NULL && write (atoi (fd), &byte, 1) != 1)
    perror ("tractor: The debugger's broker could not be told");
}

/* --- which tasks --------------------------------------------------------------------------------- */

static gboolean
is_called (const PeekTask *task, const char *name_or_number)
{
  guint64 number;

  if (g_ascii_string_to_unsigned (name_or_number, 10, 1, G_MAXUINT64, &number, NULL))
    return task->id == number;
  return g_str_equal (task->name, name_or_number);
}

/* (transfer full) (element-type PeekTask): not owned, of @tasks */
static GPtrArray *
find_tasks (const GPtrArray *tasks, const char *name_or_number)
{
  GPtrArray *found = g_ptr_array_new ();

  for (guint i = 0; i < tasks->len; i++)
    if (is_called (tasks->pdata[i], name_or_number))
      g_ptr_array_add (found, tasks->pdata[i]);
  return found;
}

/* (transfer full) (nullable): as find_tasks(), the one that waits for us if no other is named; NULL: it has been said
 * that there is none. */
static GPtrArray *
choose_tasks (Shell *shell, const GPtrArray *tasks, const char *name_or_number)
{
  g_autofree char *number = g_strdup_printf ("%" G_GUINT64_FORMAT, shell->stop.task_id);
  const char *which = name_or_number != NULL ? name_or_number : number;
  g_autoptr (GPtrArray) found = find_tasks (tasks, which);
  g_autofree char *name = NULL;

  if (found->len > 0)
    return g_steal_pointer (&found);
  name = text_escape (which);
  g_string_append_printf (shell->out, "There is no task %s: \"tasks\" lists them\n", name);
  return NULL;
}

/* Takes "-own" out of @arguments. Returns: what is to be left out. */
static TasksFlags
take_own (char **arguments)
{
  for (; *arguments != NULL; arguments++)
    if (g_str_equal (*arguments, "-own")) {
      char *taken = *arguments;

      for (; arguments[0] != NULL; arguments++)
        arguments[0] = arguments[1];
      g_free (taken);
      return TASKS_ALL;
    }
  return TASKS_WITHOUT_LIBRARYS;
}

static void
say_if_none (Shell *shell, gsize n_shown)
{
  if (n_shown == 0)
    g_string_append (shell->out, "No task but the library's own: \"-own\" has them, too\n");
}

/* --- what is shown ------------------------------------------------------------------------------- */

/* (transfer full): of the thread that waits for us, and that runs no task */
static PeekTask *
walk_thread (Shell *shell)
{
  PeekTask *thread = g_new0 (PeekTask, 1);

  thread->frames = g_array_new (FALSE, FALSE, sizeof (guint64));
  thread->is_cut = TRUE;
  peek_walk_stop (shell->peek, thread->frames);
  return thread;
}

static void
thread_free (PeekTask *thread)
{
  g_array_unref (thread->frames);
  g_free (thread);
}

static void
show_thread (Shell *shell, TasksFlags flags)
{
  PeekTask *thread = walk_thread (shell);

  g_string_append_printf (shell->out, "  thread %d, in no task\n", (int) shell->stop.tid);
  task_append_frames (shell->out, shell->peek, thread, flags);
  thread_free (thread);
}

static gboolean
show_stacks (Shell *shell, char **arguments)
{
  TasksFlags flags = take_own (arguments);
  g_autoptr (GPtrArray) tasks = peek_list_tasks (shell->peek);
  g_autoptr (GPtrArray) chosen = NULL;

  if (g_strcmp0 (arguments[0], "all") == 0 || (arguments[0] == NULL && !shell->has_stop)) {
    tasks_append (shell->out, shell->peek, tasks, flags);
    say_if_none (shell, shell->out->len);
    return TRUE;
  }
  if (arguments[0] == NULL && shell->stop.task_id == 0) {
    show_thread (shell, flags);
    return TRUE;
  }
  chosen = choose_tasks (shell, tasks, arguments[0]);
  if (chosen != NULL) /* who asks for one of the library's is to have it */
    tasks_append (shell->out, shell->peek, chosen, TASKS_ALL);
  return TRUE;
}

static gboolean
show_tasks (Shell *shell, char **arguments)
{
  TasksFlags flags = take_own (arguments);
  g_autoptr (GPtrArray) tasks = peek_list_tasks (shell->peek);
  g_autoptr (GPtrArray) groups = tasks_group (shell->peek, tasks, flags);

  for (guint i = 0; i < groups->len; i++)
    task_group_append_heading (shell->out, groups->pdata[i]);
  say_if_none (shell, groups->len);
  return TRUE;
}

static gboolean
show_scopes (Shell *shell, char **arguments)
{
  g_autoptr (GPtrArray) tasks = peek_list_tasks (shell->peek);
  g_autoptr (GPtrArray) chosen = NULL;
  g_autoptr (GPtrArray) groups = NULL;

  if (arguments[0] == NULL && shell->stop.task_id == 0) {
    groups = tasks_group (shell->peek, tasks, TASKS_WITHOUT_LIBRARYS);
  } else {
    chosen = choose_tasks (shell, tasks, arguments[0]);
    if (chosen == NULL)
      return TRUE;
    groups = tasks_group (shell->peek, chosen, TASKS_ALL);
  }
  for (guint i = 0; i < groups->len; i++) {
    const PeekTask *task = task_group_get_first (groups->pdata[i]);

    task_group_append_heading (shell->out, groups->pdata[i]);
    task_append_scopes (shell->out, task, TASKS_ALL); /* who asks for them gets them */
    if (task->scopes->len == 0)
      g_string_append (shell->out, "      no deadline, shield or cancel is around it\n");
  }
  return TRUE;
}

static gboolean
show_tree (Shell *shell, G_GNUC_UNUSED char **arguments)
{
  const PeekActor *actor = shell->actor;
  int depth = 0;
  g_autofree char *name = NULL;

  if (actor == NULL) {
    g_string_append (shell->out, "No actor is in this process: tasks only\n");
    return TRUE;
  }
  if (actor->parent_pid > 0)
    g_string_append_printf (shell->out, "%7d  its parent\n", actor->parent_pid);
  depth = actor->parent_pid > 0 ? 2 : 0;
  name = text_escape (actor->name != NULL ? actor->name : "?");
  g_string_append_printf (shell->out, "%7d  %*s%s  here\n", shell->pid, depth, "", name);
  for (guint i = 0; i < actor->children->len; i++) {
    const PeekChild *child = actor->children->pdata[i];
    g_autofree char *child_name = text_escape (child->name != NULL ? child->name : "?");

    g_string_append_printf (shell->out, "%7d  %*s%s\n", child->pid, depth + 2, "", child_name);
  }
  return TRUE;
}

/* --- why it has stopped -------------------------------------------------------------------------- */

static const char *
get_signal_name (int number)
{
  static const struct {
    int number;
    const char *name;
  } names[] = { { SIGSEGV, "SIGSEGV" }, { SIGBUS, "SIGBUS" },   { SIGILL, "SIGILL" },
                { SIGFPE, "SIGFPE" },   { SIGABRT, "SIGABRT" }, { SIGTRAP, "SIGTRAP" },
                { SIGSYS, "SIGSYS" } };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (names[i].number == number)
      return names[i].name;
  return "a signal";
}

static void
append_signal (GString *out, const TractorDebugStop *stop)
{
  const char *name = get_signal_name (stop->signal_number);

  g_string_append (out, name);
  if (stop->signal_code <= 0)
    return; /* somebody has sent it */
  if (stop->signal_number == SIGSEGV)
    g_string_append_printf (out, ", address 0x%" G_GINT64_MODIFIER "x %s", stop->address,
                            stop->signal_code == SEGV_MAPERR   ? "is not mapped"
                            : stop->signal_code == SEGV_ACCERR ? "may not be accessed so"
                                                               : "faults");
  else
    g_string_append_printf (out, " at 0x%" G_GINT64_MODIFIER "x", stop->address);
}

static const char *
describe_kind (const TractorDebugStop *stop)
{
  static const char *const kinds[] = { "stopped", "paused", "crashed", "failed" };

  return kinds[stop->kind < G_N_ELEMENTS (kinds) ? stop->kind : 0];
}

/* Of a crash the signal, of a failure its text: "" for a pause. */
static void
append_cause (GString *out, Shell *shell)
{
  g_autofree char *text = peek_read_text (shell->peek, (gsize) shell->stop.text);
  g_autofree char *escaped = text != NULL ? text_escape (text) : NULL;

  if (shell->stop.kind == TRACTOR_DEBUG_STOP_CRASH)
    append_signal (out, &shell->stop);
  else if (escaped != NULL)
    g_string_append (out, escaped);
}

static gboolean
show_cause (Shell *shell, G_GNUC_UNUSED char **arguments)
{
  if (!shell->has_stop) {
    g_string_append (shell->out, "Nobody waits in this process for a debugger\n");
    return TRUE;
  }
  g_string_append_printf (shell->out, "It has %s", describe_kind (&shell->stop));
  if (shell->stop.kind != TRACTOR_DEBUG_STOP_PAUSE)
    g_string_append (shell->out, ": ");
  append_cause (shell->out, shell);
  g_string_append_c (shell->out, '\n');
  return TRUE;
}

static void
append_task_of_stop (GString *out, Shell *shell, const PeekTask *task)
{
  g_autofree char *name = task != NULL ? text_escape (task->name) : NULL;

  if (shell->stop.task_id == 0)
    g_string_append (out, ", in no task");
  else if (task == NULL)
    g_string_append_printf (out, ", task %" G_GUINT64_FORMAT, shell->stop.task_id);
  else
    g_string_append_printf (out, ", task %" G_GUINT64_FORMAT " '%s'", shell->stop.task_id, name);
}

static void
append_n_behind (GString *out)
{
  const char *path = g_getenv ("TRACTOR_SESSION_PAGE");
  g_autofree char *content = NULL;
  gsize length;
  int n;

  if (path == NULL || !g_file_get_contents (path, &content, &length, NULL) ||
      length != sizeof (DebugPage))
    return;
  n = (int) ((const DebugPage *) (gpointer) content)->n_waiting - 1;
  if (n > 0)
    g_string_append_printf (out, " · %d wait%s behind", n, n == 1 ? "s" : "");
}

/* The innermost function that is the program's own. */
static void
append_place (Shell *shell, const PeekTask *task)
{
  PlaceInCode place;

  for (guint i = 0; task != NULL && i < task->frames->len; i++) {
    task_describe_frame (shell->peek, task, i, TASKS_ALL, &place);
    if (!tasks_is_programs (&place))
      continue;
    g_string_append_printf (shell->out, "in %s+0x%" G_GINT64_MODIFIER "x (%s)\n",
                            place.function != NULL ? place.function : "?", place.offset,
                            place.module);
    return;
  }
}

/* One whose runtime is closed, as a root's when its main task has failed, is known to the broker. */
static const char *
get_actor_name (const Shell *shell)
{
  const char *name = g_getenv ("TRACTOR_SESSION_ACTOR");

  if (shell->actor != NULL && shell->actor->name != NULL)
    return shell->actor->name;
  return name != NULL ? name : "?";
}

/* As gdb's session begins (tools/debugger/session.py). */
static void
show_stop (Shell *shell)
{
  g_autoptr (GPtrArray) tasks = peek_list_tasks (shell->peek);
  g_autofree char *number = g_strdup_printf ("%" G_GUINT64_FORMAT, shell->stop.task_id);
  g_autoptr (GPtrArray) found = find_tasks (tasks, number);
  PeekTask *thread = shell->stop.task_id == 0 ? walk_thread (shell) : NULL;
  const PeekTask *task = found->len > 0 ? found->pdata[0] : NULL;
  g_autofree char *actor = text_escape (get_actor_name (shell));
  gsize before;

  g_string_append_printf (shell->out, "── %s: actor %s (pid %d)", describe_kind (&shell->stop),
                          actor, shell->pid);
  append_task_of_stop (shell->out, shell, task);
  before = shell->out->len;
  append_cause (shell->out, shell);
  if (shell->out->len > before)
    g_string_insert (shell->out, (gssize) before, " · ");
  append_n_behind (shell->out);
  g_string_append (shell->out, " ──\n");
  if (shell->stop.kind != TRACTOR_DEBUG_STOP_ERROR)
    append_place (shell, thread != NULL ? thread : task);
  g_clear_pointer (&thread, thread_free);
}

/* --- bytes --------------------------------------------------------------------------------------- */

static void
append_bytes (GString *out, guint64 address, const guint8 *bytes, gsize length)
{
  g_string_append_printf (out, "0x%012" G_GINT64_MODIFIER "x ", address);
  for (gsize i = 0; i < 16; i++)
    if (i < length)
      g_string_append_printf (out, " %02x", bytes[i]);
    else
      g_string_append (out, "   ");
  g_string_append (out, "  ");
  for (gsize i = 0; i < length; i++)
    g_string_append_c (out, g_ascii_isprint (bytes[i]) ? (char) bytes[i] : '.');
  g_string_append_c (out, '\n');
}

static gboolean
show_memory (Shell *shell, char **arguments)
{
  guint64 address;
  guint64 n_bytes = USUAL_BYTES_SHOWN;
  const char *digits = arguments[0];

  if (digits != NULL && g_str_has_prefix (digits, "0x"))
    digits += 2;
  if (digits == NULL || !g_ascii_string_to_unsigned (digits, 16, 0, G_MAXUINT64, &address, NULL) ||
      (arguments[1] != NULL &&
       !g_ascii_string_to_unsigned (arguments[1], 10, 1, MAX_BYTES_SHOWN, &n_bytes, NULL))) {
    g_string_append_printf (shell->out, "x ADDRESS [BYTES]: in hex, and at most %d\n",
                            MAX_BYTES_SHOWN);
    return TRUE;
  }
  for (guint64 at = 0; at < n_bytes; at += 16) {
    gsize length = MIN (n_bytes - at, 16);
    guint8 bytes[16];

    if (!peek_read (shell->peek, address + at, bytes, length)) {
      g_string_append_printf (shell->out, "0x%012" G_GINT64_MODIFIER "x  cannot be read\n",
                              address + at);
      break;
    }
    append_bytes (shell->out, address + at, bytes, length);
  }
  return TRUE;
}

/* --- what ends it -------------------------------------------------------------------------------- */

static gboolean
let_go (G_GNUC_UNUSED Shell *shell, G_GNUC_UNUSED char **arguments)
{
  return FALSE;
}

static gboolean
give_verdict (Shell *shell, TractorDebugVerdict verdict, DebugWord word)
{
  if (is_session () && shell->has_stop) {
    if (!peek_set_verdict (shell->peek, verdict))
      perror ("tractor: What is to become of it cannot be written into the process");
    tell_broker (word);
  }
  return FALSE;
}

static gboolean
quit (Shell *shell, G_GNUC_UNUSED char **arguments)
{
  return give_verdict (shell, TRACTOR_DEBUG_QUIT, DEBUG_WORD_QUIT);
}

static gboolean
abandon (Shell *shell, G_GNUC_UNUSED char **arguments)
{
  if (is_session ())
    return give_verdict (shell, TRACTOR_DEBUG_ABANDON, DEBUG_WORD_ABANDON);
  g_string_append (shell->out, "That is for a session of debug mode: `tractor kill` ends a tree\n");
  return TRUE;
}

/* As whoever started us has said that it was: who hears of the end may read it at once. */
static void
give_terminal_back (void)
{
  const char *text = g_getenv ("TRACTOR_SESSION_TERMINAL");
  struct termios settings;
  int group;

  tell_broker (DEBUG_WORD_LEAVES);
  if (text == NULL || tcgetpgrp (STDIN_FILENO) != getpgrp () ||
      tcgetattr (STDIN_FILENO, &settings) != 0 ||
      sscanf (text, "%d %u %u %u", &group, &settings.c_iflag, &settings.c_oflag,
              &settings.c_lflag) != 4)
    return;
  signal (SIGTTOU, SIG_IGN); /* from now on we are in the background */
  tcsetattr (STDIN_FILENO, TCSANOW, &settings);
  tcsetpgrp (STDIN_FILENO, group);
}

static gboolean
kill_it (Shell *shell, G_GNUC_UNUSED char **arguments)
{
  give_terminal_back ();
  kill (shell->pid, SIGKILL);
  return FALSE;
}

/* --- words --------------------------------------------------------------------------------------- */

static gboolean show_help (Shell *shell, char **arguments);

static const struct {
  const char *name;
  const char *other_name; /* (nullable): as gdb has it */
  const char *arguments;
  const char *summary;
  WordFunc func;
} words[] = {
  { "bt", "backtrace", "[TASK|all [-own]]", "the stack of a task, by its number or name",
    show_stacks },
  { "tasks", "info", "[-own]", "all tasks, and what each waits for", show_tasks },
  { "scopes", NULL, "[TASK]", "deadlines, shields and cancels around a task", show_scopes },
  { "tree", NULL, "", "parent and children of this actor", show_tree },
  { "error", NULL, "", "why it has stopped", show_cause },
  { "x", NULL, "ADDRESS [BYTES]", "what is in memory there", show_memory },
  { "c", "continue", "", "it goes on, and takes its course; so does detach", let_go },
  { "q", "quit", "", "what has paused fails; a failure is not shown above", quit },
  { "abandon", NULL, "", "as q, and the whole tree is ended", abandon },
  { "kill", NULL, "", "ends the process by SIGKILL", kill_it },
  { "help", NULL, "", "these words", show_help },
  { "detach", NULL, NULL, NULL, let_go },
};

static gboolean
show_help (Shell *shell, G_GNUC_UNUSED char **arguments)
{
  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    if (words[i].summary != NULL) {
      g_autofree char *called = g_strjoin (" ", words[i].name, words[i].arguments, NULL);

      g_string_append_printf (shell->out, "  %-21s %s\n", called, words[i].summary);
    }
  g_string_append (shell->out,
                   "\"-own\": with what is the library's own. Lines and variables are gdb's\n");
  return TRUE;
}

static WordFunc
find_word (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    if (g_str_equal (name, words[i].name) || g_strcmp0 (name, words[i].other_name) == 0)
      return words[i].func;
  return NULL;
}

/* Returns: whether another line is to be read. */
static gboolean
obey (Shell *shell, const char *line)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) arguments = NULL;
  char **word;
  WordFunc func;

  if (!g_shell_parse_argv (line, NULL, &arguments, &error)) {
    if (!g_error_matches (error, G_SHELL_ERROR, G_SHELL_ERROR_EMPTY_STRING))
      g_string_append_printf (shell->out, "%s\n", error->message);
    return TRUE;
  }
  word = arguments;
  if (g_str_equal (word[0], "tractor") && word[1] != NULL)
    word++; /* as one says it to gdb */
  func = find_word (word[0]);
  if (func == NULL) {
    g_autofree char *name = text_escape (word[0]);

    g_string_append_printf (shell->out,
                            "There is no word \"%s\" without gdb: \"help\" lists them\n", name);
    return TRUE;
  }
  if (!shell_look (shell, &error)) {
    g_autofree char *problem = text_escape (error->message);

    g_string_append_printf (shell->out, "%s\n", problem);
    return func != let_go && func != quit && func != kill_it;
  }
  return func (shell, word + 1);
}

/* --- a session ----------------------------------------------------------------------------------- */

static volatile sig_atomic_t is_reading;

/* Ctrl-C gives up the line, as the terminal does, and no more. Whether we read already, or are about to, is the same. */
static void
on_interrupt (G_GNUC_UNUSED int number)
{
  static const char text[] = "Quit\n" PROMPT;
  int saved = errno;

  if (is_reading && write (STDOUT_FILENO, text, sizeof text - 1) < 0)
    is_reading = 0;
  errno = saved;
}

/* Who starts us for a session keeps the keys back until now (tools/debugger/session.c). */
static void
hear_keys (void)
{
  const struct timespec now = { 0, 0 };
  sigset_t keys;

  sigemptyset (&keys);
  sigaddset (&keys, SIGINT);
  sigaddset (&keys, SIGQUIT);
  while (sigtimedwait (&keys, NULL, &now) > 0)
    ;
  sigprocmask (SIG_UNBLOCK, &keys, NULL);
}

static void
take_interrupts (void)
{
  struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = SA_RESTART };

  sigaction (SIGINT, &action, NULL);
  sigaction (SIGCONT, &action, NULL); /* somebody else has had the terminal meanwhile */
  hear_keys ();
}

static void
print_out (Shell *shell)
{
  fputs (shell->out->str, stdout);
  fflush (stdout);
  g_string_truncate (shell->out, 0);
}

/* Returns: FALSE at the end, which is as good as "quit". */
static gboolean
read_line (char **line, gsize *room)
{
  gboolean ok;

  is_reading = 1;
  fputs (PROMPT, stdout);
  fflush (stdout);
  ok = getline (line, room, stdin) >= 0;
  is_reading = 0;
  if (!ok)
    fputs ("\n", stdout);
  return ok;
}

static void
read_and_obey (Shell *shell)
{
  char *line = NULL;
  gsize room = 0;
  gboolean goes_on = TRUE;

  while (goes_on) {
    goes_on = obey (shell, read_line (&line, &room) ? line : "quit");
    print_out (shell);
  }
  free (line); /* getline's */
}

static void
say_why_it_is_us (Shell *shell)
{
  const char *why = g_getenv ("TRACTOR_SESSION_WHY");

  if (why != NULL)
    g_string_append_printf (shell->out, "%s: \"help\" lists what there is without it\n", why);
}

Status
shell_run (gint pid, GError **error)
{
  g_autoptr (GString) out = g_string_new (NULL);
  Shell shell = { .pid = pid, .out = out };

  if (!shell_look (&shell, error)) {
    tell_broker (g_error_matches (*error, PEEK_ERROR, PEEK_ERROR_UNREADABLE)
                     ? DEBUG_WORD_NO_LIBRARY
                     : DEBUG_WORD_NO_ATTACH);
    return g_error_matches (*error, PEEK_ERROR, PEEK_ERROR_NOT_ALLOWED) ? STATUS_NOT_ALLOWED
                                                                        : STATUS_NO_TREE;
  }
  take_interrupts ();
  if (shell.has_stop)
    show_stop (&shell);
  say_why_it_is_us (&shell);
  print_out (&shell);
  read_and_obey (&shell);
  shell_forget (&shell);
  return STATUS_OK;
}
