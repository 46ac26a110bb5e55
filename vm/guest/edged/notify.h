/* Tells systemd how the service is doing (sd_notify), where it asked for that. */
#ifndef BERTH_EDGED_NOTIFY_H
#define BERTH_EDGED_NOTIFY_H

/* "READY=1", "STOPPING=1", "STATUS=..." to $NOTIFY_SOCKET; silently nothing where there is none. */
void notify_systemd(const char *state);

#endif
