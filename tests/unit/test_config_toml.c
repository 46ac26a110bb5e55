/* config.toml: whatever the value, it stays one string. */
#include "core/base/buf.h"
#include "core/base/str.h"
#include "provision/config_toml.h"

#include <criterion/criterion.h>
#include <string.h>

static void quoted(const char *text, const char *expect)
{
    auto_buf struct buf out = {0};
    cr_assert_eq(config_toml_string(text, strlen(text), &out, NULL), 0);
    cr_assert_str_eq(buf_str(&out), expect);
}

Test(config_toml, escapes_what_toml_wants_escaped)
{
    quoted("HostName=h;SharedAccessKey=a+/b==", "\"HostName=h;SharedAccessKey=a+/b==\"");
    quoted("a\"b\\c", "\"a\\\"b\\\\c\"");
    quoted("a\nb\tc\rd\be\ff", "\"a\\nb\\tc\\rd\\be\\ff\"");
    quoted("\x01\x1b\x7f", "\"\\u0001\\u001B\\u007F\"");
    quoted("gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\"");
    quoted("", "\"\"");
}

Test(config_toml, refuses_what_is_no_text)
{
    auto_buf struct buf out = {0};
    struct err err = {0};
    cr_assert_lt(config_toml_string("ab\xff", 3, &out, &err), 0);
    cr_assert_eq(err.kind, ERR_INVALID);
    cr_assert_eq(out.len, 0);
}

Test(config_toml, writes_the_connection_string_and_the_trust_bundle)
{
    auto_buf struct buf out = {0};
    struct config_toml c = {.connection_string = "HostName=h;DeviceId=d;SharedAccessKey=aw==",
                            .trust_bundle = "/var/lib/berth/sandbox/ca.pem"};
    cr_assert_eq(config_toml_write(&c, &out, NULL), 0);
    cr_assert(
        strstr(buf_str(&out), "\ntrust_bundle_cert = \"file:///var/lib/berth/sandbox/ca.pem\"\n"));
    cr_assert(strstr(buf_str(&out), "\n[provisioning]\nsource = \"manual\"\n"));
    cr_assert(strstr(buf_str(&out),
                     "\nconnection_string = \"HostName=h;DeviceId=d;SharedAccessKey=aw==\"\n"));
    /* The key of the table would follow it: the bundle must come first. */
    cr_assert_lt(strstr(buf_str(&out), "trust_bundle_cert"),
                 strstr(buf_str(&out), "[provisioning]"));
}
