/* What the kernel knows of a TCP socket: apart, because its header and the C library's exclude each other. */
#ifndef PUSH_TRANSPORT_H
#define PUSH_TRANSPORT_H

#include <stdint.h>

/* Sends without delay, and keeps little in the kernel: a peer that reads nothing would get megabytes otherwise. */
void transport_prepare(int fd);

/* Bytes that the peer's kernel has acknowledged, and bytes that ours still keeps; zero both when it cannot say. */
void transport_count(int fd, uint64_t *ret_acknowledged, uint64_t *ret_unacknowledged);

#endif
