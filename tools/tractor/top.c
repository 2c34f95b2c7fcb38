/* top.c - tractor top: what each actor takes, as it changes.
 *
 * Processor time is what a process has had since the last look, of one processor. Tasks, the steps that they make, and the bytes
 * that go over the actor's connections are counted in its memory; where that may not be read, they are not known. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "forest.h"
#include "peek.h"
#include "proc.h"
#include "text.h"

#define INTERVAL_USEC G_USEC_PER_SEC
/* Between the two looks of one that is the only one. */
#define ONCE_USEC (G_USEC_PER_SEC / 2)

static gboolean is_once;
static gboolean wants_json;

static const GOptionEntry options[] = {
  { "once", 0, 0, G_OPTION_ARG_NONE, &is_once, "Look once, and end", NULL },
  { "json", 0, 0, G_OPTION_ARG_NONE, &wants_json, "One JSON object in a line for each actor",
    NULL },
  { 0 },
};

/* --- looking ------------------------------------------------------------------------------------- */

typedef struct {
  guint64 started_at; /* which process it was */
  guint64 cpu_ticks;
  int n_tasks; /* -1: its memory may not be read */
  PeekWork work;
  gint64 time;
} Sample;

typedef struct {
  GHashTable *last; /* pid: (element-type Sample) */
  GString *out;
  guint n_lines;
  guint n_shown;
} Look;

/* What is less than 0 is not known, or not yet. */
typedef struct {
  double cpu_percent;
  guint64 rss_bytes;
  int n_tasks;
  double steps; /* in a second, as these */
  double sent_bytes;
  double received_bytes;
} Load;

static const Load nothing_known = { -1, 0, -1, -1, -1, -1 };

static gboolean
take_sample (gint pid, const Process *process, Sample *ret_sample)
{
  g_autoptr (Peek) peek = peek_open (pid, NULL);

  *ret_sample = (Sample){ .started_at = process->started_at,
                          .cpu_ticks = process->cpu_ticks,
                          .n_tasks = -1,
                          .time = g_get_monotonic_time () };
  if (peek == NULL)
    return FALSE;
  ret_sample->n_tasks = (int) peek_count_tasks (peek);
  peek_get_work (peek, &ret_sample->work);
  return TRUE;
}

/* Of two looks at the same process. */
static void
compare (const Sample *before, const Sample *now, Load *load)
{
  double seconds = (double) (now->time - before->time) / G_USEC_PER_SEC;

  load->cpu_percent = 100.0 * (double) (now->cpu_ticks - before->cpu_ticks) /
                      (double) sysconf (_SC_CLK_TCK) / seconds;
  /* A run that has ended meanwhile takes what it had done with it. */
  if (before->n_tasks < 0 || now->n_tasks < 0 || now->work.n_steps < before->work.n_steps ||
      now->work.sent_bytes < before->work.sent_bytes ||
      now->work.received_bytes < before->work.received_bytes)
    return;
  load->steps = (double) (now->work.n_steps - before->work.n_steps) / seconds;
  load->sent_bytes = (double) (now->work.sent_bytes - before->work.sent_bytes) / seconds;
  load->received_bytes =
      (double) (now->work.received_bytes - before->work.received_bytes) / seconds;
}

static void
measure (Look *look, gint pid, Load *ret_load)
{
  Sample *last = g_hash_table_lookup (look->last, GINT_TO_POINTER (pid));
  Process process;
  Sample sample;

  *ret_load = nothing_known;
  if (!proc_read (pid, &process))
    return;
  take_sample (pid, &process, &sample);
  ret_load->rss_bytes = process.rss_bytes;
  ret_load->n_tasks = sample.n_tasks;
  if (last != NULL && last->started_at == sample.started_at && sample.time > last->time)
    compare (last, &sample, ret_load);
  g_hash_table_replace (look->last, GINT_TO_POINTER (pid), g_memdup2 (&sample, sizeof sample));
}

static void
only_measure (Actor *actor, gpointer data)
{
  Load load;

  measure (data, actor->pid, &load);
}

/* --- showing ------------------------------------------------------------------------------------- */

/* @number: less than 0: not known */
static void
add_real_or_null (GString *out, const char *key, double number)
{
  if (number >= 0)
    json_add_real (out, key, number);
  else
    json_add_null (out, key);
}

static void
print_json (Actor *actor, gpointer data)
{
  g_autoptr (GString) out = g_string_new (NULL);
  Load load;

  measure (data, actor->pid, &load);
  json_open (out, NULL, '{');
  json_add_number (out, "pid", actor->pid);
  if (actor->parent != NULL)
    json_add_number (out, "parent", actor->parent->pid);
  else
    json_add_null (out, "parent");
  json_add_text (out, "name", actor->name);
  add_real_or_null (out, "cpu_percent", load.cpu_percent);
  json_add_number (out, "rss_bytes", (gint64) load.rss_bytes);
  if (load.n_tasks >= 0)
    json_add_number (out, "tasks", load.n_tasks);
  else
    json_add_null (out, "tasks");
  add_real_or_null (out, "steps_per_sec", load.steps);
  add_real_or_null (out, "sent_bytes_per_sec", load.sent_bytes);
  add_real_or_null (out, "received_bytes_per_sec", load.received_bytes);
  json_add_flag (out, "answers", actor_answers (actor));
  json_add_text (out, "state", actor_describe_state (actor));
  json_close (out, '}');
  json_print (out);
}

/* @width: with the space behind it. @number: less than 0: not known */
static void
append_number (GString *out, int width, const char *format, double number)
{
  char text[32] = "-";

  if (number >= 0)
    g_snprintf (text, sizeof text, format, number);
  g_string_append_printf (out, "%*s ", width - 1, text);
}

static void
append_line (Actor *actor, gpointer data)
{
  Look *look = data;
  g_autofree char *name = text_escape (actor->name != NULL ? actor->name : "?");
  Load load;

  measure (look, actor->pid, &load);
  if (look->n_shown++ >= look->n_lines)
    return;
  g_string_append_printf (look->out, "%7d ", actor->pid);
  append_number (look->out, 6, "%.1f", load.cpu_percent);
  append_number (look->out, 8, "%.1f", (double) load.rss_bytes / (1024 * 1024));
  append_number (look->out, 8, "%.0f", load.n_tasks);
  append_number (look->out, 9, "%.0f", load.steps);
  append_number (look->out, 10, "%.1f",
                 load.sent_bytes >= 0 ? (load.sent_bytes + load.received_bytes) / 1024 : -1);
  g_string_append_printf (look->out, " %*s%s", (int) (2 * actor_get_depth (actor)), "", name);
  if (actor->waits_for_debugger)
    text_append (look->out, COLOUR_CHANGING, " waits for the debugger");
  else if (actor_answers (actor) == 0)
    text_append (look->out, COLOUR_BAD, " does not answer");
  else if (actor->state != TRACTOR_ACTOR_RUNNING)
    g_string_append_printf (look->out, " %s", actor_describe_state (actor));
  g_string_append_c (look->out, '\n');
}

static void
append_all (Look *look, GPtrArray *roots)
{
  g_string_append (look->out, "    PID  CPU%  RSS/MB   TASKS  STEPS/s  LINK kB/s  ACTOR\n");
  look->n_shown = 0;
  for (guint i = 0; i < roots->len; i++)
    forest_walk (roots->pdata[i], append_line, look);
  if (look->n_shown > look->n_lines)
    g_string_append_printf (look->out, "… and %u more", look->n_shown - look->n_lines);
}

static Status
look_once (gint pid, Look *look, GError **error)
{
  Status status;
  g_autoptr (GPtrArray) roots = forest_find (pid, &status, error);

  if (roots == NULL)
    return status;
  for (guint i = 0; i < roots->len; i++)
    forest_walk (roots->pdata[i], only_measure, look);
  g_usleep (ONCE_USEC);
  if (wants_json) {
    for (guint i = 0; i < roots->len; i++)
      forest_walk (roots->pdata[i], print_json, look);
    return STATUS_OK;
  }
  append_all (look, roots);
  fputs (look->out->str, stdout);
  return STATUS_OK;
}

/* --- on a terminal ------------------------------------------------------------------------------- */

/* Where we are drawn, and how it was. */
typedef struct {
  struct termios before;
  sigset_t mask;
  int signals;
  int ended_by; /* a signal, or 0 */
} Screen;

/* What it ends by, but for SIGKILL and a crash; and what it is stopped by, and goes on. */
static const int heard[] = { SIGINT,  SIGTERM, SIGHUP,    SIGQUIT, SIGPIPE, SIGALRM, SIGUSR1,
                             SIGUSR2, SIGXCPU, SIGVTALRM, SIGPROF, SIGTSTP, SIGCONT };

static gboolean
screen_enter (const Screen *screen)
{
  struct termios raw = screen->before;

  raw.c_lflag &= ~(tcflag_t) (ICANON | ECHO);
  fputs ("\033[?1049h\033[?25l", stdout);
  return tcsetattr (STDIN_FILENO, TCSANOW, &raw) == 0;
}

static void
screen_leave (const Screen *screen)
{
  fputs ("\033[?25h\033[?1049l", stdout);
  fflush (stdout);
  tcsetattr (STDIN_FILENO, TCSANOW, &screen->before);
}

/* Returns: FALSE with @error set. */
static gboolean
screen_open (Screen *screen, GError **error)
{
  sigset_t set;

  sigemptyset (&set);
  for (guint i = 0; i < G_N_ELEMENTS (heard); i++)
    sigaddset (&set, heard[i]);
  screen->ended_by = 0;
  screen->signals = signalfd (-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (screen->signals < 0) {
    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno),
                 "No signals can be received: %s", g_strerror (errno));
    return FALSE;
  }
  sigprocmask (SIG_BLOCK, &set, &screen->mask);
  screen_enter (screen);
  return TRUE;
}

/* Does what that signal does, if nobody hears it. */
static void
undergo (int number)
{
  sigset_t only;

  sigemptyset (&only);
  sigaddset (&only, number);
  raise (number);
  sigprocmask (SIG_UNBLOCK, &only, NULL);
  sigprocmask (SIG_BLOCK, &only, NULL);
}

static void
screen_close (const Screen *screen)
{
  screen_leave (screen);
  if (screen->ended_by != 0 && screen->ended_by != SIGINT)
    undergo (screen->ended_by);
  close (screen->signals);
  sigprocmask (SIG_SETMASK, &screen->mask, NULL);
}

/* The shell, which has us then, finds its own screen. Returns: FALSE if it is to end. */
static gboolean
on_signal (Screen *screen)
{
  struct signalfd_siginfo info;

  if (read (screen->signals, &info, sizeof info) != sizeof info)
    return TRUE;
  switch (info.ssi_signo) {
  case SIGTSTP:
    screen_leave (screen);
    undergo (SIGTSTP); /* here we stand */
    return screen_enter (screen);
  case SIGCONT:
    return screen_enter (screen);
  default:
    screen->ended_by = (int) info.ssi_signo;
    return FALSE;
  }
}

/* Returns: FALSE if it is to end. */
static gboolean
on_key (void)
{
  char key;

  return read (STDIN_FILENO, &key, 1) == 1 && key != 'q' && key != 'Q';
}

/* Until it is time to look again, or the screen is another one. Returns: FALSE if it is to end. */
static gboolean
wait_for_key (Screen *screen, gint64 usec)
{
  struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
                          { .fd = screen->signals, .events = POLLIN } };
  gint64 deadline = g_get_monotonic_time () + usec;

  for (;;) {
    gint64 left = deadline - g_get_monotonic_time ();
    int n = left > 0 ? poll (fds, G_N_ELEMENTS (fds), (int) ((left + 999) / 1000)) : 0;

    if (n == 0)
      return TRUE;
    if (n < 0 && errno != EINTR)
      return FALSE;
    if (n > 0 && fds[1].revents != 0)
      return on_signal (screen);
    if (n > 0 && fds[0].revents != 0 && !on_key ())
      return FALSE;
  }
}

static guint
get_n_lines (void)
{
  struct winsize size;

  return ioctl (STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 3 ? size.ws_row - 3u : 20;
}

/* Draws over what was there, each line to its end, so that nothing flickers. */
static void
draw (const GString *out)
{
  g_auto (GStrv) lines = g_strsplit (out->str, "\n", -1);

  fputs ("\033[H", stdout);
  for (char **line = lines; *line != NULL; line++)
    printf ("%s\033[K%s", *line, line[1] != NULL ? "\r\n" : "");
  fputs ("\033[J", stdout);
  fflush (stdout);
}

static void
look_and_draw (gint pid, Look *look)
{
  g_autoptr (GError) problem = NULL;
  Status status;
  g_autoptr (GPtrArray) roots = forest_find (pid, &status, &problem);

  g_string_truncate (look->out, 0);
  look->n_lines = get_n_lines ();
  if (roots != NULL) {
    append_all (look, roots);
  } else {
    g_autofree char *text = text_escape (problem->message);

    g_string_append (look->out, text);
  }
  draw (look->out);
}

static Status
look_on (gint pid, Look *look, GError **error)
{
  Screen screen;

  if (!isatty (STDOUT_FILENO) || tcgetattr (STDIN_FILENO, &screen.before) != 0) {
    g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                         "Without a terminal it looks --once");
    return STATUS_USAGE;
  }
  if (!screen_open (&screen, error))
    return STATUS_FAILED;
  do
    look_and_draw (pid, look);
  while (wait_for_key (&screen, INTERVAL_USEC));
  screen_close (&screen);
  return STATUS_OK;
}

static Status
run (gint pid, GError **error)
{
  g_autoptr (GHashTable) last = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  g_autoptr (GString) out = g_string_new (NULL);
  Look look = { last, out, G_MAXUINT, 0 };

  return is_once || wants_json ? look_once (pid, &look, error) : look_on (pid, &look, error);
}

const Command command_top = {
  "top",
  "what each actor takes and does: processor, memory, tasks, steps, bytes",
  "Of all trees of this user, or of the one that process PID belongs to, once a second; q ends "
  "it.\n"
  "With --json it looks once.",
  MAY_TAKE_PID,
  options,
  run,
};
