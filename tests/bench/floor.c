/* floor.c - a scheduler with nothing in it: stacks, a ring, and a switch.
 *
 * No scopes, no errors, no poller, no guard pages, no fairness but first come, first served. In a
 * shared library of its own, as ours is, so that the calls cost the same. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "floor.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static gint64
now_nsec (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (gint64) now.tv_sec * 1000000000 + now.tv_nsec;
}

#if defined(__x86_64__)

void floor_jump (void **from, void *to);
void floor_return (void **from, void *to);

/* The one with a jump is the fastest there and back; the one with a return leaves the processor's
 * return predictor in step, and is the faster one below a call or two. */
#define SWITCH(name, leave)                                                                        \
  __asm__(".text\n.globl " name "\n.hidden " name "\n.p2align 4\n" name ":\n"                      \
          "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"   \
          "  movq %rsp, (%rdi)\n  movq %rsi, %rsp\n"                                               \
          "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n" leave)
SWITCH ("floor_jump", "  popq %rcx\n  jmp *%rcx\n");
SWITCH ("floor_return", "  ret\n");

#define STACK_BYTES 16384

typedef struct {
  void *sp;
  guint n_left;
} FloorTask;

static FloorTask *ring[1 << 18];
static guint head;
static guint tail;
static FloorTask *current;
static void *scheduler_sp;

static void *
prepare (char *stack, gsize colour, void (*entry) (void))
{
  void **sp = (void **) (stack + STACK_BYTES - 256 - colour * 64);

  sp[6] = (void *) entry; /* above the six registers */
  sp[7] = NULL;
  return sp;
}

/* --- there and back ---------------------------------------------------------------------------- */

typedef struct FloorSide FloorSide;
struct FloorSide {
  void *sp;
  FloorSide *other;
  guint n_left;
};

static FloorSide *first_side;
static void *outside_sp;

static void
bounce (void)
{
  FloorSide *side = first_side;

  first_side = side->other; /* who starts second finds itself here */
  while (side->n_left-- > 0)
    floor_jump (&side->sp, side->other->sp);
  floor_jump (&side->sp, outside_sp);
}

double
floor_switch_there_and_back (guint n)
{
  FloorSide sides[2] = { { .other = &sides[1], .n_left = n }, { .other = &sides[0], .n_left = n } };
  char *stacks = malloc (2 * STACK_BYTES);
  gint64 started;

  for (guint i = 0; i < 2; i++)
    sides[i].sp = prepare (stacks + i * STACK_BYTES, i, bounce);
  first_side = &sides[0];
  started = now_nsec ();
  floor_jump (&outside_sp, sides[0].sp);
  started = now_nsec () - started;
  free (stacks);
  return (double) started / n;
}

/* --- taking turns ------------------------------------------------------------------------------ */

static G_NO_INLINE void
go_to (void **from, void *to)
{
  floor_return (from, to);
}

void floor_do_yield (void);

G_NO_INLINE void
floor_do_yield (void)
{
  FloorTask *me = current;

  ring[tail++ & (G_N_ELEMENTS (ring) - 1)] = me;
  current = ring[head++ & (G_N_ELEMENTS (ring) - 1)];
  if (current != me)
    go_to (&me->sp, current->sp);
}

static void
leave_floor_task (void)
{
  void *ended;

  if (head == tail)
    go_to (&ended, scheduler_sp);
  current = ring[head++ & (G_N_ELEMENTS (ring) - 1)];
  go_to (&ended, current->sp);
}

static void
run_floor_task (void)
{
  while (current->n_left-- > 0)
    floor_do_yield ();
  leave_floor_task ();
}

/* The same from elsewhere: its returns are not where the processor expects those of the other one. */
static void
run_other_floor_task (void)
{
  for (guint n = current->n_left; n > 0; n--)
    floor_do_yield ();
  leave_floor_task ();
}

static double
time_yields (guint n_tasks, guint n_rounds, void (*entry) (void), void (*odd_entry) (void))
{
  gsize size = (gsize) n_tasks * STACK_BYTES;
  char *stacks =
      mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  FloorTask *tasks = calloc (n_tasks, sizeof (FloorTask));
  gint64 started = 0;

  /* Once to touch every stack, once to measure. */
  for (int round = 0; round < 2; round++) {
    head = tail = 0;
    for (guint i = 0; i < n_tasks; i++) {
      tasks[i].sp = prepare (stacks + (gsize) i * STACK_BYTES, i % 16, i % 2 ? odd_entry : entry);
      tasks[i].n_left = round == 0 ? 1 : n_rounds;
      ring[tail++] = &tasks[i];
    }
    current = ring[head++];
    started = now_nsec ();
    go_to (&scheduler_sp, current->sp);
    started = now_nsec () - started;
  }
  munmap (stacks, size);
  free (tasks);
  return (double) started / ((double) n_tasks * n_rounds);
}

double
floor_yield (guint n_tasks, guint n_rounds)
{
  return time_yields (n_tasks, n_rounds, run_floor_task, run_floor_task);
}

double
floor_yield_unlike (guint n_rounds)
{
  return time_yields (2, n_rounds, run_floor_task, run_other_floor_task);
}

/* --- coming and going -------------------------------------------------------------------------- */

static void
end_at_once (void)
{
  void *ended;

  go_to (&ended, scheduler_sp);
}

double
floor_spawn_and_join (guint n)
{
  char *stack = malloc (STACK_BYTES);
  gint64 started = now_nsec ();

  for (guint i = 0; i < n; i++)
    go_to (&scheduler_sp, prepare (stack, 0, end_at_once));
  started = now_nsec () - started;
  free (stack);
  return (double) started / n;
}

/* --- through a channel, there and back ---------------------------------------------------------- */

/* A slot for one item, and one who waits for it. */
typedef struct {
  gpointer item;
  FloorTask *waiting;
} FloorChannel;

static FloorChannel channels[2];

void floor_do_send (FloorChannel *channel, gpointer item);
gpointer floor_do_receive (FloorChannel *channel);

G_NO_INLINE void
floor_do_send (FloorChannel *channel, gpointer item)
{
  channel->item = item;
  if (channel->waiting != NULL)
    ring[tail++ & (G_N_ELEMENTS (ring) - 1)] = channel->waiting;
  channel->waiting = NULL;
  floor_do_yield (); /* as ours does: every send is a checkpoint */
}

G_NO_INLINE gpointer
floor_do_receive (FloorChannel *channel)
{
  FloorTask *me = current;
  gpointer item;

  if (channel->item == NULL) {
    channel->waiting = me;
    current = ring[head++ & (G_N_ELEMENTS (ring) - 1)];
    go_to (&me->sp, current->sp);
  }
  item = channel->item;
  channel->item = NULL;
  return item;
}

static void
ask_through_channel (void)
{
  void *ended;

  while (current->n_left-- > 0) {
    floor_do_send (&channels[0], current);
    floor_do_receive (&channels[1]);
  }
  go_to (&ended, scheduler_sp);
}

static void
answer_through_channel (void)
{
  for (;;)
    floor_do_send (&channels[1], floor_do_receive (&channels[0]));
}

double
floor_channel_there_and_back (guint n)
{
  char *stacks = malloc (2 * STACK_BYTES);
  FloorTask tasks[2] = { { prepare (stacks, 0, ask_through_channel), n },
                         { prepare (stacks + STACK_BYTES, 1, answer_through_channel), 0 } };
  gint64 started;

  head = tail = 0;
  channels[0] = channels[1] = (FloorChannel){ NULL, NULL };
  ring[tail++] = &tasks[1];
  current = &tasks[0];
  started = now_nsec ();
  go_to (&scheduler_sp, current->sp);
  started = now_nsec () - started;
  free (stacks);
  return (double) started / n;
}

#else

double
floor_channel_there_and_back (G_GNUC_UNUSED guint n)
{
  return -1;
}

double
floor_switch_there_and_back (G_GNUC_UNUSED guint n)
{
  return -1;
}

double
floor_yield (G_GNUC_UNUSED guint n_tasks, G_GNUC_UNUSED guint n_rounds)
{
  return -1;
}

double
floor_yield_unlike (G_GNUC_UNUSED guint n_rounds)
{
  return -1;
}

double
floor_spawn_and_join (G_GNUC_UNUSED guint n)
{
  return -1;
}

#endif
