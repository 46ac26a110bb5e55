#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge_scope_json.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static void put(void *arg, const struct edge_identity *id)
{
    (void)edge_scope_table_put(arg, id, 1);
}

static struct edge_scope_table *table;
static struct buf next_page;

static int answer(const char *text, struct err *err)
{
    edge_scope_table_free(table);
    table = edge_scope_table_new();
    return edge_scope_json_answer(text, strlen(text), put, table, &next_page, err);
}

static const struct edge_identity *find(const char *device, const char *module)
{
    const struct edge_identity *id = edge_scope_table_find(table, device, module);

    cr_assert_not_null(id, "%s/%s", device, module);
    return id;
}

static void forget(void)
{
    edge_scope_table_free(table);
    buf_done(&next_page);
}

TestSuite(edge_scope_json, .fini = forget);

#define PAGE                                                                                     \
    "{\"devices\":[{\"deviceId\":\"edge\",\"generationId\":\"63\",\"etag\":\"MQ==\","            \
    "\"status\":\"enabled\",\"authentication\":{\"symmetricKey\":{\"primaryKey\":\"QUFB\","      \
    "\"secondaryKey\":\"QkJC\"},\"x509Thumbprint\":{\"primaryThumbprint\":null,"                 \
    "\"secondaryThumbprint\":null},\"type\":\"sas\"},\"capabilities\":{\"iotEdge\":true},"       \
    "\"deviceScope\":\"ms-azure-iot-edge://edge-63\",\"parentScopes\":[]},"                      \
    "{\"deviceId\":\"leaf\",\"generationId\":\"64\",\"status\":\"disabled\",\"authentication\":" \
    "{\"symmetricKey\":{\"primaryKey\":null,\"secondaryKey\":null},\"x509Thumbprint\":"          \
    "{\"primaryThumbprint\":\"AABB\",\"secondaryThumbprint\":\"CCDD\"},\"type\":\"selfSigned\"}" \
    "},{\"deviceId\":\"by-ca\",\"authentication\":{\"type\":\"certificateAuthority\"}},"         \
    "{\"deviceId\":\"new\",\"authentication\":{\"type\":\"tomorrow\"}}],"                        \
    "\"modules\":[{\"moduleId\":\"$edgeHub\",\"deviceId\":\"edge\",\"generationId\":\"65\","     \
    "\"authentication\":{\"symmetricKey\":{\"primaryKey\":\"Q0ND\",\"secondaryKey\":\"RERE\"},"  \
    "\"type\":\"sas\"}}],\"continuationLink\":\"more\"}"

static void expect_page(void)
{
    const struct edge_identity *edge = find("edge", ""), *leaf = find("leaf", "");

    cr_expect_eq(edge_scope_table_count(table), 5);
    cr_expect(edge->edge && edge->enabled);
    cr_expect_eq(edge->auth, SCOPE_AUTH_SAS);
    cr_expect_str_eq(edge->generation, "63");
    cr_expect_str_eq(edge->primary.data, "QUFB");
    cr_expect_str_eq(edge->secondary.data, "QkJC");
    cr_expect_str_eq(edge->thumbprints[0], "");
    cr_expect(!leaf->edge && !leaf->enabled);
    cr_expect_eq(leaf->auth, SCOPE_AUTH_SELF_SIGNED);
    cr_expect_eq(leaf->primary.len, 0);
    cr_expect_str_eq(leaf->thumbprints[0], "AABB");
    cr_expect_str_eq(leaf->thumbprints[1], "CCDD");
    cr_expect_eq(find("by-ca", "")->auth, SCOPE_AUTH_CA);
    cr_expect_eq(find("new", "")->auth, SCOPE_AUTH_NONE);
    cr_expect(find("edge", "$edgeHub")->enabled);
    cr_expect_str_eq(find("edge", "$edgeHub")->primary.data, "Q0ND");
}

Test(edge_scope_json, reads_a_page)
{
    struct err err = {0};

    cr_assert_eq(answer(PAGE, &err), 0, "%s", err.msg);
    cr_expect_str_eq(buf_str(&next_page), "more");
    expect_page();
    cr_assert_eq(answer("{\"devices\":[],\"modules\":null,\"continuationLink\":null}", &err), 0);
    cr_expect_str_eq(buf_str(&next_page), "");
}

Test(edge_scope_json, passes_over_what_no_client_could_be)
{
    struct err err = {0};

    cr_assert_eq(answer("{\"devices\":[7,null,{},{\"deviceId\":\"\"},{\"deviceId\":\"a/b\"},"
                        "{\"deviceId\":\"a\\u0007\"},{\"deviceId\":\"d\",\"moduleId\":\"m\"},"
                        "{\"deviceId\":\"good\"}],\"modules\":[{\"deviceId\":\"d\"},"
                        "{\"deviceId\":\"d\",\"moduleId\":\"x y\"}]}",
                        &err),
                 0, "%s", err.msg);
    cr_expect_eq(edge_scope_table_count(table), 1);
    (void)find("good", "");
}

Test(edge_scope_json, cuts_no_key_short)
{
    auto_free char *long_key = xasprintf("%0200d", 7);
    auto_free char *text = xasprintf(
        "{\"devices\":[{\"deviceId\":\"d\",\"authentication\":{\"type\":\"sas\",\"symmetricKey\":{"
        "\"primaryKey\":\"%s\",\"secondaryKey\":\"QUFB\"}}}],\"modules\":[]}",
        long_key);

    cr_assert_eq(answer(text, NULL), 0);
    cr_expect_eq(find("d", "")->primary.len, 0);
    cr_expect_str_eq(find("d", "")->secondary.data, "QUFB");
}

Test(edge_scope_json, refuses_what_is_no_scope)
{
    static const char *const texts[] = {"",
                                        "7",
                                        "[]",
                                        "{}",
                                        "{\"devices\":[]}",
                                        "{\"devices\":null,\"modules\":[]}",
                                        "{\"devices\":[],\"modules\":{}}",
                                        "{\"devices\":[],\"modules\":[]} x"};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err err = {0};

        cr_expect_eq(answer(texts[i], &err), -1, "%s", texts[i]);
        cr_expect_eq(err.kind, ERR_PROTOCOL, "%s", texts[i]);
    }
}

static int load(const char *text, size_t len, struct err *err)
{
    edge_scope_table_free(table);
    table = edge_scope_table_new();
    return edge_scope_json_load(text, len, "hub", "edge", table, err);
}

Test(edge_scope_json, keeps_all_of_it_in_a_file)
{
    auto_buf struct buf text = {0};
    auto_buf struct buf again = {0};
    struct err err = {0};

    (void)answer(PAGE, NULL);
    edge_scope_json_save("hub", "edge", table, &text);
    cr_assert_eq(load(text.data, text.len, &err), 0, "%s", err.msg);
    expect_page();
    edge_scope_json_save("hub", "edge", table, &again);
    cr_expect_str_eq(again.data, text.data);
}

Test(edge_scope_json, uses_no_damaged_file_and_nobody_elses)
{
    auto_buf struct buf text = {0};
    struct edge_scope_table *other = edge_scope_table_new();

    (void)answer(PAGE, NULL);
    edge_scope_json_save("hub", "edge", table, &text);
    for (size_t len = 0; len < text.len; len++)
        cr_expect_eq(load(text.data, len, NULL), -1, "%zu of %zu bytes", len, text.len);
    buf_putc(&text, '\n');
    cr_expect_eq(load(text.data, text.len, NULL), -1);
    cr_expect_eq(edge_scope_json_load(text.data, text.len - 1, "hub", "edge2", other, NULL), -1);
    cr_expect_eq(edge_scope_json_load(text.data, text.len - 1, "hub2", "edge", other, NULL), -1);
    cr_expect_eq(edge_scope_table_count(other), 0);
    edge_scope_table_free(other);
}

Test(edge_scope_json, asks_as_the_cloud_wants_it)
{
    auto_buf struct buf text = {0};

    edge_scope_json_ask_page("edge", "a\"b", &text);
    cr_expect_str_eq(text.data,
                     "{\"pageSize\":50,\"continuationLink\":\"a\\\"b\",\"authChain\":\"edge\"}");
    buf_clear(&text);
    edge_scope_json_ask_one("edge", "leaf", "part", &text);
    cr_expect_str_eq(text.data, "{\"targetDeviceId\":\"leaf\",\"targetModuleId\":\"part\","
                                "\"authChain\":\"edge\"}");
}
