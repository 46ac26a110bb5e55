/* See zip_file.h. minizip rather than libarchive: the latter brings libxml2 and ICU, 38 MB, into an
 * image of 63. */
#include "vm/guest/iotedge/zip_file.h"

#include "core/base/mem.h"

#include <errno.h>
#include <minizip/zip.h>
#include <stdbool.h>
#include <time.h>

struct zip_file {
    zipFile zip;
    zip_fileinfo info;
    bool open; /* an entry */
};

static void set_time(zip_fileinfo *info, uint64_t now_ms)
{
    struct tm tm;
    time_t now = (time_t)(now_ms / 1000);
    if (!gmtime_r(&now, &tm))
        return;
    info->tmz_date.tm_sec = tm.tm_sec;
    info->tmz_date.tm_min = tm.tm_min;
    info->tmz_date.tm_hour = tm.tm_hour;
    info->tmz_date.tm_mday = tm.tm_mday;
    info->tmz_date.tm_mon = tm.tm_mon;
    info->tmz_date.tm_year = tm.tm_year + 1900;
}

static int failed(struct err *err)
{
    return err_sys(err, errno ? errno : EIO, "write the archive");
}

struct zip_file *zip_file_new(const char *path, uint64_t now_ms, struct err *err)
{
    zipFile zip = zipOpen64(path, APPEND_STATUS_CREATE);
    if (!zip) {
        err_sys(err, errno ? errno : EIO, "write %s", path);
        return NULL;
    }
    struct zip_file *z = xcalloc(1, sizeof(*z));
    z->zip = zip;
    set_time(&z->info, now_ms);
    return z;
}

static int end_entry(struct zip_file *z, struct err *err)
{
    bool open = z->open;
    z->open = false;
    return !open || zipCloseFileInZip(z->zip) == ZIP_OK ? 0 : failed(err);
}

int zip_file_begin(struct zip_file *z, const char *name, struct err *err)
{
    if (end_entry(z, err) < 0)
        return -1;
    /* zip64: how long an entry becomes is not known before. */
    if (zipOpenNewFileInZip64(z->zip, name, &z->info, NULL, 0, NULL, 0, NULL, Z_DEFLATED,
                              Z_DEFAULT_COMPRESSION, 1) != ZIP_OK)
        return failed(err);
    z->open = true;
    return 0;
}

int zip_file_write(struct zip_file *z, const void *data, size_t len, struct err *err)
{
    /* One call takes an unsigned. */
    for (const char *at = data; len;) {
        unsigned n = len < (1U << 20) ? (unsigned)len : 1U << 20;
        if (zipWriteInFileInZip(z->zip, at, n) != ZIP_OK)
            return failed(err);
        at += n;
        len -= n;
    }
    return 0;
}

int zip_file_end(struct zip_file *z, struct err *err)
{
    int status = end_entry(z, err);
    if (zipClose(z->zip, NULL) != ZIP_OK && status == 0)
        status = failed(err);
    free(z);
    return status;
}
