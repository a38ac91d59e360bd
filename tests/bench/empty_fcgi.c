/* An empty FastCGI handler: as many threads as the REST server has, each answers 201 with a short body at once. The bound of
 * what anything behind lighttpd and libfcgi can reach on a machine; bench.py measures sends against it in the same run.
 *
 * usage: empty_fcgi SOCKET THREADS */
#include <fcgiapp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static int listen_fd;

static void *
serve(void *unused)
{
	FCGX_Request request;
	char body[4096];

	FCGX_InitRequest(&request, listen_fd, 0);
	while (FCGX_Accept_r(&request) == 0) {
		while (FCGX_GetStr(body, sizeof body, request.in) > 0) {
		}
		FCGX_FPrintF(request.out, "Status: 201 Created\r\nContent-Type: application/json\r\n\r\n{\"ok\":true}");
		FCGX_Finish_r(&request);
	}
	return unused;
}

int
main(int argc, char **argv)
{
	pthread_t thread;
	long threads;

	if (argc != 3 || (threads = strtol(argv[2], NULL, 10)) < 1) {
		fprintf(stderr, "usage: empty_fcgi SOCKET THREADS\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1);
	setenv("LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT", "500", 1);
	FCGX_Init();
	listen_fd = FCGX_OpenSocket(argv[1], 1024);
	for (long i = 1; i < threads; i++)
		pthread_create(&thread, NULL, serve, NULL);
	serve(NULL);
	return 0;
}
