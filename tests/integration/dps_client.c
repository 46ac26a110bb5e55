/* The Device Provisioning Service's client against a service that says what the test wants, over
 * TLS in the same process: what is sent, what is waited for, what is tried again, and what is given
 * up. */
#include "core/azure/dps_client.h"
#include "core/azure/derive.h"
#include "core/io/tls_stream.h"
#include "tests/support/scripted.h"

#define PORT 18943
#define HOST "localhost:18943"
#define KEY  "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define ASSIGNED                                                                                \
    "{\"operationId\":\"4.op\",\"status\":\"assigned\",\"registrationState\":{\"assignedHub\":" \
    "\"h.example\",\"deviceId\":\"d1\",\"substatus\":\"initialAssignment\"}}"
#define ASSIGNING "{\"operationId\":\"4.op\",\"status\":\"assigning\"}"

struct outcome {
    bool ended;
    struct dps_device device;
    struct err err;
};
static struct outcome outcome;
static const struct request *const requests = scripted.requests;

static void on_end(void *arg, const struct dps_device *device, const struct err *err)
{
    struct outcome *o = arg;
    expect(!o->ended, "it ended twice");
    o->ended = true;
    if (device)
        o->device = *device;
    if (err)
        o->err = *err;
}

static struct dialer *new_dialer(const char *ca, const char *client)
{
    struct err err;
    auto_free char *path = xasprintf("%s/%s.pem", scripted.dir, ca);
    struct dialer *dialer = dialer_tls_new(&scripted.loop, path, NULL, &err);
    if (dialer && client) {
        auto_free char *cert = xasprintf("%s/%s.pem", scripted.dir, client);
        auto_free char *key = xasprintf("%s/%s.key", scripted.dir, client);
        if (dialer_tls_show(dialer, cert, key, &err) < 0)
            abort();
    }
    return dialer;
}

static void begin(const char *name, const struct reply *script, size_t n)
{
    scripted_begin(name, script, n);
    outcome = (struct outcome){0};
}

static struct dps_options plain_options(struct dialer *dialer)
{
    return (struct dps_options){.host = HOST,
                                .id_scope = "0ne1",
                                .registration_id = "r:1",
                                .dialer = dialer,
                                .call_ms = 3000,
                                .retries = 1,
                                .total_ms = 20000};
}

/* Until the registration has ended. */
static void register_with(const struct dps_options *options)
{
    struct dps_client *c = dps_register(&scripted.loop, options, on_end, &outcome);
    expect(c && !outcome.ended, "it ended from inside");
    while (!outcome.ended)
        (void)uv_run(&scripted.loop, UV_RUN_ONCE);
}

static int sign_with_key(const void *arg, const void *text, size_t len, unsigned char ret[32],
                         struct err *err)
{
    return derive_hmac(arg, strlen(arg), text, len, ret, err);
}

static const struct sas_signer by_key = {sign_with_key, "0123456789abcdef0123456789abcdef"};

static void run_key_case(const char *name, const struct reply *replies, size_t n)
{
    begin(name, replies, n);
    struct dialer *dialer = new_dialer("ca", NULL);
    struct dps_options options = plain_options(dialer);
    options.signer = &by_key;
    register_with(&options);
    dialer_tls_free(dialer);
}

static bool signed_with(const char *authorization, const char *key)
{
    struct sas sas;
    return sas_parse(authorization, strlen(authorization), &sas, NULL) == 0 &&
           sas_signed_by(&sas, key) && str_eq(sas.policy, "registration") &&
           str_eq(sas.resource, "0ne1/registrations/r:1");
}

/* ------------------------------------------------------------------------------- cases */

#define SCRIPT(...)                                      \
    static const struct reply replies[] = {__VA_ARGS__}; \
    const size_t n = sizeof(replies) / sizeof(replies[0])

static void test_key(void)
{
    SCRIPT(SAY_AFTER("1", 202, ASSIGNING), SAY_AFTER("2", 202, ASSIGNING), SAY(200, ASSIGNED));
    run_key_case("a key: registers, waits as it is told, polls", replies, n);
    expect(outcome.err.kind == ERR_NONE, "an error");
    expect(str_eq(outcome.device.hub, "h.example") && str_eq(outcome.device.id, "d1") &&
               str_eq(outcome.device.detail, "initialAssignment"),
           "wrong device");
    expect(scripted.n == 3, "not three requests");
    expect(str_eq(requests[0].line, "PUT /0ne1/registrations/r%3A1/register"), requests[0].line);
    expect(str_eq(requests[0].body, "{\"registrationId\":\"r:1\"}"), requests[0].body);
    expect(str_eq(requests[2].line, "GET /0ne1/registrations/r%3A1/operations/4.op"),
           requests[2].line);
    for (size_t i = 0; i < scripted.n; i++)
        expect(signed_with(requests[i].authorization, KEY), "a wrong token");
    expect(requests[1].at_ms - requests[0].at_ms >= 1000, "it asked too early");
    expect(requests[2].at_ms - requests[1].at_ms >= 2000, "it asked too early again");
    scripted_done();
}

static void test_at_once(void)
{
    SCRIPT(SAY(200, ASSIGNED));
    run_key_case("a service that assigns at once", replies, n);
    expect(str_eq(outcome.device.hub, "h.example") && scripted.n == 1, "not at once");
    scripted_done();
}

static void test_busy(void)
{
    SCRIPT(SAY_AFTER("1", 503, "{}"), SAY_AFTER("1", 202, ASSIGNING), SAY_AFTER("1", 429, "{}"),
           SAY(200, ASSIGNED));
    run_key_case("a busy service is asked again when it says", replies, n);
    expect(str_eq(outcome.device.id, "d1") && scripted.n == 4, "it gave up");
    expect(str_starts(requests[1].line, "PUT") && str_starts(requests[3].line, "GET"),
           "not the same call again");
    expect(requests[1].at_ms - requests[0].at_ms >= 1000, "too early");
    scripted_done();
}

static void test_busy_for_ever(void)
{
    SCRIPT(SAY_AFTER("1", 503, "{}"));
    run_key_case("a service that stays busy is given up", replies, n);
    expect(outcome.err.kind == ERR_UNREACHABLE && scripted.n == 2, "it went on");
    scripted_done();
}

static void test_refused(void)
{
    SCRIPT({.status = 401,
            .body = "{\"errorCode\":401002,\"message\":\"Unauthorized\"}",
            .date = "Sat, 01 Jan 2050 00:00:00 GMT"});
    run_key_case("a refusal is final and blames a wrong clock", replies, n);
    expect(outcome.err.kind == ERR_REMOTE && scripted.n == 1, "not final");
    expect(strstr(outcome.err.hint, "behind"), "the clock is not blamed");
    scripted_done();
}

static void test_not_assigned(void)
{
    SCRIPT(SAY_AFTER("1", 202, ASSIGNING),
           SAY(200, "{\"status\":\"failed\",\"registrationState\":{\"errorCode\":400207,"
                    "\"errorMessage\":\"no hub\"}}"));
    run_key_case("an assignment that fails", replies, n);
    expect(outcome.err.kind == ERR_REMOTE && strstr(outcome.err.msg, "no hub"), "not told");
    scripted_done();
}

static void test_garbage(void)
{
    SCRIPT(SAY(200, "<html>log in to the hotel's network</html>"));
    run_key_case("something else answers", replies, n);
    expect(outcome.err.kind == ERR_PROTOCOL && scripted.n == 1, "accepted");
    scripted_done();
}

static void test_silence(void)
{
    SCRIPT(SILENCE);
    begin("a service that does not answer", replies, n);
    struct dialer *dialer = new_dialer("ca", NULL);
    struct dps_options options = plain_options(dialer);
    options.signer = &by_key;
    options.call_ms = 300;
    options.retries = 0;
    register_with(&options);
    expect(outcome.err.kind == ERR_TIMEOUT, "no time-out");
    dialer_tls_free(dialer);
    scripted_done();
}

static void test_never_assigned(void)
{
    SCRIPT(SAY_AFTER("1", 202, ASSIGNING));
    begin("a service that never assigns", replies, n);
    struct dialer *dialer = new_dialer("ca", NULL);
    struct dps_options options = plain_options(dialer);
    options.signer = &by_key;
    options.total_ms = 2500;
    uint64_t begun = clock_mono_ms();
    register_with(&options);
    expect(outcome.err.kind == ERR_TIMEOUT && strstr(outcome.err.msg, "in time"), "no time-out");
    expect(clock_mono_ms() - begun < 5000 && scripted.n >= 2, "at the wrong time");
    dialer_tls_free(dialer);
    scripted_done();
}

static void test_untrusted(void)
{
    SCRIPT(SAY(200, ASSIGNED));
    begin("a service that nobody vouches for", replies, n);
    struct dialer *dialer = new_dialer("other", NULL);
    struct dps_options options = plain_options(dialer);
    options.signer = &by_key;
    register_with(&options);
    expect(outcome.err.kind == ERR_AUTH && scripted.n == 0, "trusted");
    expect(strstr(outcome.err.msg, HOST), "it does not say whom");
    dialer_tls_free(dialer);
    scripted_done();
}

static void test_nobody(void)
{
    SCRIPT(SAY(200, ASSIGNED));
    begin("nobody listens", replies, n);
    struct dialer *dialer = new_dialer("ca", NULL);
    struct dps_options options = plain_options(dialer);
    options.signer = &by_key;
    options.retries = 0;
    options.host = "localhost:9";
    register_with(&options);
    expect(outcome.err.kind == ERR_UNREACHABLE && strstr(outcome.err.msg, "connect"), "not told");
    dialer_tls_free(dialer);
    scripted_done();
}

static void test_certificate(void)
{
    SCRIPT(SAY_AFTER("1", 202, ASSIGNING), SAY(200, ASSIGNED));
    begin("a certificate: shown each time, and no token", replies, n);
    struct dialer *dialer = new_dialer("ca", "device");
    struct dps_options options = plain_options(dialer);
    options.payload = "{\"site\": [1, 2]}";
    register_with(&options);
    expect(str_eq(outcome.device.id, "d1"), "an error");
    for (size_t i = 0; i < scripted.n; i++)
        expect(str_eq(requests[i].client, "r:1") && !*requests[i].authorization, "not shown");
    expect(strstr(requests[0].body, "\"payload\":{\"site\": [1, 2]}"), requests[0].body);
    dialer_tls_free(dialer);
    scripted_done();
}

static void test_cancel(void)
{
    SCRIPT(SILENCE);
    begin("a registration that is cancelled tells nobody", replies, n);
    struct dialer *dialer = new_dialer("ca", NULL);
    struct dps_options options = plain_options(dialer);
    options.signer = &by_key;
    struct dps_client *c = dps_register(&scripted.loop, &options, on_end, &outcome);
    while (!scripted.n)
        (void)uv_run(&scripted.loop, UV_RUN_ONCE);
    dps_cancel(c);
    for (int i = 0; i < 20; i++)
        (void)uv_run(&scripted.loop, UV_RUN_NOWAIT);
    expect(!outcome.ended, "told");
    dialer_tls_free(dialer);
    scripted_done();
}

/* ------------------------------------------------------------------------------- TPM */

/* A TPM whose keys are "the blob's bytes". */
static struct {
    char imported[64];
    bool broken;
} chip;

static int chip_keys(const void *arg, struct buf *ek, struct buf *srk, struct err *err)
{
    (void)arg;
    if (chip.broken)
        return err_set(err, ERR_UNSUPPORTED, "no TPM can be used");
    buf_puts(ek, "EK");
    buf_puts(srk, "SRK");
    return 0;
}

static int chip_answer(const void *arg, const struct secret *blob, const void *text, size_t len,
                       unsigned char ret[32], struct err *err)
{
    (void)arg;
    return derive_hmac(blob->data, blob->len, text, len, ret, err);
}

static int chip_import(const void *arg, const struct secret *blob, struct err *err)
{
    (void)arg, (void)err;
    STR_SET(chip.imported, blob->data);
    return 0;
}

static const struct dps_tpm by_tpm = {chip_keys, chip_answer, chip_import, NULL};

static void run_tpm_case(const char *name, const struct reply *replies, size_t n)
{
    begin(name, replies, n);
    struct dialer *dialer = new_dialer("ca", NULL);
    struct dps_options options = plain_options(dialer);
    options.tpm = &by_tpm;
    register_with(&options);
    dialer_tls_free(dialer);
}

#define CHALLENGE "{\"authenticationKey\":\"bm9uY2U=\",\"keyName\":\"registration\"}" /* nonce */
#define ASSIGNED_TPM                                                                            \
    "{\"status\":\"assigned\",\"registrationState\":{\"assignedHub\":\"h\",\"deviceId\":\"d\"," \
    "\"tpm\":{\"authenticationKey\":\"ZmluYWw=\"}}}" /* final */

static void test_tpm(void)
{
    SCRIPT(SAY(401, CHALLENGE), SAY_AFTER("1", 202, ASSIGNING), SAY(200, ASSIGNED_TPM));
    run_tpm_case("a TPM: names itself, answers the challenge, keeps the key", replies, n);
    expect(str_eq(outcome.device.hub, "h") && scripted.n == 3, "an error");
    expect(strstr(requests[0].body,
                  "\"tpm\":{\"endorsementKey\":\"RUs=\",\"storageRootKey\":\"U1JL\"}") &&
               !*requests[0].authorization,
           requests[0].body);
    expect(!strstr(requests[1].body, "tpm") && signed_with(requests[1].authorization, "bm9uY2U="),
           "the challenge is not answered");
    expect(str_eq(chip.imported, "final"), "the key is not kept");
    scripted_done();
}

static void test_tpm_refused(void)
{
    SCRIPT(SAY(401, CHALLENGE), SAY(401, CHALLENGE));
    run_tpm_case("a TPM whose answer is not accepted", replies, n);
    expect(outcome.err.kind == ERR_REMOTE && strstr(outcome.err.msg, "did not accept"), "not told");
    scripted_done();
}

static void test_tpm_missing(void)
{
    SCRIPT(SAY(401, CHALLENGE));
    chip.broken = true;
    run_tpm_case("no TPM", replies, n);
    chip.broken = false;
    expect(outcome.err.kind == ERR_UNSUPPORTED && scripted.n == 0, "not told");
    scripted_done();
}

static void test_wants_tpm(void)
{
    SCRIPT(SAY(401, CHALLENGE));
    run_key_case("a key where the enrolment is a TPM's", replies, n);
    expect(outcome.err.kind == ERR_REMOTE && strstr(outcome.err.msg, "a TPM's enrolment"),
           "not told");
    scripted_done();
}

/* ------------------------------------------------------------------------------- main */

int main(void)
{
    static void (*const tests[])(void) = {
        test_key,         test_at_once, test_busy,         test_busy_for_ever,
        test_refused,     test_garbage, test_not_assigned, test_silence,
        test_untrusted,   test_nobody,  test_cancel,       test_never_assigned,
        test_certificate, test_tpm,     test_tpm_refused,  test_tpm_missing,
        test_wants_tpm,
    };
    scripted_start(PORT);
    for (size_t i = 0; i < ARRAY_LEN(tests); i++)
        tests[i]();
    return scripted_end();
}
