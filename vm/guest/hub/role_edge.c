/* See role.h: the hub of an IoT Edge device, for the runtime that starts it. */
#include "vm/guest/hub/role.h"

#include "core/base/mem.h"
#include "vm/guest/hub/edge.h"

struct role_edge {
    const char *dir, *file;
    struct edge_settings *settings;
    struct edge *edge;
};

enum option_id { OPT_DIR = 1, OPT_SETTINGS };

static const struct option options[] = {
    {"dir", required_argument, NULL, OPT_DIR},
    {"settings", required_argument, NULL, OPT_SETTINGS},
    {0},
};

static void *edge_role_new(void)
{
    return xcalloc(1, sizeof(struct role_edge));
}

static int take(void *x, int option, const char *value, struct err *err)
{
    struct role_edge *r = x;

    (void)err;
    *(option == OPT_DIR ? &r->dir : &r->file) = value;
    return 0;
}

static int check(void *x, struct err *err)
{
    struct role_edge *r = x;

    if (!r->dir || r->dir[0] != '/')
        return err_set(err, ERR_INVALID, "--dir: must be an absolute path");
    if (!r->file)
        return err_set(err, ERR_INVALID, "--settings: must be the runtime's file");
    return edge_settings_read(r->file, r->dir, &r->settings, err);
}

static int open_role(void *x, uv_loop_t *loop, role_ready_fn ready, void *arg, struct err *err)
{
    struct role_edge *r = x;

    return edge_open(loop, r->settings, ready, arg, &r->edge, err);
}

static void close_role(void *x)
{
    struct role_edge *r = x;

    edge_close(steal(r->edge));
}

static void free_role(void *x)
{
    struct role_edge *r = x;

    edge_settings_free(r->settings);
    free(r);
}

const struct role role_edge = {
    .name = "edge",
    .usage = "usage: berth-hub --role edge --dir DIR --settings FILE [--ready-fd N] [--log FILE]\n"
             "The hub of an IoT Edge device: what its modules and leaf devices take for IoT Hub.\n"
             "The runtime writes FILE and starts this; messages, twins and sessions are in DIR.\n",
    .options = options,
    .new = edge_role_new,
    .take = take,
    .check = check,
    .open = open_role,
    .close = close_role,
    .free = free_role,
};
