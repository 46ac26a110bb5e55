/* See certs.h: what the authority signs for modules. Of each module's last server and identity
 * certificate a copy is kept, without its key, for the calendar. */
#include "vm/guest/edged/certs_private.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LEAF_DAYS       30
#define COMMON_NAME_MAX 64
#define SUFFIX_SERVER   ".server.pem"
#define SUFFIX_IDENTITY ".identity.pem"

/* ------------------------------------------------------------------------------- names */

static bool is_address(const char *name)
{
    unsigned char room[16];
    return inet_pton(AF_INET, name, room) == 1 || inet_pton(AF_INET6, name, room) == 1;
}

bool certs_host_name(const char *name)
{
    if (is_address(name))
        return true;
    if (str_starts(name, "*."))
        name += 2;
    if (!isalnum((unsigned char)name[0]))
        return false;
    for (const char *c = name; *c; c++)
        if ((!isalnum((unsigned char)*c) && *c != '-' && *c != '_' && *c != '.') ||
            (*c == '.' && c[1] == '.'))
            return false;
    return strlen(name) <= 253;
}

static const char *bare(const char *module)
{
    return module + (module[0] == '$');
}

/* ------------------------------------------------------------------------------- records */

static char *record_path(const struct certs *c, const char *module, bool server)
{
    return xasprintf("%s/%s%s", c->dir, bare(module), server ? SUFFIX_SERVER : SUFFIX_IDENTITY);
}

static void drop_issued(struct certs *c, const char *module, bool server)
{
    for (size_t i = c->n_issued; i-- > 0;)
        if (c->issued[i].server == server && str_eq(c->issued[i].module, module))
            c->issued[i] = c->issued[--c->n_issued];
}

static void add_issued(struct certs *c, const char *module, bool server,
                       const struct tls_cert_info *info)
{
    drop_issued(c, module, server);
    if (c->n_issued == CERTS_ISSUED_MAX)
        return;
    c->issued = xreallocarray(c->issued, c->n_issued + 1, sizeof(*c->issued));
    struct certs_issued *one = &c->issued[c->n_issued++];
    *one = (struct certs_issued){.server = server, .info = *info};
    STR_SET(one->module, module);
}

static void load_one(struct certs *c, const char *file)
{
    struct tls_cert_info info;
    struct err err;
    char module[DEPLOYMENT_NAME_MAX];
    bool server = str_ends(file, SUFFIX_SERVER);
    if (!server && !str_ends(file, SUFFIX_IDENTITY))
        return;
    size_t len = strlen(file) - strlen(server ? SUFFIX_SERVER : SUFFIX_IDENTITY);
    if (len == 0 || len >= sizeof(module))
        return;
    memcpy(module, file, len);
    module[len] = '\0';
    auto_free char *path = xasprintf("%s/%s", c->dir, file);
    if (certs_read(path, &info, &err) == 0)
        add_issued(c, module, server, &info);
    else
        log_warn("certs", "%s", err.msg);
}

void certs_load_issued(struct certs *c)
{
    DIR *dir = opendir(c->dir);
    const struct dirent *entry = NULL;
    while (dir && (entry = readdir(dir))) /* NOLINT(concurrency-mt-unsafe): our own stream */
        load_one(c, entry->d_name);
    if (dir)
        (void)closedir(dir);
}

void certs_forget(struct certs *c, const char *module)
{
    for (int server = 0; server < 2; server++) {
        auto_free char *path = record_path(c, module, server);
        (void)unlink(path);
        drop_issued(c, bare(module), server);
    }
}

/* ------------------------------------------------------------------------------- issue */

static int sign(const struct certs *c, const struct tls_cert_order *wanted, struct certs_pair *ret,
                struct tls_cert_info *ret_info, struct err *err)
{
    auto_buf struct buf ca = {0};
    struct tls_cert_order order = *wanted;
    order.days = LEAF_DAYS;
    order.ca_cert_file = c->ca;
    order.ca_key_file = c->ca_key;
    if (file_read(c->ca, CERTS_FILE_MAX, &ca, err) < 0 ||
        tls_cert_issue(&order, &ret->cert, &ret->key, err) < 0 ||
        tls_cert_read(ret->cert.data, ret->cert.len, ret_info, err) < 0)
        return -1;
    /* A topmost authority's is not part of what is shown to clients, but of what modules get. */
    if (!memmem(ret->cert.data, ret->cert.len, buf_str(&ca), ca.len))
        buf_append(&ret->cert, ca.data, ca.len);
    ret->until_ms = ret_info->not_after_ms;
    return 0;
}

static int check_order(const struct certs *c, const struct certs_order *o, struct err *err)
{
    if (!c->ready)
        return err_set(err, ERR_NOT_FOUND, "the edge CA is not there yet");
    if (!*bare(o->module) || strchr(o->module, '/'))
        return err_set(err, ERR_INVALID, "not a module's name");
    if (o->server && !certs_host_name(o->common_name))
        return err_set(err, ERR_INVALID, "commonName must be a host name or an address");
    if (strlen(o->server ? o->common_name : o->module) > COMMON_NAME_MAX)
        return err_set(err, ERR_INVALID, "a certificate's common name has at most %d characters",
                       COMMON_NAME_MAX);
    return 0;
}

int certs_issue(struct certs *c, const struct certs_order *o, struct certs_pair *ret,
                struct err *err)
{
    struct tls_cert_info info;
    auto_certs_pair struct certs_pair pair = {0};
    if (check_order(c, o, err) < 0)
        return -1;
    const char *module = bare(o->module);
    auto_free char *uri =
        xasprintf("azureiot://%s/devices/%s/modules/%s", c->device->hub, c->device->id, o->module);
    const char *const server_names[] = {o->common_name, certs_host_name(module) ? module : NULL,
                                        NULL};
    const char *const client_names[] = {uri, NULL};
    const struct tls_cert_order order = {
        .use = o->server ? TLS_CERT_SERVER : TLS_CERT_CLIENT,
        .common_name = o->server ? o->common_name : o->module,
        .names = o->server ? server_names : client_names,
    };
    if (sign(c, &order, &pair, &info, err) < 0)
        return -1;
    auto_free char *record = record_path(c, module, o->server);
    if (file_write(record, pair.cert.data, pair.cert.len, 0600, err) < 0)
        return -1;
    add_issued(c, module, o->server, &info);
    *ret = pair;
    pair = (struct certs_pair){0};
    return 0;
}

void certs_pair_done(struct certs_pair *p)
{
    buf_done(&p->cert);
    buf_wipe(&p->key);
}
