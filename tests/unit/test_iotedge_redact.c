/* What a support bundle shows, and what not. */
#include "core/base/str.h"
#include "vm/guest/iotedge/redact.h"

#include <criterion/criterion.h>
#include <string.h>

static void is(const char *text, const char *want)
{
    auto_buf struct buf out = {0}, again = {0};
    redact_text(text, strlen(text), &out);
    cr_expect_str_eq(buf_str(&out), want, "\"%s\" became \"%s\"", text, buf_str(&out));
    redact_text(buf_str(&out), out.len, &again);
    cr_expect_str_eq(buf_str(&again), want, "once more it became \"%s\"", buf_str(&again));
}

Test(redact_text, hides_values_by_their_names)
{
    is("HostName=h;DeviceId=d;SharedAccessKey=abc+/=; more",
       "HostName=h;DeviceId=d;SharedAccessKey=REDACTED; more");
    is("SharedAccessSignature sr=h%2fd&sig=a%2Bb&se=1",
       "SharedAccessSignature sr=h%2fd&sig=REDACTED&se=1");
    is("{\"primaryKey\": \"abc\", \"id\": \"x\"}", "{\"primaryKey\": \"REDACTED\", \"id\": \"x\"}");
    is("\"{\\\"password\\\":\\\"a b\\\",\\\"n\\\":1}\"",
       "\"{\\\"password\\\":\\\"REDACTED\\\",\\\"n\\\":1}\"");
    is("registry_password = 'a \" b' # x", "registry_password = 'REDACTED' # x");
    is("connection_string = \"HostName=h;SharedAccessKey=a\"", "connection_string = \"REDACTED\"");
    is("Authorization: Basic YWI6Y2Q=", "Authorization: REDACTED");
    is("curl -H 'authorization: Bearer abc' x", "curl -H 'authorization: REDACTED");
    is("sent Bearer eyJhbGciOiJIUzI1NiJ9.e30 to it", "sent Bearer REDACTED to it");
    is("proxy http://me:pw@proxy:3128/ set", "proxy http://REDACTED@proxy:3128/ set");
    is("http://me:p@ss:w@proxy:3128/a@b", "http://REDACTED@proxy:3128/a@b");
    is("pkcs11:object=x?pin-value=1234", "pkcs11:object=x?pin-value=REDACTED");
    is("access_token=x,y", "access_token=REDACTED,y");
    is("MY-API-KEY: x", "MY-API-KEY: REDACTED");
}

Test(redact_text, leaves_what_is_no_secret)
{
    static const char *const texts[] = {
        "",
        "\n\n",
        "2026-11-21 14:00:00.000 +00:00 [INF] - connected",
        "config=/etc/aziot/config.toml",
        "SharedAccessKeyName=iothubowner",
        "password=",
        "\"password\": {\"x\": 1}",
        "key: temperature",
        "see https://example.org/a?b=c@d",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        "a bearer of news",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        is(texts[i], texts[i]);
}

Test(redact_text, hides_private_keys_over_lines_and_in_one)
{
    is("a\n-----BEGIN PRIVATE KEY-----\nMIIB\nxyz=\n-----END PRIVATE KEY-----\nb\n",
       "a\nREDACTED PRIVATE KEY\nb\n");
    is("12:00 x -----BEGIN EC PRIVATE KEY-----\n12:00 x MIIB\n12:00 x -----END EC PRIVATE "
       "KEY-----\nb",
       "12:00 x REDACTED PRIVATE KEY\nb");
    is("{\"pk\":\"-----BEGIN RSA PRIVATE KEY-----\\nMIIB\\n-----END RSA PRIVATE KEY-----\\n\"}",
       "{\"pk\":\"REDACTED PRIVATE KEY\\n\"}");
}

Test(redact_text, a_frame_that_never_ends_hides_no_more_than_a_key_has)
{
    auto_buf struct buf text = {0}, out = {0};
    buf_puts(&text, "-----BEGIN PRIVATE KEY-----\n");
    for (int i = 0; i < 1000; i++)
        buf_printf(&text, "line %d\n", i);
    redact_text(buf_str(&text), text.len, &out);
    cr_assert_null(strstr(buf_str(&out), "line 1\n"));
    cr_assert_not_null(strstr(buf_str(&out), "line 999\n"));
}

static void append(void *arg, const char *data, size_t len)
{
    buf_append(arg, data, len);
}

Test(redact, takes_pieces_of_any_size)
{
    static const char text[] = "x SharedAccessKey=abcdef; y\n-----BEGIN PRIVATE KEY-----\nAAAA\n"
                               "-----END PRIVATE KEY-----\nlast";
    auto_buf struct buf whole = {0};
    redact_text(text, strlen(text), &whole);
    for (size_t piece = 1; piece < strlen(text); piece++) {
        auto_buf struct buf out = {0};
        struct redact *r = redact_new(append, &out);
        for (size_t at = 0; at < strlen(text); at += piece)
            redact_feed(r, text + at, strnlen(text + at, piece));
        redact_end(r);
        redact_free(r);
        cr_assert_str_eq(buf_str(&out), buf_str(&whole), "in pieces of %zu", piece);
    }
}

Test(redact, a_long_line_is_cut_and_says_so)
{
    auto_buf struct buf text = {0}, out = {0};
    for (int i = 0; i < 10000; i++)
        buf_puts(&text, "0123456789");
    buf_puts(&text, " SharedAccessKey=abc\nnext\n");
    redact_text(buf_str(&text), text.len, &out);
    cr_assert_leq(out.len, REDACT_LINE_MAX + 100);
    cr_assert_null(strstr(buf_str(&out), "abc"));
    cr_assert_not_null(strstr(buf_str(&out), "left out]\nnext\n"));
}

Test(redact_json, hides_members_and_environment)
{
    static const char text[] =
        "{\"Config\":{\"Env\":[\"PIN=1234\",\"PATH=/bin\",\"IOTEDGE_MODULEID=m\",\"https_proxy="
        "http://u:p@h:1\",\"BARE\"],\"Cmd\":[\"--key\",\"AccountKey=abc;x\"]},\"auth\":{"
        "\"password\":\"p\",\"username\":\"u\"},\"n\":[{\"Token\":\"t\"},7,null,true]}";
    static const char want[] =
        "{\"Config\":{\"Env\":[\"PIN=REDACTED\",\"PATH=/bin\",\"IOTEDGE_MODULEID=m\",\"https_proxy="
        "http://REDACTED@h:1\",\"BARE\"],\"Cmd\":[\"--key\",\"AccountKey=REDACTED;x\"]},\"auth\":{"
        "\"password\":\"REDACTED\",\"username\":\"u\"},\"n\":[{\"Token\":\"REDACTED\"},7,null,true]"
        "}";
    auto_buf struct buf out = {0};
    auto_json cJSON *json = json_parse(text, strlen(text), NULL);
    redact_json(json);
    json_print(&out, json);
    cr_assert_str_eq(buf_str(&out), want);
}

Test(redact_json, hides_what_stands_in_a_name)
{
    static const char text[] = "{\"a SharedAccessKey=c2VjcmV0\":1}";
    auto_json cJSON *json = json_parse(text, strlen(text), NULL);
    auto_buf struct buf out = {0};
    cr_assert(json);
    redact_json(json);
    json_print(&out, json);
    cr_expect_not(strstr(buf_str(&out), "c2VjcmV0"), "%s", buf_str(&out));
    cr_expect(strstr(buf_str(&out), "a SharedAccessKey="), "%s", buf_str(&out));
}

Test(redact_json, hides_what_a_command_is_given_behind_a_secrets_name)
{
    static const char text[] =
        "{\"Cmd\":[\"run\",\"--password\",\"p w\",\"--token=t\",\"token\",\"x\",\"--secret\",7]}";
    auto_buf struct buf out = {0};
    auto_json cJSON *json = json_parse(text, strlen(text), NULL);
    redact_json(json);
    json_print(&out, json);
    cr_assert_str_eq(buf_str(&out), "{\"Cmd\":[\"run\",\"--password\",\"REDACTED\",\"--token="
                                    "REDACTED\",\"token\",\"x\",\"--secret\",7]}");
}

Test(redact_toml, says_the_same_but_for_secrets)
{
    static const char text[] =
        "[provisioning]\nsource = \"dps\"\nid_scope = \"0ne\"\n[provisioning.attestation]\n"
        "method = \"symmetric_key\"\nregistration_id = \"r\"\nsymmetric_key = { value = \"c2Vj\" "
        "}\n[tpm.hierarchy_authorization]\nowner = \"\"\"c2\nVj\"\"\"\n[agent.env]\nPIN = "
        "\"c2Vj\"\nhttps_proxy = \"http://u:c2Vj@h:1\"\nRuntimeLogLevel = \"debug\"\n"
        "[agent.config.createOptions]\nEnv = [\"PIN=c2Vj\"]\n[agent.config.auth]\nusername = "
        "\"u\"\npassword = \"c2Vj\"\n[preloaded_keys]\n\"a b\" = \"file:///k\"\n";
    auto_buf struct buf out = {0}, again = {0};
    struct err err = {0};
    cr_assert_eq(redact_toml(text, strlen(text), &out, &err), 0, "%s", err.msg);
    cr_assert_null(strstr(buf_str(&out), "c2"), "%s", buf_str(&out));
    static const char *const kept[] = {
        "[provisioning]\nsource = \"dps\"\nid_scope = \"0ne\"\n",
        "registration_id = \"r\"",
        "symmetric_key = { value = \"REDACTED\" }",
        "https_proxy = \"http://REDACTED@h:1\"",
        "RuntimeLogLevel = \"debug\"",
        "Env = [\"PIN=REDACTED\"]",
        "username = \"u\"",
        "\"a b\" = \"file:///k\"",
    };
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        cr_expect(strstr(buf_str(&out), kept[i]), "%s is not in\n%s", kept[i], buf_str(&out));
    cr_assert_eq(redact_toml(buf_str(&out), out.len, &again, &err), 0, "%s", err.msg);
    cr_assert_str_eq(buf_str(&again), buf_str(&out));
}

Test(redact_toml, shows_where_a_key_is_but_not_the_key)
{
    static const char text[] = "device_id_pk = { uri = \"file:///k\" }\nx_token = [\"a\"]\nf = "
                               "1.5\nb = true\nd = 1979-05-27\n";
    auto_buf struct buf out = {0};
    cr_assert_eq(redact_toml(text, strlen(text), &out, NULL), 0);
    cr_assert_str_eq(buf_str(&out), "x_token = [\"REDACTED\"]\nf = 1.5\nb = true\nd = 1979-05-27"
                                    "\n\n[device_id_pk]\nuri = \"file:///k\"\n");
}

Test(redact_toml, shows_nothing_of_what_it_does_not_understand)
{
    static const char text[] = "connection_string = \"c2Vj";
    auto_buf struct buf out = {0};
    struct err err = {0};
    cr_assert_lt(redact_toml(text, strlen(text), &out, &err), 0);
    cr_assert_eq(out.len, 0);
    cr_assert_null(strstr(err.msg, "c2Vj"));
}
