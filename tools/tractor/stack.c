/* stack.c - what the calls on the stack of a task are, walked from outside.
 *
 * The stack of a task that waits begins where the switch has left it, and is walked by frame pointers, which all code
 * of the library keeps; code built without them ends a walk early. A task that runs has its registers on the
 * processor. Where its thread is in a system call, or stopped, the kernel says where its stack pointer is, and the first
 * chain of frames above that leads to the task's beginning is taken; for a thread that computes the kernel says nothing,
 * and it is held for the moment that reading its registers takes.
 *
 * The stack may change while it is walked. Frames that do not lead upwards, or out of the stack, end the walk. And who has
 * crashed may have any number at all in its registers, up to the last one that there is. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "stack.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>

#define MAX_FRAMES      64
#define STACK_AT_A_TIME (16 * 1024)
/* How often it is looked, a millisecond apart, whether a thread that may not be held has come to wait. */
#define N_LOOKS 20

/* A task lives at the top of its own stack. */
typedef struct {
  guint64 low;
  guint64 high;
  guint8 bytes[STACK_AT_A_TIME]; /* of it, from */
  guint64 start;
  gsize length;
} TaskStack;

/* Of what is not on it nothing is read. */
static void
stack_begin_at (Memory *memory, TaskStack *stack, guint64 sp)
{
  stack->start = sp;
  stack->length = sp < stack->high ? MIN (STACK_AT_A_TIME, stack->high - sp) : 0;
  if (!memory_read (memory, sp, stack->bytes, stack->length))
    stack->length = 0;
}

static gboolean
is_in_stack (const TaskStack *stack, guint64 address, gsize length)
{
  return address >= stack->low && address <= stack->high && length <= stack->high - address &&
         address % sizeof (gpointer) == 0;
}

static gboolean
read_stack (Memory *memory, const TaskStack *stack, guint64 address, void *bytes, gsize length)
{
  if (!is_in_stack (stack, address, length))
    return FALSE;
  if (address < stack->start || address - stack->start + length > stack->length)
    return memory_read (memory, address, bytes, length);
  memcpy (bytes, stack->bytes + (address - stack->start), length);
  return TRUE;
}

/* What lies between the first frame of a task and the task itself. */
#define MOST_ABOVE_FIRST 256

static gboolean
is_first_frame (const TaskStack *stack, guint64 frame)
{
  return stack->high - frame <= MOST_ABOVE_FIRST;
}

/* Adds where the calls return to whose frames begin with @frame. Returns: whether that leads to the beginning. */
static gboolean
walk (Memory *memory, const TaskStack *stack, guint64 frame, GArray *frames)
{
  guint64 words[2]; /* the frame around it, and where it returns to */

  while (frames->len < MAX_FRAMES) {
    if (!read_stack (memory, stack, frame, words, sizeof words))
      return FALSE;
    if (words[1] == 0)
      return is_first_frame (stack, frame);
    g_array_append_val (frames, words[1]);
    if (words[0] == 0)
      return is_first_frame (stack, frame);
    if (words[0] <= frame)
      return FALSE;
    frame = words[0];
  }
  return FALSE;
}

gboolean
stack_walk_suspended (
    Memory *memory, gboolean is_x86, guint64 low, guint64 high, guint64 sp, GArray *frames)
{
  TaskStack stack = { .low = low, .high = high };
  guint64 saved[12] = { 0 };

  if (!is_in_stack (&stack, sp, sizeof saved) && !is_in_stack (&stack, sp, 64))
    return FALSE;
  stack_begin_at (memory, &stack, sp);
  if (!read_stack (memory, &stack, sp, saved, is_x86 ? 64 : sizeof saved))
    return FALSE;
  g_array_append_val (frames, saved[is_x86 ? 7 : 11]);
  return walk (memory, &stack, saved[is_x86 ? 6 : 10], frames);
}

/* --- the stack of a task that runs --------------------------------------------------------------- */

static guint
count_code (const Memory *memory, const GArray *frames)
{
  guint n = 0;

  while (n < frames->len && memory_is_code (memory, g_array_index (frames, guint64, n) - 1))
    n++;
  return n;
}

/* Code without frame pointers leaves them as it has found them, and saves them somewhere on the stack: the longest chain
 * is taken that begins near @sp. @is_tasks: and that leads to the beginning of a task. Returns: where its innermost frame
 * is; 0: none was found. */
static guint64
search_frames (Memory *memory, TaskStack *stack, guint64 sp, gboolean is_tasks, GArray *frames)
{
  g_autoptr (GArray) chain = g_array_new (FALSE, FALSE, sizeof (guint64));
  guint n_before = frames->len;
  guint64 innermost = 0;

  stack_begin_at (memory, stack, sp);
  for (gsize offset = 0; offset + 16 <= stack->length; offset += 8) {
    guint64 at = sp + offset;
    gboolean is_whole;
    guint n_code;

    g_array_set_size (chain, 0);
    is_whole = walk (memory, stack, at, chain);
    n_code = count_code (memory, chain);
    if (n_code <= frames->len - n_before || (is_tasks && (!is_whole || n_code < chain->len)))
      continue;
    g_array_set_size (frames, n_before);
    g_array_append_vals (frames, chain->data, n_code);
    innermost = at;
  }
  return innermost;
}

#if defined(__x86_64__)
/* What a call to another file leads to by way of a jump. */
static guint64
follow_jump (Memory *memory, guint64 address)
{
  static const guint8 begins[] = { 0xf3, 0x0f, 0x1e, 0xfa }; /* endbr64 */
  guint8 code[16];
  guint at = 0;
  gint32 distance;

  if (!memory_read (memory, address, code, sizeof code))
    return address;
  if (memcmp (code, begins, sizeof begins) == 0)
    at = sizeof begins;
  if (code[at] == 0xf2) /* bnd */
    at++;
  if (code[at] != 0xff || code[at + 1] != 0x25)
    return address;
  memcpy (&distance, code + at + 2, sizeof distance);
  return memory_read_pointer (memory, address + at + 6 + (guint64) (gint64) distance);
}

/* Returns: the function that the call leads to which returns to @address; 0: it is none, or it is not to be told. */
static guint64
get_called (Memory *memory, guint64 address)
{
  guint8 code[6];
  gint32 distance;

  if (!memory_is_code (memory, address - 1) ||
      !memory_read (memory, address - sizeof code, code, sizeof code))
    return 0;
  memcpy (&distance, code + 2, sizeof distance);
  if (code[1] == 0xe8)
    return follow_jump (memory, address + (guint64) (gint64) distance);
  if (code[0] == 0xff && code[1] == 0x15)
    return memory_read_pointer (memory, address + (guint64) (gint64) distance);
  return 0;
}

/* Returns: 0: it is not known. */
static guint64
get_function_start (Memory *memory, guint64 pc)
{
  PlaceInCode place;

  memory_describe (memory, pc, FALSE, &place);
  return place.function != NULL ? pc - place.offset : 0;
}

/* How far from where we are a function has its frame that has called others without one. */
#define MOST_WITHOUT_FRAME 4096

/* Of the words between @sp and @frame. Returns: which of them returns to a call of @called, or, if that is 0, to within the
 * function @inside; 0: none. */
static guint64
find_return (Memory *memory,
             const TaskStack *stack,
             guint64 sp,
             guint64 frame,
             guint64 called,
             guint64 inside)
{
  guint64 length = frame > sp ? MIN (frame - sp, MOST_WITHOUT_FRAME) : 0;

  for (guint64 offset = 0; offset < length; offset += 8) {
    guint64 at = sp + offset;
    guint64 word;

    if (!read_stack (memory, stack, at, &word, sizeof word) || !memory_is_code (memory, word - 1))
      continue;
    if (called != 0 ? get_called (memory, word) == called
                    : get_function_start (memory, word - 1) == inside)
      return word;
  }
  return 0;
}

/* Functions that have no frame of their own, as those of libc, are not in the chain that begins with @frame, so who has
 * called them is left out: what it returns to is found among the words up to there, in the function that its own caller
 * calls. Likewise who has called the innermost one. */
static void
insert_callers (Memory *memory, const TaskStack *stack, guint64 sp, guint64 frame, GArray *frames)
{
  guint64 start = get_function_start (memory, g_array_index (frames, guint64, 0));
  guint64 first = frames->len >= 2 ? get_called (memory, g_array_index (frames, guint64, 1)) : 0;
  guint64 found;

  if (start == 0 || frames->len < 2 || first == start)
    return;
  found = first != 0 ? find_return (memory, stack, sp, frame, 0, first) : 0;
  if (found != 0)
    g_array_insert_val (frames, 1, found);
  if (found != 0 && get_called (memory, found) == start)
    return;
  found = find_return (memory, stack, sp, frame, start, 0);
  if (found != 0)
    g_array_insert_val (frames, 1, found);
}
#else
/* Elsewhere a call leaves its address in a register. */
static void
insert_callers (G_GNUC_UNUSED Memory *memory,
                G_GNUC_UNUSED const TaskStack *stack,
                G_GNUC_UNUSED guint64 sp,
                G_GNUC_UNUSED guint64 frame,
                G_GNUC_UNUSED GArray *frames)
{
}
#endif

static void
get_registers (gint tid, Registers *registers)
{
#if defined(__x86_64__)
  struct user_regs_struct user;
  struct iovec iovec = { &user, sizeof user };

  if (ptrace (PTRACE_GETREGSET, tid, NT_PRSTATUS, &iovec) == 0)
    *registers = (Registers){ user.rsp, user.rip, user.rbp };
#elif defined(__aarch64__)
  struct user_regs_struct user;
  struct iovec iovec = { &user, sizeof user };

  if (ptrace (PTRACE_GETREGSET, tid, NT_PRSTATUS, &iovec) == 0)
    *registers = (Registers){ user.sp, user.pc, user.regs[29] };
#else
  (void) tid;
  (void) registers;
#endif
}

/* Holds a thread that computes; no system call of its is disturbed by that. Returns: FALSE if it may not be held. */
static gboolean
hold_and_get_registers (gint tid, Registers *registers)
{
  int status = 0;
  gsize signal_number = 0;

  if (ptrace (PTRACE_SEIZE, tid, NULL, NULL) != 0)
    return FALSE;
  if (ptrace (PTRACE_INTERRUPT, tid, NULL, NULL) == 0 && waitpid (tid, &status, __WALL) == tid &&
      WIFSTOPPED (status)) {
    get_registers (tid, registers);
    /* If it was just getting a signal, it still gets it. */
    if (status >> 16 != PTRACE_EVENT_STOP)
      signal_number = (gsize) WSTOPSIG (status);
  }
  ptrace (PTRACE_DETACH, tid, NULL, signal_number);
  return TRUE;
}

/* What a thread of @tid is in, that is shown by the file at @path. One that looks now and then whether it may go on, as
 * whoever waits for the debugger does, is back in its wait in no time. Returns: (transfer full) (nullable): NULL: there are
 * @ret_registers instead, or it computes and may not be held. */
static char *
read_wait (const char *path, gint tid, Registers *ret_registers)
{
  for (guint i = 0; i < N_LOOKS; i++) {
    char *text = NULL;

    if (!g_file_get_contents (path, &text, NULL, NULL) || !g_str_has_prefix (text, "running"))
      return text;
    g_free (text);
    if (hold_and_get_registers (tid, ret_registers))
      break;
    g_usleep (1000);
  }
  return NULL;
}

/* *@ret_registers: zero if they cannot be found out. */
static void
read_registers (gint pid, gint tid, Registers *ret_registers)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/task/%d/syscall", pid, tid);
  g_autofree char *text = NULL;
  const char *pc;
  const char *sp;

  *ret_registers = (Registers){ 0 };
  text = read_wait (path, tid, ret_registers);
  if (text == NULL)
    return;
  pc = strrchr (text, ' ');
  sp = pc != NULL ? g_strrstr_len (text, pc - text, " ") : NULL;
  if (sp == NULL)
    return;
  ret_registers->sp = g_ascii_strtoull (sp + 1, NULL, 16);
  ret_registers->pc = g_ascii_strtoull (pc + 1, NULL, 16);
}

static gboolean
walk_from_registers (Memory *memory, TaskStack *stack, const Registers *registers, GArray *frames)
{
  guint64 sp = registers->sp & ~(guint64) 7;
  guint64 frame = registers->frame;

  g_array_append_val (frames, registers->pc);
  stack_begin_at (memory, stack, sp);
  if (frame == 0 || !walk (memory, stack, frame, frames)) {
    g_array_set_size (frames, 1);
    frame = search_frames (memory, stack, sp, TRUE, frames);
  }
  insert_callers (memory, stack, sp, frame, frames);
  return frame != 0;
}

gboolean
registers_read_context (Memory *memory, guint64 context, Registers *ret_registers)
{
  ucontext_t there;
#if defined(__x86_64__)
  const greg_t *saved = there.uc_mcontext.gregs;

  if (!memory_read (memory, context, &there, offsetof (ucontext_t, uc_sigmask)))
    return FALSE;
  *ret_registers =
      (Registers){ (guint64) saved[REG_RSP], (guint64) saved[REG_RIP], (guint64) saved[REG_RBP] };
  return TRUE;
#elif defined(__aarch64__)
  const mcontext_t *saved = &there.uc_mcontext;

  if (!memory_read (memory, context, &there, offsetof (ucontext_t, uc_mcontext.__reserved)))
    return FALSE;
  *ret_registers = (Registers){ saved->sp, saved->pc, saved->regs[29] };
  return TRUE;
#else
  (void) there;
  (void) memory;
  (void) context;
  (void) ret_registers;
  return FALSE;
#endif
}

/* One that has used up its stack points to below it. */
static gboolean
is_on_stack (const TaskStack *stack, const Registers *registers)
{
  return (registers->sp >= stack->low && registers->sp < stack->high) ||
         (registers->frame >= stack->low && registers->frame < stack->high);
}

gboolean
stack_walk_running (
    Memory *memory, guint64 low, guint64 high, const Registers *crashed, GArray *frames)
{
  TaskStack stack = { .low = low, .high = high };
  gint pid = memory_get_pid (memory);
  g_autofree char *path = g_strdup_printf ("/proc/%d/task", pid);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  if (crashed != NULL && is_on_stack (&stack, crashed))
    return walk_from_registers (memory, &stack, crashed, frames);
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    Registers registers;

    read_registers (pid, atoi (name), &registers);
    if (registers.sp >= low && registers.sp < high)
      return walk_from_registers (memory, &stack, &registers, frames);
  }
  return FALSE;
}

void
stack_walk_thread (Memory *memory, gint tid, const Registers *crashed, GArray *frames)
{
  Registers registers;
  TaskStack stack;

  if (crashed != NULL)
    registers = *crashed;
  else
    read_registers (memory_get_pid (memory), tid, &registers);
  if (registers.pc == 0)
    return;
  stack = (TaskStack){ .low = registers.sp, .high = memory_get_end (memory, registers.sp) };
  g_array_append_val (frames, registers.pc);
  if (stack.high == 0)
    return;
  /* Where it has begun is libc's, which has no frames. */
  search_frames (memory, &stack, registers.sp & ~(guint64) 7, FALSE, frames);
}
