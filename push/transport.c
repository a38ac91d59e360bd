/* Socket options and counters of TCP (tcp(7), SIOCOUTQ). */
#include "transport.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { SEND_BUFFER_BYTES = 16 * 1024 };

void
transport_prepare(int fd)
{
	const int on = 1, bytes = SEND_BUFFER_BYTES;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
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
