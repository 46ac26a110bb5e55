/* See base64.h. OpenSSL's block coder does the work; what it would accept beyond the alphabet
 * (white space, anything behind the padding) is refused here first, and the padding that people
 * lose when they copy a key is put back. */
#include "core/io/base64.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>

static bool in_alphabet(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

int base64_decode(const char *text, size_t len, struct buf *out, struct err *err)
{
    size_t body = len;

    while (body > 0 && len - body < 2 && text[body - 1] == '=')
        body--;
    for (size_t i = 0; i < body; i++)
        if (!in_alphabet(text[i]))
            return err_set(err, ERR_INVALID, "not base64: character %zu is outside the alphabet",
                           i + 1);
    if (body % 4 == 1)
        return err_set(err, ERR_INVALID, "not base64: a character is missing at the end");
    if (body < len && len % 4 != 0)
        return err_set(err, ERR_INVALID, "not base64: the padding does not fit the length");
    if (body > INT_MAX / 2)
        return err_set(err, ERR_INVALID, "too long for base64");

    size_t whole = body / 4 * 4;
    unsigned char *to = (unsigned char *)buf_reserve(out, whole / 4 * 3 + 3);

    if (whole > 0)
        (void)EVP_DecodeBlock(to, (const unsigned char *)text, (int)whole);
    out->len += whole / 4 * 3;
    if (body > whole) {
        unsigned char last[4] = {'=', '=', '=', '='};
        unsigned char bytes[3];

        memcpy(last, text + whole, body - whole);
        (void)EVP_DecodeBlock(bytes, last, 4);
        memcpy(to + whole / 4 * 3, bytes, body - whole - 1);
        out->len += body - whole - 1;
        explicit_bzero(last, sizeof(last));
        explicit_bzero(bytes, sizeof(bytes));
    }
    out->data[out->len] = '\0';
    return 0;
}

void base64_encode(const void *data, size_t len, struct buf *out)
{
    char *to = buf_reserve(out, (len + 2) / 3 * 4 + 1);

    out->len += (size_t)EVP_EncodeBlock((unsigned char *)to, data, (int)len);
}
