/* See mgmt.h. One table lists the endpoints. */
#include "vm/guest/edged/mgmt_private.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <strings.h>

static const char *const versions[] = {"2018-06-28", "2019-01-30", "2019-10-22", "2019-11-05",
                                       "2020-07-07", "2021-12-07", "2022-08-03"};

enum { V2018_06_28, V2019_01_30, V2019_10_22, V2019_11_05, V2020_07_07 };

static void forbidden(struct mgmt *m, struct http_exchange *x, const char *name)
{
    (void)m, (void)name;
    http_reply_message(x, 403, "forbidden");
}

struct endpoint {
    const char *method;
    const char *path; /* "*" stands for a name; a last part in capitals matches in any case */
    size_t version;   /* index of the first that has it */
    mgmt_fn fn;
};

static const struct endpoint endpoints[] = {
    {"GET", "/modules", V2018_06_28, mgmt_modules_list},
    {"GET", "/modules/", V2018_06_28, mgmt_modules_list},
    {"POST", "/modules", V2018_06_28, forbidden},
    {"GET", "/modules/*", V2018_06_28, mgmt_modules_get},
    {"PUT", "/modules/*", V2018_06_28, forbidden},
    {"DELETE", "/modules/*", V2018_06_28, forbidden},
    {"POST", "/modules/*/START", V2018_06_28, mgmt_modules_start},
    {"POST", "/modules/*/STOP", V2018_06_28, mgmt_modules_stop},
    {"POST", "/modules/*/RESTART", V2018_06_28, mgmt_modules_restart},
    {"GET", "/modules/*/logs", V2018_06_28, mgmt_logs},
    {"POST", "/modules/*/prepareupdate", V2019_01_30, forbidden},
    {"POST", "/identities", V2018_06_28, forbidden},
    {"PUT", "/identities/*", V2018_06_28, forbidden},
    {"DELETE", "/identities/*", V2018_06_28, forbidden},
    {"GET", "/systeminfo", V2018_06_28, mgmt_system_info},
    {"GET", "/systeminfo/resources", V2019_11_05, mgmt_system_resources},
    {"POST", "/device/reprovision", V2019_10_22, forbidden},
};

/* ------------------------------------------------------------------------------- answers */

void mgmt_reply_json(struct http_exchange *x, int status, const cJSON *json)
{
    auto_buf struct buf text = {0};
    json_print(&text, json);
    http_reply(x, status, "application/json", text.data, text.len);
}

void mgmt_reply_engine(struct http_exchange *x, int status, const struct err *err)
{
    http_reply_message(x, status >= 400 ? status : 500, "%s", err->msg);
}

/* ------------------------------------------------------------------------------- routing */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes one part of a path. False where it is malformed, too long or empty. */
static bool decode(const char *from, size_t len, char *to, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)from[i];
        if (c == '%') {
            int high = i + 2 < len ? hex(from[i + 1]) : -1;
            int low = i + 2 < len ? hex(from[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = high << 4 | low;
            i += 2;
        }
        if (c < 0x20 || n + 1 >= size)
            return false;
        to[n++] = (char)c;
    }
    to[n] = '\0';
    return n > 0;
}

static bool same_part(const char *pattern, size_t pattern_len, const char *part, size_t len)
{
    if (pattern_len != len)
        return false;
    bool any_case = len > 0 && pattern[0] >= 'A' && pattern[0] <= 'Z';
    return (any_case ? strncasecmp(pattern, part, len) : strncmp(pattern, part, len)) == 0;
}

static bool matches(const char *pattern, const char *path, char *name, size_t size)
{
    for (;;) {
        size_t want = strcspn(pattern + 1, "/"), have = strcspn(path + 1, "/");
        if (pattern[1] == '*' ? !decode(path + 1, have, name, size)
                              : !same_part(pattern + 1, want, path + 1, have))
            return false;
        pattern += 1 + want;
        path += 1 + have;
        if (!*pattern || !*path)
            return !*pattern && !*path;
    }
}

/* The index of the api-version that was asked for; -1: answered. */
static int check_version(struct http_exchange *x)
{
    char version[32], shown[32];
    if (!http_exchange_query(x, "api-version", version, sizeof(version))) {
        http_reply_message(x, 400, "api-version not specified");
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(versions); i++)
        if (str_eq(version, versions[i]))
            return (int)i;
    str_sanitise_to(shown, sizeof(shown), version);
    http_reply_message(x, 400, "invalid api-version \"%s\"", shown);
    return -1;
}

static void on_request(struct http_exchange *x, void *arg)
{
    struct mgmt *m = arg;
    char name[DEPLOYMENT_NAME_MAX] = "";
    bool known = false;
    const char *path = http_exchange_path(x), *method = http_exchange_method(x);
    int version = check_version(x);
    if (version < 0)
        return;
    for (size_t i = 0; *path == '/' && i < ARRAY_LEN(endpoints); i++) {
        const struct endpoint *e = &endpoints[i];
        if ((size_t)version < e->version || !matches(e->path, path, name, sizeof(name)))
            continue;
        known = true;
        if (str_eq(method, e->method)) {
            e->fn(m, x, name);
            return;
        }
    }
    if (known)
        http_reply_message(x, 400, "method not allowed");
    else
        http_reply_message(x, 404, "not found");
}

/* ------------------------------------------------------------------------------- life */

static void socket_owner(uid_t *ret_uid, gid_t *ret_gid)
{
    struct passwd user, *found_user = NULL;
    struct group group, *found_group = NULL;
    char room[4096];
    *ret_uid = (uid_t)-1;
    *ret_gid = (gid_t)-1;
    if (geteuid() != 0)
        return;
    if (getpwnam_r("edgeagentuser", &user, room, sizeof(room), &found_user) == 0 && found_user)
        *ret_uid = user.pw_uid;
    if (getgrnam_r("iotedge", &group, room, sizeof(room), &found_group) == 0 && found_group)
        *ret_gid = group.gr_gid;
}

struct mgmt *mgmt_new(const struct mgmt_context *context, const char *socket_path, struct err *err)
{
    /* More are closed without an answer. */
    const struct http_limits limits = {.connections_max =
                                           (unsigned)context->config->management_requests};
    uid_t uid;
    gid_t gid;
    struct mgmt *m = xcalloc(1, sizeof(*m));
    m->c = *context;
    sysinfo_cpu_read(&m->cpu);
    mgmt_own_log_init(m);
    m->server = http_server_new(context->loop, &limits, on_request, m);
    socket_owner(&uid, &gid);
    if (http_server_listen_unix(m->server, socket_path, 0660, uid, gid, err) < 0) {
        mgmt_free(m);
        return NULL;
    }
    return m;
}

void mgmt_free(struct mgmt *m)
{
    if (!m)
        return;
    http_server_free(m->server);
    mgmt_actions_done(m);
    mgmt_own_log_done(m);
    free(m);
}
