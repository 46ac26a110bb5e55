#include "core/base/percent.h"

#include <criterion/criterion.h>
#include <string.h>

static bool decodes(const char *text, const char *expected)
{
    char to[16];

    return percent_decode(text, strlen(text), to, sizeof(to)) && strcmp(to, expected) == 0;
}

static bool refuses(const char *text, size_t size)
{
    char to[16];

    return !percent_decode(text, strlen(text), to, size) &&
           !percent_decode_form(text, strlen(text), to, size);
}

Test(percent, decodes_escapes_in_either_case)
{
    cr_assert(decodes("", ""));
    cr_assert(decodes("a%2Fb%2fc", "a/b/c"));
    cr_assert(decodes("%c3%BC", "ü"));
    cr_assert(decodes("%2525", "%25"), "once only");
}

Test(percent, a_plus_is_a_space_in_forms_only)
{
    char to[16];

    cr_assert(decodes("a+b%2B", "a+b+"));
    cr_assert(percent_decode_form("a+b%2B", 6, to, sizeof(to)));
    cr_assert_str_eq(to, "a b+");
}

Test(percent, refuses_broken_escapes_nul_and_what_does_not_fit)
{
    cr_assert(refuses("%", 16));
    cr_assert(refuses("a%2", 16));
    cr_assert(refuses("%g0", 16));
    cr_assert(refuses("%0g", 16));
    cr_assert(refuses("a%00b", 16));
    cr_assert(refuses("abcd", 4));
    cr_assert_not(refuses("abc", 4));
}

Test(percent, looks_at_no_byte_behind_the_text)
{
    char to[16];

    cr_assert_not(percent_decode("%2F", 2, to, sizeof(to)));
}

Test(percent, encodes_all_but_the_unreserved)
{
    auto_buf struct buf out = {0};

    percent_encode("aZ9-._~ /+\0ü", 13, &out);
    cr_assert_str_eq(buf_str(&out), "aZ9-._~%20%2F%2B%00%C3%BC");
}
