/* See rest.h: the form of errors. Both forms that are in the field are in it at once: "Message"
 * with its code word for Node and identityd, "errorCode" for newer clients. Clients cut "Message"
 * at semicolons, so the text itself has none. */
#include "core/base/clock.h"
#include "core/base/random.h"
#include "core/base/str.h"
#include "vm/guest/hub/rest.h"

#include <inttypes.h>
#include <string.h>

struct code {
    unsigned number; /* the first three digits are the status */
    const char *word;
};

static const struct {
    enum err_kind kind;
    struct code of[3]; /* by enum rest_noun */
} errors[] = {
    {ERR_INVALID,
     {{400004, "ArgumentInvalid"}, {400004, "ArgumentInvalid"}, {400004, "ArgumentInvalid"}}},
    {ERR_PROTOCOL,
     {{400006, "IotHubFormatError"}, {400006, "IotHubFormatError"}, {400006, "IotHubFormatError"}}},
    {ERR_AUTH,
     {{401002, "IotHubUnauthorizedAccess"},
      {401002, "IotHubUnauthorizedAccess"},
      {401002, "IotHubUnauthorizedAccess"}}},
    {ERR_NO_SPACE,
     {{403002, "IotHubQuotaExceeded"},
      {403002, "IotHubQuotaExceeded"},
      {403002, "IotHubQuotaExceeded"}}},
    {ERR_NOT_FOUND,
     {{404001, "DeviceNotFound"}, {404010, "ModuleNotFound"}, {404301, "ConfigurationNotFound"}}},
    {ERR_UNREACHABLE,
     {{404103, "DeviceNotOnline"}, {404103, "DeviceNotOnline"}, {404103, "DeviceNotOnline"}}},
    {ERR_UNSUPPORTED,
     {{405001, "MethodNotAllowed"}, {405001, "MethodNotAllowed"}, {405001, "MethodNotAllowed"}}},
    {ERR_EXISTS,
     {{409001, "DeviceAlreadyExists"},
      {409301, "ModuleAlreadyExistsOnDevice"},
      {409302, "ConfigurationAlreadyExists"}}},
    {ERR_BUSY,
     {{412001, "PreconditionFailed"},
      {412001, "PreconditionFailed"},
      {412001, "PreconditionFailed"}}},
    {ERR_TIMEOUT,
     {{504101, "GatewayTimeout"}, {504101, "GatewayTimeout"}, {504101, "GatewayTimeout"}}},
    /* Last: all others. */
    {ERR_SYSTEM, {{500001, "ServerError"}, {500001, "ServerError"}, {500001, "ServerError"}}},
};

static void add_message(cJSON *body, const struct code *code, const char *text)
{
    char message[900];

    (void)str_format(message, sizeof(message), "ErrorCode:%s;%s", code->word, text);
    for (char *c = strchr(message, ';') + 1; *c; c++)
        if (*c == ';')
            *c = ',';
    json_add_str(body, "Message", message);
}

static const struct code throttled = {429001, "ThrottlingException"};

static cJSON *body_of(const struct code *code, const struct err *err)
{
    cJSON *body = cJSON_CreateObject();
    char text[sizeof(err->msg) + sizeof(err->hint) + 4], tracked[120];
    char when[CLOCK_TEXT_MAX], tracking[40];
    uint64_t random[2];

    random_bytes(random, sizeof(random));
    (void)str_format(tracking, sizeof(tracking), "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
    clock_format(when, sizeof(when), clock_wall_ms());
    (void)str_format(text, sizeof(text), "%s%s%s", err->msg, err->hint[0] ? ". " : "", err->hint);
    add_message(body, code, text);
    (void)str_format(tracked, sizeof(tracked), "Tracking ID:%s-G:0-TimeStamp:%s", tracking, when);
    json_add_str(body, "ExceptionMessage", tracked);
    json_add_u64(body, "errorCode", code->number);
    json_add_str(body, "trackingId", tracking);
    json_add_str(body, "message", text);
    json_add_str(body, "timestampUtc", when);
    return body;
}

static int status_of(const struct code *code)
{
    return (int)(code->number / 1000);
}

static void reply_code(struct http_exchange *x, const struct code *code, const struct err *err)
{
    auto_json cJSON *body = body_of(code, err);

    rest_reply_json(x, status_of(code), body);
}

static const struct code *code_of(enum rest_noun noun, enum err_kind kind)
{
    size_t i = 0;

    while (i + 1 < ARRAY_LEN(errors) && errors[i].kind != kind)
        i++;
    return &errors[i].of[noun];
}

void rest_reply_err(struct http_exchange *x, enum rest_noun noun, const struct err *err)
{
    reply_code(x, code_of(noun, err->kind), err);
}

void rest_reply_throttled(struct http_exchange *x, const struct err *err)
{
    reply_code(x, &throttled, err);
}

int rest_error_text(const struct err *err, bool too_many, struct buf *ret)
{
    const struct code *code = too_many ? &throttled : code_of(REST_OF_DEVICE, err->kind);
    auto_json cJSON *body = body_of(code, err);

    json_print(ret, body);
    return status_of(code);
}

void rest_reply_too_large(struct http_exchange *x, const struct err *err)
{
    reply_code(x, &(struct code){413001, "MessageTooLarge"}, err);
}

static enum rest_noun noun_of(const struct rest *r, const struct err *err)
{
    auto_identity struct identity device = {0};

    if (r->n_segments > 0 && str_eq(r->segments[0], "configurations"))
        return REST_OF_CONFIGURATION;
    if (!REST_MODULE(r)[0])
        return REST_OF_DEVICE;
    /* Of a module that is not there: which of the two is it that is missing? */
    return err->kind == ERR_NOT_FOUND &&
                   store_identity_get(r->hub->store, REST_DEVICE(r), "", &device, NULL) < 0
               ? REST_OF_DEVICE
               : REST_OF_MODULE;
}

void rest_fail(struct rest *r, const struct err *err)
{
    rest_reply_err(r->x, noun_of(r, err), err);
}
