/* Names that nobody else has. Any thread. */
#ifndef BERTH_BASE_UUID_H
#define BERTH_BASE_UUID_H

#define UUID_SIZE 37 /* with its end */

/* A random UUID (version 4). */
void uuid_make(char to[UUID_SIZE]);

#endif
