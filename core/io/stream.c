/* See stream.h: the calls that every kind of stream shares. */
#include "core/io/stream.h"

int stream_write(struct stream *s, const void *data, size_t len, struct err *err)
{
    return s->ops->write(s, data, len, err);
}

void stream_shutdown(struct stream *s)
{
    s->ops->shutdown(s);
}

void stream_pause(struct stream *s, bool paused)
{
    s->ops->pause(s, paused);
}

void stream_close(struct stream *s)
{
    if (s)
        s->ops->close(s);
}
