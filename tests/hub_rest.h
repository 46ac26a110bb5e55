/* For tests: calls of a hub's service API, and what is in the last answer. */
#ifndef BERTH_TESTS_HUB_REST_H
#define BERTH_TESTS_HUB_REST_H

#include "tests/hub_client.h"

static struct test_hub hub;
static struct buf answer; /* the last one, with its headers */

#define expect(name, ok) report(name, ok, buf_str(&answer))

/* Status of a call with the owner's token. */
static inline int call(const char *method, const char *target, const char *headers,
                       const char *body)
{
    return rest_text(&hub, NULL, method, target, headers, body, &answer);
}

static inline bool says(const char *text)
{
    return strstr(buf_str(&answer), text) != NULL;
}

/* The body of the last answer, parsed. */
static inline cJSON *body_of_answer(void)
{
    const char *data = strstr(buf_str(&answer), "\r\n\r\n");

    return data && data[4] ? json_parse(data + 4, strlen(data + 4), NULL) : cJSON_CreateObject();
}

/* The value of a header of the last answer; "" where there is none. */
static inline const char *header(const char *name)
{
    static char value[700];
    char start[60];
    const char *at;

    snprintf(start, sizeof(start), "\r\n%s: ", name);
    at = strstr(buf_str(&answer), start);
    snprintf(value, sizeof(value), "%.*s", at ? (int)strcspn(at + strlen(start), "\r") : 0,
             at ? at + strlen(start) : "");
    return value;
}

/* An error as clients read it: STATUS, its code WORD and CODE; GOT is what the call returned. */
static inline void expect_error(const char *name, int status, const char *word, unsigned code,
                                int got)
{
    auto_json cJSON *body = body_of_answer();
    const char *message = json_str(body, "Message", "");
    char start[80];

    snprintf(start, sizeof(start), "ErrorCode:%s;", word);
    expect(name, got == status && str_starts(message, start) &&
                     !strchr(message + strlen(start), ';') && message[strlen(start)] &&
                     json_u64(body, "errorCode", 0) == code &&
                     str_starts(json_str(body, "ExceptionMessage", ""), "Tracking ID:") &&
                     strlen(json_str(body, "trackingId", "")) == 32 &&
                     json_str(body, "message", "")[0] && json_str(body, "timestampUtc", "")[0]);
}

/* QUERY has these ROWS, as JSON. */
static inline void expect_query(const char *name, const char *query, const char *rows)
{
    auto_json cJSON *body = cJSON_CreateObject();
    auto_buf struct buf text = {0};
    const char *data;

    json_add_str(body, "query", query);
    json_print(&text, body);
    bool ok = call("POST", "/devices/query", NULL, text.data) == 200;

    data = strstr(buf_str(&answer), "\r\n\r\n");
    expect(name, ok && data && str_eq(data + 4, rows) && str_eq(header("x-ms-item-type"), "raw"));
}

#endif
