/* test-address.c - addresses as text, on the wire, as payloads and for the kernel. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "address.h"
#include "codec.h"
#include "harness.h"
#include "tractor-error.h"

#define VALUE(literal) ((WireValue){ (const guint8 *) (literal), sizeof (literal) - 1 })

static Address
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  Address address;

  tractor__address_parse (text, &address, &error);
  g_assert_no_error (error);
  return address;
}

static void
assert_text (const Address *address, const char *expected)
{
  g_autofree char *text = tractor__address_to_string (address);

  g_assert_cmpstr (text, ==, expected);
}

/* --- text --------------------------------------------------------------------------------------- */

static void
test_every_form_is_parsed (void)
{
  static const struct {
    const char *text;
    const char *canonical;
    const char *multiaddr;
  } cases[] = {
    { "tcp://127.0.0.1:1616", "tcp://127.0.0.1:1616", "/ip4/127.0.0.1/tcp/1616" },
    { "tcp://localhost:1", "tcp://127.0.0.1:1", "/ip4/127.0.0.1/tcp/1" },
    { "tcp://[::1]:0", "tcp://[::1]:0", "/ip6/::1/tcp/0" },
    { "tcp://[0:0::0001]:65535", "tcp://[::1]:65535", "/ip6/::1/tcp/65535" },
    { "unix:/run/a b/c.sock", "unix:/run/a b/c.sock", "/unix/run/a b/c.sock" },
    { "unix:/c", "unix:/c", "/unix/c" },
    { "/ip4/10.1.2.3/tcp/80", "tcp://10.1.2.3:80", "/ip4/10.1.2.3/tcp/80" },
    { "/ip6/FE80::1/tcp/80", "tcp://[fe80::1]:80", "/ip6/fe80::1/tcp/80" },
    { "/unix/run/\xc3\xa9.sock", "unix:/run/\xc3\xa9.sock", "/unix/run/\xc3\xa9.sock" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_auto (Address) address = parse (cases[i].text);
    g_auto (Address) again = parse (cases[i].multiaddr);

    assert_text (&address, cases[i].canonical);
    g_assert_true (tractor__address_equal (&address, &again));
  }
}

static void
assert_refused (const char *text, const char *part_of_message)
{
  GError *error = NULL;
  Address address;

  g_assert_false (tractor__address_parse (text, &address, &error));
  if (strstr (error->message, part_of_message) == NULL)
    g_error ("'%s' gives: %s", text, error->message);
  g_assert_null (strchr (error->message, '\n'));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
}

static void
test_other_protocols_are_told_what_is_accepted (void)
{
  const char *texts[] = { "",
                          "127.0.0.1:1616",
                          "udp://127.0.0.1:1616",
                          "TCP://127.0.0.1:1",
                          "/ip4/127.0.0.1/udp/1616",
                          "/ip4/127.0.0.1/udp/1616/quic-v1",
                          "/ip4/127.0.0.1/tcp/1616/ws",
                          "/ip4/127.0.0.1/tcp",
                          "/ip6/127.0.0.1/tcp/1",
                          "/ip4/::1/tcp/1",
                          "/dns4/example.org/tcp/1",
                          "/wg/1",
                          "tcp://127.0.0.1",
                          "tcp://[::1]",
                          "tcp://[::1]x:1",
                          "tcp://x[::1]:1",
                          "tcp://127.0.0.1\nActor 'x' has ended",
                          "unix" };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    assert_refused (texts[i], "accepted are tcp://IP:PORT, unix:/absolute/path");
}

static void
test_names_of_hosts_are_refused (void)
{
  assert_refused ("tcp://example.org:80", "names are not looked up");
  assert_refused ("tcp://:80", "names are not looked up");
  assert_refused ("tcp://127.1:80", "names are not looked up");
  assert_refused ("tcp://[fe80::1%eth0]:80", "names are not looked up");
  assert_refused ("/ip4/localhost/tcp/80", "names are not looked up");
  assert_refused ("tcp://::1:80", "brackets");
  assert_refused ("tcp://[127.0.0.1]:80", "brackets");
}

static void
test_ports_out_of_range_are_refused (void)
{
  const char *texts[] = { "tcp://127.0.0.1:65536",  "tcp://127.0.0.1:-1",
                          "tcp://127.0.0.1:",       "tcp://127.0.0.1: 1",
                          "tcp://127.0.0.1:1x",     "tcp://127.0.0.1:99999999999999999999",
                          "/ip6/::1/tcp/65536",     "/ip4/127.0.0.1/tcp/",
                          "/ip4/127.0.0.1/tcp/0x1", "tcp://[::1]:+1" };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    assert_refused (texts[i], "between 0 and 65535");
}

static void
test_S1_abstract_sockets_are_refused (void)
{
  assert_refused ("unix:@x", "abstract");
  assert_refused ("/unix/@x", "abstract");
  assert_refused ("unix:", "abstract"); /* as a leading NUL looks */
}

static void
test_paths_that_are_not_plain_are_refused (void)
{
  assert_refused ("unix:run/x.sock", "absolute");
  assert_refused ("unix:./x.sock", "absolute");
  assert_refused ("unix:/", "name a file");
  assert_refused ("unix:/run/", "name a file");
  assert_refused ("unix:/run/../x.sock", "'..'");
  assert_refused ("unix:/run/..", "'..'");
  assert_refused ("/unix/../x.sock", "'..'");
  assert_refused ("unix:/run/./x.sock", "'.'");
  assert_refused ("unix:/run//x.sock", "'//'");
  assert_refused ("unix:/run/\xff", "UTF-8");
  assert_refused ("unix:/run/\x1b[2J", "control character");
  assert_refused ("/unix/run/\xc2\x9b", "control character");
}

static void
test_long_paths_are_refused_with_both_lengths (void)
{
  g_autofree char *filler = g_strnfill (106, 'x');
  g_autofree char *fits = g_strconcat ("unix:/", filler, NULL);
  g_autofree char *too_long = g_strconcat ("unix:/", filler, "y", NULL);
  g_auto (Address) address = parse (fits);

  assert_text (&address, fits);
  assert_refused (too_long, "108 bytes long, and a socket's can have at most 107");
}

static void
test_what_is_refused_is_quoted_escaped (void)
{
  assert_refused ("x\033[2J", "x\\x1b[2J");
}

/* --- the struct --------------------------------------------------------------------------------- */

static void
test_equal_addresses_have_equal_hashes (void)
{
  g_auto (Address) tcp = parse ("tcp://127.0.0.1:1616");
  g_auto (Address) other_port = parse ("tcp://127.0.0.1:1617");
  g_auto (Address) unix_address = parse ("unix:/run/x");
  g_auto (Address) copy = { 0 };
  Address none = { 0 };

  tractor__address_copy (&tcp, &copy);
  g_assert_true (tractor__address_equal (&tcp, &copy));
  g_assert_true (copy.host != tcp.host);
  g_assert_cmpuint (tractor__address_hash (&tcp), ==, tractor__address_hash (&copy));
  g_assert_false (tractor__address_equal (&tcp, &other_port));
  g_assert_false (tractor__address_equal (&tcp, &unix_address));
  g_assert_false (tractor__address_equal (&tcp, &none));
  g_assert_true (tractor__address_equal (&none, &(Address){ 0 }));
  g_assert_cmpuint (tractor__address_hash (&none), ==, 0);
  tractor__address_clear (&none);
}

static void
test_loopback (void)
{
  static const struct {
    const char *text;
    gboolean is_loopback;
  } cases[] = {
    { "tcp://127.0.0.1:1", TRUE },   { "tcp://127.255.0.9:1", TRUE },
    { "tcp://[::1]:1", TRUE },       { "tcp://0.0.0.0:1", FALSE },
    { "tcp://[::]:1", FALSE },       { "tcp://128.0.0.1:1", FALSE },
    { "tcp://10.0.0.127:1", FALSE }, { "tcp://[::ffff:127.0.0.1]:1", FALSE },
    { "unix:/run/x", FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_auto (Address) address = parse (cases[i].text);

    g_assert_cmpint (tractor__address_is_loopback (&address), ==, cases[i].is_loopback);
  }
}

static void
assert_choice (const char *const *texts, const char *expected)
{
  g_autoptr (GPtrArray) addresses = g_ptr_array_new_with_free_func (tractor__address_free);

  for (; *texts != NULL; texts++) {
    Address address = parse (*texts);

    g_ptr_array_add (addresses, g_memdup2 (&address, sizeof address));
  }
  assert_text (tractor__address_choose (addresses), expected);
}

static void
test_I2_the_nearest_and_latest_is_chosen (void)
{
  const char *all[] = { "tcp://10.0.0.1:1", "unix:/a",          "tcp://127.0.0.1:1",
                        "unix:/b",          "tcp://10.0.0.2:1", NULL };
  const char *tcp[] = { "tcp://[::1]:1", "tcp://127.0.0.1:1", "tcp://10.0.0.2:1", NULL };
  const char *remote[] = { "tcp://10.0.0.2:1", "tcp://10.0.0.1:1", NULL };
  g_autoptr (GPtrArray) empty = g_ptr_array_new ();

  assert_choice (all, "unix:/b");
  assert_choice (tcp, "tcp://127.0.0.1:1");
  assert_choice (remote, "tcp://10.0.0.1:1");
  g_assert_null (tractor__address_choose (empty));
  g_ptr_array_add (empty, &(Address){ 0 });
  g_assert_null (tractor__address_choose (empty));
}

/* --- the wire ----------------------------------------------------------------------------------- */

#define TCP_BYTES                                                                                  \
  "\x92\xa9"                                                                                       \
  "127.0.0.1\xcd\x06\x50" /* as Python writes it */
#define UNIX_BYTES "\x92\xa4/run\xa6x.sock"

static void
assert_read (WireValue value, const char *expected)
{
  WireReader reader = { value.bytes, value.bytes + value.length };
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) variant = NULL;
  g_auto (Address) address = { 0 };
  g_auto (Address) from_variant = { 0 };

  tractor__address_read (&reader, &address, &error);
  g_assert_no_error (error);
  g_assert_true (reader.at == reader.end);
  assert_text (&address, expected);

  g_assert_true (tractor__codec_unpack (value, &variant, NULL));
  tractor__address_from_variant (variant, &from_variant, &error);
  g_assert_no_error (error);
  g_assert_true (tractor__address_equal (&address, &from_variant));
}

static void
test_every_wire_form_is_read (void)
{
  assert_read (VALUE (TCP_BYTES), "tcp://127.0.0.1:1616");
  assert_read (VALUE ("\x92\xa3::1\x00"), "tcp://[::1]:0");
  assert_read (VALUE (UNIX_BYTES), "unix:/run/x.sock");
  assert_read (VALUE ("\x92\xa1/\xa6x.sock"), "unix:/x.sock");
  assert_read (VALUE ("\x93\xa3tcp\xa3::1\x07"), "tcp://[::1]:7");
  assert_read (VALUE ("\x92\xa4unix\xa7/x.sock"), "unix:/x.sock");
  assert_read (VALUE ("\xc0"), "no address");
  assert_read (VALUE ("\x92\xc0\xc0"), "no address");
}

static void
test_what_we_write_is_read (void)
{
  const char *texts[] = { "tcp://127.0.0.1:1616", "tcp://[::1]:65535", "unix:/run/x.sock",
                          "unix:/x" };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_auto (Address) address = parse (texts[i]);
    g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();
    g_autoptr (WireBuffer) packed = tractor__wire_buffer_new ();
    g_autoptr (GVariant) variant = g_variant_ref_sink (tractor__address_to_variant (&address));
    gsize offset;

    tractor__address_write (buffer, &address);
    g_assert_null (tractor__wire_check (buffer->data, buffer->len, FALSE, &offset));
    assert_read ((WireValue){ buffer->data, buffer->len }, texts[i]);
    g_assert_true (tractor__codec_pack (packed, variant, PACK_AT_ONCE, NULL));
    assert_read ((WireValue){ packed->data, packed->len }, texts[i]);
  }
}

static void
test_no_address_is_nil (void)
{
  g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();
  Address address = { 0 };

  tractor__address_write (buffer, &address);
  g_assert_cmpmem (buffer->data, buffer->len, "\xc0", 1);
  g_assert_null (tractor__address_to_variant (&address));
  g_assert_true (tractor__address_from_variant (NULL, &address, NULL));
  g_assert_cmpint (address.kind, ==, ADDRESS_NONE);
}

static const struct {
  const char *bytes;
  gsize length;
} bad_values[] = {
#define CASE(literal)                                                                              \
  {                                                                                                \
    literal, sizeof (literal) - 1                                                                  \
  }
  CASE ("\x01"),
  CASE ("\xa1x"),
  CASE ("\x80"),
  CASE ("\x91\xa9"
        "127.0.0.1"),
  CASE ("\x94\xa3tcp\xa3::1\x07\x08"),
  CASE ("\x92\xc0\x01"),
  CASE ("\x92\x01\xa3::1"),
  CASE ("\x92\xc4\x03::1\x01"), /* bytes for the host */
  CASE ("\x92\xa3::1\xff"),
  CASE ("\x92\xa3::1\xce\x00\x01\x00\x00"),
  CASE ("\x92\xa3::1\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
  CASE ("\x92\xa3::1\xcb\x3f\xf0\0\0\0\0\0\0"),
  CASE ("\x92\xa3::1\xc0"),
  CASE ("\x92\xa9localhost\x01"),
  CASE ("\x92\xa5::1\0x\x01"), /* a NUL in it */
  CASE ("\x92\xa2\0x\xa1y"),   /* abstract */
  CASE ("\x92\xa0\xa2@y"),
  CASE ("\x92\xa3run\xa1x"),
  CASE ("\x92\xa4/run\xa4../x"),
  CASE ("\x92\xa4/run\xa2.."),
  CASE ("\x92\xa4/run\xa0"),
  CASE ("\x92\xa4unix\xa1x"),
  CASE ("\x93\xa3udp\xa3::1\x07"),
  CASE ("\x93\xa3tcp\x07\x07"),
  CASE ("\x92\x92\xa3::1\x07\x01"), /* an address where a host should be, in a list with a number */
#undef CASE
};

static void
test_bad_values_are_the_peers_fault (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (bad_values); i++) {
    WireValue value = { (const guint8 *) bad_values[i].bytes, bad_values[i].length };
    WireReader reader = { value.bytes, value.bytes + value.length };
    g_autoptr (GVariant) variant = NULL;
    GError *error = NULL;
    Address address;
    gsize offset;

    g_assert_null (tractor__wire_check (value.bytes, value.length, FALSE, &offset));
    g_assert_false (tractor__address_read (&reader, &address, &error));
    harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL);
    g_assert_null (tractor__address_read_list (value, &error));
    harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL);

    g_assert_true (tractor__codec_unpack (value, &variant, NULL));
    g_assert_false (tractor__address_from_variant (variant, &address, &error));
    harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL);
    g_assert_null (tractor__address_list_from_variant (variant, &error));
    harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL);
  }
}

static void
test_variants_that_cannot_be_sent_are_refused (void)
{
  g_autoptr (GVariant) handle = g_variant_ref_sink (g_variant_new ("(sh)", "::1", 1));
  GError *error = NULL;
  Address address;

  g_assert_false (tractor__address_from_variant (handle, &address, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL);
}

static void
assert_list (WireValue value, guint n, const char *last)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) variant = NULL;
  g_autoptr (GPtrArray) addresses = tractor__address_read_list (value, &error);
  g_autoptr (GPtrArray) from_variant = NULL;

  g_assert_no_error (error);
  g_assert_cmpuint (addresses->len, ==, n);
  if (n > 0)
    assert_text (addresses->pdata[n - 1], last);
  g_assert_true (tractor__codec_unpack (value, &variant, NULL));
  from_variant = tractor__address_list_from_variant (variant, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (from_variant->len, ==, n);
}

static void
test_one_address_or_a_list (void)
{
  assert_list (VALUE (TCP_BYTES), 1, "tcp://127.0.0.1:1616");
  assert_list (VALUE (UNIX_BYTES), 1, "unix:/run/x.sock");
  assert_list (VALUE ("\x91" TCP_BYTES), 1, "tcp://127.0.0.1:1616");
  assert_list (VALUE ("\x92" TCP_BYTES UNIX_BYTES), 2, "unix:/run/x.sock");
  assert_list (VALUE ("\x93" TCP_BYTES "\xc0" UNIX_BYTES), 2, "unix:/run/x.sock");
  assert_list (VALUE ("\x93\xa3tcp\xa3::1\x07"), 1, "tcp://[::1]:7");
  assert_list (VALUE ("\xc0"), 0, NULL);
  assert_list (VALUE ("\x90"), 0, NULL);
  assert_list (VALUE ("\x92\xc0\xc0"), 0, NULL);
  assert_list (VALUE ("\x91\x92\xc0\xc0"), 0, NULL);
}

static void
test_long_lists_are_refused (void)
{
  g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();
  g_auto (Address) address = parse ("tcp://[::1]:1");
  GError *error = NULL;

  tractor__wire_write_array (buffer, LIMIT_ADDRESSES + 1);
  for (int i = 0; i < LIMIT_ADDRESSES + 1; i++)
    tractor__address_write (buffer, &address);
  g_assert_null (tractor__address_read_list ((WireValue){ buffer->data, buffer->len }, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL);
}

static void
test_huge_halves_are_not_quoted (void)
{
  g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();
  g_autofree char *host = g_strnfill (100000, 'x');
  WireReader reader;
  GError *error = NULL;
  Address address;

  tractor__wire_write_array (buffer, 2);
  tractor__wire_write_string (buffer, host);
  tractor__wire_write_integer (buffer, 1);
  reader = (WireReader){ buffer->data, buffer->data + buffer->len };
  g_assert_false (tractor__address_read (&reader, &address, &error));
  g_assert_cmpuint (strlen (error->message), <, 200);
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_PROTOCOL);
}

/* Whatever passes the check is an address, or refused. */
static void
test_random_values (void)
{
  static const char alphabet[] = "\x90\x91\x92\x93\xa0\xa1\xa3\xa4\xc0\xcd\x01\x7f/.@:1utcpix";

  for (int round = 0; round < 100000; round++) {
    guint8 bytes[24];
    gsize length = (gsize) g_test_rand_int_range (1, sizeof bytes);
    WireReader reader = { bytes, bytes + length };
    g_autoptr (GPtrArray) addresses = NULL;
    g_auto (Address) address = { 0 };
    gsize offset;

    for (gsize i = 0; i < length; i++)
      bytes[i] = (guint8) alphabet[g_test_rand_int_range (0, sizeof alphabet - 1)];
    if (tractor__wire_check (bytes, length, FALSE, &offset) != NULL)
      continue;
    tractor__address_read (&reader, &address, NULL);
    addresses = tractor__address_read_list ((WireValue){ bytes, length }, NULL);
  }
}

/* --- the kernel --------------------------------------------------------------------------------- */

static void
test_sockaddr_and_back (void)
{
  const char *texts[] = { "tcp://127.0.0.1:1616", "tcp://[fe80::1]:0", "unix:/run/x.sock" };
  const int families[] = { AF_INET, AF_INET6, AF_UNIX };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_auto (Address) address = parse (texts[i]);
    g_auto (Address) back = { 0 };
    struct sockaddr_storage name;
    socklen_t length;

    g_assert_true (tractor__address_to_sockaddr (&address, &name, &length, NULL));
    g_assert_cmpint (name.ss_family, ==, families[i]);
    g_assert_true (tractor__address_from_sockaddr (&name, length, &back, NULL));
    g_assert_true (tractor__address_equal (&address, &back));
  }
}

static void
test_odd_sockaddrs (void)
{
  struct sockaddr_storage name = { .ss_family = AF_UNIX };
  struct sockaddr_un *unix_name = (struct sockaddr_un *) &name;
  g_auto (Address) whole = { 0 };
  GError *error = NULL;
  Address address;

  g_assert_true (tractor__address_from_sockaddr (&name, sizeof (sa_family_t), &address, NULL));
  g_assert_cmpint (address.kind, ==, ADDRESS_NONE); /* unnamed */

  memcpy (unix_name->sun_path, "\0abc", 4); /* abstract */
  g_assert_false (tractor__address_from_sockaddr (
      &name, offsetof (struct sockaddr_un, sun_path) + 4, &address, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);

  memset (unix_name->sun_path, '/', 1); /* to the last byte, without a NUL */
  memset (unix_name->sun_path + 1, 'x', sizeof unix_name->sun_path - 1);
  g_assert_false (tractor__address_from_sockaddr (&name, sizeof *unix_name, &address, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);

  name.ss_family = AF_NETLINK;
  g_assert_false (tractor__address_from_sockaddr (&name, sizeof name, &address, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
}

static void
test_no_sockaddr_of_nothing (void)
{
  struct sockaddr_storage name;
  socklen_t length;
  GError *error = NULL;

  g_assert_false (tractor__address_to_sockaddr (&(Address){ 0 }, &name, &length, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_false (tractor__address_to_sockaddr (
      &(Address){ .kind = ADDRESS_UNIX, .path = (char *) "@x" }, &name, &length, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add ("/src/address/row-90-I5-every-form-is-parsed", test_every_form_is_parsed);
  harness_add ("/src/address/I5-other-protocols-are-told-what-is-accepted",
               test_other_protocols_are_told_what_is_accepted);
  harness_add ("/src/address/names-of-hosts-are-refused", test_names_of_hosts_are_refused);
  harness_add ("/src/address/ports-out-of-range-are-refused", test_ports_out_of_range_are_refused);
  harness_add ("/src/address/S1-abstract-sockets-are-refused",
               test_S1_abstract_sockets_are_refused);
  harness_add ("/src/address/paths-that-are-not-plain-are-refused",
               test_paths_that_are_not_plain_are_refused);
  harness_add ("/src/address/S3-long-paths-are-refused-with-both-lengths",
               test_long_paths_are_refused_with_both_lengths);
  harness_add ("/src/address/S18-what-is-refused-is-quoted-escaped",
               test_what_is_refused_is_quoted_escaped);
  harness_add ("/src/address/equal-addresses-have-equal-hashes",
               test_equal_addresses_have_equal_hashes);
  harness_add ("/src/address/loopback", test_loopback);
  harness_add ("/src/address/I2-the-nearest-and-latest-is-chosen",
               test_I2_the_nearest_and_latest_is_chosen);
  harness_add ("/src/address/every-wire-form-is-read", test_every_wire_form_is_read);
  harness_add ("/src/address/what-we-write-is-read", test_what_we_write_is_read);
  harness_add ("/src/address/no-address-is-nil", test_no_address_is_nil);
  harness_add ("/src/address/bad-values-are-the-peers-fault", test_bad_values_are_the_peers_fault);
  harness_add ("/src/address/variants-that-cannot-be-sent-are-refused",
               test_variants_that_cannot_be_sent_are_refused);
  harness_add ("/src/address/one-address-or-a-list", test_one_address_or_a_list);
  harness_add ("/src/address/long-lists-are-refused", test_long_lists_are_refused);
  harness_add ("/src/address/huge-halves-are-not-quoted", test_huge_halves_are_not_quoted);
  harness_add ("/src/address/random-values", test_random_values);
  harness_add ("/src/address/sockaddr-and-back", test_sockaddr_and_back);
  harness_add ("/src/address/odd-sockaddrs", test_odd_sockaddrs);
  harness_add ("/src/address/no-sockaddr-of-nothing", test_no_sockaddr_of_nothing);
  return harness_run ();
}
