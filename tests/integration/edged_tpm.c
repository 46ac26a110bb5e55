/* berth-edged's TPM against a real TPM 2.0 in software, with the provisioning service's own
 * wrapping: a key that came in so signs, and never comes out. */
#include "core/azure/derive.h"
#include "core/azure/tpm_credential.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/str.h"
#include "core/io/base64.h"
#include "vm/guest/edged/tpm.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define PORT 18945
#define TEXT "0ne1%2Fregistrations%2Fr\n1700000000"

static char dir[] = "/tmp/berth-tpm-XXXXXX";
static pid_t swtpm;
static int failures;
static struct config_tpm config = {.key_index = 0x100};

static void check(bool good, const char *name, const struct err *err)
{
    if (good) {
        printf("ok %s\n", name);
        return;
    }
    failures++;
    printf("not ok %s: %s\n", name, err->msg);
}

static void stop_tpm(void)
{
    if (swtpm > 0) {
        (void)kill(swtpm, SIGKILL);
        (void)waitpid(swtpm, NULL, 0);
    }
    swtpm = 0;
}

static bool answers(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT + 1)};
    auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static bool start_tpm(void)
{
    char server[64], control[64], state[96];
    (void)str_format(server, sizeof(server), "type=tcp,port=%d", PORT);
    (void)str_format(control, sizeof(control), "type=tcp,port=%d", PORT + 1);
    (void)str_format(state, sizeof(state), "dir=%s", dir);
    swtpm = fork();
    if (swtpm == 0) {
        (void)execlp("swtpm", "swtpm", "socket", "--tpm2", "--server", server, "--ctrl", control,
                     "--tpmstate", state, "--flags", "not-need-init,startup-clear", NULL);
        _exit(127);
    }
    for (uint64_t end = clock_mono_ms() + 10000; clock_mono_ms() < end;) {
        if (answers())
            return true;
        (void)poll(NULL, 0, 20);
    }
    return false;
}

/* What the service knows of the TPM. */
static bool read_publics(struct tpm_public *ek, struct tpm_public *srk, struct err *err)
{
    auto_buf struct buf endorsement = {0}, storage = {0}, text = {0};
    if (tpm_keys(&config, &endorsement, &storage, err) < 0)
        return false;
    base64_encode(endorsement.data, endorsement.len, &text);
    if (tpm_public_read(buf_str(&text), ek, err) < 0)
        return false;
    buf_clear(&text);
    base64_encode(storage.data, storage.len, &text);
    return tpm_public_read(buf_str(&text), srk, err) == 0;
}

static void wrap(const struct tpm_public *ek, const struct tpm_public *srk, const char *key,
                 struct secret *ret)
{
    auto_wiped_buf struct buf blob = {0};
    struct err err;
    if (tpm_credential_wrap(ek, srk, (const unsigned char *)key, "0ne1", &blob, &err) < 0) {
        printf("not ok wrap: %s\n", err.msg);
        exit(1);
    }
    secret_set(ret, blob.data, blob.len);
}

static bool fits(const unsigned char signature[32], const char *key)
{
    unsigned char want[32];
    return derive_hmac(key, 32, TEXT, strlen(TEXT), want, NULL) == 0 &&
           memcmp(signature, want, 32) == 0;
}

#define NONCE  "nonce-nonce-nonce-nonce-nonce-nn"
#define DEVICE "device-key-device-key-device-key"
#define NEWER  "newer--key-newer--key-newer--key"

static void test_keys(void)
{
    struct err err = {0};
    struct tpm_public ek, srk, ek2, srk2;
    auto_secret struct secret nonce = {0}, device = {0}, newer = {0};
    unsigned char signature[32];

    bool good = read_publics(&ek, &srk, &err);
    check(good, "the TPM names itself, with keys made at the first time", &err);
    if (!good)
        return;
    check(read_publics(&ek2, &srk2, &err) && memcmp(ek.name, ek2.name, TPM_NAME_SIZE) == 0 &&
              memcmp(srk.name, srk2.name, TPM_NAME_SIZE) == 0,
          "the same the second time", &err);

    int status = tpm_sign(&config, TEXT, strlen(TEXT), signature, &err);
    check(status < 0 && err.kind == ERR_NOT_FOUND, "without a key nothing is signed", &err);

    wrap(&ek, &srk, NONCE, &nonce);
    status = tpm_answer(&config, &nonce, TEXT, strlen(TEXT), signature, &err);
    check(status == 0 && fits(signature, NONCE), "a challenge is answered", &err);
    status = tpm_sign(&config, TEXT, strlen(TEXT), signature, &err);
    check(status < 0 && err.kind == ERR_NOT_FOUND, "and its key is not kept", &err);

    wrap(&ek, &srk, DEVICE, &device);
    check(tpm_import(&config, &device, &err) == 0 &&
              tpm_sign(&config, TEXT, strlen(TEXT), signature, &err) == 0 &&
              fits(signature, DEVICE),
          "the device's key is kept and signs", &err);
    wrap(&ek, &srk, NEWER, &newer);
    check(tpm_import(&config, &newer, &err) == 0 &&
              tpm_sign(&config, TEXT, strlen(TEXT), signature, &err) == 0 && fits(signature, NEWER),
          "a new one takes its place", &err);
    for (int i = 0; i < 10 && status <= 0; i++)
        status = tpm_answer(&config, &nonce, TEXT, strlen(TEXT), signature, &err) < 0 ? 1 : 0;
    check(status == 0, "again and again: nothing piles up in the TPM", &err);
}

static void test_foreign(void)
{
    struct err err = {0};
    struct tpm_public ek, srk;
    auto_secret struct secret blob = {0}, damaged = {0};
    unsigned char signature[32];
    if (!read_publics(&ek, &srk, &err))
        return;
    wrap(&ek, &srk, DEVICE, &blob);
    secret_set(&damaged, blob.data, blob.len);
    damaged.data[10] ^= 1;
    int status = tpm_answer(&config, &damaged, TEXT, strlen(TEXT), signature, &err);
    check(status < 0, "a challenge that was changed is refused", &err);
    struct secret cut = {damaged.data, damaged.len / 2};
    status = tpm_answer(&config, &cut, TEXT, strlen(TEXT), signature, &err);
    check(status < 0 && err.kind == ERR_PROTOCOL, "half a challenge is refused", &err);
    ek.modulus[5] ^= 1; /* another TPM's */
    secret_wipe(&blob);
    wrap(&ek, &srk, DEVICE, &blob);
    status = tpm_answer(&config, &blob, TEXT, strlen(TEXT), signature, &err);
    check(status < 0, "another TPM's challenge is refused", &err);
}

static void test_restart(void)
{
    struct err err = {0};
    unsigned char signature[32];
    stop_tpm();
    int status = tpm_sign(&config, TEXT, strlen(TEXT), signature, &err);
    check(status < 0 && err.kind == ERR_UNSUPPORTED && strstr(err.msg, "no TPM can be used"),
          "a TPM that is not there is missed", &err);
    check(start_tpm() && tpm_sign(&config, TEXT, strlen(TEXT), signature, &err) == 0 &&
              fits(signature, NEWER),
          "after a power cut the key is there", &err);
}

int main(void)
{
    struct err none = {.msg = "swtpm did not start"};
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (!mkdtemp(dir))
        return 1;
    (void)str_format(config.tcti, sizeof(config.tcti), "swtpm:host=127.0.0.1,port=%d", PORT);
    if (!start_tpm()) {
        check(false, "a TPM", &none);
    } else {
        test_keys();
        test_foreign();
        test_restart();
    }
    stop_tpm();
    (void)file_remove_tree(dir, NULL);
    return failures ? 1 : 0;
}
