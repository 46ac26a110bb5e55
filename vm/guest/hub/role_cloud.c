/* See role.h: the sandbox's IoT Hub. */
#include "vm/guest/hub/role.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/c2d.h"
#include "vm/guest/hub/sandbox.h"
#include "vm/guest/hub/topic.h"

#include <string.h>

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyz0123456789-."

struct role_cloud {
    struct sandbox_options options;
    struct sandbox *sandbox;
};

enum option_id {
    OPT_DIR = 1,
    OPT_LISTEN,
    OPT_MQTT_PORT,
    OPT_HTTPS_PORT,
    OPT_REGISTRY_PORT,
    OPT_NO_REGISTRY,
    OPT_HOST_NAME,
    OPT_HUB_NAME,
    OPT_C2D_LOCK,
};

static const struct option options[] = {
    {"dir", required_argument, NULL, OPT_DIR},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"mqtt-port", required_argument, NULL, OPT_MQTT_PORT},
    {"https-port", required_argument, NULL, OPT_HTTPS_PORT},
    {"registry-port", required_argument, NULL, OPT_REGISTRY_PORT},
    {"no-registry", no_argument, NULL, OPT_NO_REGISTRY},
    {"host-name", required_argument, NULL, OPT_HOST_NAME},
    {"hub-name", required_argument, NULL, OPT_HUB_NAME},
    {"c2d-lock", required_argument, NULL, OPT_C2D_LOCK},
    {0},
};

static void *cloud_role_new(void)
{
    struct role_cloud *r = xcalloc(1, sizeof(*r));

    r->options = (struct sandbox_options){.host = "sandbox.berth.internal",
                                          .mqtt_port = 8883,
                                          .https_port = 443,
                                          .registry_port = 5000,
                                          .c2d_lock_ms = C2D_LOCK_MS};
    return r;
}

static int read_port(const char *name, const char *value, uint16_t *ret, struct err *err)
{
    uint64_t port;

    if (!str_to_u64(value, UINT16_MAX, &port) || port == 0)
        return err_set(err, ERR_INVALID, "%s: must be 1 to 65535", name);
    *ret = (uint16_t)port;
    return 0;
}

/* Appends TEXT to a NULL-terminated list that has room for MAX. */
static int append(const char **list, size_t max, const char *text, const char *name,
                  struct err *err)
{
    size_t n = 0;

    while (list[n])
        n++;
    if (n == max)
        return err_set(err, ERR_INVALID, "%s: no more than %zu", name, max);
    list[n] = text;
    return 0;
}

static int take(void *x, int option, const char *value, struct err *err)
{
    struct sandbox_options *o = &((struct role_cloud *)x)->options;
    uint64_t number;

    switch (option) {
    case OPT_DIR:
        o->dir = value;
        return 0;
    case OPT_LISTEN:
        return append(o->addresses, SANDBOX_ADDRESSES_MAX, value, "--listen", err);
    case OPT_MQTT_PORT:
        return read_port("--mqtt-port", value, &o->mqtt_port, err);
    case OPT_HTTPS_PORT:
        return read_port("--https-port", value, &o->https_port, err);
    case OPT_REGISTRY_PORT:
        return read_port("--registry-port", value, &o->registry_port, err);
    case OPT_NO_REGISTRY:
        o->registry_port = 0;
        return 0;
    case OPT_HOST_NAME:
        o->host = value;
        return 0;
    case OPT_HUB_NAME:
        return append(o->hubs, SANDBOX_HUBS_MAX, value, "--hub-name", err);
    case OPT_C2D_LOCK:
    default:
        if (!str_to_u64(value, 300, &number) || number < 5)
            return err_set(err, ERR_INVALID, "--c2d-lock: must be 5 to 300 seconds");
        o->c2d_lock_ms = number * 1000;
        return 0;
    }
}

/* A host name: it stands in certificates, connection strings and tokens. */
static int check_name(const char *name, const char *option, struct err *err)
{
    size_t len = strlen(name);

    if (len == 0 || len > HUB_NAME_MAX - 1 || strspn(name, NAME_CHARS) != len)
        return err_set(err, ERR_INVALID,
                       "%s: must be a host name of at most %d lower-case letters, digits, - and .",
                       option, HUB_NAME_MAX - 1);
    return 0;
}

static int check(void *x, struct err *err)
{
    struct sandbox_options *o = &((struct role_cloud *)x)->options;

    if (!o->addresses[0])
        o->addresses[0] = "127.0.0.1";
    if (!o->dir || o->dir[0] != '/')
        return err_set(err, ERR_INVALID, "--dir: must be an absolute path");
    if (strpbrk(o->dir, "'\n"))
        return err_set(err, ERR_INVALID, "--dir: must not have quotes or line ends in it");
    if (check_name(o->host, "--host-name", err) < 0)
        return -1;
    for (size_t i = 0; o->hubs[i]; i++) {
        if (check_name(o->hubs[i], "--hub-name", err) < 0)
            return -1;
        for (size_t k = 0; k <= i; k++)
            if (str_eq(o->hubs[i], k ? o->hubs[k - 1] : o->host))
                return err_set(err, ERR_INVALID, "--hub-name: %s is there twice", o->hubs[i]);
    }
    return 0;
}

static int open_role(void *x, uv_loop_t *loop, role_ready_fn ready, void *arg, struct err *err)
{
    struct role_cloud *r = x;

    return sandbox_open(loop, &r->options, ready, arg, &r->sandbox, err);
}

static void close_role(void *x)
{
    struct role_cloud *r = x;

    sandbox_close(steal(r->sandbox));
}

static const char usage[] =
    "usage: berth-hub --role cloud --dir DIR [--listen ADDR]... [--mqtt-port N] [--https-port N]\n"
    "                 [--registry-port N | --no-registry] [--host-name NAME]\n"
    "                 [--hub-name NAME]... [--c2d-lock SECONDS] [--ready-fd N] [--log FILE]\n"
    "A local stand-in for Azure IoT Hub: MQTT and HTTPS, devices, twins, methods, deployments.\n"
    "Each --hub-name is a further hub besides the one of --host-name, at the same ports.\n"
    "A message to a device that is not acknowledged is sent again after --c2d-lock (5 to 300, "
    "60).\n";

const struct role role_cloud = {
    .name = "cloud",
    .usage = usage,
    .options = options,
    .new = cloud_role_new,
    .take = take,
    .check = check,
    .open = open_role,
    .close = close_role,
    .free = free,
};
