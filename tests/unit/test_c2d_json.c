#include "core/base/str.h"
#include "vm/guest/hub/c2d_json.h"

#include <criterion/criterion.h>
#include <string.h>

#define NOW UINT64_C(1700000000000)

static int read_text(const char *text, struct c2d_row *row, struct err *err)
{
    auto_json cJSON *json = json_parse(text, strlen(text), NULL);

    cr_assert(json, "%s", text);
    return c2d_json_read(json, "d$1", NOW, row, err);
}

Test(c2d_json, gives_a_message_what_its_sender_left_out)
{
    auto_c2d_row struct c2d_row row = {0};
    char expected[200];

    cr_assert_eq(read_text("{}", &row, NULL), 0);
    cr_assert_eq(strlen(row.message_id), 36);
    cr_assert_eq(row.message_id[14], '4');
    cr_assert_eq(row.expiry_ms, NOW + 3600000);
    cr_assert_eq(row.ack, C2D_ACK_NONE);
    cr_assert_eq(row.body.len, 0);
    (void)str_format(expected, sizeof(expected),
                     "%%24.mid=%s&%%24.to=%%2Fdevices%%2Fd%%241%%2Fmessages%%2Fdevicebound"
                     "&iothub-ack=none",
                     row.message_id);
    cr_assert_str_eq(row.bag.data, expected);
}

Test(c2d_json, reads_everything)
{
    auto_c2d_row struct c2d_row row = {0};
    struct err err = {0};

    cr_assert_eq(read_text("{\"messageId\":\"m;1\",\"correlationId\":\"c\",\"userId\":\"u\","
                           "\"contentType\":\"t/x\",\"contentEncoding\":\"utf-8\",\"ack\":"
                           "\"positive\",\"expiryTimeUtc\":\"2023-11-15T00:00:00Z\","
                           "\"properties\":{\"ä&=\":\"b c\"},\"body\":\"x\"}",
                           &row, &err),
                 0, "%s", err.msg);
    cr_assert_str_eq(row.bag.data,
                     "%24.mid=m%3B1&%24.exp=2023-11-15T00%3A00%3A00Z&%24.to=%2Fdevices%2Fd%241"
                     "%2Fmessages%2Fdevicebound&%24.cid=c&%24.uid=u&%24.ct=t%2Fx&%24.ce=utf-8"
                     "&iothub-ack=positive&%C3%A4%26%3D=b%20c");
    cr_assert_eq(row.expiry_ms, UINT64_C(1700006400000));
    cr_assert_eq(row.ack, C2D_ACK_POSITIVE);
}

Test(c2d_json, names_what_is_wrong)
{
    static const struct {
        const char *text, *named;
    } bad[] = {
        {"{\"messageId\":7}", "messageId"},
        {"{\"messageId\":\"ü\"}", "messageId"},
        {"{\"userId\":[]}", "userId"},
        {"{\"ack\":\"yes\"}", "ack"},
        {"{\"expiryTimeUtc\":\"soon\"}", "expiryTimeUtc"},
        {"{\"expiryTimeUtc\":\"2023-11-14T22:13:20Z\"}", "expiryTimeUtc"},
        {"{\"expiryTimeUtc\":\"2023-11-20T00:00:00Z\"}", "expiryTimeUtc"},
        {"{\"properties\":[]}", "properties"},
        {"{\"properties\":{\"\":\"x\"}}", "properties."},
        {"{\"properties\":{\"$.to\":\"x\"}}", "properties.$.to"},
        {"{\"properties\":{\"iothub-ack\":\"full\"}}", "properties.iothub-ack"},
        {"{\"properties\":{\"n\":1}}", "properties.n"},
        {"{\"properties\":{\"n\":\"\xe1\"}}", "properties.n"},
        {"{\"properties\":{\"\xe1\":\"n\"}}", "properties."},
        {"{\"contentType\":\"\xff\"}", "contentType"},
        {"{\"body\":{}}", "body"},
        {"{\"body\":\"x\",\"bodyBase64\":\"\"}", "body and bodyBase64"},
        {"{\"bodyBase64\":\"%\"}", "bodyBase64"},
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        auto_c2d_row struct c2d_row row = {0};
        struct err err = {0};

        cr_assert_eq(read_text(bad[i].text, &row, &err), -1, "%s", bad[i].text);
        cr_assert_eq(err.kind, ERR_INVALID);
        cr_assert(str_starts(err.msg, bad[i].named), "%s: %s", bad[i].text, err.msg);
    }
}

Test(c2d_json, bounds_the_whole_message)
{
    auto_buf struct buf text = {0};
    struct err err = {0};
    auto_c2d_row struct c2d_row row = {0};

    buf_puts(&text, "{\"properties\":{\"p\":\"");
    for (unsigned i = 0; i < 12000; i++)
        buf_puts(&text, "\303\244");
    buf_puts(&text, "\"}}");
    cr_assert_eq(read_text(text.data, &row, &err), -1);
    cr_assert(str_starts(err.msg, "properties: "), "%s", err.msg);
    buf_clear(&text);
    buf_puts(&text, "{\"body\":\"");
    for (unsigned i = 0; i < C2D_SIZE_MAX - 50; i++)
        buf_putc(&text, 'x');
    buf_puts(&text, "\"}");
    cr_assert_eq(read_text(text.data, &row, &err), -1);
    cr_assert(str_starts(err.msg, "body: "), "%s", err.msg);
}
