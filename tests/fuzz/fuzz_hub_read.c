/* Everything that a hub's service REST answers, but events: the first byte chooses the reader. */
#include "provision/hub_read.h"

#include "core/base/mem.h"

#include <assert.h>
#include <string.h>

#define ROOM              4
#define TERMINATED(field) assert(memchr((field), '\0', sizeof(field)) && !strchr((field), '\033'))

static void check_device(const struct sandbox_device *d)
{
    TERMINATED(d->id);
    TERMINATED(d->module);
    TERMINATED(d->parent);
    TERMINATED(d->thumbprint2);
    assert(d->id[0] && d->auth < SANDBOX_AUTH_COUNT && d->modules == -1);
}

static void read_devices(const char *text, size_t len)
{
    struct sandbox_device d[ROOM];
    auto_secret struct secret string = {0};
    char scope[256], etag[64];
    size_t n = 0;
    if (hub_read_devices(text, len, d, ROOM, &n, NULL) == 0)
        for (size_t i = 0; i < n; i++)
            check_device(&d[i]);
    assert(n <= ROOM);
    if (hub_read_device(text, len, d, NULL) == 0)
        check_device(d);
    if (hub_read_connection_string(text, len, "hub", &string, NULL) == 0)
        assert(strncmp(string.data, "HostName=hub;DeviceId=", 22) == 0);
    if (hub_read_scope(text, len, scope, NULL) == 0)
        assert(scope[0]);
    if (hub_read_etag(text, len, etag, NULL) == 0)
        assert(etag[0] && !strpbrk(etag, "\"\r\n"));
    (void)hub_read_count(text, len, &n, NULL);
}

static void read_enrolments(const char *text, size_t len)
{
    struct sandbox_enrolment e[ROOM];
    auto_secret struct secret key = {0};
    size_t n = 0;
    if (hub_read_enrolments(text, len, e, ROOM, &n, NULL) == 0)
        for (size_t i = 0; i < n; i++) {
            TERMINATED(e[i].id);
            TERMINATED(e[i].hub);
            assert(e[i].id[0] && e[i].auth < SANDBOX_AUTH_COUNT);
        }
    (void)hub_read_enrolment(text, len, e, NULL);
    (void)hub_read_enrolment_key(text, len, &key, NULL);
}

static void read_rest(const char *text, size_t len)
{
    struct sandbox_authority a[ROOM];
    struct sandbox_configuration c[ROOM];
    char id[32];
    size_t n = 0;
    if (hub_read_authorities(text, len, a, ROOM, &n, NULL) == 0)
        for (size_t i = 0; i < n; i++)
            TERMINATED(a[i].subject);
    if (hub_read_configurations(text, len, c, ROOM, &n, NULL) == 0)
        for (size_t i = 0; i < n; i++)
            assert(c[i].targeted >= -1 && c[i].applied >= -1);
    if (hub_read_message_id(text, len, id, sizeof(id), NULL) == 0)
        TERMINATED(id);
}

static void read_status(const char *text, size_t len)
{
    static const int statuses[] = {200, 302, 400, 401, 403, 404, 405, 409, 412, 429, 500, 504};
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        struct err err = {0};
        if (hub_read_status(statuses[i], text, len, &err) < 0) {
            TERMINATED(err.msg);
            assert(err.kind && err.msg[0]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(const char *text, size_t len) = {read_devices, read_enrolments,
                                                                    read_rest, read_status};
    if (!size)
        return 0;
    char *text = xstrndup((const char *)data + 1, size - 1);
    readers[data[0] % ARRAY_LEN(readers)](text, strlen(text));
    free(text);
    return 0;
}
