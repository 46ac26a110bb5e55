/* See http_server.h: from a request to a WebSocket, as RFC 6455 4.2 asks for it. Extensions are
 * offered by many clients and never accepted. */
#include "core/io/http_server_private.h"

#include "core/base/str.h"
#include "core/io/digest.h"

#include <string.h>
#include <strings.h>

#define VERSION "13"
#define KEY_LEN 24 /* the base64 of 16 bytes */
#define GUID    "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/* The value of the I-th header NAME; NULL: no more. */
static const char *header_at(const struct http_exchange *x, const char *name, size_t i)
{
    for (size_t n = 0; n < x->n_headers; n++)
        if (strcasecmp(x->text.data + x->headers[n].name, name) == 0 && i-- == 0)
            return x->text.data + x->headers[n].value;
    return NULL;
}

/* Whether WORD is in the comma-separated lists of all headers NAME. */
static bool lists(const struct http_exchange *x, const char *name, const char *word, bool any_case)
{
    static const char space[] = " \t";
    const char *list;
    size_t len = strlen(word);

    for (size_t i = 0; (list = header_at(x, name, i)); i++)
        for (; *list; list += strcspn(list, ","), list += *list == ',') {
            const char *at = list + strspn(list, space);
            size_t n = strcspn(at, ",");

            while (n > 0 && strchr(space, at[n - 1]))
                n--;
            if (n == len && (any_case ? strncasecmp(at, word, n) : strncmp(at, word, n)) == 0)
                return true;
        }
    return false;
}

bool http_exchange_wants_websocket(const struct http_exchange *x)
{
    return lists(x, "Upgrade", "websocket", true) && lists(x, "Connection", "upgrade", true);
}

static bool is_key(const char *key)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    return key && strspn(key, digits) == KEY_LEN - 2 && str_eq(key + KEY_LEN - 2, "==");
}

static int check(struct http_exchange *x, const char *protocol, struct err *err)
{
    const char *version = header_at(x, "Sec-WebSocket-Version", 0);

    if (!http_exchange_wants_websocket(x) || x->parser.method != HTTP_GET || x->body.len > 0 ||
        x->parser.http_major != 1 || x->parser.http_minor != 1)
        return err_set(err, ERR_INVALID, "the request does not ask for a WebSocket");
    if (!str_eq(version, VERSION)) {
        http_reply_header(x, "Sec-WebSocket-Version", VERSION);
        return err_set(err, ERR_INVALID, "WebSocket version " VERSION " is spoken here");
    }
    if (!is_key(header_at(x, "Sec-WebSocket-Key", 0)) || header_at(x, "Sec-WebSocket-Key", 1))
        return err_set(err, ERR_INVALID, "Sec-WebSocket-Key must be the base64 of 16 bytes");
    if (!lists(x, "Sec-WebSocket-Protocol", protocol, false))
        return err_set(err, ERR_INVALID, "the WebSocket must be of sub-protocol %s", protocol);
    return 0;
}

int http_exchange_websocket(struct http_exchange *x, const char *protocol,
                            const struct net_server_events *events, void *arg, struct err *err)
{
    char seed[KEY_LEN + sizeof(GUID)];
    char accept[DIGEST_SHA1_BASE64_SIZE];
    auto_buf struct buf answer = {0};

    if (check(x, protocol, err) < 0)
        return -1;
    (void)str_format(seed, sizeof(seed), "%s" GUID, header_at(x, "Sec-WebSocket-Key", 0));
    digest_sha1_base64(seed, strlen(seed), accept);
    buf_printf(&answer,
               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
               accept, protocol);

    struct net_conn *conn = http_exchange_detach(x);

    (void)net_conn_write(conn, answer.data, answer.len);
    net_conn_websocket(conn);

    void *owner = events->on_open(conn, arg);

    if (owner)
        net_conn_hand_over(conn, events, arg, owner);
    else
        net_conn_abort(conn);
    return 0;
}
