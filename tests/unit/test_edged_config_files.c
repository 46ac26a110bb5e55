/* The files that berth-edged's configuration names. */
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/io/tls_cert.h"
#include "tests/unit/edged_config_text.h"
#include "vm/guest/edged/config.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

struct folder {
    char path[64];
};

static void folder_remove(struct folder *f)
{
    (void)file_remove_tree(f->path, NULL);
}

static void put(const struct folder *f, const char *name, const char *text)
{
    auto_free char *path = xasprintf("%s/%s", f->path, name);
    cr_assert_eq(file_write(path, text, strlen(text), 0600, NULL), 0);
}

static void make_pair(const struct folder *f, const char *cert, const char *key)
{
    auto_free char *cert_path = xasprintf("%s/%s", f->path, cert);
    auto_free char *key_path = xasprintf("%s/%s", f->path, key);
    cr_assert_eq(tls_cert_make_self_signed(cert_path, key_path, "d1", 1, NULL), 0);
}

/* Loads TEXT, in which @ stands for the folder; its error's message, or "". */
static const char *load(const struct folder *f, const char *text)
{
    static struct err err;
    auto_config struct config c = {0};
    auto_buf struct buf whole = {0};
    auto_free char *path = xasprintf("%s/config.toml", f->path);
    for (const char *at = text; *at; at++) {
        if (*at == '@')
            buf_puts(&whole, f->path);
        else
            buf_putc(&whole, *at);
    }
    put(f, "config.toml", buf_str(&whole));
    err = (struct err){0};
    return config_load(path, &c, &err) < 0 ? err.msg : "";
}

static void says(const struct folder *f, const char *text, const char *message)
{
    const char *said = load(f, text);
    cr_assert(strstr(said, message), "\"%s\" does not say \"%s\"", said, message);
}

#define FOLDER                                                                       \
    ATTR_CLEANUP(folder_remove) struct folder f = {"/tmp/test-edged-config.XXXXXX"}; \
    cr_assert(mkdtemp(f.path))

Test(edged_config_files, reads_the_files_that_it_names)
{
    FOLDER;
    put(&f, "raw", "0123456789abcdef0123456789abcdef");
    put(&f, "text", KEY "\n");
    put(&f, "empty", "");
    make_pair(&f, "cert", "pk");
    make_pair(&f, "cert2", "pk2");
    cr_assert_str_eq(load(&f, GOOD), "");
    cr_assert_str_eq(load(&f, SAS "device_id_pk = { uri = \"file://@/raw\" }\n"), "");
    says(&f, SAS "device_id_pk = { uri = \"file://@/none\" }\n", "none");
    says(&f, SAS "device_id_pk = { uri = \"file://@/empty\" }\n", "is empty");
    says(&f, SAS "device_id_pk = { uri = \"file://@/text\" }\n", "as base64 text, not its bytes");
    says(&f, SAS "device_id_pk = { uri = \"file://@\" }\n", "not a regular file");
    cr_assert_str_eq(load(&f, MANUAL("x509") "identity_cert = \"file://@/cert\"\nidentity_pk = "
                                             "\"file://@/pk\"\n"),
                     "");
    says(&f, MANUAL("x509") "identity_cert = \"file://@/pk\"\nidentity_pk = \"file://@/pk\"\n",
         "no PEM block of a certificate");
    says(&f, MANUAL("x509") "identity_cert = \"file://@/cert\"\nidentity_pk = \"file://@/cert\"\n",
         "no PEM block of a private key");
    says(&f, MANUAL("x509") "identity_cert = \"file://@/cert\"\nidentity_pk = \"file://@/pk2\"\n",
         "identity_cert and identity_pk do not fit");
    says(&f, "trust_bundle_cert = \"file://@/none\"\n" GOOD, "trust_bundle_cert: read ");
    says(&f, GOOD "[edge_ca]\ncert = \"file://@/cert\"\npk = \"file://@/none\"\n", "edge_ca.pk");
    says(&f, GOOD "[preloaded_keys]\nx = \"file://@/none\"\n", "preloaded_keys.x");
}

Test(edged_config_files, takes_the_registration_id_from_the_certificate)
{
    FOLDER;
    auto_config struct config c = {0};
    auto_free char *path = xasprintf("%s/config.toml", f.path);
    make_pair(&f, "cert", "pk");
    cr_assert_str_eq(load(&f,
                          "[provisioning]\nsource = \"dps\"\nglobal_endpoint = \"https://x\"\n"
                          "id_scope = \"0ne\"\nattestation = { method = \"x509\", identity_cert "
                          "= \"file://@/cert\", identity_pk = \"file://@/pk\" }\n"),
                     "");
    cr_assert_eq(config_load(path, &c, NULL), 0);
    cr_assert_str_eq(c.provisioning.registration_id, "d1");
}

Test(edged_config_files, reads_the_payload_and_what_is_told_about_the_machine)
{
    FOLDER;
    auto_config struct config c = {0};
    auto_free char *path = xasprintf("%s/config.toml", f.path);
    const char *dps =
        "[provisioning]\nsource = \"dps\"\nglobal_endpoint = \"https://x\"\nid_scope = "
        "\"0ne\"\npayload = { uri = \"file://@/p\" }\n"
        "attestation = { method = \"tpm\", registration_id = \"r\" }\n";
    put(&f, "p", "{\"a\":");
    says(&f, dps, "provisioning.payload.uri");
    put(&f, "p", "{\"a\":1}");
    cr_assert_str_eq(load(&f, dps), "");

    put(&f, "info", "site = \"north\"\nrack = 3\n");
    says(&f, "additional_info = \"file://@/info\"\n" GOOD, "rack (line 2): must be a string");
    put(&f, "info", "site = \"north\"\n");
    cr_assert_str_eq(load(&f, "additional_info = \"file://@/info\"\n" GOOD), "");
    cr_assert_eq(config_load(path, &c, NULL), 0);
    cr_assert_eq(c.additional_info.n, 1);
    cr_assert_str_eq(c.additional_info.at[0].name, "site");
    cr_assert_str_eq(c.additional_info.at[0].value, "north");
}
