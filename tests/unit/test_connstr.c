#include "core/azure/connstr.h"

#include <criterion/criterion.h>
#include <string.h>

#define KEY    "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define DEVICE "HostName=hub.azure-devices.net;DeviceId=dev1;SharedAccessKey=" KEY

static int check(const char *text, struct err *err)
{
    auto_connstr struct connstr c = {0};

    if (connstr_parse(text, strlen(text), &c, err) < 0)
        return -1;
    return connstr_check_device(&c, err);
}

static void refuse(const char *text, const char *expected)
{
    struct err err = {0};

    cr_assert_eq(check(text, &err), -1, "accepted: %s", text);
    cr_assert_eq(err.kind, ERR_INVALID);
    cr_assert(strstr(err.msg, expected), "\"%s\" does not say \"%s\"", err.msg, expected);
    cr_assert_neq(err.hint[0], '\0', "no hint with \"%s\"", err.msg);
    cr_assert_null(strstr(err.msg, "MDEy"), "the key is in the message");
}

Test(connstr, takes_a_device_string_apart)
{
    auto_connstr struct connstr c = {0};
    const char *text =
        "HostName=localhost:18883;DeviceId=dev1;SharedAccessKey=" KEY ";GatewayHostName=gw";

    cr_assert_eq(connstr_parse(text, strlen(text), &c, NULL), 0);
    cr_assert_str_eq(c.host, "localhost");
    cr_assert_eq(c.port, 18883);
    cr_assert_str_eq(c.device_id, "dev1");
    cr_assert_str_eq(c.key.data, KEY);
    cr_assert_str_eq(c.gateway, "gw");
    cr_assert_eq(connstr_check_device(&c, NULL), 0);
}

Test(connstr, forgives_what_copying_leaves_around_it)
{
    const char *texts[] = {DEVICE "\n",      "  " DEVICE "\r\n", "\"" DEVICE "\"",
                           "'" DEVICE "'\n", DEVICE ";",         "\xef\xbb\xbf" DEVICE};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err err = {0};
        cr_assert_eq(check(texts[i], &err), 0, "%zu: %s", i, err.msg);
    }
}

Test(connstr, names_the_part_that_is_missing)
{
    refuse("", "no connection string");
    refuse(" \n", "no connection string");
    refuse("DeviceId=d;SharedAccessKey=" KEY, "HostName is missing");
    refuse("HostName=h;SharedAccessKey=" KEY, "DeviceId is missing");
    refuse("HostName=h;DeviceId=d", "SharedAccessKey is missing");
    refuse("HostName=h;DeviceId=d;SharedAccessKey=", "SharedAccessKey is missing");
    refuse("HostName;DeviceId=d;SharedAccessKey=" KEY, "HostName is missing");
    refuse("hostname=h;DeviceId=d;SharedAccessKey=" KEY, "HostName is missing");
}

Test(connstr, says_what_is_wrong_with_the_key)
{
    refuse("HostName=h;DeviceId=d;SharedAccessKey=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY",
           "43 characters, one short");
    refuse("HostName=h;DeviceId=d;SharedAccessKey=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZ!Y=",
           "not valid base64");
    refuse("HostName=h;DeviceId=d;SharedAccessKey=AAAA", "holds 3 bytes");
}

Test(connstr, recognises_the_wrong_kind_of_string)
{
    refuse("HostName=h;SharedAccessKeyName=iothubowner;SharedAccessKey=" KEY,
           "hub's own string (policy iothubowner)");
    refuse("HostName=h;DeviceId=d;ModuleId=m;SharedAccessKey=" KEY, "string of a module (m)");
}

Test(connstr, refuses_what_cannot_be_one)
{
    struct err err = {0};
    auto_connstr struct connstr c = {0};
    char big[CONNSTR_MAX + 2];

    memset(big, 'a', sizeof(big));
    cr_assert_eq(connstr_parse(big, sizeof(big), &c, &err), -1);
    cr_assert_eq(connstr_parse("HostName=h:0", 12, &c, &err), -1);
    cr_assert_eq(connstr_parse("HostName=h:99999", 16, &c, &err), -1);
    cr_assert_eq(connstr_parse("HostName=a\nb", 12, &c, &err), -1);
}
