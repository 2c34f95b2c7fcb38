/* bench-dbus.c - the peers of a call: what D-Bus takes for one, without a bus between the two.
 *
 * Client and server are forked for each run: GDBus starts threads, and this process forks. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench.h"

#include <gio/gio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef HAVE_SD_BUS
#include <systemd/sd-bus.h>
#endif

#define A_NUMBER  G_GINT64_CONSTANT (0x123456789abc)
#define N_CALLS   bench_n (5000)
#define PATH      "/echo"
#define INTERFACE "org.example.Echo"

typedef struct {
  void (*serve) (int fd); /* until the other end is closed */
  /* N_CALLS times, with nothing, or with a number in a dictionary that comes back as a number; nanoseconds for each */
  double (*call) (int fd, gboolean with_number);
} Bus;

/* --- GDBus --------------------------------------------------------------------------------------- */

static GDBusConnection *
connect_gdbus (int fd, GDBusConnectionFlags flags, const char *guid)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket = g_socket_new_from_fd (fd, &error);
  g_autoptr (GSocketConnection) stream = NULL;
  GDBusConnection *connection;

  g_assert_no_error (error);
  stream = g_socket_connection_factory_create_connection (socket);
  connection = g_dbus_connection_new_sync (G_IO_STREAM (stream), guid, flags, NULL, NULL, &error);
  g_assert_no_error (error);
  return connection;
}

static void
answer_gdbus (G_GNUC_UNUSED GDBusConnection *connection,
              G_GNUC_UNUSED const char *sender,
              G_GNUC_UNUSED const char *path,
              G_GNUC_UNUSED const char *interface,
              G_GNUC_UNUSED const char *method,
              GVariant *parameters,
              GDBusMethodInvocation *invocation,
              G_GNUC_UNUSED gpointer data)
{
  g_autoptr (GVariant) kwargs = NULL;
  gint64 number = 0;

  if (g_variant_n_children (parameters) == 1) {
    kwargs = g_variant_get_child_value (parameters, 0);
    g_variant_lookup (kwargs, "n", "x", &number);
  }
  g_dbus_method_invocation_return_value (invocation,
                                         kwargs != NULL ? g_variant_new ("(x)", number) : NULL);
}

static void
serve_gdbus (int fd)
{
  static const GDBusInterfaceVTable vtable = { .method_call = answer_gdbus };
  g_autofree char *guid = g_dbus_generate_guid ();
  g_autoptr (GDBusConnection) connection =
      connect_gdbus (fd,
                     G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER |
                         G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_ALLOW_ANONYMOUS |
                         G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING,
                     guid);
  g_autoptr (GDBusNodeInfo) node = g_dbus_node_info_new_for_xml (
      "<node><interface name='" INTERFACE "'><method name='Echo'/>"
      "<method name='EchoNumber'><arg type='a{sv}'/><arg type='x' direction='out'/></method>"
      "</interface></node>",
      NULL);
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);

  g_dbus_connection_register_object (connection, PATH, node->interfaces[0], &vtable, NULL, NULL,
                                     NULL);
  g_signal_connect_swapped (connection, "closed", G_CALLBACK (g_main_loop_quit), loop);
  g_dbus_connection_start_message_processing (connection);
  g_main_loop_run (loop);
}

static GVariant *
new_number (guint i)
{
  GVariantBuilder kwargs;

  g_variant_builder_init (&kwargs, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&kwargs, "{sv}", "n", g_variant_new_int64 (A_NUMBER + i));
  return g_variant_new ("(@a{sv})", g_variant_builder_end (&kwargs));
}

static double
call_gdbus (int fd, gboolean with_number)
{
  g_autoptr (GDBusConnection) connection =
      connect_gdbus (fd, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL);
  gint64 started = bench_now_nsec ();

  for (guint i = 0; i < N_CALLS; i++) {
    g_autoptr (GVariant) result = g_dbus_connection_call_sync (
        connection, NULL, PATH, INTERFACE, with_number ? "EchoNumber" : "Echo",
        with_number ? new_number (i) : NULL, NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL);
    gint64 number = A_NUMBER + i;

    g_assert (result != NULL);
    if (with_number)
      g_variant_get (result, "(x)", &number);
    g_assert (number == A_NUMBER + i);
  }
  return (double) (bench_now_nsec () - started) / N_CALLS;
}

static const Bus gdbus = { serve_gdbus, call_gdbus };

/* --- sd-bus -------------------------------------------------------------------------------------- */

#ifdef HAVE_SD_BUS

static sd_bus *
connect_sd_bus (int fd, gboolean is_server)
{
  sd_bus *bus = NULL;
  sd_id128_t id;

  g_assert (sd_bus_new (&bus) >= 0 && sd_id128_randomize (&id) >= 0);
  g_assert (sd_bus_set_fd (bus, fd, fd) >= 0);
  g_assert (!is_server || sd_bus_set_server (bus, TRUE, id) >= 0);
  g_assert (sd_bus_start (bus) >= 0);
  return bus;
}

static int
answer_sd_bus (sd_bus_message *message, G_GNUC_UNUSED void *data, G_GNUC_UNUSED sd_bus_error *error)
{
  return sd_bus_reply_method_return (message, NULL);
}

static int
answer_number_sd_bus (sd_bus_message *message,
                      G_GNUC_UNUSED void *data,
                      G_GNUC_UNUSED sd_bus_error *error)
{
  const char *name;
  gint64 number = 0;

  g_assert (sd_bus_message_read (message, "a{sv}", 1, &name, "x", &number) >= 0);
  return sd_bus_reply_method_return (message, "x", number);
}

static void
serve_sd_bus (int fd)
{
  static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START (0),
    SD_BUS_METHOD ("Echo", NULL, NULL, answer_sd_bus, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD ("EchoNumber", "a{sv}", "x", answer_number_sd_bus, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
  };
  sd_bus *bus = connect_sd_bus (fd, TRUE);
  int n;

  g_assert (sd_bus_add_object_vtable (bus, NULL, PATH, INTERFACE, vtable, NULL) >= 0);
  while ((n = sd_bus_process (bus, NULL)) >= 0)
    if (n == 0 && sd_bus_wait (bus, G_MAXUINT64) < 0)
      break;
  sd_bus_flush_close_unref (bus);
}

static void
call_number_sd_bus (sd_bus *bus, guint i)
{
  sd_bus_message *reply = NULL;
  gint64 number = 0;

  g_assert (sd_bus_call_method (bus, NULL, PATH, INTERFACE, "EchoNumber", NULL, &reply, "a{sv}", 1,
                                "n", "x", A_NUMBER + i) >= 0);
  g_assert (sd_bus_message_read (reply, "x", &number) >= 0 && number == A_NUMBER + i);
  sd_bus_message_unref (reply);
}

static double
call_sd_bus (int fd, gboolean with_number)
{
  sd_bus *bus = connect_sd_bus (fd, FALSE);
  gint64 started = bench_now_nsec ();

  for (guint i = 0; i < N_CALLS; i++)
    if (with_number)
      call_number_sd_bus (bus, i);
    else
      g_assert (sd_bus_call_method (bus, NULL, PATH, INTERFACE, "Echo", NULL, NULL, NULL) >= 0);
  started = bench_now_nsec () - started;
  sd_bus_flush_close_unref (bus);
  return (double) started / N_CALLS;
}

static const Bus sd_bus_itself = { serve_sd_bus, call_sd_bus };

#endif

/* --- between two processes ------------------------------------------------------------------------- */

static pid_t
fork_end (const Bus *bus, gboolean with_number, const int ends[2], int result_fd)
{
  gboolean is_server = result_fd < 0;
  pid_t pid = fork ();

  if (pid != 0)
    return pid;
  close (ends[!is_server]);
  if (is_server) {
    bus->serve (ends[1]);
  } else {
    double nsec = bus->call (ends[0], with_number);

    g_assert (write (result_fd, &nsec, sizeof nsec) == sizeof nsec);
  }
  _exit (0);
}

static double
measure_bus (const Bus *bus, gboolean with_number)
{
  int ends[2];
  int results[2];
  pid_t pids[2];
  double nsec;

  g_assert (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  g_assert (pipe (results) == 0);
  pids[0] = fork_end (bus, with_number, ends, -1);
  pids[1] = fork_end (bus, with_number, ends, results[1]);
  close (ends[0]);
  close (ends[1]);
  close (results[1]);
  g_assert (read (results[0], &nsec, sizeof nsec) == sizeof nsec);
  close (results[0]);
  for (guint i = 0; i < 2; i++)
    waitpid (pids[i], NULL, 0);
  return nsec;
}

static double
measure_gdbus (G_GNUC_UNUSED gconstpointer data)
{
  return measure_bus (&gdbus, FALSE);
}

double
bench_measure_gdbus_number (G_GNUC_UNUSED gconstpointer data)
{
  return measure_bus (&gdbus, TRUE);
}

static double
measure_sd_bus (G_GNUC_UNUSED gconstpointer data)
{
#ifdef HAVE_SD_BUS
  return measure_bus (&sd_bus_itself, FALSE);
#else
  return -1;
#endif
}

double
bench_measure_sd_bus_number (G_GNUC_UNUSED gconstpointer data)
{
#ifdef HAVE_SD_BUS
  return measure_bus (&sd_bus_itself, TRUE);
#else
  return -1;
#endif
}

const BenchRow bench_dbus_rows[] = {
  { "call, beside sd-bus", BENCH_USEC, "sd-bus (libsystemd-dev)", 1, TRUE, 7, bench_measure_calls,
    measure_sd_bus, "builtin" },
  { "call, beside GDBus", BENCH_USEC, "GDBus, peer to peer", 1, TRUE, 7, bench_measure_calls,
    measure_gdbus, "builtin" },
  { NULL },
};
