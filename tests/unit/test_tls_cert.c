#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/io/tls_cert.h"
#include "tests/support/certs.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>

static struct tls_cert_info read_it(const struct cert *c)
{
    auto_buf struct buf pem = {0};
    struct tls_cert_info info = {0};
    struct err err = {0};

    cert_put_pem(&pem, c);
    cr_assert_eq(tls_cert_read(pem.data, pem.len, &info, &err), 0, "%s", err.msg);
    return info;
}

static int refused(const char *text, size_t len)
{
    struct tls_cert_info info;
    struct err err = {0};

    return tls_cert_read(text, len, &info, &err) == -1 && err.kind == ERR_INVALID;
}

Test(tls_cert, says_whose_it_is_and_how_long)
{
    auto_cert struct cert ca = cert_make(&(struct cert_spec){.cn = "Factory CA", .ca = true});
    auto_cert struct cert c = cert_make(
        &(struct cert_spec){.cn = "pump-1", .issuer = &ca, .from_s = -60, .until_s = 3600});
    struct tls_cert_info info = read_it(&c);
    unsigned char digest[EVP_MAX_MD_SIZE];
    char sha1[41];

    cr_assert_str_eq(info.common_name, "pump-1");
    cr_assert_str_eq(info.subject, "CN=pump-1");
    cr_assert_str_eq(info.issuer, "CN=Factory CA");
    cr_assert_eq(info.not_after_ms - info.not_before_ms, 3660 * 1000);
    cr_assert_not(info.is_ca);
    X509_digest(c.x509, EVP_sha1(), digest, NULL);
    for (size_t i = 0; i < 20; i++)
        snprintf(sha1 + 2 * i, 3, "%02X", digest[i]);
    cr_assert_str_eq(info.sha1, sha1);
    cr_assert_eq(strlen(info.sha256), 64);
    cr_assert(read_it(&ca).is_ca);
}

Test(tls_cert, reads_the_first_of_a_chain_with_text_around_it)
{
    auto_cert struct cert a = cert_make(&(struct cert_spec){.cn = "first"});
    auto_cert struct cert b = cert_make(&(struct cert_spec){.cn = "second"});
    auto_buf struct buf pem = {0};
    struct tls_cert_info info;

    buf_puts(&pem, "Bag Attributes\r\n    friendlyName: x\r\n");
    cert_put_pem(&pem, &a);
    cert_put_pem(&pem, &b);
    cr_assert_eq(tls_cert_read(pem.data, pem.len, &info, NULL), 0);
    cr_assert_str_eq(info.common_name, "first");
}

Test(tls_cert, reads_base64_without_a_frame)
{
    auto_cert struct cert c = cert_make(&(struct cert_spec){.cn = "bare"});
    auto_buf struct buf pem = {0};
    struct tls_cert_info info;

    cert_put_pem(&pem, &c);

    char *start = strchr(pem.data, '\n') + 1;
    size_t len = (size_t)(strstr(start, "-----END") - start);

    cr_assert_eq(tls_cert_read(start, len, &info, NULL), 0);
    cr_assert_str_eq(info.common_name, "bare");
    cr_assert(refused(start, len - 5), "cut short");
    start[100] = '*';
    cr_assert(refused(start, len));
}

Test(tls_cert, refuses_what_is_none_and_what_is_too_large)
{
    auto_buf struct buf text = {0};

    cr_assert(refused("", 0));
    cr_assert(refused("hello", 5));
    cr_assert(refused("-----BEGIN CERTIFICATE-----", 27));
    for (int i = 0; i < 70000; i++)
        buf_putc(&text, 'A');
    cr_assert(refused(text.data, text.len));
}

/* An encrypted file must not make a daemon ask for a password on the terminal. */
Test(tls_cert, is_good_in_its_time_and_a_little_around_it)
{
    const struct tls_cert_info cert = {.not_before_ms = 10000, .not_after_ms = 20000};
    struct err err = {0};

    cr_assert_eq(tls_cert_check_time(&cert, 9000, 1000, &err), 0);
    cr_assert_eq(tls_cert_check_time(&cert, 21000, 1000, &err), 0);
    cr_assert_eq(err.kind, ERR_NONE);
    cr_assert_lt(tls_cert_check_time(&cert, 8999, 1000, &err), 0);
    cr_assert_eq(err.kind, ERR_AUTH);
    cr_assert_lt(tls_cert_check_time(&cert, 21001, 1000, NULL), 0);
}

Test(tls_cert, refuses_an_encrypted_file, .timeout = 5)
{
    static const char text[] = "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
                               "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
                               "AAAAAAAAAAAAAAAAAAAAAA==\n-----END CERTIFICATE-----\n";

    cr_assert(refused(text, strlen(text)));
}

Test(tls_cert, a_name_with_a_nul_is_not_the_name_before_it)
{
    auto_cert struct cert c = cert_make(&(struct cert_spec){.cn = "pump-1\0.evil", .cn_len = 12});
    struct tls_cert_info info = read_it(&c);

    cr_assert_str_eq(info.common_name, "pump-1^@.evil");
    cr_assert_null(strchr(info.subject, '\n'));
}

Test(tls_cert, an_ambiguous_or_overlong_name_is_none)
{
    char name[66] = {0};
    auto_cert struct cert two = cert_make(&(struct cert_spec){.cn = "a", .second_cn = "b"});
    auto_cert struct cert none = cert_make(&(struct cert_spec){.cn = NULL});

    cr_assert_str_eq(read_it(&two).common_name, "");
    cr_assert_str_eq(read_it(&none).common_name, "");

    memset(name, 'x', 64);
    auto_cert struct cert fits = cert_make(&(struct cert_spec){.cn = name});
    name[64] = 'y';
    auto_cert struct cert longer = cert_make(&(struct cert_spec){.cn = name});

    cr_assert_eq(strlen(read_it(&fits).common_name), 64);
    cr_assert_str_eq(read_it(&longer).common_name, "");
}

/* ------------------------------------------------------------------------------------------ making
 */

static char dir[] = "/tmp/berth-cert-XXXXXX";

static void make_dir(void)
{
    cr_assert(mkdtemp(dir));
}

static void remove_dir(void)
{
    (void)file_remove_tree(dir, NULL);
}

static const char *in(const char *name)
{
    static char paths[8][80];
    static unsigned n;
    char *path = paths[n++ % ARRAY_LEN(paths)];

    snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
    return path;
}

static struct tls_cert_info read_file(const char *path, unsigned *ret_certs)
{
    auto_buf struct buf text = {0};
    struct tls_cert_info info = {0};

    cr_assert_eq(file_read(path, 65536, &text, NULL), 0);
    cr_assert_eq(tls_cert_read(text.data, text.len, &info, NULL), 0);
    *ret_certs = 0;
    for (const char *at = text.data; (at = strstr(at, "-----BEGIN CERT")); at++)
        ++*ret_certs;
    return info;
}

Test(tls_cert, makes_a_device_with_the_chain_it_has_to_show, .init = make_dir, .fini = remove_dir)
{
    struct stat st;
    unsigned n;
    struct err err = {0};

    cr_assert_eq(tls_cert_make_ca(in("root.pem"), in("root.key"), "Root", 30, &err), 0, "%s",
                 err.msg);
    cr_assert_eq(tls_cert_make_intermediate(in("root.pem"), in("root.key"), in("mid.pem"),
                                            in("mid.key"), "Mid", 20, &err),
                 0, "%s", err.msg);
    cr_assert_eq(tls_cert_make_device(in("mid.pem"), in("mid.key"), in("dev.pem"), in("dev.key"),
                                      "pump-1", 10, &err),
                 0, "%s", err.msg);

    struct tls_cert_info info = read_file(in("dev.pem"), &n);

    cr_assert_eq(n, 2, "device and intermediate");
    cr_assert_str_eq(info.common_name, "pump-1");
    cr_assert_str_eq(info.issuer, "CN=Mid");
    info = read_file(in("mid.pem"), &n);
    cr_assert_eq(n, 1, "not the topmost");
    cr_assert(info.is_ca);
    cr_assert(tls_cert_is_good(in("mid.pem"), in("dev.pem"), in("dev.key"), NULL, 9));
    cr_assert_not(tls_cert_is_good(in("root.pem"), in("dev.pem"), in("dev.key"), NULL, 9));
    cr_assert_eq(stat(in("dev.key"), &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0600);
}

Test(tls_cert, makes_a_self_signed_device, .init = make_dir, .fini = remove_dir)
{
    unsigned n;

    cr_assert_eq(tls_cert_make_self_signed(in("d.pem"), in("d.key"), "pump-2", 10, NULL), 0);

    struct tls_cert_info info = read_file(in("d.pem"), &n);

    cr_assert_str_eq(info.subject, info.issuer);
    cr_assert_not(info.is_ca);
    cr_assert_eq(n, 1);
}

Test(tls_cert, refuses_a_name_that_does_not_fit, .init = make_dir, .fini = remove_dir)
{
    char name[66] = {0};
    struct err err = {0};

    memset(name, 'x', 65);
    cr_assert_eq(tls_cert_make_self_signed(in("d.pem"), in("d.key"), name, 10, &err), -1);
    cr_assert_eq(err.kind, ERR_INVALID);
    cr_assert_not(file_exists(in("d.key")));
}
