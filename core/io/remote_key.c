/* Keys for remote sessions: making a pair, reading a public line. See remote.h. */
#include "core/io/remote_private.h"

#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define KEY_FILE_MAX (16U << 10)
#define KEY_LINE_MAX 2048
#define KEY_TYPE_MAX 64

DEFINE_AUTO(ssh_key, struct ssh_key_struct, ssh_key_free)
#define auto_ssh_key ATTR_CLEANUP(ssh_key_freep)

/* The next word of *AT into TO; *AT moves behind it. False where there is none or it is too long.
 */
static bool next_word(const char **at, char *to, size_t size)
{
    const char *start = *at + strspn(*at, " \t\r\n");
    size_t len = strcspn(start, " \t\r\n");
    *at = start + len;
    if (!len || len >= size)
        return false;
    memcpy(to, start, len);
    to[len] = '\0';
    return true;
}

int remote_key_parse(const char *line, ssh_key *ret, struct err *err)
{
    char type[KEY_TYPE_MAX], base64[KEY_LINE_MAX];
    const char *at = line;
    bool words = next_word(&at, type, sizeof(type)) && next_word(&at, base64, sizeof(base64));
    enum ssh_keytypes_e kind = words ? ssh_key_type_from_name(type) : SSH_KEYTYPE_UNKNOWN;
    if (kind == SSH_KEYTYPE_UNKNOWN || ssh_pki_import_pubkey_base64(base64, kind, ret) != SSH_OK)
        return err_set(err, ERR_INVALID, "this is not a public SSH key: %.40s", line);
    return 0;
}

/* libssh writes keys by path only: through a private temporary file, so that the final one appears
 * whole and 0600. */
static int key_text(ssh_key key, const char *path, struct buf *out, struct err *err)
{
    auto_free char *tmp = xasprintf("%s.new.XXXXXX", path);
    int fd = mkostemp(tmp, O_CLOEXEC); /* 0600 */
    if (fd < 0)
        return err_sys(err, errno, "write %s", path);
    (void)close(fd);
    int rc = 0;
    if (ssh_pki_export_privkey_file(key, NULL, NULL, NULL, tmp) != SSH_OK)
        rc = err_set(err, ERR_SYSTEM, "write %s: the key could not be written", path);
    else
        rc = file_read(tmp, KEY_FILE_MAX, out, err);
    (void)unlink(tmp);
    return rc;
}

int remote_keygen(const char *path, const char *comment, struct err *err)
{
    auto_ssh_key ssh_key key = NULL;
    char *base64 = NULL;
    if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key) != SSH_OK ||
        ssh_pki_export_pubkey_base64(key, &base64) != SSH_OK)
        return err_set(err, ERR_SYSTEM, "make an SSH key: the SSH library failed");
    auto_free char *pub = xasprintf("ssh-ed25519 %s %s\n", base64, comment);
    auto_free char *pub_path = xasprintf("%s.pub", path);
    ssh_string_free_char(base64);

    auto_wiped_buf struct buf text = {0};
    if (key_text(key, path, &text, err) < 0)
        return -1;
    if (file_write(path, text.data, text.len, 0600, err) < 0)
        return -1;
    return file_write(pub_path, pub, strlen(pub), 0644, err);
}
