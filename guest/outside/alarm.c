/* alarm.c - a function that is called at a time, without a task that waits for it.
 *
 * For what must be tried again though its caller cannot wait, and where making a task could fail for the same
 * reason: setting an alarm allocates nothing. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest.h"

struct _TractorAlarm {
  Deadline deadline; /* first */
  TractorGuest *guest;
  TractorAlarmFunc func;
  gpointer data;
};

static void
on_deadline (Deadline *deadline)
{
  TractorAlarm *alarm = (TractorAlarm *) deadline;

  alarm->func (alarm->data); /* which may free it */
}

TractorAlarm *
tractor_alarm_new (TractorAlarmFunc func, gpointer data)
{
  TractorGuest *guest = tractor__current_guest;
  TractorAlarm *alarm;

  g_return_val_if_fail (func != NULL, NULL);
  g_return_val_if_fail (guest != NULL, NULL);

  alarm = g_new0 (TractorAlarm, 1);
  alarm->deadline.expire = on_deadline;
  alarm->guest = guest;
  alarm->func = func;
  alarm->data = data;
  tractor__deadline_heap_reserve (&guest->deadlines);
  return alarm;
}

void
tractor_alarm_set (TractorAlarm *alarm, gint64 when)
{
  TractorGuest *guest;

  g_return_if_fail (alarm != NULL);

  guest = alarm->guest;
  tractor__deadline_disarm (&guest->deadlines, &alarm->deadline);
  if (when == TRACTOR_NO_DEADLINE)
    return;
  tractor__deadline_arm (&guest->deadlines, &alarm->deadline, when);
  if (guest->ops->now == NULL) /* a tick may be over, and not look at it any more */
    tractor__poller_arm_timer (&guest->poller, deadline_heap_get_earliest (&guest->deadlines));
}

void
tractor_alarm_free (TractorAlarm *alarm)
{
  if (alarm == NULL)
    return;
  tractor__deadline_disarm (&alarm->guest->deadlines, &alarm->deadline);
  deadline_heap_unreserve (&alarm->guest->deadlines);
  g_free (alarm);
}
