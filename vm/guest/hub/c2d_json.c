/* See c2d_json.h. The bag has what IoT Hub puts into it, in its order and with its names. */
#include "vm/guest/hub/c2d_json.h"

#include "core/base/clock.h"
#include "core/base/percent.h"
#include "core/base/str.h"
#include "core/base/uuid.h"
#include "core/io/base64.h"

#include <inttypes.h>
#include <string.h>

#define TEXT_MAX 256
#define BAG_MAX  (32U << 10) /* it goes into a topic, which holds less than 64 KiB */

static const char *const ack_words[] = {
    [C2D_ACK_NONE] = "none",
    [C2D_ACK_POSITIVE] = "positive",
    [C2D_ACK_NEGATIVE] = "negative",
    [C2D_ACK_FULL] = "full",
};
_Static_assert(ARRAY_LEN(ack_words) == C2D_ACK_FULL + 1, "a word for each");

static void put_property(struct buf *bag, const char *name, const char *value)
{
    if (bag->len > 0)
        buf_putc(bag, '&');
    percent_encode(name, strlen(name), bag);
    buf_putc(bag, '=');
    percent_encode(value, strlen(value), bag);
}

/* What goes into a topic must be UTF-8, which a JSON parser does not ask for. */
static bool is_text(const cJSON *item)
{
    return cJSON_IsString(item) && str_utf8_valid(item->valuestring, strlen(item->valuestring));
}

/* An optional text; RET is "" where it is not there. */
static int read_text(const cJSON *json, const char *name, size_t max, const char **ret,
                     struct err *err)
{
    const cJSON *item = json_get(json, name);

    *ret = "";
    if (!item || cJSON_IsNull(item))
        return 0;
    if (!is_text(item) || strlen(item->valuestring) > max)
        return err_set(err, ERR_INVALID, "%s: must be a text of at most %zu characters", name, max);
    *ret = item->valuestring;
    return 0;
}

static int read_id(const cJSON *json, char to[C2D_ID_MAX], struct err *err)
{
    const char *text;

    if (read_text(json, "messageId", C2D_ID_MAX - 1, &text, err) < 0)
        return -1;
    for (const char *c = text; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
              strchr("-:.+%_#*?!(),=@;$'", *c)))
            return err_set(err, ERR_INVALID,
                           "messageId: letters, digits and - : . + %% _ # * ? ! ( ) , = @ ; $ ' "
                           "only");
    if (text[0])
        (void)str_copy(to, C2D_ID_MAX, text);
    else
        uuid_make(to);
    return 0;
}

static int read_ack(const cJSON *json, enum c2d_ack *ret, struct err *err)
{
    const char *word;

    if (read_text(json, "ack", TEXT_MAX, &word, err) < 0)
        return -1;
    *ret = C2D_ACK_NONE;
    for (size_t i = 0; i < ARRAY_LEN(ack_words); i++)
        if (str_eq(word, ack_words[i])) {
            *ret = (enum c2d_ack)i;
            return 0;
        }
    return word[0] ? err_set(err, ERR_INVALID, "ack: must be none, positive, negative or full") : 0;
}

/* RET_TEXT: what the device is told; "" where the sender named none. */
static int read_expiry(const cJSON *json, uint64_t now_ms, uint64_t *ret_ms, const char **ret_text,
                       struct err *err)
{
    if (read_text(json, "expiryTimeUtc", TEXT_MAX, ret_text, err) < 0)
        return -1;
    if (!(*ret_text)[0]) {
        *ret_ms = now_ms + C2D_TTL_MS;
        return 0;
    }
    if (!clock_parse(*ret_text, ret_ms))
        return err_set(err, ERR_INVALID, "expiryTimeUtc: must be a time like 2030-01-31T12:00:00Z");
    if (*ret_ms <= now_ms || *ret_ms > now_ms + C2D_TTL_MAX_MS)
        return err_set(err, ERR_INVALID, "expiryTimeUtc: must lie within the next two days");
    return 0;
}

static int read_properties(const cJSON *json, struct buf *bag, struct err *err)
{
    const cJSON *properties = json_get(json, "properties");

    if (!properties || cJSON_IsNull(properties))
        return 0;
    if (!cJSON_IsObject(properties))
        return err_set(err, ERR_INVALID, "properties: must be an object");
    for (const cJSON *item = properties->child; item; item = item->next) {
        char shown[80];

        str_sanitise_to(shown, sizeof(shown), item->string);
        if (!item->string[0] || !str_utf8_valid(item->string, strlen(item->string)) ||
            str_starts(item->string, "$.") || str_starts(item->string, "iothub-"))
            return err_set(err, ERR_INVALID, "properties.%s: is not a name that senders may use",
                           shown);
        if (!is_text(item))
            return err_set(err, ERR_INVALID, "properties.%s: must be a text", shown);
        put_property(bag, item->string, item->valuestring);
        if (bag->len > BAG_MAX)
            return err_set(err, ERR_INVALID, "properties: more than %u KB, encoded",
                           BAG_MAX / 1024);
    }
    return 0;
}

static int read_bag(const cJSON *json, const char *expiry, struct c2d_row *row, struct err *err)
{
    static const struct {
        const char *member, *wire;
    } texts[] = {
        {"correlationId", "$.cid"},
        {"userId", "$.uid"},
        {"contentType", "$.ct"},
        {"contentEncoding", "$.ce"},
    };
    char to[IDENTITY_ID_MAX + 40];

    put_property(&row->bag, "$.mid", row->message_id);
    if (expiry[0])
        put_property(&row->bag, "$.exp", expiry);
    (void)str_format(to, sizeof(to), "/devices/%s/messages/devicebound", row->device);
    put_property(&row->bag, "$.to", to);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const char *text;

        if (read_text(json, texts[i].member, TEXT_MAX, &text, err) < 0)
            return -1;
        if (text[0])
            put_property(&row->bag, texts[i].wire, text);
    }
    put_property(&row->bag, "iothub-ack", ack_words[row->ack]);
    return read_properties(json, &row->bag, err);
}

static int read_body(const cJSON *json, struct buf *body, struct err *err)
{
    const cJSON *text = json_get(json, "body");
    const cJSON *base64 = json_get(json, "bodyBase64");

    if (text && base64)
        return err_set(err, ERR_INVALID, "body and bodyBase64: only one of them");
    if ((text && !cJSON_IsString(text)) || (base64 && !cJSON_IsString(base64)))
        return err_set(err, ERR_INVALID, "%s: must be a text", text ? "body" : "bodyBase64");
    if (text)
        buf_puts(body, text->valuestring);
    if (base64 && base64_decode(base64->valuestring, strlen(base64->valuestring), body, NULL) < 0)
        return err_set(err, ERR_INVALID, "bodyBase64: is not base64");
    return 0;
}

int c2d_json_read(const cJSON *json, const char *device, uint64_t now_ms, struct c2d_row *ret,
                  struct err *err)
{
    auto_c2d_row struct c2d_row row = {0};
    const char *expiry;

    STR_SET(row.device, device);
    if (read_id(json, row.message_id, err) < 0 || read_ack(json, &row.ack, err) < 0 ||
        read_expiry(json, now_ms, &row.expiry_ms, &expiry, err) < 0 ||
        read_bag(json, expiry, &row, err) < 0 || read_body(json, &row.body, err) < 0)
        return -1;
    if (row.bag.len + row.body.len > C2D_SIZE_MAX)
        return err_set(err, ERR_INVALID,
                       "body: the message is larger than the %u KB that IoT Hub takes",
                       C2D_SIZE_MAX / 1024);
    *ret = row;
    row = (struct c2d_row){0};
    return 0;
}
