#include "core/azure/sas.h"
#include "core/base/percent.h"
#include "core/io/base64.h"

#include <criterion/criterion.h>
#include <string.h>

#define KEY       "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define OTHER_KEY "MTEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define WHEN      UINT64_C(1700000000)

/* Signatures made by other implementations (Node, identityd) over the same key and time. */
static const struct {
    const char *sr, *sig;
} vectors[] = {
    {"myhub.azure-devices.net%2Fdevices%2Fdev1", "wosmA3uJK9T0mdB5CIYn+sAVA2ODflnucuvNO5S6mbM="},
    {"myhub.azure-devices.net/devices/dev1", "LZdHbvbv4sRTXOAFJwPla4LIXjTUSo8Jtz2q6OF02wg="},
    {"0ne00112233%2Fregistrations%2Fdev1", "OP4flPtjC6yk0eNvGJHLjAxCrfM9LMCzTC/SJVuZJMU="},
    {"myhub.azure-devices.net%2Fdevices%2Fdev1%2Fmodules%2F%24edgeAgent",
     "bnlq2nqYulltj9mAL2XeMGrsDyWlkwjgeOKcU2P4was="},
};

static struct sas parsed(const char *token)
{
    struct sas s = {0};
    struct err err = {0};

    cr_assert_eq(sas_parse(token, strlen(token), &s, &err), 0, "%s: %s", token, err.msg);
    return s;
}

Test(sas, verifies_the_literal_resource_in_any_field_order)
{
    const char *orders[] = {"SharedAccessSignature sr=%s&sig=%s&se=1700000000",
                            "SharedAccessSignature sig=%2$s&se=1700000000&sr=%1$s",
                            "SharedAccessSignature se=1700000000&sr=%s&sig=%s&unknown=1"};

    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        auto_buf struct buf sig = {0};

        percent_encode(vectors[i].sig, strlen(vectors[i].sig), &sig);
        for (size_t k = 0; k < ARRAY_LEN(orders); k++) {
            auto_buf struct buf token = {0};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            buf_printf(&token, orders[k], vectors[i].sr, buf_str(&sig));
#pragma GCC diagnostic pop

            struct sas s = parsed(buf_str(&token));

            cr_assert(sas_signed_by(&s, KEY));
            cr_assert_not(sas_signed_by(&s, OTHER_KEY));
        }
    }
}

Test(sas, makes_the_token_that_node_makes)
{
    auto_secret struct secret token = {0};

    cr_assert_eq(sas_make("myhub.azure-devices.net/devices/dev1", KEY, WHEN, NULL, &token, NULL),
                 0);
    cr_assert_str_eq(token.data,
                     "SharedAccessSignature sr=myhub.azure-devices.net%2Fdevices%2Fdev1&sig="
                     "wosmA3uJK9T0mdB5CIYn%2BsAVA2ODflnucuvNO5S6mbM%3D&se=1700000000");
}

Test(sas, carries_the_policy_name)
{
    auto_secret struct secret token = {0};

    cr_assert_eq(sas_make("hub", KEY, WHEN, "iothubowner", &token, NULL), 0);

    struct sas s = parsed(token.data);

    cr_assert_str_eq(s.policy, "iothubowner");
    cr_assert(sas_signed_by(&s, KEY));
}

Test(sas, covers_whole_segments_only)
{
    struct sas s = {.resource = "MyHub/devices/dev1"};

    cr_assert(sas_covers(&s, "myhub/devices/DEV1"));
    cr_assert(sas_covers(&s, "myhub/devices/dev1/modules/$edgeAgent"));
    cr_assert_not(sas_covers(&s, "myhub/devices/dev10"));
    cr_assert_not(sas_covers(&s, "myhub/devices"));
    cr_assert_not(sas_covers(&s, "myhub/devices/dev2"));
    cr_assert_not(sas_covers(&(struct sas){.resource = "/"}, "myhub"));
}

Test(sas, expires_after_the_clock_allowance)
{
    struct sas s = {.expiry_s = WHEN};

    cr_assert_not(sas_expired(&s, WHEN));
    cr_assert_not(sas_expired(&s, WHEN + SAS_SKEW_S));
    cr_assert(sas_expired(&s, WHEN + SAS_SKEW_S + 1));
}

Test(sas, refuses_what_is_not_a_token)
{
    const char *sig = "wosmA3uJK9T0mdB5CIYn%2BsAVA2ODflnucuvNO5S6mbM%3D";
    const char *bad[] = {
        "",
        "SharedAccessSignature ",
        "sr=a&sig=%s&se=1",
        "SharedAccessSignature sr=a&se=1",
        "SharedAccessSignature sr=a&sig=%s",
        "SharedAccessSignature sig=%s&se=1",
        "SharedAccessSignature sr=a&sig=%s&se=-1",
        "SharedAccessSignature sr=a&sig=%s&se=01",
        "SharedAccessSignature sr=a&sig=%s&se=99999999999999999999",
        "SharedAccessSignature sr=%%zz&sig=%s&se=1",
        "SharedAccessSignature sr=a&sig=AAAA&se=1",
        "SharedAccessSignature sr=a&sr=b&sig=%s&se=1",
        "SharedAccessSignature sr=%%00&sig=%s&se=1",
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        auto_buf struct buf token = {0};
        struct sas s = {0};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        buf_printf(&token, bad[i], sig);
#pragma GCC diagnostic pop
        cr_assert_eq(sas_parse(buf_str(&token), token.len, &s, NULL), -1, "accepted: %s", bad[i]);
    }
}

Test(base64, round_trips_every_length)
{
    for (size_t n = 0; n < 70; n++) {
        auto_buf struct buf text = {0};
        auto_buf struct buf back = {0};
        char data[70];

        for (size_t i = 0; i < n; i++)
            data[i] = (char)(i * 37 + n);
        base64_encode(data, n, &text);
        cr_assert_eq(base64_decode(buf_str(&text), text.len, &back, NULL), 0);
        cr_assert_eq(back.len, n);
        cr_assert_eq(memcmp(buf_str(&back), data, n), 0);
    }
}

Test(base64, tolerates_missing_padding_and_nothing_else)
{
    auto_buf struct buf out = {0};
    const char *bad[] = {"A", "AAA A", "AA\n", "====", "A===", "AA=A", "AAAA=", "AA-_", "AAAAA"};

    cr_assert_eq(base64_decode("TWE", 3, &out, NULL), 0);
    cr_assert_eq(base64_decode("TQ", 2, &out, NULL), 0);
    cr_assert_str_eq(out.data, "MaM");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_assert_eq(base64_decode(bad[i], strlen(bad[i]), &out, NULL), -1, "accepted: %s", bad[i]);
}
