/* berth-edged's configuration: what it takes from config.toml and how it refuses. */
#include "core/base/str.h"
#include "vm/guest/edged/config.h"

#include <criterion/criterion.h>
#include <string.h>

#define KEY "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define GOOD                                                    \
    "[provisioning]\nsource = \"manual\"\nconnection_string = " \
    "\"HostName=h.example:18883;DeviceId=d1;SharedAccessKey=" KEY "\"\n"

static void refuse(const char *text, enum err_kind kind, const char *message)
{
    struct err err = {0};
    struct config c = {0};
    cr_assert_lt(config_parse(text, strlen(text), &c, &err), 0, "accepted: %s", text);
    cr_assert_eq(err.kind, kind, "%s", err.msg);
    cr_assert(strstr(err.msg, message), "\"%s\" does not say \"%s\"", err.msg, message);
    cr_assert_null(strstr(err.msg, KEY), "the key is in the message");
}

Test(edged_config, takes_a_connection_string_and_defaults)
{
    struct err err = {0};
    auto_config struct config c = {0};
    cr_assert_eq(config_parse(GOOD, strlen(GOOD), &c, &err), 0, "%s", err.msg);
    cr_assert_str_eq(c.hub.host, "h.example");
    cr_assert_eq(c.hub.port, 18883);
    cr_assert_str_eq(c.hub.device_id, "d1");
    cr_assert_str_eq(c.network, "azure-iot-edge");
    cr_assert(c.elevated);
    cr_assert(c.hostname[0]);
}

Test(edged_config, takes_the_optional_keys)
{
    static const char text[] =
        "hostname = \"edge-7\"\nallow_elevated_docker_permissions = false\n"
        "trust_bundle_cert = \"file:///var/ca.pem\"\n" GOOD
        "[agent.env]\nhttps_proxy = \"http://proxy:3128\"\n"
        "[moby_runtime]\nuri = \"unix:///run/x.sock\"\nnetwork = { name = \"edge\" }\n"
        "[unknown]\nkey = 1\n";
    struct err err = {0};
    auto_config struct config c = {0};
    cr_assert_eq(config_parse(text, strlen(text), &c, &err), 0, "%s", err.msg);
    cr_assert_str_eq(c.hostname, "edge-7");
    cr_assert_str_eq(c.trust_bundle, "/var/ca.pem");
    cr_assert_str_eq(c.proxy, "http://proxy:3128");
    cr_assert_str_eq(c.engine_socket, "/run/x.sock");
    cr_assert_str_eq(c.network, "edge");
    cr_assert_not(c.elevated);
}

Test(edged_config, names_line_and_key_of_what_is_wrong)
{
    refuse("", ERR_INVALID, "[provisioning] is missing");
    refuse("[provisioning]\nconnection_string = \"x\"\n", ERR_INVALID,
           "line 2: provisioning.connection_string");
    refuse("[provisioning]\nsource = \"manual\"\n", ERR_INVALID, "connection_string is missing");
    refuse("[provisioning]\nsource = \"dps\"\n", ERR_UNSUPPORTED, "line 2: provisioning.source");
    refuse("[provisioning]\nsource = 5\n", ERR_INVALID,
           "line 2: provisioning.source must be a string");
    refuse("cloud_timeout_sec = 10\n" GOOD, ERR_INVALID,
           "line 1: cloud_timeout_sec: must be 70 or more");
    refuse("auto_reprovisioning_mode = \"dynamic\"\n" GOOD, ERR_INVALID,
           "line 1: auto_reprovisioning_mode");
    refuse("trust_bundle_cert = \"/a.pem\"\n" GOOD, ERR_INVALID, "must begin with file:///");
    refuse("parent_hostname = \"p\"\n" GOOD, ERR_UNSUPPORTED, "nested");
    refuse("[provisioning]\nsource = \"manual\"\nconnection_string = "
           "\"HostName=h;DeviceId=d;SharedAccessKey=!!\"\n",
           ERR_INVALID, "line 3: provisioning.connection_string");
}
