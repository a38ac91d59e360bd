/* Socket options and counters of TCP (tcp(7), SIOCOUTQ). */
#include "transport.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
	SEND_BUFFER_BYTES = 16 * 1024,
	NOT_SENT_BYTES = 16 * 1024,  /* not writable while more waits for the peer's window */
	USER_TIMEOUT_MS = 40 * 1000, /* after LIVENESS_STALLED_MS: a close that nobody reads ends too */
};

void
transport_prepare(int fd)
{
	const int on = 1, buffer = SEND_BUFFER_BYTES, not_sent = NOT_SENT_BYTES, timeout_ms = USER_TIMEOUT_MS;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &not_sent, sizeof not_sent);
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

void
transport_count(int fd, uint64_t *ret_acknowledged, uint64_t *ret_unacknowledged)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof info;
	int waiting = 0;

	if (ioctl(fd, SIOCOUTQ, &waiting) != 0 || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0) {
		info.tcpi_bytes_acked = 0;
		waiting = 0;
	}
	*ret_acknowledged = info.tcpi_bytes_acked;
	*ret_unacknowledged = (uint64_t)waiting;
}
