/* See mgmt.h. One table lists the endpoints. */
#include "vm/guest/edged/mgmt_private.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/edged/api.h"

#include <grp.h>
#include <pwd.h>

static void forbidden(struct mgmt *m, struct http_exchange *x, const char *name)
{
    (void)m, (void)name;
    http_reply_message(x, 403, "forbidden");
}

struct endpoint {
    struct api_route route;
    mgmt_fn fn;
};

static const struct endpoint endpoints[] = {
    {{"GET", "/modules", API_2018_06_28}, mgmt_modules_list},
    {{"GET", "/modules/", API_2018_06_28}, mgmt_modules_list},
    {{"POST", "/modules", API_2018_06_28}, forbidden},
    {{"GET", "/modules/*", API_2018_06_28}, mgmt_modules_get},
    {{"PUT", "/modules/*", API_2018_06_28}, forbidden},
    {{"DELETE", "/modules/*", API_2018_06_28}, forbidden},
    {{"POST", "/modules/*/START", API_2018_06_28}, mgmt_modules_start},
    {{"POST", "/modules/*/STOP", API_2018_06_28}, mgmt_modules_stop},
    {{"POST", "/modules/*/RESTART", API_2018_06_28}, mgmt_modules_restart},
    {{"GET", "/modules/*/logs", API_2018_06_28}, mgmt_logs},
    {{"POST", "/modules/*/prepareupdate", API_2019_01_30}, forbidden},
    {{"POST", "/identities", API_2018_06_28}, forbidden},
    {{"PUT", "/identities/*", API_2018_06_28}, forbidden},
    {{"DELETE", "/identities/*", API_2018_06_28}, forbidden},
    {{"GET", "/systeminfo", API_2018_06_28}, mgmt_system_info},
    {{"GET", "/systeminfo/resources", API_2019_11_05}, mgmt_system_resources},
    {{"POST", "/device/reprovision", API_2019_10_22}, forbidden},
};

/* ------------------------------------------------------------------------------- answers */

void mgmt_reply_engine(struct http_exchange *x, int status, const struct err *err)
{
    http_reply_message(x, status >= 400 ? status : 500, "%s", err->msg);
}

static void on_request(struct http_exchange *x, void *arg)
{
    struct api_names names;
    const struct endpoint *e =
        api_find(x, endpoints, ARRAY_LEN(endpoints), sizeof(endpoints[0]), &names);
    if (e)
        e->fn(arg, x, names.at[0]);
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
