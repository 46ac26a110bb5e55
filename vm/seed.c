/* See seed.h. */
#include "vm/seed.h"

#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/remote.h"

#include <string.h>
#include <sys/stat.h>

#define KEY_LINE_MAX 1024

/* Makes the pair at PATH unless both halves are there, and gives the public line without its
 * newline. */
static int ensure_key(const char *path, const char *comment, struct buf *ret_line, struct err *err)
{
    auto_free char *public = xasprintf("%s.pub", path);
    if ((!file_exists(path) || !file_exists(public)) && remote_keygen(path, comment, err) < 0)
        return -1;
    if (file_read(public, KEY_LINE_MAX, ret_line, err) < 0)
        return -1;
    char *end = strchr(buf_str(ret_line), '\n');
    if (end) {
        *end = '\0';
        ret_line->len = (size_t)(end - ret_line->data);
    }
    if (!str_starts(buf_str(ret_line), "ssh-"))
        return err_set(err, ERR_INVALID, "%s is not a public key", public);
    return 0;
}

static int write_line(const char *name, const char *leaf, const char *text, struct err *err)
{
    auto_free char *path = record_path(name, leaf);
    auto_free char *line = xasprintf("%s\n", text);
    return file_write(path, line, strlen(line), 0600, err);
}

int seed_prepare(struct vm_record *r, struct err *err)
{
    auto_free char *host_key = record_path(r->name, RECORD_SEED_HOSTKEY);
    auto_free char *client_key = record_path(r->name, RECORD_CLIENT_KEY);
    auto_free char *comment = xasprintf("berth@%s", r->name);
    auto_buf struct buf host_line = {0};
    auto_buf struct buf client_line = {0};
    if (record_make_dir(r->name, err) < 0 || ensure_key(host_key, r->name, &host_line, err) < 0 ||
        ensure_key(client_key, comment, &client_line, err) < 0 ||
        write_line(r->name, RECORD_SEED_KEYS, buf_str(&client_line), err) < 0 ||
        write_line(r->name, RECORD_SEED_HOSTNAME, r->name, err) < 0)
        return err_wrap(err, "make the keys of VM %s", r->name);
    if (!str_copy(r->host_key, sizeof(r->host_key), buf_str(&host_line)))
        return err_set(err, ERR_INVALID, "the host key of VM %s is too long", r->name);
    return 0;
}
